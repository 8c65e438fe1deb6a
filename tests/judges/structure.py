#!/usr/bin/env python3
"""What Python's email package thinks of messages, as JSON lines: a judge of codec/mime.

usage: structure.py FILE-OR-DIRECTORY...

One line per file and form ("as_is" and "crlf", the latter with every line end made CRLF):
  {"path", "form",
   "parts": [{"path": "1.2", "type", "subtype", "encoding", "octets", "lines"}],
   "envelope": {"date", "subject", "in-reply-to", "message-id", "from": [...], "to", "cc", "bcc"}}
octets and lines are null where Python cannot tell. Raw octets are shown as ISO 8859-1.
"""

import email.utils
import json
import os
import re
import sys
from email.feedparser import BytesFeedParser
from email.policy import compat32

TEXTS = ("date", "subject", "in-reply-to", "message-id")
ADDRESSES = ("from", "to", "cc", "bcc")


def octets(text):
    return text.encode("utf-8", "surrogateescape") if not text.isascii() else text.encode()


def latin1(text):
    return octets(text).decode("iso-8859-1")


def raw(message, name):
    """The first field of that name, unfolded."""
    for key, value in message.raw_items():
        if key.lower() == name:
            return re.sub(r"\r?\n", "", value).strip(" \t\r\n")
    return None


def addresses(value):
    if value is None:
        return []
    try:
        found = email.utils.getaddresses([value], strict=False)
    except TypeError:  # before the strict parameter
        found = email.utils.getaddresses([value])
    return [latin1(address) for _, address in found if address]


def encoding(message):
    value = raw(message, "content-transfer-encoding") or "7bit"
    return latin1(value).split(";")[0].strip().lower() or "7bit"


def walk(message, path, parts):
    """`path` is the IMAP number of this part; a message without parts has part 1."""
    row = {
        "path": ".".join(map(str, path)),
        "type": message.get_content_maintype(),
        "subtype": message.get_content_subtype(),
        "encoding": encoding(message),
        "octets": None,
        "lines": None,
    }
    parts.append(row)
    if not message.is_multipart():
        payload = message._payload  # get_payload() would decode 8-bit text
        body = octets(payload) if isinstance(payload, str) else b""
        row["octets"] = len(body)
        row["lines"] = body.count(b"\n")
        return
    children = message.get_payload()
    if row["type"] == "message":
        # Python also looks into message/delivery-status and message/external-body.
        if row["subtype"] in ("rfc822", "global"):
            inside(children[0], path, parts)
        return
    for number, child in enumerate(children, 1):
        walk(child, path + [number], parts)


def inside(message, path, parts):
    """The parts of a message that stands at `path`."""
    if message.is_multipart() and message.get_content_maintype() == "multipart":
        for number, child in enumerate(message.get_payload(), 1):
            walk(child, path + [number], parts)
    else:
        walk(message, path + [1], parts)


def judge(path, form, content):
    parser = BytesFeedParser(policy=compat32)
    parser.feed(content)
    message = parser.close()
    parts = []
    inside(message, [], parts)
    envelope = {}
    for name in TEXTS:
        value = raw(message, name)
        envelope[name] = None if value is None else latin1(value)
    for name in ADDRESSES:
        envelope[name] = addresses(raw(message, name))
    return {"path": path, "form": form, "parts": parts, "envelope": envelope}


def files(arguments):
    for argument in arguments:
        if os.path.isfile(argument):
            yield argument, os.path.basename(argument)
        for folder, _, names in os.walk(argument):
            for name in names:
                whole = os.path.join(folder, name)
                if name != "README.md":
                    yield whole, os.path.relpath(whole, argument)


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    for whole, path in sorted(files(sys.argv[1:])):
        with open(whole, "rb") as file:
            content = file.read()
        with_crlf = re.sub(rb"(?<!\r)\n", b"\r\n", content)
        for form, octets_of_form in (("as_is", content), ("crlf", with_crlf)):
            print(json.dumps(judge(path, form, octets_of_form)))


if __name__ == "__main__":
    main()
