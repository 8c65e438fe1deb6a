"""What the doors for incoming mail carry, with all checks on strangers off and on.

Arguments: the eider binary, [messages of a row, default 2000].
The DNS, the spam filter and the virus scanner are small ones of this script: measured is what Eider
does around them, signatures included. Writes checks.jsonl and prints a table.
"""
import base64, http.server, json, os, shutil, signal, socket, socketserver, struct, subprocess, sys, tempfile, threading, time

EIDER, COUNT = sys.argv[1], int((sys.argv[2:3] or [2000])[0])
USERS = 10
BODY = ("From: Sender <a@b.example>\r\nTo: user0@example.com\r\nSubject: measured {n}\r\n"
        "Date: Mon, 23 Nov 2026 10:00:00 +0000\r\nMessage-ID: <{n}@b.example>\r\n\r\n"
        + "A line of text that is somewhat like mail.\r\n" * 90)


def signer():
    """Signs for b.example, if dkimpy is here (scripts/setup's Python); and its record."""
    try:
        import dkim
    except ImportError:
        return (lambda octets: octets), None
    key = subprocess.run(["openssl", "genrsa", "2048"], capture_output=True, check=True).stdout
    public = subprocess.run(["openssl", "rsa", "-pubout", "-outform", "DER"], input=key,
                            capture_output=True, check=True).stdout
    record = "v=DKIM1; k=rsa; p=" + base64.b64encode(public).decode()
    return (lambda octets: dkim.sign(octets, b"s", b"b.example", key) + octets), record


SIGN, RECORD = signer()
TEXTS = {"b.example": "v=spf1 ip4:127.0.0.1 -all", "_dmarc.b.example": "v=DMARC1; p=reject"}
if RECORD:
    TEXTS["s._domainkey.b.example"] = RECORD


def packed(name):
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".") if label) + b"\0"


class Dns(socketserver.BaseRequestHandler):
    def handle(self):
        query, reply_to = self.request
        end = query.index(b"\0", 12)
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].decode().lower())
            at += 1 + query[at]
        name, kind = ".".join(labels), struct.unpack("!H", query[end + 1:end + 3])[0]
        data = self.data(name, kind)
        known = data is not None or name in TEXTS or name == "mail.b.example"
        flags = 0x8580 if known else 0x8583
        reply = query[:2] + struct.pack("!HHHHH", flags, 1, int(data is not None), 0, 0)
        reply += query[12:end + 5]
        if data is not None:
            reply += b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, 60, len(data)) + data
        reply_to.sendto(reply, self.client_address)

    @staticmethod
    def data(name, kind):
        if kind == 16 and name in TEXTS:
            text = TEXTS[name].encode()
            pieces = [text[at:at + 250] for at in range(0, len(text), 250)]
            return b"".join(bytes([len(piece)]) + piece for piece in pieces)
        if kind == 12 and name.endswith("in-addr.arpa"):
            return packed("mail.b.example")
        if kind == 1 and name == "mail.b.example":
            return bytes([127, 0, 0, 1])
        if kind == 15 and name == "b.example":
            return b"\0\x0a" + packed("mail.b.example")
        return None


class Rspamd(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        answer = json.dumps({"action": "no action", "score": 0.1, "required_score": 15.0,
                             "symbols": {}}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


class Clamd(socketserver.StreamRequestHandler):
    def handle(self):
        self.rfile.read(len(b"zINSTREAM\0"))
        while size := struct.unpack("!I", self.rfile.read(4))[0]:
            self.rfile.read(size)
        self.wfile.write(b"stream: OK\0")


def serve(kind, handler):
    kind.allow_reuse_address, kind.daemon_threads = True, True
    server = kind(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Node:
    def __init__(self, has_checks):
        self.folder = tempfile.mkdtemp(prefix="eider-checks-")
        self.smtp, self.lmtp, self.api = free_port(), free_port(), free_port()
        config = f"""
data_dir = "{self.folder}/data"
hostname = "mx.here.example"
roles = ["smtp", "lmtp", "api", "jobs"]
[log]
level = "warn"
[smtp]
listen = ["127.0.0.1:{self.smtp}"]
[lmtp]
listen = ["127.0.0.1:{self.lmtp}"]
[api]
listen = ["127.0.0.1:{self.api}"]
root_token = "{'t' * 40}"
[dns]
servers = ["127.0.0.1:{serve(socketserver.ThreadingUDPServer, Dns)}"]
"""
        if has_checks:
            config += f"""
[screening]
trusted = []
reverse_name = "refuse"
helo = "refuse"
sender_domain = "refuse"
spf = "refuse"
dmarc = "refuse"
dmarc_reports_from = "postmaster@here.example"
messages_per_address_max = 100000000
messages_per_network_max = 100000000
unknown_per_address_max = 1000
lists = [{{ zone = "bl.example" }}, {{ zone = "wl.example", weight = -5 }}]
[screening.greylist]
enabled = true
wait_s = 1
[screening.rspamd]
url = "http://127.0.0.1:{serve(http.server.ThreadingHTTPServer, Rspamd)}"
[screening.clamav]
address = "127.0.0.1:{serve(socketserver.ThreadingTCPServer, Clamd)}"
"""
        with open(f"{self.folder}/eider.toml", "w") as file:
            file.write(config)
        self.process = subprocess.Popen([EIDER, "--config", f"{self.folder}/eider.toml", "serve"],
                                        stdout=subprocess.PIPE, text=True)
        while "API document" not in self.process.stdout.readline():
            if self.process.poll() is not None:
                raise RuntimeError("the store did not start")
        threading.Thread(target=self.process.stdout.read, daemon=True).start()
        for number in range(USERS):
            self.post("/users", {"username": f"user{number}", "password": "secret-password",
                                 "address": f"user{number}@example.com", "quota": 0,
                                 "receivedMax": 100000000})

    def post(self, path, values):
        import urllib.request
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.api}{path}", json.dumps(values).encode(),
            {"X-Access-Token": "t" * 40, "Content-Type": "application/json"})
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)
        shutil.rmtree(self.folder, ignore_errors=True)


