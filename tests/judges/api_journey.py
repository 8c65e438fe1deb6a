"""The HTTP API as a script sees it, with nothing but Python's standard library.

Usage: api_journey.py http://127.0.0.1:8080 TOKEN
Says what fails, and ends with "N passed, M failed".
"""

import base64
import json
import os
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

BASE, TOKEN = sys.argv[1].rstrip("/"), sys.argv[2]
passed, failed = 0, 0


def check(what, is_true, shown=None):
    global passed, failed
    if is_true:
        passed += 1
    else:
        failed += 1
        print(f"FAILED {what}: {shown!r}"[:1500])


def raw(method, path, body=None, kind=None, token=TOKEN):
    request = urllib.request.Request(BASE + path, data=body, method=method)
    if token:
        request.add_header("X-Access-Token", token)
    if kind:
        request.add_header("Content-Type", kind)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read(), answer.headers
    except urllib.error.HTTPError as error:
        return error.code, error.read(), error.headers


def call(method, path, values=None, query=None, token=TOKEN):
    body = None if values is None else json.dumps(values).encode()
    path += "?" + urllib.parse.urlencode(query) if query else ""
    status, octets, _ = raw(method, path, body, "application/json" if body else None, token)
    try:
        return status, json.loads(octets)
    except ValueError:
        return status, {"unreadable": octets[:300]}


def ok(what, method, path, values=None, query=None):
    status, answer = call(method, path, values, query)
    check(what, status == 200 and answer.get("success") is True, (status, answer))
    return answer


def refused(what, status, code, method, path, values=None, query=None, token=TOKEN):
    got, answer = call(method, path, values, query, token)
    is_right = got == status and answer.get("code") == code and answer.get("success") is not True
    check(what, is_right, (got, answer))
    return answer


def mailbox_of(user, path):
    return ok(f"resolve {path}", "GET", f"/users/{user}/mailboxes/resolve", query={"path": path})["id"]


ATTACHED = os.urandom(70_000)
PICTURE = b"\x89PNG\r\n\x1a\n" + os.urandom(500)
SOURCE = (
    "From: =?utf-8?Q?J=C3=BCrgen?= <juergen@example.org>\r\n"
    "To: Team: anna@example.com, \"B, b\" <b@example.com>;, c@example.com\r\n"
    "Subject: =?utf-8?B?R3LDvMOfZQ==?=\r\n"
    "Message-ID: <one@example.org>\r\n"
    "References: <zero@example.org>\r\n"
    "List-Id: <list.example.org>\r\n"
    "Date: Wed, 01 Jan 2020 00:00:00 +0000\r\n"
    "X-Twice: 1\r\nX-Twice: 2\r\n"
    "MIME-Version: 1.0\r\n"
    "Content-Type: multipart/mixed; boundary=m\r\n\r\n"
    "--m\r\nContent-Type: multipart/alternative; boundary=a\r\n\r\n"
    "--a\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
    "Hello wörld\r\n"
    "--a\r\nContent-Type: multipart/related; boundary=r\r\n\r\n"
    "--r\r\nContent-Type: text/html; charset=utf-8\r\n\r\n"
    "<p onclick=\"alert(1)\">Hello <b>w&ouml;rld</b><script>alert(1)</script>"
    "<img src=\"cid:pic@x\"></p>\r\n"
    "--r\r\nContent-Type: image/png\r\nContent-ID: <pic@x>\r\n"
    "Content-Disposition: inline\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    + base64.encodebytes(PICTURE).decode().replace("\n", "\r\n")
    + "--r--\r\n--a--\r\n"
    "--m\r\nContent-Type: application/pdf; name=a.pdf\r\n"
    "Content-Disposition: attachment; filename=a.pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    + base64.encodebytes(ATTACHED).decode().replace("\n", "\r\n")
    + "--m--\r\n"
).encode()


