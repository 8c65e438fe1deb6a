//! Sockets without knowing a protocol.

pub mod deflate;
pub mod listener;
pub mod network;
pub mod stream;
pub mod tls;
