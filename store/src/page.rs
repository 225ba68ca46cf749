//! A page of ids, and where the next one begins.

use std::fmt;

use crate::error::{StoreError, StoreErrorKind};
use crate::id::SessionId;

/// Where the next page begins, in the words of the store that gave it. `Debug` shows nothing of it, since it may be an id.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Cursor(Box<str>);

impl Cursor {
    /// For a store: whatever it needs to go on.
    #[must_use]
    pub fn new(text: impl Into<Box<str>>) -> Self {
        Self(text.into())
    }

    /// What the store put into it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The last id of the page before, for a store whose pages are [in the order of ids](Page::in_order).
    ///
    /// # Errors
    /// It is not a cursor of such a store ([`StoreErrorKind::Refused`]).
    pub fn id(&self) -> Result<SessionId, StoreError> {
        SessionId::try_from(&*self.0).map_err(|_| StoreError::new(StoreErrorKind::Refused))
    }
}

impl fmt::Debug for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cursor(..)")
    }
}

/// Some of the ids of a store, from [`EnumerateSessions::ids`](crate::EnumerateSessions::ids).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[must_use]
pub struct Page {
    /// The ids. It may be empty although there is a next page.
    pub ids: Vec<SessionId>,
    /// Where the next page begins; `None` if this is the last one.
    pub next: Option<Cursor>,
}

impl Page {
    /// These ids, and where the next page begins.
    pub const fn new(ids: Vec<SessionId>, next: Option<Cursor>) -> Self {
        Self { ids, next }
    }

    /// For a store whose pages are in the order of ids: the ids after those of the page before, at most `limit`. If there are
    /// `limit` of them, the next page begins [after](Cursor::id) the last one.
    ///
    /// ```
    /// # use http_session_store::{SessionId, Page};
    /// let id = SessionId::try_from("kUeB2YVgRXuVqz1nXbW3oA")?;
    /// assert!(Page::in_order(vec![id.clone()], 2).next.is_none());
    /// let full = Page::in_order(vec![id.clone()], 1);
    /// assert_eq!(full.next.unwrap().id()?, id);
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn in_order(ids: Vec<SessionId>, limit: usize) -> Self {
        let last = ids.last().filter(|_| ids.len() >= limit);
        let next = last.map(|last| Cursor::new(last.as_str()));
        Self { ids, next }
    }
}
