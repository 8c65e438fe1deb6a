"""Verifies the signatures of a message with dkimpy: KIND FILE and pairs of NAME VALUE, the DNS records.

KIND is dkim: says how many signatures hold, and fails if one does not; or arc: says the chain's
validation and how many sets it has.
"""

import sys

import dkim

kind, path, *pairs = sys.argv[1:]
records = dict(zip(pairs[::2], pairs[1::2]))
with open(path, "rb") as file:
    message = file.read()


def txt(name, timeout=5):
    return records[name.decode().rstrip(".")].encode()


def dkim_signatures():
    verifier = dkim.DKIM(message)
    count = sum(1 for name, _ in verifier.headers if name.lower() == b"dkim-signature")
    for index in range(count):
        assert verifier.verify(idx=index, dnsfunc=txt), f"signature {index} does not hold"
    print(f"{count} hold")


def arc_chain():
    validation, sets, reason = dkim.arc_verify(message, dnsfunc=txt)
    for one in sets:
        assert one["ams-valid"] and one["as-valid"], sets
    print(validation.decode(), len(sets), reason)


{"dkim": dkim_signatures, "arc": arc_chain}[kind]()
