//! ARC (RFC 8617): forwarded mail keeps what we found out about its sender when it came. The set is
//! sealed with a key of the domain that forwards, over the message as it leaves.
//!
//! The chain is verified again, since the seal depends on it. A chain that failed already is not
//! sealed any more (§5.1.2 leaves it to the last one who said so), and one that cannot be verified
//! for now is not either: the mail goes without.

use super::sign::{Key, usable};
use super::{Context, sign};
use crate::codec::mime::header;
use crate::model::error::Result;
use crate::model::queue::Entry;
use mail_auth::arc::ArcSealer;
use mail_auth::common::crypto::{HashAlgorithm, HashContext, HashImpl, Sha256};
use mail_auth::common::headers::HeaderWriter as _;
use mail_auth::dkim::Canonicalization;
use mail_auth::dkim::canonicalize::BodyHasher;
use mail_auth::{AuthenticatedMessage, AuthenticationResults, DkimResult};
use std::time::Duration;

/// Fields that are signed (RFC 8617 §4.1.2: those of DKIM, and its signatures, but neither ARC's
/// own nor Authentication-Results).
const FIELDS: [&str; 17] = [
    "From",
    "Sender",
    "Reply-To",
    "Subject",
    "Date",
    "Message-ID",
    "To",
    "Cc",
    "MIME-Version",
    "Content-Type",
    "Content-Transfer-Encoding",
    "In-Reply-To",
    "References",
    "List-Id",
    "List-Unsubscribe",
    "Auto-Submitted",
    "DKIM-Signature",
];

/// Time for the questions about older seals.
const DEADLINE: Duration = Duration::from_secs(10);

type Hasher = BodyHasher<<Sha256 as HashImpl>::Context>;

/// The hashes of a body that seals may have.
pub struct BodyHashers {
    relaxed: Hasher,
    simple: Hasher,
}

impl Default for BodyHashers {
    fn default() -> Self {
        let hasher = |how| BodyHasher::new(Sha256::hasher(), how, 0);
        let relaxed = hasher(Canonicalization::Relaxed);
        Self { relaxed, simple: hasher(Canonicalization::Simple) }
    }
}

impl BodyHashers {
    /// Adds a piece of the body.
    pub fn write(&mut self, piece: &[u8]) {
        self.relaxed.write(piece);
        self.simple.write(piece);
    }

    /// The hashes of all pieces.
    pub fn finish(self) -> BodyHashes {
        let hash = |hasher: Hasher| hasher.finish().0.complete().as_ref().to_vec();
        BodyHashes { relaxed: hash(self.relaxed), simple: hash(self.simple) }
    }
}

/// SHA-256 of a body in both forms (RFC 6376 §3.4).
#[derive(Clone, Debug)]
pub struct BodyHashes {
    relaxed: Vec<u8>,
    simple: Vec<u8>,
}

/// The key an entry's message is sealed with: one of the domain that forwards. RSA before Ed25519,
/// which fewer verifiers know.
///
/// # Errors
/// `Unavailable`.
pub async fn key(ctx: &Context, entry: &Entry) -> Result<Option<Key>> {
    let Some((_, domain)) = entry.forwarder.as_deref().and_then(|it| it.rsplit_once('@')) else {
        return Ok(None);
    };
    let Ok(domain) = idna::domain_to_ascii(domain) else { return Ok(None) };
    let mut keys = sign::keys_of(ctx, &domain).await?;
    keys.sort_by_key(|key| key.key.is_ed25519());
    Ok(keys.into_iter().next())
}

/// A message to be sealed.
#[derive(Clone, Copy, Debug)]
pub struct Unsealed<'a> {
    /// The lines that are ours.
    pub prefix: &'a [u8],
    /// The whole header.
    pub header: &'a [u8],
    /// Of its body.
    pub body: &'a BodyHashes,
}