def users():
    name = "journey" + os.urandom(4).hex()
    address = f"{name}@example.com"
    answer = ok(
        "create user",
        "POST",
        "/users",
        {"username": name, "password": "correct horse battery", "address": address, "name": "Joy"},
    )
    user = answer.get("id", "0" * 24)
    shown = ok("show user", "GET", f"/users/{user}")
    check("username", shown.get("username") == name, shown)
    check("resolve user", ok("resolve user", "GET", f"/users/resolve/{name}").get("id") == user)
    refused("user twice", 500, "UserExistsError", "POST", "/users", {"username": name, "password": "x" * 12})
    answer = refused("user with mistakes", 400, "InputValidationError", "POST", "/users", {"nonsense": 1})
    check("details of mistakes", "username" in answer.get("details", {}), answer)
    refused("no token", 403, "InvalidToken", "GET", f"/users/{user}", token=None)
    refused("wrong token", 403, "InvalidToken", "GET", f"/users/{user}", token="f" * 40)
    return user, address


def mailboxes(user):
    path = f"/users/{user}/mailboxes"
    listed = ok("list mailboxes", "GET", path, query={"counters": "yes", "sizes": "1"})["results"]
    paths = [mailbox["path"] for mailbox in listed]
    check("INBOX first", paths[0] == "INBOX", paths)
    uses = {mailbox.get("specialUse") for mailbox in listed}
    check("special uses", {"\\Sent", "\\Trash", "\\Drafts", "\\Junk"} <= uses, uses)
    check("counters", all(m["total"] == 0 and m["unseen"] == 0 and m["size"] == 0 for m in listed), listed)
    plain = ok("list plainly", "GET", path)["results"][0]
    check("no counters unless asked for", "total" not in plain and "size" not in plain, plain)
    wanted = {"id", "name", "path", "modifyIndex", "subscribed", "hidden", "encryptMessages"}
    check("fields of a mailbox", wanted <= set(plain), plain)

    created = ok("create mailbox", "POST", path, {"path": "/Projects/Ei der ö"})["id"]
    shown = ok("show mailbox", "GET", f"{path}/{created}")
    check("path and name", (shown["path"], shown["name"]) == ("Projects/Ei der ö", "Ei der ö"), shown)
    check("resolve", mailbox_of(user, "Projects/Ei der ö") == created)
    refused("mailbox twice", 400, "MailboxExistsError", "POST", path, {"path": "Projects/Ei der ö"})
    refused("no path", 400, "InputValidationError", "POST", path, {})
    refused("empty level", 400, "InputValidationError", "POST", path, {"path": "a//b"})
    refused("too deep", 400, "InputValidationError", "POST", path, {"path": "/".join("a" * 200)})
    wish = ok("wish to encrypt", "POST", path, {"path": "e", "encryptMessages": True})["id"]
    check("the wish is kept", ok("show it", "GET", f"{path}/{wish}").get("encryptMessages") is True)
    ok("delete it", "DELETE", f"{path}/{wish}")
    refused("unknown parameter", 400, "InputValidationError", "GET", path, query={"nonsense": 1})
    refused("unknown user", 404, "UserNotFound", "GET", f"/users/{'a' * 24}/mailboxes")
    refused("no id", 400, "InputValidationError", "GET", f"{path}/abc")
    refused("no such mailbox", 404, "NoSuchMailbox", "GET", f"{path}/{'a' * 24}")

    ok("rename", "PUT", f"{path}/{created}", {"path": "Work", "subscribed": False, "retention": 60000})
    shown = ok("show renamed", "GET", f"{path}/{created}")
    settings = (shown["path"], shown["subscribed"], shown.get("retention"))
    check("renamed", settings == ("Work", False, 60000), shown)
    status, answer = call("PUT", f"{path}/{created}", {})
    check("nothing to change", status == 400 and "code" not in answer and "error" in answer, (status, answer))
    inbox = mailbox_of(user, "inbox")
    refused("rename INBOX", 400, "DisallowedMailboxMethod", "PUT", f"{path}/{inbox}", {"path": "x"})
    refused("delete INBOX", 400, "DisallowedMailboxMethod", "DELETE", f"{path}/{inbox}")
    trash = next(m["id"] for m in listed if m.get("specialUse") == "\\Trash")
    refused("delete Trash", 400, "DisallowedMailboxMethod", "DELETE", f"{path}/{trash}")
    ok("delete mailbox", "DELETE", f"{path}/{created}")
    refused("deleted is gone", 404, "NoSuchMailbox", "DELETE", f"{path}/{created}")
    return inbox, trash


