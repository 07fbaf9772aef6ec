"""Streams that roll up: every occurrence that came is in one of their records,
over intervals, reload, stop and restart; and the ledger says so."""

import collections
import glob
import json
import os
import subprocess

import harness
from harness import SEPMLOGCTL

STREAMS = """
streams:
  - {{ name: traffic, types: [traffic], format: jsonl }}
  - {{ name: usage, types: [traffic], format: {format}, roll_up: {every} }}
"""
KEY = ("host", "local_ip", "user", "domain", "application", "remote_name",
       "remote_port", "protocol", "direction", "action", "rule")


def key(record):
    where = record.get("remote_name") or record.get("remote_ip")
    return tuple(record.get(k) for k in KEY) + (where,)


def sums(records):
    """Occurrences and records of each group."""
    found = collections.defaultdict(lambda: [0, 0])
    for r in records:
        found[key(r)][0] += r["occurrences"]
        found[key(r)][1] += r.get("records", 1)
    return dict(found)


def body(n):
    """Of some twenty groups."""
    return (f"<54>May 14 10:30:{n % 60:02} sepm SymantecServer: "
            f"pc-{n % 5},Local Host: 192.0.2.{n % 5},Local Port: "
            f"{50000 + n},Local Host MAC: 000000000000,Remote Host IP: "
            "198.51.100.7,Remote Host Name: www.example.com,Remote Port: "
            f"{(80, 443)[n % 2]},Remote Host MAC: 000000000000,TCP,Outbound,"
            f"Begin: 2024-05-14 10:{n % 60:02}:00,End: 2024-05-14 "
            f"10:{n % 60:02}:01,Occurrences: {1 + n % 7},Application: "
            "C:/x/a.exe,Rule: Allow,Location: Default,User: "
            f"user{n % 4},Domain: CORP,Action: Allowed"
            f",SHA-256: {64 * 'A'},MD-5: {32 * 'A'}\n").encode()


