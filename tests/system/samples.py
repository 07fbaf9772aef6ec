"""The sample messages, against the tables of tests/data/samples/README.md."""

import base64
import json
import os
import re
import subprocess
import unittest

import harness
from harness import SEPMLOGCTL

SAMPLES = os.path.join(harness.ROOT, "tests/data/samples")


def expectations():
    """Each row of the tables: (file, line, values, absent keys)."""
    file = None
    with open(os.path.join(SAMPLES, "README.md"), encoding="utf-8") as text:
        for line in text:
            if line.startswith("## "):
                file = line[3:].strip()
            row = re.match(r"\| (\d+) \| .* \| (type=.*) \|$", line)
            if row:
                values, _, absent = row[2].partition("; absent: ")
                yield file, int(row[1]), _values(values), absent.split()


def _values(text):
    found = {}
    for key, value in re.findall(r"(\w+)=`([^`]*)`", text):
        found[key] = value.replace("\\|", "|")
    return found


def parse(file):
    result = subprocess.run(
        [SEPMLOGCTL, "parse", "--timezone", "UTC",
         "--now", "2024-06-30T00:00:00Z", os.path.join(SAMPLES, file)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
    if result.returncode not in (0, 1):
        raise AssertionError(f"exit {result.returncode}: {result.stderr}")
    return [json.loads(line) for line in result.stdout.splitlines()]


def same(expected, value):
    """Expected is written as in JSON, without the quotes of a string."""
    if isinstance(value, str):
        return expected == value
    return json.loads(expected) == value


class Samples(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.rows = list(expectations())
        cls.files = sorted({row[0] for row in cls.rows})
        cls.records = {file: parse(file) for file in cls.files}

    def test_every_line_has_an_expectation_and_gives_one_record(self):
        self.assertEqual(len(self.rows), 115)
        for file in self.files:
            with self.subTest(file=file):
                with open(os.path.join(SAMPLES, file), "rb") as text:
                    lines = text.read().count(b"\n")
                if file.endswith(".csv"):
                    lines -= 1
                self.assertEqual(len(self.records[file]), lines)
                self.assertEqual(
                    [row[1] for row in self.rows if row[0] == file],
                    list(range(1, lines + 1)))

    def test_values_and_absent_keys(self):
        for file, line, values, absent in self.rows:
            with self.subTest(sample=f"{file}:{line}"):
                record = self.records[file][line - 1]
                for key, expected in values.items():
                    self.check(record, key, expected)
                self.assertEqual([k for k in absent if k in record], [])

    def check(self, record, key, expected):
        if key == "flags":
            self.assertLessEqual(set(json.loads(expected)),
                                 set(record.get("flags", [])))
            return
        self.assertIn(key, record)
        self.assertTrue(same(expected, record[key]),
                        f"{key}: {record[key]!r}, expected {expected}")

    def test_no_key_is_empty(self):
        for file in self.files:
            for line, record in enumerate(self.records[file], 1):
                empty = [k for k, v in record.items() if v in ("", None, [],
                                                               {})]
                self.assertEqual(empty, [], f"{file}:{line}")

    def test_what_is_not_understood_is_kept_whole(self):
        for file in self.files:
            with open(os.path.join(SAMPLES, file), "rb") as text:
                lines = text.read().split(b"\n")
            for line, record in zip(lines, self.records[file]):
                if record["type"] != "unparsed":
                    continue
                self.assertTrue(record.get("reason"))
                raw = (record["raw"].encode() if "raw" in record
                       else base64.b64decode(record["raw_base64"]))
                self.assertEqual(raw.rstrip(b"\r\n\0"),
                                 line.rstrip(b"\r\n\0"))


if __name__ == "__main__":
    harness.main()
