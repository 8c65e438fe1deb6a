//! How sessions live and end: doorbells that end them on another node, heartbeats, compression,
//! progress of long commands.

use std::net::SocketAddr;

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::support::imap::ImapClient;
use crate::support::store::{PASSWORD, TestStore, config, database_uri, unique};
use crate::support::{corpus, until, within};

/// The next response, which has to be a BYE with these words.
async fn bye(imap: &mut ImapClient, words: &str) {
    let line = String::from_utf8_lossy(&imap.response().await).into_owned();
    assert!(line.starts_with("* BYE ") && line.contains(words), "{line}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_on_every_node_end_with_the_right_to_log_in() {
    let database = unique("eider_test");
    let a = TestStore::start_on(&database).await;
    let b = TestStore::start_on(&database).await;
    let changes = [
        (json!({"password": "another good one"}), "Log in again"),
        (json!({"suspended": true}), "no longer log in"),
        (json!({"disabled": true}), "no longer log in"),
        (json!({"disabledScopes": ["imap"]}), "protocol was disabled"),
    ];
    for (number, (change, words)) in changes.into_iter().enumerate() {
        let name = format!("user{number}");
        let user = a.create_user(&name).await;
        let mut idle = b.imap(&name).await;
        idle.ok("SELECT INBOX").await;
        idle.start("IDLE").await;
        assert!(idle.response().await.starts_with(b"+"));
        let mut waiting = b.imap(&name).await;
        let (status, answer) = a.api().put(&format!("/users/{user}"), &change).await;
        assert_eq!(status, 200, "{answer}");
        bye(&mut idle, words).await;
        bye(&mut waiting, words).await;
    }
    let user = a.create_user("anna").await;
    let mut idle = b.imap("anna").await;
    // a change that ends nothing
    let (status, _) = a.api().put(&format!("/users/{user}"), &json!({"name": "Anna"})).await;
    assert_eq!(status, 200);
    idle.ok("NOOP").await;
    a.api().delete(&format!("/users/{user}")).await;
    bye(&mut idle, "deleted").await;
    a.stop().await;
    b.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_session_hears_that_the_server_is_there() {
    let mut config = config(&unique("eider_test"));
    config.imap.idle_heartbeat_s = 1;
    let store = TestStore::start_with(config).await;
    store.create_user("anna").await;
    let mut imap = store.imap("anna").await;
    // RFC 9051 §6.3.13: IDLE is for the authenticated state too
    let tag = imap.start("IDLE").await;
    assert!(imap.response().await.starts_with(b"+"));
    for _ in 0..2 {
        assert_eq!(imap.response().await, b"* OK Still here");
    }
    imap.send(b" done \r\n").await;
    assert!(imap.finish(&tag).await.status.starts_with("OK"));
    let again = imap.command(&format!("LOGIN anna \"{PASSWORD}\"")).await;
    assert!(again.status.starts_with("BAD"), "{}", again.status);
    store.stop().await;
}

/// A client's end of a compressed connection.
struct Compressed {
    stream: TcpStream,
    deflater: Compress,
    inflater: Decompress,
    text: String,
    octets_in: usize,
}

impl Compressed {
    async fn send(&mut self, text: &str) {
        let mut packed = Vec::with_capacity(text.len() + 100);
        self.deflater.compress_vec(text.as_bytes(), &mut packed, FlushCompress::Sync).unwrap();
        self.stream.write_all(&packed).await.unwrap();
    }

    /// Reads until the text ends with a line that begins so; gives and forgets all before it.
    async fn until(&mut self, start: &str) -> String {
        let whole = format!("\r\n{start}");
        within("a compressed answer", async {
            loop {
                let text = format!("\r\n{}", self.text);
                if text.ends_with("\r\n") && text.contains(&whole) {
                    return std::mem::take(&mut self.text);
                }
                let mut packed = [0; 4096];
                let octets = self.stream.read(&mut packed).await.unwrap();
                assert!(octets > 0, "closed after {}", self.text);
                self.octets_in += octets;
                let mut plain = Vec::with_capacity(8 << 20);
                let packed = &packed[..octets];
                self.inflater.decompress_vec(packed, &mut plain, FlushDecompress::Sync).unwrap();
                self.text.push_str(std::str::from_utf8(&plain).unwrap());
            }
        })
        .await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_compressed_session_says_the_same() {
    let store = TestStore::start().await;
    store.create_user("anna").await;
    let mut imap = store.imap("anna").await;
    let mut large = corpus::message("large");
    large.extend("all work and no play makes a dull mailbox\r\n".repeat(20_000).as_bytes());
    imap.append("INBOX", "", &large).await;
    let mut plain = imap;
    plain.ok("EXAMINE INBOX").await;
    let body = String::from_utf8(plain.body(1).await).unwrap();
    let mut stream = TcpStream::connect(store.imap_address()).await.unwrap();
    let login = format!("a LOGIN anna \"{PASSWORD}\"\r\nb COMPRESS DEFLATE\r\n");
    stream.write_all(login.as_bytes()).await.unwrap();
    let mut before = Vec::new();
    within("the reply to COMPRESS", async {
        while !before.ends_with(b"from now on\r\n") {
            before.push(stream.read_u8().await.unwrap());
        }
    })
    .await;
    let (deflater, inflater) =
        (Compress::new(Compression::default(), false), Decompress::new(false));
    let mut client = Compressed { stream, deflater, inflater, text: String::new(), octets_in: 0 };
    client.send("c CAPABILITY\r\nd COMPRESS DEFLATE\r\n").await;
    let answer = client.until("d NO [COMPRESSIONACTIVE]").await;
    assert!(!answer.contains("COMPRESS=DEFLATE"), "{answer}");
    client.send("e EXAMINE INBOX\r\n").await;
    assert!(client.until("e OK").await.contains("* 1 EXISTS"));
    client.send("f FETCH 1 BODY.PEEK[]\r\n").await;
    assert!(client.until("f OK").await.contains(&body));
    assert!(client.octets_in < body.len() / 20, "{} octets", client.octets_in);
    client.send("g IDLE\r\n").await;
    client.until("+ ").await;
    plain.append("INBOX", "", &corpus::message("news")).await;
    assert!(client.until("* 2 EXISTS").await.contains("* 2 EXISTS"));
    client.send("DONE\r\n").await;
    client.until("g OK").await;
    // what is no DEFLATE ends the connection
    client.stream.write_all(&[0xff; 64]).await.unwrap();
    let mut rest = Vec::new();
    within("the end", client.stream.read_to_end(&mut rest)).await.unwrap();
    store.stop().await;
}

/// Relays to the database; what has the word only while its gate is open. The other channel counts
/// what was held back.
async fn gated_relay(word: &'static [u8]) -> (SocketAddr, watch::Sender<bool>, Held) {
    let uri = database_uri();
    let host = uri.trim_start_matches("mongodb://").split('/').next().unwrap();
    let target: SocketAddr = host.parse().expect("an address with a port");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (gate, is_open) = watch::channel(true);
    let (hold, held) = watch::channel(0);
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let server = TcpStream::connect(target).await.unwrap();
            let ((client_in, client_out), (server_in, server_out)) =
                (client.into_split(), server.into_split());
            let gate = Gate { word, is_open: is_open.clone(), hold: hold.clone() };
            tokio::spawn(relay(client_in, server_out, gate.clone()));
            tokio::spawn(relay(server_in, client_out, gate));
        }
    });
    (address, gate, held)
}

type Held = watch::Receiver<u32>;

#[derive(Clone)]
struct Gate {
    word: &'static [u8],
    is_open: watch::Receiver<bool>,
    hold: watch::Sender<u32>,
}

async fn relay(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    mut gate: Gate,
) {
    let mut octets = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = from.read(&mut octets).await {
        let has_word = octets[..count].windows(gate.word.len()).any(|octets| octets == gate.word);
        if has_word && !*gate.is_open.borrow() {
            gate.hold.send_modify(|held| *held += 1);
        }
        let may_go = !has_word || gate.is_open.wait_for(|is_open| *is_open).await.is_ok();
        if !may_go || to.write_all(&octets[..count]).await.is_err() {
            return;
        }
    }
}

/// RFC 9585 §3: a command that runs long says so, whatever it waits for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_copy_reports_that_it_is_in_progress() {
    let mut config = config(&unique("eider_test"));
    let (address, gate, _held) = gated_relay(b"commitTransaction").await;
    config.storage.uri = Some(format!("mongodb://{address}/?directConnection=true"));
    let store = TestStore::start_with(config).await;
    store.create_user("anna").await;
    let mut imap = store.imap("anna").await;
    imap.append("INBOX", "", &corpus::message("one")).await;
    imap.ok("SELECT INBOX").await;
    gate.send(false).unwrap();
    let tag = imap.start("COPY 1 Trash").await;
    let line = String::from_utf8_lossy(&imap.response().await).into_owned();
    assert!(line.starts_with(&format!("* OK [INPROGRESS (\"{tag}\" NIL NIL)] ")), "{line}");
    gate.send(true).unwrap();
    assert!(imap.finish(&tag).await.status.starts_with("OK"));
    // STORE knows how far it is
    gate.send(false).unwrap();
    let tag = imap.start("STORE 1 +FLAGS.SILENT (\\Deleted)").await;
    let line = String::from_utf8_lossy(&imap.response().await).into_owned();
    assert!(line.starts_with(&format!("* OK [INPROGRESS (\"{tag}\" 0 1)] ")), "{line}");
    gate.send(true).unwrap();
    assert!(imap.finish(&tag).await.status.starts_with("OK"));
    gate.send(false).unwrap();
    let tag = imap.start("EXPUNGE").await;
    let line = String::from_utf8_lossy(&imap.response().await).into_owned();
    assert!(line.starts_with(&format!("* OK [INPROGRESS (\"{tag}\" NIL NIL)] ")), "{line}");
    gate.send(true).unwrap();
    assert!(imap.finish(&tag).await.status.starts_with("OK"));
    store.stop().await;
}

