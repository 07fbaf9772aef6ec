"""The units as packaged: well-formed, and as closed as we say."""

import glob
import os
import subprocess

import harness

UNITS = os.environ.get("SEPMLOG_UNITS") or os.path.join(
    harness.ROOT, "build/release/systemd")
SOURCES = os.path.join(harness.ROOT, "systemd")


class Units(harness.Case):
    def setUp(self):
        super().setUp()
        harness.need("systemd-analyze")
        # The programs they name are not installed here.
        self.paths = []
        for path in (glob.glob(os.path.join(UNITS, "*.service"))
                     + glob.glob(os.path.join(SOURCES, "*.socket"))
                     + glob.glob(os.path.join(SOURCES, "*.timer"))):
            with open(path, encoding="ascii") as file:
                text = file.read()
            copy = os.path.join(self.directory, os.path.basename(path))
            with open(copy, "w", encoding="ascii") as file:
                file.write("\n".join(
                    self.harmless(line) for line in text.splitlines()))
            self.paths.append(copy)
        self.assertEqual(len(self.paths), 9)

    @staticmethod
    def harmless(line):
        name, mark, value = line.partition("=")
        if name in ("ExecStart", "ExecStartPre"):
            return name + mark + "/bin/true"
        return line

    def test_verify(self):
        result = subprocess.run(
            ["systemd-analyze", "verify", "--man=no", *self.paths],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        about_us = [line for line in result.stdout.splitlines()
                    if "sepmlog" in line]
        self.assertEqual(about_us, [])

    def test_exposure(self):
        # Ten times the score. A puller has to reach its database, an
        # uploader its targets.
        thresholds = {"sepmlogd.service": 3, "sepmlog-pull.service": 13,
                      "sepmlog-import.service": 9,
                      "sepmlog-upload.service": 13}
        for service in (p for p in self.paths if p.endswith(".service")):
            with self.subTest(service=service):
                self.check_exposure(
                    service, thresholds[os.path.basename(service)])

    def check_exposure(self, service, threshold):
        result = subprocess.run(
            ["systemd-analyze", "security", "--offline=true", "--no-pager",
             f"--threshold={threshold}", service],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.assertEqual(result.returncode, 0, result.stdout[-2000:])
        print(result.stdout.strip().splitlines()[-1])


if __name__ == "__main__":
    harness.main()
