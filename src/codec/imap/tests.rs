//! Known answers for commands and responses, and the judgement of the foreign `imap-codec`.

use super::append::{Append, AppendData, AppendMessage, CatPart, Literal};
use super::command::{Command, Tagged, parse};
use super::command_table::States;
use super::date_time::parse_date;
use super::error::ErrorKind;
use super::fetch::{BodySection, FetchItem};
use super::search::SearchKey;
use super::select::SelectParams;
use super::sequence_set::SequenceSet;
use crate::codec::mime::section::{Section, SectionText};
use crate::model::flag::{Flag, FlagChange};
use bytes::Bytes;
use imap_codec::CommandCodec;
use imap_codec::decode::Decoder as _;

fn read(text: &str) -> Result<Command, ErrorKind> {
    let octets = Bytes::copy_from_slice(text.as_bytes());
    parse(&octets, false).map(|tagged| tagged.command).map_err(|error| error.kind)
}

fn good(text: &str) -> Command {
    read(text).unwrap_or_else(|kind| panic!("{text}: {kind}"))
}

/// Commands of the RFCs and of clients that exist.
const GOOD: [&str; 88] = [
    "a001 CAPABILITY",
    "a002 NOOP",
    "a LOGOUT",
    "a STARTTLS",
    "a CHECK",
    "a CLOSE",
    "a UNSELECT",
    "a EXPUNGE",
    "a IDLE",
    "a NAMESPACE",
    "a ID NIL",
    "a ID (\"name\" \"sodr\" \"version\" \"19.34\" \"vendor\" NIL)",
    "a ID ()",
    "a AUTHENTICATE PLAIN",
    "a AUTHENTICATE PLAIN AGEAYg==",
    "a LOGIN SMITH SESAME",
    "a LOGIN \"sm\\\"ith\" {6+}\r\nse sam",
    "a ENABLE CONDSTORE UTF8=ACCEPT",
    "a SELECT INBOX",
    "a SELECT \"INBOX\" (CONDSTORE)",
    "a EXAMINE blurdybloop",
    "a CREATE owatagusiam/",
    "a CREATE MySpecial (USE (\\Drafts \\Sent))",
    "a DELETE blurdybloop",
    "a RENAME blurdybloop sarasoop",
    "a SUBSCRIBE #news.comp.mail.mime",
    "a UNSUBSCRIBE #news.comp.mail.mime",
    "a LIST \"\" \"\"",
    "a LIST /usr/staff/jones \"\"",
    "a LIST ~/Mail/ %",
    "a LIST \"\" *",
    "a LIST (SUBSCRIBED) \"\" \"*\"",
    "a LIST () \"\" (\"INBOX\" \"Drafts\" \"Sent/%\")",
    "a LIST (SUBSCRIBED REMOTE RECURSIVEMATCH) \"\" \"*\"",
    "a LIST \"\" % RETURN (CHILDREN)",
    "a LIST \"\" % RETURN (STATUS (MESSAGES UNSEEN) SPECIAL-USE SUBSCRIBED)",
    "a LSUB \"#news.\" \"comp.mail.*\"",
    "a STATUS blurdybloop (UIDNEXT MESSAGES)",
    "a STATUS \"INBOX\" (MESSAGES RECENT UIDNEXT UIDVALIDITY UNSEEN HIGHESTMODSEQ)",
    "a APPEND saved-messages (\\Seen) {3+}\r\nabc",
    "a APPEND x (\\Seen $Junk) \"17-Jul-1996 02:44:25 -0700\" {0+}\r\n",
    "a APPEND x \" 7-Jul-1996 02:44:25 -0700\" ~{2+}\r\n\0\n",
    "a APPEND x {1+}\r\nm (\\Seen) {1+}\r\nb ~{0+}\r\n",
    "a APPEND x CATENATE (TEXT {1+}\r\nm URL /INBOX;UID=1 UTF8 (~{1+}\r\nb))",
    "a REPLACE * x {1+}\r\nm",
    "a UID REPLACE 5 x (\\Draft) \" 7-Jul-1996 02:44:25 -0700\" CATENATE (URL \"/x;UID=2\")",
    "a GENURLAUTH \"imap://joe@host/INBOX;UID=2;URLAUTH=anonymous\" INTERNAL",
    "a URLFETCH x \"y z\"",
    "a RESETKEY",
    "a RESETKEY INBOX INTERNAL",
    "a FETCH 1 (PREVIEW (LAZY) X-GM-MSGID X-GM-THRID X-GM-LABELS PREVIEW)",
    "a STORE 1 +X-GM-LABELS (\\Starred work home)",
    "a COPY 2:4 MEETING",
    "a MOVE 1 x",
    "a UID COPY 1:*,4 \"a b\"",
    "a UID MOVE 42:69 foo",
    "a UID EXPUNGE 3000:3002",
    "a FETCH 2:4 (FLAGS BODY[HEADER.FIELDS (DATE FROM)])",
    "a FETCH 1 ALL",
    "a FETCH 1:* FAST",
    "a FETCH * FULL",
    "a FETCH 1 BODY[]",
    "a FETCH 1 (BODY.PEEK[1.2.HEADER.FIELDS.NOT (\"X\" Y)]<0.20> UID)",
    "a FETCH 1 (BODY[4.1.MIME] BODY[TEXT]<10.1> BODY.PEEK[HEADER] RFC822.SIZE)",
    "a FETCH 1 (RFC822 RFC822.HEADER RFC822.TEXT ENVELOPE INTERNALDATE BODYSTRUCTURE BODY)",
    "a UID FETCH 1:* (FLAGS) (CHANGEDSINCE 12345)",
    "a UID FETCH 1:* (FLAGS MODSEQ) (CHANGEDSINCE 12345 VANISHED)",
    "a STORE 2:4 +FLAGS (\\Deleted)",
    "a STORE 1 -FLAGS.SILENT (\\Seen work)",
    "a UID STORE 1 FLAGS ()",
    "a STORE 1 FLAGS \\Seen \\Flagged kw",
    "a STORE 7,5,9 (UNCHANGEDSINCE 320162338) +FLAGS.SILENT (\\Deleted)",
    "a SEARCH FLAGGED SINCE 1-Feb-1994 NOT FROM \"Smith\"",
    "a SEARCH TEXT \"string not in mailbox\"",
    "a SEARCH CHARSET UTF-8 TEXT {6+}\r\n\u{442}\u{435}\u{441}",
    "a SEARCH RETURN (MIN COUNT) FLAGGED",
    "a SEARCH RETURN () OR SEEN (DRAFT 1:3)",
    "a SEARCH RETURN (SAVE) ALL",
    "a UID SEARCH UID 1:*,7 UNDELETED",
    "a UID SEARCH MODSEQ \"/flags/\\\\draft\" all 620162338",
    "a SEARCH MODSEQ 1 OLDER 86400 YOUNGER 1",
    "a SEARCH OR OR TO a CC b OR BCC c SUBJECT d",
    "a SEARCH HEADER Message-ID <x@y> BODY z LARGER 1 SMALLER 99999999999",
    "a SEARCH KEYWORD $Junk UNKEYWORD b NEW OLD RECENT UNSEEN",
    "a SEARCH BEFORE 01-Jan-2020 ON \"1-Jan-2020\" SENTBEFORE 1-jan-2020 SENTON 1-Jan-2020",
    "a SEARCH SENTSINCE 1-Jan-2020 (ALL) ANSWERED DELETED UNANSWERED UNDRAFT UNFLAGGED",
    "a SEARCH EMAILID m1 THREADID t1 $",
    "a UID SEARCH SAVEDSINCE 1-Jan-2020 SAVEDBEFORE 1-Jan-2021 SAVEDON 1-Jan-2020",
];