async fn no_session_is_left(store: &TestStore) {
    let api = store.api();
    until("the end of the session", async || {
        let (_, body) = api.raw("GET", "/metrics", "", b"").await;
        let text = String::from_utf8_lossy(&body).into_owned();
        text.lines().any(|line| line == "eider_connections_open{door=\"imap\"} 0")
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_leaves_ends_its_search_and_its_fetch() {
    // what this node has seen itself it may not have to read again
    let database = unique("eider_test");
    let other = TestStore::start_on(&database).await;
    other.create_user("anna").await;
    let mut imap = other.imap("anna").await;
    let large =
        [b"Subject: large\r\n\r\n".to_vec(), vec![b'x'; 300_000], b"\r\n".to_vec()].concat();
    for _ in 0..60 {
        imap.append("INBOX", "", &large).await;
    }
    imap.ok("LOGOUT").await;
    let mut config = config(&database);
    let (address, gate, mut held) = gated_relay(b"find\0\x09\0\0\0contents\0").await;
    config.storage.uri = Some(format!("mongodb://{address}/?directConnection=true"));
    let store = TestStore::start_with(config).await;
    // FETCH: the client leaves after its beginning
    let mut imap = store.imap("anna").await;
    imap.ok("SELECT INBOX").await;
    imap.start("FETCH 1:* BODY.PEEK[]").await;
    imap.response().await;
    drop(imap);
    no_session_is_left(&store).await;
    // SEARCH: it waits for the database when the client leaves
    let store = {
        store.stop().await;
        let mut config = self::config(&database);
        config.storage.uri = Some(format!("mongodb://{address}/?directConnection=true"));
        TestStore::start_with(config).await
    };
    let mut imap = store.imap("anna").await;
    imap.ok("SELECT INBOX").await;
    gate.send(false).unwrap();
    imap.start("SEARCH TEXT nowhere").await;
    within("the search", held.wait_for(|held| *held > 0)).await.unwrap();
    drop(imap);
    no_session_is_left(&store).await;
    gate.send(true).unwrap();
    store.stop().await;
    other.stop().await;
}
