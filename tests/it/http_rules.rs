//! R19 to R25: transport, caches, attributes, paths, development, secrets.

mod attributes;
mod gate;
mod secrets;
mod transport;
