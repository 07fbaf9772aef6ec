"""`-n` checks a configuration, and the options do what the manual says."""

import os
import subprocess

import harness
from harness import SEPMLOGD


class ConfigCheck(harness.Case):
    def check(self, text, *options):
        path = os.path.join(self.directory, "t.yaml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return subprocess.run([SEPMLOGD, "-n", "-c", path, *options],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True, timeout=20)

    def test_a_good_one(self):
        result = self.check("timezone: Europe/Paris\n")
        self.assertEqual(result.returncode, 0, result.stderr)

    def test_the_installed_one(self):
        with open(os.path.join(harness.ROOT, "conf/sepmlogd.yaml"),
                  encoding="utf-8") as file:
            result = self.check(file.read())
        self.assertEqual(result.returncode, 0, result.stderr)

    def test_all_errors_with_their_place(self):
        result = self.check("""\
max_connections: 70000000
timezone: Mars/Olympus
listen:
  - udp: "127.0.0.1:514"
    colour: blue
spool:
  compress: rar
  compress: gzip
allow: [300.1.1.1]
""")
        self.assertEqual(result.returncode, 1)
        text = result.stderr + result.stdout
        for place, word in (("t.yaml:1:", "max_connections"),
                            ("t.yaml:2:", "timezone"),
                            ("t.yaml:5:", "colour"),
                            ("t.yaml:7:", "rar"), ("t.yaml:8:", "compress"),
                            ("t.yaml:9:", "300.1.1.1")):
            lines = [line for line in text.splitlines() if place in line]
            self.assertTrue(lines, f"nothing about {place} in:\n{text}")
            self.assertTrue(any(word in line for line in lines), lines)

    def test_bad_yaml(self):
        result = self.check("listen: [\n")
        self.assertEqual(result.returncode, 1)
        self.assertRegex(result.stderr + result.stdout, r"t\.yaml:\d+:\d+:")

    def test_nothing_is_touched(self):
        spool = os.path.join(self.directory, "spool")
        result = self.check(f"spool: {{ directory: {spool} }}\n")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertFalse(os.path.exists(spool))

    def test_no_file(self):
        result = subprocess.run([SEPMLOGD, "-n", "-c", "/nonexistent.yaml"],
                                stderr=subprocess.PIPE, text=True)
        self.assertNotEqual(result.returncode, 0)
        self.assertIn("/nonexistent.yaml", result.stderr)

    def test_version_and_wrong_use(self):
        result = subprocess.run([SEPMLOGD, "-V"], stdout=subprocess.PIPE,
                                text=True)
        self.assertEqual(result.returncode, 0)
        self.assertRegex(result.stdout, r"^sepmlogd \d+\.\d+")
        result = subprocess.run([SEPMLOGD, "-Z"], stderr=subprocess.PIPE,
                                text=True)
        self.assertEqual(result.returncode, 2)
        self.assertTrue(result.stderr)


if __name__ == "__main__":
    harness.main()
