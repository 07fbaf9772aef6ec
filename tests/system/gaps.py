"""import --fill-gaps: of an export, only what the daemon lost."""

import os
import re
import shutil
import socket
import subprocess
import time

import harness
from harness import LOOPBACK, SEPMLOGCTL, template

OPTIONS = "rotate: { size: 4MiB, age: 1s }\ncompress: zstd\n"
CONFIG = "event_key: yes\nreceive_buffer: 64KiB\n"


class Events:
    """Numbered events, each with a key of its own: users are not in it."""

    def __init__(self, sender, now=True):
        line = template(sender).replace(b"Occurrences: 3", b"Occurrences: %d")
        for old, new in ((b"2024-05-14 09:31", "%Y-%m-%d %H:%M"),
                         (b"May 14 09:40", "%b %d %H:%M")):
            if now:
                new = time.strftime(new, time.gmtime()).encode()
                line = line.replace(old, new)
        self.template = line

    def message(self, n):
        return self.template % (n, n)

    def lines(self, start, end):
        return b"".join(self.message(n) + b"\n" for n in range(start, end))


class Gaps(harness.Case):
    def setUp(self):
        super().setUp()
        harness.need("zstd")
        self.export = os.path.join(self.directory, "export.log")

    def write(self, *pieces):
        with open(self.export, "wb") as file:
            file.write(b"".join(pieces))

    def fill(self, daemon, *options, status=0):
        done = subprocess.run(
            [SEPMLOGCTL, "import", "-c", daemon.config_path, "--fill-gaps",
             *options, self.export],
            capture_output=True, text=True, timeout=250, check=False)
        self.assertEqual(done.returncode, status, done.stderr)
        return done.stdout if status == 0 else done.stderr

    def test_each_event_is_there_once(self):
        """Datagrams that were dropped, and events while it was down; of the
        time before, nothing."""
        count = 30000
        events = Events("u")
        sepmlogd = self.enterContext(self.daemon(
            config=CONFIG, spool_options=OPTIONS))
        with socket.socket(type=socket.SOCK_DGRAM) as peer:
            peer.connect((LOOPBACK, sepmlogd.port))
            for n in range(count):
                peer.send(events.message(n))
        sepmlogd.stop_cleanly()
        sepmlogd.start()
        with harness.connect(sepmlogd.port) as peer:
            peer.sendall(events.lines(count, count + 1))
        harness.wait_until(lambda: count in sepmlogd.spool.numbers()["u"],
                           "the message after the start")
        had = len(sepmlogd.spool.numbers()["u"])
        self.assertLess(had, count, "nothing was dropped: no test")
        self.write(events.lines(0, count + 40),
                   Events("old", now=False).lines(0, 500))
        missing = count + 40 - had

        said = self.fill(sepmlogd, "-n")
        self.assertRegex(said, r"Z to \S+Z: kernel_drops \d+")
        self.assertRegex(said, r"Z to \S+Z: stopped")
        self.assertIn(f"{missing} would be imported", said)
        self.assertEqual(len(sepmlogd.spool.numbers()["u"]), had)

        said = self.fill(sepmlogd)
        self.assertIn(f"{missing} records, {missing} traffic; {had} more had "
                      "come another way; 500 outside of the gaps", said)
        found = sepmlogd.spool.numbers()
        self.assert_complete(found, {"u": count + 40})
        self.assertNotIn("old", found)
        self.assertIn("\n0 records", self.fill(sepmlogd))
        sepmlogd.stop_cleanly()
        self.assert_complete(sepmlogd.spool.numbers(), {"u": count + 40})
        self.assertIn("\n0 records", self.fill(sepmlogd))

    def stop_between(self, config):
        """Events 0 to 99 came, then it was down for 100 to 119."""
        events = Events("s")
        sepmlogd = self.enterContext(self.daemon(
            config=config, spool_options=OPTIONS))
        with harness.connect(sepmlogd.port) as peer:
            peer.sendall(events.lines(0, 100))
        harness.wait_until(
            lambda: len(sepmlogd.spool.numbers()["s"]) == 100, "100 events")
        sepmlogd.stop_cleanly()
        # one of those that were lost is like one that came
        self.write(events.lines(0, 120), events.lines(7, 8))
        return sepmlogd

    def test_files_that_were_taken(self):
        sepmlogd = self.stop_between(CONFIG)
        taken = os.path.join(self.directory, "taken")
        os.mkdir(taken)
        for path in sepmlogd.spool.ready("traffic"):
            shutil.move(path, taken)
        said = self.fill(sepmlogd, status=3)
        self.assertRegex(said, r"[1-9]\d* files, such as traffic-\S+, were "
                         "taken from ready/")
        self.assertEqual(sepmlogd.spool.ready(), [])
        said = self.fill(sepmlogd, "--dedup", taken)
        self.assertIn("\n21 records", said)
        self.assertIn("\n0 records", self.fill(sepmlogd, "--dedup", taken))
        numbers = sepmlogd.spool.numbers()["s"]
        self.assertEqual(sorted(numbers), [7] + list(range(100, 120)))
        self.fill(sepmlogd, "--ignore-taken")
        self.assertEqual(sum(sepmlogd.spool.numbers()["s"].values()), 121)

    def test_streams_that_hold_the_same(self):
        """An event in two streams came once, not twice."""
        sepmlogd = self.stop_between(
            CONFIG + "streams:\n  - { name: all, types: [traffic, unparsed] }\n"
            "  - { name: traffic, types: [traffic] }\n")
        self.assertIn("\n21 records", self.fill(sepmlogd))
        for stream in ("all", "traffic"):
            numbers = sepmlogd.spool.numbers(stream)["s"]
            self.assertEqual(sorted(numbers), list(range(120)))
            self.assertEqual(numbers[7], 2)

    def test_refused(self):
        sepmlogd = self.stop_between("")
        self.assertIn("set event_key: yes", self.fill(sepmlogd, status=3))
        self.assertIn("usage:", self.fill(sepmlogd, "--watch", self.directory,
                                          status=2))
        shutil.rmtree(os.path.join(sepmlogd.spool_path, "ledger"))
        said = self.fill(sepmlogd, status=3)
        self.assertTrue(re.search("ledger: No such file", said), said)


if __name__ == "__main__":
    harness.main()
