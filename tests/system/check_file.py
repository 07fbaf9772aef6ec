"""sepmlogctl check-file: our files pass for the targets that they are for, and
each way to be wrong is named."""

import functools
import gzip
import os
import subprocess
import time
import zipfile

import harness
from harness import SEPMLOGCTL

FORMATS = {"cloudsoc-syslog": "raw", "cloudsoc-csv": "csv",
           "defender-cef": "cef", "defender-csv": "csv",
           "netskope-csv": "csv", "skyhigh-csv": "csv",
           "splunk": "raw", "elastic": "ecs", "sentinel-raw": "raw"}


class CheckFile(harness.Case):
    def file(self, name, data):
        path = os.path.join(self.directory, name)
        with open(path, "wb") as file:
            file.write(data)
        return path

    @staticmethod
    @functools.cache
    def records(name, count=50):
        """Of this week, in a format."""
        day = time.strftime("%Y-%m-%d", time.gmtime(time.time() - 86400))
        lines = b"".join(
            harness.message("u", n).replace(b"2024-05-14", day.encode()) +
            b"\n" for n in range(count))
        return subprocess.run(
            [SEPMLOGCTL, "parse", "--format", name], input=lines, check=True,
            stdout=subprocess.PIPE).stdout

    def check(self, target, path):
        done = subprocess.run(
            [SEPMLOGCTL, "check-file", "--target", target, path], check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        return done.returncode, done.stdout

    def test_ours_pass(self):
        for target, name in FORMATS.items():
            with self.subTest(target=target):
                path = self.file(f"{target}.{name}.gz",
                                 gzip.compress(self.records(name)))
                status, said = self.check(target, path)
                self.assertEqual(status, 0, said)
                self.assertIn("50 records, 0 findings", said)

    def wrong(self, target, data, pattern, name="wrong"):
        status, said = self.check(target, self.file(name, data))
        self.assertEqual(status, 1, said)
        self.assertRegex(said, pattern)

    def test_other_formats_do_not(self):
        for target, name in FORMATS.items():
            for other in sorted(set(FORMATS.values()) - {name}):
                with self.subTest(target=target, other=other):
                    self.wrong(target, self.records(other, 3),
                               f"format: {name}|31 cells")

    def test_wrong_rows(self):
        rows = self.records("csv", 3)
        for old, new, pattern in (
                (b"Host Name,", b"HostName,", "header of 31 columns"),
                (b",Blocked,", b",blocked,", "4: ACTION: 'blocked'|ACTION"),
                (b"192.0.2.47", b"", "Current IP Address is empty"),
                (b"/20", b"-20", "is not MM/DD/YYYY"),
                (b"\r\n", b",more\r\n", "31")):
            with self.subTest(new=new):
                self.wrong("cloudsoc-csv", rows.replace(old, new), pattern)
        self.wrong("skyhigh-csv", rows.replace(b"u-1", b""),
                   ":3: User Name is empty")
        self.wrong("cloudsoc-csv", rows[:-2], "line end")
        self.wrong("cloudsoc-csv", rows.replace(b"Branch", b"Br\xffnch"),
                   "is not UTF-8")

    def test_wrong_archives(self):
        rows = self.records("csv", 3)
        self.wrong("netskope-csv", rows, "has to be gzip or zip")
        path = os.path.join(self.directory, "two.zip")
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a.csv", rows)
            archive.writestr("b.csv", rows)
        status, said = self.check("netskope-csv", path)
        self.assertEqual(status, 1)
        self.assertIn("has 2 files in it", said)
        self.wrong("cloudsoc-csv", gzip.compress(rows)[:-20], "is broken")

    def test_old_events(self):
        line = harness.message("u", 1).replace(b"May 14", b"Jan  1")
        rows = subprocess.run(
            [SEPMLOGCTL, "parse", "--format", "csv", "--now",
             "2020-01-02T00:00:00Z"], input=line + b"\n", check=True,
            stdout=subprocess.PIPE).stdout
        self.wrong("defender-csv", rows, "older than 90 days")

    def test_use(self):
        self.assertEqual(self.check("nobody", "x")[0], 2)
        self.assertEqual(self.check("splunk", self.directory)[0], 3)
        self.assertEqual(self.check("splunk", "/none")[0], 3)


if __name__ == "__main__":
    harness.main()
