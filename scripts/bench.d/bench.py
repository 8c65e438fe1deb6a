"""Eider against Dovecot, the same client for both, alternating rounds.
The HTTP API has no peer: its rows are of Eider alone.

Arguments: the eider binary, [messages, default 5000], [rounds, default 3].
Writes bench.jsonl (one object a measurement) and prints a table of medians and ratios.
"""
import http.client, itertools, json, math, os, pwd, re, shutil, signal, socket, statistics, subprocess, sys, tempfile, threading, time

EIDER, COUNT, ROUNDS = sys.argv[1], int((sys.argv[2:3] or [5000])[0]), int((sys.argv[3:4] or [3])[0])
# Connections whose memory is measured; many, so that buffers kept from the rows before do not hide them.
IDLE = 500
USER, PASSWORD = "bench", "bench-password"
MESSAGE = (
    "From: Sender <sender@example.org>\r\nTo: bench@example.com\r\nSubject: measured {n}\r\n"
    "Date: Mon, 23 Nov 2026 10:00:00 +0000\r\nMessage-ID: <{n}@example.org>\r\nMIME-Version: 1.0\r\n"
    "Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\n"
    + "A line of text that is somewhat like mail.\r\n" * 90
    + "--b\r\nContent-Type: text/html\r\n\r\n" + "<p>A line of text that is somewhat like mail.</p>\r\n" * 100
    + "--b--\r\n"
)


