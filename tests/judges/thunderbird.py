"""Drives Thunderbird over Marionette: PORT USER PASSWORD PROFILE-FOLDER; the inbox holds messages m1 to m10.

It opens an account, reads a message, flags one, moves one to "Moved" and searches on the server.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time

IMAP, USER, PASSWORD, PROFILE = sys.argv[1:5]

SCRIPT = r"""
const [port, user, password, resolve] = arguments;
(async () => {
  const { MailServices } = ChromeUtils.importESModule("resource:///modules/MailServices.sys.mjs");
  const said = [];
  const until = async (what, condition) => {
    for (let tries = 0; tries < 600; tries++) {
      const value = condition();
      if (value) return value;
      await new Promise(done => setTimeout(done, 100));
    }
    throw new Error("no " + what);
  };
  const { setTimeout } = ChromeUtils.importESModule("resource://gre/modules/Timer.sys.mjs");
  const server = MailServices.accounts.createIncomingServer(user, "127.0.0.1", "imap");
  server.port = port;
  server.socketType = Ci.nsMsgSocketType.plain;
  server.authMethod = Ci.nsMsgAuthMethod.passwordCleartext;
  server.password = password;
  const account = MailServices.accounts.createAccount();
  account.incomingServer = server;
  const finished = start => new Promise((done, fail) => start({
    QueryInterface: ChromeUtils.generateQI(["nsIUrlListener", "nsIMsgCopyServiceListener"]),
    OnStartRunningUrl() {},
    OnStopRunningUrl(url, status) { Components.isSuccessCode(status) ? done() : fail(new Error("url " + status)); },
    onStartCopy() {}, onProgress() {}, setMessageKey() {}, getMessageId() { return null; },
    onStopCopy(status) { Components.isSuccessCode(status) ? done() : fail(new Error("copy " + status)); },
  }));
  const root = server.rootFolder.QueryInterface(Ci.nsIMsgImapMailFolder);
  server.performExpand(null);
  const flags = Ci.nsMsgFolderFlags;
  await until("folders", () => server.rootFolder.descendants.length >= 5);
  const inbox = await until("inbox", () => server.rootFolder.getFolderWithFlags(flags.Inbox));
  await finished(listener => MailServices.imap.selectFolder(inbox, listener, null));
  await until("10 messages", () => inbox.getTotalMessages(false) == 10);
  said.push("folders " + server.rootFolder.descendants.map(folder => folder.name).sort().join(","));
  const bySubject = subject => [...inbox.messages].find(header => header.subject == subject);
  const read = await until("m3", () => bySubject("m3"));
  const uri = inbox.getUriForMsg(read);
  const text = await new Promise((done, fail) => {
    let octets = "";
    MailServices.messageServiceFromURI(uri).streamMessage(uri, {
      QueryInterface: ChromeUtils.generateQI(["nsIStreamListener"]),
      onStartRequest() {},
      onDataAvailable(request, stream, offset, count) {
        const input = Cc["@mozilla.org/scriptableinputstream;1"].createInstance(Ci.nsIScriptableInputStream);
        input.init(stream);
        octets += input.read(count);
      },
      onStopRequest(request, status) { Components.isSuccessCode(status) ? done(octets) : fail(new Error("read " + status)); },
    }, null, null, false, "", false);
  });
  said.push("read " + text.includes("Body of m3."));
  inbox.markMessagesFlagged([bySubject("m4")], true);
  inbox.markMessagesRead([read], true);
  root.createSubfolder("Moved", null);
  const moved = await until("Moved", () => server.rootFolder.descendants.find(folder => folder.name == "Moved"));
  await finished(listener => MailServices.copy.copyMessages(
    inbox, [bySubject("m5"), bySubject("m6")], moved, true, listener, null, false));
  said.push("moved");
  const session = Cc["@mozilla.org/messenger/searchSession;1"].createInstance(Ci.nsIMsgSearchSession);
  session.addScopeTerm(Ci.nsMsgSearchScope.onlineMail, inbox);
  const term = session.createTerm();
  term.attrib = Ci.nsMsgSearchAttrib.Body;
  const value = term.value;
  value.attrib = term.attrib;
  value.str = "Body of m8";
  term.value = value;
  term.op = Ci.nsMsgSearchOp.Contains;
  session.appendTerm(term);
  const hits = await new Promise(done => {
    const found = [];
    session.registerListener({
      onSearchHit(header) { found.push(header.subject); },
      onSearchDone() { done(found); },
      onNewSearch() {},
    });
    session.search(null);
  });
  said.push("found " + hits.join(","));
  // what was flagged goes to the server before the next SELECT is answered
  await finished(listener => MailServices.imap.selectFolder(inbox, listener, null));
  return said;
})().then(said => resolve({ said }), error => resolve({ error: String(error) + error.stack }));
"""


class Marionette:
    def __init__(self, port):
        end = time.monotonic() + 90
        while True:
            try:
                self.socket = socket.create_connection(("127.0.0.1", port), timeout=180)
                break
            except OSError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.2)
        self.number = 0
        self.read()

    def read(self):
        digits = b""
        while not digits.endswith(b":"):
            octet = self.socket.recv(1)
            if not octet:
                raise SystemExit("Thunderbird closed Marionette")
            digits += octet
        octets = b""
        while len(octets) < int(digits[:-1]):
            octets += self.socket.recv(65536)
        return json.loads(octets)

    def call(self, name, **parameters):
        self.number += 1
        message = json.dumps([0, self.number, name, parameters]).encode()
        self.socket.sendall(b"%d:%s" % (len(message), message))
        _, _, error, result = self.read()
        if error:
            raise SystemExit(f"{name}: {error}")
        return result


def main():
    os.makedirs(PROFILE, exist_ok=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    prefs = {
        "marionette.port": port, "app.update.enabled": False, "datareporting.policy.dataSubmissionEnabled": False,
        "toolkit.telemetry.enabled": False, "mail.shell.checkDefaultClient": False,
        "mail.provider.suppress_dialog_on_startup": True, "mailnews.start_page.enabled": False,
        "network.proxy.type": 0, "app.donation.eoy.version.viewed": 999, "mail.spotlight.firstRunDone": True,
        "extensions.update.enabled": False, "network.dns.disablePrefetch": True, "mail.inappnotifications.enabled": False,
    }
    with open(f"{PROFILE}/user.js", "w") as file:
        file.writelines(f"user_pref({json.dumps(k)}, {json.dumps(v)});\n" for k, v in prefs.items())
    environment = dict(os.environ, HOME=PROFILE, MOZ_HEADLESS="1")
    program = subprocess.Popen(
        ["thunderbird", "--headless", "--marionette", "--remote-allow-system-access", "--no-remote", "--profile", PROFILE],
        env=environment, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        driver = Marionette(port)
        driver.call("WebDriver:NewSession")
        driver.call("Marionette:SetContext", value="chrome")
        driver.call("WebDriver:SetTimeouts", script=150_000)
        result = driver.call("WebDriver:ExecuteAsyncScript", script=SCRIPT, args=[int(IMAP), USER, PASSWORD],
                             scriptTimeout=150_000)["value"]
        if "error" in result:
            raise SystemExit(result["error"])
        print("\n".join(result["said"]))
    finally:
        os.killpg(program.pid, signal.SIGKILL)
        program.wait()


main()
