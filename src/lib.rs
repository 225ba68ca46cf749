//! Typed HTTP sessions for hyper, tower and axum.
//!
//! A session is your own struct, and the compiler checks the configuration. Each request writes only the fields that it
//! changed, in one atomic, conditional write. So concurrent requests do not overwrite each other's changes, and a session
//! that was ended cannot come back.
//!
//! ```
//! use axum::Router;
//! use axum::routing::{get, post};
//! use http_session::error::StoreError;
//! use http_session::{MemoryStore, Secret, Session, SessionConfig};
//!
//! #[derive(Session)]
//! struct Visit {
//!     views: u64,
//!     #[session(identity)] // who is signed in; a change rotates the session
//!     user: Option<u64>,
//!     #[session(merge = "append", keep = "sign_in")] // concurrent additions all stay, and so does the cart at sign-in
//!     cart: Vec<String>,
//! }
//!
//! async fn home(mut session: Session<Visit>) -> String {
//!     session.views += 1; // written with the response
//!     format!("{} views, {} items in the cart", session.views, session.cart.len())
//! }
//!
//! async fn sign_in(mut session: Session<Visit>) {
//!     session.sign_in(42); // the id of the user whose password was checked
//! }
//!
//! async fn sign_out(mut session: Session<Visit>) -> Result<(), StoreError> {
//!     session.sign_out().await?;
//!     Ok(())
//! }
//!
//! let sessions = SessionConfig::builder()
//!     .secret(Secret::random()) // in production: Secret::from_env("SESSION_SECRET")?
//!     .store(MemoryStore::new())
//!     .build();
//!
//! let app: Router = Router::new()
//!     .route("/", get(home))
//!     .route("/sign-in", post(sign_in))
//!     .route("/sign-out", post(sign_out))
//!     .layer(sessions.csrf_layer()) // refuses posts from other sites' pages
//!     .layer(sessions.layer());
//! ```
//!
//! With hyper alone, [`SessionConfig::service`] turns a handler into a service. With another framework on tower,
//! [`Session::extract`](struct@Session) gets the session from a request.
//!
//! # Where to look
//!
//! - [`struct@Session`]: the handle in a handler. [`derive@Session`]: the attributes of your struct.
//! - [`SessionConfig`] and its [`Builder`](config::builder::Builder): all options.
//! - [`Csrf`]: protection against cross-site request forgery.
//! - [`guide`]: the manual, with a chapter for each stage of a request.
//! - [`guide::users_sessions`]: a user's devices, "log out everywhere", step-up, "remember me".
//! - [`guide::stores`]: which store to choose. [`store::AnyStore`]: a store chosen by its URL.
//! - [`guide::testing`]: a browser, a manual clock and a store that fails, for tests of your service.
//! - [`guide::events`]: events, spans and metrics for operators.
//! - [`guide::from_express`]: for users of express-session.
//! - [`SessionStore`] and [`guide::store_authors`]: writing a store of your own, and the suite that checks it.
//!
//! # Stages of a request
//!
//! | stage | module | calls the store |
//! |---|---|---|
//! | [1 cookie](guide::_1_cookie) | `stages::receive`, `cookie::request` | |
//! | [2 token](guide::_2_token) | `token` | |
//! | [3 load](guide::_3_load) | `stages::load` | yes |
//! | [4 handler](guide::_4_handler) | your code | if it awaits a call such as `save` |
//! | [5 changes](guide::_5_changes) | `request` | |
//! | [6 decide](guide::_6_decide) | `decide` | |
//! | [7 commit](guide::_7_commit) | `stages::commit` | yes |
//! | [8 set_cookie](guide::_8_set_cookie) | `stages::cookie`, `cookie::set_cookie` | |
//!
//! Only stages 3 and 7 do IO of their own, and stage 6 is one pure function. [`middleware`] connects the stages to tower
//! and hyper.
//!
//! # Crate features
//!
//! | feature | default | adds |
//! |---|---|---|
//! | `derive` | yes | `#[derive(Session)]` |
//! | `memory` | yes | [`MemoryStore`] |
//! | `sqlite`, `redis`, `redis-tls`, `postgres`, `postgres-tls` | | URLs of that kind for [`AnyStore::connect`](store::AnyStore::connect) |
//! | `hyper` | | [`SessionConfig::service`]: a handler as a hyper service |
//! | `tower` | | [`SessionConfig::layer`], [`SessionConfig::csrf_layer`]: tower layers |
//! | `axum` | | [`struct@Session`] and [`Csrf`] as axum extractors |
//! | `metrics` | | counters and a histogram of what the middleware does ([`guide::events`]) |
//! | `test-support` | | [`testing`], for tests of a service, and [`store::conformance`], for tests of a store |
//!
//! # Runtime
//!
//! The crate needs tokio. A timer of tokio limits how long a store call may take, and a task of tokio finishes the commit of a
//! request whose client has disconnected.
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(
    not(any(feature = "hyper", feature = "tower")),
    allow(dead_code, unused_imports, reason = "without a front nothing calls the middleware")
)]

