#!/usr/bin/env python3
"""SEARCH against a model nobody here wrote: Python's email package reads the messages, a few lines of
Python decide keys, and random nested keys must find the same.

    search_model.py HOST PORT USER PASSWORD FOLDER [SEED]

FOLDER holds messages as files. The last line is `N passed, M failed`.
"""

import email
import email.header
import email.policy
import imaplib
import os
import random
import re
import sys
import time
import unicodedata

HOST, PORT, USER, PASSWORD, FOLDER = sys.argv[1], int(sys.argv[2]), *sys.argv[3:6]
SEED = int(sys.argv[6]) if len(sys.argv) > 6 else int(time.time() * 1000)
print(f"seed {SEED}", flush=True)
RANDOM = random.Random(SEED)
KEYS = 300
MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
passed = failed = 0


def fold(text):
    """i;unicode-casemap (RFC 5051) with white space as one space."""
    upper = "".join(c.upper() if len(c.upper()) == 1 else c for c in text)
    return re.sub(r"\s+", " ", unicodedata.normalize("NFKD", upper))


def decoded(value):
    """A header value: unfolded, RFC 2047 words decoded."""
    value = re.sub(r"\r?\n", "", value)
    try:
        return str(email.header.make_header(email.header.decode_header(value)))
    except (LookupError, UnicodeError, ValueError):
        return value


def body_texts(part, top=True):
    """The texts of a message's parts, and headers of messages inside it."""
    if part.is_multipart():
        for child in part.get_payload():
            if part.get_content_type() == "message/rfc822":
                yield from (f"{name}: {decoded(str(value))}" for name, value in child.items())
            yield from body_texts(child, False)
    elif part.get_content_maintype() == "text":
        octets = part.get_payload(decode=True) or b""
        try:
            yield octets.decode(part.get_content_charset() or "utf-8")
        except (LookupError, UnicodeError):
            yield octets.decode("windows-1252", "replace")


class Message:
    def __init__(self, octets, flags, day):
        parsed = email.message_from_bytes(octets, policy=email.policy.compat32)
        self.octets, self.flags, self.day = len(octets), flags, day
        self.headers = [(name.lower(), fold(decoded(str(value)))) for name, value in parsed.items()]
        self.texts = [fold(text) for text in body_texts(parsed)]
        sent = re.search(r"(\d{1,2})\s+([A-Z][a-z]{2})\s+(\d{4})", str(parsed.get("Date", "")))
        self.sent = None
        if sent and sent[2] in MONTHS:
            self.sent = (int(sent[3]), MONTHS.index(sent[2]) + 1, int(sent[1]))


def is_clean(octets):
    """Messages that two programs must read alike: everything else is judged elsewhere."""
    parsed = email.message_from_bytes(octets)
    header = octets.split(b"\r\n\r\n")[0]
    if any(part.defects for part in parsed.walk()) or header == octets or not header.isascii():
        return False
    for part in parsed.walk():
        kind, charset = part.get_content_type(), part.get_content_charset() or "us-ascii"
        if kind.startswith("message/") and kind != "message/rfc822":
            return False
        if part.get("Content-Transfer-Encoding", "7bit").strip().lower() not in (
            "7bit", "8bit", "quoted-printable", "base64", "binary",
        ):
            return False
        if charset.lower() not in ("us-ascii", "utf-8", "iso-8859-1", "iso-8859-15", "koi8-r", "iso-2022-jp"):
            return False
        if kind.startswith("text/") and kind != "text/html":
            try:
                (part.get_payload(decode=True) or b"").decode(charset)
            except UnicodeError:
                return False
        if kind == "text/html":
            return False
    return parsed.get("Date") is None or re.search(r"\d{1,2} [A-Z][a-z]{2} \d{4} ", parsed["Date"]) is not None


def day_text(day):
    return f"{day[2]}-{MONTHS[day[1] - 1]}-{day[0]}"


def words(messages):
    """Pieces of texts that are there, and some that are not."""
    found = ["ZZZZ", "THE", "E", "RE"]
    for message in messages:
        for text in message.texts[:2] + [value for _, value in message.headers][:8]:
            pieces = re.findall(r"[^\W_]{3,12}", text)
            found += RANDOM.sample(pieces, min(3, len(pieces)))
    return [word for word in found if word.isascii() or RANDOM.random() < 0.5]


