"""Private streams: no name of anyone in any file, page or log, whatever the
format; equal names by equal tokens; and check-file finds names however they
are written."""

import base64
import glob
import gzip
import http.client
import json
import os
import re
import socket
import subprocess

import harness
from harness import LOOPBACK, SEPMLOGCTL, SEPMLOGD, free_port, wait_until

SAMPLES = os.path.join(harness.ROOT, "tests/data/samples")
FORMATS = ("jsonl", "csv", "ecs", "ocsf", "cef", "leef")
NOW = "2024-06-30T00:00:00Z"

# What a policy hides, by its groups.
NAMED = ("user", "user1", "user2", "admin", "sepm", "host", "remote_name",
         "server_name", "computer_name", "source_computer_name", "domain",
         "domain_name", "site", "site_name", "group_name", "local_ip",
         "remote_ip", "current_ip_address", "ip_address",
         "source_computer_ip", "local_mac", "remote_mac", "hardware_key",
         "device_id", "computer_id", "agent_id", "event_key")
# Accounts and addresses of nobody, which stay.
NOBODY = {"none", "system", "default", "unknown", "0.0.0.0", "::",
          "local service", "network service", "public", "localhost",
          "00:00:00:00:00:00"}
PROFILE = re.compile(r"(?i)(?:users|documents and settings)[/\\]+([^/\\]+)")


def parse(path, *options):
    return subprocess.run(
        [SEPMLOGCTL, "parse", "--now", NOW, *options, path], check=False,
        stdout=subprocess.PIPE).stdout


def values(record):
    for key in NAMED:
        if isinstance(record.get(key), str):
            yield record[key]
    for group in record.get("addresses", ()):
        yield from group.values()
    for key in ("application", "file_path", "process", "parameters"):
        yield from PROFILE.findall(record.get(key, ""))


def names_of(records):
    found = set()
    for record in records:
        for value in values(record):
            found.add(value)
        for key in ("user", "user1", "user2", "admin"):
            found.update(re.split(r"[\\@]", record.get(key, "")))
    return {name for name in found
            if len(name) > 1 and name.lower() not in NOBODY}


