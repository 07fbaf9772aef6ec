"""Presets: what breaks the rules that a target has published is not sent, and
configurations that cannot fit them are told."""

import functools
import gzip
import os
import subprocess
import time

import harness
import uploads
from harness import SEPMLOGCTL, SEPMLOGD

PRESETS = {"cloudsoc-syslog": "raw", "cloudsoc-csv": "csv",
           "defender-cef": "cef", "defender-csv": "csv",
           "netskope-csv": "csv", "skyhigh-csv": "csv", "splunk": "raw",
           "elastic": "ecs", "sentinel-raw": "raw"}


@functools.cache
def records(name, count=30, days=1):
    then = time.gmtime(time.time() - days * 86400)
    day = time.strftime("%Y-%m-%d", then).encode()
    header = time.strftime("%b %e", then).encode()
    lines = b"".join(
        harness.message("u", n).replace(b"2024-05-14", day).replace(
            b"May 14", header) + b"\n" for n in range(count))
    return subprocess.run(
        [SEPMLOGCTL, "parse", "--format", name, "--now",
         f"{day.decode()}T23:59:59Z"], input=lines, check=True,
        stdout=subprocess.PIPE).stdout


class Sent(uploads.Case):
    def deliver(self, files, preset):
        """To a directory; the exit status, and what was said."""
        spool = self.spool(f"spool{len(self.uploaders)}")
        names = [spool.put(n, data=data) for n, data in enumerate(files, 1)]
        place = self.made(f"place{len(self.uploaders)}")
        uploader = self.uploader(spool, [uploads.directory_target(
            "place", place, preset=preset)])
        status, said = uploader.run("--once")
        there = sorted(os.listdir(place))
        return spool, names, there, status, said

    def test_what_fits_is_sent(self):
        for preset, name in PRESETS.items():
            with self.subTest(preset=preset):
                _, names, there, status, said = self.deliver(
                    [gzip.compress(records(name))], preset)
                self.assertEqual((status, there), (0, names), said)
                self.assertNotIn("break the rules", said)

    def test_what_does_not_is_quarantined(self):
        good = gzip.compress(records("csv"))
        for preset, bad, why in (
                ("cloudsoc-csv", gzip.compress(records("jsonl")),
                 "header of 31 columns"),
                ("cloudsoc-csv", good[:-30], "is broken"),
                ("netskope-csv", records("csv"), "has to be gzip or zip"),
                ("elastic", good, "format: ecs"),
                ("defender-csv", gzip.compress(records("csv", days=200)),
                 "older than 90 days"),
                ("cloudsoc-csv", gzip.compress(
                    records("csv").replace(b"Branch", b"Br\xff")),
                 "not UTF-8")):
            with self.subTest(preset=preset, why=why):
                fits = preset != "elastic"
                spool, names, there, status, said = self.deliver(
                    [bad] + [good] * fits, preset)
                self.assertEqual(status, 1)
                self.assertEqual(there, names[1:], said)
                self.assertEqual(spool.quarantined(),
                                 [names[0], names[0] + ".reason"])
                with open(spool.at("upload/quarantine",
                                   names[0] + ".reason"),
                          encoding="utf-8") as file:
                    reason = file.read()
                self.assertIn(why, reason)
                self.assertIn(f"check-file --target {preset}", reason)

    def test_some_records_are_no_reason(self):
        rows = records("csv") + records("csv", 2, 200).partition(b"\r\n")[2]
        spool, names, there, status, said = self.deliver(
            [gzip.compress(rows)], "netskope-csv")
        self.assertEqual((status, there), (0, names), said)
        self.assertIn("2 of 32 records break the rules", said)
        self.assertEqual(spool.delivered(), {(names[0], "place")})


