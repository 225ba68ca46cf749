//! Naming all sessions of a store, page by page.

use std::future::Future;

use crate::error::StoreError;
use crate::id::SessionId;
use crate::page::{Cursor, Page};
use crate::session_store::SessionStore;

/// A store that can name all its sessions: express-session's optional `length`, `all` and `clear`.
///
/// ```
/// # use http_session_store::{MemoryStore, SessionId, record::*, *};
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// # let (store, id) = (MemoryStore::new(), SessionId::try_from("kUeB2YVgRXuVqz1nXbW3oA")?);
/// # let (record, day) = (Record::new(VerifierHash([7; 32])), std::time::Duration::from_secs(24 * 3600));
/// # let _ = store.insert(&id, &record, Lifetime::new(day, 30 * day)).await?;
/// assert_eq!(store.len().await?, 1);
/// assert_eq!(store.ids(None, 100).await?.ids, [id]);
///
/// store.clear().await?;
/// assert_eq!(store.len().await?, 0);
/// # Ok::<_, Box<dyn std::error::Error>>(()) })?;
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot enumerate its sessions",
    label = "this store does not know which sessions it has",
    note = "use a store that implements `EnumerateSessions`, such as `MemoryStore`"
)]
#[expect(clippy::len_without_is_empty, reason = "express-session's `length`; a store is not a container")]
pub trait EnumerateSessions: SessionStore {
    /// The number of live sessions, without tombstones. Approximate if the storage changes meanwhile. express: `store.length`.
    ///
    /// # Errors
    /// The store failed.
    #[doc(alias = "length")]
    fn len(&self) -> impl Future<Output = Result<usize, StoreError>> + Send;

    /// About `limit` ids of live sessions, from a page's [`next`](Page::next) on or from the beginning. [`Ids`] walks through
    /// all of them.
    ///
    /// A session that lives from the first page to the last is named, perhaps twice if the storage is reorganised meanwhile.
    /// A session that comes or goes in between may be named. express: `store.all`, which returns the sessions themselves.
    ///
    /// # Errors
    /// The store failed, or the cursor is not one of its own.
    #[doc(alias = "all")]
    fn ids(&self, from: Option<&Cursor>, limit: usize) -> impl Future<Output = Result<Page, StoreError>> + Send;

    /// Destroys every session. express: `store.clear`.
    ///
    /// # Errors
    /// The store failed.
    fn clear(&self) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// All ids of a store, one after the other. It reads the next page when the ids of one are used up.
///
/// ```
/// # use http_session_store::{MemoryStore, SessionId, record::*, *};
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// # let (store, id) = (MemoryStore::new(), SessionId::try_from("kUeB2YVgRXuVqz1nXbW3oA")?);
/// # let (record, day) = (Record::new(VerifierHash([7; 32])), std::time::Duration::from_secs(24 * 3600));
/// # let _ = store.insert(&id, &record, Lifetime::new(day, 30 * day)).await?;
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

const IDS_PER_PAGE: usize = 500;

impl<'a, S: EnumerateSessions> Ids<'a, S> {
    /// From the beginning.
    pub fn of(store: &'a S) -> Self {
        Self { store, page: Vec::new().into_iter(), next: Next::First }
    }

    /// The next id, or `None` after the last one.
    ///
    /// # Errors
    /// The store failed. Called again, it tries the same page again.
    pub async fn next(&mut self) -> Result<Option<SessionId>, StoreError> {
        loop {
            if let Some(id) = self.page.next() {
                return Ok(Some(id));
            }
            let page = match &self.next {
                Next::First => self.store.ids(None, IDS_PER_PAGE).await?,
                Next::After(cursor) => self.store.ids(Some(cursor), IDS_PER_PAGE).await?,
                Next::Nothing => return Ok(None),
            };
            self.page = page.ids.into_iter();
            self.next = page.next.map_or(Next::Nothing, Next::After);
        }
    }
}