#[test]
fn good_commands_are_read() {
    for text in GOOD {
        good(text);
        assert!(
            matches!(good(&format!("{text}  ")).rule().name, name if !name.is_empty()),
            "{text}"
        );
        good(&text.replace("a ", "A1.] "));
    }
}

/// Commands with a tag that are none.
const BAD: &[&str] = &[
    "a",
    "a ",
    "a  NOOP",
    "a FOO",
    "a NOOP x",
    "a LOGIN x",
    "a LOGIN x y z",
    "a SELECT",
    "a SELECT *",
    "a SELECT x (FOO)",
    "a STATUS x ()",
    "a STATUS x (FOO)",
    "a FETCH 0 ALL",
    "a FETCH 1 ()",
    "a FETCH 1 (ALL)",
    "a FETCH 1 BODY[MIME]",
    "a FETCH 1 BODY[0]",
    "a FETCH 1 BODY[1.]",
    "a FETCH 1 BODY[HEADER.FIELDS ()]",
    "a FETCH 1 BODY[]<0.0>",
    "a FETCH 1 ENVELOPE[]",
    "a FETCH 1 FLAGS (VANISHED)",
    "a UID FETCH 1 FLAGS (VANISHED)",
    "a STORE 1 FLAG (x)",
    "a STORE 1 +FLAGS (\\Foo)",
    "a STORE 1 +FLAGS",
    "a COPY 1",
    "a UID NOOP",
    "a UID",
    "a SEARCH",
    "a SEARCH ()",
    "a SEARCH FOO",
    "a SEARCH OR ALL",
    "a SEARCH NOT",
    "a SEARCH ON 30-Feb-2020",
    "a SEARCH RETURN (FOO) ALL",
    "a SEARCH CHARSET KOI9 ALL",
    "a LIST \"\"",
    "a LIST (RECURSIVEMATCH) \"\" *",
    "a LIST \"\" * RETURN (FOO)",
    "a AUTHENTICATE PLAIN *",
    "a AUTHENTICATE PLAIN a",
    "a APPEND x \"message\"",
    "a APPEND x",
    "a APPEND x (\\Seen)",
    "a APPEND x {1+}\r\na {1+}\r\nb junk",
    "a APPEND x {1+}\r\nab",
    "a APPEND x CATENATE ()",
    "a APPEND x CATENATE (FOO {1+}\r\na)",
    "a APPEND x CATENATE (TEXT a)",
    "a REPLACE 0 x {1+}\r\na",
    "a REPLACE 1:2 x {1+}\r\na",
    "a REPLACE 1 x {1+}\r\na {1+}\r\nb",
    "a FETCH 1 PREVIEW (EAGER)",
    "a GENURLAUTH x",
    "a URLFETCH",
    "a CREATE x (USE \\Sent)",
    "a CREATE &x",
    "a ID (\"a\")",
];

