"""Drives alpine in a terminal of its own: PORT USER PASSWORD HOME; the inbox holds messages m1 to m10.

It opens the inbox, saves the message under the cursor (the first) to "Saved", expunges and leaves. Alpine
drops keys that come before it is ready, so each key is sent when the screen that it is for stands
still, and again until the screen has changed as it must.
"""

import re
import subprocess
import sys
import time

port, user, password, home = sys.argv[1:5]
server = "{127.0.0.1:%s/user=%s/notls}" % (port, user)
features = "quit-without-confirm,expunge-without-confirm,enable-aggregate-command-set"
with open(f"{home}/pinerc", "w") as file:
    file.write(f"inbox-path={server}INBOX\nfeature-list={features}\nsort-key=arrival\n"
               f"last-version-used=9.99\nuser-domain=example.com\n")


def tmux(*arguments):
    command = ["tmux", "-S", f"{home}/terminal", "-f", "/dev/null", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def screen():
    return tmux("capture-pane", "-p", "-t", "alpine")


def until(is_there, seconds):
    """The screen as soon as it is so and stands still; None when it does not become so in time."""
    end, last = time.monotonic() + seconds, None
    while time.monotonic() < end:
        shown = screen()
        if is_there(shown) and shown == last:
            return shown
        last = shown
        time.sleep(0.2)
    return None


def step(before, keys, after, enter=False):
    """Sends keys to the screen that shows `before` until it shows `after`."""
    if until(lambda shown: re.search(before, shown), 60) is None:
        raise SystemExit(f"no {before!r} in\n{screen()}")
    for _ in range(10):
        tmux("send-keys", "-t", "alpine", "-l", keys)
        if enter:
            tmux("send-keys", "-t", "alpine", "Enter")
        if until(lambda shown: re.search(after, shown), 6) is not None:
            return
        if re.search(after, screen()):
            return
    raise SystemExit(f"{keys!r} on {before!r} does not lead to {after!r} but\n{screen()}")


alpine = f"env HOME={home} LC_ALL=C.UTF-8 alpine -p {home}/pinerc -f '{server}INBOX'; echo alpine ended; cat"
tmux("new-session", "-d", "-s", "alpine", "-x", "100", "-y", "40", alpine)
try:
    step(r"PASSWORD", password, r"on DISK|opened with|INDEX", enter=True)
    if "on DISK" in screen():
        step(r"on DISK", "n", r"opened with|INDEX")
    step(r".", "i", r"(?s)MESSAGE INDEX.*\bm1\b")
    step(r"\bm1\b", "s", r"(?i)SAVE.*folder")
    # first only the name, until it is all there; \x15 empties the field
    step(r"(?i)SAVE.*folder", f"\x15{server}Saved", re.escape(f"{server}Saved"))
    step(r"Saved", "", r"[Cc]reate|[Cc]opied|[Ss]aved to", enter=True)
    if re.search(r"(?i)create", screen()):
        step(r"(?i)create", "y", r"[Cc]opied|[Ss]aved to|\bD\b +1 ")
    step(r"\bm1\b", "x", r"(?s)MESSAGE INDEX(?!.*\bm1\b)")
    step(r"MESSAGE INDEX", "q", r"alpine ended|[Rr]eally quit")
    if "alpine ended" not in screen():
        step(r"(?i)really quit", "y", r"alpine ended")
finally:
    tmux("kill-server")
print("alpine is done")
