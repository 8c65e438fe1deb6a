//! Sockets without knowing a protocol.

pub mod listener;
pub mod stream;
pub mod tls;
