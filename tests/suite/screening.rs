//! The checks at the door that are not about the message itself, against a DNS server of the tests'
//! own and the real database.

use eider::clock::Clock;
use eider::model::id::ObjectId;
use eider::net::dns::Resolver;
use eider::screening::Screening;
use eider::screening::settings::{GreylistSettings, ListSettings, Rule, Settings};
use eider::screening::verdict::Verdict;
use eider::storage::Storage;
use eider::trace::Trace;

use crate::support::checks::{Checks, HOST, address, checks, checks_on, is_marked, refusal};
use crate::support::dns::{DnsServer, Fault};
use crate::support::store::{database_uri, unique};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_asked_about_trusted_networks_and_no_dns_delays_nothing() {
    let dns = DnsServer::start("").await;
    let storage = Storage::connect(&database_uri(), &unique("eider_test")).await.unwrap();
    let clock = Clock::default();
    let resolver = Resolver::new(&dns.settings()).unwrap();
    let trace = Trace::silent(storage.clone(), clock.clone());
    let screening =
        Screening::new(Settings::default(), storage.clone(), resolver, clock, trace, HOST.into());
    let mut visit = screening.visit([127, 0, 0, 1].into(), None);
    assert_eq!(visit.connected().await, Verdict::Pass);
    let content: bytes::Bytes = "X-Spam: yes\r\nFrom: a@b.example\r\n\r\n".into();
    let screened = visit.message(content.clone()).await;
    assert_eq!((screened.content, screened.lines), (content, Vec::new()));
    assert_eq!(dns.times_asked("1.0.0.127.in-addr.arpa", "PTR"), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_that_lead_nowhere_are_refused_if_wished_but_not_for_postmaster() {
    let dns = DnsServer::start(
        "1.2.0.192.in-addr.arpa. 0 IN PTR good.b.example.\n\
         good.b.example. 0 IN A 192.0.2.1\n\
         2.2.0.192.in-addr.arpa. 0 IN PTR good.b.example.\n\
         b.example. 0 IN MX 0 .\n\
         c.example. 0 IN A 192.0.2.9\n",
    )
    .await;
    dns.break_name("9.2.0.192.in-addr.arpa", Fault::Fails);
    let all = Settings {
        reverse_name: Rule::Refuse,
        helo: Rule::Refuse,
        sender_domain: Rule::Refuse,
        exempt: vec!["quiet.example".to_owned(), "Bob@here.example".to_owned()],
        ..Settings::default()
    };
    let checks = checks(&dns, all).await;
    let helo = "good.b.example";
    assert_eq!(checks.rcpt("192.0.2.1", helo, "a@c.example").await, Verdict::Pass);
    assert_eq!(checks.rcpt("192.0.2.9", helo, "a@c.example").await, Verdict::Pass, "unknown");
    for peer in ["192.0.2.2", "192.0.2.3"] {
        let refusal = refusal(checks.rcpt(peer, helo, "a@c.example").await);
        assert_eq!((refusal.code, refusal.enhanced, refusal.hang_up), (550, (5, 7, 25), false));
    }
    let bad_name = refusal(checks.rcpt("192.0.2.1", HOST, "a@c.example").await);
    assert!(bad_name.text.contains("greeting"), "{bad_name:?}");
    let null_mx = refusal(checks.rcpt("192.0.2.1", helo, "a@b.example").await);
    assert_eq!(null_mx.enhanced, (5, 7, 27));
    let unknown = refusal(checks.rcpt("192.0.2.1", helo, "a@none.example").await);
    assert_eq!(unknown.enhanced, (5, 1, 8));
    for exempt in ["Postmaster@here.example", "bob@here.example", "x@Quiet.example"] {
        let (verdict, _) = checks.to("192.0.2.2", HOST, "a@none.example", &address(exempt)).await;
        assert_eq!(verdict, Verdict::Pass, "{exempt}");
    }
    checks.storage.drop_database().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_weigh_and_good_ones_outweigh_bad_ones() {
    let dns = DnsServer::start(
        "1.2.0.192.bad.example. 0 IN A 127.0.0.2\n\
         2.2.0.192.bad.example. 0 IN A 127.0.0.2\n\
         2.2.0.192.good.example. 0 IN A 127.0.1.1\n\
         3.2.0.192.bad.example. 0 IN A 127.255.255.254\n\
         4.2.0.192.weak.example. 0 IN A 127.0.0.3\n",
    )
    .await;
    dns.break_name("broken.example", Fault::Fails);
    let network = |text: &str| vec![text.to_owned().try_into().unwrap()];
    let list = |zone: &str, weight, replies| ListSettings { zone: zone.into(), weight, replies };
    let lists = vec![
        list("bad.example", 10, network("127.0.0.0/24")),
        list("good.example", -8, network("127.0.1.0/24")),
        list("weak.example", 5, network("127.0.0.3")),
        list("broken.example", 10, network("127.0.0.0/8")),
    ];
    let checks = checks(&dns, Settings { lists, ..Settings::default() }).await;
    let refused = refusal(checks.rcpt("192.0.2.1", "h.example", "").await);
    assert_eq!((refused.code, refused.enhanced), (554, (5, 7, 1)));
    assert!(refused.text.contains("bad.example"), "{refused:?}");
    for fine in ["192.0.2.2", "192.0.2.3", "192.0.2.5"] {
        let screened = checks.message(fine, "h.example", "", "From: a@b.example\n\n").await;
        assert!(!is_marked(&screened), "{fine}");
    }
    let weak = checks.message("192.0.2.4", "h.example", "", "From: a@b.example\n\n").await;
    assert!(is_marked(&weak), "{weak:?}");
    checks.storage.drop_database().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_unknown_is_put_off_and_comes_again_at_another_node() {
    let dns = DnsServer::start("").await;
    let greylist = GreylistSettings { enabled: true, ..GreylistSettings::default() };
    let settings = Settings { greylist, ..Settings::default() };
    let database = unique("eider_test");
    let one = checks_on(&dns, settings.clone(), &database).await;
    let two = checks_on(&dns, settings, &database).await;
    let again = async |node: &Checks| node.rcpt("192.0.2.1", "h.example", "a@b.example").await;
    let put_off = refusal(again(&one).await);
    assert_eq!((put_off.code, put_off.enhanced, put_off.hang_up), (451, (4, 7, 1), false));
    assert_eq!(refusal(again(&two).await).code, 451, "too early, at the other node too");
    for node in [&one, &two] {
        node.clock.advance_ms(301_000);
    }
    assert_eq!(again(&two).await, Verdict::Pass);
    assert_eq!(again(&one).await, Verdict::Pass);
    // Another host of the same network, another mailbox of the same domain
    assert_eq!(one.rcpt("192.0.2.200", "h.example", "b@b.example").await, Verdict::Pass);
    assert_eq!(refusal(one.rcpt("198.51.100.1", "h.example", "a@b.example").await).code, 451);
    let bob = address("bob@here.example");
    let (other, _) = one.to("192.0.2.1", "h.example", "a@b.example", &bob).await;
    assert_eq!(refusal(other).code, 451, "each recipient has his own strangers");
    one.clock.advance_ms(37 * 86_400_000);
    assert_eq!(refusal(again(&one).await).code, 451, "forgotten");
    one.storage.drop_database().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn harvesters_are_slowed_and_sent_away_from_all_nodes() {
    let dns = DnsServer::start("").await;
    let settings = Settings {
        unknown_recipients_max: 3,
        unknown_per_address_max: 3,
        tarpit_ms: 1000,
        ..Settings::default()
    };
    let database = unique("eider_test");
    let one = checks_on(&dns, settings.clone(), &database).await;
    let two = checks_on(&dns, settings, &database).await;
    let mut visit = one.visit("192.0.2.1");
    assert_eq!(visit.connected().await, Verdict::Pass);
    let seconds = |count| Verdict::Delay(std::time::Duration::from_secs(count));
    assert_eq!(visit.unknown_recipient().await, seconds(1));
    assert_eq!(visit.unknown_recipient().await, seconds(2));
    let gone = refusal(visit.unknown_recipient().await);
    assert_eq!((gone.code, gone.hang_up), (421, true));
    assert_eq!(refusal(two.visit("192.0.2.1").connected().await).code, 421);
    assert_eq!(two.visit("192.0.2.2").connected().await, Verdict::Pass);
    two.clock.advance_ms(3_600_001);
    assert_eq!(two.visit("192.0.2.1").connected().await, Verdict::Pass);
    one.storage.drop_database().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_and_messages_of_one_place_are_limited() {
    let dns = DnsServer::start("").await;
    let settings = Settings {
        connections_per_address_max: 2,
        messages_per_address_max: 2,
        messages_per_network_max: 3,
        refused: vec!["203.0.113.0/24".to_owned().try_into().unwrap()],
        ..Settings::default()
    };
    let database = unique("eider_test");
    let one = checks_on(&dns, settings.clone(), &database).await;
    let two = checks_on(&dns, settings, &database).await;
    let (mut a, mut b, mut c) =
        (one.visit("192.0.2.1"), one.visit("192.0.2.1"), one.visit("::ffff:192.0.2.1"));
    assert_eq!(a.connected().await, Verdict::Pass);
    assert_eq!(b.connected().await, Verdict::Pass);
    let full = refusal(c.connected().await);
    assert_eq!((full.code, full.hang_up), (421, true));
    drop(a);
    assert_eq!(one.visit("192.0.2.1").connected().await, Verdict::Pass);
    let forbidden = refusal(one.visit("203.0.113.7").connected().await);
    assert_eq!((forbidden.code, forbidden.hang_up), (554, true));

    let trace = ObjectId::from_octets([1; 12]);
    let mail = async |node: &Checks, peer| node.visit(peer).sender(None, trace).await;
    assert_eq!(mail(&one, "192.0.2.1").await, Verdict::Pass);
    assert_eq!(mail(&two, "192.0.2.1").await, Verdict::Pass);
    let slow_down = refusal(mail(&one, "192.0.2.1").await);
    assert_eq!((slow_down.code, slow_down.enhanced), (451, (4, 7, 1)));
    assert_eq!(mail(&one, "192.0.2.2").await, Verdict::Pass);
    assert_eq!(refusal(mail(&one, "192.0.2.3").await).code, 451, "the network's count");
    one.storage.drop_database().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn checks_are_switched_for_listeners_domains_and_addresses() {
    let dns = DnsServer::start(
        "1.2.0.192.bad.example. 0 IN A 127.0.0.2\n\
         b.example. 0 IN TXT \"v=spf1 -all\"\n",
    )
    .await;
    let exceptions = serde_json::json!([
        { "listeners": ["192.0.2.99:26"], "rules": { "lists": "off", "spf": "off" } },
        { "recipients": ["bob@here.example"], "rules": { "spf": "off", "lists": "off" } },
        { "recipients": ["there.example"], "rules": { "spf": "mark", "greylist": "refuse",
          "lists": "off" } },
    ]);
    let settings = Settings {
        spf: Rule::Refuse,
        lists: vec![ListSettings {
            zone: "bad.example".into(),
            weight: 10,
            replies: vec!["127.0.0.0/24".to_owned().try_into().unwrap()],
        }],
        exceptions: serde_json::from_value(exceptions).unwrap(),
        ..Settings::default()
    };
    let checks = checks(&dns, settings).await;
    let listed = refusal(checks.rcpt("192.0.2.1", "h.example", "a@c.example").await);
    assert_eq!(listed.code, 554);
    let spf = refusal(checks.rcpt("192.0.2.2", "h.example", "a@b.example").await);
    assert_eq!(spf.enhanced, (5, 7, 23));
    let to =
        async |to: &str| checks.to("192.0.2.1", "h.example", "a@b.example", &address(to)).await;
    let (verdict, mut visit) = to("Bob@here.example").await;
    assert_eq!(verdict, Verdict::Pass, "whatever speaks against it");
    let content = bytes::Bytes::from_static(b"From: a@b.example\r\n\r\nx\r\n");
    assert!(!is_marked(&visit.message(content.clone()).await));
    let (verdict, _) = to("anybody@there.example").await;
    assert_eq!(refusal(verdict).enhanced, (4, 7, 1), "greylisted there only");
    checks.clock.advance_ms(301_000);
    let (verdict, mut visit) = to("anybody@there.example").await;
    assert_eq!(verdict, Verdict::Pass);
    assert!(is_marked(&visit.message(content).await), "SPF marks there");
    // The listener
    let local = Some("192.0.2.99:26".parse().unwrap());
    let mut visit = checks.screening.visit("192.0.2.1".parse().unwrap(), local);
    let asked = dns.times_asked("1.2.0.192.bad.example", "A");
    visit.connected().await;
    visit.greeted("h.example").await;
    let sender = address("a@b.example");
    visit.sender(Some(&sender), eider::model::id::ObjectId::from_octets([1; 12])).await;
    assert_eq!(visit.recipient(&crate::support::checks::anna(), None).await, Verdict::Pass);
    assert_eq!(dns.times_asked("1.2.0.192.bad.example", "A"), asked, "nobody is asked in vain");
    checks.storage.drop_database().await.unwrap();
}
