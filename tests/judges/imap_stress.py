"""Random IMAP clients against one mailbox, each with a model built from untagged responses alone.

HOST PORT[,PORT...] USER PASSWORD SECONDS CLIENTS [SEED]; several ports are nodes on one database. Every response is checked against the model when it
comes; at the end, when nobody writes, every model has to be what the server says. Prints
"0 disagreements" and counts of what was done.
"""

import collections
import random
import re
import socket
import sys
import threading
import time

HOST, USER, PASSWORD = sys.argv[1], sys.argv[3], sys.argv[4]
PORTS = [int(port) for port in sys.argv[2].split(",")]
SECONDS, CLIENTS = float(sys.argv[5]), int(sys.argv[6])
SEED = int(sys.argv[7]) if len(sys.argv) > 7 else random.randrange(10**9)
BOX = f"Stress{SEED}"
LARGE = 150
FLAGS = ["\\Seen", "\\Flagged", "\\Answered", "\\Draft", "\\Deleted", "$Work", "later"]

lock = threading.Lock()
problems = []
done = {}
texts = {}  # UID in BOX: the message's subject
fixed = {}  # (UID in BOX, item): what was told of it once
recent = {}  # UID in BOX: the session in which it is \Recent
snapshots = {}  # at a checkpoint: client number: what it was told
FIXED = ("INTERNALDATE", "RFC822.SIZE", "ENVELOPE", "BODYSTRUCTURE")
CHECKPOINT_S = 10


def problem(client, text):
    with lock:
        if not problems:
            text += "".join(f"\n    {line!r}" for line in client.trace)
        problems.append(f"client {client.number}: {text}")


def count(what):
    with lock:
        done[what] = done.get(what, 0) + 1


def known_text(client, uid, subject):
    """A UID is one message's for ever (RFC 9051 §2.3.1.1)."""
    with lock:
        other = texts.setdefault(uid, subject)
    if other != subject:
        problem(client, f"UID {uid} is {subject!r} and was {other!r}")


def known_item(client, uid, item, value):
    """What never changes is the same in every session (RFC 9051 §2.3)."""
    with lock:
        other = fixed.setdefault((uid, item), value)
    if other != value:
        problem(client, f"{item} of UID {uid} is {value!r} and was {other!r}")


class Parser:
    """Parenthesised lists of a response (RFC 9051 §4)."""

    def __init__(self, octets):
        self.octets, self.at = octets, 0

    def peek(self):
        return self.octets[self.at:self.at + 1]

    def value(self):
        while self.peek() == b" ":
            self.at += 1
        first = self.peek()
        if first == b"(":
            self.at += 1
            items = []
            while True:
                while self.peek() == b" ":
                    self.at += 1
                if self.peek() == b")":
                    self.at += 1
                    return items
                items.append(self.value())
        if first == b'"':
            end = self.at + 1
            while self.octets[end:end + 1] != b'"':
                end += 2 if self.octets[end:end + 1] == b"\\" else 1
            text, self.at = self.octets[self.at + 1:end], end + 1
            return text
        if first == b"{":
            end = self.octets.index(b"}\r\n", self.at)
            size = int(self.octets[self.at + 1:end])
            text, self.at = self.octets[end + 3:end + 3 + size], end + 3 + size
            return text
        end = self.at
        while end < len(self.octets) and self.octets[end:end + 1] not in b" ()":
            if self.octets[end:end + 1] == b"[":
                end = self.octets.index(b"]", end)
            end += 1
        text, self.at = self.octets[self.at:end], end
        return text


def numbers(text):
    """The numbers of a set."""
    found = []
    for part in text.split(","):
        first, _, last = part.partition(":")
        found.extend(range(int(first), int(last or first) + 1))
    return found


def compact(found):
    return ",".join(str(number) for number in sorted(found))


class Message:
    def __init__(self, uid=None):
        self.uid, self.flags, self.mod_seq = uid, None, 0


class Closed(Exception):
    pass


