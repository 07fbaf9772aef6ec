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
    def records(name, count=50, days=1):
        """Of so many days ago, in a format."""
        then = time.gmtime(time.time() - days * 86400)
        day = time.strftime("%Y-%m-%d", then)
        header = time.strftime("%b %e", then).encode()
        lines = b"".join(
            harness.message("u", n).replace(b"2024-05-14", day.encode())
            .replace(b"May 14", header) + b"\n" for n in range(count))
        return subprocess.run(
            [SEPMLOGCTL, "parse", "--format", name, "--now",
             f"{day}T23:59:59Z"], input=lines, check=True,
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

    def found(self, target, data):
        """What is said of each line, and of the file as a whole."""
        path = self.file("found", data)
        status, said = self.check(target, path)
        lines = [line[len(path) + 1:].strip() for line in said.splitlines()]
        self.assertEqual(status, int(len(lines) > 1), said)
        return lines[:-1]

    def test_old_events(self):
        for target, name, first in (("defender-cef", "cef", 1),
                                    ("defender-csv", "csv", 2),
                                    ("netskope-csv", "csv", 2)):
            with self.subTest(target=target):
                lines = self.records(name, 5).splitlines(True)
                for at, days in ((1, 91), (3, 89)):
                    old = self.records(name, 5, days).splitlines(True)
                    lines[first - 1 + at] = old[first - 1 + at]
                data = b"".join(lines)
                self.assertEqual(
                    self.found(target, gzip.compress(data)),
                    [f"{first + 1}: is older than 90 days: it would be left "
                     "out"])
        self.assertEqual(
            self.found("cloudsoc-csv", self.records("csv", 5, 91)), [])

    def test_times_of_cef(self):
        def with_times(times):
            return (b"CEF:0|a|b||c|d|2|" + times +
                    b"msg=rt\\=%d src=192.0.2.1\n" % now)

        now = int(time.time() * 1000)
        old = now - 91 * 86_400_000
        left_out = "1: is older than 90 days: it would be left out"
        for times, said in (
                (b"rt=%d " % now, []),
                (b"rt=%d start=%d " % (now, old), []),
                (b"start=%d " % now, []),
                (b"start=%d " % old, [left_out]),
                (b"cnt=1 rt=%d " % old, [left_out]),
                (b"rt=May 14 2024 09:40:00 ",
                 ["1: the time 'May' is not milliseconds since 1970"]),
                (b"rt=" + b"9" * 16 + b" ",
                 ["1: the time '9999999999999999' is not milliseconds since "
                  "1970"]),
                (b"", ["1: has neither rt nor start"])):
            with self.subTest(times=times):
                self.assertEqual(
                    self.found("defender-cef", with_times(times)), said)

    def test_one_among_good_ones(self):
        for target, name, old, new, said in (
                ("defender-cef", "cef", b"||traffic|", b"|traffic|",
                 "has 6 of 7 bars of a CEF header"),
                ("defender-cef", "cef", b"||traffic|", b"|\\|traffic|",
                 "has 6 of 7 bars of a CEF header"),
                ("elastic", "ecs", b'"@timestamp":', b'"timestamp":',
                 "has no @timestamp or ecs.version; use format: ecs"),
                ("splunk", "raw", b"SymantecServer: ", b"",
                 "no tag `SymantecServer`"),
                ("sentinel-raw", "raw", b"SymantecServer: ", b"",
                 "no tag `SymantecServer`")):
            with self.subTest(target=target, new=new):
                lines = self.records(name, 5).splitlines(True)
                self.assertIn(old, lines[2])
                lines[2] = lines[2].replace(old, new)
                self.assertEqual(self.found(target, b"".join(lines)),
                                 [f"3: {said}"])

    def test_size(self):
        """Of holes; broken at its start, so that they are not read."""
        path = self.file("large.gz", gzip.compress(self.records("csv"))[:200])
        for target, size, large in (("defender-csv", 5 << 30, False),
                                    ("defender-csv", (5 << 30) + 1, True),
                                    ("defender-cef", (5 << 30) + 1, True),
                                    ("skyhigh-csv", (5 << 30) + 1, True),
                                    ("cloudsoc-csv", (5 << 30) + 1, False)):
            with self.subTest(target=target, size=size):
                os.truncate(path, size)
                status, said = self.check(target, path)
                self.assertEqual(status, 1, said)
                self.assertIn("is broken", said)
                self.assertEqual("has more than 5120 MiB" in said, large)

    def test_use(self):
        self.assertEqual(self.check("nobody", "x")[0], 2)
        self.assertEqual(self.check("splunk", self.directory)[0], 3)
        self.assertEqual(self.check("splunk", "/none")[0], 3)


if __name__ == "__main__":
    harness.main()