// The layers, from the top: a module uses only modules below it. `tests/it/layers.rs` holds this order.

// How tower, hyper and axum see this crate
#[cfg(feature = "axum")]
mod axum;
pub mod middleware;

// What a handler can call
mod session;

// What happens to the session of a request, and when
mod stages;

// What is remembered during one request
mod request;

// What a program decides when it starts
pub mod config;

// What operators see
mod telemetry;

// Bytes in, words out: cookies, tokens, the origin of a request
mod cookie;
mod forgery;
mod token;

// The store contract, and the store that is chosen at run time
pub mod store;

// What happens in the store and which cookie is sent, as one pure function
mod decide;
pub mod error;
mod sync;

// For tests of services. Tests of stores use `store::conformance`
#[cfg(feature = "test-support")]
pub mod testing;

// The manual
pub mod guide;

/// Protection against cross-site request forgery: a layer that refuses requests from other sites' pages. Tokens for pages
/// are in [`Csrf`]. The [chapter](crate::guide::csrf) of the manual has the table, and says what is not
/// covered.
pub mod csrf {
    #[doc(inline)]
    pub use crate::forgery::TrustedOrigin;
    #[cfg(feature = "tower")]
    #[doc(inline)]
    pub use crate::middleware::csrf::{CsrfFuture, CsrfLayer, CsrfService};
}

#[doc(inline)]
pub use self::config::cookie_rules::Cookie;
#[doc(inline)]
pub use self::config::session_config::SessionConfig;
pub use self::cookie::{CookieDomain, CookieName, CookiePath, SameSite, SessionCookie};
#[doc(inline)]
pub use self::request::ending::SignedOut;
#[doc(inline)]
pub use self::session::csrf::{Csrf, CsrfToken};
#[doc(inline)]
pub use self::session::{CookieMut, DetachedSession, HasIdentity, Session, SessionData, Ticket, merge};
pub use self::token::Secret;
#[cfg(feature = "memory")]
#[doc(inline)]
pub use http_session_store::MemoryStore;
#[doc(inline)]
pub use http_session_store::{SessionId, SessionStore, clock, record};

#[cfg(feature = "derive")]
pub use http_session_macros::Session;

// The derive macro writes `::http_session` into its code. The unit tests of this crate need that name too.
#[cfg(test)]
extern crate self as http_session;

/// What the code of the derive macro calls. Not part of the public interface.
#[doc(hidden)]
pub mod __private {
    pub use crate::SessionStore;
    pub use crate::error::MergeConflict;
    pub use crate::record::{Field, Keep};
    pub use crate::session::data::{
        DefaultValue, FieldCodec, FieldDefault, FieldReader, FieldWriter, HasIdentity, JsonDeserializer, JsonResult,
        JsonSerializer, SessionData, Unreadable, decode, decode_with, encode, encode_with, merge_field, reject_change,
    };
    pub use serde::Serialize;
    pub use serde::de::DeserializeOwned;
    pub use std::vec::Vec;
}

/// Compiles the examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
