//! The guard that `session.cookie_mut()` returns.

use crate::stages::cookie;
use std::fmt;
use std::ops::{Deref, DerefMut};

use crate::cookie::SessionCookie;
use crate::request::slot::Slot;

/// The cookie's attributes for one session, to be changed. When it is dropped, the session takes the changes over.
///
/// [`Session::cookie_mut`](super::Session::cookie_mut) returns it. It dereferences to [`SessionCookie`].
///
/// ```
/// # use http_session::Session;
/// # #[derive(Session)] struct Visit { views: u64 }
/// # fn handler(mut session: Session<Visit>) {
/// let mut cookie = session.cookie_mut();
/// cookie.max_age = Some(std::time::Duration::from_secs(14 * 24 * 3600));
/// cookie.secure = true;
/// drop(cookie);
/// # }
/// ```
#[must_use]
pub struct CookieMut<'a> {
    cookie: SessionCookie,
    before: SessionCookie,
    slot: &'a Slot,
}

impl<'a> CookieMut<'a> {
    pub(super) fn new(cookie: SessionCookie, slot: &'a Slot) -> Self {
        Self { before: cookie.clone(), cookie, slot }
    }
}

impl Deref for CookieMut<'_> {
    type Target = SessionCookie;

    fn deref(&self) -> &SessionCookie {
        &self.cookie
    }
}

impl DerefMut for CookieMut<'_> {
    fn deref_mut(&mut self) -> &mut SessionCookie {
        &mut self.cookie
    }
}

impl Drop for CookieMut<'_> {
    fn drop(&mut self) {
        if self.cookie != self.before {
            self.cookie.settle(&self.before);
            cookie::take_cookie(&self.slot.config, self.slot, self.cookie.clone(), &self.before);
        }
    }
}

impl fmt::Debug for CookieMut<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.cookie.fmt(f)
    }
}