def message(number):
    return MESSAGE.replace("{n}", str(number)).encode()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Line:
    """A buffered socket."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=120)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile("rb", 1 << 20)

    def send(self, octets):
        self.socket.sendall(octets)

    def close(self):
        """Both: the socket stays open while its file does."""
        self.file.close()
        self.socket.close()

    def line(self):
        line = self.file.readline()
        if not line:
            raise RuntimeError("the server closed")
        return line


class Imap(Line):
    def __init__(self, port):
        super().__init__(port)
        self.line()
        self.octets = 0
        self.command(f'LOGIN {USER} "{PASSWORD}"')

    def finish(self, tag=b"a "):
        while True:
            line = self.line()
            self.octets += len(line)
            while line.endswith(b"}\r\n"):
                size = int(line[line.rindex(b"{") + 1:-3])
                self.octets += len(self.file.read(size))
                line = self.line()
                self.octets += len(line)
            if line.startswith(tag):
                if not line.startswith(tag + b"OK"):
                    raise RuntimeError(line)
                return line

    def command(self, text):
        self.send(f"a {text}\r\n".encode())
        return self.finish()

    def status(self, item):
        self.send(f"s STATUS INBOX ({item})\r\n".encode())
        line = self.line()
        while b"STATUS" not in line:
            line = self.line()
        self.finish(b"s ")
        return int(re.search(item.encode() + rb" (\d+)", line).group(1))

    def uid_next(self):
        return self.status("UIDNEXT")

    def mod_seq(self):
        return self.status("HIGHESTMODSEQ")

    def append(self, mailbox, octets):
        self.send(f"a APPEND {mailbox} {{{len(octets)}+}}\r\n".encode() + octets + b"\r\n")
        return self.finish()


class Api:
    """One kept connection."""

    def __init__(self, server):
        self.connection = http.client.HTTPConnection("127.0.0.1", server.api, timeout=120)
        self.connection.connect()
        self.connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.headers = {"X-Access-Token": server.token, "Content-Type": "application/json"}

    def call(self, method, path, values=None):
        body = None if values is None else json.dumps(values)
        self.connection.request(method, path, body, self.headers)
        answer = self.connection.getresponse()
        octets = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{method} {path}: {answer.status} {octets[:300]}")
        return json.loads(octets)


class Lmtp(Line):
    def __init__(self, port, greeting="LHLO"):
        super().__init__(port)
        self.reply()
        self.send(f"{greeting} bench\r\n".encode())
        self.reply()

    def reply(self):
        while True:
            line = self.line()
            if line[3:4] != b"-":
                if line[:1] not in b"23":
                    raise RuntimeError(line)
                return line

    def deliver(self, octets):
        self.send(f"MAIL FROM:<s@example.org>\r\nRCPT TO:<{USER}@example.com>\r\nDATA\r\n".encode())
        for _ in range(3):
            self.reply()
        self.send(octets + b".\r\n")
        self.reply()


def wait_for(port, seconds=60):
    end = time.time() + seconds
    while time.time() < end:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"nothing listens on {port}")


def rss_kb(pids):
    total = 0
    for pid in pids:
        try:
            text = open(f"/proc/{pid}/smaps_rollup").read()
            total += int(re.search(r"^Pss:\s+(\d+)", text, re.M).group(1))
        except (OSError, AttributeError):
            pass
    return total


def descendants(pid):
    found = [pid]
    for child in subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True).stdout.split():
        found += descendants(int(child))
    return found


class Eider:
    name = "eider"

    def __init__(self, folder, is_new=True):
        self.imap, self.lmtp, self.api = free_port(), free_port(), free_port()
        self.smtp = free_port()
        env = dict(os.environ, EIDER_DATA_DIR=folder, EIDER_IMAP__LISTEN=f"127.0.0.1:{self.imap}",
                   EIDER_IMAP__LISTEN_TLS="127.0.0.1:0", EIDER_POP3__LISTEN="127.0.0.1:0",
                   EIDER_POP3__LISTEN_TLS="127.0.0.1:0", EIDER_LMTP__LISTEN=f"127.0.0.1:{self.lmtp}",
                   EIDER_SMTP__LISTEN=f"127.0.0.1:{self.smtp}", EIDER_SUBMISSION__LISTEN="127.0.0.1:0",
                   EIDER_SUBMISSION__LISTEN_TLS="127.0.0.1:0",
                   EIDER_IMAP__CONNECTIONS_PER_USER_MAX="5000",
                   EIDER_API__LISTEN=f"127.0.0.1:{self.api}", EIDER_LOG__LEVEL="warn")
        start = time.perf_counter()
        self.process = subprocess.Popen([EIDER, "serve"], env=env, stdout=subprocess.DEVNULL)
        wait_for(self.imap)
        self.started_s = time.perf_counter() - start
        wait_for(self.api)
        self.token = open(f"{folder}/root-token").read().strip()
        if not is_new:
            return
        values = {"username": USER, "password": PASSWORD, "address": f"{USER}@example.com", "quota": 1 << 40}
        Api(self).call("POST", "/users", values)

    def memory_kb(self):
        return rss_kb([self.process.pid])

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)


class Dovecot:
    name = "dovecot"

    def __init__(self, folder):
        self.imap, self.lmtp = free_port(), free_port()
        os.chmod(folder, 0o755)
        mail = f"{folder}/mail"
        os.mkdir(mail)
        owner = pwd.getpwnam("nobody")
        os.chown(mail, owner.pw_uid, owner.pw_gid)
        open(f"{folder}/passwd", "w").write(f"{USER}:{{PLAIN}}{PASSWORD}::::::\n")
        open(f"{folder}/dovecot.conf", "w").write(f"""
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
protocols = imap lmtp
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
mail_location = maildir:{mail}/%n
first_valid_uid = 1
auth_username_format = %n
mail_max_userip_connections = 5000
default_client_limit = 6000
default_process_limit = 5000
default_vsz_limit = 1G
passdb {{
  driver = passwd-file
  args = {folder}/passwd
}}
userdb {{
  driver = static
  args = uid={owner.pw_uid} gid={owner.pw_gid} home={mail}/%n
}}
service imap-login {{
  inet_listener imap {{
    port = {self.imap}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service imap {{
  process_limit = 5000
}}
service lmtp {{
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {self.lmtp}
  }}
}}
""")
        self.process = subprocess.Popen(["dovecot", "-F", "-c", f"{folder}/dovecot.conf"])
        wait_for(self.imap)
        wait_for(self.lmtp)

    def memory_kb(self):
        return rss_kb(descendants(self.process.pid))

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)


def parallel(connections, total, work):
    failures = []

    def run(share):
        try:
            work(share)
        except Exception as error:  # a failed worker fails the run, not silently one thread
            failures.append(error)

    shares = [range(k, total, connections) for k in range(connections)]
    threads = [threading.Thread(target=run, args=(share,)) for share in shares]
    start = time.perf_counter()
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    if failures:
        raise failures[0]
    return time.perf_counter() - start


def timed(work):
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def idling(server):
    imap = Imap(server.imap)
    imap.command("SELECT INBOX")
    imap.send(b"i IDLE\r\n")
    imap.line()
    return imap


def measure(server, base):
    """All rows for one server, as (row, unit, value); larger is better unless the unit is KB."""
    def deliver(share):
        lmtp = Lmtp(server.lmtp)
        for number in share:
            lmtp.deliver(message(base + number))

    def append(share):
        imap = Imap(server.imap)
        for number in share:
            imap.append("INBOX", message(base + 100_000_000 + number))

    # First, before buffers of other rows can hide it; as many before the measured ones, so that
    # memory freed by logins is used up
    idle = [idling(server) for _ in range(IDLE)]
    time.sleep(1)
    before = server.memory_kb()
    idle += [idling(server) for _ in range(IDLE)]
    time.sleep(1)
    yield "idle connection", "KB", (server.memory_kb() - before) / IDLE
    for connection in idle:
        connection.close()
    few = COUNT // 5
    yield "LMTP, 1 connection", "msg/s", few / parallel(1, few, deliver)
    yield "LMTP, 8 connections", "msg/s", (COUNT - few) / parallel(8, COUNT - few, deliver)
    imap = Imap(server.imap)
    imap.command("SELECT INBOX")
    # the messages of this round, which nobody has read yet
    last = imap.uid_next() - 1
    new = f"{last - COUNT + 1}:{last}"
    full = "(UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODYSTRUCTURE)"
    yield "first sync", "msg/s", COUNT / timed(lambda: imap.command(f"UID FETCH {new} {full}"))
    yield "sync by a second client", "msg/s", COUNT / timed(lambda: imap.command(f"UID FETCH {new} {full}"))
    yield "FETCH FLAGS", "msg/s", COUNT / timed(lambda: imap.command(f"UID FETCH {new} (FLAGS)"))
    yield "SELECT", "1/s", 1 / timed(lambda: imap.command("SELECT INBOX"))
    yield "full fetch", "msg/s", COUNT / timed(lambda: imap.command(f"UID FETCH {new} (BODY.PEEK[])"))
    since = imap.mod_seq()
    imap.command(f"UID STORE {last - 99}:{last} +FLAGS.SILENT (\\Answered)")
    changes = f"UID FETCH 1:* (UID FLAGS) (CHANGEDSINCE {since})"
    yield "resync, 100 changes", "1/s", 1 / timed(lambda: imap.command(changes))
    yield "STORE on a range", "msg/s", COUNT / timed(
        lambda: imap.command(f"UID STORE {new} +FLAGS.SILENT (\\Flagged)"))
    yield "APPEND, 1 connection", "msg/s", few / parallel(1, few, append)
    yield "APPEND, 8 connections", "msg/s", few / parallel(8, few, append)


def measure_relay(server, base):
    """Mail of other servers, which has no peer here."""
    def deliver(share):
        smtp = Lmtp(server.smtp, "EHLO")
        for number in share:
            smtp.deliver(message(base + 200_000_000 + number))

    # strangers may send a user 60 messages a minute where nothing else is said
    api = Api(server)
    user = api.call("GET", f"/users/resolve/{USER}")["id"]
    api.call("PUT", f"/users/{user}", {"receivedMax": 1 << 40})
    few = COUNT // 5
    yield "relay-in, 1 connection", "msg/s", few / parallel(1, few, deliver)
    yield "relay-in, 8 connections", "msg/s", (COUNT - few) / parallel(8, COUNT - few, deliver)


def measure_api(server, base):
    """Rows of the HTTP API, which has no peer here: lists, messages and new users on 8 connections."""
    api = Api(server)
    user = api.call("GET", f"/users/resolve/{USER}")["id"]
    path = f"/users/{user}/mailboxes"
    inbox = api.call("GET", f"{path}/resolve?path=INBOX")["id"]
    path += f"/{inbox}/messages"
    newest = api.call("GET", f"{path}?limit=250")["results"]

    def lists(share):
        api = Api(server)
        for _ in share:
            page = api.call("GET", f"{path}?limit=20")
            if len(page["results"]) != 20:
                raise RuntimeError("a page of 20 messages is expected")

    def gets(share):
        api = Api(server)
        for number in share:
            api.call("GET", f"{path}/{newest[number % len(newest)]['id']}")

    def creates(share):
        api = Api(server)
        for number in share:
            api.call("POST", "/users", {"username": f"user{base + number}", "password": PASSWORD})

    few, least = COUNT // 5, COUNT // 50
    yield "API, list of 20 messages, 8 connections", "1/s", few / parallel(8, few, lists)
    yield "API, a message, 8 connections", "1/s", few / parallel(8, few, gets)
    yield "API, new user, 8 connections", "1/s", least / parallel(8, least, creates)


def main():
    folders = [tempfile.mkdtemp(prefix="eider-bench-") for _ in range(2)]
    servers = []
    rows = {}
    out = open("bench.jsonl", "w")
    try:
        servers.append(Eider(folders[0]))
        print(f"idle store: {servers[0].memory_kb()} KB without its database", flush=True)
        servers.pop().stop()
        servers.append(Eider(folders[0], is_new=False))
        print(f"start with a warm database: {servers[0].started_s:.2f} s to the first connection", flush=True)
        servers.append(Dovecot(folders[1]))
        for round_number in range(ROUNDS):
            for server in servers:
                measured = measure(server, round_number * COUNT)
                if isinstance(server, Eider):
                    base = round_number * COUNT
                    measured = itertools.chain(
                        measured, measure_relay(server, base), measure_api(server, base))
                for row, unit, value in measured:
                    rows.setdefault((row, unit), {}).setdefault(server.name, []).append(value)
                    record = {"round": round_number, "server": server.name, "row": row, "unit": unit, "value": value}
                    out.write(json.dumps(record) + "\n")
                    out.flush()
    finally:
        for server in servers:
            server.stop()
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)
    print(f"\n| Row ({COUNT} messages, {ROUNDS} rounds, median) | Eider | Dovecot | Eider/Dovecot |\n|---|--:|--:|--:|")
    for (row, unit), values in rows.items():
        eider, dovecot = (statistics.median(values.get(name, [math.nan])) for name in ("eider", "dovecot"))
        peer = "– | –" if math.isnan(dovecot) else f"{dovecot:.0f} | {eider / max(dovecot, 0.001):.2f}"
        print(f"| {row}, {unit} | {eider:.0f} | {peer} |")


if __name__ == "__main__":
    main()
