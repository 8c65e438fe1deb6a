#!/usr/bin/env python3
"""Every section of every message of a folder, fetched and judged.

    fetch_sections.py HOST PORT USER PASSWORD [FOLDER]

Each file is appended and every part of its BODYSTRUCTURE fetched. For all messages the sections must
fit together (header and text make the whole, a part's MIME header stands in front of it, partials are
slices, counts are true). For those outside `malformed` they must also be what a splitter written here
from RFC 2046, on Python's header parser, makes of the octets. Standard library only; the last line is
`N passed, M failed`; the exit code is 1 if anything failed.
"""

import base64
import binascii
import email.parser
import email.policy
import os
import quopri
import re
import socket
import sys

HOST, PORT, USER, PASSWORD = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
FOLDER = sys.argv[5] if len(sys.argv) > 5 else None
passed = failed = 0


def check(what, truth, seen=None):
    global passed, failed
    if truth:
        passed += 1
    else:
        failed += 1
        print(f"FAILED {what}" + (f": {seen!r}"[:400] if seen is not None else ""), flush=True)


class Imap:
    """Commands out, answers in as nested lists; literals and quoted strings are bytes."""

    def __init__(self):
        self.file = socket.create_connection((HOST, PORT), timeout=60).makefile("rwb")
        self.file.readline()
        self.tag = 0

    def line(self):
        whole = b""
        while True:
            line = self.file.readline()
            if not line:
                raise EOFError("closed")
            whole += line
            literal = re.search(rb"~?\{(\d+)\}\r\n$", line)
            if not literal:
                return whole[:-2]
            whole += self.file.read(int(literal.group(1)))

    def send(self, command, literal=None):
        self.tag += 1
        tag = b"t%d" % self.tag
        self.file.write(tag + b" " + command)
        if literal is not None:
            self.file.write(b"~{%d+}\r\n" % len(literal) + literal)
        self.file.write(b"\r\n")
        self.file.flush()
        untagged = []
        while True:
            line = self.line()
            if line.startswith(tag + b" "):
                return line[len(tag) + 1:], untagged
            untagged.append(line)

    def fetch(self, number, items):
        status, lines = self.send(b"FETCH %d (%s)" % (number, items))
        for line in lines:
            if line.startswith(b"* %d FETCH (" % number):
                values, _ = tokens(line, line.index(b"("))
                return status, {values[i].upper(): values[i + 1] for i in range(0, len(values) - 1, 2)}
        return status, {}


def tokens(line, at):
    """The list that opens at an offset, and the offset behind it. Atoms are str, strings bytes."""
    values = []
    at += 1
    while line[at:at + 1] != b")":
        octet = line[at:at + 1]
        if octet == b" ":
            at += 1
        elif octet == b"(":
            value, at = tokens(line, at)
            values.append(value)
        elif octet == b'"':
            end = at + 1
            while line[end:end + 1] != b'"':
                end += 2 if line[end:end + 1] == b"\\" else 1
            values.append(re.sub(rb"\\(.)", rb"\1", line[at + 1:end]))
            at = end + 1
        elif re.match(rb"~?\{\d+\}\r\n", line[at:at + 30]):
            marker = re.match(rb"~?\{(\d+)\}\r\n", line[at:at + 30])
            start = at + marker.end()
            at = start + int(marker.group(1))
            values.append(line[start:at])
        else:
            # an item's name may hold brackets with a list inside
            name = re.match(rb"[^ ()\[]+(\[[^\]]*\])?(<\d+>)?", line[at:]).group(0)
            values.append(name.decode())
            at += len(name)
    return values, at + 1


def with_crlf(octets):
    octets = re.sub(rb"\r?\n", b"\r\n", octets)
    return octets if octets.endswith(b"\r\n") else octets + b"\r\n"


# --- an independent view: octets to parts

def halves(octets):
    """Header with its empty line, and body."""
    if octets.startswith(b"\r\n"):
        return octets[:2], octets[2:]
    end = octets.find(b"\r\n\r\n")
    return (octets, b"") if end < 0 else (octets[:end + 4], octets[end + 4:])


def read_header(header):
    return email.parser.BytesHeaderParser(policy=email.policy.compat32).parsebytes(header)


def children(body, boundary):
    """The parts between delimiter lines (RFC 2046 §5.1.1); the CRLF before one belongs to it."""
    parts, start, is_closed = [], None, False
    at = 0
    for line in body.splitlines(keepends=True) if b"\n" in body else [body]:
        text = line.rstrip(b" \t\r\n")
        if text in (b"--" + boundary, b"--" + boundary + b"--"):
            if start is not None:
                part = body[start:at]
                parts.append(part[:-2] if part.endswith(b"\r\n") else part)
            start = at + len(line)
            if text.endswith(b"--") and text == b"--" + boundary + b"--":
                is_closed, start = True, None
                break
        at += len(line)
    if start is not None and not is_closed:
        parts.append(body[start:])
    return parts


