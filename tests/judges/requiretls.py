"""Python's smtplib submits a message with REQUIRETLS: PORT NAME PASSWORD FROM TO."""

import smtplib
import ssl
import sys

port, name, password, sender, recipient = sys.argv[1:]
context = ssl.create_default_context()
context.check_hostname = False
context.verify_mode = ssl.CERT_NONE
with smtplib.SMTP_SSL("127.0.0.1", int(port), context=context) as client:
    client.login(name, password)
    assert client.has_extn("requiretls"), client.esmtp_features
    text = f"From: {sender}\r\nTo: {recipient}\r\nSubject: required\r\n\r\nsecret text\r\n"
    options = ["REQUIRETLS", "RET=FULL"]
    refused = client.sendmail(sender, [recipient], text.encode(), mail_options=options)
    assert not refused, refused
