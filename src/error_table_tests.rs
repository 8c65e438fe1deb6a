//! The meaning of every error in the words of every door, from the doors' own functions:
//! `tests/golden/errors.txt`. `UPDATE_GOLDEN=1` writes it anew.

use crate::codec::pop3::reply::write_err;
use crate::model::error::Error;
use crate::pop3;

/// One error of each meaning. The match has no wildcard: a new meaning does not compile until it is
/// here.
fn every_meaning() -> Vec<(&'static str, Error)> {
    let all = [
        Error::NotFound { what: "mailbox" },
        Error::NotFound { what: "user" },
        Error::AlreadyExists { what: "mailbox" },
        Error::invalid("mailbox", "no"),
        Error::Unauthenticated,
        Error::Forbidden { reason: "no" },
        Error::OverQuota,
        Error::TooLarge { octets_max: 1 },
        Error::LimitReached { limit: "1 mailbox".into() },
        Error::Throttled { retry_after_s: 1 },
        Error::Conflict { reason: "no" },
        Error::Unavailable { reason: "away", source: None },
        Error::Internal { reason: "bug", source: None },
    ];
    let name = |error: &Error| match error {
        Error::NotFound { what: "user" } => "NotFound user",
        Error::NotFound { .. } => "NotFound mailbox",
        Error::AlreadyExists { .. } => "AlreadyExists",
        Error::Invalid { .. } => "Invalid",
        Error::Unauthenticated => "Unauthenticated",
        Error::Forbidden { .. } => "Forbidden",
        Error::OverQuota => "OverQuota",
        Error::TooLarge { .. } => "TooLarge",
        Error::LimitReached { .. } => "LimitReached",
        Error::Throttled { .. } => "Throttled",
        Error::Conflict { .. } => "Conflict",
        Error::Unavailable { .. } => "Unavailable",
        Error::Internal { .. } => "Internal",
    };
    all.into_iter().map(|error| (name(&error), error)).collect()
}

fn imap_words(reply: &crate::imap::Reply) -> String {
    let code = reply.code.as_ref().map_or(String::new(), |code| format!(" [{}]", code.name()));
    format!("{:?}{code}", reply.status).replace("No ", "NO ")
}

fn smtp_words(error: &Error) -> String {
    let reply = crate::smtp::reply_line::reply_to_error(error);
    let mut line = Vec::new();
    reply.write(&mut line);
    let line = String::from_utf8(line).unwrap();
    line.split(' ').take(2).collect::<Vec<_>>().join(" ")
}

fn pop3_words(error: &Error) -> String {
    let pop3::Reply::Refused(code, _) = pop3::reply_of(error) else { panic!("an error is -ERR") };
    let mut line = Vec::new();
    write_err(code, "", &mut line);
    String::from_utf8(line).unwrap().trim_end().to_owned()
}

fn http_words(error: Error) -> String {
    let problem = crate::api::problem::Problem::from(error);
    let code = problem.body.get("code").and_then(|code| code.as_str()).unwrap_or("-").to_owned();
    format!("{} {code}", problem.status.as_u16())
}

#[test]
fn every_meaning_has_its_words_in_every_door() {
    let heads = ["Meaning", "IMAP", "IMAP, target", "SMTP, LMTP", "POP3", "HTTP"].map(String::from);
    let mut rows = vec![heads.to_vec()];
    for (name, error) in every_meaning() {
        rows.push(vec![
            name.to_owned(),
            imap_words(&crate::imap::reply_of(&error)),
            imap_words(&crate::imap::reply_of_target(&error)),
            smtp_words(&error),
            pop3_words(&error),
            http_words(error),
        ]);
    }
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..heads.len()).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells: Vec<String> =
            row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        cells.join("  ").trim_end().to_owned() + "\n"
    };
    let table: String = rows.iter().map(line).collect();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/errors.txt");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(path, &table).unwrap();
    }
    let golden = std::fs::read_to_string(path).unwrap_or_default();
    assert_eq!(golden, table, "tests/golden/errors.txt: UPDATE_GOLDEN=1 writes it");
}
