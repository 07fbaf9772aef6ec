"""import --dedup: of an export, only what had not come another way."""

import gzip
import json
import os
import random
import subprocess

import harness
import one_event
from harness import SEPMLOGCTL

LOST = 137  # of the events, on their way as messages


class Dedup(harness.Case):
    def setUp(self):
        super().setUp()
        chance = random.Random(20241114)
        self.events = [one_event.event(chance) for _ in range(one_event.EVENTS)]
        # one of them twice: equal in everything, and still two
        self.events.append(dict(self.events[7]))
        self.work = self.directory
        self.spool = os.path.join(self.work, "spool")
        self.config = os.path.join(self.work, "sepmlogd.yaml")
        with open(self.config, "w", encoding="ascii") as file:
            file.write(f"timezone: {one_event.ZONE}\n"
                       f"spool: {{directory: {self.spool}, compress: none}}\n")

    def write(self, name, text):
        path = os.path.join(self.work, name)
        with open(path, "w", encoding="utf-8", newline="") as file:
            file.write(text)
        return path

    def received(self, events):
        """Records as the daemon has them, in a packed file."""
        lines = []
        for record in one_event.parse(one_event.as_syslog(events)):
            key = record.pop("event_key")
            lines.append(json.dumps(
                record | {"transport": "udp", "event_key": key},
                separators=(",", ":"), ensure_ascii=False))
        path = os.path.join(self.work, "received.jsonl.gz")
        with gzip.open(path, "wt", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")
        return path

    def run_import(self, *arguments, status=0):
        result = subprocess.run(
            [SEPMLOGCTL, "import", "-c", self.config, *arguments],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120)
        self.assertEqual(result.returncode, status, result.stderr)
        return result.stdout.decode(), result.stderr.decode()

    def published(self):
        ready = os.path.join(self.spool, "ready")
        records = []
        for name in sorted(os.listdir(ready)):
            with open(os.path.join(ready, name), encoding="utf-8") as file:
                records += [json.loads(line) for line in file]
        return records

    def test_only_what_was_lost_is_imported(self):
        export = self.write("export.csv", one_event.as_csv(self.events))
        came = self.received(self.events[LOST:])
        out, _ = self.run_import("--dedup", came, export)
        self.assertIn(f"{LOST} records", out)
        self.assertIn(f"{len(self.events) - LOST} more had come another way",
                      out)
        lost = one_event.parse(one_event.as_csv(self.events[:LOST]))
        # Event 7 came once as its twin, so one of the two is still missing.
        self.assertEqual(
            sorted(r["event_key"] for r in self.published()),
            sorted(r["event_key"] for r in lost))

    def test_a_spool(self):
        """What may still be thrown away did not come; a file that is there
        twice came once; streams that hold the same do not add up."""
        export = self.write("export.csv", one_event.as_csv(self.events))
        with gzip.open(self.received(self.events[LOST:]), "rb") as file:
            came = file.read()
        with gzip.open(self.received(self.events[:LOST]), "rb") as file:
            more = file.read()
        harness.need("zstd")
        other = os.path.join(self.work, "other")
        for name, data in (
                ("ready/all-0123abcd-0000000000000001.jsonl", came),
                ("taken/all-0123abcd-0000000000000001.jsonl.zst", came),
                ("ready/traffic-0123abcd-0000000000000001.jsonl", came),
                ("live/all/0000000000000002.jsonl.open", more),
                ("quarantine/all-1.jsonl", more),
                ("pull/writer", b""),
                ("pull/ready/all-0123abce-0000000000000001.jsonl", more)):
            path = os.path.join(other, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            if name.endswith(".zst"):
                data = subprocess.run(["zstd", "-cq"], input=data, check=True,
                                      stdout=subprocess.PIPE).stdout
            with open(path, "wb") as file:
                file.write(data)
        for name, wanted in (("", LOST), ("taken", LOST)):
            with self.subTest(name):
                out, _ = self.run_import(
                    "--again", "--dedup", os.path.join(other, name), export)
                self.assertIn(f"\n{wanted} records", out)

    def test_what_was_imported_counts_not_as_come_another_way(self):
        export = self.write("export.csv", one_event.as_csv(self.events))
        self.run_import(export)
        other = self.write("dump.log", one_event.as_dump(self.events))
        out, _ = self.run_import(
            "--dedup", os.path.join(self.spool, "ready"), other)
        self.assertIn(f"{len(self.events)} records", out)

    def test_what_cannot_be_read_ends_it(self):
        export = self.write("export.csv", one_event.as_csv(self.events))
        broken = os.path.join(self.work, "a.jsonl.gz")
        with open(broken, "wb") as file:
            file.write(gzip.compress(b"x" * 10000)[:-12])
        for path, reason in ((os.path.join(self.work, "none"), "No such file"),
                             (broken, "a.jsonl.gz: ")):
            _, err = self.run_import("--dedup", path, export, status=2)
            self.assertIn(reason, err)
        self.assertFalse(os.path.exists(os.path.join(self.spool, "ready")))


if __name__ == "__main__":
    harness.main()
