//! Rspamd, ClamAV and milters: the real programs where Debian has them, and a milter that says what
//! a test tells it.

use std::sync::LazyLock;

use eider::screening::settings::{
    Away, ClamavSettings, GreylistSettings, MilterSettings, RspamdSettings, Settings,
};
use eider::screening::verdict::Verdict;
use eider::screening::visit::Screened;

use crate::support::checks::{Checks, checks, is_marked, refusal};
use crate::support::dns::DnsServer;
use crate::support::filters::{FakeMilter, clamd, eicar, opendkim, rspamd};

/// Everything that is not about filters is off.
static QUIET: LazyLock<Settings> =
    LazyLock::new(|| Settings { authenticate: false, ..Settings::default() });

async fn bring(checks: &Checks, subject: &str) -> Screened {
    let content = format!("From: a@b.example\nSubject: {subject}\n\nx\n");
    checks.message("192.0.2.1", "h.example", "a@b.example", &content).await
}

fn lines(screened: &Screened) -> String {
    String::from_utf8(screened.lines.clone()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rspamd_judges_and_is_told_who_comes() {
    let (dns, daemon) = (DnsServer::start("").await, rspamd().await);
    let url = format!("http://{}", daemon.address);
    let rspamd = RspamdSettings { url, ..RspamdSettings::default() };
    let checks = checks(&dns, Settings { rspamd: rspamd.clone(), ..QUIET.clone() }).await;
    let fine = bring(&checks, "fine").await;
    assert_eq!(fine.verdict, Verdict::Pass);
    let told = lines(&fine);
    assert!(told.contains("X-Rspamd-Action: no action\r\n"), "{told}");
    assert!(told.contains("TOLD_ALL"), "{told}");
    let ugly = bring(&checks, "ugly").await;
    let told = lines(&ugly);
    assert!(told.contains("X-Rspamd-Action: add header\r\nX-Rspamd-Score: 7.10 / 15.00"), "{told}");
    assert!(told.contains("UGLY"), "{told}");
    let suspicious = bring(&checks, "suspicious").await;
    assert_eq!(suspicious.verdict, Verdict::Pass);
    assert!(lines(&suspicious).contains("X-Rspamd-Action: greylist"), "{suspicious:?}");
    let refused = refusal(bring(&checks, "awful").await.verdict);
    assert_eq!((refused.code, refused.enhanced), (550, (5, 7, 1)));

    let marking = Settings {
        rspamd: RspamdSettings { reject: false, ..rspamd },
        greylist: GreylistSettings { suspects: true, ..GreylistSettings::default() },
        ..QUIET.clone()
    };
    let marking = crate::support::checks::checks(&dns, marking).await;
    let awful = bring(&marking, "awful").await;
    assert_eq!(awful.verdict, Verdict::Pass);
    assert!(lines(&awful).contains("X-Rspamd-Action: reject"), "{awful:?}");
    assert_eq!(refusal(bring(&marking, "suspicious").await.verdict).code, 451);
    marking.clock.advance_ms(301_000);
    assert_eq!(bring(&marking, "suspicious").await.verdict, Verdict::Pass);
    for checks in [checks, marking] {
        checks.storage.drop_database().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clamd_finds_a_virus_and_what_it_cannot_scan_is_put_off() {
    let (dns, daemon) = (DnsServer::start("").await, clamd().await);
    let address = daemon.address.to_string();
    let clamav = ClamavSettings { address, ..ClamavSettings::default() };
    let checks = checks(&dns, Settings { clamav: clamav.clone(), ..QUIET.clone() }).await;
    assert_eq!(bring(&checks, "fine").await.verdict, Verdict::Pass);
    let virus = refusal(bring(&checks, &format!("x\n\n{}", eicar())).await.verdict);
    assert_eq!((virus.code, virus.enhanced), (550, (5, 7, 1)));
    assert!(virus.text.contains("Eider.Test.Signature"), "{virus:?}");
    // Beyond its StreamMaxLength
    let large =
        refusal(bring(&checks, &format!("x\n\n{}", "large\n".repeat(200_000))).await.verdict);
    assert_eq!((large.code, large.enhanced), (451, (4, 3, 0)));
    checks.storage.drop_database().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn filters_that_are_away_pass_or_put_off_as_they_are_set() {
    let dns = DnsServer::start("").await;
    // Nobody is there: port 9 of loopback
    let nobody = "127.0.0.1:9";
    let with = |away| Settings {
        rspamd: RspamdSettings {
            url: format!("http://{nobody}"),
            away,
            ..RspamdSettings::default()
        },
        clamav: ClamavSettings { address: nobody.to_owned(), away, ..ClamavSettings::default() },
        milters: vec![MilterSettings { address: nobody.to_owned(), timeout_ms: 1000, away }],
        ..QUIET.clone()
    };
    let passing = checks(&dns, with(Away::Pass)).await;
    let screened = bring(&passing, "x").await;
    assert_eq!((screened.verdict, screened.lines), (Verdict::Pass, Vec::new()));
    let failing = checks(&dns, with(Away::Tempfail)).await;
    let refused = refusal(failing.rcpt("192.0.2.1", "h.example", "").await);
    assert_eq!((refused.code, refused.enhanced), (451, (4, 3, 0)), "the milter's, at RCPT");
    let settings = Settings { milters: Vec::new(), ..with(Away::Tempfail) };
    let scanning = checks(&dns, settings).await;
    assert_eq!(refusal(bring(&scanning, "x").await.verdict).code, 451);
    for checks in [passing, failing, scanning] {
        checks.storage.drop_database().await.unwrap();
    }
}

async fn with_milter(dns: &DnsServer, address: std::net::SocketAddr) -> Checks {
    let milter =
        MilterSettings { address: address.to_string(), timeout_ms: 20_000, away: Away::Tempfail };
    checks(dns, Settings { milters: vec![milter], ..QUIET.clone() }).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn opendkim_verifies_what_we_tell_it() {
    let vector = include_str!("vectors/dkim-rfc8463.txt");
    let (records, message) = vector.split_once("\n\n").unwrap();
    let (dns, daemon) = (DnsServer::start("").await, opendkim(&format!("{records}\n")).await);
    let checks = with_milter(&dns, daemon.address).await;
    for _ in 0..2 {
        let screened =
            checks.message("192.0.2.1", "h.example", "joe@football.example.com", message).await;
        assert_eq!(screened.verdict, Verdict::Pass);
        let told = lines(&screened);
        assert!(told.starts_with("Authentication-Results: filter.example"), "{told}");
        assert!(told.contains("dkim=pass") && told.contains("football.example.com"), "{told}");
    }
    let changed = message.replace("hungry", "angry");
    let refused = checks.message("192.0.2.1", "h.example", "joe@b.example", &changed).await;
    assert_eq!(refusal(refused.verdict).code, 550);
    checks.storage.drop_database().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_milter_hears_everything_in_order_and_changes_the_header() {
    let dns = DnsServer::start("").await;
    let milter = FakeMilter::start(&[(
        b'E',
        &[
            b"p",
            b"hX-Added\0one\n\ttwo\0",
            b"i\0\0\0\x01X-Inserted\0yes\0",
            b"m\0\0\0\x01Subject\0changed\0",
            b"m\0\0\0\x02X-Twice\0\0",
            b"qsmells\0",
            b"a",
        ],
    )])
    .await;
    let checks = with_milter(&dns, milter.address).await;
    let content = "From: a@b.example\nSubject: as\n it was\nX-Twice: 1\nX-Twice: 2\n\nx\n";
    let screened = checks.message("192.0.2.1", "h.example", "a@b.example", content).await;
    assert_eq!(screened.verdict, Verdict::Pass);
    let expected = "From: a@b.example\r\nsubject: changed\r\nX-Twice: 1\r\n\r\nx\r\n";
    assert_eq!(screened.content, expected);
    let told = lines(&screened);
    assert!(told.starts_with("X-Added: one\r\n\ttwo\r\nX-Inserted: yes\r\n"), "{told}");
    assert!(is_marked(&screened), "{told}");
    assert_eq!(milter.commands(), "ODCHDMDRTLLLLNBE");
    let heard = milter.heard.lock().unwrap().clone();
    let of = |command: u8| heard.iter().find(|(c, _)| *c == command).unwrap().1.clone();
    assert_eq!(of(b'C'), b"[192.0.2.1]\x004\0\x00192.0.2.1\0");
    assert_eq!(of(b'H'), b"h.example\0");
    assert_eq!(of(b'M'), b"<a@b.example>\0");
    assert_eq!(of(b'R'), b"<anna@here.example>\0");
    assert_eq!(of(b'B'), b"x\r\n");
    assert!(heard.contains(&(b'L', b"Subject\0as\n it was\0".to_vec())), "{heard:?}");
    checks.storage.drop_database().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn milters_refuse_put_off_and_drop_at_every_step() {
    let dns = DnsServer::start("").await;
    // At which command, with what; then the code at RCPT
    let early: &[(u8, &[u8], u16)] = &[
        (b'C', b"r", 550),
        (b'H', b"t", 451),
        (b'M', b"y554 5.7.9 not you\0", 554),
        (b'R', b"r", 550),
        (b'R', b"4", 421),
        (b'H', b"y250 2.0.0 fine\0", 550),
        (b'M', b"x\xff", 0),
        (b'R', b"h", 451),
    ];
    for (command, answer, code) in early {
        let milter = FakeMilter::start(&[(*command, &[answer])]).await;
        let checks = with_milter(&dns, milter.address).await;
        let verdict = checks.rcpt("192.0.2.1", "h.example", "a@b.example").await;
        match code {
            0 => assert_eq!(verdict, Verdict::Pass),
            code => assert_eq!(refusal(verdict).code, *code, "{command} {answer:?}"),
        }
        checks.storage.drop_database().await.unwrap();
    }
    let late: &[(u8, &[u8], u16)] = &[
        (b'L', b"r", 550),
        (b'N', b"t", 451),
        (b'B', b"y550 5.6.0 ugly\0", 550),
        (b'E', b"r", 550),
        (b'E', b"d", 250),
        (b'E', b"c", 0),
        (b'B', b"s", 0),
    ];
    for (command, answer, code) in late {
        let milter = FakeMilter::start(&[(*command, &[answer])]).await;
        let checks = with_milter(&dns, milter.address).await;
        let screened = bring(&checks, "x").await;
        match code {
            0 | 250 => assert_eq!(screened.verdict, Verdict::Pass),
            code => assert_eq!(refusal(screened.verdict).code, *code, "{command} {answer:?}"),
        }
        assert_eq!(screened.is_discarded, *code == 250);
        checks.storage.drop_database().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_milter_that_breaks_off_or_speaks_something_else_is_away() {
    let dns = DnsServer::start("").await;
    for script in [&[(b'O', &[] as &[&[u8]])], &[(b'O', &[b"c".as_slice()] as &[&[u8]])]] {
        let milter = FakeMilter::start(script).await;
        let checks = with_milter(&dns, milter.address).await;
        let refused = refusal(checks.rcpt("192.0.2.1", "h.example", "").await);
        assert_eq!((refused.code, refused.enhanced), (451, (4, 3, 0)));
        checks.storage.drop_database().await.unwrap();
    }
    let milter = FakeMilter::start(&[(b'N', &[])]).await;
    let checks = with_milter(&dns, milter.address).await;
    assert_eq!(refusal(bring(&checks, "x").await.verdict).code, 451);
    checks.storage.drop_database().await.unwrap();
    // It leaves out all but the end: it is told nothing else
    let all = [b"O\0\0\0\x06\0\0\0\x31", &0x0000_027f_u32.to_be_bytes()[..]].concat();
    let milter = FakeMilter::start(&[(b'O', &[&all])]).await;
    let checks = with_milter(&dns, milter.address).await;
    assert_eq!(bring(&checks, "x").await.verdict, Verdict::Pass);
    assert_eq!(milter.commands(), "OE");
    checks.storage.drop_database().await.unwrap();
}
