//! SPF, DKIM, ARC, DMARC and iprev against a DNS server of the tests' own: known vectors, and what
//! follows from the results.

use eider::screening::settings::{Rule, Settings};
use eider::screening::verdict::Verdict;
use eider::screening::visit::Screened;

use crate::support::checks::{Checks, HOST, anna, checks, field, is_marked, refusal};
use crate::support::dns::{DnsServer, Fault};

/// A vector: lines `name TXT-text`, an empty line, the message.
fn vector(text: &str) -> (String, String) {
    let (records, message) = text.split_once("\n\n").unwrap();
    let zone = records.lines().map(|line| {
        let (name, value) = line.split_once(' ').unwrap();
        let strings: Vec<String> = value
            .as_bytes()
            .chunks(200)
            .map(|chunk| format!("\"{}\"", String::from_utf8_lossy(chunk)))
            .collect();
        format!("{name}. 0 IN TXT {}\n", strings.join(" "))
    });
    (zone.collect(), message.to_owned())
}

/// A message from somewhere without a name.
async fn bring(checks: &Checks, content: &str) -> Screened {
    checks.message("192.0.2.1", "mail.other.example", "a@other.example", content).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signatures_of_rfc_8463_are_verified_and_a_changed_message_is_not() {
    let (zone, message) = vector(include_str!("vectors/dkim-rfc8463.txt"));
    let dns = DnsServer::start(&zone).await;
    let checks = checks(&dns, Settings::default()).await;
    let found = field(&bring(&checks, &message).await);
    let expected = " dkim=pass header.i=@football.example.com header.s=brisbane header.b=/gCrinpc;";
    assert!(found.contains(expected), "{found}");
    assert!(found.contains(" dkim=pass header.i=@football.example.com header.s=test"), "{found}");
    assert!(found.starts_with(&format!("Authentication-Results: {HOST}; iprev=")), "{found}");
    let changed = field(&bring(&checks, &message.replace("hungry", "angry")).await);
    assert!(!changed.contains("dkim=pass") && changed.contains("dkim=neutral"), "{changed}");
    dns.break_name("_domainkey.football.example.com", Fault::Fails);
    let unknown = field(&bring(&checks, &message).await);
    assert!(unknown.contains("dkim=temperror"), "{unknown}");
    checks.storage.drop_database().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn arc_chains_are_validated() {
    let (zone, message) = vector(include_str!("vectors/arc-two-hops.txt"));
    let dns = DnsServer::start(&zone).await;
    let checks = checks(&dns, Settings::default()).await;
    let found = field(&bring(&checks, &message).await);
    assert!(found.contains(" arc=pass smtp.remote-ip=192.0.2.1;"), "{found}");
    let broken = field(&bring(&checks, &message.replace("d=scamorza.org", "d=other.org")).await);
    assert!(!broken.contains("arc=pass") && broken.contains(" arc="), "{broken}");
    checks.storage.drop_database().await.unwrap();
}

/// RFC 7208 Appendix A.1: the records of its examples.
const RFC7208: &str = r#"
example.com. 0 IN MX 10 mail-a.example.com.
example.com. 0 IN MX 20 mail-b.example.com.
example.com. 0 IN A 192.0.2.10
example.com. 0 IN A 192.0.2.11
amy.example.com. 0 IN A 192.0.2.65
bob.example.com. 0 IN A 192.0.2.66
mail-a.example.com. 0 IN A 192.0.2.129
mail-b.example.com. 0 IN A 192.0.2.130
www.example.com. 0 IN CNAME example.com.
example.org. 0 IN MX 10 mail-c.example.org.
mail-c.example.org. 0 IN A 192.0.2.140
10.2.0.192.in-addr.arpa. 0 IN PTR example.com.
11.2.0.192.in-addr.arpa. 0 IN PTR example.com.
65.2.0.192.in-addr.arpa. 0 IN PTR amy.example.com.
66.2.0.192.in-addr.arpa. 0 IN PTR bob.example.com.
129.2.0.192.in-addr.arpa. 0 IN PTR mail-a.example.com.
130.2.0.192.in-addr.arpa. 0 IN PTR mail-b.example.com.
140.2.0.192.in-addr.arpa. 0 IN PTR mail-c.example.org.
4.0.0.10.in-addr.arpa. 0 IN PTR bob.example.com.
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn spf_says_what_the_examples_of_rfc_7208_say() {
    let dns = DnsServer::start(RFC7208).await;
    let checks = checks(&dns, Settings::default()).await;
    // Appendix A.1 to A.4: the record, who passes, and who fails
    let cases: &[(&str, &[&str], &[&str])] = &[
        ("v=spf1 +all", &["192.0.2.129", "1.2.3.4"], &[]),
        ("v=spf1 a -all", &["192.0.2.10", "192.0.2.11"], &["192.0.2.65", "192.0.2.129"]),
        ("v=spf1 a:example.org -all", &[], &["192.0.2.10", "192.0.2.140"]),
        ("v=spf1 mx -all", &["192.0.2.129", "192.0.2.130"], &["192.0.2.10", "192.0.2.140"]),
        ("v=spf1 mx:example.org -all", &["192.0.2.140"], &["192.0.2.129"]),
        ("v=spf1 mx mx:example.org -all", &["192.0.2.129", "192.0.2.140"], &["192.0.2.65"]),
        ("v=spf1 mx/30 mx:example.org/30 -all", &["192.0.2.131", "192.0.2.143"], &["192.0.2.132"]),
        // mail_auth 0.13 takes `ptr` for names below the domain only, not for the domain's own
        ("v=spf1 ptr -all", &["192.0.2.65", "192.0.2.129"], &["192.0.2.140", "10.0.0.4"]),
        ("v=spf1 ip4:192.0.2.128/28 -all", &["192.0.2.129", "192.0.2.140"], &["192.0.2.65"]),
        ("v=spf1 mx -all redirect=none.example", &["192.0.2.129"], &["192.0.2.1"]),
    ];
    for (record, passes, fails) in cases {
        dns.set(&format!("{RFC7208}example.com. 0 IN TXT \"{record}\"\n"));
        for (peers, expected) in [(passes, "spf=pass"), (fails, "spf=fail")] {
            for peer in *peers {
                let message = "From: a@b.example\n\n";
                let sender = "strong-bad@example.com";
                let found = field(&checks.message(peer, "h.example.org", sender, message).await);
                let mail = found.split("; ").find(|part| part.contains("smtp.mailfrom"));
                let mail = mail.unwrap_or_else(|| panic!("{found}"));
                assert!(mail.starts_with(expected), "{record}, {peer}: {mail}");
            }
        }
    }
    checks.storage.drop_database().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_not_send_is_refused_if_wished_and_the_null_path_is_the_greeting() {
    let dns = DnsServer::start(
        "b.example. 0 IN TXT \"v=spf1 ip4:192.0.2.1 -all\"\n\
         soft.example. 0 IN TXT \"v=spf1 ~all\"\n\
         broken.example. 0 IN TXT \"v=spf1 include:lost.example -all\"\n",
    )
    .await;
    dns.break_name("lost.example", Fault::Fails);
    let checks = checks(&dns, Settings { spf: Rule::Refuse, ..Settings::default() }).await;
    let rcpt = async |peer, sender| checks.rcpt(peer, "b.example", sender).await;
    assert_eq!(rcpt("192.0.2.1", "a@b.example").await, Verdict::Pass);
    let refused = refusal(rcpt("192.0.2.2", "a@b.example").await);
    assert_eq!((refused.code, refused.enhanced), (550, (5, 7, 23)));
    assert_eq!(refusal(rcpt("192.0.2.2", "").await).enhanced, (5, 7, 23));
    for sender in ["a@soft.example", "a@broken.example", "a@none.example"] {
        assert_eq!(rcpt("192.0.2.2", sender).await, Verdict::Pass, "{sender}");
    }
    let null = field(&checks.message("192.0.2.1", "b.example", "", "From: a@b.example\n\n").await);
    assert!(null.contains("spf=pass") && null.contains("smtp.mailfrom=<>"), "{null}");
    checks.storage.drop_database().await.unwrap();
}

/// Policies of three domains, SPF of one.
const DMARC: &str = r#"
b.example. 0 IN TXT "v=spf1 ip4:192.0.2.1 -all"
_dmarc.b.example. 0 IN TXT "v=DMARC1; p=reject; sp=quarantine"
_dmarc.q.example. 0 IN TXT "v=DMARC1; p=quarantine"
_dmarc.n.example. 0 IN TXT "v=DMARC1; p=none; rua=mailto:d@n.example"
_dmarc.test.example. 0 IN TXT "v=DMARC1; p=reject; t=y"
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dmarc_is_obeyed_as_far_as_the_settings_say() {
    let dns = DnsServer::start(DMARC).await;
    let obeying = checks(&dns, Settings { dmarc: Rule::Refuse, ..Settings::default() }).await;
    let from = |domain: &str| format!("From: a@{domain}\n\nx\n");
    let bring = async |checks: &Checks, peer, domain: &str| {
        checks.message(peer, "h.example", "a@b.example", &from(domain)).await
    };
    let aligned = bring(&obeying, "192.0.2.1", "b.example").await;
    assert_eq!((&aligned.verdict, is_marked(&aligned)), (&Verdict::Pass, false));
    assert!(field(&aligned).contains("dmarc=pass header.from=b.example policy.dmarc=reject"));
    let refused = refusal(bring(&obeying, "192.0.2.2", "b.example").await.verdict);
    assert_eq!((refused.code, refused.enhanced), (550, (5, 7, 1)));
    for (domain, marked) in
        [("q.example", true), ("sub.b.example", true), ("test.example", true), ("n.example", false)]
    {
        let screened = bring(&obeying, "192.0.2.2", domain).await;
        assert_eq!(screened.verdict, Verdict::Pass, "{domain}");
        assert_eq!(is_marked(&screened), marked, "{domain}: {screened:?}");
        assert!(field(&screened).contains("dmarc=fail"), "{domain}");
    }
    let none = bring(&obeying, "192.0.2.2", "none.example").await;
    assert!(field(&none).contains("dmarc=none") && !is_marked(&none), "{none:?}");

    let marking = checks(&dns, Settings::default()).await;
    let marked = bring(&marking, "192.0.2.2", "b.example").await;
    assert!(marked.verdict == Verdict::Pass && is_marked(&marked), "{marked:?}");
    let silent = checks(&dns, Settings { dmarc: Rule::Off, ..Settings::default() }).await;
    assert!(!is_marked(&bring(&silent, "192.0.2.2", "b.example").await));

    // What cannot be asked is not held against the sender
    dns.break_name("_dmarc.b.example", Fault::Fails);
    let unknown = bring(&obeying, "192.0.2.2", "b.example").await;
    assert!(unknown.verdict == Verdict::Pass && field(&unknown).contains("dmarc=temperror"));
    for checks in [obeying, marking, silent] {
        checks.storage.drop_database().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_dns_delays_to_the_deadline_and_loses_nothing() {
    let dns = DnsServer::start(DMARC).await;
    dns.break_name("example", Fault::Silent);
    dns.break_name("arpa", Fault::Silent);
    let settings = Settings { deadline_ms: 300, dmarc: Rule::Refuse, ..Settings::default() };
    let checks = checks(&dns, settings).await;
    let started = std::time::Instant::now();
    let content = "From: a@b.example\n\nx\n";
    let screened = checks.message("192.0.2.2", "h.example", "a@b.example", content).await;
    assert!(started.elapsed().as_millis() < 3000, "{:?}", started.elapsed());
    assert_eq!(screened.verdict, Verdict::Pass);
    let found = field(&screened);
    for part in ["iprev=temperror", "spf=temperror", "dmarc=temperror"] {
        assert!(found.contains(part), "{part}: {found}");
    }
    checks.storage.drop_database().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_strangers_say_in_our_name_is_removed() {
    let dns = DnsServer::start("").await;
    let checks = checks(&dns, Settings::default()).await;
    let content = format!(
        "Authentication-Results: {HOST}; dmarc=pass\nAuthentication-Results: other.example; none\n\
         X-Spam-Flag: NO\nFrom: {}\n\nx\n",
        anna()
    );
    let screened = bring(&checks, &content).await;
    let expected =
        format!("Authentication-Results: other.example; none\r\nFrom: {}\r\n\r\nx\r\n", anna());
    assert_eq!(screened.content, expected);
    assert_eq!(field(&screened).matches("Authentication-Results:").count(), 1);
    checks.storage.drop_database().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn aggregate_reports_tell_those_who_asked_and_may_know() {
    let dns = DnsServer::start(
        "_dmarc.b.example. 0 IN TXT \"v=DMARC1; p=reject; rua=mailto:d@b.example,mailto:x@c.example,\
         mailto:y@d.example\"\n\
         b.example._report._dmarc.c.example. 0 IN TXT \"v=DMARC1\"\n\
         b.example. 0 IN TXT \"v=spf1 ip4:192.0.2.1 -all\"\n\
         _dmarc.n.example. 0 IN TXT \"v=DMARC1; p=none\"\n",
    )
    .await;
    let from = "reports@here.example".to_owned();
    let settings = Settings { dmarc_reports_from: from, ..Settings::default() };
    let checks = checks(&dns, settings).await;
    let bring = async |peer, domain: &str| {
        let content = format!("From: a@{domain}\n\nx\n");
        checks.message(peer, "h.example", "a@b.example", &content).await;
    };
    for peer in ["192.0.2.1", "192.0.2.1", "192.0.2.2"] {
        bring(peer, "b.example").await;
    }
    bring("192.0.2.1", "sub.b.example").await;
    bring("192.0.2.1", "n.example").await;
    assert_eq!(checks.screening.next_report().await.unwrap(), None, "the day is not over");
    checks.clock.advance_ms(86_400_000);
    let due = checks.screening.next_report().await.unwrap().unwrap();
    let to: Vec<String> = due.to.iter().map(ToString::to_string).collect();
    assert_eq!(to, ["d@b.example", "x@c.example"], "who has not said so does not get it");
    let report = mail_auth::report::Report::parse_rfc5322(&due.content, 1_000_000).unwrap();
    assert_eq!((report.domain(), report.email()), ("b.example", "reports@here.example"));
    assert_eq!(report.org_name(), HOST);
    let mut rows: Vec<(String, u32, String)> = report
        .records()
        .iter()
        .map(|record| {
            let peer = record.source_ip().unwrap().to_string();
            (peer, record.count(), format!("{:?}", record.action_disposition()))
        })
        .collect();
    rows.sort();
    let row = |peer: &str, count, what: &str| (peer.to_owned(), count, what.to_owned());
    assert_eq!(rows, [row("192.0.2.1", 2, "Pass"), row("192.0.2.2", 1, "Quarantine")]);
    checks.screening.finish_report(&due).await.unwrap();
    let next = checks.screening.next_report().await.unwrap().unwrap();
    let report = mail_auth::report::Report::parse_rfc5322(&next.content, 1_000_000).unwrap();
    assert_eq!(report.domain(), "sub.b.example");
    checks.screening.finish_report(&next).await.unwrap();
    assert_eq!(checks.screening.next_report().await.unwrap(), None);
    checks.storage.drop_database().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failure_reports_tell_a_domain_as_often_as_it_may_know() {
    let dns = DnsServer::start(
        "_dmarc.b.example. 0 IN TXT \"v=DMARC1; p=quarantine; ruf=mailto:f@b.example,mailto:x@c.example\"\n\
         _dmarc.d.example. 0 IN TXT \"v=DMARC1; p=none; ruf=mailto:f@d.example; fo=s\"\n\
         b.example. 0 IN TXT \"v=spf1 ip4:192.0.2.1 -all\"\n",
    )
    .await;
    let from = "reports@here.example".to_owned();
    let off = Settings { dmarc_reports_from: from, ..Settings::default() };
    let on = Settings { dmarc_failures_per_hour: 2, ..off.clone() };
    let silent = checks(&dns, off).await;
    let told = checks(&dns, on).await;
    for checks in [&silent, &told] {
        for (peer, domain) in [
            ("192.0.2.1", "b.example"),
            ("192.0.2.9", "b.example"),
            ("192.0.2.9", "b.example"),
            ("192.0.2.9", "b.example"),
            ("192.0.2.9", "n.example"),
        ] {
            let content = format!("From: a@{domain}\nSubject: pay me\n\nsecret\n");
            checks.message(peer, "h.example", "a@b.example", &content).await;
        }
    }
    assert_eq!(silent.screening.next_failure().await.unwrap(), None);
    // two of three failures, to two addresses each, one of which nobody wants them at
    let mut to = Vec::new();
    while let Some((report, entitled)) = told.screening.next_failure().await.unwrap() {
        let text = String::from_utf8(report.content.clone()).unwrap();
        let read = mail_auth::report::Feedback::parse_rfc5322(&report.content).unwrap();
        assert_eq!(read.source_ip(), Some("192.0.2.9".parse().unwrap()));
        assert_eq!(read.reported_domain(), ["b.example"]);
        for part in ["Auth-Failure: dmarc", "Delivery-Result: spam", "Identity-Alignment: none"] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(text.contains("Subject: pay me") && !text.contains("secret"), "{text}");
        assert!(!text.contains("anna@"), "recipients are not told: {text}");
        to.push((report.to.clone(), entitled.is_some()));
        told.screening.finish_failure(&report, entitled.is_none()).await.unwrap();
    }
    let row = |to: &str, is_wanted| (to.to_owned(), is_wanted);
    let both = [row("f@b.example", true), row("x@c.example", false)];
    assert_eq!(to, [both.clone(), both].concat());
    let kept = told.screening.list_failures("b.example").await.unwrap();
    assert_eq!(kept.len(), 4, "they can be read afterwards");
    assert!(kept.iter().all(|it| !it.is_waiting && it.is_refused == (it.to == "x@c.example")));
    // `fo=s`: only what SPF says matters
    let content = "From: a@d.example\n\nx\n";
    told.message("192.0.2.9", "h.example", "a@d.example", content).await;
    let (report, _) = told.screening.next_failure().await.unwrap().unwrap();
    assert_eq!(report.to, "f@d.example");
    for checks in [silent, told] {
        checks.storage.drop_database().await.unwrap();
    }
}
