//! Typed, compile-time configured HTTP sessions for hyper, tower and axum.
//!
//! A session is your own struct. The configuration is checked by the compiler. What a request does to its session reaches the
//! store as one atomic, conditional write of the fields that changed: requests that run at the same moment keep each other's
//! fields, and a session that was ended stays so.
//!
//! ```
//! use std::convert::Infallible;
//!
//! use http::{Request, Response};
//! use http_session::{MemoryStore, Secret, Session, SessionConfig};
//!
//! #[derive(Session)]
//! struct Visit {
//!     views: u64,
//!     #[session(identity)] // a change is a login or logout: the session rotates by itself
//!     user: Option<u64>,
//!     #[session(merge = "append", keep = "sign_in")] // comes along at login
//!     cart: Vec<String>,
//! }
//!
//! async fn hello<B>(_: Request<B>, mut session: Session<Visit>) -> Result<Response<String>, Infallible> {
//!     session.views += 1;
//!     Ok(Response::new(format!("{} views", session.views)))
//! }
//!
//! let sessions = SessionConfig::builder()
//!     .secret(Secret::random()) // in production: Secret::from_env("SESSION_SECRET")?
//!     .store(MemoryStore::new())
//!     .build();
//!
//! let service = sessions.service(hello::<()>); // a hyper service
//! let app: axum::Router = axum::Router::new().layer(sessions.layer()); // a layer for tower and axum
//! ```
//!
//! # Where to look
//!
//! - [`struct@Session`]: the handle in a handler; [`derive@Session`]: the attributes of your struct
//! - [`SessionConfig`] and its [`Builder`](config::Builder): all options
//! - [`guide::users_sessions`]: devices, "log out everywhere", step-up, "remember me"
//! - [`Csrf`]: protection against cross-site request forgery
//! - [`guide`]: the manual, a chapter for each stage of a request; [`guide::from_express`] for those who come from there
//! - [`guide::events`]: what operators see
//! - [`SessionStore`]: the contract, for authors of stores; [`guide::store_authors`]: how to write one, and a suite for it
//! - [`guide::testing`]: a browser, time by hand, and a store that fails, for tests of your service
//!
//! # One request
//!
//! | stage | module | pure |
//! |---|---|---|
//! | [1 cookie](guide::_1_cookie) | `cookie::request` | yes |
//! | [2 token](guide::_2_token) | `token` | yes |
//! | [3 load](guide::_3_load) | `middleware::load` | IO |
//! | [4 handler](guide::_4_handler) | yours | |
//! | [5 changes](guide::_5_changes) | `session::changes` | yes |
//! | [6 decide](guide::_6_decide) | `decide` | yes |
//! | [7 commit](guide::_7_commit) | `middleware::commit` | IO |
//! | [8 set_cookie](guide::_8_set_cookie) | `cookie::set_cookie` | yes |
//!
//! The pure stages have no clock, no randomness and no IO inside.
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
//! | `metrics` | | what the middleware does, in numbers ([`guide::events`]) |
//! | `test-support` | | [`testing`], for tests of a service, and [`store::conformance`], for tests of a store |
//!
//! # Runtime
//!
//! Waiting for a store uses tokio's timer; a commit whose client has gone is finished in a tokio task.
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(
    not(any(feature = "hyper", feature = "tower")),
    allow(dead_code, unused_imports, reason = "without a front nothing calls the middleware")
)]

// The layers, from the top: a module uses only modules below it. `tests/it/layers.rs` holds this order.

// How tower, hyper and axum see us
#[cfg(feature = "axum")]
mod axum;
pub mod middleware;

// What a handler can call
mod session;

// What happens to the session of a request, and when
mod stages;

// What is remembered of one request
mod request;

// What a program decides once
pub mod config;

// What operators see
mod telemetry;

// Bytes in, words out: cookies, tokens, the origin of a request
mod cookie;
mod forgery;
mod token;

// The store contract, and the store that is chosen at run time
pub mod store;

// What happens in the store, and which cookie goes out, as one pure function
mod decide;
pub mod error;
mod sync;

// For tests of services; stores have `store::conformance`
#[cfg(feature = "test-support")]
pub mod testing;

// The manual
pub mod guide;

/// Protection against cross-site request forgery: a layer that refuses requests from other sites. [`Csrf`](crate::Csrf) has
/// tokens for pages. The [chapter](crate::guide::csrf) has the table, and says what is not covered.
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

// So that the derive's code can be tested from inside.
#[cfg(test)]
extern crate self as http_session;

/// What the derive's code calls. Not part of the interface.
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

/// The README's examples compile.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
