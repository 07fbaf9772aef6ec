"""Text that wants to be something else: F42."""

import base64
import csv
import json
import random
import re
import socket

import harness
from harness import connect, counted, message
from lab import row

SEED = 42
FORGED = b"FORGED"
SPOOL = "compress: none\nrotate: { size: 8MiB, age: 60s }\n"
STREAMS = """
streams:
  - { name: record, types: all, format: jsonl }
  - { name: original, types: all, format: raw }
  - { name: table, types: [traffic], format: csv }
"""

CONTROL = [bytes([n]) for n in range(0x20)] + [b"\x7f", b"\x1b[2J",
                                               b"\x1b]0;" + FORGED + b"\x07"]
C1 = [chr(n).encode() for n in range(0x80, 0xa0)]
SEPARATORS = [c.encode() for c in "\u2028\u2029\u0085\ufeff\u202e\u200b"]
INVALID = [b"\xff", b"\xfe\xff", b"\xc0\xaf", b"\xc1\xbf", b"\xe0\x80\x80",
           b"\xed\xa0\x80", b"\xed\xbf\xbf", b"\xf4\x90\x80\x80",
           b"\xf8\x88\x80\x80\x80", b"\xe2\x82", b"\x80", b"\xbf"]
LINES = [b"\n<13>May 14 09:31:15 sepm SymantecServer: " + FORGED,
         b"\r\nMay 14 09:31:15 host sepmlogd[1]: " + FORGED,
         b'"}\n{"id":"1","type":"traffic","user":"' + FORGED + b'"}\n',
         b"\0<13>" + FORGED, b"\n12 <13>" + FORGED]
INJECTED = [b'","type":"security","user":"' + FORGED, b"\\", b'\\"', b'"',
            b"\\u0000", b"\\u000a", b"'; DROP TABLE traffic; --",
            b'=cmd|"/c calc"!A1', b"@SUM(1)", b",,,,", b'"",""', b"|", b"%n%s",
            b"${jndi:ldap://127.0.0.1/a}", b"<script>", b"../../etc/passwd",
            b"User Name: " + FORGED + b",Domain Name: ", b"{}[]", b": ", b","]
KINDS = (CONTROL, C1, SEPARATORS, INVALID, LINES, INJECTED)


def hostile(n):
    """The text of number n: the same each time, and no other has it. Of ten,
    three are in a field of a message that can be read."""
    source = random.Random(SEED * 10_000_000 + n)
    parts = [source.choice(source.choice(KINDS)) if source.random() < 0.8
             else source.randbytes(source.randint(0, 12))
             for _ in range(source.randint(1, 8))]
    if source.random() < 0.005:
        parts.append(source.choice(b"Aa=,%\xc3").to_bytes()
                     * source.randint(1000, 20_000))
    # Random bytes must not make up the name of another one, h-<number>.
    text = b"".join(parts).replace(b"h-", b"h_")
    if source.random() < 0.3:
        whole = message("h", n).replace(b"Branch web", b"Branch " + text, 1)
        return whole + b"|%d" % n
    return b"<13>" + text + b"|%d" % n


def send_streams(port, numbers):
    with connect(port, timeout=300) as peer:
        for at in range(numbers.start, numbers.stop, 250):
            peer.sendall(b"".join(
                counted(hostile(n))
                for n in range(at, min(numbers.stop, at + 250))))


def send_datagrams(sepmlogd, numbers):
    """None before the queue has room for it: this is about the content."""
    with socket.socket(type=socket.SOCK_DGRAM) as peer:
        peer.connect((harness.LOOPBACK, sepmlogd.port))
        for n in numbers:
            if n % 10 == 0:
                harness.wait_until(lambda: not sepmlogd.waiting_datagrams(),
                                   "it reads on", timeout=60, pause=0.0005)
            peer.send(hostile(n))


def send_bad_frames(port):
    """What ends a connection is told in the log."""
    for start in (b"999999999999 ", b"0 ", b"007 ", b"<13>"):
        with connect(port) as peer:
            try:
                peer.sendall(start + b"\x1b[2J\r\n" + FORGED + b"\n"
                             + b"\xff\x9b" + FORGED)
                peer.shutdown(socket.SHUT_WR)
                while peer.recv(4096):
                    pass
            except OSError:
                continue


def members(pairs):
    """No key twice: a reader that takes the last would be misled."""
    record = dict(pairs)
    if len(record) != len(pairs):
        raise AssertionError(f"a key is there twice: {pairs}")
    return record


