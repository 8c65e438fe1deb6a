//! Who is it.

pub mod authenticate;

/// Logins; cheap to clone.
#[derive(Clone, Debug)]
pub struct Authenticator {}
