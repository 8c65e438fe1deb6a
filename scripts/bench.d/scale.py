"""How the store grows: the same operations on mailboxes of 2,000, 20,000 and 200,000 messages and accounts of 20, 200 and
2,000 mailboxes. Nothing may grow faster than its output.

Argument: the eider binary. Prints a table of milliseconds.
"""
import json, os, shutil, sys, tempfile, time, urllib.request

sys.path.insert(0, os.path.dirname(__file__))
from bench import Eider, Imap, USER, message, rss_kb, timed

SIZES = [2_000, 20_000, 200_000]
MAILBOXES = [20, 200, 2_000]


class Api:
    def __init__(self, server):
        self.base = f"http://127.0.0.1:{server.api}"
        self.token = server.token
        self.user = self.get(f"/users/resolve/{USER}")["id"]

    def get(self, path):
        request = urllib.request.Request(self.base + path, headers={"X-Access-Token": self.token})
        return json.loads(urllib.request.urlopen(request).read())

    def set(self, key, value):
        request = urllib.request.Request(
            f"{self.base}/settings/{key}", json.dumps({"value": value}).encode(), method="POST",
            headers={"X-Access-Token": self.token, "Content-Type": "application/json"})
        return json.loads(urllib.request.urlopen(request).read())

    def mailbox(self, name):
        mailboxes = self.get(f"/users/{self.user}/mailboxes")["results"]
        return next(mailbox["id"] for mailbox in mailboxes if mailbox["path"] == name)


def fill(imap, size):
    """Messages by copying what is there, at most 5,000 at a time."""
    have = imap.status("MESSAGES")
    while have < size:
        count = min(have, size - have, 5_000)
        imap.command(f"COPY 1:{count} INBOX")
        have = imap.status("MESSAGES")


def milliseconds(work):
    return 1000 * min(timed(work) for _ in range(3))


def messages(server, api):
    imap = Imap(server.imap)
    for number in range(500):
        imap.append("INBOX", message(number))
    imap.command("SELECT INBOX")
    inbox = f"/users/{api.user}/mailboxes/{api.mailbox('INBOX')}/messages"
    for size in SIZES:
        fill(imap, size)
        imap.command("UNSELECT")
        server_kb = server.memory_kb()
        first = 1000 * timed(lambda: imap.command("SELECT INBOX"))
        yield "view in memory, KB", size, server.memory_kb() - server_kb
        yield "SELECT after a change elsewhere", size, first
        yield "SELECT", size, milliseconds(lambda: imap.command("SELECT INBOX"))
        yield "STATUS", size, milliseconds(lambda: imap.status("MESSAGES"))
        yield "FETCH 1:* FLAGS", size, milliseconds(lambda: imap.command("FETCH 1:* FLAGS"))
        yield "SEARCH UNSEEN", size, milliseconds(lambda: imap.command("SEARCH RETURN (COUNT) UNSEEN"))
        yield "UID FETCH of one ENVELOPE", size, milliseconds(lambda: imap.command("UID FETCH 1000 ENVELOPE"))
        yield "first page of the API", size, milliseconds(lambda: api.get(inbox))


def mailboxes(server, api):
    imap = Imap(server.imap)
    api.set("const:max:mailboxes", MAILBOXES[-1] + 100)
    have = 0
    for count in MAILBOXES:
        start = time.perf_counter()
        for number in range(have, count):
            imap.command(f"CREATE box{number % 50:02}/sub{number}")
        yield "CREATE, each", count, 1000 * (time.perf_counter() - start) / (count - have)
        have = count
        yield 'LIST "" "*"', count, milliseconds(lambda: imap.command('LIST "" "*"'))
        yield "LIST RETURN (STATUS)", count, milliseconds(
            lambda: imap.command('LIST "" "*" RETURN (STATUS (MESSAGES UNSEEN))'))
        yield "STATUS of one", count, milliseconds(lambda: imap.command("STATUS box07/sub7 (MESSAGES)"))
        yield "mailbox list of the API", count, milliseconds(lambda: api.get(f"/users/{api.user}/mailboxes"))


def table(title, sizes, rows):
    print(f"\n| {title} | " + " | ".join(f"{size:,}" for size in sizes) + " |\n|---" + "|--:" * len(sizes) + "|")
    found = {}
    for row, size, value in rows:
        found.setdefault(row, {})[size] = value
    for row, values in found.items():
        print(f"| {row} | " + " | ".join(f"{values[size]:.1f}" for size in sizes) + " |", flush=True)


def main():
    folder = tempfile.mkdtemp(prefix="eider-scale-")
    server = Eider(folder)
    try:
        api = Api(server)
        table("ms, messages", SIZES, messages(server, api))
        table("ms, mailboxes", MAILBOXES, mailboxes(server, api))
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


main()
