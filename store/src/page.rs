//! Naming all sessions of a store, page by page.

use std::fmt;

use super::EnumerateSessions;
use crate::error::{StoreError, StoreErrorKind};
use crate::id::SessionId;

/// Where the next page begins, in the words of the store that gave it.
///
/// ```
/// use http_session_store::Cursor;
///
/// assert_eq!(Cursor::new("0/42").as_str(), "0/42");
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Cursor(Box<str>);

impl Cursor {
    /// For a store: whatever it needs to go on.
    ///
    /// ```
    /// # use http_session_store::Cursor;
    /// let _ = Cursor::new("0/42");
    /// ```
    #[must_use]
    pub fn new(text: impl Into<Box<str>>) -> Self {
        Self(text.into())
    }

    /// What the store put into it.
    ///
    /// ```
    /// # use http_session_store::Cursor;
    /// assert_eq!(Cursor::new("0/42").as_str(), "0/42");
    /// ```
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The last id of the page before, where pages are [in the order of ids](Page::in_order).
    ///
    /// # Errors
    /// It is no cursor of such a store ([`StoreErrorKind::Refused`]).
    ///
    /// ```
    /// # use http_session_store::{SessionId, Page};
    /// # let id = SessionId::try_from("kUeB2YVgRXuVqz1nXbW3oA")?;
    /// let page = Page::in_order(vec![id.clone()], 1);
    /// assert_eq!(page.next.unwrap().id()?, id);
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn id(&self) -> Result<SessionId, StoreError> {
        SessionId::try_from(&*self.0).map_err(|_| StoreError::new(StoreErrorKind::Refused))
    }
}

/// It may be an id.
impl fmt::Debug for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cursor(..)")
    }
}

/// Some of the ids of a store, from [`EnumerateSessions::ids`].
///
/// ```
/// use http_session_store::Page;
///
/// let page = Page { ids: Vec::new(), next: None };
/// assert_eq!(page, Page::in_order(Vec::new(), 100));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Page {
    /// Perhaps none, although there is a next page.
    pub ids: Vec<SessionId>,
    /// Where the next page begins; `None` when this is the last one.
    pub next: Option<Cursor>,
}

impl Page {
    /// For a store whose pages are in the order of ids: the ids after those of the page before, at most `limit`. If they are
    /// as many, the next page begins [after](Cursor::id) the last.
    ///
    /// ```
    /// # use http_session_store::{SessionId, Page};
    /// # let id = SessionId::try_from("kUeB2YVgRXuVqz1nXbW3oA")?;
    /// assert!(Page::in_order(vec![id.clone()], 1).next.is_some());
    /// assert!(Page::in_order(vec![id], 2).next.is_none());
    /// # Ok::<_, http_session_store::error::InvalidSessionId>(())
    /// ```
    pub fn in_order(ids: Vec<SessionId>, limit: usize) -> Self {
        let last = ids.last().filter(|_| ids.len() >= limit);
        let next = last.map(|last| Cursor::new(last.as_str()));
        Self { ids, next }
    }
}

/// All ids of a store, one after the other; reads a page when the one before is used up.
///
/// ```
/// # use http_session_store::{MemoryStore, SessionId, record::*, *};
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// # let (store, id) = (MemoryStore::new(), SessionId::try_from("kUeB2YVgRXuVqz1nXbW3oA")?);
/// # let (record, day) = (Record::new(VerifierHash([7; 32])), std::time::Duration::from_secs(24 * 3600));
/// # let lifetime = Lifetime { idle: day, absolute: 30 * day, extent: Extent::Extend };
/// # let _ = store.insert(&id, &record, lifetime).await?;
/// let mut ids = Ids::of(&store);
/// while let Some(id) = ids.next().await? {
///     println!("{} bytes", store.load(&id).await?.map_or(0, |record| record.size()));
/// }
/// # Ok::<_, Box<dyn std::error::Error>>(()) })?;
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Ids<'a, S> {
    store: &'a S,
    page: std::vec::IntoIter<SessionId>,
    next: Next,
}

#[derive(Debug)]
enum Next {
    First,
    After(Cursor),
    Nothing,
}

const PAGE: usize = 500;

impl<'a, S: EnumerateSessions> Ids<'a, S> {
    /// From the beginning.
    ///
    /// ```
    /// # use http_session_store::{MemoryStore, Ids};
    /// let store = MemoryStore::new();
    /// let ids = Ids::of(&store);
    /// ```
    pub fn of(store: &'a S) -> Self {
        Self { store, page: Vec::new().into_iter(), next: Next::First }
    }

    /// The next id, or `None` after the last.
    ///
    /// # Errors
    /// The store failed; asked again, it tries the same page again.
    ///
    /// ```
    /// # use http_session_store::{MemoryStore, Ids};
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// assert_eq!(Ids::of(&MemoryStore::new()).next().await?, None);
    /// # Ok::<_, Box<dyn std::error::Error>>(()) })?;
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub async fn next(&mut self) -> Result<Option<SessionId>, StoreError> {
        loop {
            if let Some(id) = self.page.next() {
                return Ok(Some(id));
            }
            let page = match &self.next {
                Next::First => self.store.ids(None, PAGE).await?,
                Next::After(cursor) => self.store.ids(Some(cursor), PAGE).await?,
                Next::Nothing => return Ok(None),
            };
            self.page = page.ids.into_iter();
            self.next = page.next.map_or(Next::Nothing, Next::After);
        }
    }
}