def leaf(messages, vocabulary):
    """A key and whether a message matches it."""
    word = RANDOM.choice(vocabulary)
    day = RANDOM.choice([m.sent for m in messages if m.sent] + [(2020, 2, 2)])
    arrived = RANDOM.choice(messages).day
    size = RANDOM.choice(messages).octets + RANDOM.choice([-1, 0, 1])
    name = RANDOM.choice(["FROM", "TO", "CC", "SUBJECT"])
    header = RANDOM.choice(["Received", "Message-ID", "References", "X-Mailer", "Content-Type"])
    flag = RANDOM.choice(["Seen", "Flagged", "Answered", "Deleted", "Draft"])
    has = lambda name, text: lambda m: any(n == name.lower() and text in v for n, v in m.headers)
    quoted = '"' + word + '"'
    return RANDOM.choice([
        (f"{name} {quoted}", has(name, word)),
        (f"HEADER {header} {quoted}", has(header, word)),
        (f'HEADER {header} ""', has(header, "")),
        (f"BODY {quoted}", lambda m: any(word in text for text in m.texts)),
        (f"BODY {quoted}", lambda m: any(word in text for text in m.texts)),
        (f"SENTON {day_text(day)}", lambda m: m.sent == day),
        (f"SENTBEFORE {day_text(day)}", lambda m: m.sent is not None and m.sent < day),
        (f"SENTSINCE {day_text(day)}", lambda m: m.sent is not None and m.sent >= day),
        (f"ON {day_text(arrived)}", lambda m: m.day == arrived),
        (f"BEFORE {day_text(arrived)}", lambda m: m.day < arrived),
        (f"SINCE {day_text(arrived)}", lambda m: m.day >= arrived),
        (f"LARGER {max(size, 0)}", lambda m: m.octets > size),
        (f"SMALLER {max(size, 0)}", lambda m: m.octets < size),
        (flag.upper(), lambda m: flag in m.flags),
        (f"UN{flag.upper()}", lambda m: flag not in m.flags),
        ("KEYWORD $Work", lambda m: "$Work" in m.flags),
        ("UNKEYWORD $work", lambda m: "$Work" not in m.flags),
    ])


def key(messages, vocabulary, depth=0):
    kind = RANDOM.random()
    if depth > 3 or kind < 0.45:
        return leaf(messages, vocabulary)
    first, holds = key(messages, vocabulary, depth + 1)
    if kind < 0.6:
        return f"NOT {first}", lambda m: not holds(m)
    second, too = key(messages, vocabulary, depth + 1)
    if kind < 0.8:
        return f"OR {first} {second}", lambda m: holds(m) or too(m)
    return f"({first} {second})", lambda m: holds(m) and too(m)


def main():
    global passed, failed
    imap = imaplib.IMAP4(HOST, PORT)
    imap.login(USER, PASSWORD)
    imap.create("model")
    messages = []
    for name in sorted(os.listdir(FOLDER)):
        octets = open(os.path.join(FOLDER, name), "rb").read()
        # as imaplib sends it
        octets = re.sub(rb"\r\n|\r|\n", b"\r\n", octets)
        if not is_clean(octets) or len(octets) > 300_000:
            continue
        flags = [flag for flag in ("Seen", "Flagged", "Answered", "Deleted", "Draft") if RANDOM.random() < 0.3]
        keywords = ["$Work"] if RANDOM.random() < 0.3 else []
        day = (2024, RANDOM.randint(1, 3), RANDOM.randint(1, 5))
        when = f'"{day[2]:02}-{MONTHS[day[1] - 1]}-{day[0]} 12:00:00 +0000"'
        said = " ".join(["\\" + flag for flag in flags] + keywords)
        answer, text = imap.append("model", f"({said})", when, octets)
        assert answer == "OK", text
        messages.append(Message(octets, flags + keywords, day))
    imap.select("model")
    imap.literal = None
    vocabulary = words(messages)
    print(f"{len(messages)} messages, {len(vocabulary)} words", flush=True)
    for _ in range(KEYS):
        text, holds = key(messages, vocabulary)
        expected = [number for number, m in enumerate(messages, 1) if holds(m)]
        tag = imap._new_tag()
        imap.send(tag + b" SEARCH CHARSET UTF-8 " + text.encode() + b"\r\n")
        found, line = None, b""
        while not line.startswith(tag):
            line = imap.readline()
            if line.startswith(b"* SEARCH"):
                found = [int(number) for number in line.split()[2:]]
        if found == expected:
            passed += 1
        else:
            failed += 1
            wrong = set(found or []) ^ set(expected)
            print(f"FAILED {text}: differ {sorted(wrong)[:5]}, found {None if found is None else len(found)} of {len(expected)}", flush=True)
    imap.logout()
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not messages else 0


sys.exit(main())