class Private(harness.Case):
    def key(self, mode=0o640, data=b"0123456789abcdef" * 4 + b"\n"):
        path = os.path.join(self.directory, "privacy.key")
        with open(path, "wb") as file:
            file.write(data)
        os.chmod(path, mode)
        return path

    def policy(self, more="unparsed: drop", key=None):
        return (f'privacy:\n  key_file: "{key or self.key()}"\n'
                f"  policies:\n    - {{ name: hidden, {more} }}\n")

    def check(self, names, *files):
        path = os.path.join(self.directory, "names")
        with open(path, "w", encoding="utf-8") as file:
            file.writelines(f"{name}\n" for name in sorted(names))
        done = subprocess.run(
            [SEPMLOGCTL, "check-file", "--no-clear-names", path, *files],
            check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return done.returncode, done.stdout.decode("utf-8", "replace")


class Stored(Private):
    STREAMS = "streams:\n" + "".join(
        f"  - {{ name: p_{f}, types: all, format: {f}, privacy: hidden }}\n"
        for f in FORMATS)

    def send(self, daemon, path):
        """Some begin as a count would: over UDP there is none."""
        with open(path, "rb") as file, \
                socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
            lines = [line for line in file.read().split(b"\n") if line]
            for line in lines:
                peer.sendto(line, (LOOPBACK, daemon.port))
        return len(lines)

    def pages(self, port):
        for page in ("/", "/live", "/status.json", "/status.txt", "/metrics",
                     "/history.json"):
            peer = http.client.HTTPConnection(LOOPBACK, port, timeout=20)
            peer.request("GET", page)
            yield page, peer.getresponse().read()
            peer.close()

    def test_no_name_anywhere(self):
        samples = sorted(glob.glob(os.path.join(SAMPLES, "*.log")))
        tables = sorted(glob.glob(os.path.join(SAMPLES, "*.csv")))
        records = [json.loads(line) for path in samples + tables
                   for line in parse(path).splitlines()]
        names = names_of(records)
        self.assertGreater(len(names), 60)
        port = free_port()
        daemon = self.daemon(
            config=self.policy() + self.STREAMS + "event_key: yes\n"
            f'status: {{ listen: "{LOOPBACK}:{port}" }}\n')
        with daemon:
            sent = sum(self.send(daemon, path) for path in samples)
            wait_until(lambda: len(list(daemon.spool.lines("p_jsonl")))
                       >= sent, "all are stored")
            pages = dict(self.pages(port))
            daemon.stop_cleanly()
        imported = subprocess.run(
            [SEPMLOGCTL, "import", "-c", daemon.config_path, *tables],
            check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.assertIn(imported.returncode, (0, 1), imported.stdout)
        files = daemon.spool.ready()
        self.assertEqual({path.split(".")[1] for path in files},
                         set(FORMATS))
        status, said = self.check(names, *files)
        self.assertEqual(status, 0, said)
        self.no_name_elsewhere(daemon, names, pages)
        self.equal_tokens(daemon)

    def no_name_elsewhere(self, daemon, names, pages):
        """The page names senders, as the ledger does; here all are this
        machine."""
        texts = []
        for path in glob.glob(daemon.spool_path + "/ledger/**",
                              recursive=True) + [daemon.log_path]:
            if os.path.isfile(path):
                texts.append(path)
        for at, (page, text) in enumerate(pages.items()):
            path = os.path.join(self.directory, f"page{at}")
            with open(path, "wb") as file:
                file.write(text)
            texts.append(path)
        self.assertGreater(len(texts), 7)
        # a sample has words for names that stand on every page
        long = {name for name in names if len(name) >= 6}
        status, said = self.check(long, *texts)
        self.assertEqual(status, 0, said)

    def equal_tokens(self, daemon):
        by_format = {}
        for line in daemon.spool.lines("p_jsonl"):
            record = json.loads(line)
            if "host" in record:
                by_format.setdefault("jsonl", set()).add(record["host"])
        for line in daemon.spool.lines("p_ecs"):
            record = json.loads(line)
            host = record.get("host", {}).get("name")
            if host:
                by_format.setdefault("ecs", set()).add(host)
        self.assertTrue(any(host.startswith("u1:")
                            for host in by_format["ecs"]))
        self.assertLessEqual(by_format["ecs"], by_format["jsonl"])

    def test_other_streams_see_all(self):
        config = self.policy() + (
            "streams:\n"
            "  - { name: clear, types: traffic }\n"
            "  - { name: hidden, types: traffic, privacy: hidden }\n"
            "  - { name: same, types: traffic, privacy: hidden }\n")
        daemon = self.daemon(config=config)
        with daemon:
            harness.send_tcp(daemon.port, "u", 20)
            daemon.spool.wait_records(60)
            daemon.stop_cleanly()
        clear = daemon.spool.records("clear")
        self.assertEqual(daemon.spool.numbers("clear")["u"],
                         {n: 1 for n in range(20)})
        hidden, same = (
            [{k: v for k, v in r.items() if k != "id"}
             for r in daemon.spool.records(s)] for s in ("hidden", "same"))
        self.assertEqual(hidden, same)
        for one, other in zip(clear, hidden):
            self.assertNotEqual(one["host"], other["host"])
            self.assertEqual(one["remote_port"], other["remote_port"])

    def test_a_reload_makes_private(self):
        streams = "streams:\n  - { name: all, types: all"
        port = free_port()
        status = f'status: {{ listen: "{LOOPBACK}:{port}" }}\n'
        daemon = self.daemon(config=status + streams + " }\n")
        with daemon:
            with harness.connect(daemon.port) as peer:
                peer.sendall(b"a secret of Jane Roe\n")
            daemon.spool.wait_records(1)
            self.assertIn(b"Jane Roe", dict(self.pages(port))["/"])
            daemon.configure(status + self.policy() + streams +
                             ", privacy: hidden }\n")
            daemon.reload()
            self.assertNotIn(b"Jane Roe", dict(self.pages(port))["/"])
            with harness.connect(daemon.port) as peer:
                peer.sendall(b"a secret of Jane Roe\n")
            last = daemon.spool.wait_records(2)[-1]
            self.assertNotIn("raw", last)
            self.assertEqual(last["original_length"], 20)
            self.assertNotIn(b"Jane Roe", dict(self.pages(port))["/"])
            daemon.stop_cleanly()


class Refused(Private):
    def refusal(self, config):
        path = os.path.join(self.directory, "refused.yaml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(config)
        done = subprocess.run([SEPMLOGD, "-n", "-c", path], check=False,
                              stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True)
        self.assertEqual(done.returncode, 1, done.stdout)
        return done.stdout

    def test_what_no_policy_can_prevent(self):
        stream = "streams:\n  - { name: s, privacy: hidden, "
        for policy, rest, wanted in (
                ("users: hmac", "types: all }", r"6:\d+: .*unparsed: drop"),
                ("unparsed: drop", "types: all, format: raw }",
                 r"streams\[0\].privacy: format raw"),
                ("addresses: hmac", "types: traffic, format: ecs }",
                 "leaves no address"),
                ("users: prefix_preserving", "types: traffic }",
                 r"4:\d+: .*users: 'prefix_preserving' is not possible"),
                ("fields: { usr: drop }", "types: traffic }",
                 "did you mean 'user'"),
                ("fields: { usn: hmac }", "types: traffic }",
                 "one of keep, drop")):
            with self.subTest(policy=policy, rest=rest):
                said = self.refusal(self.policy(policy) + stream + rest)
                self.assertRegex(said, wanted)
        said = self.refusal(self.policy() + "streams:\n  - { name: s, types: "
                            "traffic, privacy: hiden }")
        self.assertRegex(said, r"no such policy.*did you mean 'hidden'")

    def test_keys_of_others(self):
        stream = ("streams:\n"
                  "  - { name: s, types: traffic, privacy: hidden }\n")
        for key, wanted in (
                (dict(mode=0o644), "chmod g-w,o="),
                (dict(mode=0o660), "chmod g-w,o="),
                (dict(data=b"short"), "openssl rand")):
            with self.subTest(key=key):
                said = self.refusal(self.policy(key=self.key(**key)) + stream)
                self.assertIn(wanted, said)
                self.assertNotIn("0123456789", said)
        said = self.refusal(self.policy(key="/nowhere/key") + stream)
        self.assertIn("No such file", said)


class Found(Private):
    """Each way to write a name."""

    NAME = "Jürgen O'Leary\\x"

    def file(self, data, name="some.jsonl"):
        path = os.path.join(self.directory, name)
        with open(path, "wb") as file:
            file.write(data)
        return path

    def test_every_way(self):
        name = self.NAME
        ways = {
            "": name,
            "case": name.upper(),
            "json": json.dumps(name),
            "json utf-8": json.dumps(name, ensure_ascii=False),
            "percent": "".join(f"%{b:02X}" for b in name.encode()),
            "base64": '"raw_base64":"' + base64.b64encode(
                b"\xff.." + name.encode()).decode() + '"',
            "beyond": json.dumps("\U00010400" + name),
        }
        for way, text in ways.items():
            with self.subTest(way=way):
                data = f'{{"a":1}}\n{{"b":"{text}"}}\n'.encode()
                status, said = self.check({name}, self.file(data))
                self.assertEqual(status, 1, said)
                self.assertRegex(said, r"some.jsonl:2: 'J")
                self.assertIn("2 lines, 1 findings of 1 names", said)
        data = gzip.compress(f'"say ""{name}"" x"\r\n'.encode())
        status, said = self.check({f'say "{name}"'}, self.file(data))
        self.assertEqual(status, 1, said)

    def test_short_names_and_addresses_are_words(self):
        for name, text, expected in (
                ("ann", b"channel", 0), ("ann", b"of ann.", 1),
                ("ann", b"ann_2", 1), ("192.0.2.4", b"192.0.2.47", 0),
                ("192.0.2.4", b"[192.0.2.4]", 1), ("annette", b"xannettex", 1),
                ("ann", b"", 0)):
            with self.subTest(name=name, text=text):
                status, said = self.check({name}, self.file(text))
                self.assertEqual(status, expected, said)

    def test_a_line_longer_than_memory(self):
        for at in (4 << 20, (4 << 20) - 5, (4 << 20) + 4096, 9 << 20):
            data = b"." * at + b"Annette" + b"." * 100
            status, said = self.check({"annette"}, self.file(data))
            self.assertEqual(status, 1, said)

    def test_wrong_use(self):
        status, said = self.check({"x"}, self.file(b"x"))
        self.assertEqual(status, 3, said)
        self.assertIn("2 to 1024 bytes", said)
        status, said = self.check(set(), self.file(b"x"))
        self.assertEqual(status, 3, said)
        status, said = self.check({"name"}, "/nowhere")
        self.assertEqual(status, 3, said)


if __name__ == "__main__":
    harness.main()
