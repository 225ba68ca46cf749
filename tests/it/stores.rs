//! The stores, on the real thing.

mod basic;