#[test]
fn bad_commands_keep_their_tag() {
    for text in BAD {
        let error = parse(&Bytes::from_static(text.as_bytes()), false).unwrap_err();
        assert_eq!(error.tag.as_deref(), Some("a"), "{text}");
        assert!(error.position <= text.len() && !error.to_string().is_empty());
    }
    assert_eq!(read("a SEARCH CHARSET KOI9 ALL"), Err(ErrorKind::Charset));
    assert_eq!(read("a CREATE &x"), Err(ErrorKind::MailboxName));
    assert_eq!(read("a FOO"), Err(ErrorKind::UnknownCommand));
    assert_eq!(read("  "), Err(ErrorKind::Empty));
    for text in ["+ NOOP", "\"a\" NOOP", "", "é NOOP"] {
        assert_eq!(parse(&Bytes::from_static(text.as_bytes()), false).unwrap_err().tag, None);
    }
}

#[test]
fn details_of_commands() {
    let Command::Append(Append { mailbox, messages }) =
        good("a APPEND &AOk- (\\recent \\Seen) \"17-Jul-1996 02:44:25 -0700\" {3}\r\na\0b")
    else {
        panic!("no APPEND");
    };
    let [AppendMessage { flags, date, data }] = messages.as_slice() else { panic!("not one") };
    let text = |octets| Literal { octets: Bytes::from_static(octets), utf8: false };
    assert_eq!((mailbox.as_str(), *date), ("é", Some(837_596_665_000)));
    assert!(flags.has(Flag::Seen) && flags.keywords().is_empty());
    assert_eq!(*data, AppendData::Literal(text(b"a\0b")));
    let Command::Append(append) = good("a APPEND x UTF8 (~{1+}\r\nx)") else { panic!("none") };
    assert!(append.messages[0].is_utf8());
    // RFC 3502, RFC 4469
    let Command::Append(append) = good(
        "a APPEND x (\\Seen) {1+}\r\na \" 1-Jan-2020 00:00:00 +0000\" ~{1+}\r\nb \
         CATENATE (URL \"/INBOX;UID=1\" TEXT {2+}\r\ncd)",
    ) else {
        panic!("no APPEND");
    };
    let [first, second, third] = append.messages.as_slice() else { panic!("not three") };
    assert!(first.flags.has(Flag::Seen) && second.date == Some(1_577_836_800_000));
    let parts = vec![CatPart::Url("/INBOX;UID=1".into()), CatPart::Text(text(b"cd"))];
    assert_eq!(third.data, AppendData::Catenate(parts));
    // RFC 8508
    let Command::Replace(replace) = good("a UID REPLACE 7 Drafts (\\Draft) {1+}\r\nx") else {
        panic!("no REPLACE");
    };
    assert_eq!((replace.uid, replace.number, replace.mailbox.as_str()), (true, Some(7), "Drafts"));

    let Command::Fetch(fetch) = good("a UID FETCH 3 (FLAGS BODY.PEEK[1.2.TEXT]<5.6> FLAGS)") else {
        panic!("no FETCH");
    };
    let section = Section { path: vec![1, 2], text: SectionText::Text };
    let wanted = FetchItem::Section(BodySection { section, partial: Some((5, 6)), peek: true });
    assert_eq!(fetch.items, [FetchItem::Flags, wanted]);
    assert!(fetch.uid && fetch.items.iter().all(|item| !item.sets_seen()));

    let Command::Store(store) = good("a STORE 1:* (UNCHANGEDSINCE 5) -FLAGS.SILENT (\\SEEN a)")
    else {
        panic!("no STORE");
    };
    assert!(store.silent && store.unchanged_since == Some(5));
    assert!(
        matches!(&store.change, FlagChange::Remove(f) if f.has(Flag::Seen) && f.has_keyword("A"))
    );

    let initial = |text| match good(text) {
        Command::Authenticate { mechanism, initial } if mechanism == "PLAIN" => initial,
        other => panic!("{other:?}"),
    };
    assert_eq!(initial("a authenticate plain AGEAYg=="), Some(b"\0a\0b".to_vec()));
    assert_eq!(
        (initial("a authenticate plain ="), initial("a authenticate plain")),
        (Some(vec![]), None)
    );
    let Tagged { tag, command } = parse(&Bytes::from_static(b"t1 select \"R&D\""), true).unwrap();
    assert_eq!(
        (tag.as_str(), command),
        ("t1", Command::Select { mailbox: "R&D".into(), params: SelectParams::default() })
    );
}