def upload(user, inbox):
    path = f"/users/{user}/mailboxes/{inbox}/messages"
    status, octets, _ = raw("POST", path + "?unseen=true&date=2021-02-03T04:05:06Z", SOURCE, "message/rfc822")
    answer = json.loads(octets)
    check("upload raw", status == 200 and answer["message"]["mailbox"] == inbox, answer)
    check("its size", answer["message"]["size"] == len(SOURCE), answer)
    uid = answer["message"]["id"]

    item = ok("list", "GET", path, query={"includeHeaders": "true", "metaData": "true"})["results"][0]
    check("from", item["from"] == {"name": "Jürgen", "address": "juergen@example.org"}, item["from"])
    check("subject", (item["id"], item["subject"]) == (uid, "Grüße"), item)
    check("dates", item["date"] == "2020-01-01T00:00:00.000Z", item["date"])
    check("internal date", item["idate"] == "2021-02-03T04:05:06.000Z", item["idate"])
    check("flags", not item["seen"] and not item["flagged"] and not item["draft"], item)
    check("preview", item["intro"].startswith("Hello w"), item.get("intro"))
    check("has attachments", item["attachments"] is True, item)
    names = [(a["id"], a["filename"], a["related"]) for a in item["attachmentsList"]]
    check("attachments", [n[0] for n in names] == ["ATT00001", "ATT00002"], names)
    check("related", [n[2] for n in names] == [True, False] and names[1][1] == "a.pdf", names)
    check("content type", item["contentType"]["value"] == "multipart/mixed", item["contentType"])
    check("headers", item["headers"]["x-twice"] == ["1", "2"], item.get("headers"))
    check("meta data", "metaData" not in item, item)

    shown = ok("show", "GET", f"{path}/{uid}")
    check("text", shown["text"].strip() == "Hello wörld", shown.get("text"))
    html = "".join(shown.get("html", []))
    check("html is clean", "<b>wörld</b>" in html and "script" not in html and "onclick" not in html, html)
    check("inline picture", "attachment:ATT00001" in html, html)
    group = [entry.get("group") for entry in shown["to"]]
    check("a group", len(shown["to"]) == 2 and len(group[0] or []) == 2, shown["to"])
    check("absent fields", "cc" not in shown and "bcc" not in shown, shown)
    check("list", shown.get("list") == {"id": {"name": "", "address": "list.example.org"}}, shown.get("list"))
    check("references", shown["references"] == ["<zero@example.org>"], shown["references"])
    check("user and mailbox", (shown["user"], shown["mailbox"]) == (user, inbox), shown)
    check("still unseen", shown["seen"] is False)
    shown = ok("mark as seen", "GET", f"{path}/{uid}", query={"markAsSeen": "true"})
    check("seen now", shown["seen"] is True)

    status, octets, headers = raw("GET", f"{path}/{uid}/message.eml")
    check("source", status == 200 and octets == SOURCE, (status, len(octets), len(SOURCE)))
    check("type of source", headers["Content-Type"] == "message/rfc822", headers["Content-Type"])
    status, octets, headers = raw("GET", f"{path}/{uid}/attachments/ATT00002")
    check("attachment", status == 200 and octets == ATTACHED, (status, len(octets)))
    check("its type", headers["Content-Type"] == "application/pdf", headers["Content-Type"])
    check("its disposition", "a.pdf" in (headers["Content-Disposition"] or ""), dict(headers))
    status, octets, _ = raw("GET", f"{path}/{uid}/attachments/att00001")
    check("inline attachment", octets == PICTURE, (status, len(octets)))
    refused("no such attachment", 404, "AttachmentNotFound", "GET", f"{path}/{uid}/attachments/ATT00009")
    refused("no attachment id", 400, "InputValidationError", "GET", f"{path}/{uid}/attachments/x")
    for what, tail in [("details", ""), ("source", "/message.eml"), ("attachment", "/attachments/ATT00001")]:
        refused(f"{what} of nothing", 404, "MessageNotFound", "GET", f"{path}/999{tail}")
    refused("uid 0", 400, "InputValidationError", "GET", f"{path}/0")
    for option, field in [("threadCounters", "threadMessageCount"), ("includeHasDrafts", "hasDrafts")]:
        item = ok(option, "GET", path, query={option: "true"})["results"][0]
        check(field, item.get(field) == (1 if field == "threadMessageCount" else False), item.get(field))
    collapsed = ok("collapse", "GET", path, query={"collapseThreads": "true"})
    check("collapsed", collapsed["total"] == 1, collapsed)
    refused("no such mailbox", 404, "NoSuchMailbox", "GET", f"/users/{user}/mailboxes/{'a' * 24}/messages")
    return uid


