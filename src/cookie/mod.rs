//! Cookies as RFC 6265bis defines them: reading those of a request (stage 1), writing ours into a response (stage 8).

pub(crate) mod attributes;
pub(crate) mod list;
mod name;
pub(crate) mod path;
pub(crate) mod request;
pub(crate) mod session_cookie;
pub(crate) mod set_cookie;
pub(crate) mod transport;

pub use attributes::{Priority, SameSite};
pub(crate) use name::Text;
pub use name::{CookieDomain, CookieName, CookiePath};
pub use session_cookie::SessionCookie;