class Client:
    def __init__(self, number):
        self.trace = collections.deque(maxlen=30)
        self.number, self.random = number, random.Random(SEED * 1000 + number)
        self.socket = socket.create_connection((HOST, PORTS[number % len(PORTS)]), timeout=120)
        self.file = self.socket.makefile("rb")
        self.tag, self.sequence = 0, 0
        self.messages, self.selected, self.command_name = [], False, ""
        self.told, self.code, self.found, self.esearch = set(), "", [], None
        self.qresync = number % 3 == 2
        self.keywords, self.openings, self.examined = set(), 0, False
        self.capabilities, self.folders, self.appended = set(), set(), None
        self.uid_validity = self.mod_seq = None
        self.line()
        self.ok(f'LOGIN {USER} "{PASSWORD}"')
        self.ok("CAPABILITY")
        if number % 3 == 1:
            self.ok("ENABLE CONDSTORE")
        if self.qresync:
            self.ok("ENABLE QRESYNC")

    # --- what the server says ---

    def line(self):
        whole = b""
        while True:
            part = self.file.readline()
            if not part:
                raise Closed()
            whole += part
            literal = re.search(rb"\{(\d+)\}\r\n$", part)
            if not literal:
                self.trace.append(whole[:150])
                return whole[:-2]
            whole += self.file.read(int(literal.group(1)))

    def untagged(self, line):
        words = line.split(b" ", 3)
        if len(words) > 2 and words[1].isdigit():
            return self.numbered(int(words[1]), words[2], line)
        kind = words[1]
        if kind == b"VANISHED":
            self.vanished(line.decode())
        elif kind == b"SEARCH":
            self.found = [int(word) for word in line.split()[2:] if word.isdigit()]
        elif kind == b"CAPABILITY":
            self.capabilities = set(line.decode().split()[2:])
        elif kind == b"ESEARCH":
            self.esearch = line.decode()
        elif kind == b"BYE" and self.command_name != "LOGOUT":
            problem(self, f"{self.command_name}: {line!r}")
        elif kind == b"FLAGS":
            listed = Parser(line.split(b"FLAGS ", 1)[1]).value()
            names = {name.decode().lower() for name in listed}
            if not self.keywords <= names and self.command_name != "SELECT":
                problem(self, f"keywords are gone: {self.keywords - names}")
            self.keywords = names
        elif kind == b"OK":
            permanent = re.search(rb"\[PERMANENTFLAGS (\(.*?\))\]", line)
            if permanent:
                names = {name.decode().lower() for name in Parser(permanent.group(1)).value()}
                if not names - {"\\*"} <= self.keywords:
                    problem(self, f"PERMANENTFLAGS not in FLAGS: {names - self.keywords}")
            self.take_code(line)

    def take_code(self, line):
        for name, field in (("UIDVALIDITY", "uid_validity"), ("HIGHESTMODSEQ", "mod_seq")):
            value = re.search(rb"\[" + name.encode() + rb" (\d+)\]", line)
            if value:
                setattr(self, field, int(value.group(1)))
        uids = re.search(rb"\[APPENDUID \d+ ([\d:,]+)\]", line)
        if uids:
            self.appended = numbers(uids.group(1).decode())

    def numbered(self, number, kind, line):
        if not self.selected:
            return problem(self, f"{self.command_name}: nothing is selected, but {line!r}")
        if kind == b"EXISTS":
            if number < len(self.messages):
                problem(self, f"EXISTS {number} after {len(self.messages)}")
            self.messages.extend(Message() for _ in range(number - len(self.messages)))
        elif kind == b"RECENT":
            if number > len(self.messages):
                problem(self, f"RECENT {number} of {len(self.messages)}")
        elif kind == b"EXPUNGE":
            # RFC 9051 §7.5.1
            if self.command_name in ("FETCH", "STORE", "SEARCH", "none"):
                problem(self, f"EXPUNGE during {self.command_name}")
            if self.qresync:
                problem(self, "EXPUNGE after ENABLE QRESYNC")
            if not 1 <= number <= len(self.messages):
                return problem(self, f"EXPUNGE {number} of {len(self.messages)}")
            del self.messages[number - 1]
        elif kind == b"FETCH":
            self.fetched(number, line)

    def vanished(self, line):
        uids = set(numbers(line.split()[-1]))
        if "(EARLIER)" not in line:
            if self.command_name in ("FETCH", "STORE", "SEARCH", "none"):
                problem(self, f"VANISHED during {self.command_name}")
            known = {message.uid for message in self.messages}
            if None not in known and not uids <= known:
                problem(self, f"VANISHED {sorted(uids - known)} of unknown messages")
            for uid in sorted(uids - known):
                self.forget_unknown(uid)
        self.messages = [message for message in self.messages if message.uid not in uids]

    def forget_unknown(self, uid):
        """A message whose UID was never told is gone: one between its known neighbours."""
        for index, message in enumerate(self.messages):
            later = [m.uid for m in self.messages[index:] if m.uid is not None]
            earlier = [m.uid for m in self.messages[:index] if m.uid is not None]
            if message.uid is None and (not earlier or earlier[-1] < uid) and (
                    not later or uid < later[0]):
                del self.messages[index]
                return
        problem(self, f"VANISHED {uid}, which there was no room for")

    def fetched(self, number, line):
        if not 1 <= number <= len(self.messages):
            return problem(self, f"FETCH {number} of {len(self.messages)}")
        message = self.messages[number - 1]
        items = Parser(line.split(b"FETCH ", 1)[1]).value()
        items = dict(zip((key.decode().upper() for key in items[::2]), items[1::2]))
        if "UID" in items:
            uid = int(items["UID"])
            if message.uid is None:
                message.uid = uid
                around = [m.uid for m in self.messages if m.uid is not None]
                if around != sorted(set(around)):
                    problem(self, f"UID {uid} at {number} is out of order")
            elif message.uid != uid:
                problem(self, f"{self.command_name}: {number} is UID {message.uid} and {uid}")
        elif self.qresync:
            problem(self, f"FETCH without UID after ENABLE QRESYNC: {line!r}")
        if "MODSEQ" in items:
            mod_seq = int(items["MODSEQ"][0])
            if mod_seq < message.mod_seq:
                problem(self, f"MODSEQ of {message.uid} falls from {message.mod_seq} to {mod_seq}")
            message.mod_seq = mod_seq
        if "FLAGS" in items:
            message.flags = self.flags_of(message.uid, items["FLAGS"])
            self.told.add(id(message))
        if message.uid is not None:
            for item in FIXED:
                if item in items:
                    known_item(self, message.uid, item, items[item])
            if "BODY[]" in items:
                known_item(self, message.uid, "RFC822.SIZE", str(len(items["BODY[]"])).encode())
        for key, value in items.items():
            if key.startswith("BODY[HEADER.FIELDS") and message.uid is not None:
                known_text(self, message.uid, value.split(b":", 1)[-1].strip().decode())

    def flags_of(self, uid, names):
        """Flags as told, without \\Recent, which belongs to one session alone (RFC 3501 §2.3.2)."""
        flags = {name.decode() for name in names}
        unknown = {flag.lower() for flag in flags if flag[0] != "\\"} - self.keywords
        if unknown:
            problem(self, f"keywords used without being in FLAGS: {unknown}")
        # between nodes it may be told twice
        if "\\Recent" in flags and uid is not None and not self.examined and len(PORTS) == 1:
            session = (self.number, self.openings)
            with lock:
                other = recent.setdefault(uid, session)
            if other != session:
                problem(self, f"UID {uid} is recent in {session} and {other}")
        return flags - {"\\Recent"}

    # --- what we say ---

    def send(self, text, name):
        self.tag += 1
        self.told, self.found, self.esearch, self.command_name = set(), [], None, name
        octets = text if isinstance(text, bytes) else text.encode()
        self.trace.append(octets[:150])
        self.socket.sendall(f"t{self.tag} ".encode() + octets + b"\r\n")

    def finish(self):
        prefix = f"t{self.tag} ".encode()
        while True:
            line = self.line()
            if line.startswith(prefix):
                status = line[len(prefix):].decode()
                self.take_code(line)
                # between commands a server says nothing that renumbers
                return status
            if line.startswith(b"* "):
                self.untagged(line)

    def run(self, text, name=None):
        words = text.split(b" " if isinstance(text, bytes) else " ", 2)
        words = [word.decode() if isinstance(word, bytes) else word for word in words[:2]]
        name = name or (" ".join(words) if words[0] == "UID" else words[0])
        self.send(text, name)
        status = self.finish()
        count(name)
        # what somebody else has removed cannot be replaced
        is_gone = "[EXPUNGEISSUED]" in status or "REPLACE" in name and "[NONEXISTENT]" in status
        if not status.startswith("OK") and not is_gone:
            shown = text[:200]
            problem(self, f"{shown!r}: {status}")
        return status

    def ok(self, text):
        return self.run(text).startswith("OK")

    # --- commands ---

    def open(self, command="SELECT"):
        self.openings += 1
        self.examined = command == "EXAMINE"
        self.keywords = set()
        old = self.messages if self.uid_validity and self.qresync else []
        known = old and all(message.uid and message.flags is not None for message in old)
        self.messages, self.selected = [], True
        if not known:
            self.ok(f"{command} {BOX}")
            return
        # the messages we know, by UID; the server says what is different
        before, validity, mod_seq = {m.uid: m for m in old}, self.uid_validity, self.mod_seq
        resync = QresyncOpening(self, before)
        self.untagged, plain = resync.untagged, self.untagged
        status = self.run(f"{command} {BOX} (QRESYNC ({validity} {mod_seq}))", "SELECT")
        del self.untagged
        del plain
        if status.startswith("OK"):
            resync.end()

    def close(self):
        if self.qresync:
            # what is known when the mailbox closes: everything up to its HIGHESTMODSEQ
            self.ok("NOOP")
            self.ok("UID FETCH 1:* (UID FLAGS)")
        command = self.random.choice(["CLOSE", "UNSELECT"])
        if command == "CLOSE" and any("\\Deleted" in (m.flags or ()) for m in self.messages):
            command = "UNSELECT"
        status = self.run(command)
        self.selected = False
        return status

    def some(self, uid=False):
        """A set of numbers or UIDs, and the messages it means; None when there are none."""
        known = [m for m in self.messages if m.uid is not None] if uid else self.messages
        if not known:
            return None, []
        if self.random.random() < 0.3:
            first = self.random.randrange(len(known))
            last = min(len(known) - 1, first + self.random.randrange(10))
            chosen = known[first:last + 1]
        else:
            chosen = self.random.sample(known, min(len(known), self.random.randint(1, 4)))
        if uid:
            return compact(message.uid for message in chosen), chosen
        place = {id(message): index + 1 for index, message in enumerate(self.messages)}
        return compact(place[id(message)] for message in chosen), chosen

    def new_text(self):
        self.sequence += 1
        subject = f"c{self.number}n{self.sequence}"
        body = "x" * self.random.choice([10, 10, 2000, 30000])
        flags = " ".join(f for f in FLAGS if f != "\\Deleted" and self.random.random() < 0.2)
        text = f"From: a@example.org\r\nSubject: {subject}\r\n\r\n{body}\r\n".encode()
        return subject, f"({flags}) {{{len(text)}+}}\r\n".encode() + text

    def append(self):
        count = self.random.randint(1, 3) if "MULTIAPPEND" in self.capabilities else 1
        new = [self.new_text() for _ in range(count)]
        self.appended = None
        self.run(f"APPEND {BOX} ".encode() + b" ".join(text for _, text in new), "APPEND")
        for uid, (subject, _) in zip(self.appended or [], new):
            known_text(self, uid, subject)

    def replace(self):
        uid = self.random.random() < 0.5
        known = [m for m in self.messages if m.uid is not None] if uid else self.messages
        if "REPLACE" not in self.capabilities or not known:
            return
        place = self.random.randrange(len(known))
        which = known[place].uid if uid else place + 1
        subject, text = self.new_text()
        self.appended = None
        head = f"{'UID ' if uid else ''}REPLACE {which} {BOX} ".encode()
        self.run(head + text, "UID REPLACE" if uid else "REPLACE")
        for new in self.appended or []:
            known_text(self, new, subject)

    def store_unchanged(self):
        """STORE that holds back what others have changed (RFC 7162 §3.1.3)."""
        known = [m for m in self.messages if m.uid and m.mod_seq]
        if self.number % 3 == 0 or not known:
            return
        chosen = self.random.sample(known, min(len(known), 5))
        since = self.random.choice(chosen).mod_seq
        uids = compact(message.uid for message in chosen)
        status = self.run(f"UID STORE {uids} (UNCHANGEDSINCE {since}) +FLAGS (later)", "UID STORE since")
        modified = re.search(r"\[MODIFIED ([\d:,]+)\]", status)
        modified = set(numbers(modified.group(1))) if modified else set()
        here = {message.uid for message in self.messages}
        for message in chosen:
            if message.uid not in here or message.uid in modified or message.flags is None:
                continue
            if id(message) in self.told and "later" not in message.flags and status.startswith("OK"):
                # somebody may have taken it away again, but then its MODSEQ has grown twice
                if message.mod_seq <= since + 1:
                    problem(self, f"UID {message.uid} was neither changed nor MODIFIED")

    def saved_result(self):
        """SEARCH RETURN (SAVE), then `$` (RFC 5182)."""
        self.run("UID SEARCH RETURN (SAVE) FLAGGED", "UID SEARCH save")
        self.run("UID FETCH $ (UID FLAGS)", "UID FETCH $")

    def sort(self):
        for name, command in (("SORT", "UID SORT (SUBJECT REVERSE ARRIVAL) UTF-8 ALL"),
                              ("THREAD=REFERENCES", "UID THREAD REFERENCES UTF-8 ALL")):
            if name in self.capabilities:
                self.run(command)

    def store(self):
        uid = self.random.random() < 0.5
        chosen_set, chosen = self.some(uid)
        if not chosen_set:
            return
        sign = self.random.choice(["+", "+", "-", ""])
        flags = set(self.random.sample(FLAGS, self.random.randint(1, 2)))
        if len(self.messages) < LARGE and self.random.random() < 0.7:
            flags.discard("\\Deleted")
        silent = self.random.random() < 0.3
        item = f"{sign}FLAGS{'.SILENT' if silent else ''} ({' '.join(sorted(flags))})"
        status = self.run(f"{'UID ' if uid else ''}STORE {chosen_set} {item}")
        here = {id(message) for message in self.messages}
        for message in chosen:
            if not silent and status.startswith("OK") and not uid and id(message) in here - self.told:
                problem(self, f"STORE did not tell the flags of UID {message.uid}")
            if id(message) in self.told or not silent:
                continue
            if not status.startswith("OK") or message.flags is None:
                message.flags = None
            elif sign == "+":
                message.flags = message.flags | flags
            elif sign == "-":
                message.flags = message.flags - flags
            else:
                message.flags = set(flags)

    def fetch(self):
        uid = self.random.random() < 0.5
        if self.random.random() < 0.4:
            chosen_set = "1:*" if self.messages else None
        else:
            chosen_set, _ = self.some(uid)
        if not chosen_set:
            return
        items = self.random.choice([
            "(UID FLAGS)", "(UID FLAGS)", "(UID FLAGS INTERNALDATE RFC822.SIZE)", "(UID ENVELOPE)",
            "(UID BODY.PEEK[HEADER.FIELDS (SUBJECT)])", "(UID FLAGS BODYSTRUCTURE)",
            "(UID BODY[TEXT]<0.100>)", "(UID FLAGS BODY.PEEK[])"])
        self.run(f"{'UID ' if uid else ''}FETCH {chosen_set} {items}")

    def search(self):
        keys = self.random.choice(["ALL", "SEEN", "UNDELETED", "KEYWORD $Work", "NOT FLAGGED",
                                   "SUBJECT n1", "OR SEEN DELETED", "LARGER 1000", "TEXT xxx"])
        uid = self.random.random() < 0.5
        returns = " RETURN (MIN MAX COUNT ALL)" if self.random.random() < 0.4 else ""
        self.run(f"{'UID ' if uid else ''}SEARCH{returns} {keys}")
        found = self.found
        if self.esearch and " ALL " in self.esearch:
            found = numbers(self.esearch.rsplit(" ALL ", 1)[1].split(" ")[0])
        if uid:
            known = {message.uid for message in self.messages}
            # a UID SEARCH may tell expunges after its result
            if None not in known and keys == "ALL" and not known <= set(found):
                problem(self, f"UID SEARCH ALL lacks {sorted(known - set(found))}")
        elif any(not 1 <= number <= len(self.messages) for number in found):
            problem(self, f"SEARCH {keys}: {found} of {len(self.messages)}")

    def expunge(self):
        uids, _ = self.some(True)
        if uids and self.random.random() < 0.5:
            self.run(f"UID EXPUNGE {uids}")
        else:
            self.run("EXPUNGE")

    def copy(self):
        uid = self.random.random() < 0.5
        verb = self.random.choice(["COPY", "MOVE", "COPY"])
        # before the numbers are chosen: CREATE may renumber
        target = self.random.choice([BOX, self.folder()] if verb == "COPY" else [self.folder()])
        chosen_set, _ = self.some(uid)
        if not chosen_set or (target == BOX and len(self.messages) > LARGE):
            return
        status = self.run(f"{'UID ' if uid else ''}{verb} {chosen_set} {target}")
        pair = re.search(r"COPYUID \d+ (\S+) ([\d:,]+)", status)
        if pair and target == BOX:
            for source, copy in zip(numbers(pair.group(1)), numbers(pair.group(2))):
                with lock:
                    subject = texts.get(source)
                if subject:
                    known_text(self, copy, subject)

    def idle(self):
        self.send("IDLE", "IDLE")
        while not self.line_is_continuation():
            pass
        self.socket.settimeout(self.random.random() * 0.3 + 0.01)
        try:
            # a peek, so that no line is cut by the deadline
            while self.socket.recv(1, socket.MSG_PEEK):
                self.socket.settimeout(120)
                self.untagged(self.line())
                self.socket.settimeout(0.05)
        except TimeoutError:
            pass
        self.socket.settimeout(120)
        self.socket.sendall(b"DONE\r\n")
        status = self.finish()
        count("IDLE")
        if not status.startswith("OK"):
            problem(self, f"IDLE: {status}")

    def line_is_continuation(self):
        line = self.line()
        if line.startswith(b"+"):
            return True
        self.untagged(line)
        return False

    def folder(self):
        name = f"own{SEED}c{self.number}"
        if name not in self.folders:
            self.ok(f"CREATE {name}")
            self.folders.add(name)
        return name

    def folders_dance(self):
        self.sequence += 1
        first, second = (f"d{SEED}c{self.number}x{self.sequence}{part}" for part in "ab")
        self.ok(f"CREATE {first}/deep")
        self.ok(f"RENAME {first} {second}")
        self.ok(f"SUBSCRIBE {second}")
        self.ok(f'LIST "" "{second}*"')
        self.ok(f"STATUS {second}/deep (MESSAGES UIDNEXT UNSEEN)")
        self.ok(f"UNSUBSCRIBE {second}")
        self.ok(f"DELETE {second}/deep")
        self.ok(f"DELETE {second}")

    def reopen(self):
        self.close()
        self.ok(f"STATUS {BOX} (MESSAGES UNSEEN UIDNEXT HIGHESTMODSEQ)")
        if self.random.random() < 0.2:
            self.open("EXAMINE")
            self.ok("NOOP")
            self.ok("UID FETCH 1:* (UID FLAGS)") if self.messages else None
            self.close()
        self.open()

    def step(self):
        choices = [(self.append, 14 if len(self.messages) < LARGE else 2), (self.store, 25),
                   (self.fetch, 16), (self.search, 9), (self.expunge, 6), (self.copy, 8),
                   (self.idle, 5), (self.replace, 4), (self.store_unchanged, 5),
                   (self.saved_result, 2), (self.sort, 2), (self.folders_dance, 2), (self.reopen, 4),
                   (lambda: self.ok("NOOP"), 8), (lambda: self.ok("CHECK"), 1)]
        actions, weights = zip(*choices)
        self.random.choices(actions, weights)[0]()

    def compare(self):
        """Nobody writes any more: what we were told has to be all there is."""
        self.ok("NOOP")
        if any(message.uid is None for message in self.messages):
            self.ok("FETCH 1:* (UID)")
        before = {message.uid: message.flags for message in self.messages}
        for message in self.messages:
            message.flags = None
        if self.messages:
            self.ok("UID FETCH 1:* (UID FLAGS)")
        after = {message.uid: message.flags for message in self.messages}
        if set(before) != set(after):
            problem(self, f"other messages than told: {set(before) ^ set(after)}")
        for uid, flags in after.items():
            told = before.get(uid)
            if flags is None:
                problem(self, f"UID {uid} was not fetched")
            elif told is not None and told != flags:
                problem(self, f"flags of {uid}: told {sorted(told)}, are {sorted(flags)}")
        return {uid: frozenset(flags or ()) for uid, flags in after.items()}


