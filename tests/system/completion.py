"""Bash completion offers what the programs' help names, and nothing else."""

import os
import re
import subprocess

import harness

FILE = os.path.join(harness.ROOT, "conf/completion/sepmlogctl")
PROGRAMS = {"sepmlogctl": harness.SEPMLOGCTL, "sepmlogd": harness.SEPMLOGD,
            "sepmlog-upload": harness._program(
                "SEPMLOG_UPLOAD", "dev", "upload/sepmlog-upload")}
SCRIPT = """\
. "$1"
shift
COMP_WORDS=("$@")
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_sepmlog "$1"
printf '%s\\n' "${COMPREPLY[@]}"
"""


class Completion(harness.Case):
    def setUp(self):
        super().setUp()
        harness.need("bash")
        for name, path in PROGRAMS.items():
            os.symlink(path, os.path.join(self.directory, name))
        self.environment = dict(
            os.environ, PATH=f"{self.directory}:{os.environ['PATH']}")

    def offered(self, *words):
        result = subprocess.run(
            ["bash", "--norc", "-c", SCRIPT, "bash", FILE, *words],
            env=self.environment, capture_output=True, text=True, check=True)
        return set(result.stdout.split())

    def help(self, *words):
        return subprocess.run([*words, "--help"], env=self.environment,
                              capture_output=True, text=True,
                              check=False).stdout

    def commands(self):
        return set(re.findall(r"(?m)^  ([a-z-]+) +\S", self.help(
            "sepmlogctl").partition("commands:")[2]))

    def test_commands(self):
        commands = self.commands()
        self.assertGreaterEqual(len(commands), 7)
        self.assertEqual(self.offered("sepmlogctl", ""),
                         commands | {"--help", "--version"})
        self.assertEqual(self.offered("sepmlogctl", "ver"), {"verify"})

    def test_options(self):
        uses = [("sepmlogd",), ("sepmlog-upload",)] + [
            ("sepmlogctl", command) for command in self.commands()]
        for use in uses:
            with self.subTest(use):
                # Lines of options, and options in brackets of the usage.
                text = self.help(*use)
                told = set(re.findall(r"(?m)^ +(-[A-Za-z]|--[a-z-]+)", text))
                told |= set(re.findall(r"\[(--?[A-Za-z][a-z-]*)", text))
                told |= set(re.findall(r"(?m)^ +-\w, (--[a-z-]+)", text))
                self.assertTrue(told or "--target" in text)
                offered = self.offered(*use, "-")
                self.assertLessEqual(told, offered)
                for option in offered:
                    self.assertIn(option, text)

    def test_values(self):
        self.assertIn("ocsf", self.offered("sepmlogctl", "parse", "--format",
                                           ""))
        self.assertEqual(
            self.offered("sepmlogctl", "check-file", "--target", "cloudsoc"),
            {"cloudsoc-csv", "cloudsoc-syslog"})
        self.assertEqual(
            self.offered("sepmlogctl", "check-file", "--target", ""),
            set(re.findall(r"(?m)^  (\S+) +format:",
                           self.help("sepmlogctl", "check-file"))))
        self.assertIn(FILE, self.offered("sepmlogd", "-c", FILE[:-3]))


if __name__ == "__main__":
    harness.main()
