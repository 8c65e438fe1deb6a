//! Eider, a scalable mail store (map to be completed).

pub mod api;
pub mod auth;
pub mod clock;
pub mod cluster;
pub mod codec;
pub mod directory;
pub mod mailstore;
pub mod model;
pub mod net;
pub mod storage;
pub mod tasks;
pub mod spool;
pub mod smtp;
pub mod delivery;
