//! The stores, on the real thing.

mod basic;
mod redis;
mod sqlite;
