//! Sockets without knowing a protocol.

pub mod client;
pub mod deflate;
pub mod dns;
pub mod http;
pub mod listener;
pub mod network;
pub mod proxy_protocol;
pub mod service;
pub mod signed;
pub mod stream;
pub mod tls;
pub mod tls_client;
