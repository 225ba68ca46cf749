//! R19 to R25: transport, caching, cookie attributes, paths, the development preset, and secrets.

mod attributes;
mod gate;
mod secrets;
mod transport;