def walk(octets, path, found, default="text/plain"):
    """part number → (MIME header, body) of all parts of a message's or part's octets."""
    header, body = halves(octets)
    fields = read_header(header)
    kind = fields.get_content_type() if fields["Content-Type"] else default
    boundary = fields.get_boundary()
    if kind.startswith("multipart/") and boundary:
        if path:
            found[path] = (header, body)
        inner = "message/rfc822" if kind == "multipart/digest" else "text/plain"
        for number, part in enumerate(children(body, boundary.encode("latin-1", "replace")), 1):
            walk(part, path + (number,), found, inner)
    elif kind == "message/rfc822" and path:
        found[path] = (header, body)
        if fields.get("Content-Transfer-Encoding", "").strip().lower() in ("base64", "quoted-printable"):
            return
        below = {}
        walk(body, (), below)
        inner_fields = read_header(halves(body)[0])
        if not inner_fields.get_content_type().startswith("multipart/"):
            below[(1,)] = halves(body)
        for number, part in below.items():
            found[path + number] = part
    else:
        found[path or (1,)] = (header, body)


# --- what is fetched

def leaves(body, path=()):
    """(path, structure) of all parts of a BODYSTRUCTURE."""
    if isinstance(body[0], list):
        for number, part in enumerate([p for p in body if isinstance(p, list)], 1):
            # the lists behind the subtype are extension data
            if body[number - 1] is not part:
                break
            yield from leaves(part, path + (number,))
        return
    own = path or (1,)
    yield own, body
    # an encoded message (which RFC 2046 §5.2.1 forbids) is a leaf to us: what is in it has no octets
    is_plain = body[5].lower() not in (b"base64", b"quoted-printable")
    is_message = body[0].lower() == b"message" and body[1].lower() == b"rfc822" and len(body) > 8
    if is_message and is_plain and isinstance(body[8], list):
        inner = body[8]
        for below, part in leaves(inner):
            yield own + below, part


def judge(imap, name, number, octets, is_formed):
    want = lambda item: imap.fetch(number, item)[1]
    whole = want(b"BODY.PEEK[] RFC822.SIZE BODYSTRUCTURE BODY.PEEK[HEADER] BODY.PEEK[TEXT]")
    check(f"{name}: octets", whole["BODY[]"] == octets)
    check(f"{name}: size", int(whole["RFC822.SIZE"]) == len(octets))
    header, text = whole["BODY[HEADER]"], whole["BODY[TEXT]"]
    check(f"{name}: header and text make the whole", header + text == octets)
    if is_formed:
        check(f"{name}: header", (header, text) == halves(octets), header[-60:])
    old = want(b"RFC822 RFC822.HEADER RFC822.TEXT")
    check(f"{name}: RFC822", (old["RFC822"], old["RFC822.HEADER"], old["RFC822.TEXT"]) == (octets, header, text))
    some = want(b"BODY.PEEK[HEADER.FIELDS (Subject From)] BODY.PEEK[HEADER.FIELDS.NOT (Subject From)]")
    named, others = some.values()
    check(f"{name}: fields are divided", named.endswith(b"\r\n") and others.endswith(b"\r\n"))
    check(f"{name}: fields", all(line in header for line in named[:-2].split(b"\r\n")), named)
    # a subset ends with the empty line, which the header has once or not at all
    check(f"{name}: no field is lost", 0 <= len(named) + len(others) - len(header) <= 4, (named, others))
    for offset, count in ((0, 1), (3, 7), (len(octets) - 2, 50), (len(octets), 5), (2**40, 5)):
        part = want(b"BODY.PEEK[]<%d.%d>" % (offset, count))
        check(f"{name}: <{offset}.{count}>", part.get(f"BODY[]<{offset}>") == octets[offset:offset + count], part)
    expected = {}
    if is_formed:
        walk(octets, (), expected)
    seen = set()
    for path, body in leaves(whole["BODYSTRUCTURE"]):
        seen.add(path)
        judge_part(imap, f"{name} part {'.'.join(map(str, path))}", number, path, body, octets, expected)
    if is_formed:
        multiparts = {p for p in expected if any(q[:len(p)] == p and q != p for q in expected)}
        check(f"{name}: the parts", seen | multiparts == set(expected) | seen, (sorted(seen), sorted(expected)))
    for item in (b"BODY.PEEK[99]", b"BODY.PEEK[1.99.MIME]"):
        status, got = imap.fetch(number, item)
        check(f"{name}: {item} does not exist", status.startswith(b"OK") and list(got.values()) in (["NIL"], [b""]), got)


