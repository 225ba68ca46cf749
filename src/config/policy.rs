//! Options that are enums, except those that `decide` reads.

/// What counts as activity, which extends a session's life. Set with
/// [`Builder::activity`](crate::config::builder::Builder::activity).
///
/// A handler can exclude its own request with [`Session::passive`](crate::Session::passive).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Activity {
    /// A request whose handler asks for the session.
    #[default]
    Loaded,
    /// Every request with a valid cookie. Each one loads its session.
    Presented,
}

/// How far a session's own cookie attributes may differ from the configured ones. Set with
/// [`Builder::stored_attributes`](crate::config::builder::Builder::stored_attributes).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StoredAttributes {
    /// They may only be stricter than the configured ones, except `max_age` and `priority`, which are free. An
    /// attribute that is less strict stays as configured, with the event `session.cookie.refused`.
    #[default]
    Narrow,
    /// They may be anything that a browser accepts, as in express-session. Attributes that the name's prefix forbids
    /// (RFC 6265bis, section 4.1.3), and `SameSite=None` or `Partitioned` without `Secure`, stay as configured.
    Exact,
}
