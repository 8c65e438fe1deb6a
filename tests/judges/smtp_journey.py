"""Python's smtplib as another server and as a user's program.

Arguments: port of relay-in, of submission, of submission with TLS; name, password, CA file.
Ends with a line of counts; berta has four messages then.
"""
import smtplib, ssl, sys

SMTP, SUBMISSION, TLS = map(int, sys.argv[1:4])
NAME, PASSWORD, CA = sys.argv[4:7]
HOST, TO = "localhost", "berta@example.com"
passed = failed = 0


def check(name, good, shown=""):
    global passed, failed
    if good:
        passed += 1
    else:
        failed += 1
        print("not so:", name, shown)


def letter(subject):
    return f"To: {TO}\r\nSubject: {subject}\r\n\r\n.hello\r\n..\r\n".encode()


trust = ssl.create_default_context(cafile=CA)

with smtplib.SMTP("127.0.0.1", SMTP) as relay:
    relay.ehlo("client.example.org")
    for name in ["pipelining", "8bitmime", "size", "smtputf8", "chunking", "dsn", "starttls", "limits"]:
        check(name, relay.has_extn(name))
    check("no logins at relay-in", not relay.has_extn("auth"))
    refused = relay.sendmail("a@example.org", [TO, "nobody@example.com"], letter("plain"))
    check("one of two", list(refused) == ["nobody@example.com"], refused)
    try:
        relay.sendmail("a@example.org", "victim@elsewhere.example", letter("relayed"))
        check("no open relay", False)
    except smtplib.SMTPRecipientsRefused as error:
        check("no open relay", error.recipients["victim@elsewhere.example"][0] == 550, error)
    check("VRFY", relay.verify(TO)[0] == 252)

with smtplib.SMTP(HOST, SMTP) as relay:
    relay.starttls(context=trust)
    relay.ehlo("client.example.org")
    check("REQUIRETLS in TLS", relay.has_extn("requiretls"))
    check("no second STARTTLS", not relay.has_extn("starttls"))
    relay.sendmail("a@example.org", [TO], letter("in TLS"), mail_options=["BODY=8BITMIME"],
                   rcpt_options=["NOTIFY=FAILURE"])

with smtplib.SMTP(HOST, SUBMISSION) as user:
    user.starttls(context=trust)
    user.ehlo()
    check("FUTURERELEASE", user.has_extn("futurerelease"))
    try:
        user.sendmail("anna@example.com", TO, letter("without login"))
        check("login first", False)
    except smtplib.SMTPSenderRefused as error:
        check("login first", error.smtp_code == 530, error)
    try:
        user.login(NAME, "wrong")
        check("wrong password", False)
    except smtplib.SMTPAuthenticationError as error:
        check("wrong password", error.smtp_code == 535, error)
    user.login(NAME, PASSWORD)
    check("sent", user.sendmail("anna@example.com", TO, letter("submitted")) == {})
    try:
        user.sendmail("berta@example.com", TO, letter("as somebody else"))
        check("only as oneself", False)
    except smtplib.SMTPSenderRefused as error:
        check("only as oneself", error.smtp_code == 553, error)

with smtplib.SMTP_SSL(HOST, TLS, context=trust) as user:
    user.login(NAME, PASSWORD)
    check("sent in TLS", user.sendmail("anna@example.com", TO, letter("submitted in TLS")) == {})

print(f"{passed} passed, {failed} failed")
