//! The middleware: what tower, hyper and axum call.
//!
//! A request goes through these stages:
//!
//! | stage | module | what happens | pure |
//! |---|---|---|---|
//! | 1 cookie | `cookie::request` | finds our cookies in the request | yes |
//! | 2 token | `token` | checks the MAC, and splits selector and verifier | yes |
//! | 3 load | `stages::load` | loads the session when the handler asks for it, or always if so configured | no |
//! | 4 handler | yours | works with [`Session<T>`](struct@crate::Session) | |
//! | 5 changes | `request::session` | collects the pending changes and the intent | yes |
//! | 6 decide | `decide` | makes a decision from facts and policy | yes |
//! | 7 commit | `stages::commit` | makes the one store call that the decision names | no |
//! | 8 set_cookie | `cookie::set_cookie` | appends our Set-Cookie, and keeps the others | yes |
//!
//! The service runs stage 1 on the way in. [`ResponseFuture`] runs the handler, and then stages 5 to 8.

mod body;
#[cfg(feature = "tower")]
pub(crate) mod csrf;
mod future;
#[cfg(feature = "hyper")]
mod handler;
#[cfg(feature = "tower")]
mod layer;
#[cfg(feature = "tower")]
mod service;

pub use body::SessionBody;
pub use future::ResponseFuture;
#[cfg(feature = "hyper")]
pub use handler::{HandlerAnswer, HandlerFuture, SessionArgument, SessionHandler};
#[cfg(feature = "tower")]
pub use layer::SessionLayer;
#[cfg(feature = "tower")]
pub use service::SessionService;
