#!/usr/bin/env python3
"""Writes tests/data/browser-use-signed.jsonl: webhook bodies signed by CPython itself.

The first line holds the secrets and the timestamp header; each further line is one body:
    [form, index of the secret, signature, body as it is sent]
The body's spelling (spaces, order of keys, escapes, numbers) is chosen at random from a fixed
seed; the signature is over what json.dumps makes of json.loads(body). `form` is what a verifier
should find: "utf8" only where ensure_ascii=False makes other bytes than the default.

Usage: scripts/signed-bodies.py [COUNT]     (CPython 3.11 or newer, standard library only)
"""

import hashlib
import hmac
import json
import random
import struct
import sys
from pathlib import Path

OUT = Path(__file__).resolve().parent.parent / "tests/data/browser-use-signed.jsonl"
SECRETS = ["whsec_6f1d0c", "clé secrète", "s" * 100]
TIMESTAMP = "1763884800"

ALPHABETS = [
    "abcdefghijklmnopqrstuvwxyz -_.:/",
    "\"\\/\b\f\n\r\t\x00\x01\x1f\x7f",
    "äöüßéñçøåİıſ\x80\x9f\xa0\xad",
    "日本語中文한국어العربيةעבריתไทย",
    "\u2028\u2029\ufeff\ufffd\uffff\ue000\ud7ff\uff01",
    "😀🎉👩‍👧🇩🇪𝒳𐍈\U0010ffff\U00010000",
    "<>&'`${}|%",
]
SHORT = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def text(rng):
    """A text, mostly of one alphabet, sometimes of several."""
    alphabet = rng.choice(ALPHABETS)
    if rng.random() < 0.2:
        alphabet = "".join(ALPHABETS)
    return "".join(rng.choice(alphabet) for _ in range(rng.choice([0, 1, 3, 8, 20])))


def escaped(rng, char):
    """A \\u escape (a pair above U+FFFF), its hex digits in either case."""
    units = char.encode("utf-16-be")
    pairs = (units[i] << 8 | units[i + 1] for i in range(0, len(units), 2))
    return "".join("\\u" + rng.choice(["{:04x}", "{:04X}"]).format(unit) for unit in pairs)


def spell_text(rng, value):
    out = []
    for char in value:
        must = char in '"\\' or char < " "
        if char == "/" and rng.random() < 0.3:
            out.append("\\/")
        elif char in SHORT and rng.random() < 0.7:
            out.append(SHORT[char])
        elif must or rng.random() < 0.05:
            out.append(escaped(rng, char))
        else:
            out.append(char)
    return '"' + "".join(out) + '"'


def finite(rng):
    """A double of any magnitude: from random bits, a simple decimal, or an exact tie."""
    kind = rng.randrange(5)
    if kind == 0:
        while True:
            value = struct.unpack("<d", rng.randbytes(8))[0]
            if value == value and abs(value) != float("inf"):
                return value
    if kind == 1:
        return rng.randrange(-10**6, 10**6) / 10 ** rng.randrange(8)
    if kind == 2:  # quarters and halves near 2^50: the shortest digits are an exact tie
        return rng.randrange(2**48, 2**51) + rng.choice([0.25, 0.5, 0.75])
    if kind == 3:
        return rng.choice([1e15, 1e16, 1e17, 9999999999999998.0, 1e-4, 9.999e-5, 1e-5, 5e-324,
                           2.2250738585072014e-308, 1.7976931348623157e308, 1e22, 1e23, 0.0, -0.0])
    return float(rng.randrange(2**63))


def spell_float(rng, value):
    """The double in one of many ways; all of them have a fraction or an exponent."""
    ways = [repr(value), "%.17g" % value, "%.17e" % value, "%.20E" % value]
    if 1e-6 < abs(value) < 1e20:
        ways += ["%.30f" % value, "%.1f" % value]
    spelled = rng.choice(ways)
    if not any(char in spelled for char in ".eE"):
        spelled += rng.choice([".0", "e0", "E+00", ".000e-0"])
    return spelled


def spell_integer(rng):
    value = rng.choice([
        rng.randrange(-1000, 1000), rng.randrange(2**53 - 2, 2**53 + 3), 2**63, -2**63 - 1, 2**64 - 1, 2**64,
        rng.randrange(10**30), -rng.randrange(10**60), rng.randrange(10**300)])
    return "-0" if rng.random() < 0.05 else str(value)


def space(rng):
    return "" if rng.random() < 0.6 else "".join(rng.choice(" \t\n\r") for _ in range(rng.randrange(3)))


def spell(rng, depth):
    """A random JSON value as text."""
    kind = rng.random()
    if depth > 0 and kind < 0.25:
        return spell_object(rng, [(text(rng), spell(rng, depth - 1)) for _ in range(rng.randrange(5))])
    if depth > 0 and kind < 0.35:
        items = [space(rng) + spell(rng, depth - 1) + space(rng) for _ in range(rng.randrange(5))]
        return "[" + (",".join(items) or space(rng)) + "]"
    if kind < 0.6:
        return spell_text(rng, text(rng))
    if kind < 0.82:
        return spell_float(rng, finite(rng))
    if kind < 0.95:
        return spell_integer(rng)
    return rng.choice(["true", "false", "null"])


def spell_object(rng, members):
    """The members (text, spelled value) in random order, each key once."""
    unique = list(dict(members).items())
    rng.shuffle(unique)
    spelled = (space(rng) + spell_text(rng, key) + space(rng) + ":" + space(rng) + value + space(rng)
               for key, value in unique)
    return "{" + (",".join(spelled) or space(rng)) + "}"


def body(rng):
    """A status update with random metadata and a random further field."""
    quoted = lambda value: spell_text(rng, value)
    payload = [
        ("task_id", quoted("task-%d" % rng.randrange(10**6))),
        ("session_id", quoted("%032x" % rng.getrandbits(128))),
        ("status", quoted(rng.choice(["started", "finished", "stopped", "idle"]))),
        ("metadata", spell_object(rng, [(text(rng), spell(rng, 2)) for _ in range(rng.randrange(5))])),
        ("extra", spell(rng, 3)),
    ]
    return space(rng) + spell_object(rng, [
        ("type", quoted("agent.task.status_update")),
        ("timestamp", quoted("2025-11-23T08:00:%02d.%06d+00:00" % (rng.randrange(60), rng.randrange(10**6)))),
        ("payload", spell_object(rng, payload)),
    ]) + space(rng)


def canonical(value, ensure_ascii):
    return json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=ensure_ascii).encode()


def line(rng):
    sent = body(rng)
    value = json.loads(sent)
    ensure_ascii = rng.random() < 0.8
    signed = canonical(value, ensure_ascii)
    form = "python" if signed == canonical(value, True) else "utf8"
    secret = rng.randrange(len(SECRETS))
    message = TIMESTAMP.encode() + b"." + signed
    signature = hmac.new(SECRETS[secret].encode(), message, hashlib.sha256).hexdigest()
    return json.dumps([form, secret, signature, sent], ensure_ascii=False, separators=(",", ":"))


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 2100
    rng = random.Random("browser-use")
    lines = [json.dumps({"secrets": SECRETS, "timestamp": TIMESTAMP}, ensure_ascii=False)]
    lines += [line(rng) for _ in range(count)]
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")
    print(f"{count} bodies, {OUT.stat().st_size} bytes in {OUT}")


if __name__ == "__main__":
    main()