class Client:
    def __init__(self, port, hello, is_lmtp):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=120)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file, self.is_lmtp = self.socket.makefile("rb"), is_lmtp
        self.reply()
        self.socket.sendall(f"{hello} mail.b.example\r\n".encode())
        self.reply()

    def reply(self):
        while True:
            line = self.file.readline()
            if line[3:4] != b"-":
                return line.decode()

    def bring(self, octets, recipients):
        """Until it is taken: who is greylisted comes again."""
        while True:
            rcpt = "".join(f"RCPT TO:<user{number}@example.com>\r\n" for number in range(recipients))
            self.socket.sendall(f"MAIL FROM:<a@b.example>\r\n{rcpt}DATA\r\n".encode())
            replies = [self.reply() for _ in range(recipients + 2)]
            if replies[-1].startswith("354"):
                break
            assert replies[1].startswith("451 4.7.1 greylisted"), replies
            self.socket.sendall(b"RSET\r\n")
            self.reply()
            time.sleep(0.5)
        self.socket.sendall(octets + b".\r\n")
        for _ in range(recipients if self.is_lmtp else 1):
            reply = self.reply()
            assert reply.startswith("250"), reply


def measure(port, hello, connections, recipients, messages):
    """Messages a second."""
    is_lmtp = hello == "LHLO"
    clients = [Client(port, hello, is_lmtp) for _ in range(connections)]
    clients[0].bring(messages.pop(), recipients)
    shares = [messages[index::connections] for index in range(connections)]

    def run(client, share):
        for octets in share:
            client.bring(octets, recipients)

    threads = [threading.Thread(target=run, args=pair) for pair in zip(clients, shares)]
    started = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(messages) / (time.monotonic() - started)


def main():
    number = 0
    rows = []
    for has_checks in (False, True):
        node = Node(has_checks)
        for name, port, hello, connections, recipients in (
            ("LMTP", node.lmtp, "LHLO", 1, 1),
            ("LMTP", node.lmtp, "LHLO", 8, 1),
            ("LMTP", node.lmtp, "LHLO", 8, USERS),
            ("relay-in", node.smtp, "EHLO", 1, 1),
            ("relay-in", node.smtp, "EHLO", 8, 1),
            ("relay-in", node.smtp, "EHLO", 8, USERS),
        ):
            # LMTP comes from mail systems of the operator: nothing is checked there
            if has_checks and name == "LMTP":
                continue
            count = max(COUNT // recipients // (4 if connections == 1 else 1), 20)
            messages = [SIGN(BODY.replace("{n}", f"{number + index}").encode())
                        for index in range(count + 1)]
            number += count + 1
            rate = measure(port, hello, connections, recipients, messages)
            checks = "all checks" if has_checks else "no checks"
            row = {"row": f"{name}, {checks}", "connections": connections,
                   "recipients": recipients, "messages_per_s": round(rate, 1),
                   "recipients_per_s": round(rate * recipients, 1)}
            rows.append(row)
            print(json.dumps(row), flush=True)
        node.stop()
    with open("checks.jsonl", "a") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    print(f"\n{'row':24} {'conn.':>5} {'rcpt':>5} {'messages/s':>11} {'recipients/s':>13}")
    for row in rows:
        print(f"{row['row']:24} {row['connections']:5} {row['recipients']:5} "
              f"{row['messages_per_s']:11} {row['recipients_per_s']:13}")


main()