/// The ARC set to be put in front of a message; empty: it goes without.
pub async fn set(ctx: &Context, key: &Key, message: Unsealed<'_>) -> String {
    let Unsealed { prefix, header, body } = message;
    let Some(signing) = usable(&key.key) else { return String::new() };
    // Strict: a body length in a signature (`l=`) lets anybody append (RFC 6376 §8.2)
    let parsed = AuthenticatedMessage::parse_with_opts(header, None, true);
    let Some(mut parsed) = parsed else { return String::new() };
    let sha_256 = |how, hash: &[u8]| (how, HashAlgorithm::Sha256, 0, hash.to_vec());
    for (how, algorithm, _, hash) in &mut parsed.body_hashes {
        *hash = match (how, algorithm) {
            (Canonicalization::Relaxed, HashAlgorithm::Sha256) => body.relaxed.clone(),
            (Canonicalization::Simple, HashAlgorithm::Sha256) => body.simple.clone(),
            // RFC 8301 §3.1: SHA-1 is nothing
            (_, HashAlgorithm::Sha1) => Vec::new(),
        };
    }
    parsed.body_hashes.push(sha_256(Canonicalization::Relaxed, &body.relaxed));
    let authenticator = ctx.resolver.authenticator();
    let verifying = Box::pin(authenticator.verify_arc(&parsed));
    let chain = match tokio::time::timeout(DEADLINE, verifying).await {
        Ok(chain) if !matches!(chain.result(), DkimResult::TempError(_)) => chain,
        _ => return told("the older seals cannot be verified for now"),
    };
    let results = results(prefix, &ctx.hostname);
    let results = AuthenticationResults::new(&results);
    let sealer = ArcSealer::from_key(signing)
        .domain(&key.domain)
        .selector(&key.key.selector)
        .headers(FIELDS)
        .header_canonicalization(Canonicalization::Relaxed)
        .body_canonicalization(Canonicalization::Relaxed);
    match sealer.seal(&parsed, &results, &chain) {
        Ok(set) => folded(&set.to_header()),
        Err(error) => told(&error.to_string()),
    }
}

fn told(reason: &str) -> String {
    tracing::info!(reason, "a forwarded message is not sealed");
    String::new()
}

/// What we found out when the message came (RFC 8601 §2.2), on one line; `none` if we did not ask.
fn results(prefix: &[u8], hostname: &str) -> String {
    let own = header::first(prefix, "authentication-results").map(header::unfold);
    let own = own.map(|value| String::from_utf8_lossy(&value).into_owned());
    let words = |text: String| text.split_ascii_whitespace().collect::<Vec<_>>().join(" ");
    let own = own.map(words).filter(|value| {
        let id = value.split([';', ' ']).next().unwrap_or_default();
        id.eq_ignore_ascii_case(hostname)
    });
    own.unwrap_or_else(|| format!("{hostname}; none"))
}

/// Breaks the last field, whose value came on one line, where relaxed canonicalization does not see
/// it (RFC 6376 §3.4.2).
fn folded(set: &str) -> String {
    let Some(start) = set.find("ARC-Authentication-Results:") else { return set.to_owned() };
    let (before, last) = set.split_at(start);
    format!("{before}{}", last.replace("; ", ";\r\n\t"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_results_are_kept() {
        let of = |header: &str| results(header.as_bytes(), "me.example");
        let folded = "Received: x\r\nAuthentication-Results: me.example;\r\n\tspf=pass x=y;\r\n\t\
            dkim=none\r\nAuthentication-Results: me.example; spf=fail\r\n";
        assert_eq!(of(folded), "me.example; spf=pass x=y; dkim=none");
        assert_eq!(of("Authentication-Results: other.example; spf=pass\r\n"), "me.example; none");
        assert_eq!(of("Authentication-Results: me.example.evil; a=b\r\n"), "me.example; none");
        assert_eq!(of("Subject: x\r\n"), "me.example; none");
    }
}
