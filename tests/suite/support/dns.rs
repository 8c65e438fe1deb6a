//! A DNS server of the tests' own on a free loopback port, UDP and TCP (hickory-server).
//!
//! It is the root of a small world: everything is in the one zone `.`, given as zone text with
//! absolute names, and may be changed while it runs. Signed with a key of its own if wished: then
//! `trust_anchor` is the file for `[dns] trust_anchor`. Zones below that are given to
//! `set_unsigned` are delegated without a DS record: provably insecure.

use std::collections::BTreeMap;
use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

use hickory_server::Server;
use hickory_server::dnssec::NxProofKind;
use hickory_server::net::runtime::{Time, TokioRuntimeProvider};
use hickory_server::proto::dnssec::crypto::EcdsaSigningKey;
use hickory_server::proto::dnssec::rdata::DNSKEY;
use hickory_server::proto::dnssec::{Algorithm, DnssecSigner, SigningKey};
use hickory_server::proto::op::{HeaderCounts, ResponseCode};
use hickory_server::proto::rr::{Name, RecordType};
use hickory_server::proto::serialize::txt::Parser;
use hickory_server::server::{Request, RequestHandler, ResponseHandler, ResponseInfo};
use hickory_server::store::in_memory::InMemoryZoneHandler;
use hickory_server::zone_handler::{AxfrPolicy, Catalog, MessageResponseBuilder, ZoneType};

use super::store::unique;

/// What the server does with questions.
struct World {
    zones: RwLock<Zones>,
    /// Names (with all below) that are answered SERVFAIL, or not at all.
    broken: RwLock<Vec<(String, Fault)>>,
    /// Questions so far, by `name TYPE`.
    asked: Mutex<BTreeMap<String, usize>>,
}

#[derive(Clone)]
struct Zones {
    all: Arc<Catalog>,
    /// The root zone only: DS records are the parent's (RFC 4035 §3.1.4.1).
    root: Arc<Catalog>,
    unsigned: Vec<String>,
}

/// What is wrong with a name.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// SERVFAIL.
    Fails,
    /// No answer.
    Silent,
}

/// The server; it ends when this is dropped.
pub struct DnsServer {
    pub address: SocketAddr,
    world: Arc<World>,
    key: Option<Vec<u8>>,
    /// The zone, for changes.
    zone: Mutex<String>,
    server: Server<Handler>,
}

struct Handler(Arc<World>);

impl DnsServer {
    /// A server with these records: lines `name. TTL IN TYPE data`, all names absolute.
    pub async fn start(zone: &str) -> Self {
        Self::begin(zone, None).await
    }

    /// The same, signed.
    pub async fn start_signed(zone: &str) -> Self {
        let key = EcdsaSigningKey::generate_pkcs8(Algorithm::ECDSAP256SHA256).unwrap();
        Self::begin(zone, Some(key.secret_pkcs8_der().to_vec())).await
    }

    async fn begin(zone: &str, key: Option<Vec<u8>>) -> Self {
        let world = Arc::new(World {
            zones: RwLock::new(zones(zone, &[], key.as_deref())),
            broken: RwLock::default(),
            asked: Mutex::default(),
        });
        let mut server = Server::new(Handler(Arc::clone(&world)));
        let (udp, tcp) = sockets().await;
        let address = udp.local_addr().unwrap();
        server.register_socket(udp);
        server.register_listener(tcp, Duration::from_secs(30), 64);
        Self { address, world, key, zone: Mutex::new(zone.to_owned()), server }
    }

    /// Replaces all records. What resolvers have cached stays until its time to live ends: use 0.
    pub fn set(&self, zone: &str) {
        self.set_unsigned(zone, &[]);
    }

    /// Replaces all records; the zones `(origin, records)` are not signed.
    pub fn set_unsigned(&self, zone: &str, unsigned: &[(&str, &str)]) {
        zone.clone_into(&mut self.zone.lock().unwrap());
        *self.world.zones.write().unwrap() = zones(zone, unsigned, self.key.as_deref());
    }

    /// Adds records.
    pub fn add(&self, records: &str) {
        let zone = format!("{}\n{records}", self.zone.lock().unwrap());
        self.set(&zone);
    }

    /// From now on a name, and all below it, is answered wrongly.
    pub fn break_name(&self, name: &str, fault: Fault) {
        self.world.broken.write().unwrap().push((format!("{name}."), fault));
    }

    /// Everything is answered again.
    pub fn mend(&self) {
        self.world.broken.write().unwrap().clear();
    }

    /// How often a name was asked for a type, as `("example.com", "MX")`.
    pub fn times_asked(&self, name: &str, record_type: &str) -> usize {
        let asked = self.world.asked.lock().unwrap();
        asked.get(&format!("{name}. {record_type}")).copied().unwrap_or(0)
    }

    /// A file with the public key of a signed server, for `[dns] trust_anchor`.
    pub fn trust_anchor(&self) -> PathBuf {
        let key = dnskey(self.key.as_deref().expect("the server is signed"));
        let path = std::env::temp_dir().join(unique("eider-anchor"));
        std::fs::write(&path, format!(". 60 IN DNSKEY {key}\n")).unwrap();
        path
    }

    /// Settings of a store that asks this server only.
    pub fn settings(&self) -> eider::net::dns::Settings {
        eider::net::dns::Settings {
            servers: vec![self.address],
            dnssec: self.key.is_some(),
            trust_anchor: self.key.is_some().then(|| self.trust_anchor()),
            timeout_ms: 1000,
            ..eider::net::dns::Settings::default()
        }
    }
}