#[test]
fn search_trees() {
    let key = |text: &str| match good(&format!("a SEARCH {text}")) {
        Command::Search(search) => search.key,
        other => panic!("{other:?}"),
    };
    let header =
        |name: &str, text: &str| SearchKey::Header { name: name.into(), text: text.into() };
    assert_eq!(
        key("CHARSET ISO-8859-1 FROM {1+}\r\né".replace('é', "e").as_str()),
        header("from", "e")
    );
    assert_eq!(
        key("OR TO a OR (TO b) TO c"),
        SearchKey::Or(vec![header("to", "a"), header("to", "b"), header("to", "c")])
    );
    assert_eq!(
        key("NOT (SEEN SINCE 1-Feb-1994) 2"),
        SearchKey::And(vec![
            SearchKey::Not(Box::new(SearchKey::And(vec![
                SearchKey::Flag(Flag::Seen, true),
                SearchKey::Since(parse_date("1-Feb-1994").unwrap()),
            ]))),
            SearchKey::Sequence(SequenceSet::Ranges(vec![(
                super::sequence_set::SeqBound::Number(2),
                super::sequence_set::SeqBound::Number(2)
            )])),
        ])
    );
    assert!(key("OR 1 MODSEQ 5").uses_sequence_numbers() && key("OR 1 MODSEQ 5").uses_mod_seq());
    let latin = [&b"a SEARCH CHARSET ISO-8859-1 TEXT {1}\r\n\xe9"[..]].concat();
    let Command::Search(search) = parse(&latin.into(), false).unwrap().command else { panic!() };
    assert_eq!(search.key, SearchKey::Text("é".into()));
    let broken = Bytes::from_static(b"a SEARCH TEXT {1}\r\n\xe9");
    assert_eq!(parse(&broken, false).unwrap_err().kind, ErrorKind::Text);
    // chains are wide, not deep; true depth is bounded
    let chain = "OR TO a ".repeat(2000) + "TO b";
    assert!(matches!(key(&chain), SearchKey::Or(keys) if keys.len() == 2001));
    assert_eq!(read(&format!("a SEARCH {}ALL", "NOT ".repeat(20_000))), Err(ErrorKind::TooDeep));
    assert_eq!(read(&format!("a SEARCH {}", "(".repeat(20_000))), Err(ErrorKind::TooDeep));
    assert_eq!(read(&format!("a SEARCH {}", "OR ".repeat(20_000))), Err(ErrorKind::TooDeep));
}

