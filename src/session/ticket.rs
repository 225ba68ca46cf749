//! A sign-in that begins before the password is checked.

use std::fmt;

use super::data::HasIdentity;
use crate::request::pending::TicketProof;

/// Permission to sign in one identity, as of the moment at which it was issued.
///
/// [`SessionConfig::ticket`](crate::SessionConfig::ticket) issues it *before* the password is checked, and
/// [`Session::sign_in_with`](crate::Session::sign_in_with) uses it. If all sessions of the identity are ended in between,
/// for example because the password was changed, the sign-in fails with a 409, although the old password was right when it
/// was checked. A ticket is valid for an hour, and only with an indexed configuration.
///
/// ```
/// use http_session::error::StoreError;
/// use http_session::store::HasIndex;
/// use http_session::SessionStore;
/// use http_session::{Session, SessionConfig};
///
/// #[derive(Session)]
/// struct Visit {
///     #[session(identity)]
///     user: Option<u64>,
/// }
///
/// # async fn password_fits(_: u64, _: &str) -> bool { true }
/// async fn log_in<S: SessionStore + HasIndex>(
///     sessions: &SessionConfig<S>,
///     mut session: Session<Visit>,
///     (user, password): (u64, &str),
/// ) -> Result<bool, StoreError> {
///     let ticket = sessions.ticket(user).await?;
///     let fits = password_fits(user, password).await;
///     if fits {
///         session.sign_in_with(ticket);
///     }
///     Ok(fits)
/// }
/// ```
#[must_use = "a ticket is for `sign_in_with`"]
pub struct Ticket<T: HasIdentity> {
    pub(crate) identity: T::Identity,
    pub(crate) proof: TicketProof,
}

/// Shows nothing of the identity.
impl<T: HasIdentity> fmt::Debug for Ticket<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ticket(..)")
    }
}
