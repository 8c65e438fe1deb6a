//! Black box over real sockets: stores started by `server::start`, the function `main` uses.

mod support;

mod api;
mod cluster;
mod corpus;
mod faults;
mod imap;
mod isolation;
mod journeys;
mod judges;
mod lmtp;
