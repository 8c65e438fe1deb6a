"""SCRAM-SHA-256 and -PLUS (tls-server-end-point) by Python's own cryptography, at every door.

Arguments: ports of IMAP, POP3 and submission with TLS; name, password; `yes` or `no`: whether it is
the right one. Ends with a line of counts.
"""
import base64, hashlib, hmac, os, socket, ssl, sys

IMAP, POP3, SUBMISSION = map(int, sys.argv[1:4])
NAME, PASSWORD, EXPECTED = sys.argv[4], sys.argv[5], sys.argv[6] == "yes"
passed = failed = 0


def check(name, good, shown=""):
    global passed, failed
    if good:
        passed += 1
    else:
        failed += 1
        print("not so:", name, shown)


class Door:
    """One connection; challenges come as `prefix` and base64."""

    def __init__(self, port, prefix, command, hello=None):
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self.socket = context.wrap_socket(socket.create_connection(("127.0.0.1", port), timeout=60))
        self.file, self.prefix, self.command = self.socket.makefile("rb"), prefix, command
        self.line()
        if hello:
            self.send(hello)
            while self.line()[3:4] == "-":
                pass
        self.end_point = hashlib.sha256(self.socket.getpeercert(binary_form=True)).digest()

    def send(self, text):
        self.socket.sendall(text.encode() + b"\r\n")

    def line(self):
        line = self.file.readline()
        if not line:
            raise RuntimeError("closed")
        return line.decode().rstrip("\r\n")

    def answer(self, octets):
        self.send(base64.b64encode(octets).decode())
        return self.line()

    def challenge(self, line):
        return base64.b64decode(line[len(self.prefix):]) if line.startswith(self.prefix) else None


def digest(key, text):
    return hmac.new(key, text, hashlib.sha256).digest()


def scram(door, mechanism, name, password, header, bound=b""):
    """The last line, and the salt."""
    door.send(door.command + mechanism)
    line = door.line()
    if door.challenge(line) is None:
        return line, None
    nonce = base64.b64encode(os.urandom(12)).decode()
    bare = f"n={name},r={nonce}"
    line = door.answer((header + bare).encode())
    first = door.challenge(line)
    if first is None:
        return line, None
    fields = dict(field.split("=", 1) for field in first.decode().split(","))
    salt = base64.b64decode(fields["s"])
    assert fields["r"].startswith(nonce) and len(fields["r"]) > len(nonce) + 16
    assert int(fields["i"]) >= 4096
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, int(fields["i"]))
    client_key = digest(salted, b"Client Key")
    binding = base64.b64encode(header.encode() + bound).decode()
    without_proof = f"c={binding},r={fields['r']}"
    message = f"{bare},{first.decode()},{without_proof}".encode()
    signature = digest(hashlib.sha256(client_key).digest(), message)
    proof = bytes(a ^ b for a, b in zip(client_key, signature))
    line = door.answer(f"{without_proof},p={base64.b64encode(proof).decode()}".encode())
    last = door.challenge(line)
    if last is not None:
        expected = digest(digest(salted, b"Server Key"), message)
        check("the server knows the password", last == b"v=" + base64.b64encode(expected), last)
        door.send("")
        line = door.line()
    return line, salt


DOORS = {
    "imap": lambda: Door(IMAP, "+ ", "a AUTHENTICATE "),
    "pop3": lambda: Door(POP3, "+ ", "AUTH "),
    "submission": lambda: Door(SUBMISSION, "334 ", "AUTH ", "EHLO client.example"),
}
GOOD = {"imap": "a OK", "pop3": "+OK", "submission": "235 "}
for name, open_door in DOORS.items():
    def works(mechanism, user=NAME, password=PASSWORD, header="n,,", bound=b""):
        line, _ = scram(open_door(), mechanism, user, password, header, bound)
        return line.startswith(GOOD[name]), line

    good, line = works("SCRAM-SHA-256")
    check(f"{name}", good == EXPECTED, line)
    if not EXPECTED:
        continue
    good, line = works("SCRAM-SHA-256-PLUS", header="p=tls-server-end-point,,", bound=open_door().end_point)
    check(f"{name}, bound", good, line)
    refused = [
        ("wrong password", works("SCRAM-SHA-256", password="wrong")),
        ("bound to another", works("SCRAM-SHA-256-PLUS", header="p=tls-server-end-point,,", bound=b"x" * 32)),
        ("unknown binding", works("SCRAM-SHA-256-PLUS", header="p=tls-unique,,", bound=b"x")),
        ("somebody in between", works("SCRAM-SHA-256", header="y,,")),
        ("PLUS without binding", works("SCRAM-SHA-256-PLUS", header="n,,")),
        ("nobody", works("SCRAM-SHA-256", user="nobody")),
        ("as somebody else", works("SCRAM-SHA-256", header="n,a=other,")),
    ]
    for what, (good, line) in refused:
        check(f"{name}, {what}", not good, line)
    salts = [scram(open_door(), "SCRAM-SHA-256", who, "x", "n,,")[1] for who in ["ghost", "Ghost", NAME, NAME]]
    check(f"{name}, salts do not tell who exists", salts[0] == salts[1] != salts[2] == salts[3], salts)

print(f"{passed} passed, {failed} failed")
