//! Choices that are not decisions of the config.

/// What counts as activity and prolongs a session (R7).
///
/// Given to [`Builder::activity`](crate::config::builder::Builder::activity). A single request is taken out with
/// [`Session::passive`](crate::Session::passive).
///
/// ```
/// # use http_session::{config::Activity, MemoryStore, Secret, SessionConfig};
/// # let builder = SessionConfig::builder().secret(Secret::random()).store(MemoryStore::new());
/// let sessions = builder.activity(Activity::Presented).build();
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Activity {
    /// A request whose handler asks for the session.
    #[default]
    Loaded,
    /// Every request with a valid cookie; it costs a load each.
    Presented,
}

/// How far a session's own cookie attributes may go (R21).
///
/// Given to [`Builder::stored_attributes`](crate::config::builder::Builder::stored_attributes).
///
/// ```
/// # use http_session::{MemoryStore, Secret, SessionConfig, config::StoredAttributes};
/// # let builder = SessionConfig::builder().secret(Secret::random()).store(MemoryStore::new());
/// let sessions = builder.stored_attributes(StoredAttributes::Exact).build();
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StoredAttributes {
    /// They may only narrow the configured ones, but for `max_age` and `priority`, which are free; anything else stays as
    /// configured, with an event `session.cookie.refused`.
    #[default]
    Narrow,
    /// They count as they are, as in express-session, as long as a browser would take them: not what the name's prefix
    /// forbids (RFC 6265bis, section 4.1.3), nor `SameSite=None` or `Partitioned` without `Secure`.
    Exact,
}