class QresyncOpening:
    """SELECT with QRESYNC: the model of before, changed by what is told (RFC 7162 §3.2.5)."""

    def __init__(self, client, before):
        self.client, self.known, self.exists, self.places = client, before, None, {}

    def untagged(self, line):
        client, words = self.client, line.split(b" ", 3)
        if words[1] == b"VANISHED":
            for uid in numbers(line.decode().split()[-1]):
                self.known.pop(uid, None)
        elif words[1].isdigit() and words[2] == b"EXISTS":
            self.exists = int(words[1])
        elif words[1].isdigit() and words[2] == b"FETCH":
            items = Parser(line.split(b"FETCH ", 1)[1]).value()
            items = dict(zip((key.decode() for key in items[::2]), items[1::2]))
            message = self.known.setdefault(int(items["UID"]), Message(int(items["UID"])))
            message.flags = client.flags_of(message.uid, items["FLAGS"])
            message.mod_seq = int(items["MODSEQ"][0])
            self.places[int(words[1])] = message
        elif words[1] in (b"OK", b"FLAGS"):
            Client.untagged(client, line)

    def end(self):
        client = self.client
        client.messages = [self.known[uid] for uid in sorted(self.known)]
        count("resync")
        if len(client.messages) != self.exists:
            problem(client, f"resync gives {len(client.messages)} messages of {self.exists}")
        for number, message in self.places.items():
            if not (number <= len(client.messages) and client.messages[number - 1] is message):
                problem(client, f"resync: UID {message.uid} is not at {number}")


