"""The same records, whatever way to them is taken: with the machine's own
instructions or in plain C, and whatever messages came before.

The messages are the samples, the fuzz corpora, and both of them damaged at
random places with a fixed seed.
"""

import glob
import os
import random
import subprocess

import harness
from harness import SEPMLOGCTL

PORTABLE = os.environ.get("SEPMLOGCTL_PORTABLE") or os.path.join(
    harness.ROOT, "build/dev/tests/system/sepmlogctl_portable")
DAMAGED = 12_000
DAMAGED_ROWS = 3_000
TAG = b"<54>May 14 08:30:11 sepm-north SymantecServer: "
PIECES = [b",", b'"', b'""', b":", b": ", b" ", b"\t", b"\xc2\xa0", b"\x00",
          b"\r", b"\xff", b"\xc3\xa9", b"\xe2\x80\xa8", b"\x7f", b"\\",
          b"Local: ", b"Remote Host IP: ", b"Begin: ", b"User Name: ",
          b"0" * 15, b"x" * 16, b"y" * 63, b"z" * 64, b"," * 300]


def files(pattern):
    return sorted(glob.glob(os.path.join(harness.ROOT, "tests", pattern)))


def sample_lines():
    lines = []
    for path in files("data/samples/*.log"):
        lines += read(path).splitlines()
    return [line for line in lines if line.strip()]


def damage(line, chance):
    """The line with up to three random changes."""
    for _ in range(chance.randrange(1, 4)):
        at = chance.randrange(len(line) + 1)
        kind = chance.randrange(4)
        if kind == 0:
            line = line[:at]
        elif kind == 1:
            line = line[:at] + line[at + chance.randrange(1, 20):]
        elif kind == 2:
            line = line[:at] + bytes([chance.randrange(256)]) + line[at + 1:]
        else:
            line = line[:at] + chance.choice(PIECES) + line[at:]
    return line.replace(b"\n", b" ")


def damaged_lines():
    chance = random.Random(20240630)
    lines = sample_lines()
    return [damage(chance.choice(lines), chance) for _ in range(DAMAGED)]


def read(path):
    with open(path, "rb") as file:
        return file.read()


def corpus_lines():
    """Their first byte is often the fuzz target's, the rest often a body."""
    inputs = [read(path) for path in files("fuzz/corpus/*/*")]
    return inputs + [TAG + data[1:] for data in inputs]


def tables():
    """CSV exports, which are told by their first row, and damaged ones."""
    exports = [read(path) for path in files("data/*/*.csv")]
    chance = random.Random(20240701)
    for export in exports[:]:
        head, *rows = export.splitlines()
        exports.append(b"\r\n".join([head] + [
            damage(chance.choice(rows), chance) for _ in range(DAMAGED_ROWS)]))
    return exports + [read(path)[1:] for path in files("fuzz/corpus/csv/*")]


def parse(data, program=SEPMLOGCTL, *options):
    return subprocess.run(
        [program, "parse", "--now", "2024-06-30T00:00:00Z", *options, "-"],
        input=data, stdout=subprocess.PIPE, check=True, timeout=250).stdout


class Same(harness.Case):
    def test_with_the_machines_instructions_and_without(self):
        samples = [read(path) for path in files("data/samples/*.log")]
        for data in [b"\n".join(damaged_lines()),
                     b"\n".join(corpus_lines() + samples)] + tables():
            for form in ("jsonl", "csv", "raw"):
                out = parse(data, SEPMLOGCTL, "--format", form)
                self.assertEqual(
                    out, parse(data, PORTABLE, "--format", form))
                self.assertTrue(out)

    def test_tables_are_read_as_such(self):
        for data in tables()[:4]:
            self.assertIn(b'"type":"traffic"', parse(data))

    def test_whatever_came_before(self):
        # Framed by hand: a damaged line may be taken for something else
        # by what stands around it.
        lines = [line for line in sample_lines() + damaged_lines()
                 if line.startswith(b"<") and b"\x00" not in line
                 and b"\r" not in line]
        order = list(range(len(lines)))
        records = {}
        for seed in (None, 1, 2):
            if seed is not None:
                random.Random(seed).shuffle(order)
            out = parse(b"".join(lines[i] + b"\n" for i in order))
            out = out.split(b"\n")[:-1]
            self.assertEqual(len(out), len(order))
            for i, record in zip(order, out):
                self.assertEqual(records.setdefault(i, record), record)


if __name__ == "__main__":
    harness.main()