def compose(user, inbox, address):
    path = f"/users/{user}/mailboxes/{inbox}/messages"
    picture = "data:image/png;base64," + base64.b64encode(PICTURE).decode()
    values = {
        "to": [{"name": "Ö", "address": "to@example.net"}, {"address": "nowhere"}],
        "bcc": [{"address": "bcc@example.net"}],
        "subject": "Entwurf für Ö\r\nX-Evil: 1",
        "html": f"<p>Hallo <i>Welt</i></p><img src=\"{picture}\">",
        "headers": [{"key": "X-Mine", "value": "ja"}],
        "attachments": [{"content": base64.b64encode(ATTACHED).decode(), "filename": "ü.bin"}],
        "metaData": {"a": [1]},
        "flagged": True,
        "draft": True,
        "from": {"name": "Faked", "address": "somebody@else.example"},
    }
    uid = ok("upload composed", "POST", path, values)["message"]["id"]
    shown = ok("show composed", "GET", f"{path}/{uid}")
    check("subject in one line", shown["subject"].startswith("Entwurf für Ö"), shown["subject"])
    check("a draft is from the user", shown["from"] == {"name": "Faked", "address": address}, shown["from"])
    check("invalid addresses are dropped", len(shown["to"]) == 1, shown["to"])
    check("bcc is kept", shown["bcc"][0]["address"] == "bcc@example.net", shown.get("bcc"))
    check("flags", shown["draft"] and shown["flagged"] and shown["seen"], shown)
    check("text of html", "Hallo" in shown["text"] and "Welt" in shown["text"], shown["text"])
    check("data picture", "attachment:ATT0000" in "".join(shown["html"]), shown["html"])
    check("meta data", shown["metaData"] == {"a": [1]}, shown["metaData"])
    names = {a["filename"]: a["id"] for a in shown["attachments"]}
    _, octets, _ = raw("GET", f"{path}/{uid}/attachments/{names.get('ü.bin')}")
    check("attached octets", octets == ATTACHED, names)
    _, source, _ = raw("GET", f"{path}/{uid}/message.eml")
    check("no injected field", b"\r\nX-Evil" not in source and b"X-Mine: ja\r\n" in source, source[:600])
    check("line ends", b"\n" not in source.replace(b"\r\n", b""))
    check("Message-ID", shown["messageId"].startswith("<") and shown["messageId"].endswith("@example.com>"), shown)

    again = {"subject": "next", "text": "x", "draft": "yes", "replacePrevious": {"id": uid}}
    answer = ok("replace previous", "POST", path, again)
    check("previous is gone", answer.get("previousDeleted") is True, answer)
    refused("previous", 404, "MessageNotFound", "GET", f"{path}/{uid}")
    ok("delete draft", "DELETE", f"{path}/{answer['message']['id']}")
    refused("nothing given", 400, "EmptyMessage", "POST", path, {})
    refused("empty raw", 400, "EmptyMessage", "POST", path, {"raw": ""})
    refused("wrong fields", 400, "InputValidationError", "POST", path, {"to": "x@example.com", "subject": 1})
    refused("no such file", 400, "InputValidationError", "POST", path, {"text": "x", "files": ["a" * 24]})
    literal = ok("raw as text", "POST", path, {"raw": "Subject: literal\n\nbody\n"})["message"]
    _, source, _ = raw("GET", f"{path}/{literal['id']}/message.eml")
    check("line ends of raw text", source == b"Subject: literal\r\n\r\nbody\r\n", source)
    ok("delete it", "DELETE", f"{path}/{literal['id']}")


