"""sepmlogctl report: its figures are those of the records, whatever file they
come in; what it does not know, it says; nothing in a record gets out of its
place."""

import collections
import gzip
import html.parser
import json
import os
import random
import re
import subprocess

import harness
from harness import SEPMLOGCTL

HOSTILE = [
    "<script>alert(1)</script>", "\"><img src=x onerror=alert(1)>", "a'&amp;b",
    "\x1b[31mred\x07", "\u202egpj.exe", "日本語", "new\nline", "x" * 300,
    "</td></table>", "\x9b31m",
]


def record(n, **more):
    """Of a pseudo-random connection."""
    dice = random.Random(n)
    made = {
        "type": "traffic", "time": f"2024-05-14T{n % 24:02}:30:00Z",
        "host": f"pc-{dice.randrange(40)}",
        "remote_ip": f"198.51.100.{dice.randrange(200)}",
        "remote_port": dice.choice([80, 443, 8443]), "protocol": "tcp",
        "direction": dice.choice(["inbound", "outbound"]),
        "begin": f"2024-05-14T{n % 24:02}:10:00Z",
        "occurrences": dice.randrange(1, 9),
        "application": "C:/x/" + dice.choice(["a.exe", "b.exe", "c.exe"]),
        "rule": dice.choice(["Allow all", "Deny all"]),
        "user": f"user{dice.randrange(30)}",
        "action": dice.choice(["allowed", "allowed", "blocked"]),
    }
    if dice.random() < 0.7:
        made["remote_name"] = f"h{dice.randrange(9)}.Site{n % 17}.example.com"
    made.update(more)
    return {k: v for k, v in made.items() if v is not None}


def jsonl(records):
    return "".join(json.dumps(r, separators=(",", ":"), ensure_ascii=False) +
                   "\n" for r in records).encode()


class Page(html.parser.HTMLParser):
    """Which elements a page has, and their text."""

    def __init__(self, text):
        super().__init__()
        self.elements = collections.Counter()
        self.attributes = set()
        self.open = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements[tag] += 1
        self.attributes.update(name for name, _ in attrs)

    def handle_data(self, data):
        self.text += data


