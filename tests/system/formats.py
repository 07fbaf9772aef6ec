"""Every sample line in the formats of others, against tables of their rules
(tests/data/rules), and through a daemon that writes all of them."""

import base64
import datetime
import hashlib
import ipaddress
import json
import os
import re
import socket
import struct
import subprocess
import unittest

import harness
from harness import SEPMLOGCTL

SAMPLES = os.path.join(harness.ROOT, "tests/data/samples")
RULES = os.path.join(harness.ROOT, "tests/data/rules")

HASH = re.compile(r"(?:[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{64})\Z")
MAC = re.compile(r"(?:[0-9a-f]{2}:){5}[0-9a-f]{2}\Z")
ECS_MAC = re.compile(r"(?:[0-9A-F]{2}-){5}[0-9A-F]{2}\Z")


def rules(name):
    with open(os.path.join(RULES, name + ".json"), encoding="utf-8") as file:
        return json.load(file)


def once(pairs):
    """An object none of whose keys comes twice."""
    keys = [key for key, _ in pairs]
    if len(keys) != len(set(keys)):
        raise ValueError(f"a key comes twice: {keys}")
    return dict(pairs)


def parse(name, fmt):
    result = subprocess.run(
        [SEPMLOGCTL, "parse", "--format", fmt, "--now",
         "2024-06-30T00:00:00Z", os.path.join(SAMPLES, name)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
    if result.returncode not in (0, 1):
        raise AssertionError(f"exit {result.returncode}: {result.stderr}")
    return result.stdout.decode("utf-8").split("\n")[:-1]


def is_ip(value, version=None):
    try:
        address = ipaddress.ip_address(value)
    except ValueError:
        return False
    return version in (None, address.version)


def is_date(value):
    return re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z\Z", value)


def is_int(value):
    return isinstance(value, int) and not isinstance(value, bool)


def is_port(value):
    return is_int(value) and 0 < value < 65536


class Lines(unittest.TestCase):
    """Each sample with its line in a format and its native record."""

    maxDiff = 3000

    def each(self, fmt, check):
        seen = set()
        for name in sorted(os.listdir(SAMPLES)):
            if not name.endswith((".log", ".csv")):
                continue
            lines, native = parse(name, fmt), parse(name, "jsonl")
            self.assertEqual(len(lines), len(native), name)
            for at, (line, text) in enumerate(zip(lines, native), 1):
                record = json.loads(text)
                seen.add(record["type"])
                with self.subTest(sample=f"{name}:{at}"):
                    check(line, record)
        self.assertGreaterEqual(len(seen), 12)


class Ecs(Lines):
    TYPES = {
        "keyword": lambda v: isinstance(v, str) and v,
        "text": lambda v: isinstance(v, str) and v,
        "date": is_date,
        "ip": is_ip,
        "mac": ECS_MAC.match,
        "hash": HASH.match,
        "long": is_int,
        "port": is_port,
    }

    def test_fields(self):
        self.table = rules("ecs")
        self.each("ecs", self.check)

    def check(self, line, record):
        event = json.loads(line, object_pairs_hook=once)
        fields = dict(self.leaves(event, "", self.table["own"]))
        self.check_fields(fields, self.table)
        self.check_values(fields, self.table)
        self.check_meaning(fields, record)

    def leaves(self, value, path, own):
        if not isinstance(value, dict) or path == own:
            yield path, value
            return
        self.assertTrue(value, f"{path} is empty")
        for key, inner in value.items():
            yield from self.leaves(
                inner, f"{path}.{key}" if path else key, own)

    def check_fields(self, fields, table):
        for path, value in fields.items():
            if path == table["own"]:
                continue
            kind = table["fields"].get(path)
            self.assertIsNotNone(kind, f"no field of the schema: {path}")
            self.assertEqual(isinstance(value, list), kind.endswith("[]"),
                             path)
            check = self.TYPES[kind.removesuffix("[]")]
            for item in value if isinstance(value, list) else [value]:
                self.assertTrue(check(item), f"{path}: {item!r}")
        for path in table["required"]:
            if path != "@timestamp":
                self.assertIn(path, fields)
        self.assertEqual(fields["ecs.version"], table["version"])

    def check_values(self, fields, table):
        for path, allowed in table["values"].items():
            value = fields.get(path, [])
            for item in value if isinstance(value, list) else [value]:
                self.assertIn(item, allowed, path)
        kinds = fields.get("event.category", [])
        expected = {t for k in kinds for t in table["expected"][k]}
        self.assertLessEqual(set(fields.get("event.type", [])), expected)

    def check_meaning(self, fields, record):
        direction = record.get("direction")
        sides = {"inbound": ("remote", "local"),
                 "outbound": ("local", "remote")}.get(direction)
        if sides is None:
            self.assertNotIn("destination.ip", fields)
        else:
            for side, name in zip(sides, ("source", "destination")):
                self.assertEqual(fields.get(name + ".ip"),
                                 record.get(side + "_ip"))
                if record.get("protocol") != "ethernet":
                    self.assertEqual(fields.get(name + ".port"),
                                     record.get(side + "_port"))
        self.assertEqual(fields.get("network.community_id"),
                         community_id(record))
        if any(key in record for key in ("begin", "event_time", "time")):
            self.assertIn("@timestamp", fields)


def community_id(record):
    number = {"tcp": 6, "udp": 17}.get(record.get("protocol"))
    keys = ("local_ip", "local_port", "remote_ip", "remote_port")
    if number is None or any(key not in record for key in keys):
        return None
    ends = []
    for side in ("local", "remote"):
        ip = record[side + "_ip"]
        family = socket.AF_INET6 if ":" in ip else socket.AF_INET
        ends.append((socket.inet_pton(family, ip), record[side + "_port"]))
    (a, a_port), (b, b_port) = sorted(ends)
    if len(a) != len(b):
        return None
    text = (b"\0\0" + a + b + bytes([number, 0])
            + struct.pack(">HH", a_port, b_port))
    return "1:" + base64.b64encode(hashlib.sha1(text).digest()).decode()


class Ocsf(Lines):
    TYPES = {
        "string": lambda v: isinstance(v, str) and v,
        "int": is_int,
        "time": is_int,
        "ip": is_ip,
        "mac": MAC.match,
        "hash": HASH.match,
        "port": is_port,
        "any": lambda v: isinstance(v, dict) and v,
    }
    CLASSES = {"traffic": 4001, "packet": 4001, "security": 2004,
               "risk": 2004, "proactive": 2004, "behavior": 2004,
               "scan": 6007, "admin": 3004, "policy": 3004,
               "agent_system": 6002, "agent_activity": 6002,
               "server_system": 6002, "unparsed": 0}

    def test_events(self):
        self.table = rules("ocsf")
        self.each("ocsf", self.check)

    def check(self, line, record):
        event = json.loads(line, object_pairs_hook=once)
        uid = event["class_uid"]
        self.assertEqual(uid, self.CLASSES[record["type"]])
        kind = self.table["classes"][str(uid)]
        self.check_object(event, kind, f"class {uid}")
        self.check_class(event, kind)
        self.check_meaning(event, record)

    def check_object(self, value, kind, path):
        self.assertIsInstance(value, dict, path)
        for key, inner in value.items():
            self.assertIn(key, kind["attributes"], path)
            self.check_value(inner, kind["attributes"][key], f"{path}.{key}")
        for key in kind.get("required", []):
            self.assertIn(key, value, path)
        if "at_least_one" in kind:
            self.assertTrue(set(kind["at_least_one"]) & set(value), path)
        for key, allowed in kind.get("values", {}).items():
            if key in value:
                self.assertIn(value[key], allowed, f"{path}.{key}")

    def check_value(self, value, kind, path):
        if kind.endswith("[]"):
            self.assertIsInstance(value, list, path)
            self.assertTrue(value, path)
            for item in value:
                self.check_value(item, kind[:-2], path)
        elif kind in self.TYPES:
            self.assertTrue(self.TYPES[kind](value) or value == 0,
                            f"{path}: {value!r}")
        else:
            self.check_object(value, self.table["objects"][kind], path)

    def check_class(self, event, kind):
        values = self.table["values"]
        self.assertEqual(event["category_uid"], kind["category"])
        self.assertIn(event["activity_id"], kind["activities"])
        self.assertEqual(event["type_uid"],
                         event["class_uid"] * 100 + event["activity_id"])
        if event["activity_id"] == 99:
            self.assertIn("activity_name", event)
        for key in ("severity_id", "action_id", "disposition_id"):
            if key in event:
                self.assertIn(event[key], values[key], key)
        status = "finding_status_id" if kind["category"] == 2 else "status_id"
        self.assertIn(event.get("status_id", 0), values[status])
        self.assertEqual(event["metadata"]["version"], self.table["version"])
        self.assertEqual(event["metadata"].get("profiles", []),
                         kind["profiles"])

    def check_meaning(self, event, record):
        stamp = (record.get("begin") or record.get("event_time")
                 or record.get("time"))
        self.assertEqual(event["time"], milliseconds(stamp))
        self.assertEqual(event.get("count"), record.get("occurrences"))
        if event["class_uid"] != 4001:
            return
        inbound = record.get("direction") == "inbound"
        side = "local" if inbound else "remote"
        self.assertEqual(event["dst_endpoint"].get("ip"),
                         record.get(side + "_ip"))
        self.assertEqual(
            event["disposition_id"],
            {"allowed": 1, "blocked": 2}.get(
                record.get("action"), 99 if "action" in record else 0))


def milliseconds(stamp):
    if stamp is None:
        return 0
    time = datetime.datetime.strptime(stamp, "%Y-%m-%dT%H:%M:%SZ")
    return int(time.replace(
        tzinfo=datetime.timezone.utc).timestamp()) * 1000


def split_header(line, fields):
    """The header's fields, unescaped, and what is behind them."""
    found, text, at = [], "", 0
    while len(found) < fields:
        char = line[at]
        if char == "\\":
            if line[at + 1] not in "\\|":
                raise ValueError(f"escape in the header: {line}")
            text, at = text + line[at + 1], at + 2
        elif char == "|":
            found.append(text)
            text, at = "", at + 1
        else:
            text, at = text + char, at + 1
    return found, line[at:]


def cef_pairs(text):
    """A strict reader of an extension: keys are words before a bare `=`."""
    starts = list(re.finditer(r"(?:\A| )([A-Za-z0-9]+)=", text))
    pairs = []
    for at, start in enumerate(starts):
        end = starts[at + 1].start() if at + 1 < len(starts) else len(text)
        raw = text[start.end():end]
        if re.search(r"(?<!\\)(?:\\\\)*=", raw):
            raise ValueError(f"a bare = in {raw!r}")
        if re.search(r"\\[^\\=nr]", re.sub(r"\\\\", "", raw)):
            raise ValueError(f"an unknown escape in {raw!r}")
        names = {"\\\\": "\\", "\\=": "=", "\\n": "\n", "\\r": "\r"}
        pairs.append((start[1], re.sub(
            r"\\[\\=nr]", lambda m: names[m[0]], raw)))
    if starts and starts[0].start() != 0:
        raise ValueError(f"does not begin with a key: {text}")
    return once(pairs)


class Flat(Lines):
    TYPES = {
        "string": lambda v: v,
        "integer": lambda v: re.match(r"\d+\Z", v),
        "time": lambda v: re.match(r"-?\d{1,14}\Z", v),
        "direction": lambda v: v in ("0", "1"),
        "port": lambda v: re.match(r"\d+\Z", v) and 0 < int(v) < 65536,
        "mac": MAC.match,
        "ip": is_ip,
        "ipv4": lambda v: is_ip(v, 4),
        "ipv6": lambda v: is_ip(v, 6),
        "severity": lambda v: re.match(r"\d+\Z", v) and 1 <= int(v) <= 10,
    }

    def check_pair(self, key, value, table):
        kind, longest = table["keys"][key]
        self.assertTrue(self.TYPES[kind](value), f"{key}={value}")
        if longest:
            self.assertLessEqual(len(value.encode()), longest, key)

    def check_text(self, line, allowed=""):
        odd = [c for c in line if (ord(c) < 0x20 and c not in allowed)
               or 0x7f <= ord(c) < 0xa0 or c in "\u2028\u2029"]
        self.assertEqual(odd, [])


class Cef(Flat):
    def test_lines(self):
        self.table = rules("cef")
        self.each("cef", self.check)

    def check(self, line, record):
        self.check_text(line)
        header, rest = split_header(line, 7)
        self.assertEqual(header[0:3], [
            "CEF:0", "Symantec", "Endpoint Protection Manager"])
        self.assertEqual(header[4], record["type"])
        self.assertTrue(header[5])
        self.assertTrue(0 <= int(header[6]) <= 10)
        pairs = cef_pairs(rest)
        for key, value in pairs.items():
            if not key.startswith(self.table["own"]):
                self.assertIn(key, self.table["keys"])
                self.check_pair(key, value, self.table)
            if key.startswith(("cs", "c6a")) and "Label" not in key:
                self.assertIn(key + "Label", pairs)
        self.check_meaning(pairs, record)

    def check_meaning(self, pairs, record):
        if record["type"] in ("traffic", "packet"):
            for key, value in (("src", "dst"), ("dst", "src")):
                side = {"inbound": {"src": "remote", "dst": "local"},
                        "outbound": {"src": "local", "dst": "remote"}}.get(
                            record.get("direction"), {}).get(key)
                ip = record.get(f"{side}_ip")
                found = pairs.get(key) or pairs.get(
                    {"src": "c6a2", "dst": "c6a3"}[key])
                self.assertEqual(found, ip if side else None)
        self.assertEqual(pairs.get("cnt"), str(record["occurrences"])
                         if "occurrences" in record else None)
        if record["type"] == "traffic" and "rule" in record:
            self.assertEqual(pairs["cs1"], record["rule"])
        if "begin" in record:
            self.assertEqual(int(pairs["start"]),
                             milliseconds(record["begin"]))


class Leef(Flat):
    def test_lines(self):
        self.table = rules("leef")
        self.each("leef", self.check)

    def check(self, line, record):
        self.check_text(line, "\t")
        header, rest = split_header(line, 6)
        self.assertEqual(header, [
            "LEEF:2.0", "Symantec", "Endpoint Protection Manager",
            "unknown", record["type"], "x09"])
        pairs = once([pair.split("=", 1) for pair in rest.split("\t")])
        for key, value in pairs.items():
            self.assertRegex(key, r"\A[A-Za-z0-9_]+\Z")
            if key in self.table["keys"]:
                self.check_pair(key, value, self.table)
            self.assertTrue(value, key)
        self.check_meaning(pairs, record)

    def check_meaning(self, pairs, record):
        if "identHostName" in pairs or "identGrpName" in pairs:
            self.assertIn("identSrc", pairs)
        self.assertEqual("devTime" in pairs, "devTimeFormat" in pairs)
        stamp = (record.get("begin") or record.get("event_time")
                 or record.get("time"))
        if stamp:
            time = datetime.datetime.strptime(
                pairs["devTime"], "%b %d %Y %H:%M:%S UTC")
            self.assertEqual(time.strftime("%Y-%m-%dT%H:%M:%SZ"), stamp)
        if record.get("direction") == "inbound":
            self.assertEqual(pairs.get("src"), record.get("remote_ip"))
            self.assertEqual(pairs.get("dst"), record.get("local_ip"))


class Written(harness.Case):
    """A daemon that writes every format at once."""

    FORMATS = ("jsonl", "csv", "raw", "ecs", "ocsf", "cef", "leef")

    def test_each_stream_has_its_own_id(self):
        streams = "streams:\n" + "".join(
            f"  - {{ name: s_{f}{n}, types: all, format: {f} }}\n"
            for f in self.FORMATS for n in ("", "2"))
        daemon = self.daemon(config=streams)
        with daemon:
            harness.send_tcp(daemon.port, "a", 20)
            for fmt in self.FORMATS:
                for n in ("", "2"):
                    harness.wait_until(
                        lambda f=fmt, n=n: len(self.stored(daemon, f, n))
                        >= (21 if f == "csv" else 20), f"{fmt} is written")
            for n in ("", "2"):
                self.check_ids(daemon, n)
            daemon.stop_cleanly()
        for fmt in self.FORMATS:
            name = os.path.basename(daemon.spool.ready(f"s_{fmt}")[0])
            self.assertRegex(name, rf"\.{fmt}(\.gz)?\Z")

    def stored(self, daemon, fmt, n):
        return list(daemon.spool.lines(f"s_{fmt}{n}"))

    def check_ids(self, daemon, n):
        find = {
            "jsonl": lambda line: json.loads(line)["id"],
            "ecs": lambda line: json.loads(line)["event"]["id"],
            "ocsf": lambda line: json.loads(line)["metadata"]["uid"],
            "cef": lambda line: line.decode().rsplit(" externalId=", 1)[1],
            "leef": lambda line: line.decode().rsplit("\tid=", 1)[1],
        }
        for fmt, get in find.items():
            lines = self.stored(daemon, fmt, n)
            for at, line in enumerate(lines, 1):
                self.assertRegex(
                    get(line), rf"\A[0-9a-f]{{8}}-s_{fmt}{n}-\d+-{at}\Z")


if __name__ == "__main__":
    harness.main()
