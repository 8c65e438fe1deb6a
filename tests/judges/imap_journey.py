#!/usr/bin/env python3
"""A journey through the IMAP door: every base command, and what it answers to mistakes.

    imap_journey.py HOST PORT USER PASSWORD

Standard library only: imaplib for what clients do, raw sockets for what they should not. The user needs
nothing but to exist; mailboxes are made under a name of this run and removed. The last line is
`N passed, M failed`; the exit code is 1 if anything failed.
"""

import base64
import imaplib
import re
import socket
import ssl
import sys
import time

HOST, PORT, USER, PASSWORD = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
RUN = f"journey{int(time.time() * 1000) % 10**9}"
passed = failed = 0


def check(what, truth, seen=None):
    global passed, failed
    if truth:
        passed += 1
    else:
        failed += 1
        print(f"FAILED {what}" + (f": {seen!r}" if seen is not None else ""), flush=True)


class Raw:
    """A client that sends what it is told and reads whole responses."""

    def __init__(self):
        self.socket = socket.create_connection((HOST, PORT), 20)
        self.file = self.socket.makefile("rb")
        self.count = 0
        self.greeting = self.line()

    def send(self, data):
        self.socket.sendall(data if isinstance(data, bytes) else data.encode())

    def line(self):
        """One response with its literals."""
        whole = b""
        while True:
            line = self.file.readline()
            if not line:
                return whole
            whole += line
            literal = re.search(rb"\{(\d+)\}\r\n$", line)
            if not literal and re.match(rb"\* (LIST|LSUB|STATUS) ", whole):
                # a mailbox name may be quoted or not
                return re.sub(rb'"(journey[^"]*|INBOX)"', rb"\1", whole)
            if not literal:
                return whole
            whole += self.file.read(int(literal.group(1)))

    def until(self, tag):
        lines = []
        while True:
            line = self.line()
            lines.append(line)
            if not line or line.startswith(tag.encode() + b" "):
                return lines

    def command(self, *pieces):
        """Sends a command; pieces after the first are sent as synchronising literals (bytes) or text."""
        self.count += 1
        tag = f"a{self.count}"
        data = f"{tag} ".encode()
        early = []
        for piece in pieces:
            if isinstance(piece, bytes):
                self.send(data + b"{%d}\r\n" % len(piece))
                while True:
                    line = self.line()
                    if line.startswith(b"+"):
                        break
                    early.append(line)
                    if not line or line.startswith(tag.encode() + b" "):
                        return early
                data = piece
            else:
                data += piece.encode()
        self.send(data + b"\r\n")
        return early + self.until(tag)

    def ok(self, what, *pieces):
        lines = self.command(*pieces)
        check(what, status(lines) == "OK", lines)
        return lines

    def no(self, what, code, *pieces):
        lines = self.command(*pieces)
        good = status(lines) == "NO" and (code is None or f"[{code}".encode() in lines[-1])
        check(what, good, lines)
        return lines

    def bad(self, what, *pieces):
        lines = self.command(*pieces)
        check(what, status(lines) == "BAD", lines)
        return lines

    def login(self):
        self.ok("LOGIN", f'LOGIN "{USER}" "{PASSWORD}"')
        return self

    def close(self):
        self.file.close()
        self.socket.close()


def status(lines):
    words = lines[-1].split(b" ", 2)
    return words[1].decode() if len(words) > 1 else "EOF"


def has(lines, pattern):
    return any(re.search(pattern.encode() if isinstance(pattern, str) else pattern, line, re.I | re.S)
               for line in lines)


def message(number, body="A body.\r\n", extra=""):
    return (f"From: Anna <anna@example.com>\r\nTo: bo@example.org\r\nSubject: Message {number}\r\n"
            f"Date: Mon, 7 Feb 1994 21:52:25 -0800\r\nMessage-ID: <{number}.{RUN}@example.com>\r\n"
            f"{extra}\r\n{body}").encode()