class RollUp(harness.Case):
    def start(self, every, form="jsonl"):
        return self.enterContext(self.daemon(
            config=STREAMS.format(every=every, format=form)))

    @staticmethod
    def send_large(sepmlogd, count):
        """Each of a group of its own, of 3 KB."""
        with harness.connect(sepmlogd.port) as peer:
            for n in range(0, count, 500):
                peer.sendall(b"".join(
                    body(i).replace(b"www.", b"h%d." % i)
                    .replace(b"Allow,", b"y" * 1000 + b",")
                    .replace(b"a.exe", b"x" * 1000)
                    .replace(b"user", b"z" * 1000)
                    for i in range(n, n + 500)))

    @staticmethod
    def send(sepmlogd, first, last):
        with harness.connect(sepmlogd.port) as peer:
            peer.sendall(b"".join(body(n) for n in range(first, last)))

    @staticmethod
    def wait_traffic(sepmlogd, count):
        sepmlogd.spool.wait_records(count, stream="traffic")

    def check(self, sepmlogd, count):
        """What was rolled up is what single records say, and not more than a
        tenth as many."""
        single = list(sepmlogd.spool.records("traffic"))
        rolled = list(sepmlogd.spool.records("usage"))
        self.assertEqual(len(single), count)
        self.assertEqual(sums(single), sums(rolled))
        self.assertLess(len(rolled), count / 10)
        for r in rolled:
            mine = [s for s in single if key(s) == key(r)]
            self.assertGreaterEqual(r["begin"], min(s["begin"] for s in mine))
            self.assertLessEqual(r["end"], max(s["end"] for s in mine))
        return rolled

    def ledger(self, sepmlogd):
        found = collections.Counter()
        for path in sorted(glob.glob(
                os.path.join(sepmlogd.spool_path, "ledger", "*"))):
            for line in harness.read_file(path).splitlines():
                entry = json.loads(line)
                if entry["type"] == "minute":
                    for name in "rolled_in", "rolled_out":
                        for k, v in entry.get(name, {}).items():
                            found[name, k] += v
        return found

    def verify(self, sepmlogd, status=0):
        done = subprocess.run(
            [SEPMLOGCTL, "verify", sepmlogd.spool_path], check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.assertEqual(done.returncode, status, done.stdout)
        return done.stdout

    def test_totals_are_those_of_single_records_at_a_stop(self):
        sepmlogd = self.start("1h")
        self.send(sepmlogd, 0, 2000)
        self.wait_traffic(sepmlogd, 2000)
        self.assertEqual(list(sepmlogd.spool.records("usage")), [])
        sepmlogd.stop_cleanly()
        rolled = self.check(sepmlogd, 2000)
        self.assertEqual(len(rolled), 20)
        ledger = self.ledger(sepmlogd)
        self.assertEqual(ledger["rolled_in", "records"], 2000)
        self.assertEqual(ledger["rolled_out", "records"], 2000)
        self.assertEqual(ledger["rolled_in", "occurrences"],
                         sum(1 + n % 7 for n in range(2000)))
        self.assertEqual(ledger["rolled_out", "occurrences"],
                         ledger["rolled_in", "occurrences"])
        self.verify(sepmlogd)

    def test_an_interval_ends_without_traffic(self):
        sepmlogd = self.start("1s")
        self.send(sepmlogd, 0, 300)
        self.wait_traffic(sepmlogd, 300)
        harness.wait_until(
            lambda: sum(r["records"] for r in
                        sepmlogd.spool.records("usage")) == 300,
            "the roll-up of an interval")
        self.check(sepmlogd, 300)
        self.send(sepmlogd, 300, 600)
        self.wait_traffic(sepmlogd, 600)
        sepmlogd.stop_cleanly()
        self.check(sepmlogd, 600)
        self.verify(sepmlogd)

    def test_restart_and_reload(self):
        sepmlogd = self.start("1h")
        self.send(sepmlogd, 0, 500)
        self.wait_traffic(sepmlogd, 500)
        sepmlogd.configure(STREAMS.format(every="30m", format="jsonl"))
        sepmlogd.reload()
        self.assertEqual(sum(r["records"] for r in
                             sepmlogd.spool.records("usage")), 500)
        self.send(sepmlogd, 500, 1000)
        self.wait_traffic(sepmlogd, 1000)
        # the stream goes, and what it had does not
        sepmlogd.configure("streams: [{ name: traffic, types: [traffic] }]\n")
        sepmlogd.reload()
        sepmlogd.configure(STREAMS.format(every="1h", format="jsonl"))
        sepmlogd.reload()
        self.send(sepmlogd, 1000, 1500)
        self.wait_traffic(sepmlogd, 1500)
        sepmlogd.stop_cleanly()
        sepmlogd.start()
        self.send(sepmlogd, 1500, 2000)
        self.wait_traffic(sepmlogd, 2000)
        sepmlogd.stop_cleanly()
        self.check(sepmlogd, 2000)
        self.verify(sepmlogd)

    def test_what_was_open_at_a_kill_is_named(self):
        """The single records are there; what was rolled up is not."""
        sepmlogd = self.start("1h")
        self.send(sepmlogd, 0, 200)
        self.wait_traffic(sepmlogd, 200)
        sepmlogd.kill()
        sepmlogd.start()
        self.send(sepmlogd, 200, 400)
        self.wait_traffic(sepmlogd, 400)
        sepmlogd.stop_cleanly()
        self.assertEqual(sum(r["records"] for r in
                             sepmlogd.spool.records("usage")), 200)
        self.assertEqual(len(list(sepmlogd.spool.records("traffic"))), 400)

    def test_csv(self):
        sepmlogd = self.start("1h", form="csv")
        self.send(sepmlogd, 0, 400)
        self.wait_traffic(sepmlogd, 400)
        sepmlogd.stop_cleanly()
        path, = sepmlogd.spool.ready("usage")
        report = json.loads(subprocess.run(
            [SEPMLOGCTL, "report", "--json", path], check=True,
            stdout=subprocess.PIPE).stdout)
        self.assertEqual(report["records"], 20)
        self.assertEqual(report["occurrences"],
                         sum(1 + n % 7 for n in range(400)))

    def test_more_groups_than_there_is_room_for(self):
        """They go out early, and nothing is merged that differs."""
        sepmlogd = self.start("1h")
        count = 4000  # of 3 KB each: more than 8 MiB
        self.send_large(sepmlogd, count)
        harness.wait_until(lambda: any(True for _ in sepmlogd.spool.records(
            "usage")), "groups that go out early", timeout=60)
        self.wait_traffic(sepmlogd, count)
        sepmlogd.stop_cleanly()
        names = collections.Counter(
            r["remote_name"] for r in sepmlogd.spool.records("usage"))
        self.assertEqual(len(names), count)
        self.assertEqual(max(names.values()), 1)

    def test_an_overflow_is_one_record(self):
        """With `overflow: bucket` nothing goes out early, and what has no
        place of its own is in one record that says so."""
        sepmlogd = self.start("1h, overflow: bucket")
        count = 4000
        self.send_large(sepmlogd, count)
        self.wait_traffic(sepmlogd, count)
        self.assertEqual(list(sepmlogd.spool.records("usage")), [])
        sepmlogd.stop_cleanly()
        rolled = list(sepmlogd.spool.records("usage"))
        self.assertEqual([r.get("flags") for r in rolled],
                         [None] * (len(rolled) - 1) + [["overflow"]])
        self.assertGreater(len(rolled), 1000)
        self.assertEqual(sum(r["records"] for r in rolled), count)
        self.assertEqual(sum(r["occurrences"] for r in rolled),
                         sum(1 + n % 7 for n in range(count)))
        last = rolled[-1]
        self.assertEqual(last["records"], count - len(rolled) + 1)
        self.assertFalse(set(KEY) & set(last))
        self.verify(sepmlogd)

    def test_imports_are_rolled_up_once(self):
        path = os.path.join(self.directory, "dump.log")
        with open(path, "wb") as file:
            file.write(b"".join(body(n) for n in range(1000)))
        sepmlogd = self.start("1h")
        done = subprocess.run(
            [SEPMLOGCTL, "import", "-c", sepmlogd.config_path, path],
            check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True)
        self.assertEqual(done.returncode, 0, done.stdout)
        self.check(sepmlogd, 1000)


if __name__ == "__main__":
    harness.main()