class Reader:
    """Checks the records, one line each, and notes whose they are."""

    def __init__(self, lab, count):
        self.lab, self.seen = lab, bytearray(count)
        self.parsed = self.unparsed = 0

    def take(self, line):
        text = line.decode("utf-8")
        if re.search("[\0-\x1f\x7f-\x9f]", text):
            raise AssertionError(f"a control character is there: {text!r}")
        record = json.loads(text, object_pairs_hook=members)
        if record["type"] == "unparsed":
            self.take_unparsed(record)
        else:
            self.take_parsed(record, text)

    def take_unparsed(self, record):
        held = (base64.b64decode(record["raw_base64"])
                if "raw_base64" in record else record["raw"].encode())
        number = re.search(rb"\|(\d+)$", held)
        if number is None:
            raise AssertionError(f"not one of ours: {record}")
        n = int(number[1])
        self.lab.assertEqual(held, hostile(n), "the original bytes")
        self.note(n)
        self.unparsed += 1

    def take_parsed(self, record, line):
        """Nothing in the text takes the place of what stands around it, but
        for a label of SEPM's: it quotes nothing, so one more `User Name: ` is
        one, and the other is kept beside it. Of too many labels some are kept
        as one text, the user among them."""
        numbers = re.findall(r"\bh-(\d+)\b", line)
        self.lab.assertEqual(len(numbers), 1, record)
        n = int(numbers[0])
        self.lab.assertEqual(record["type"], "traffic", record)
        if b"User Name: " not in hostile(n):
            self.lab.assertIn(record.get("user"), (f"h-{n}", None), record)
        self.note(n)
        self.parsed += 1

    def note(self, n):
        self.lab.assertEqual(self.seen[n], 0, f"number {n} is there twice")
        self.seen[n] = 1


def check_originals(lab, sepmlogd, count):
    """Of every message, read or not: its bytes, with a word for LF."""
    seen = bytearray(count)
    for line in sepmlogd.spool.lines("original"):
        number = re.search(rb"\|(\d+)$", line)
        if number is None:
            raise AssertionError(f"a line that nobody sent: {line!r}")
        n = int(number[1])
        lab.assertEqual(line, hostile(n).replace(b"\n", b"#012"))
        seen[n] += 1
    lab.assertEqual(sum(seen), count)
    lab.assertEqual(set(seen), {1})


def check_table(lab, sepmlogd, rows):
    """A CSV reader sees a row in each line, below the names of a file."""
    found = -len(sepmlogd.spool.ready("table"))
    for line in sepmlogd.spool.lines("table", live=False):
        read = list(csv.reader([line.decode("utf-8")], strict=True))
        lab.assertEqual([len(r) for r in read], [31], line)
        found += 1
    lab.assertEqual(found, rows)


def check_log(lab, sepmlogd):
    text = sepmlogd.log()
    lab.assertNotIn(FORGED.decode(), text)
    for line in text.splitlines():
        lab.assertRegex(line, r"\A[\x20-\x7e]+\Z")
    return len(text.splitlines())


@row("F42", "hostile text: NUL, C0, C1, U+2028, overlong, forged lines, "
     "injections, long",
     "one line each; valid JSON and UTF-8; no control character; original "
     "bytes recoverable, 100 %; nothing forged",
     times=(5000, 100_000, 1_000_000), seconds=420)
def f42(lab, count):
    sepmlogd = lab.idle("hostile", spool_options=SPOOL, config=STREAMS)
    sepmlogd.start()
    half = count // 2
    send_streams(sepmlogd.port, range(half))
    send_datagrams(sepmlogd, range(half, count))
    sepmlogd.stop_cleanly()
    lab.assertEqual(sepmlogd.counters()["dropped by the kernel"], 0)
    reader = Reader(lab, count)
    for line in sepmlogd.spool.lines("record"):
        reader.take(line)
    lab.assertEqual(sum(reader.seen), count, "each is there")
    lab.assertGreater(min(reader.parsed, reader.unparsed), count // 10)
    check_originals(lab, sepmlogd, count)
    check_table(lab, sepmlogd, reader.parsed)
    sepmlogd.start()
    send_bad_frames(sepmlogd.port)
    sepmlogd.stop_cleanly()
    lines = check_log(lab, sepmlogd)
    return (f"{half} by TCP and {count - half} by UDP, seed {SEED}: each one "
            f"line, {reader.unparsed} kept whole, {reader.parsed} read, all "
            f"bytes recovered; {lines} lines of the daemon's log, none forged")