class Configurations(uploads.Case):
    def sepmlogd(self, streams, spool="", extra=""):
        path = self.path("sepmlogd.yaml")
        with open(path, "w", encoding="ascii") as file:
            file.write(f'spool: {{ directory: "{spool or "/s"}" {extra} }}\n'
                       f"streams: [{streams}]\n")
        done = subprocess.run([SEPMLOGD, "-n", "-c", path], check=False,
                              stdout=subprocess.PIPE, text=True,
                              stderr=subprocess.STDOUT)
        return done.returncode, done.stdout

    def test_readme(self):
        """Both halves of its example, as they fit together."""
        head, both = "# sepmlogd.yaml\n", uploads.readme_block("sftp")
        self.assertTrue(both.startswith(head))
        streams, targets = both[len(head):].split("# sepmlog-upload.yaml\n")
        spool, key = self.spool(), self.path("password")
        with open(key, "w", encoding="ascii") as file:
            file.write("word\n")
        os.chmod(key, 0o600)
        config = self.path("both.yaml")
        with open(config, "w", encoding="ascii") as file:
            file.write(f'spool: {{ directory: "{spool.path}" }}\n{streams}')
        done = subprocess.run([SEPMLOGD, "-n", "-c", config], check=False,
                              stdout=subprocess.PIPE, text=True,
                              stderr=subprocess.STDOUT)
        self.assertEqual(done.returncode, 0, done.stdout)
        uploader = self.uploader(spool, [])
        uploader.configure_text(targets.replace(
            "/etc/sepmlogd/upload/known_hosts", key).replace(
                "/etc/sepmlogd/upload/password", key))
        status, said = uploader.run("-n", "-s", config)
        self.assertEqual(status, 0, said)

    def test_streams(self):
        stream = "{name: a, types: [traffic], preset: netskope-csv%s}"
        self.assertEqual(self.sepmlogd(stream % "")[0], 0)
        self.assertEqual(self.sepmlogd(stream % ", format: csv")[0], 0)
        for streams, extra, said in (
                (stream % ", format: cef", "",
                 "preset netskope-csv needs format: csv"),
                (stream % "", ", compress: zstd", "needs compress: gzip"),
                (stream % "", ", compress: none", "needs compress: gzip"),
                (stream.replace("csv", "csw") % "", "",
                 "did you mean 'netskope-csv'?")):
            status, text = self.sepmlogd(streams, extra=extra)
            self.assertEqual(status, 1, text)
            self.assertIn(said, text)
            self.assertRegex(text, r"sepmlogd\.yaml:2:\d+: ")

    def test_targets_and_streams(self):
        spool = self.spool()
        targets = [uploads.directory_target(
            "place", self.made("place"), preset="cloudsoc-csv",
            files="traffic")]
        uploader = self.uploader(spool, targets)
        status, said = uploader.run("-n")
        self.assertEqual(status, 0, said)
        config = self.path("sepmlogd.yaml")
        traffic = "{name: traffic, types: [traffic]%s}"
        other = ", {name: events, types: [events]}"
        self.sepmlogd(traffic % ", format: csv" + other, spool.path)
        status, said = uploader.run("-n", "-s", config)
        self.assertEqual(status, 0, said)
        self.sepmlogd(traffic % "" + other, spool.path)
        status, said = uploader.run("-n", "-s", config)
        self.assertEqual(status, 1, said)
        self.assertRegex(said, r"upload\.yaml:4:5: place: preset cloudsoc-csv "
                         "needs format: csv, but stream traffic of .* has "
                         "jsonl")
        self.assertNotIn("events", said)
        self.sepmlogd(traffic % ", format: csv", spool.path,
                      ", compress: zstd")
        status, said = uploader.run("-n", "-s", config)
        self.assertEqual(status, 1, said)
        self.assertIn("needs compress: gzip", said)
        self.sepmlogd(traffic % ", format: csv", "/else")
        status, said = uploader.run("-n", "-s", config)
        self.assertEqual(status, 1)
        self.assertIn("the configuration of the same spool", said)


if __name__ == "__main__":
    harness.main()
