//! TLS as clients nobody here wrote use it: STARTTLS and from the first octet, with the
//! certificate checked.

use crate::support::corpus;
use crate::support::imap::ImapClient;
use crate::support::judge;
use crate::support::store::{PASSWORD, TestStore, config, unique};

/// A store that takes passwords in TLS only, with every door in TLS as well.
async fn start() -> TestStore {
    let mut config = config(&unique("eider_test"));
    config.imap.plaintext_auth_from = Vec::new();
    config.pop3.plaintext_auth_from = Vec::new();
    config.lmtp.listen_tls = vec!["127.0.0.1:0".to_owned()];
    let store = TestStore::start_with(config).await;
    store.create_user("anna").await;
    store
}

/// Runs a script with the CA's file and these arguments.
async fn python(store: &TestStore, script: &str, arguments: &[&str]) -> String {
    let ca = store.data_dir.join("ca.pem").to_string_lossy().into_owned();
    let head = "import imaplib, poplib, smtplib, socket, ssl, sys\n\
                trust = ssl.create_default_context(cafile=sys.argv[1])\n";
    let script = format!("{head}{script}");
    judge::run("python3", &[&["-c", script.as_str(), ca.as_str()], arguments].concat()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn imaplib_verifies_the_certificate_in_both_ways() {
    let store = start().await;
    let replies = store.lmtp().await.deliver(&["anna@example.com"], &corpus::message("tls")).await;
    assert!(replies[0].starts_with("250"), "{replies:?}");
    let (plain, tls) = (store.imap_address().port(), store.running.addresses.imap_tls[0].port());
    let script = r#"
for host in ("127.0.0.1", "localhost"):
    begun = imaplib.IMAP4(host, int(sys.argv[2]), timeout=60)
    assert "LOGINDISABLED" in begun.capabilities, begun.capabilities
    begun.starttls(ssl_context=trust)
    direct = imaplib.IMAP4_SSL(host, int(sys.argv[3]), ssl_context=trust, timeout=60)
    for imap in (begun, direct):
        names = imap.capabilities
        assert "AUTH=PLAIN" in names, names
        assert "LOGINDISABLED" not in names and "STARTTLS" not in names, names
        assert imap.sock.version() == "TLSv1.3", imap.sock.version()
        imap.login("anna", sys.argv[4])
        assert imap.select("INBOX")[1] == [b"1"]
        body = imap.fetch("1", "(BODY.PEEK[])")[1][0][1]
        assert b"Body of tls." in body, body
        imap.logout()
try:
    imaplib.IMAP4_SSL("127.0.0.1", int(sys.argv[3]), ssl_context=ssl.create_default_context())
except ssl.SSLCertVerificationError:
    print("both ways work")
"#;
    let arguments = [plain.to_string(), tls.to_string(), PASSWORD.to_owned()];
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let said = python(&store, script, &arguments).await;
    assert!(said.contains("both ways work"), "{said}");
    store.stop().await;
}

/// RFC 2595: passwords only in TLS, and nothing pipelined in plaintext behind STLS is run.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn poplib_verifies_the_certificate_in_both_ways() {
    let store = start().await;
    let replies = store.lmtp().await.deliver(&["anna@example.com"], &corpus::message("tls")).await;
    assert!(replies[0].starts_with("250"), "{replies:?}");
    let (plain, tls) = (store.pop3_address().port(), store.running.addresses.pop3_tls[0].port());
    let script = r#"
begun = poplib.POP3("127.0.0.1", int(sys.argv[2]), timeout=60)
names = begun.capa()
assert "STLS" in names and "USER" not in names and "SASL" not in names, names
for command in ("USER anna", "PASS x", "AUTH PLAIN", "AUTH PLAIN AGFubmEAeA=="):
    try:
        begun._shortcmd(command)
        raise SystemExit(f"{command} in plaintext")
    except poplib.error_proto as error:
        assert b"use TLS first" in error.args[0], error
begun.stls(context=trust)
direct = poplib.POP3_SSL("localhost", int(sys.argv[3]), context=trust, timeout=60)
for pop3 in (begun, direct):
    names = pop3.capa()
    assert "STLS" not in names and "USER" in names and {"PLAIN", "LOGIN"} <= set(names["SASL"]), names
    pop3.user("anna")
    pop3.pass_(sys.argv[4])
    assert pop3.stat()[0] == 1
    assert b"Body of tls." in pop3.retr(1)[1]
    pop3.quit()
raw = socket.create_connection(("127.0.0.1", int(sys.argv[2])))
raw.settimeout(60)
file = raw.makefile("rb")
file.readline()
raw.sendall(b"STLS\r\nCAPA\r\n")
assert file.readline() == b"+OK begin TLS now\r\n"
wrapped = trust.wrap_socket(raw, server_hostname="127.0.0.1")
wrapped.sendall(b"NOOP\r\n")
assert wrapped.recv(100) == b"-ERR log in first\r\n"
print("both ways work")
"#;
    let arguments = [plain.to_string(), tls.to_string(), PASSWORD.to_owned()];
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let said = python(&store, script, &arguments).await;
    assert!(said.contains("both ways work"), "{said}");
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn smtplib_delivers_after_starttls() {
    let store = start().await;
    let (plain, tls) = (store.lmtp_address().port(), store.running.addresses.lmtp_tls[0].port());
    let script = r#"
message = "Subject: over TLS\r\n\r\nHello\r\n"
lmtp = smtplib.LMTP("127.0.0.1", int(sys.argv[2]), timeout=60)
lmtp.ehlo()
assert lmtp.has_extn("starttls")
lmtp.starttls(context=trust)
lmtp.ehlo()
assert not lmtp.has_extn("starttls"), "offered once only"
assert lmtp.sendmail("me@example.org", "anna@example.com", message) == {}
lmtp.quit()
with socket.create_connection(("127.0.0.1", int(sys.argv[3])), 60) as plain:
    with trust.wrap_socket(plain, server_hostname="localhost") as direct:
        lines = direct.makefile("rwb")
        assert lines.readline().startswith(b"220 ")
        lines.write(b"QUIT\r\n")
        lines.flush()
        assert lines.readline().startswith(b"221 ")
print("delivered")
"#;
    let said = python(&store, script, &[&plain.to_string(), &tls.to_string()]).await;
    assert!(said.contains("delivered"), "{said}");
    let (_, users) = store.api().get("/users").await;
    let user = users["results"][0]["id"].as_str().unwrap().to_owned();
    let (status, boxes) = store.api().get(&format!("/users/{user}/mailboxes?counters=true")).await;
    assert_eq!(status, 200, "{boxes}");
    let boxes = boxes["results"].as_array().unwrap();
    let inbox = boxes.iter().find(|mailbox| mailbox["path"] == "INBOX").unwrap();
    assert_eq!(inbox["total"], 1, "{inbox}");
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_in_the_clear_is_refused() {
    let store = start().await;
    let mut imap = ImapClient::connect(store.imap_address()).await;
    let capabilities = imap.ok("CAPABILITY").await.find("CAPABILITY").unwrap();
    let has = |name: &str| capabilities.split(' ').any(|word| word == name);
    assert!(has("LOGINDISABLED") && has("STARTTLS"), "{capabilities}");
    assert!(!has("AUTH=PLAIN") && !has("AUTH=LOGIN"), "{capabilities}");
    // RFC 5530 §3, also for a client that sends the password unasked
    imap.refused(&format!("LOGIN anna \"{PASSWORD}\""), "NO [PRIVACYREQUIRED]").await;
    imap.refused("AUTHENTICATE PLAIN AGFubmEAeA==", "NO [PRIVACYREQUIRED]").await;
    imap.refused("AUTHENTICATE LOGIN", "NO [PRIVACYREQUIRED]").await;
    imap.refused("SELECT INBOX", "BAD").await;
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_sent_before_tls_counts_afterwards() {
    let store = start().await;
    let (imap, lmtp) = (store.imap_address().port(), store.lmtp_address().port());
    // RFC 9051 §6.2.1, RFC 3207 §4.2: what somebody in between has added must not be executed
    let script = r#"
doors = (
    (sys.argv[2], [], b"a STARTTLS\r\nz NOOP\r\n", b"b NOOP\r\n", b"b OK"),
    (sys.argv[3], [b"LHLO x\r\n"], b"STARTTLS\r\nVRFY z\r\n", b"NOOP\r\n", b"250"),
)
for port, before, injected, after, expected in doors:
    plain = socket.create_connection(("127.0.0.1", int(port)), 60)
    heard = plain.recv(4096)
    for line in before:
        plain.sendall(line)
        plain.recv(4096)
    plain.sendall(injected)
    heard = b""
    while not heard.endswith(b"\r\n"):
        octets = plain.recv(1)
        if not octets:
            break
        heard += octets
    try:
        secure = trust.wrap_socket(plain, server_hostname="localhost")
        secure.sendall(after)
        reply = secure.recv(4096)
        assert reply == b"" or reply.startswith(expected), reply
    except (ssl.SSLError, ConnectionError) as error:
        # Closing the connection is right too
        assert "EOF" in str(error) or isinstance(error, ConnectionError), error
print("nothing was executed")
"#;
    let said = python(&store, script, &[&imap.to_string(), &lmtp.to_string()]).await;
    assert!(said.contains("nothing was executed"), "{said}");
    store.stop().await;
}