impl Drop for DnsServer {
    fn drop(&mut self) {
        self.server.shutdown_token().cancel();
    }
}

/// A port that is free for both.
async fn sockets() -> (tokio::net::UdpSocket, tokio::net::TcpListener) {
    loop {
        let udp = tokio::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = udp.local_addr().unwrap();
        if let Ok(tcp) = tokio::net::TcpListener::bind(address).await {
            return (udp, tcp);
        }
    }
}

fn zones(zone: &str, unsigned: &[(&str, &str)], key: Option<&[u8]>) -> Zones {
    let delegations: String = unsigned
        .iter()
        .map(|(origin, _)| format!("{origin} 0 IN NS ns.{origin}\nns.{origin} 0 IN A 127.0.0.1\n"))
        .collect();
    let handler_of_root = Arc::new(handler(Name::root(), &format!("{zone}\n{delegations}"), key));
    let mut root = Catalog::new();
    root.upsert(Name::root().into(), vec![handler_of_root.clone()]);
    let mut all = Catalog::new();
    all.upsert(Name::root().into(), vec![handler_of_root]);
    for (origin, records) in unsigned {
        let name = Name::from_ascii(origin).unwrap();
        let handler = handler(name.clone(), records, None);
        all.upsert(name.into(), vec![Arc::new(handler)]);
    }
    let unsigned = unsigned.iter().map(|(origin, _)| (*origin).to_owned()).collect();
    Zones { all: Arc::new(all), root: Arc::new(root), unsigned }
}

fn handler(origin: Name, records: &str, key: Option<&[u8]>) -> InMemoryZoneHandler {
    let text = format!(
        "{origin} 0 IN SOA ns.test. hostmaster.test. 1 3600 600 86400 0\n\
         {origin} 0 IN NS ns.test.\n{records}\n"
    );
    let parsed = Parser::new(text, None, Some(origin.clone())).parse();
    let (_, records) = parsed.unwrap_or_else(|error| panic!("the zone {origin}: {error}"));
    let proof = key.map(|_| NxProofKind::Nsec);
    let mut handler = InMemoryZoneHandler::<TokioRuntimeProvider>::new(
        origin.clone(),
        records,
        ZoneType::Primary,
        AxfrPolicy::Deny,
        proof,
    )
    .unwrap();
    if let Some(key) = key {
        let key = signing_key(key);
        let dnskey = DNSKEY::from_key(&key.to_public_key().unwrap());
        let day = Duration::from_secs(86_400);
        let signer = DnssecSigner::new(dnskey, Box::new(key), origin, day);
        handler.add_zone_signing_key_mut(signer).unwrap();
        handler.secure_zone_mut().unwrap();
    }
    handler
}

fn signing_key(der: &[u8]) -> EcdsaSigningKey {
    EcdsaSigningKey::from_pkcs8(&der.to_vec().into(), Algorithm::ECDSAP256SHA256).unwrap()
}

fn dnskey(der: &[u8]) -> String {
    DNSKEY::from_key(&signing_key(der).to_public_key().unwrap()).to_string()
}

impl RequestHandler for Handler {
    // Written out, as `async_trait` would: it is not a dependency.
    fn handle_request<'life0, 'life1, 'async_trait, R, T>(
        &'life0 self,
        request: &'life1 Request,
        mut response: R,
    ) -> Pin<Box<dyn Future<Output = ResponseInfo> + Send + 'async_trait>>
    where
        R: ResponseHandler + 'async_trait,
        T: Time + 'async_trait,
        'life0: 'async_trait,
        'life1: 'async_trait,
        Self: 'async_trait,
    {
        Box::pin(async move {
            let fault = self.0.note(request);
            match fault {
                None => {
                    let catalog = self.0.catalog_for(request);
                    catalog.handle_request::<R, T>(request, response).await
                }
                Some(Fault::Fails) => {
                    let reply = MessageResponseBuilder::from_message_request(request)
                        .error_msg(&request.metadata, ResponseCode::ServFail);
                    response.send_response(reply).await.unwrap()
                }
                Some(Fault::Silent) => ResponseInfo::from(hickory_server::proto::op::Header {
                    metadata: request.metadata,
                    counts: HeaderCounts::default(),
                }),
            }
        })
    }
}

impl World {
    fn catalog_for(&self, request: &Request) -> Arc<Catalog> {
        let zones = self.zones.read().unwrap().clone();
        let is_delegation = request.request_info().is_ok_and(|info| {
            let name = info.query.name().to_string();
            info.query.query_type() == RecordType::DS && zones.unsigned.contains(&name)
        });
        if is_delegation { zones.root } else { zones.all }
    }

    /// Counts a question; what is wrong with its name.
    fn note(&self, request: &Request) -> Option<Fault> {
        let info = request.request_info().ok()?;
        let name = info.query.name().to_string().to_lowercase();
        let key = format!("{name} {}", info.query.query_type());
        *self.asked.lock().unwrap().entry(key).or_default() += 1;
        let broken = self.broken.read().unwrap();
        let is_below = |(broken, _): &&(String, Fault)| {
            name == *broken || name.ends_with(&format!(".{broken}"))
        };
        broken.iter().find(is_below).map(|(_, fault)| *fault)
    }
}
