//! The stores, on the real thing.

mod basic;
mod postgres;
mod redis;
mod sqlite;