def pages(user, mailbox):
    path = f"/users/{user}/mailboxes/{mailbox}/messages"
    uids = []
    for number in range(7):
        values = {"subject": f"n{number}", "text": "x", "date": f"2020-01-0{number + 1}", "unseen": number % 2 == 0}
        uids.append(ok("upload", "POST", path, values)["message"]["id"])
    query, seen, backwards = {"limit": 3}, [], None
    while True:
        page = ok("page", "GET", path, query=query)
        seen += [message["id"] for message in page["results"]]
        check("total", page["total"] == 7, page["total"])
        if page["page"] == 2:
            backwards = page["previousCursor"]
        if page["nextCursor"] is False:
            break
        query = {"limit": 3, "next": page["nextCursor"]}
    check("newest first, each once", seen == uids[::-1], (seen, uids))
    page = ok("previous page", "GET", path, query={"limit": 3, "previous": backwards})
    check("is the first page", [m["id"] for m in page["results"]] == uids[:3:-1], page["results"])
    check("with nothing before it", page["previousCursor"] is False and page["page"] == 1, page)
    page = ok("oldest first", "GET", path, query={"order": "asc"})
    check("ascending", [m["id"] for m in page["results"]] == uids, page)
    page = ok("unseen", "GET", path, query={"unseen": "true"})
    check("only unseen", (len(page["results"]), page["total"]) == (4, 4), page["total"])
    page = ok("seen", "GET", path, query={"unseen": "false"})
    check("only seen", (len(page["results"]), page["total"]) == (3, 3), page["total"])
    refused("cursor with wrong characters", 400, "InputValidationError", "GET", path, query={"next": "a/b"})
    refused("foreign cursor", 500, "InternalDatabaseError", "GET", path, query={"next": "AAAA"})
    refused("limit", 400, "InputValidationError", "GET", path, query={"limit": 251})
    return uids


