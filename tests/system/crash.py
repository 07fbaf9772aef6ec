"""The daemon is killed, or there are two of it."""

import json
import os
import random
import time

import harness
from harness import Sender, Watcher


class Crash(harness.Case):
    OPTIONS = """
rotate: { size: 1MiB, age: 1s }
"""

    def test_killed_under_load_nothing_accepted_is_lost(self):
        """Ten lives of one spool. Accepted is what stood in a file when the
        process died: all of it must be in files at the end, once, under the
        id that it had."""
        sepmlogd = self.daemon(spool_options=self.OPTIONS)
        self.enterContext(sepmlogd)
        watcher = Watcher(sepmlogd.spool)
        watcher.start()
        accepted = {}
        for life in range(10):
            senders = [Sender(sepmlogd.port, f"l{life}s{n}")
                       for n in range(2)]
            for sender in senders:
                sender.start()
            time.sleep(random.uniform(0.1, 0.6))
            sepmlogd.kill()
            for sender in senders:
                sender.stop()
            for line in sepmlogd.spool.lines():
                record = json.loads(line)
                before = accepted.setdefault(record["id"], record)
                self.assertEqual(before, record)
            start = time.monotonic()
            sepmlogd.start()
            self.assertLess(time.monotonic() - start, 5.0)
        sepmlogd.stop_cleanly()
        self.assertEqual(watcher.stop(), [])
        stored = {r["id"]: r for r in sepmlogd.spool.records()}
        lost = [i for i in accepted if i not in stored]
        self.assertFalse(lost, f"{len(lost)} of {len(accepted)} lost")
        changed = [i for i in accepted if accepted[i] != stored[i]]
        self.assertFalse(changed)
        self.assert_ids_unique(sepmlogd.spool)
        self.assertGreater(len(accepted), 5000)
        for found in sepmlogd.spool.numbers().values():
            self.assertEqual(max(found.values()), 1)

    def test_leftovers_of_any_kind_do_not_stop_the_start(self):
        sepmlogd = self.daemon()
        self.enterContext(sepmlogd)
        harness.send_tcp(sepmlogd.port, "k", 100)
        sepmlogd.spool.wait_records(100)
        sepmlogd.kill()
        live = sepmlogd.spool.live("traffic")[-1]
        with open(live, "ab") as file:
            file.write(b"\0" * 5000 + b'{"type":"traf')
        for stream, data in (("events", b"\xff\xfe junk"),
                             ("unparsed", b"")):
            path = sepmlogd.spool.live(stream)[-1]
            with open(path, "ab") as file:
                file.write(data)
        sepmlogd.start()
        harness.send_tcp(sepmlogd.port, "k", 100, first=100)
        sepmlogd.spool.wait_records(200)
        sepmlogd.stop_cleanly()
        self.assert_complete(sepmlogd.spool.numbers(), {"k": 200})
        quarantine = os.path.join(sepmlogd.spool_path, "quarantine")
        self.assertTrue(os.listdir(quarantine))
        for line in sepmlogd.spool.lines():
            json.loads(line)

    def test_a_second_daemon_on_the_spool_is_refused(self):
        first = self.enterContext(self.daemon("first"))
        harness.send_tcp(first.port, "k", 10)
        first.spool.wait_records(10)
        second = self.daemon("second")
        second.spool_path = first.spool_path
        second.configure()
        second.start(wait=False)
        self.addCleanup(second.__exit__, None, None, None)
        start = time.monotonic()
        self.assertNotEqual(second.process.wait(20), 0)
        self.assertLess(time.monotonic() - start, 5.0)
        self.assertIn(first.spool_path, second.log())
        harness.send_tcp(first.port, "k", 10, first=10)
        first.spool.wait_records(20)
        first.stop_cleanly()
        self.assert_complete(first.spool.numbers(), {"k": 20})


if __name__ == "__main__":
    harness.main()
