//! Fuzz targets: plain functions over octets, any engine can call them. Here a small one does: it
//! mutates the seeds for `$EIDER_FUZZ_SECONDS` a target (default 2).
//!
//! A finding prints the target, the seed of the run and the input; the same seed and seconds find
//! it again. `scripts/fuzz` runs longer.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that fails panics")]
#![expect(clippy::disallowed_methods, reason = "tests read the environment and the time")]

mod engine;
mod imap;
mod imap_writer;
mod mail;
mod seeds;

use engine::run;

#[test]
fn imap_framing() {
    run("imap_framing", &seeds::imap(), imap::framing);
}

#[test]
fn imap_commands() {
    run("imap_commands", &seeds::imap(), imap::commands);
}

#[test]
fn imap_seeds_are_commands() {
    let (read, written) = imap::reach(&seeds::imap());
    assert!(read.len() >= 30 && written.len() >= 20, "{read:?} {written:?}");
}

#[test]
fn imap_names_and_urls() {
    run("imap_names_and_urls", &seeds::folder("url"), imap::names_and_urls);
}

#[test]
fn smtp_commands() {
    run("smtp_commands", &seeds::folder("smtp"), mail::smtp_commands);
}

#[test]
fn sasl_messages() {
    run("sasl_messages", &seeds::folder("sasl"), mail::sasl_messages);
}

#[test]
fn pop3_commands() {
    run("pop3_commands", &seeds::folder("pop3"), mail::pop3_commands);
}

#[test]
fn smtp_data() {
    run("smtp_data", &seeds::folder("data"), mail::smtp_data);
}

#[test]
fn mime_structure() {
    run("mime_structure", &seeds::mime(), mail::mime_structure);
}