def updates(user, mailbox, target, uids):
    path = f"/users/{user}/mailboxes/{mailbox}/messages"
    answer = ok("update one", "PUT", f"{path}/{uids[0]}", {"seen": True, "flagged": "yes"})
    check("updated", answer.get("updated") == 1, answer)
    answer = ok("update a list", "PUT", f"{path}/{uids[1]},{uids[2]}", {"deleted": True})
    check("updated two", answer.get("updated") == 2, answer)
    answer = ok("update by body", "PUT", path, {"message": f"{uids[0]}:*", "seen": False, "draft": True})
    check("updated all", answer.get("updated") == 7, answer)
    shown = ok("show", "GET", f"{path}/{uids[0]}")
    check("flags are set and cleared", shown["flagged"] and shown["draft"] and not shown["seen"], shown)
    refused("no match", 404, "MessageNotFound", "PUT", f"{path}/9999", {"seen": True})
    refused("not a set", 400, "InputValidationError", "PUT", f"{path}/1:3,5", {"seen": True})
    refused("no set", 400, "InputValidationError", "PUT", path, {"seen": True})
    status, answer = call("PUT", f"{path}/{uids[0]}", {})
    check("nothing to do", status == 500 and "error" in answer and "code" not in answer, (status, answer))
    status, answer = call("PUT", f"{path}/{uids[0]}", {"moveTo": "a" * 24})
    check("no target", status == 500 and "error" in answer and "code" not in answer, (status, answer))
    for values in [{"expires": "2030-01-01"}, {"markHam": True}, {"metaData": {"a": 1}}]:
        ok(f"update {values}", "PUT", f"{path}/{uids[0]}", values)
    shown = ok("show", "GET", f"{path}/{uids[0]}")
    check("expiry", shown.get("expires") == "2030-01-01T00:00:00.000Z", shown.get("expires"))
    check("new meta data", shown["metaData"] == {"a": 1}, shown["metaData"])
    ok("no expiry", "PUT", f"{path}/{uids[0]}", {"expires": False})

    answer = ok("move", "PUT", f"{path}/{uids[1]}:{uids[2]}", {"moveTo": target, "seen": True})
    pairs = answer.get("id", [])
    check("moved pairs", [pair[0] for pair in pairs] == uids[1:3] and answer["mailbox"] == target, answer)
    refused("moved away", 404, "MessageNotFound", "GET", f"{path}/{uids[1]}")
    shown = ok("moved there", "GET", f"/users/{user}/mailboxes/{target}/messages/{pairs[0][1]}")
    check("flags went along", shown["seen"] and shown["deleted"] and shown["subject"] == "n1", shown)

    ok("delete one", "DELETE", f"{path}/{uids[3]}")
    status, answer = call("DELETE", f"{path}/{uids[3]}")
    check("deleted is gone", status == 404 and answer.get("code") == "MessageNotFound", (status, answer))
    answer = ok("delete all", "DELETE", path)
    check("deleted", (answer["deleted"], answer["errors"]) == (4, 0), answer)
    refused("no such mailbox", 404, "NoSuchMailbox", "DELETE", f"/users/{user}/mailboxes/{'a' * 24}/messages")
    shown = ok("counters", "GET", f"/users/{user}/mailboxes/{mailbox}")
    check("empty", (shown["total"], shown["unseen"]) == (0, 0), shown)
    ok("upload", "POST", path, {"text": "x"})
    answer = ok("delete later", "DELETE", path, query={"async": "true"})
    check("scheduled", answer["existing"] is False and len(answer["scheduled"]) == 24, answer)
    end = time.monotonic() + 60
    while ok("wait", "GET", f"/users/{user}/mailboxes/{mailbox}")["total"] and time.monotonic() < end:
        pass
    shown = ok("counters", "GET", f"/users/{user}/mailboxes/{mailbox}")
    check("empty later", shown["total"] == 0, shown)


def tokens(user, inbox):
    shown = ok("show user", "GET", f"/users/{user}")
    login = {"username": shown["username"], "password": "correct horse battery", "token": True}
    token = ok("authenticate", "POST", "/authenticate", login).get("token")
    status, answer = call("GET", "/users/me/mailboxes", token=token)
    check("me", status == 200 and answer["results"][0]["id"] == inbox, answer)
    other = "b" * 24
    refused("others", 403, "MissingPrivileges", "GET", f"/users/{other}/mailboxes", token=token)
    refused("others' uploads", 403, "MissingPrivileges", "POST", f"/users/{other}/mailboxes/{inbox}/messages", {}, token=token)


def main():
    status, answer = call("GET", "/health", token=None)
    check("health", status == 200 and answer.get("success") is True, answer)
    user, address = users()
    inbox, trash = mailboxes(user)
    uid = upload(user, inbox)
    compose(user, inbox, address)
    work = ok("create mailbox", "POST", f"/users/{user}/mailboxes", {"path": "Pages"})["id"]
    uids = pages(user, work)
    updates(user, work, trash, uids)
    tokens(user, inbox)
    ok("delete message", "DELETE", f"/users/{user}/mailboxes/{inbox}/messages/{uid}")
    ok("delete user", "DELETE", f"/users/{user}")
    refused("user is gone", 404, "UserNotFound", "GET", f"/users/{user}")


try:
    main()
except Exception as error:  # a missing field: say where, and count it
    import traceback

    traceback.print_exc()
    failed += 1
print(f"{passed} passed, {failed} failed")
sys.exit(1 if failed else 0)
