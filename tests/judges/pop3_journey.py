"""Walks POP3 with Python's poplib: HOST PORT USER PASSWORD; the inbox holds five messages by LMTP."""

import base64
import poplib
import sys

host, port, user, password = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
passed, failed = 0, 0


def check(what, is_good):
    global passed, failed
    passed, failed = passed + bool(is_good), failed + (not is_good)
    if not is_good:
        print("FAILED", what)


def refused(what, call):
    try:
        call()
        check(what, False)
    except poplib.error_proto as error:
        check(what, error.args[0].startswith(b"-ERR"))
        return error.args[0]
    return b""


def login():
    pop3 = poplib.POP3(host, port, timeout=60)
    pop3.user(user)
    pop3.pass_(password)
    return pop3


pop3 = poplib.POP3(host, port, timeout=60)
check("greeting", pop3.getwelcome().startswith(b"+OK"))
names = pop3.capa()
check("capa", {"TOP", "UIDL", "USER", "STLS", "PIPELINING", "RESP-CODES"} <= set(names))
check("utf8", pop3.utf8().startswith(b"+OK"))
refused("stat before login", pop3.stat)
pop3.user(user)
check("auth code", b"[AUTH]" in refused("wrong password", lambda: pop3.pass_("wrong")))
pop3.user(user)
check("login", pop3.pass_(password).startswith(b"+OK 5 messages"))
count, octets = pop3.stat()
check("stat", count == 5)
_, lines, _ = pop3.list()
sizes = {int(line.split()[0]): int(line.split()[1]) for line in lines}
check("list", sorted(sizes) == [1, 2, 3, 4, 5] and sum(sizes.values()) == octets)
check("list of one", pop3.list(3).split()[2] == str(sizes[3]).encode())
_, lines, _ = pop3.uidl()
ids = dict(line.split() for line in lines)
check("uidl", len(set(ids.values())) == 5 and pop3.uidl(2).split()[2] == ids[b"2"])
for number in range(1, 6):
    _, lines, _ = pop3.retr(number)
    whole = b"".join(line + b"\r\n" for line in lines)
    check(f"octets of {number}", len(whole) == sizes[number])
    check(f"text of {number}", f"Subject: m{number}".encode() in lines and b".leading dot" in lines)
    head = lines.index(b"")
    check(f"top of {number}", pop3.top(number, 1)[1] == lines[: head + 2])
    check(f"head of {number}", pop3.top(number, 0)[1] == lines[: head + 1])
refused("retr 6", lambda: pop3.retr(6))
refused("retr 0", lambda: pop3.retr(0))
check("in use", b"[IN-USE]" in refused("a second session", login))
pop3.dele(1)
pop3.dele(4)
refused("retr of a deleted one", lambda: pop3.retr(1))
check("stat after dele", pop3.stat() == (3, octets - sizes[1] - sizes[4]))
pop3.rset()
check("rset", pop3.stat() == (5, octets))
pop3.dele(2)
check("noop", pop3.noop().startswith(b"+OK"))
pop3.close()

pop3 = None
while pop3 is None:
    try:
        pop3 = login()
    except poplib.error_proto as error:
        check("free soon after a broken session", b"[IN-USE]" in error.args[0])
check("no QUIT, no UPDATE", pop3.stat() == (5, octets))
_, lines, _ = pop3.uidl()
check("ids are stable", dict(line.split() for line in lines) == ids)
pop3.dele(2)
check("quit", pop3.quit().startswith(b"+OK"))

pop3 = poplib.POP3(host, port, timeout=60)
secret = base64.b64encode(f"\0{user}\0{password}".encode()).decode()
check("auth plain", pop3._shortcmd(f"AUTH PLAIN {secret}").startswith(b"+OK 4 messages"))
_, lines, _ = pop3.uidl()
left = dict(line.split() for line in lines)
check("others keep their ids", [left[n] for n in sorted(left)] == [ids[n] for n in (b"1", b"3", b"4", b"5")])
pop3.quit()

pop3 = poplib.POP3(host, port, timeout=60)
check("auth login", pop3._shortcmd("AUTH LOGIN").startswith(b"+ "))
pop3._shortcmd(base64.b64encode(user.encode()).decode())
check("auth login ends", pop3._shortcmd(base64.b64encode(password.encode()).decode()).startswith(b"+OK"))
pop3.quit()
print(f"{passed} passed, {failed} failed")
