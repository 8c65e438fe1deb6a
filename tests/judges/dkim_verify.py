"""Verifies the DKIM signatures of a message with dkimpy: FILE and pairs of NAME VALUE, the DNS records.

Says how many signatures hold; fails if one does not.
"""

import sys

import dkim

path, *pairs = sys.argv[1:]
records = dict(zip(pairs[::2], pairs[1::2]))
with open(path, "rb") as file:
    message = file.read()


def txt(name, timeout=5):
    return records[name.decode().rstrip(".")].encode()


verifier = dkim.DKIM(message)
count = sum(1 for name, _ in verifier.headers if name.lower() == b"dkim-signature")
for index in range(count):
    assert verifier.verify(idx=index, dnsfunc=txt), f"signature {index} does not hold"
    signed = verifier.signed_headers
print(f"{count} hold")
