"""Files come and go: by age, by size, on demand, and under `tail -F`."""

import os
import signal
import subprocess
import time

import harness
from harness import Sender, Watcher


class Rotation(harness.Case):
    def test_by_age(self):
        sepmlogd = self.enterContext(self.daemon(
            spool_options="rotate: { age: 1s }\n"))
        harness.send_tcp(sepmlogd.port, "a", 10)
        harness.wait_until(lambda: sepmlogd.spool.ready("traffic"),
                           "the file is published", timeout=5)
        self.assert_complete(sepmlogd.spool.numbers(), {"a": 10})
        time.sleep(2.5)
        # Nothing came: no empty file.
        self.assertEqual(len(sepmlogd.spool.ready()), 1)

    def test_by_size(self):
        for compress in ("none", "gzip", "zstd"):
            with self.subTest(compress=compress):
                sepmlogd = self.daemon(
                    compress, spool_options="rotate: { size: 64KiB }\n"
                    f"compress: {compress}\n")
                with sepmlogd:
                    watcher = Watcher(sepmlogd.spool)
                    if compress != "zstd" or self.has_zstd():
                        watcher.start()
                    # Files grow where the disk makes them slower than that.
                    harness.send_tcp(sepmlogd.port, "z", 2000, rate=1500)
                    sepmlogd.stop_cleanly()
                    if watcher.ident:
                        self.assertEqual(watcher.stop(), [])
                files = sepmlogd.spool.ready("traffic")
                self.assertGreater(len(files), 10)
                if watcher.ident:
                    self.assert_complete(sepmlogd.spool.numbers(),
                                         {"z": 2000})
                    for path in files:
                        self.assertLess(len(harness.read_file(path)),
                                        (64 << 10) + 4096)

    @staticmethod
    def has_zstd():
        try:
            harness.need("zstd")
            return True
        except harness.unittest.SkipTest:
            return False

    def test_on_demand(self):
        sepmlogd = self.enterContext(self.daemon())
        harness.send_tcp(sepmlogd.port, "d", 10)
        sepmlogd.spool.wait_records(10)
        self.assertEqual(sepmlogd.spool.ready(), [])
        sepmlogd.signal(signal.SIGUSR1)
        harness.wait_until(sepmlogd.spool.ready, "a file is published")
        self.assertEqual(len(sepmlogd.spool.records(live=False)), 10)

    def test_published_files_are_read_only_and_named_in_order(self):
        sepmlogd = self.enterContext(self.daemon())
        for n in range(12):
            harness.send_tcp(sepmlogd.port, "o", 5, first=5 * n)
            sepmlogd.spool.wait_records(5 * n + 5)
            sepmlogd.signal(signal.SIGUSR1)
            harness.wait_until(
                lambda: len(sepmlogd.spool.ready()) == n + 1, "published")
        users = [r["user"] for r in sepmlogd.spool.records(live=False)]
        self.assertEqual(users, [f"o-{n}" for n in range(60)])
        for path in sepmlogd.spool.ready():
            self.assertEqual(os.stat(path).st_mode & 0o7777, 0o440)

    def test_tail_follows_without_missing_a_line(self):
        sepmlogd = self.enterContext(self.daemon(
            spool_options="rotate: { age: 1s }\n"))
        link = os.path.join(sepmlogd.spool_path, "traffic.jsonl")
        output = os.path.join(self.directory, "tail")
        with open(output, "wb") as file:
            tail = subprocess.Popen(["tail", "-n", "+1", "-F", link],
                                    stdout=file, stderr=subprocess.DEVNULL)
        self.addCleanup(tail.wait)
        self.addCleanup(tail.kill)
        sender = Sender(sepmlogd.port, "t", rate=2000)
        sender.start()
        time.sleep(8)
        sender.stop()
        def seen():
            with open(output, "rb") as file:
                return file.read().count(b"\n")
        harness.wait_until(lambda: seen() >= sender.sent, "tail has it all",
                           timeout=10)
        self.assertGreaterEqual(len(sepmlogd.spool.ready()), 3)
        self.assertEqual(seen(), sender.sent)


if __name__ == "__main__":
    harness.main()
