"""The same event by syslog, dump file, CSV export and database: the records
agree in every field that the sources carry, and so does event_key.

Run alone, it prints which source carries which field.
"""

import csv
import datetime
import io
import json
import os
import random
import subprocess
import zoneinfo

import harness
from harness import SEPMLOGCTL

ZONE = zoneinfo.ZoneInfo("Europe/Paris")
SAMPLES = os.path.join(harness.ROOT, "tests/data/samples")
EVENTS = 400
SOURCES = ("syslog", "syslog 12.1", "dump", "csv", "sql")
# What says how a record came, and what only one of the sources has.
ENVELOPE = {"type", "time", "sepm", "facility", "severity"}
# The database has four protocols, and says how many of them have ports.
IN_DATABASE = {"tcp": 2, "udp": 3, "icmp": 4}
COMMON = ["host", "local_ip", "local_port", "local_mac", "remote_ip",
          "remote_name", "remote_port", "remote_mac", "protocol", "direction",
          "icmp", "begin", "end", "occurrences", "application", "rule",
          "location", "user", "domain", "domain_name", "action", "sha256",
          "md5", "event_type", "event_time", "hardware_key", "usn"]


def wall(seconds, form):
    return datetime.datetime.fromtimestamp(seconds, ZONE).strftime(form)


def address(chance, six):
    if six:
        return f"2001:db8::{chance.randrange(1, 0xffff):x}"
    return f"198.51.100.{chance.randrange(1, 255)}"


def mac(chance):
    return "00005E0053" + f"{chance.randrange(256):02X}"


def event(chance):
    six = chance.random() < 0.2
    protocol = chance.choice(["tcp", "tcp", "udp", "icmp", "others"])
    icmp = protocol == "icmp"
    ports = (8, 0) if icmp else (chance.randrange(1, 65536), 443)
    begin = chance.randrange(1715000000, 1735000000)
    return {
        "host": f"pc-{chance.randrange(10000):04}",
        "local_ip": address(chance, six), "remote_ip": address(chance, six),
        "ports": ports if protocol != "others" else (0, 0),
        "local_mac": mac(chance), "remote_mac": mac(chance),
        "remote_name": chance.choice(["", "www.birch.example"]),
        "protocol": protocol,
        "inbound": chance.random() < 0.3,
        "begin": begin, "end": begin + chance.randrange(60),
        "occurrences": chance.randrange(1, 30),
        "application": chance.choice(["", "SYSTEM", "C:/Tools/é/sync.exe"]),
        "rule": chance.choice(["Permit web", 'Deny "old", log', ""]),
        "location": chance.choice(["Branch", "Branch, east"]),
        "user": chance.choice(["mwhite", "SYSTEM"]),
        "sha256": f"{chance.getrandbits(256):064X}",
        "md5": f"{chance.getrandbits(128):032x}",
        "blocked": chance.random() < 0.3,
    }


def quoted(text):
    if "," in text or '"' in text:
        return '"' + text.replace('"', '""') + '"'
    return text


def body(e, labels):
    values = [e["local_ip"], e["ports"][0], e["local_mac"], e["remote_ip"],
              e["remote_name"], e["ports"][1], e["remote_mac"]]
    ends = [f"{label}: {value}" for label, value in zip(labels[:7], values)]
    rest = [("Begin", wall(e["begin"], "%Y-%m-%d %H:%M:%S")),
            (labels[7], wall(e["end"], "%Y-%m-%d %H:%M:%S")),
            ("Occurrences", e["occurrences"]),
            ("Application", e["application"]), ("Rule", e["rule"]),
            ("Location", e["location"]), (labels[8], e["user"]),
            (labels[9], "BIRCH"),
            ("Action", "Blocked" if e["blocked"] else "Allowed")]
    hashes = [f"SHA-256: {e['sha256']}", f"MD-5: {e['md5']}"]
    tail = hashes if labels is NEW else []
    return ",".join(
        [e["host"]] + ends +
        [e["protocol"].upper(), "Inbound" if e["inbound"] else "Outbound"] +
        [quoted(f"{label}: {value}") for label, value in rest] + tail)


NEW = ["Local Host IP", "Local Port", "Local Host MAC", "Remote Host IP",
       "Remote Host Name", "Remote Port", "Remote Host MAC", "End Time",
       "User Name", "Domain Name"]
OLD = ["Local"] * 3 + ["Remote"] * 4 + ["End", "User", "Domain"]


def as_syslog(events, labels=NEW):
    return "\n".join(
        wall(e["end"] + 30, "<54>%b %d %H:%M:%S ") +
        "sepm-north SymantecServer: " + body(e, labels) for e in events) + "\n"


def as_dump(events):
    return "\n".join(wall(e["end"] + 30, "%Y-%m-%d %H:%M:%S,Info,") +
                     body(e, NEW) for e in events) + "\n"


def header_of(sample):
    with open(os.path.join(SAMPLES, sample), encoding="utf-8") as file:
        return next(csv.reader(file))


def table(columns, rows):
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([row.get(name, "") for name in columns])
    return out.getvalue()


