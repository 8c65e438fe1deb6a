"""An operator's day through the generated Python client. Arguments: base URL, root token."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "api-spec/clients"))
from eider import Eider, EiderError  # noqa: E402

root = Eider(sys.argv[1], sys.argv[2])
passed = 0


def check(name, condition, shown=None):
    global passed
    if not condition:
        sys.exit(f"not so: {name}: {shown}")
    passed += 1


ids = {}
for name in ("anna", "berta", "carla"):
    made = root.create_user({"username": name, "password": "correct horse battery",
                             "address": f"{name}@example.com", "tags": ["staff"]})
    ids[name] = made["id"]
first = root.list_users(limit=2, tags="staff")
second = root.list_users(limit=2, tags="staff", next=first["nextCursor"])
check("paging", [len(first["results"]), len(second["results"])] == [2, 1], second)
root.update_user(ids["anna"], {"quota": 1_000_000, "disabledScopes": ["pop3"]})
shown = root.show_user(ids["anna"])
check("quota", shown["limits"]["quota"]["allowed"] == 1_000_000, shown)
alias = root.create_address(ids["anna"], {"address": "alias@example.com"})
check("addresses", len(root.list_addresses(ids["anna"])["results"]) == 2)
root.delete_address(ids["anna"], alias["id"])
password = root.create_app_password(ids["berta"], {"description": "Phone"})["password"]
login = root.authenticate({"username": "berta", "password": password, "scope": "imap"})
check("an application's password", login["id"] == ids["berta"], login)
boxes = root.list_mailboxes(ids["berta"], counters=True)["results"]
inbox = next(box["id"] for box in boxes if box["path"] == "INBOX")
root.upload_message(ids["berta"], inbox, {"subject": "Hello", "text": "x", "unseen": True})
check("uploaded", root.list_messages(ids["berta"], inbox, unseen=True)["total"] == 1)
check("source", b"Subject: Hello" in root.show_message_source(ids["berta"], inbox, 1))
dump = root.export_data({"users": [ids["berta"]]})
check("exported", dump[:3] == b"\x09\x06\x82")
check("imported", root.import_data(dump)["result"]["existing"] >= 1)
try:
    root.show_user("a" * 24)
    check("nobody", False)
except EiderError as error:
    check("nobody", (error.status, error.code) == (404, "UserNotFound"), error)
root.delete_user(ids["carla"])
check("deleted", root.list_users(tags="staff")["total"] == 2)
print(f"{passed} passed, 0 failed")
