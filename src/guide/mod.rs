//! The manual: the stages of one request, and the rules that always hold.
//!
//! | chapter | about |
//! |---|---|
//! | [1 cookie](_1_cookie) | how our cookie is found in a request |
//! | [2 token](_2_token) | what the cookie consists of, and who could forge it |
//! | [3 load](_3_load) | when a session is read, and what the store's answers mean |
//! | [4 handler](_4_handler) | working with `Session<T>` |
//! | [5 changes](_5_changes) | what counts as a change; identity; merge rules; other versions of your struct |
//! | [6 decide](_6_decide) | what happens to the store and the cookie, as one table |
//! | [7 commit](_7_commit) | one conditional write; what happens when something fails |
//! | [8 set_cookie](_8_set_cookie) | the cookie of the response; caches; lifetimes |
//! | [a user's sessions](users_sessions) | devices, "log out everywhere", step-up, "remember me" |
//! | [csrf] | requests from other sites' pages: the table, tokens, forms and scripts |
//! | [events] | events, spans and metrics for operators |
//! | [rules] | the rules that always hold; each has tests that carry its id |
//! | [testing] | testing your service: a browser, a manual clock, a store that fails |
//! | [stores] | which store to choose: what each store can do, and what it guarantees |
//! | [SQLite](http_session_sqlite), [Redis](http_session_redis), [PostgreSQL](http_session_postgres) | set-up, layout, guarantees and sizing |
//! | [store authors](store_authors) | writing a store of your own, and the suite that checks it |
//! | [from express](from_express) | express-session's options and the deliberate differences; tower-sessions |

#[doc = include_str!("1_cookie.md")]
pub mod _1_cookie {}

#[doc = include_str!("2_token.md")]
pub mod _2_token {}

#[doc = include_str!("3_load.md")]
pub mod _3_load {}

#[doc = include_str!("4_handler.md")]
pub mod _4_handler {}

#[doc = include_str!("5_changes.md")]
pub mod _5_changes {}

#[doc = include_str!("6_decide.md")]
pub mod _6_decide {}

#[doc = include_str!("7_commit.md")]
pub mod _7_commit {}

#[doc = include_str!("8_set_cookie.md")]
pub mod _8_set_cookie {}

#[doc = include_str!("users_sessions.md")]
pub mod users_sessions {}

#[doc = include_str!("csrf.md")]
pub mod csrf {}

#[doc = include_str!("events.md")]
pub mod events {}

#[doc = include_str!("rules.md")]
pub mod rules {}

#[doc = include_str!("testing.md")]
pub mod testing {}

#[doc = include_str!("stores.md")]
pub mod stores {}

#[doc = include_str!("store_authors.md")]
#[doc = "```"]
#[doc = include_str!("../../examples/bucket_store.rs")]
#[doc = "```"]
pub mod store_authors {}

#[doc = include_str!("from_express.md")]
pub mod from_express {}
