//! The layer among other layers, on real sockets, and in work after the response.

mod background;
mod layers;
mod sockets;
