"""Walks IMAP with IMAPClient: PORT USER PASSWORD; the inbox holds messages m1 to m10."""

import sys

from imapclient import IMAPClient

port, user, password = int(sys.argv[1]), sys.argv[2], sys.argv[3]
with IMAPClient("127.0.0.1", port=port, ssl=False, timeout=60) as client:
    client.login(user, password)
    assert client.has_capability("UIDPLUS") and client.has_capability("MOVE")
    assert client.namespace().personal == (("", "/"),)
    flags = {name: flags for flags, _, name in client.list_folders()}
    assert b"\\Drafts" in flags["Drafts"], flags
    chosen = client.select_folder("INBOX")
    assert chosen[b"EXISTS"] == 10 and chosen[b"READ-WRITE"], chosen
    (found,) = client.search(["SUBJECT", "m8", "NOT", "DELETED"])
    data = client.fetch([found], ["ENVELOPE", "BODYSTRUCTURE", "FLAGS", "RFC822.SIZE", "BODY[TEXT]"])[found]
    assert data[b"ENVELOPE"].subject == b"m8" and data[b"ENVELOPE"].from_[0].mailbox == b"sender"
    assert data[b"BODYSTRUCTURE"][:2] == (b"text", b"plain") and b"Body of m8." in data[b"BODY[TEXT]"]
    assert b"\\Seen" in client.get_flags([found])[found]
    client.create_folder("Über/Ünder")
    client.move([found], "Über/Ünder")
    assert client.folder_status("Über/Ünder", ["MESSAGES"])[b"MESSAGES"] == 1
    uid = client.append("INBOX", b"Subject: appended\r\n\r\nhello\r\n", flags=[b"\\Flagged", b"$Work"])
    assert b"APPENDUID" in uid, uid
    (mine,) = client.search(["KEYWORD", "$Work"])
    client.add_flags([mine], [b"\\Answered"])
    client.remove_flags([mine], [b"\\Flagged"])
    assert set(client.get_flags([mine])[mine]) - {b"\\Recent"} == {b"\\Answered", b"$Work"}
    client.copy([mine], "Trash")
    client.delete_messages([mine])
    client.uid_expunge([mine])
    assert client.search() == [uid for uid in range(1, 11) if uid != found]
    client.idle()
    with IMAPClient("127.0.0.1", port=port, ssl=False, timeout=60) as other:
        other.login(user, password)
        other.append("INBOX", b"Subject: ring\r\n\r\n")
    seen = []
    while (10, b"EXISTS") not in seen:
        seen += client.idle_check(timeout=60) or [None]
        assert None not in seen, seen
    client.idle_done()
print("IMAPClient is done")
