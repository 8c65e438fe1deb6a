//! SMTP and LMTP as bytes: commands, paths, parameters, replies, dot transparency (RFC 5321, RFC
//! 2033).

pub mod client_command;
pub mod command;
pub mod data;
pub mod enhanced_status;
pub mod extensions;
pub mod framing;
pub mod parameters;
pub mod path;
pub mod reply;
pub mod server_reply;
