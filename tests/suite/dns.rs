//! The resolver against a DNS server of the tests' own: what is there, what is not, what is proved.

use eider::net::dns::{Failure, Mx, Resolver, Settings, Tlsa};

use crate::support::dns::{DnsServer, Fault};

const ZONE: &str = r#"
example.com. 60 IN MX 20 mx2.example.com.
example.com. 60 IN MX 10 MX1.example.com.
example.com. 60 IN TXT "v=spf1 " "-all"
mx1.example.com. 60 IN A 192.0.2.1
mx1.example.com. 60 IN AAAA 2001:db8::1
mx2.example.com. 60 IN A 192.0.2.2
alias.example.com. 60 IN CNAME mx2.example.com.
1.2.0.192.in-addr.arpa. 60 IN PTR mx1.example.com.
_25._tcp.mx1.example.com. 60 IN TLSA 3 1 1 0000000000000000000000000000000000000000000000000000000000000001
null.example.com. 60 IN MX 0 .
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_are_found_and_what_is_missing_is_told_apart() {
    let server = DnsServer::start(ZONE).await;
    let resolver = Resolver::new(&server.settings()).unwrap();
    let mx = resolver.mx("example.com").await.unwrap();
    let exchange = |preference, name: &str| Mx { preference, exchange: name.to_owned() };
    let expected = [exchange(10, "mx1.example.com"), exchange(20, "mx2.example.com")];
    assert_eq!((mx.records.as_slice(), mx.is_secure, mx.is_alias), (&expected[..], false, false));
    assert_eq!(resolver.mx("null.example.com").await.unwrap().records, [exchange(0, "")]);
    let txt = resolver.txt("EXAMPLE.com.").await.unwrap().records;
    assert_eq!(txt, [b"v=spf1 -all".to_vec()]);
    let addresses = resolver.addresses("mx1.example.com").await.unwrap().records;
    let expected: Vec<std::net::IpAddr> =
        vec!["2001:db8::1".parse().unwrap(), "192.0.2.1".parse().unwrap()];
    assert_eq!(addresses, expected);
    let alias = resolver.addresses("alias.example.com").await.unwrap();
    assert!(alias.is_alias && alias.records.len() == 1, "{alias:?}");
    assert_eq!(resolver.cname("alias.example.com").await.unwrap().records, ["mx2.example.com"]);
    let ptr = resolver.ptr("192.0.2.1".parse().unwrap()).await.unwrap();
    assert_eq!(ptr.records, ["mx1.example.com"]);
    let mut data = vec![0; 32];
    data[31] = 1;
    let tlsa = resolver.tlsa("_25._tcp.mx1.example.com").await.unwrap();
    assert_eq!(tlsa.records, [Tlsa { usage: 3, selector: 1, matching: 1, data }]);

    assert_eq!(resolver.mx("none.example.com").await, Err(Failure::NoDomain));
    assert_eq!(resolver.mx("mx1.example.com").await, Err(Failure::NoData));
    assert_eq!(resolver.ipv6("mx2.example.com").await, Err(Failure::NoData));
    for fault in [Fault::Fails, Fault::Silent] {
        server.break_name("broken.example.com", fault);
        let failure = resolver.mx("a.broken.example.com").await.unwrap_err();
        assert!(failure.is_temporary(), "{failure:?}");
        server.mend();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_are_kept_for_their_time_to_live() {
    let server = DnsServer::start(ZONE).await;
    let resolver = Resolver::new(&server.settings()).unwrap();
    for _ in 0..3 {
        resolver.txt("example.com").await.unwrap();
    }
    assert_eq!(server.times_asked("example.com", "TXT"), 1);
    server.set("example.com. 0 IN TXT one");
    resolver.ipv4("new.example.com").await.unwrap_err();
    server.add("new.example.com. 0 IN A 192.0.2.9");
    resolver.ipv4("new.example.com").await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_signed_is_proved_and_what_is_forged_is_not_taken() {
    let server = DnsServer::start_signed(ZONE).await;
    let plain = "open.test. 0 IN MX 10 mx.open.test.\nmx.open.test. 0 IN A 192.0.2.7";
    server.set_unsigned(ZONE, &[("open.test.", plain)]);
    let resolver = Resolver::new(&server.settings()).unwrap();
    let mx = resolver.mx("example.com").await.unwrap();
    assert!(mx.is_secure, "{mx:?}");
    assert!(resolver.addresses("alias.example.com").await.unwrap().is_secure);
    let tlsa = resolver.tlsa("_25._tcp.mx1.example.com").await.unwrap();
    assert!(tlsa.is_secure);
    assert_eq!(resolver.tlsa("_25._tcp.mx2.example.com").await, Err(Failure::NoDomain));
    let open = resolver.mx("open.test").await.unwrap();
    assert!(!open.is_secure, "{open:?}");
    assert_eq!(resolver.tlsa("_25._tcp.mx.open.test").await, Err(Failure::NoDomain));

    // A server whose key is another one than what we trust forges everything
    let forger = DnsServer::start_signed(ZONE).await;
    let settings = Settings { servers: vec![forger.address], ..server.settings() };
    let resolver = Resolver::new(&settings).unwrap();
    let forged = resolver.mx("example.com").await.unwrap_err();
    assert!(forged.is_temporary(), "{forged:?}");
}