MULTIPART = (
    "From: =?utf-8?q?Zo=C3=AB?= <zoe@example.com>\r\nTo: bo@example.org\r\n"
    "Subject: =?iso-8859-1?q?caf=E9?= notes\r\nMIME-Version: 1.0\r\n"
    "Content-Type: multipart/mixed; boundary=\"b1\"\r\n\r\nprologue\r\n--b1\r\n"
    "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
    "Gr=C3=BC=C3=9Fe aus K=C3=B6ln\r\n--b1\r\n"
    "Content-Type: message/rfc822\r\n\r\nSubject: Inner\r\nFrom: inner@example.com\r\n\r\ninner body\r\n"
    "--b1\r\nContent-Type: text/html; name=\"x.html\"\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    + base64.b64encode(b"<p>Hyper<b>text</b> here</p>").decode() + "\r\n--b1--\r\nepilogue\r\n").encode()


def before_login():
    raw = Raw()
    check("greeting", raw.greeting.startswith(b"* OK [CAPABILITY IMAP4"), raw.greeting)
    lines = raw.ok("CAPABILITY", "CAPABILITY")
    for word in ("IMAP4rev1", "IMAP4rev2", "LITERAL+", "SASL-IR", "ID", "ENABLE"):
        check(f"capability {word}", has(lines, rf" {re.escape(word)}[ \r]"), lines)
    raw.ok("NOOP before login", "NOOP")
    check("ID", has(raw.ok("ID", 'ID ("name" "journey" "version" NIL)'), r"^\* ID \("))
    raw.ok("ID NIL", "ID NIL")
    raw.bad("SELECT before login", "SELECT INBOX")
    raw.bad("unknown command", "FROBNICATE")
    raw.bad("missing argument", "LOGIN onlyuser")
    raw.bad("trailing argument", "NOOP extra")
    raw.send(b"\r\n")
    check("empty line is BAD", b" BAD" in raw.line())
    raw.send(b"* NOOP\r\n")
    check("a tag * is BAD", b" BAD" in raw.line())
    raw.no("wrong password", "AUTHENTICATIONFAILED", f'LOGIN "{USER}" "wrong {RUN}"')
    raw.no("unknown mechanism", None, "AUTHENTICATE X-NONE")
    raw.send("c1 AUTHENTICATE PLAIN\r\n")
    check("AUTHENTICATE asks", raw.line().startswith(b"+"))
    raw.send("*\r\n")
    check("AUTHENTICATE cancelled", status(raw.until("c1")) == "BAD")
    raw.send("c2 AUTHENTICATE PLAIN\r\n")
    raw.line()
    raw.send("!!!\r\n")
    check("AUTHENTICATE with bad base64", status(raw.until("c2")) == "BAD")
    plain = base64.b64encode(f"\0{USER}\0{PASSWORD}".encode()).decode()
    raw.send("c3 AUTHENTICATE PLAIN\r\n")
    raw.line()
    raw.send(plain + "\r\n")
    check("AUTHENTICATE PLAIN", status(raw.until("c3")) == "OK")
    raw.bad("LOGIN twice", f'LOGIN "{USER}" "{PASSWORD}"')
    raw.bad("EXPUNGE without a mailbox", "EXPUNGE")
    check("BYE", has(raw.ok("LOGOUT", "LOGOUT"), r"^\* BYE"))
    check("closed", raw.line() == b"")

    raw = Raw()
    raw.ok("AUTHENTICATE PLAIN with initial response", f"AUTHENTICATE PLAIN {plain}")
    raw.close()
    raw = Raw()
    raw.ok("LOGIN with literals", "LOGIN ", USER.encode(), " ", PASSWORD.encode())
    raw.close()
    raw = Raw()
    raw.send(f"n1 LOGIN {{{len(USER)}+}}\r\n{USER} {{{len(PASSWORD)}+}}\r\n{PASSWORD}\r\n")
    check("LOGIN with non-synchronising literals", status(raw.until("n1")) == "OK")
    raw.close()
    raw = Raw()
    raw.send("l1 AUTHENTICATE LOGIN\r\n")
    raw.line()
    raw.send(base64.b64encode(USER.encode()) + b"\r\n")
    raw.line()
    raw.send(base64.b64encode(PASSWORD.encode()) + b"\r\n")
    check("AUTHENTICATE LOGIN", status(raw.until("l1")) == "OK")
    raw.close()
    raw = Raw()
    raw.send(b"z1 LOGIN {999999999}\r\n")
    check("huge literal refused", status(raw.until("z1")) in ("BAD", "NO"))
    raw.close()


def starttls():
    raw = Raw()
    if not has(raw.command("CAPABILITY"), "STARTTLS"):
        return raw.close()
    # what follows STARTTLS in the same packet must not be run inside TLS
    raw.send("s1 STARTTLS\r\ns2 NOOP\r\n")
    check("STARTTLS", status(raw.until("s1")) == "OK")
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    raw.socket = context.wrap_socket(raw.socket, server_hostname="localhost")
    raw.file = raw.socket.makefile("rb")
    lines = raw.command("CAPABILITY")
    check("injected command discarded", not has(lines, "^s2 "), lines)
    check("no STARTTLS in TLS", not has(lines, "STARTTLS"), lines)
    raw.login()
    raw.bad("STARTTLS after login", "STARTTLS")
    raw.close()


def mailboxes():
    raw = Raw().login()
    raw.ok("CREATE", f"CREATE {RUN}")
    raw.no("CREATE again", "ALREADYEXISTS", f"CREATE {RUN}")
    raw.no("CREATE INBOX", None, "CREATE INBOX")
    raw.ok("CREATE with parents", f"CREATE {RUN}/a/b/c")
    raw.ok("CREATE with trailing delimiter", f"CREATE {RUN}/t/")
    raw.no("CREATE with empty level", None, f"CREATE {RUN}//x")
    lines = raw.ok("LIST %", f'LIST "" {RUN}/%')
    check("LIST % has a and t", has(lines, rf"{RUN}/a\r") and has(lines, rf"{RUN}/t\r"), lines)
    check("LIST % has no deeper", not has(lines, rf"{RUN}/a/b"), lines)
    check("HasChildren", has(lines, rf"\\HasChildren[^\r]*{RUN}/a\r"), lines)
    check("HasNoChildren", has(lines, rf"\\HasNoChildren[^\r]*{RUN}/t\r"), lines)
    check("LIST *", has(raw.ok("LIST *", f'LIST "{RUN}/" *'), rf"{RUN}/a/b/c"))
    check("LIST delimiter", has(raw.ok("LIST root", 'LIST "" ""'), rb'^\* LIST \(\\Noselect\) "/" ""'))
    check("LIST INBOX in any case", has(raw.ok("LIST inbox", 'LIST "" inbox'), r"INBOX"))
    check("NAMESPACE", has(raw.ok("NAMESPACE", "NAMESPACE"), r'^\* NAMESPACE \(\("" "/"\)\) \(\("Other Users/" "/"\)\) NIL'))
    raw.ok("SUBSCRIBE", f"SUBSCRIBE {RUN}/a/b")
    raw.ok("UNSUBSCRIBE", f"UNSUBSCRIBE {RUN}/t")
    lines = raw.ok("LSUB", f'LSUB "" {RUN}/*')
    check("LSUB has it", has(lines, rf"LSUB [^\r]*{RUN}/a/b\r"), lines)
    check("LSUB has not", not has(lines, rf"{RUN}/t\r"), lines)
    lines = raw.ok("LIST (SUBSCRIBED)", f'LIST (SUBSCRIBED) "" {RUN}/*')
    check("subscribed only", has(lines, rf"\\Subscribed[^\r]*{RUN}/a/b\r") and not has(lines, rf"{RUN}/t\r"),
          lines)
    lines = raw.ok("LIST (SUBSCRIBED RECURSIVEMATCH)", f'LIST (SUBSCRIBED RECURSIVEMATCH) "" {RUN}')
    check("CHILDINFO", has(lines, rf'{RUN} \("CHILDINFO" \("SUBSCRIBED"\)\)'), lines)
    lines = raw.ok("LIST RETURN", f'LIST "" ({RUN} {RUN}/t) RETURN (SUBSCRIBED CHILDREN STATUS (MESSAGES UIDNEXT))')
    check("LIST-STATUS", has(lines, rf"^\* STATUS {RUN}/t \(MESSAGES 0 UIDNEXT 1\)"), lines)
    check("special-use", has(raw.ok("LIST special", 'LIST (SPECIAL-USE) "" *'), r"\\Sent|\\Trash"))
    raw.ok("RENAME", f"RENAME {RUN}/a {RUN}/z")
    lines = raw.ok("LIST after RENAME", f'LIST "" {RUN}/*')
    check("children follow", has(lines, rf"{RUN}/z/b/c") and not has(lines, rf"{RUN}/a"), lines)
    raw.no("RENAME to existing", "ALREADYEXISTS", f"RENAME {RUN}/z {RUN}/t")
    raw.no("RENAME missing", "NONEXISTENT", f"RENAME {RUN}/none {RUN}/some")
    raw.no("DELETE INBOX", None, "DELETE INBOX")
    raw.no("DELETE missing", "NONEXISTENT", f"DELETE {RUN}/none")
    raw.ok("DELETE", f"DELETE {RUN}/t")
    raw.no("SELECT deleted", "NONEXISTENT", f"SELECT {RUN}/t")
    raw.ok("CREATE UTF-7", f'CREATE "{RUN}/Entw&APw-rfe"')
    check("UTF-7 comes back", has(raw.ok("LIST", f'LIST "" "{RUN}/E*"'), r"Entw&APw-rfe"))
    raw.ok("ENABLE", "ENABLE UTF8=ACCEPT")
    check("UTF-8 names", has(raw.ok("LIST", f'LIST "" "{RUN}/E*"'), "Entwürfe".encode()))
    lines = raw.ok("STATUS", f"STATUS {RUN} (MESSAGES UNSEEN UIDNEXT UIDVALIDITY SIZE HIGHESTMODSEQ DELETED)")
    check("STATUS items", has(lines, r"MESSAGES 0") and has(lines, r"SIZE 0") and has(lines, r"UIDVALIDITY [1-9]"),
          lines)
    raw.no("STATUS missing", "NONEXISTENT", "STATUS nowhere (MESSAGES)")
    raw.bad("STATUS bad item", "STATUS INBOX (COLOUR)")
    raw.close()


def appending():
    raw = Raw().login()
    raw.no("APPEND to nowhere", "TRYCREATE", "APPEND nowhere ", message(0))
    lines = raw.ok("APPEND", f"APPEND {RUN} ", message(1))
    check("APPENDUID", has(lines, r"OK \[APPENDUID [1-9]\d* 1\]"), lines)
    raw.ok("APPEND flags and date",
           f'APPEND {RUN} (\\Seen \\Flagged $Work) "17-Jul-1996 02:44:25 -0700" ', message(2))
    data = message(3)
    raw.send(f"p1 APPEND {RUN} (\\Draft) {{{len(data)}+}}\r\n".encode() + data + b"\r\n")
    check("APPEND LITERAL+", status(raw.until("p1")) == "OK")
    raw.ok("APPEND multipart", f"APPEND {RUN} ", MULTIPART)
    raw.bad("APPEND bad date", f'APPEND {RUN} "99-Foo-1996 02:44:25 -0700" ', message(9))
    raw.send(f"p2 APPEND {RUN} {{99999999999}}\r\n")
    lines = raw.until("p2")
    check("too large refused before it is sent", status(lines) in ("NO", "BAD") and not has(lines, r"^\+"), lines)
    raw.ok("the session goes on", "NOOP")
    raw.close()


def fetching():
    raw = Raw().login()
    lines = raw.ok("SELECT", f"SELECT {RUN}")
    for what in (r"^\* FLAGS \(.*\\Seen.*\)", r"^\* 4 EXISTS", r"\[UIDVALIDITY \d+\]", r"\[UIDNEXT 5\]",
                 r"PERMANENTFLAGS \(.*\\\*\)", r"OK \[READ-WRITE\]", r"\* LIST |\[UNSEEN 1\]"):
        check(f"SELECT says {what}", has(lines, what), lines)
    lines = raw.ok("FETCH FLAGS", "FETCH 2 (FLAGS UID RFC822.SIZE INTERNALDATE)")
    check("flags", has(lines, r"\\Seen") and has(lines, r"\\Flagged") and has(lines, r"\$Work"), lines)
    check("UID", has(lines, r"UID 2[ )]"), lines)
    check("size", has(lines, rf"RFC822.SIZE {len(message(2))}[ )]"), lines)
    check("internal date", has(lines, r'INTERNALDATE "17-Jul-1996 09:44:25 \+0000"'), lines)
    lines = raw.ok("FETCH BODY.PEEK[]", "UID FETCH 1 BODY.PEEK[]")
    check("octets come back", message(1) in b"".join(lines), lines)
    check("no \\Seen by PEEK", not has(raw.command("FETCH 1 FLAGS"), r"\\Seen"))
    lines = raw.ok("FETCH RFC822.HEADER", "FETCH 1 RFC822.HEADER")
    check("RFC822.HEADER", has(lines, r"RFC822.HEADER \{\d+\}\r\nFrom: Anna"), lines)
    lines = raw.ok("FETCH BODY[TEXT]", "FETCH 1 BODY[TEXT]")
    check("BODY[TEXT]", has(lines, r"BODY\[TEXT\] (\{9\}\r\nA body\.\r\n|\"A body)"), lines)
    check("\\Seen told", has(lines, r"FLAGS \(\\Seen\)") or has(raw.command("FETCH 1 FLAGS"), r"\\Seen"), lines)
    lines = raw.ok("partial", "FETCH 1 BODY.PEEK[]<2.5>")
    check("partial octets", has(lines, r"BODY\[\]<2> (\{5\}\r\n|\")om: A"), lines)
    lines = raw.ok("partial beyond", "FETCH 1 BODY.PEEK[]<100000.5>")
    check("empty partial", has(lines, r'BODY\[\]<100000> (""|\{0\})'), lines)
    lines = raw.ok("header fields", "FETCH 1 BODY.PEEK[HEADER.FIELDS (Subject To)]")
    check("named fields", has(lines, r"HEADER.FIELDS \(Subject To\)\] \{\d+\}\r\nTo: bo@example.org\r\n"
                                     r"Subject: Message 1\r\n\r\n"), lines)
    lines = raw.ok("header fields not", "FETCH 1 BODY.PEEK[HEADER.FIELDS.NOT (Subject To)]")
    check("other fields", has(lines, r"\nFrom: Anna") and not has(lines, r"\nTo: bo"), lines)
    lines = raw.ok("ENVELOPE", "FETCH 1 ENVELOPE")
    check("envelope", has(lines, r'"Message 1" \(\("Anna" NIL "anna" "example.com"\)\)'), lines)
    lines = raw.ok("BODYSTRUCTURE", "FETCH 4 (BODYSTRUCTURE BODY)")
    check("bodystructure", has(lines, r'\("text" "plain" \("charset" "utf-8"\)') and has(lines, '"mixed"'), lines)
    lines = raw.ok("BODY[1]", "FETCH 4 BODY.PEEK[1]")
    check("part 1", has(lines, r"Gr=C3=BC=C3=9Fe aus K=C3=B6ln\)?"), lines)
    check("part 1 MIME", has(raw.ok("BODY[1.MIME]", "FETCH 4 BODY.PEEK[1.MIME]"), r"quoted-printable\r\n\r\n"))
    check("inner header", has(raw.ok("BODY[2.HEADER]", "FETCH 4 BODY.PEEK[2.HEADER]"), r"Subject: Inner\r\n"))
    check("inner text", has(raw.ok("BODY[2.TEXT]", "FETCH 4 BODY.PEEK[2.TEXT]"), r"inner body"))
    check("inner part", has(raw.ok("BODY[2.1]", "FETCH 4 BODY.PEEK[2.1]"), r"inner body"))
    lines = raw.ok("missing part", "FETCH 4 BODY.PEEK[9]")
    check("missing part is NIL or empty", has(lines, r'BODY\[9\] (NIL|""|\{0\})'), lines)
    lines = raw.ok("BINARY", "FETCH 4 (BINARY.PEEK[1] BINARY.SIZE[1])")
    check("binary", has(lines, "Grüße aus Köln".encode()), lines)
    check("macro ALL", has(raw.ok("ALL", "FETCH 1 ALL"), r"ENVELOPE"))
    check("macro FULL", has(raw.ok("FULL", "FETCH 1 FULL"), r"BODY \("))
    check("macro FAST", has(raw.ok("FAST", "FETCH 1 FAST"), r"RFC822.SIZE"))
    raw.bad("FETCH beyond", "FETCH 99 FLAGS")
    raw.bad("FETCH 0", "FETCH 0 FLAGS")
    raw.bad("FETCH nonsense", "FETCH 1 NONSENSE")
    lines = raw.ok("UID FETCH of nothing", "UID FETCH 4000 FLAGS")
    check("nothing is told", len(lines) == 1, lines)
    check("UID FETCH *", has(raw.ok("UID FETCH *", "UID FETCH 4000:* UID"), r"UID 4\)"))
    raw.close()


def storing():
    raw = Raw().login()
    other = Raw().login()
    raw.ok("SELECT", f"SELECT {RUN}")
    other.ok("SELECT other", f"SELECT {RUN}")
    check("+FLAGS", has(raw.ok("+FLAGS", "STORE 1 +FLAGS (\\Answered blue)"), r"\\Answered[^\r]*blue"))
    lines = other.ok("NOOP", "NOOP")
    check("keywords are told before", has(lines, r"^\* FLAGS \(.*blue"), lines)
    check("the other hears of it", has(lines, r"^\* 1 FETCH \(.*FLAGS \([^)]*blue"), lines)
    check("-FLAGS", not has(raw.ok("-FLAGS", "STORE 1 -FLAGS (BLUE)"), "blue"))
    check("FLAGS", has(raw.ok("FLAGS", "UID STORE 1 FLAGS (\\Draft)"), r"FLAGS \(\\Draft\)"))
    lines = raw.ok("silent", "STORE 1:2 +FLAGS.SILENT (\\Flagged)")
    check("silent is silent", not has(lines, "FETCH"), lines)
    lines = raw.ok("NOOP", "NOOP")
    check("and stays so", not has(lines, "FETCH"), lines)
    check("silent is done", has(other.ok("NOOP", "NOOP"), r"1 FETCH \(.*\\Flagged"))
    raw.bad("STORE beyond", "STORE 77 FLAGS ()")
    other.ok("other hears all", "NOOP")
    raw.ok("\\Recent is passed over", "STORE 1 +FLAGS (\\Recent)")
    check("\\Recent is never set", not has(other.ok("NOOP", "NOOP"), "Recent"))
    lines = raw.ok("CONDSTORE", "FETCH 1 (MODSEQ)")
    check("HIGHESTMODSEQ when enabled", has(lines, r"\[HIGHESTMODSEQ \d+\]"), lines)
    mod_seq = int(re.search(rb"MODSEQ \((\d+)\)", b"".join(lines)).group(1))
    other.ok("change", "STORE 1 +FLAGS (\\Seen)")
    lines = raw.ok("UNCHANGEDSINCE", f"STORE 1:2 (UNCHANGEDSINCE {mod_seq}) +FLAGS (x1)")
    check("MODIFIED", has(lines, r"\[MODIFIED 1\]"), lines)
    lines = raw.ok("CHANGEDSINCE", f"FETCH 1:* (FLAGS) (CHANGEDSINCE {mod_seq})")
    check("only the changed", has(lines, r"^\* 1 FETCH") and not has(lines, r"^\* 3 FETCH"), lines)
    other.ok("EXAMINE", f"EXAMINE {RUN}")
    other.no("STORE read-only", None, "STORE 1 FLAGS ()")
    raw.close()
    other.close()


def searching():
    raw = Raw().login()
    raw.ok("SELECT", f"SELECT {RUN}")

    def found(what, *pieces):
        lines = raw.ok(f"SEARCH {what}", *pieces)
        line = next((line for line in lines if line.startswith(b"* SEARCH")), b"")
        return [int(word) for word in re.findall(rb" (\d+)", line.split(b"(")[0])]

    def search(expected, query, *pieces):
        seen = found(query, f"SEARCH {query}", *pieces)
        check(f"SEARCH {query}", seen == expected, seen)

    search([1, 2, 3, 4], "ALL")
    search([2], "KEYWORD $Work")
    search([1, 3, 4], "UNKEYWORD $work")
    search([1, 2], "FLAGGED")
    search([3, 4], "NOT FLAGGED")
    search([1, 3], "DRAFT")
    search([1, 2], "SEEN")
    search([3, 4], "UNSEEN")
    search([1, 2, 3], "SUBJECT message")
    search([2], 'SUBJECT "MESSAGE 2"')
    search([1, 2, 3], "FROM anna@EXAMPLE")
    search([4], "FROM zo")
    search([1, 2, 3, 4], "TO bo@")
    search([], "CC x")
    search([1, 2, 3], 'BODY "a body"')
    search([4], "BODY inner")
    search([4], "BODY hypertext")
    search([4], "TEXT Inner")
    search([1, 2, 3], f"HEADER Message-ID {RUN}")
    search([4], 'HEADER MIME-Version ""')
    search([2], "SENTBEFORE 1-Jan-1995 SEEN NOT DRAFT")
    search([1, 2, 3], "SENTON 7-Feb-1994")
    search([2], "BEFORE 1-Jan-2000")
    search([2], "ON 17-Jul-1996")
    search([1, 3, 4], "SINCE 1-Jan-2000")
    search([4], "LARGER 400")
    search([1, 2, 3], "SMALLER 400")
    search([2, 3], "2:3")
    search([4], "UID 4:*")
    search([1, 4], "OR 1 4")
    search([1, 4], "NOT (OR 2 3)")
    search([3], "(UNSEEN DRAFT)")
    search([4], "CHARSET UTF-8 BODY ", "grÜSSE".replace("SS", "ß").encode())
    search([4], "CHARSET ISO-8859-1 SUBJECT ", "CAFÉ".encode("latin-1"))
    raw.no("BADCHARSET", "BADCHARSET", "SEARCH CHARSET X-NONE ALL")
    raw.bad("SEARCH nonsense", "SEARCH FROBNICATE")
    search([1, 2, 3, 4], "OR YOUNGER 86400 OLDER 86400")
    raw.bad("SEARCH unclosed", "SEARCH (ALL")
    lines = raw.ok("UID SEARCH", "UID SEARCH DRAFT")
    check("UID SEARCH", has(lines, r"^\* SEARCH 1 3\r"), lines)
    lines = raw.ok("ESEARCH", "SEARCH RETURN (MIN MAX COUNT ALL) ALL")
    check("ESEARCH", has(lines, r'^\* ESEARCH \(TAG "a\d+"\) MIN 1 MAX 4 (ALL 1:4 COUNT 4|COUNT 4 ALL 1:4)'), lines)
    lines = raw.ok("SAVE", "SEARCH RETURN (SAVE) DRAFT")
    check("SAVE is silent", not has(lines, "SEARCH "), lines)
    lines = raw.ok("$", "FETCH $ UID")
    check("$ is used", has(lines, r"^\* 1 FETCH") and has(lines, r"^\* 3 FETCH") and not has(lines, r"^\* 2"), lines)
    lines = raw.ok("MODSEQ", "SEARCH MODSEQ 1")
    check("MODSEQ answers", has(lines, r"\(MODSEQ \d+\)"), lines)
    raw.close()


def copying():
    raw = Raw().login()
    other = Raw().login()
    raw.ok("CREATE target", f"CREATE {RUN}/target")
    raw.ok("SELECT", f"SELECT {RUN}")
    other.ok("SELECT", f"SELECT {RUN}")
    lines = raw.ok("COPY", f"COPY 1:2 {RUN}/target")
    check("COPYUID", has(lines, r"\[COPYUID \d+ 1:2 1:2\]"), lines)
    raw.no("COPY to nowhere", "TRYCREATE", "COPY 1 nowhere")
    raw.bad("COPY beyond", f"COPY 99 {RUN}/target")
    raw.ok("UID COPY of nothing", f"UID COPY 4000 {RUN}/target")
    lines = raw.ok("MOVE", f"MOVE 3 {RUN}/target")
    check("MOVE tells COPYUID", has(lines, r"^\* OK \[COPYUID \d+ 3 3\]"), lines)
    check("MOVE expunges", has(lines, r"^\* 3 EXPUNGE"), lines)
    lines = other.ok("FETCH by number", "FETCH 1:2 FLAGS")
    check("no EXPUNGE during FETCH", not has(lines, "EXPUNGE"), lines)
    lines = other.command("FETCH 4 UID")
    check("numbers stay", has(lines, r"^\* 4 FETCH \(UID 4\)"), lines)
    lines = other.ok("NOOP tells", "NOOP")
    check("EXPUNGE at NOOP", has(lines, r"^\* 3 EXPUNGE"), lines)
    raw.ok("STORE deleted", "STORE 1:2 +FLAGS.SILENT (\\Deleted)")
    lines = raw.ok("UID EXPUNGE", "UID EXPUNGE 2:3")
    check("only UID 2", has(lines, r"^\* 2 EXPUNGE") and not has(lines, r"^\* 1 EXPUNGE"), lines)
    lines = raw.ok("EXPUNGE", "EXPUNGE")
    check("the rest", has(lines, r"^\* 1 EXPUNGE"), lines)
    check("one is left", has(raw.ok("SEARCH", "SEARCH ALL"), r"^\* SEARCH 1\r"))
    raw.ok("append", f"APPEND {RUN} (\\Deleted) ", message(5))
    raw.ok("UNSELECT", "UNSELECT")
    raw.bad("no mailbox now", "FETCH 1 FLAGS")
    check("UNSELECT does not expunge", has(raw.ok("STATUS", f"STATUS {RUN} (MESSAGES)"), r"MESSAGES 2\)"))
    raw.ok("SELECT", f"SELECT {RUN}")
    lines = raw.ok("CLOSE", "CLOSE")
    check("CLOSE is silent", not has(lines, "EXPUNGE"), lines)
    check("CLOSE expunges", has(raw.ok("STATUS", f"STATUS {RUN} (MESSAGES)"), r"MESSAGES 1\)"))
    raw.ok("EXAMINE", f"EXAMINE {RUN}")
    raw.no("EXPUNGE read-only", None, "EXPUNGE")
    lines = raw.ok("SELECT while selected", f"SELECT {RUN}/target")
    check("CLOSED", has(lines, r"^\* OK \[CLOSED\]"), lines)
    raw.close()
    other.close()


def idling():
    raw = Raw().login()
    other = Raw().login()
    raw.ok("SELECT", f"SELECT {RUN}")
    raw.send("i1 IDLE\r\n")
    check("IDLE continues", raw.line().startswith(b"+"))
    other.ok("APPEND", f"APPEND {RUN} ", message(6))
    raw.socket.settimeout(10)
    line = raw.line()
    check("EXISTS in IDLE", re.match(rb"\* 2 EXISTS", line), line)
    other.ok("SELECT", f"SELECT {RUN}")
    other.ok("STORE", "STORE 1 +FLAGS (green)")
    lines = [raw.line() for _ in range(1)]
    while not has(lines, "FETCH") and len(lines) < 4:
        lines.append(raw.line())
    check("FETCH in IDLE", has(lines, r"^\* 1 FETCH \(.*green"), lines)
    other.ok("STORE", "STORE 2 +FLAGS.SILENT (\\Deleted)")
    other.ok("EXPUNGE", "EXPUNGE")
    lines = [raw.line()]
    while not has(lines, "EXPUNGE") and len(lines) < 4:
        lines.append(raw.line())
    check("EXPUNGE in IDLE", has(lines, r"^\* 2 EXPUNGE"), lines)
    raw.send("done\r\n")
    check("DONE in any case", status(raw.until("i1")) == "OK")
    raw.send("i2 IDLE\r\n")
    raw.line()
    raw.send("NOOP\r\n")
    check("anything else is BAD", status(raw.until("i2")) == "BAD")
    raw.ok("the session goes on", "NOOP")
    # pipelined commands are answered in order
    raw.send("q1 NOOP\r\nq2 FETCH 1 UID\r\nq3 NOOP\r\n")
    lines = raw.until("q3")
    check("pipelining", [line[:2] for line in lines if line.startswith(b"q")] == [b"q1", b"q2", b"q3"], lines)
    raw.close()
    other.close()


def revision_2():
    raw = Raw().login()
    lines = raw.ok("ENABLE", "ENABLE IMAP4rev2 CONDSTORE X-UNKNOWN")
    check("ENABLED", has(lines, r"^\* ENABLED [^\r]*IMAP4rev2") and not has(lines, "X-UNKNOWN"), lines)
    lines = raw.ok("SELECT", f"SELECT {RUN}")
    check("no RECENT in rev2", not has(lines, "RECENT"), lines)
    check("LIST in SELECT", has(lines, rf"^\* LIST \([^)]*\) \"/\" {RUN}\r"), lines)
    check("HIGHESTMODSEQ", has(lines, r"\[HIGHESTMODSEQ \d+\]"), lines)
    lines = raw.ok("SEARCH", "SEARCH ALL")
    check("ESEARCH always", has(lines, r"^\* ESEARCH \(TAG"), lines)
    raw.close()


def with_imaplib():
    client = imaplib.IMAP4(HOST, PORT)
    client.login(USER, PASSWORD)
    check("imaplib select", client.select(f"{RUN}/target")[0] == "OK")
    data = client.fetch("1:*", "(FLAGS BODY.PEEK[HEADER])")[1]
    check("imaplib fetch", any(b"Subject: Message" in part[1] for part in data if isinstance(part, tuple)))
    check("imaplib search", client.uid("SEARCH", "SUBJECT", '"message 1"')[1] == [b"1"])
    check("imaplib append", client.append(f"{RUN}/target", "\\Seen", time.time(), message(7))[0] == "OK")
    check("imaplib check", client.check()[0] == "OK")
    check("imaplib close", client.close()[0] == "OK")
    check("imaplib logout", client.logout()[0] == "BYE")


def renaming_inbox():
    raw = Raw().login()
    raw.ok("APPEND to INBOX", "APPEND inbox ", message(8))
    before = re.search(rb"MESSAGES (\d+)", raw.command("STATUS INBOX (MESSAGES)")[0]).group(1)
    raw.ok("RENAME INBOX", f"RENAME INBOX {RUN}/old")
    check("INBOX is there and empty", has(raw.ok("STATUS", "STATUS INBOX (MESSAGES)"), r"MESSAGES 0\)"))
    check("messages moved", has(raw.ok("STATUS", f"STATUS {RUN}/old (MESSAGES)"), rf"MESSAGES {before.decode()}\)"))
    raw.ok("SELECT", f"SELECT {RUN}/old")
    raw.ok("MOVE back", "MOVE 1:* INBOX")
    raw.close()


def bad_commands():
    raw = Raw()
    for _ in range(60):
        raw.send("x FROBNICATE\r\n")
    lines = []
    while True:
        line = raw.line()
        if not line:
            break
        lines.append(line)
    check("BYE after many bad commands", has(lines, r"^\* BYE"), lines[-1:])
    raw.close()


def clean():
    raw = Raw().login()
    lines = raw.command(f'LIST "" {RUN}*')
    names = [re.search(rb'"/" (.*)\r\n', line).group(1).decode() for line in lines if line.startswith(b"* LIST")]
    for name in sorted(names, key=len, reverse=True):
        raw.ok(f"DELETE {name}", f"DELETE {name}")
    raw.ok("UNSUBSCRIBE", f"UNSUBSCRIBE {RUN}/a/b")
    raw.close()


for part in (before_login, starttls, mailboxes, appending, fetching, storing, searching, copying, idling,
             revision_2, with_imaplib, renaming_inbox, bad_commands, clean):
    try:
        part()
    except Exception as error:  # a judge goes on with the next part
        check(part.__name__, False, error)
print(f"{passed} passed, {failed} failed")
sys.exit(1 if failed else 0)