#[test]
fn rules() {
    let rule = |text| good(text).rule();
    assert!(rule("a FETCH 1 ALL").uses_seqnums && !rule("a FETCH 1 ALL").breaks_seqnums);
    assert!(!rule("a UID FETCH 1 ALL").uses_seqnums && rule("a UID FETCH 1 ALL").breaks_seqnums);
    assert!(rule("a UID SEARCH NOT 1").uses_seqnums && !rule("a UID SEARCH UID 1").uses_seqnums);
    assert!(rule("a COPY 1 x").uses_seqnums && rule("a COPY 1 x").breaks_seqnums);
    assert!(rule("a NOOP").states.contains(States::NOT_AUTHENTICATED));
    assert!(!rule("a LOGIN a b").states.contains(States::SELECTED));
    assert!(!rule("a CLOSE").states.contains(States::AUTHENTICATED));
}

/// No octets make the reader panic, whatever they are cut to or changed into.
#[test]
fn broken_commands_do_no_harm() {
    let mut random = 1u32;
    let mut next = |bound: usize| {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        usize::try_from(random >> 8).unwrap() % bound
    };
    for text in GOOD {
        for end in 0..text.len() {
            let _ = parse(&Bytes::copy_from_slice(&text.as_bytes()[..end]), false);
        }
        for _ in 0..500 {
            let mut octets = text.as_bytes().to_vec();
            for _ in 0..=next(3) {
                let at = next(octets.len());
                octets[at] = b" (){}[]\"\\*%~+=09aA\r\n\0\xff<>.,:$-&"[next(30)];
            }
            let _ = parse(&octets.into(), next(2) == 0);
        }
    }
}

/// `imap-codec` agrees on what is a command, but for extensions that it does not know or has
/// switched off.
#[test]
fn foreign_parser_agrees() {
    let unknown_to_it = [
        " STARTTLS",
        " NAMESPACE",
        " ID ",
        "CONDSTORE)",
        "(USE ",
        " LIST (",
        " RETURN (",
        "HIGHESTMODSEQ",
        "~{",
        "UID EXPUNGE",
        "CHANGEDSINCE",
        "UNCHANGEDSINCE",
        "MODSEQ",
        "OLDER",
        "EMAILID",
        "CATENATE",
        "REPLACE",
        "URL",
        "RESETKEY",
        "PREVIEW",
        "X-GM-",
        "SAVED",
        // a 64-bit size (RFC 9051), which RFC 3501 did not have
        "99999999999",
    ];
    for text in GOOD {
        let octets = format!("{text}\r\n");
        let agrees = CommandCodec::default().decode(octets.as_bytes()).is_ok();
        assert!(agrees || unknown_to_it.iter().any(|part| text.contains(part)), "{text}");
    }
}
