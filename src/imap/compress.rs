//! COMPRESS=DEFLATE (RFC 4978).

use super::reply::{Outcome, Reply};
use super::session::Session;
use crate::codec::imap::response_code::ResponseCode;

impl Session {
    /// COMPRESS: compression begins behind its reply.
    pub fn compress(&mut self, algorithm: &str) -> Outcome {
        if algorithm != "DEFLATE" {
            return Err(Reply::bad("Only DEFLATE is known").into());
        }
        if self.stream.is_compressed() {
            // RFC 4978 §3
            let text = "The connection is compressed already";
            return Err(Reply::no(ResponseCode::CompressionActive, text).into());
        }
        self.is_compress_due = true;
        Ok(Reply::ok("Compressing from now on"))
    }
}
