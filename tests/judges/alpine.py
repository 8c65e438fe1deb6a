"""Drives alpine at a terminal of its own: PORT USER PASSWORD HOME; the inbox holds messages m1 to m10.

It opens the inbox, saves the message under the cursor (the first) to "Saved", expunges and leaves.
"""

import os
import pty
import re
import select
import sys
import time

port, user, password, home = sys.argv[1:5]
server = "{127.0.0.1:%s/user=%s/notls}" % (port, user)
features = "quit-without-confirm,expunge-without-confirm,enable-aggregate-command-set"
with open(f"{home}/pinerc", "w") as file:
    file.write(f"inbox-path={server}INBOX\nfeature-list={features}\nsort-key=arrival\n"
               f"last-version-used=9.99\nuser-domain=example.com\n")
pid, terminal = pty.fork()
if pid == 0:
    os.environ.update(TERM="xterm", HOME=home, LINES="40", COLUMNS="100")
    os.execvp("alpine", ["alpine", "-p", f"{home}/pinerc", "-f", f"{server}INBOX"])
shown = ""


def wait(pattern):
    """Reads until the screen has shown this; what was before it is forgotten."""
    global shown
    end = time.monotonic() + 60
    while time.monotonic() < end:
        found = re.search(pattern, shown)
        if found:
            shown = shown[found.end():]
            return
        if select.select([terminal], [], [], 1)[0]:
            try:
                octets = os.read(terminal, 65536).decode(errors="replace")
            except OSError:
                break
            shown += re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]|\0", "", octets)
    raise SystemExit(f"no {pattern!r} in {shown[-2000:]!r}")


STEPS = [
    ("PASSWORD", f"{password}\r"), ("on DISK", "n"), ("opened with", "i"), ("m1", "s"),
    ("SAVE", f"\x15{server}Saved\r"), ("(?i)create", "y"), ("(?i)copied|saved to", "x"),
    ("(?i)expunged", "q"), ("finished", ""),
]
for pattern, keys in STEPS:
    wait(pattern)
    os.write(terminal, keys.encode())
os.waitpid(pid, 0)
print("alpine is done")