def as_csv(events):
    us = "%m/%d/%Y %H:%M:%S"
    return table(header_of("export.csv"), [{
        "Time Stamp": wall(e["end"] + 30, us), "Severity": "Info",
        "Event Type": "TCP initiated", "Event Time": wall(e["end"] + 9, us),
        "Host Name": e["host"], "Current IP Address": e["local_ip"],
        "Historical IP Address": e["local_ip"],
        "Remote Host IP": e["remote_ip"], "Remote Host Name": e["remote_name"],
        "Network Protocol": e["protocol"].upper(),
        "Local Port": e["ports"][0], "Remote Port": e["ports"][1],
        "Traffic Direction": "Inbound" if e["inbound"] else "Outbound",
        "Application Name": e["application"],
        "Begin Time": wall(e["begin"], us), "End Time": wall(e["end"], us),
        "Repetition": e["occurrences"],
        "ACTION": "Blocked" if e["blocked"] else "Not blocked",
        "Rule Name": e["rule"], "Alert": 0, "Send Snmp Trap": 0,
        "Local Host Mac": e["local_mac"], "Remote Host Mac": e["remote_mac"],
        "Hardware Key": "909AC2C4", "Location Name": e["location"],
        "User Name": e["user"], "Domain Name": "Default",
        "Computer Name": e["host"]} for e in events])


def as_sql(events):
    return table(header_of("pulled.csv"), [{
        "USN": n + 1, "TIME_STAMP": (e["end"] + 30) * 1000 + 7,
        "EVENT_TIME": (e["end"] + 9) * 1000, "EVENT_ID": 301, "SEVERITY": 12,
        "HARDWARE_KEY": "909AC2C4", "HOST_NAME": e["host"],
        "LOCAL_HOST_IP_TEXT": e["local_ip"],
        "REMOTE_HOST_IP_TEXT": e["remote_ip"],
        "REMOTE_HOST_NAME": e["remote_name"],
        "NETWORK_PROTOCOL": IN_DATABASE.get(e["protocol"], 1),
        "LOCAL_PORT": e["ports"][0], "REMOTE_PORT": e["ports"][1],
        "TRAFFIC_DIRECTION": 1 if e["inbound"] else 2,
        "BEGIN_TIME": e["begin"] * 1000 + 250, "END_TIME": e["end"] * 1000,
        "REPETITION": e["occurrences"], "APP_NAME": e["application"],
        "BLOCKED": int(e["blocked"]), "RULE_NAME": e["rule"],
        "LOCAL_HOST_MAC": e["local_mac"], "REMOTE_HOST_MAC": e["remote_mac"],
        "LOCATION_NAME": e["location"], "USER_NAME": e["user"],
        "DOMAIN_NAME": "BIRCH"} for n, e in enumerate(events)])


def parse(text):
    result = subprocess.run(
        [SEPMLOGCTL, "parse", "--event-key", "--timezone", str(ZONE),
         "--now", "2024-10-01T00:00:00Z", "-"], input=text.encode(),
        stdout=subprocess.PIPE, check=True, timeout=120)
    return [json.loads(line) for line in result.stdout.splitlines()]


class OneEvent(harness.Case):
    @classmethod
    def setUpClass(cls):
        chance = random.Random(20240514)
        cls.events = [event(chance) for _ in range(EVENTS)]
        texts = (as_syslog(cls.events), as_syslog(cls.events, OLD),
                 as_dump(cls.events), as_csv(cls.events), as_sql(cls.events))
        cls.records = dict(zip(SOURCES, map(parse, texts)))

    def test_every_source_gives_every_event(self):
        for source in SOURCES:
            with self.subTest(source=source):
                self.assertEqual(len(self.records[source]), EVENTS)
                self.assertEqual(
                    {r["type"] for r in self.records[source]}, {"traffic"})

    def test_the_sources_agree_field_by_field(self):
        first = self.records["syslog"]
        for source in SOURCES[1:]:
            for n, record in enumerate(self.records[source]):
                both = (set(first[n]) & set(record)) - ENVELOPE
                different = {k: (first[n][k], record[k]) for k in both
                             if first[n][k] != record[k]}
                self.assertEqual(different, {}, f"{source}, event {n}")
                self.assertGreaterEqual(len(both), 10)

    def test_what_one_source_has_of_these_all_have(self):
        shared = {"host", "local_ip", "remote_ip", "local_mac", "remote_mac",
                  "remote_name", "protocol", "direction", "begin", "end",
                  "local_port", "remote_port", "icmp", "occurrences",
                  "application", "rule", "location", "user", "action"}
        for records in zip(*self.records.values()):
            keys = [set(record) & shared for record in records]
            self.assertEqual(keys[1:], keys[:1] * (len(keys) - 1))

    def test_one_key_for_one_event(self):
        keys = [[r["event_key"] for r in self.records[s]] for s in SOURCES]
        for others in keys[1:]:
            self.assertEqual(others, keys[0])
        self.assertEqual(len(set(keys[0])), EVENTS)

    def test_the_table_of_the_manual(self):
        """README's table says which source carries what not all do."""
        with open(os.path.join(harness.ROOT, "README.md"),
                  encoding="utf-8") as file:
            readme = file.read()
        for line in field_table(self.records):
            self.assertTrue(line in readme, line)


def field_table(records):
    yield "| field | " + " | ".join(SOURCES) + " |"
    for field in COMMON:
        has = [any(field in r for r in records[s]) for s in SOURCES]
        if not all(has):
            yield f"| `{field}` | " + " | ".join(
                "yes" if yes else "" for yes in has) + " |"


if __name__ == "__main__":
    OneEvent.setUpClass()
    print("\n".join(field_table(OneEvent.records)), flush=True)
    harness.main()
