//! One request, stage by stage.
//!
//! | stage | where | what | pure |
//! |---|---|---|---|
//! | 1 cookie | `cookie::request` | find our cookies in the request | yes |
//! | 2 token | `token` | check the MAC, split selector and verifier | yes |
//! | 3 load | `middleware::load` | only when somebody asks, or always where configured | IO |
//! | 4 handler | yours | works on [`Session<T>`](struct@crate::Session) | |
//! | 5 changes | `session::changes` | the pending patch, the intent | yes |
//! | 6 decide | `decide` | facts and policy give a decision | yes |
//! | 7 commit | `middleware::commit` | the one store call that the decision names | IO |
//! | 8 set_cookie | `cookie::set_cookie` | append our Set-Cookie, keep those that are there | yes |
//!
//! `receive` runs stage 1 on the way in; [`ResponseFuture`] runs the handler and then stages 5 to 8.

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
