"""A certificate authority for tests: ACME (RFC 8555) over HTTPS, http-01 asked at a given port.

usage: acme_server.py FOLDER; prints its own port. FOLDER/ca.pem is its root; the store's port is
read from FOLDER/store-port when it is asked for an answer.
Signatures, nonces and URLs of requests are checked; certificates are made by openssl.
Names that begin with "elsewhere." have their answer looked for where nobody answers.
"""

import base64
import hashlib
import http.client
import http.server
import json
import os
import secrets
import ssl
import subprocess
import sys

FOLDER = sys.argv[1]
SPKI_P256 = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200")
NONCES, ACCOUNTS, ORDERS, AUTHORIZATIONS = set(), {}, {}, {}


def openssl(*arguments, stdin=None):
    done = subprocess.run(["openssl", *arguments], cwd=FOLDER, input=stdin, capture_output=True)
    if done.returncode != 0:
        raise ValueError(done.stderr.decode())
    return done.stdout


def make_authority():
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=Test CA", "-days", "3650")
    csr = openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                  "-keyout", "tls.key", "-subj", "/CN=localhost",
                  "-addext", "subjectAltName=DNS:localhost")
    sign(csr, "PEM", "tls.pem")


def sign(csr, form, out):
    openssl("x509", "-req", "-inform", form, "-CA", "ca.pem", "-CAkey", "ca.key", "-days", "90",
            "-set_serial", str(secrets.randbits(64)), "-copy_extensions", "copyall", "-out", out,
            stdin=csr)


def unbase64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def rebase64(octets):
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def der_integer(octets):
    octets = octets.lstrip(b"\0") or b"\0"
    octets = b"\0" + octets if octets[0] & 0x80 else octets
    return b"\x02" + bytes([len(octets)]) + octets


def verify(jwk, signed, signature):
    """ES256 (RFC 7518 §3.4)."""
    point = b"\x04" + unbase64(jwk["x"]) + unbase64(jwk["y"])
    both = der_integer(signature[:32]) + der_integer(signature[32:])
    names = [os.path.join(FOLDER, secrets.token_hex(8)) for _ in range(2)]
    with open(names[0], "wb") as file:
        file.write(SPKI_P256 + point)
    with open(names[1], "wb") as file:
        file.write(b"\x30" + bytes([len(both)]) + both)
    openssl("dgst", "-sha256", "-keyform", "DER", "-verify", names[0], "-signature", names[1],
            stdin=signed)


def thumbprint(jwk):
    """RFC 7638 §3."""
    text = json.dumps({name: jwk[name] for name in ("crv", "kty", "x", "y")},
                      separators=(",", ":"), sort_keys=True)
    return rebase64(hashlib.sha256(text.encode()).digest())


def answer_of(name, token):
    if name.startswith("elsewhere."):
        return ""
    with open(os.path.join(FOLDER, "store-port")) as file:
        connection = http.client.HTTPConnection("127.0.0.1", int(file.read()), timeout=10)
    path = "/.well-known/acme-challenge/" + token
    connection.request("GET", path, headers={"Host": name})
    return connection.getresponse().read().decode()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def url(self, path):
        return f"https://localhost:{PORT}{path}"

    def reply(self, status, body, kind="application/json", location=None):
        octets = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        nonce = secrets.token_hex(16)
        NONCES.add(nonce)
        self.send_response(status)
        self.send_header("Replay-Nonce", nonce)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(octets)))
        if location:
            self.send_header("Location", self.url(location))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(octets)

    def problem(self, kind, detail, status=400):
        body = {"type": "urn:ietf:params:acme:error:" + kind, "detail": detail, "status": status}
        self.reply(status, body, "application/problem+json")

    def do_HEAD(self):
        self.reply(200, "")

    def do_GET(self):
        self.reply(200, {
            "newNonce": self.url("/nonce"), "newAccount": self.url("/account"),
            "newOrder": self.url("/order"), "revokeCert": self.url("/revoke"),
            "keyChange": self.url("/key"),
        })

    def do_POST(self):
        jws = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        protected = json.loads(unbase64(jws["protected"]))
        if protected["nonce"] not in NONCES:
            return self.problem("badNonce", "unknown nonce")
        NONCES.remove(protected["nonce"])
        if protected["url"] != self.url(self.path):
            return self.problem("unauthorized", "another URL")
        jwk = protected.get("jwk") or ACCOUNTS[protected["kid"]]
        signed = (jws["protected"] + "." + jws["payload"]).encode()
        try:
            verify(jwk, signed, unbase64(jws["signature"]))
        except ValueError as error:
            return self.problem("malformed", str(error))
        payload = json.loads(unbase64(jws["payload"]) or b"null")
        kind, _, name = self.path[1:].partition("/")
        getattr(self, "post_" + kind)(jwk, payload, name)

    def post_account(self, jwk, payload, _):
        path = "/account/" + thumbprint(jwk)
        ACCOUNTS[self.url(path)] = jwk
        self.reply(201, {"status": "valid", "contact": payload.get("contact", [])}, location=path)

    def post_order(self, jwk, payload, name):
        if name:
            return self.reply(200, ORDERS[name], location="/order/" + name)
        name, token = secrets.token_hex(8), secrets.token_urlsafe(32)
        identifier = payload["identifiers"][0]
        challenge = {"type": "http-01", "url": self.url("/challenge/" + name), "token": token,
                     "status": "pending"}
        AUTHORIZATIONS[name] = {"status": "pending", "identifier": identifier,
                                "challenges": [challenge]}
        ORDERS[name] = {"status": "pending", "identifiers": payload["identifiers"],
                        "authorizations": [self.url("/authorization/" + name)],
                        "finalize": self.url("/finalize/" + name)}
        self.reply(201, ORDERS[name], location="/order/" + name)

    def post_authorization(self, jwk, payload, name):
        self.reply(200, AUTHORIZATIONS[name])

    def post_challenge(self, jwk, payload, name):
        authorization = AUTHORIZATIONS[name]
        challenge = authorization["challenges"][0]
        expected = challenge["token"] + "." + thumbprint(jwk)
        is_right = answer_of(authorization["identifier"]["value"], challenge["token"]) == expected
        challenge["status"] = authorization["status"] = "valid" if is_right else "invalid"
        ORDERS[name]["status"] = "ready" if is_right else "invalid"
        self.reply(200, challenge)

    def post_finalize(self, jwk, payload, name):
        order = ORDERS[name]
        if order["status"] != "ready":
            return self.problem("orderNotReady", "no proof", 403)
        sign(unbase64(payload["csr"]), "DER", name + ".pem")
        order.update(status="valid", certificate=self.url("/certificate/" + name))
        self.reply(200, order, location="/order/" + name)

    def post_certificate(self, jwk, payload, name):
        chain = "".join(open(os.path.join(FOLDER, file)).read() for file in (name + ".pem", "ca.pem"))
        self.reply(200, chain, "application/pem-certificate-chain")


make_authority()
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(os.path.join(FOLDER, "tls.pem"), os.path.join(FOLDER, "tls.key"))
server.socket = context.wrap_socket(server.socket, server_side=True)
PORT = server.server_address[1]
print(PORT, flush=True)
server.serve_forever()