def checkpoint(client, barrier):
    """Everybody stops, looks, and has been told the same; only what was not told may be missing."""
    barrier.wait()
    client.ok("NOOP")
    barrier.wait()
    client.ok("NOOP")
    if any(message.uid is None for message in client.messages):
        client.ok("FETCH 1:* (UID)")
    snapshots[client.number] = {message.uid: message.flags for message in client.messages}
    barrier.wait()
    if client.number == 0:
        for number, other in snapshots.items():
            mine = snapshots[0]
            if set(other) != set(mine):
                problem(client, f"checkpoint: {number} has {set(other) ^ set(mine)} otherwise")
            for uid, flags in other.items():
                if None not in (flags, mine.get(uid)) and flags != mine[uid]:
                    problem(client, f"checkpoint: UID {uid} {flags} for {number}, {mine[uid]}")
        count("checkpoint")
    barrier.wait()


def work(client, end, barrier):
    try:
        due = time.monotonic() + CHECKPOINT_S
        while not problems and (time.monotonic() < end or due < end):
            if time.monotonic() > due:
                checkpoint(client, barrier)
                due += CHECKPOINT_S
            else:
                client.step()
        if problems:
            barrier.abort()
    except threading.BrokenBarrierError:
        return
    except Exception as error:  # noqa: BLE001: any failure is a finding
        barrier.abort()
        import traceback
        problem(client, f"during {client.command_name}: {error!r}\n{traceback.format_exc()}")


def main():
    first = Client(0)
    first.ok(f"CREATE {BOX}")
    clients = [first] + [Client(number) for number in range(1, CLIENTS)]
    for client in clients:
        client.open()
    for _ in range(20):
        first.append()
    end = time.monotonic() + SECONDS
    barrier = threading.Barrier(len(clients))
    threads = [threading.Thread(target=work, args=(client, end, barrier)) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if not problems:
        states = [client.compare() for client in clients]
        for client, state in zip(clients, states):
            if state != states[0]:
                problem(client, f"disagrees with client 0: {set(state.items()) ^ set(states[0].items())}")
        for client in clients:
            client.run("LOGOUT")
            client.socket.close()
    for text in problems[:20]:
        print(text)
    total = sum(done.values())
    print(f"seed {SEED}: {total} commands {dict(sorted(done.items()))}")
    print(f"{len(problems)} disagreements")


main()
