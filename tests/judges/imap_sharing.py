#!/usr/bin/env python3
"""Rights, quota and annotations through Python's imaplib: two users, one shares a mailbox.

    imap_sharing.py HOST PORT OWNER OTHER PASSWORD

ACL (RFC 4314), QUOTA (RFC 9208) and METADATA (RFC 5464) as a client nobody here wrote sends and reads
them. The last line is `N passed, M failed`.
"""

import imaplib
import re
import sys

HOST, PORT, OWNER, OTHER, PASSWORD = sys.argv[1], int(sys.argv[2]), *sys.argv[3:6]
passed = failed = 0


def check(what, truth, seen=None):
    global passed, failed
    if truth:
        passed += 1
    else:
        failed += 1
        print(f"FAILED {what}: {seen!r}", flush=True)


def login(user):
    client = imaplib.IMAP4(HOST, PORT)
    client.login(user, PASSWORD)
    return client


def flat(data):
    """Lines of a response with their literals, as one text."""
    parts = []
    for line in data:
        parts += [part.decode() for part in line] if isinstance(line, tuple) else [(line or b"").decode()]
    return "\n".join(parts)


def refused(call, *arguments):
    """The words of a NO, or of a BAD."""
    try:
        answer, data = call(*arguments)
    except imaplib.IMAP4.error as error:
        return str(error)
    return flat(data) if answer != "OK" else ""


owner, other = login(OWNER), login(OTHER)
check("CREATE", owner.create("Shared")[0] == "OK")
answer, data = owner.myrights("Shared")
check("MYRIGHTS of the owner", answer == "OK" and "a" in flat(data).split()[-1], data)
theirs = f'"Other Users/{OWNER}/Shared"'
check("nothing is shared at first", refused(other.select, theirs))
answer, data = owner.setacl("Shared", OTHER, "lrs")
check("SETACL", answer == "OK", data)
answer, data = owner.getacl("Shared")
check("GETACL", answer == "OK" and re.search(rf"\b{OTHER}\S* \"?[lrs]+\"?", flat(data)), data)
answer, data = other.namespace()
check("NAMESPACE", answer == "OK" and "Other Users" in flat(data), data)
answer, data = other.list('""', f'"Other Users/{OWNER}/*"')
check("LIST of the other", answer == "OK" and "Shared" in flat(data), data)
owner.append("Shared", None, None, b"Subject: shared\r\n\r\nbody\r\n")
answer, data = other.select(theirs)
check("SELECT of the other", answer == "OK" and data == [b"1"], data)
answer, data = other.fetch("1", "(BODY[HEADER.FIELDS (SUBJECT)])")
check("FETCH of the other", answer == "OK" and "Subject: shared" in flat(data), data)
check("STORE of \\Deleted needs t", refused(other.store, "1", "+FLAGS", r"(\Deleted)") or
      r"\Deleted" not in flat(other.fetch("1", "(FLAGS)")[1]))
check("APPEND needs i", "NOPERM" in refused(other.append, theirs, None, None, b"a: b\r\n\r\n").upper())
answer, data = owner.deleteacl("Shared", OTHER)
check("DELETEACL", answer == "OK", data)
check("no longer shared", refused(login(OTHER).select, theirs))

answer, data = owner.getquotaroot("INBOX")
check("GETQUOTAROOT", answer == "OK" and "STORAGE" in flat(data[1] if isinstance(data[1], list) else data), data)
root = re.search(r'^"?INBOX"? (.*)$', flat(data[0]), re.M).group(1)
answer, data = owner.getquota(root)
check("GETQUOTA", answer == "OK" and re.search(r"STORAGE \d+ \d+", flat(data)), data)
check("SETQUOTA is the operator's", refused(owner.setquota, root, "(STORAGE 1)"))

imaplib.Commands["SETMETADATA"] = imaplib.Commands["GETMETADATA"] = ("AUTH", "SELECTED")


def metadata(client, name, *arguments):
    answer, data = client._simple_command(name, *arguments)
    return client._untagged_response(answer, data, "METADATA") if name == "GETMETADATA" else (answer, data)


answer, data = metadata(owner, "SETMETADATA", "Shared", '(/private/comment "mine" /shared/comment "ours")')
check("SETMETADATA", answer == "OK", data)
answer, data = metadata(owner, "GETMETADATA", "Shared", "(/private/comment /shared/comment)")
check("GETMETADATA", answer == "OK" and "mine" in flat(data) and "ours" in flat(data), data)
answer, data = metadata(owner, "SETMETADATA", "Shared", "(/private/comment NIL)")
check("SETMETADATA NIL", answer == "OK", data)
answer, data = metadata(owner, "GETMETADATA", "Shared", "/private/comment")
check("it is gone", answer == "OK" and "mine" not in flat(data), data)
for client in (owner, other):
    client.logout()
print(f"{passed} passed, {failed} failed")
sys.exit(1 if failed else 0)
