//! Among other layers, on real sockets, and beyond the response.

mod background;
mod layers;
mod sockets;
