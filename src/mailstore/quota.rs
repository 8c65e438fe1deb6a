//! Octets a user may store (RFC 9208's STORAGE).