def judge_part(imap, name, number, path, body, octets, expected):
    at = ".".join(map(str, path)).encode()
    status, got = imap.fetch(number, b"BODY.PEEK[%s] BODY.PEEK[%s.MIME] BODY.PEEK[%s]<2.5>" % (at, at, at))
    values = list(got.values())
    if len(values) != 3 or not all(isinstance(value, bytes) for value in values):
        check(f"{name}: three sections", False, (status, got))
        return
    part, mime, partial = values
    check(f"{name}: octets of the structure", int(body[6]) == len(part), (body[6], len(part)))
    check(f"{name}: in the message behind its header", mime + part in octets, (mime[:80], part[:80]))
    check(f"{name}: partial", partial == part[2:7], partial)
    if path in expected:
        ours, theirs = (mime, part), expected[path]
        if name.split(" ")[0] in LINE_ENDS:
            ours, theirs = [one.strip() for one in ours], [one.strip() for one in theirs]
        check(f"{name}: as Python splits it", ours == theirs, (theirs[1][-80:], part[-80:]))
    status, got = imap.fetch(number, b"BINARY.PEEK[%s] BINARY.SIZE[%s]" % (at, at))
    if not status.startswith(b"OK"):
        check(f"{name}: unknown encoding", b"[UNKNOWN-CTE]" in status, status)
        return
    binary, size = got[f"BINARY[{at.decode()}]"], got[f"BINARY.SIZE[{at.decode()}]"]
    check(f"{name}: BINARY.SIZE", int(size) == len(binary), (size, len(binary)))
    encoding = body[5].lower()
    if encoding == b"base64" and path in expected and body[0].lower() != b"message":
        try:
            decoded = base64.b64decode(re.sub(rb"[\r\n]", b"", part), validate=True)
            check(f"{name}: base64", binary == decoded)
        except binascii.Error:
            pass
    elif encoding == b"quoted-printable" and path in expected and re.fullmatch(rb"([^=]|=[0-9A-F]{2}|=\r\n)*", part):
        plain = re.sub(rb"[ \t]+(?=\r\n)", b"", part)
        if plain == part:
            decoded = quopri.decodestring(part.replace(b"\r\n", b"\n")).replace(b"\n", b"\r\n")
            if b"=0A" not in part and b"=0D" not in part:
                check(f"{name}: quoted-printable", binary == decoded, (binary[:80], decoded[:80]))
    elif encoding in (b"7bit", b"8bit", b"binary"):
        check(f"{name}: as it is", binary == part)


def samples():
    built_in = {
        "plain": b"Subject: x\r\nFrom: a@b\r\n\r\nHello\r\n",
        "no body": b"Subject: x\r\n\r\n",
        "two parts": b"Subject: x\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\npreamble\r\n--b\r\n\r\none\r\n"
                     b"--b\r\nContent-Transfer-Encoding: base64\r\n\r\naGVsbG8=\r\n--b--\r\n",
    }
    for name, octets in built_in.items():
        yield name, octets, True
    for folder, _, files in sorted(os.walk(FOLDER or "/nonexistent")):
        for file in sorted(files):
            if file.endswith(".md"):
                continue
            name = os.path.join(os.path.basename(folder), file)
            with open(os.path.join(folder, file), "rb") as opened:
                octets = with_crlf(opened.read())
            yield name, octets, os.path.basename(folder) in FORMED


# A header runs into the delimiter: its last line end is also the delimiter's (RFC 2046 §5.1.1), and we
# leave it to the header.
LINE_ENDS = ("thirdparty/011.eml", "thirdparty/015.eml")
FORMED = ("rfc", "thirdparty", "legacy")

imap = Imap()
imap.send(b'LOGIN "%s" "%s"' % (USER.encode(), PASSWORD.encode()))
imap.send(b"CREATE judged")
kept = []
for name, octets, is_formed in samples():
    status, _ = imap.send(b"APPEND judged ", octets)
    check(f"{name}: APPEND", status.startswith(b"OK"), status)
    if status.startswith(b"OK"):
        kept.append((name, octets, is_formed))
imap.send(b"SELECT judged")
for number, (name, octets, is_formed) in enumerate(kept, 1):
    try:
        judge(imap, name, number, octets, is_formed)
    except (KeyError, IndexError, ValueError, AttributeError) as error:
        check(f"{name}: judged", False, repr(error))
print(f"{passed} passed, {failed} failed")
sys.exit(1 if failed else 0)