class Report(harness.Case):
    def file(self, name, data):
        path = os.path.join(self.directory, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(data)
        return path

    def report(self, *arguments, status=0, **more):
        done = subprocess.run(
            [SEPMLOGCTL, "report", *arguments], check=False,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more)
        self.assertEqual(done.returncode, status, done.stderr)
        return done.stdout.decode()

    def json(self, *arguments, **more):
        return json.loads(self.report("--json", *arguments, **more))

    @staticmethod
    def rows(report, table):
        return {row["name"]: row["occurrences"]
                for row in report["tables"][table]["rows"]}

    @staticmethod
    def sums(records, key):
        sums = collections.Counter()
        for r in records:
            name = key(r)
            if name is not None:
                sums[name] += r["occurrences"]
        return dict(sums)

    def check(self, report, records):
        """All figures are those of the records."""
        total = sum(r["occurrences"] for r in records)
        named = [r for r in records if "remote_name" in r]
        blocked = [r for r in records if r["action"] == "blocked"]
        self.assertEqual(report["records"], len(records))
        self.assertEqual(report["occurrences"], total)
        self.assertEqual(report["records_with_remote_name"], len(named))
        self.assertEqual(report["blocked"],
                         sum(r["occurrences"] for r in blocked))
        self.assertEqual(self.rows(report, "domains"),
                         self.sums(named, lambda r: "example.com"))
        self.assertEqual(
            self.rows(report, "addresses"), self.sums(
                records, lambda r: None if "remote_name" in r
                else r["remote_ip"]))
        self.assertEqual(
            self.rows(report, "applications"),
            self.sums(records, lambda r: r["application"].split("/")[-1]))
        self.assertEqual(self.rows(report, "users"),
                         self.sums(records, lambda r: r["user"]))
        self.assertEqual(self.rows(report, "hosts"),
                         self.sums(records, lambda r: r["host"]))
        self.assertEqual(self.rows(report, "rules"),
                         self.sums(records, lambda r: r["rule"]))
        self.assertEqual(
            self.rows(report, "ports"),
            self.sums(records, lambda r: f"tcp {r['remote_port']}"))
        self.assertEqual(
            sum(self.rows(report, "blocked_attempts").values()),
            report["blocked"])
        bars = collections.Counter()
        for r in records:
            bars[r["begin"][:13] + ":00:00Z"] += r["occurrences"]
        self.assertEqual(report["over_time"]["seconds"], 3600)
        self.assertEqual({b["time"]: b["occurrences"]
                          for b in report["over_time"]["bars"]}, dict(bars))

    def test_figures_are_those_of_the_records(self):
        records = [record(n) for n in range(3000)]
        data = jsonl(records)
        path = self.file("a.jsonl", data)
        for more in [], ["--exact"]:
            self.check(self.json("--top", "1000", path, *more), records)
        packed = self.file("a.jsonl.gz", gzip.compress(data))
        self.check(self.json("--top", "1000", packed), records)
        packed = self.file("a.jsonl.zst", subprocess.run(
            ["zstd", "-c", path], check=True, stdout=subprocess.PIPE).stdout)
        self.check(self.json("--top", "1000", packed), records)
        self.check(self.json("--top", "1000", "-", input=data), records)

    def test_csv_and_messages_give_the_same_as_jsonl(self):
        lines = b"".join(harness.message("u", n) + b"\n" for n in range(200))
        path = self.file("messages", lines)
        found = [self.json(path)]
        for name in "jsonl", "csv", "raw":
            text = subprocess.run(
                [SEPMLOGCTL, "parse", "--format", name], input=lines,
                check=True, stdout=subprocess.PIPE).stdout
            found.append(self.json(self.file(f"a.{name}", text)))
        for report in found:
            self.assertEqual(report["records"], 200)
            self.assertEqual(report["lines_not_understood"], 0)
        for table in found[0]["tables"]:
            rows = [self.rows(report, table) for report in found]
            self.assertEqual(rows[0], rows[1], table)
            self.assertEqual(rows[0], rows[3], table)
        self.assertEqual(self.rows(found[0], "domains"),
                         self.rows(found[2], "domains"))

    def test_a_spool_is_read_with_its_live_segments(self):
        records = [record(n) for n in range(300)]
        data = [jsonl(records[n::3]) for n in range(3)]
        spool = os.path.join(self.directory, "spool")
        self.file("spool/ready/a.jsonl.gz", gzip.compress(data[0]))
        self.file("spool/ready/b.jsonl", data[1])
        self.file("spool/live/traffic/1.open", data[2] + b'{"type":"traf')
        self.file("spool/ledger/1.jsonl", b'{"type":"ledger"}\n')
        report = self.json("--top", "1000", spool)
        self.check(report, records)
        self.assertEqual(report["files"], 3)
        self.assertEqual(report["lines_unfinished"], 1)

    def test_what_a_daemon_stores(self):
        sepmlogd = self.enterContext(self.daemon())
        harness.send_tcp(sepmlogd.port, "r", 500)
        sepmlogd.spool.wait_records(500)
        report = self.json(sepmlogd.spool_path)
        self.assertEqual(report["records"], 500)
        self.assertGreater(report["occurrences"], 0)

    def test_since_and_until(self):
        records = [record(n) for n in range(240)] + [record(
            1, time=None, begin=None)]
        path = self.file("a.jsonl", jsonl(records))
        wanted = [r for r in records[:240]
                  if "2024-05-14T03" <= r["begin"] < "2024-05-14T07"]
        report = self.json("--top", "1000", "--since", "2024-05-14T03:00:00Z",
                           "--until", "2024-05-14T07:00:00Z", path)
        self.check(report, wanted)
        self.assertEqual(report["records_outside"], 241 - len(wanted))
        self.assertEqual(self.json(path)["records"], 241)

    def test_estimates_are_within_what_they_say(self):
        names = [f"user-{n}" for n in range(12000)]
        records = []
        for n in range(3):
            random.Random(n).shuffle(names)
            records += [record(1, user=name, occurrences=1) for name in names]
        records += [record(1, user="boss", occurrences=5000)]
        path = self.file("a.jsonl", jsonl(records))
        exact = self.sums(records, lambda r: r["user"])
        table = self.json("--top", "1000", path)["tables"]["users"]
        self.assertFalse(table["exact"])
        self.assertGreater(table["unlisted_at_most"], 0)
        self.assertLessEqual(table["unlisted_at_most"],
                             2 * sum(exact.values()) // 8192)
        self.assertEqual(table["rows"][0]["name"], "boss")
        for row in table["rows"]:
            true = exact[row["name"]]
            self.assertLessEqual(row["occurrences"], true)
            self.assertLessEqual(true, row["occurrences"] + row["error"])
        self.assertIn("at most", self.report(path))
        table = self.json("--exact", path)["tables"]["users"]
        self.assertTrue(table["exact"])
        self.assertEqual(table["rows"][0]["occurrences"], 5000)

    def test_lines_that_are_none_are_told(self):
        data = jsonl([record(1), record(2)]) + b'{"no":"record"}\n'
        path = self.file("a.jsonl", data)
        report = self.json(path, status=1)
        self.assertEqual(report["lines_not_understood"], 1)
        self.assertEqual(report["records"], 2)
        path = self.file("b.jsonl.gz", gzip.compress(data)[:-9])
        self.report(path, status=1)
        self.report(os.path.join(self.directory, "none"), status=3)

    def test_wrong_use(self):
        for arguments in ([], ["--top", "0", "x"], ["--top", "1001", "x"],
                          ["--since", "yesterday", "x"], ["--what", "x"],
                          ["--timezone", "Nowhere/At_all", "x"]):
            self.report(*arguments, status=2)
        self.assertIn("usage:", self.report("--help"))

    def hostile(self):
        keys = ["host", "user", "application", "rule", "remote_name",
                "protocol", "remote_ip"]
        return [record(n, **{key: text}) for n, text in enumerate(HOSTILE)
                for key in keys]

    def test_nothing_gets_out_of_its_place(self):
        """The page has the elements that it has for the same with names that
        do nothing."""
        plain = [record(n, **{key: f"{n}{key}"})
                 for n in range(len(HOSTILE))
                 for key in ("host", "user", "application", "rule",
                             "remote_name", "protocol", "remote_ip")]
        pages = [Page(self.report("--html", "--top", "1000", self.file(
            "a.jsonl", jsonl(records)))) for records in (plain,
                                                         self.hostile())]
        for name in "script", "img":
            self.assertEqual(pages[1].elements[name], 0)
        for page in pages:
            self.assertFalse([name for name in page.attributes
                              if name.startswith("on")])
        self.assertEqual(set(pages[0].elements), set(pages[1].elements))
        self.assertEqual(pages[1].elements["section"],
                         pages[0].elements["section"])
        self.assertIn("<script>alert(1)</script>", pages[1].text)
        self.assertIn("日本語", pages[1].text)

    def test_terminals_get_no_controls(self):
        text = self.report("--top", "1000", self.file(
            "a.jsonl", jsonl(self.hostile())))
        self.assertFalse(re.findall("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]",
                                    text))
        self.assertIn("\\x1b[31mred", text)
        self.assertIn("日本語", text)

    def test_lines_fit_the_terminal(self):
        path = self.file("a.jsonl", jsonl(self.hostile() + [
            record(n) for n in range(200)]))
        for columns in 66, 80, 132:
            text = self.report("--top", "30", path, env={
                **os.environ, "COLUMNS": str(columns)})
            # a wide character takes two
            self.assertLessEqual(max(
                len(re.sub("[\u3000-\u9fff]", "xx", line))
                for line in text.splitlines()), columns)

    def test_the_page_needs_nothing_else(self):
        page = self.report("--html", self.file("a.jsonl", jsonl(
            [record(n) for n in range(50)])))
        self.assertIn("default-src 'none'", page)
        self.assertFalse(re.findall(r"(?:src|href)=|url\(|@import", page))


if __name__ == "__main__":
    harness.main()
