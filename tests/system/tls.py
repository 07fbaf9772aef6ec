"""Syslog over TLS (RFC 5425): who gets in, who does not and why, and that
nothing of what comes in is lost."""

import contextlib
import datetime
import glob
import http.client
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
import time

import certificates
import harness
from harness import LOOPBACK, connect, counted, is_closed, message, wait_until

NAME = "sepm1.example.com"
JUNK = 16 << 20


def setUpModule():
    global HOME, CA, SERVER, GOOD
    harness.need("openssl")
    HOME = tempfile.mkdtemp(prefix="sepmlogd-tls-")
    CA = certificates.Authority(os.path.join(HOME, "ca"))
    SERVER = CA.issue("server", f"DNS:localhost,IP:{LOOPBACK}", "serverAuth")
    GOOD = CA.issue("good", f"DNS:{NAME}")


def tearDownModule():
    shutil.rmtree(HOME)


def client_context(pair=None, version=None, weak=False):
    """A client that checks the daemon, as senders should."""
    context = ssl.create_default_context(cafile=CA.certificate)
    if weak:
        context.set_ciphers("ALL:@SECLEVEL=0")
    if version:
        context.minimum_version = context.maximum_version = version
    if pair:
        context.load_cert_chain(*pair)
    return context


def as_any_user():
    """Root may read whatever it likes; the daemon's own user may not."""
    if os.geteuid() != 0:
        return ()
    harness.need("setpriv")
    some = "-dac_override,-dac_read_search"
    return ("setpriv", f"--bounding-set={some}", f"--inh-caps={some}")


class Tls(harness.Case):
    def setUp(self):
        super().setUp()
        self.contexts = {}

    def tls_daemon(self, keys=None, config="", pair=None, **options):
        """A daemon that listens on TLS only; `keys` of its entry."""
        certificate, key = pair or SERVER
        entry = {"certificate": certificate, "key": key,
                 "client_ca": CA.certificate,
                 "permitted_peers": f'["{NAME}"]'}
        entry.update(keys or {})
        port = harness.free_port()
        lines = [f"{name}: {value}" for name, value in entry.items() if value]
        sepmlogd = self.daemon(
            config=config, listen=[("tls", f"{LOOPBACK}:{port}", lines)],
            **options)
        sepmlogd.port = port
        return self.enterContext(sepmlogd)

    @contextlib.contextmanager
    def session(self, port, pair=None, source=None, context=None):
        context = context or client_context(pair or GOOD)
        with connect(port, source) as plain, \
                context.wrap_socket(plain, server_hostname=LOOPBACK) as peer:
            yield peer

    def is_refused(self, port, source, context, sender="bad"):
        """Whether a peer cannot send: at its handshake, or right after it."""
        try:
            with self.session(port, source=source, context=context) as peer:
                peer.settimeout(10)
                peer.sendall(message(sender, 0) + b"\n")
                return peer.recv(1) == b""
        except (ssl.SSLError, ConnectionError):
            return True

    def assert_stored(self, sepmlogd, want):
        for sender, count in want.items():
            wait_until(
                lambda s=sender, c=count:
                len(sepmlogd.spool.numbers().get(s, ())) >= c,
                f"{count} of {sender}", 30)
        self.assert_complete(sepmlogd.spool.numbers(), want)

    # -- what gets in

    def test_versions_and_framings(self):
        sepmlogd = self.tls_daemon()
        versions = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)
        for version in versions:
            context = client_context(GOOD, version)
            for name, frame in (("lf", lambda m: m + b"\n"),
                                ("counted", counted)):
                sender = f"{name}{version.value}"
                with self.session(sepmlogd.port, context=context) as peer:
                    for n in range(100):
                        peer.sendall(frame(message(sender, n)))
        self.assert_stored(sepmlogd, {
            f"{name}{version.value}": 100
            for version in versions for name in ("lf", "counted")})
        for record in sepmlogd.spool.records("traffic"):
            self.assertEqual(record["transport"], "tls")
            self.assertNotIn("flags", record)

    def test_a_record_of_one_byte_each(self):
        sepmlogd = self.tls_daemon()
        with self.session(sepmlogd.port) as peer:
            for byte in message("slow", 0) + b"\n":
                peer.sendall(bytes([byte]))
        self.assert_stored(sepmlogd, {"slow": 1})

    def test_large_amounts(self):
        sepmlogd = self.tls_daemon()
        lines = b"".join(message("much", n) + b"\n" for n in range(20000))
        with self.session(sepmlogd.port) as peer:
            peer.sendall(lines)
        self.assert_stored(sepmlogd, {"much": 20000})

    def test_the_last_words_of_a_peer_that_closes_at_once(self):
        sepmlogd = self.tls_daemon()
        for n in range(20):
            with self.session(sepmlogd.port) as peer:
                # unterminated; then close_notify, or none at all
                peer.sendall(message("last", n))
                if n % 2:
                    peer.unwrap()
        self.assert_stored(sepmlogd, {"last": 20})

    def test_without_client_certificates(self):
        sepmlogd = self.tls_daemon(
            {"client_ca": None, "permitted_peers": None})
        with self.session(sepmlogd.port, context=client_context()) as peer:
            peer.sendall(message("anyone", 0) + b"\n")
        self.assert_stored(sepmlogd, {"anyone": 1})

    def test_fingerprints_need_no_authority(self):
        mine = certificates.self_signed(HOME, "mine", f"DNS:{NAME}")
        other = certificates.self_signed(HOME, "other", f"DNS:{NAME}")
        sepmlogd = self.tls_daemon({
            "client_ca": None,
            "permitted_peers": f'["{certificates.fingerprint(mine[0])}"]'})
        with self.session(sepmlogd.port, mine) as peer:
            peer.sendall(message("mine", 0) + b"\n")
        self.assertTrue(self.is_refused(
            sepmlogd.port, "127.0.0.2", client_context(other)))
        self.assertTrue(self.is_refused(
            sepmlogd.port, "127.0.0.3", client_context()))
        self.assert_stored(sepmlogd, {"mine": 1})
        sepmlogd.wait_log(r"127\.0\.0\.2:\d+: certificate of /CN=other is "
                          "not in `permitted_peers`")

    def test_names_addresses_and_wildcards(self):
        host = CA.issue("host", "DNS:a.branch.example")
        deep = CA.issue("deep", "DNS:b.a.branch.example")
        star = CA.issue("star", "DNS:*.example.com")
        address = CA.issue("address", "IP:192.0.2.7")
        sepmlogd = self.tls_daemon({
            "permitted_peers": f'["{NAME}", "*.branch.example", 192.0.2.7]'})
        for sender, pair in (("host", host), ("star", star),
                             ("address", address)):
            with self.session(sepmlogd.port, pair) as peer:
                peer.sendall(message(sender, 0) + b"\n")
        self.assertTrue(self.is_refused(
            sepmlogd.port, "127.0.0.2", client_context(deep)))
        self.assert_stored(sepmlogd, {"host": 1, "star": 1, "address": 1})

    # -- what does not

    def bad_peers(self):
        """(name, certificate and key, words in the log) of each."""
        other = certificates.Authority(os.path.join(HOME, "other"), "other")
        revoked = CA.issue("revoked", f"DNS:{NAME}")
        CA.revoke(revoked[0])
        nul = certificates.dns_with_nul(NAME, ".evil.example")
        unlisted = "is not in `permitted_peers`"
        return (
            ("expired", CA.issue("expired", f"DNS:{NAME}",
                                 start="200101000000Z", end="210101000000Z"),
             "certificate has expired"),
            ("early", CA.issue("early", f"DNS:{NAME}",
                               start="470101000000Z", end="480101000000Z"),
             "certificate is not yet valid"),
            ("selfsigned",
             certificates.self_signed(HOME, "selfsigned", f"DNS:{NAME}"),
             "self-signed certificate"),
            ("otherca", other.issue("otherca", f"DNS:{NAME}"),
             "unable to get local issuer certificate"),
            ("wrongname", CA.issue("wrongname", "DNS:sepm2.example.com"),
             unlisted),
            ("wildcard", CA.issue("wildcard", "DNS:sepm*.example.com"),
             unlisted),
            ("nul", CA.issue("nul", nul), unlisted),
            ("nousage", CA.issue("nousage", f"DNS:{NAME}", "serverAuth"),
             "unsuitable certificate purpose"),
            ("revoked", revoked, "certificate revoked"),
            ("short", CA.issue("short", f"DNS:{NAME}", key="rsa:1024"),
             "certificate key too weak"),
            ("sha1", CA.issue("sha1", f"DNS:{NAME}", digest="sha1"),
             "CA signature digest algorithm too weak"),
        )

    def test_twelve_bad_peers(self):
        bad = self.bad_peers()
        sepmlogd = self.tls_daemon({"crl": CA.revocations()})
        stop = threading.Event()
        sent = []

        def send_good():
            with self.session(sepmlogd.port) as peer:
                while not stop.is_set():
                    peer.sendall(message("good", len(sent)) + b"\n")
                    sent.append(None)
                    time.sleep(0.001)
        honest = threading.Thread(target=send_good)
        honest.start()
        try:
            for i, (name, pair, _) in enumerate(bad):
                with self.subTest(name):
                    self.assertTrue(self.is_refused(
                        sepmlogd.port, f"127.0.0.{10 + i}",
                        client_context(pair, weak=True)))
            with self.subTest("tls11"):
                old = client_context(GOOD, ssl.TLSVersion.TLSv1_1, weak=True)
                self.assertTrue(self.is_refused(
                    sepmlogd.port, "127.0.0.30", old))
        finally:
            stop.set()
            honest.join()
        for i, (name, _, words) in enumerate(bad):
            with self.subTest(name):
                sepmlogd.wait_log(
                    rf"tls 127\.0\.0\.{10 + i}:\d+: certificate of "
                    rf"/CN={name}:? [^\n]*{words}, closed")
        sepmlogd.wait_log(r"tls 127\.0\.0\.30:\d+: unsupported protocol")
        self.assert_stored(sepmlogd, {"good": len(sent)})
        sepmlogd.stop_cleanly()
        counters = sepmlogd.counters()
        numbers = sepmlogd.spool.numbers()
        self.assert_complete(numbers, {"good": len(sent)})
        self.assertEqual(set(numbers), {"good"})
        self.assertEqual(sepmlogd.spool.records("unparsed"), [])
        self.assertEqual(counters["handshakes failed"], 9, counters)
        self.assertEqual(counters["peers not permitted"], 3, counters)

    def test_names_do_not_write_the_log(self):
        """A peer says itself what it is called, and what it is called is
        told."""
        evil = os.path.join(HOME, "evil")
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes",
             "-days", "30", "-subj", "/CN=x\n<13>FORGED\x1b[2J\u009b2J",
             "-utf8", "-keyout", evil + ".key", "-out", evil + ".pem"],
            check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        pair = (evil + ".pem", evil + ".key")
        # by whom it is signed; who it is
        for keys in ({}, {"client_ca": None, "permitted_peers":
                          f'["{certificates.fingerprint(GOOD[0])}"]'}):
            with self.subTest(keys):
                sepmlogd = self.tls_daemon(keys, name=f"n{len(keys)}")
                self.assertTrue(self.is_refused(
                    sepmlogd.port, "127.0.0.2", client_context(pair)))
                sepmlogd.wait_log(r"certificate of /CN=x")
                sepmlogd.stop_cleanly()
                with open(sepmlogd.log_path, "rb") as file:
                    lines = file.read().split(b"\n")
                self.assertIn(b"FORGED", b"".join(lines))
                for line in lines:
                    self.assertRegex(line, rb"\A[\x20-\x7e]*\Z")
                    self.assertFalse(line.startswith(b"<13>"), line)

    def test_a_list_that_is_out_of_date(self):
        # Whoever may have been revoked since does not get in.
        sepmlogd = self.tls_daemon({"crl": CA.revocations(
            "-crl_lastupdate", "20200101000000Z",
            "-crl_nextupdate", "20200201000000Z")})
        self.assertTrue(self.is_refused(
            sepmlogd.port, "127.0.0.2", client_context(GOOD)))
        sepmlogd.wait_log("CRL has expired; put a current list into the file")
        CA.revocations()
        sepmlogd.reload()
        with self.session(sepmlogd.port) as peer:
            peer.sendall(message("again", 0) + b"\n")
        self.assert_stored(sepmlogd, {"again": 1})

    def test_who_has_many_addresses_does_not_fill_the_log(self):
        sepmlogd = self.tls_daemon()
        for n in range(20):
            for net in range(8):  # these share a line
                with connect(sepmlogd.port,
                             f"127.0.{net}.{2 ^ net << 3}") as peer:
                    peer.sendall(message("plain", 0) + b"\n")
                    self.assertTrue(self.is_closed_after_all(peer))
        sepmlogd.stop_cleanly()
        self.assertEqual(
            sepmlogd.counters()["handshakes failed"], 160, sepmlogd.log())
        self.assertEqual(sepmlogd.log().count(", closed ("), 1)

    def test_renegotiation(self):
        sepmlogd = self.tls_daemon()
        with subprocess.Popen(
                ["openssl", "s_client", "-connect",
                 f"{LOOPBACK}:{sepmlogd.port}", "-tls1_2", "-CAfile",
                 CA.certificate, "-cert", GOOD[0], "-key", GOOD[1]],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT) as client:
            client.stdin.write(message("first", 0) + b"\n")
            client.stdin.flush()
            self.assert_stored(sepmlogd, {"first": 1})
            client.stdin.write(b"R\n")
            client.stdin.flush()
            output, _ = client.communicate(timeout=30)
        self.assertIn(b"no renegotiation", output)
        self.assert_stored(sepmlogd, {"first": 1})

    # -- who only takes up room

    def test_stalled_handshakes(self):
        """As many as the limits let stay, and one by one an honest peer."""
        sepmlogd = self.tls_daemon()
        stalled, handshakes = {}, []
        for n in range(255):
            peer = connect(sepmlogd.port, f"127.0.0.{2 + n % 5}")
            self.addCleanup(peer.close)
            stalled[peer] = time.monotonic()
            if n % 3 == 0:  # half a ClientHello
                peer.sendall(bytes.fromhex("160301020001"))
        for n in range(100):
            begin = time.monotonic()
            with self.session(sepmlogd.port) as peer:
                handshakes.append(time.monotonic() - begin)
                peer.sendall(message("honest", n) + b"\n")
        late = sorted(handshakes)[98]
        self.assertLessEqual(late, 0.2)
        self.assertLess(time.monotonic(), min(stalled.values()) + 10,
                        "too slow a machine: they are not all there any more")
        ages = []
        for peer, begin in stalled.items():
            self.assertTrue(is_closed(peer, 15))
            ages.append(time.monotonic() - begin)
        print(f"\n  100 handshakes beside {len(stalled)} stalled ones: p99 "
              f"{late * 1000:.0f} ms; those closed after {min(ages):.1f} to "
              f"{max(ages):.1f} s")
        # handshake_timeout, and they are looked at once a second
        self.assertGreater(min(ages), 9.5)
        self.assertLess(max(ages), 12)
        self.assert_stored(sepmlogd, {"honest": 100})
        sepmlogd.stop_cleanly()
        self.assertEqual(
            sepmlogd.counters()["handshakes not finished"], 255,
            sepmlogd.log())
        # one line for each source
        told = re.findall(r"tls (127\.0\.0\.\d):\d+: handshake not finished",
                          sepmlogd.log())
        self.assertEqual(sorted(told), [f"127.0.0.{n}" for n in range(2, 7)])

    def test_too_many_handshakes(self):
        sepmlogd = self.tls_daemon(config="max_handshakes: 5\n")
        peers = [connect(sepmlogd.port) for _ in range(8)]
        for peer in peers:
            self.addCleanup(peer.close)
        closed = [peer for peer in peers if is_closed(peer, 0.5)]
        self.assertEqual(len(closed), 3)
        for peer in peers:
            peer.close()
        wait_until(lambda: not self.is_refused_quietly(sepmlogd.port),
                   "a handshake after the others have gone")

    def is_refused_quietly(self, port):
        try:
            with self.session(port):
                return False
        except (ssl.SSLError, ConnectionError):
            return True

    def test_other_talk(self):
        sepmlogd = self.tls_daemon()
        hello = b"\x01\xff\xff\xff" + bytes(16380)  # of 16 MiB
        for source, data in (("127.0.0.2", message("plain", 0) + b"\n"),
                             ("127.0.0.3", os.urandom(JUNK)),
                             ("127.0.0.4", b"\x16\x03\x01\xff\xff" * (
                                 JUNK // 5)),
                             ("127.0.0.5", (b"\x16\x03\x01\x40\x00" + hello)
                              * (JUNK // len(hello)))):
            with connect(sepmlogd.port, source) as peer:
                with contextlib.suppress(ConnectionError):
                    peer.sendall(data)
                self.assertTrue(self.is_closed_after_all(peer))
            line = rf"tls {re.escape(source)}:\d+: "
            sepmlogd.wait_log(line)
            self.assertEqual(len(re.findall(line, sepmlogd.log())), 1)
        with self.session(sepmlogd.port) as peer:
            peer.sendall(message("good", 0) + b"\n")
        self.assert_stored(sepmlogd, {"good": 1})
        self.assertEqual(sepmlogd.spool.records("unparsed"), [])

    @staticmethod
    def is_closed_after_all(peer):
        """Whatever it is told first, an alert as a rule."""
        peer.settimeout(10)
        try:
            while peer.recv(4096):
                pass
            return True
        except ConnectionError:
            return True
        except TimeoutError:
            return False

    def test_tls_to_the_plain_port(self):
        with self.daemon() as sepmlogd:
            with connect(sepmlogd.port) as plain:
                plain.settimeout(1)
                with self.assertRaises((ssl.SSLError, OSError)):
                    client_context().wrap_socket(
                        plain, server_hostname=LOOPBACK)
            sepmlogd.spool.wait_records(1, "unparsed")

    @contextlib.contextmanager
    def raw_session(self, port, source=None):
        """A session whose records the caller sends itself: (socket, a function
        that makes records of bytes)."""
        into, out = ssl.MemoryBIO(), ssl.MemoryBIO()
        peer = client_context(GOOD).wrap_bio(
            into, out, server_hostname=LOOPBACK)

        def records(data):
            peer.write(data)
            return out.read()
        with connect(port, source) as plain:
            self.shake(peer, into, out, plain)
            yield plain, records

    @staticmethod
    def shake(half, into, out, plain):
        while True:
            try:
                half.do_handshake()
                plain.sendall(out.read())
                return
            except ssl.SSLWantReadError:
                plain.sendall(out.read())
                into.write(plain.recv(65536))

    def test_a_peer_that_stops_inside_a_record(self):
        sepmlogd = self.tls_daemon()
        with self.raw_session(sepmlogd.port, "127.0.0.2") as (plain, records):
            record = records(message("half", 0) + b"\n")
            plain.sendall(record[:len(record) // 2])
            with self.session(sepmlogd.port) as peer:
                for n in range(200):
                    peer.sendall(message("honest", n) + b"\n")
                self.assert_stored(sepmlogd, {"honest": 200})
                share = sepmlogd.cpu_share(5)
            plain.sendall(record[len(record) // 2:])
            self.assert_stored(sepmlogd, {"honest": 200, "half": 1})
        print(f"\n  beside half a record: {share * 100:.1f} % CPU over 5 s")
        self.assertLessEqual(share, 0.01)

    def test_a_record_that_is_not_finished(self):
        """Closed like a message that is not, wherever in the record it stops
        and whatever came before it."""
        sepmlogd = self.tls_daemon(config="frame_timeout: 1s\n")
        whole = message("whole", 0) + b"\n"
        with contextlib.ExitStack() as stack:
            stalled = []
            for i, (before, part) in enumerate((
                    (b"", 2), (b"", 5), (b"", 100), (whole, 5), (whole, 100))):
                plain, records = stack.enter_context(self.raw_session(
                    sepmlogd.port, f"127.0.0.{2 + i}"))
                data = records(before) if before else b""
                plain.sendall(data + records(message("never", i))[:part])
                stalled.append(plain)
            idle, records = stack.enter_context(
                self.raw_session(sepmlogd.port))
            idle.sendall(records(message("idle", 0) + b"\n"))
            start = time.monotonic()
            for i, plain in enumerate(stalled):
                with self.subTest(i):
                    self.assertTrue(self.is_closed_after_all(plain))
            closed = time.monotonic() - start
            self.assertGreater(closed, 0.8)
            self.assertLess(closed, 5)
            self.assertFalse(is_closed(idle, 1.5))
            idle.sendall(records(message("idle", 1) + b"\n"))
            wait_until(lambda: len(sepmlogd.spool.numbers()["idle"]) == 2,
                       "the idle one is heard")
        sepmlogd.stop_cleanly()
        numbers = sepmlogd.spool.numbers()
        self.assert_complete(numbers, {"idle": 2})
        self.assertEqual(numbers["whole"], {0: 2})
        self.assertNotIn("never", numbers)
        self.assertEqual(sepmlogd.spool.records("unparsed"), [])
        self.assertEqual(sepmlogd.counters()["unfinished for too long"], 5)
        self.assertEqual(len(re.findall(
            r"tls 127\.0\.0\.\d:\d+: TLS record not finished within "
            r"frame_timeout, closed \(", sepmlogd.log())), 1)

    def test_a_message_that_is_not_finished(self):
        sepmlogd = self.tls_daemon(config="frame_timeout: 1s\n")
        with self.raw_session(sepmlogd.port) as (plain, records):
            start = time.monotonic()
            text = message("cut", 0)
            for at in range(0, len(text) - 30, 100):
                plain.sendall(records(text[at:min(at + 100, len(text) - 30)]))
            self.assertTrue(self.is_closed_after_all(plain))
            self.assertGreater(time.monotonic() - start, 0.8)
            self.assertLess(time.monotonic() - start, 5)
        sepmlogd.wait_log("message not finished within frame_timeout, "
                          "kept as it is, closed")
        sepmlogd.stop_cleanly()
        self.assertEqual(sepmlogd.counters()["unfinished for too long"], 1)
        record, = sepmlogd.spool.records()
        self.assertIn("unterminated", record["flags"])

    def test_a_slow_peer_that_finishes_its_records(self):
        """Each within the time, all of them not; nothing is unfinished
        between them."""
        sepmlogd = self.tls_daemon(config="frame_timeout: 2s\n")
        with self.raw_session(sepmlogd.port) as (plain, records):
            for n in range(6):
                record = records(message("slow", n) + b"\n")
                plain.sendall(record[:50])
                time.sleep(0.6)
                plain.sendall(record[50:])
                time.sleep(0.2)
            self.assertFalse(is_closed(plain, 2.5))
            # with the start of the next one behind each
            rest = b""
            for n in range(6, 12):
                record = records(message("slow", n) + b"\n")
                plain.sendall(rest + record[:50])
                rest = record[50:]
                time.sleep(0.8)
            plain.sendall(rest)
            self.assertFalse(is_closed(plain, 2.5))
        self.assert_stored(sepmlogd, {"slow": 12})
        self.assertNotIn("not finished", sepmlogd.log())

    # -- a full disk, a stop

    def test_nothing_is_lost_while_there_is_no_room(self):
        sepmlogd = self.tls_daemon(spool_options="rotate: { size: 256KiB }\n"
                                   "compress: none\n"
                                   "quota: 512KiB\n"
                                   "buffer: 1MiB\n")
        count = 10000
        sender = threading.Thread(target=self.send_all,
                                  args=(sepmlogd.port, "full", count))
        sender.start()
        taken = os.path.join(self.directory, "taken")
        os.mkdir(taken)
        sepmlogd.wait_log("spool: full")
        end = time.monotonic() + 60
        while sender.is_alive() and time.monotonic() < end:
            for path in sepmlogd.spool.ready():
                shutil.move(path, os.path.join(
                    taken, os.path.basename(path)))
            time.sleep(0.2)
        sender.join(1)
        self.assertFalse(sender.is_alive())

        def numbers():
            files = [os.path.join(taken, name) for name in os.listdir(taken)]
            return sepmlogd.spool.numbers(more=files)

        def all_there():
            for path in sepmlogd.spool.ready():
                shutil.move(path, os.path.join(
                    taken, os.path.basename(path)))
            return len(numbers().get("full", ())) >= count
        wait_until(all_there, "all stored", 60, 0.3)
        self.assert_complete(numbers(), {"full": count})

    def send_all(self, port, sender, count):
        with self.session(port) as peer:
            peer.settimeout(120)
            for at in range(0, count, 100):
                peer.sendall(b"".join(
                    message(sender, n) + b"\n"
                    for n in range(at, min(at + 100, count))))

    def test_stop_says_goodbye(self):
        sepmlogd = self.tls_daemon()
        with self.session(sepmlogd.port) as peer:
            peer.sendall(message("bye", 0) + b"\n")
            self.assert_stored(sepmlogd, {"bye": 1})
            peer.sendall(message("bye", 1) + b"\n")
            sepmlogd.signal(signal.SIGTERM)
            peer.settimeout(10)
            self.assertEqual(peer.recv(1), b"")  # close_notify
        self.assertEqual(sepmlogd.process.wait(20), 0)
        self.assert_complete(sepmlogd.spool.numbers(), {"bye": 2})

    # -- new certificates

    def served(self, port):
        """The certificate that a new session is shown."""
        with self.session(port) as peer:
            return peer.getpeercert()["serialNumber"]

    def replaceable(self, name):
        pair = tuple(os.path.join(self.directory, f"{name}.{suffix}")
                     for suffix in ("pem", "key"))
        for new, old in zip(SERVER, pair):
            shutil.copy(new, old)
        return pair

    def test_certificate_is_replaced(self):
        pair = self.replaceable("own")
        sepmlogd = self.tls_daemon(pair=pair)
        before = self.served(sepmlogd.port)
        with self.session(sepmlogd.port) as old:
            old.sendall(message("old", 0) + b"\n")
            for new, path in zip(CA.issue(
                    "next", f"DNS:localhost,IP:{LOOPBACK}", "serverAuth"),
                    pair):
                shutil.copy(new, path)
            # by itself
            wait_until(lambda: self.served(sepmlogd.port) != before,
                       "the new certificate")
            sepmlogd.wait_log("certificate and key loaded again")
            # and told to
            for new, path in zip(SERVER, pair):
                shutil.copy(new, path)
            start = time.monotonic()
            sepmlogd.reload()
            self.assertEqual(self.served(sepmlogd.port), before)
            took = time.monotonic() - start
            old.sendall(message("old", 1) + b"\n")
        self.assert_stored(sepmlogd, {"old": 2})
        print(f"\n  new certificate {took * 1000:.0f} ms after a reload began")
        self.assertLessEqual(took, 1.0)

    def test_files_that_do_not_fit(self):
        pair = self.replaceable("own")
        authority = os.path.join(self.directory, "clients.pem")
        shutil.copy(CA.certificate, authority)
        sepmlogd = self.tls_daemon({"client_ca": authority}, pair=pair,
                                   wrap=as_any_user())
        before = self.served(sepmlogd.port)
        shutil.copy(GOOD[1], pair[1])  # another certificate's key
        sepmlogd.wait_log(
            "changed files are not used, those before them are: "
            ".*own.key: key values mismatch; needs the private key of")
        wait_until(lambda: "TLS files are not used" in
                   sepmlogd.statuses()[-1], "STATUS=")
        self.assertEqual(self.served(sepmlogd.port), before)
        self.assert_refused(sepmlogd, "own.key: key values mismatch", before)
        for path, damage, words in (
                (pair[1], lambda: os.chmod(pair[1], 0o644),
                 "own.key: every user can read it"),
                (pair[1], lambda: os.unlink(pair[1]),
                 "own.key: No such file or directory"),
                (pair[1], lambda: shutil.copyfile(CA.certificate, pair[1]),
                 "own.key: .*; needs the private key"),
                (pair[0], lambda: os.unlink(pair[0]),
                 "own.pem: No such file or directory"),
                (pair[0], lambda: shutil.copyfile(GOOD[1], pair[0]),
                 "own.pem: .*; needs a certificate in PEM"),
                (authority, lambda: os.unlink(authority),
                 "clients.pem: No such file or directory"),
                (authority, lambda: self.write(authority, os.urandom(4096)),
                 "clients.pem: .*; needs certificates of CAs in PEM"),
                (authority, lambda: self.write(authority, b""),
                 "clients.pem: .*; needs certificates of CAs in PEM"),
                (authority, lambda: os.chmod(authority, 0),
                 "clients.pem: Permission denied; it must be readable")):
            with self.subTest(words):
                self.repair(pair, authority)
                sepmlogd.reload()
                self.assertNotIn("refused", sepmlogd.statuses()[-1])
                damage()
                self.assert_refused(sepmlogd, words, before)
        self.repair(pair, authority)
        sepmlogd.reload()
        self.assertNotIn("refused", sepmlogd.statuses()[-1])

    def assert_refused(self, sepmlogd, words, before):
        """A reload is, for that reason; what was in force is."""
        seen, told = len(sepmlogd.log()), len(sepmlogd.statuses())
        sepmlogd.reload()
        self.assertRegex(sepmlogd.log()[seen:], words)
        self.assertIn("not applied, the configuration before it stays",
                      sepmlogd.log()[seen:])
        wait_until(lambda: any(text.startswith("reload refused") for text in
                               sepmlogd.statuses()[told:]), "STATUS=")
        self.assertEqual(self.served(sepmlogd.port), before)

    @staticmethod
    def write(path, data):
        with open(path, "wb") as file:
            file.write(data)

    @staticmethod
    def repair(pair, authority):
        for good, path, mode in zip((*SERVER, CA.certificate),
                                    (*pair, authority),
                                    (0o644, 0o600, 0o644)):
            shutil.copyfile(good, path)
            os.chmod(path, mode)

    def test_own_certificate_ends(self):
        ended = CA.issue("ended", f"DNS:localhost,IP:{LOOPBACK}",
                         "serverAuth", start="200101000000Z",
                         end="210101000000Z")
        sepmlogd = self.tls_daemon(pair=ended)
        sepmlogd.wait_log("ended.pem: the certificate has expired")
        wait_until(lambda: any("certificate expired" in status
                               for status in sepmlogd.statuses()), "STATUS=")
        context = client_context(GOOD)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        with self.session(sepmlogd.port, context=context) as peer:
            peer.sendall(message("late", 0) + b"\n")
        self.assert_stored(sepmlogd, {"late": 1})

    @staticmethod
    def metric(port, name):
        peer = http.client.HTTPConnection(LOOPBACK, port, timeout=10)
        peer.request("GET", "/metrics")
        text = peer.getresponse().read().decode()
        peer.close()
        return re.search(rf"^{name} (\S+)$", text, re.MULTILINE)[1]

    def test_own_certificate_is_about_to_end(self):
        """Told when there are 30, 7 and 1 days left, once each; before that
        the metric alone says when."""
        now = datetime.datetime.now(datetime.timezone.utc)
        running = []
        for name, left, days in (("far", {"days": 31}, None),
                                 ("month", {"days": 29}, 28),
                                 ("week", {"days": 6}, 5),
                                 ("today", {"hours": 12}, 0)):
            end = (now + datetime.timedelta(**left)).replace(microsecond=0)
            pair = CA.issue(name, f"DNS:localhost,IP:{LOOPBACK}",
                            "serverAuth", end=f"{end:%y%m%d%H%M%SZ}")
            status = harness.free_port()
            sepmlogd = self.tls_daemon(
                pair=pair, name=name,
                config=f'status: {{ listen: "{LOOPBACK}:{status}" }}\n')
            running.append((sepmlogd, pair, end, days, status))
        for sepmlogd, _, end, days, status in running:
            with self.subTest(days=days):
                self.assertEqual(
                    self.metric(status, "sepmlogd_certificate_expiry_"
                                "timestamp_seconds"),
                    str(int(end.timestamp())))
                if days is not None:
                    sepmlogd.wait_log(rf"certificate expires in {days} days")
                    wait_until(lambda d=sepmlogd, n=days: re.search(
                        rf"; certificate expires in {n} days",
                        d.statuses()[-1]), "STATUS=")
        time.sleep(6)  # it has looked again
        for sepmlogd, pair, _, days, _ in running:
            with self.subTest(days=days):
                told = re.findall(
                    r"(.*): the certificate expires in (\d+) days; replace it",
                    sepmlogd.log())
                self.assertEqual(
                    told, [] if days is None else [(pair[0], str(days))])
                if days is None:
                    self.assertNotIn("certificate", sepmlogd.statuses()[-1])

    def test_certificate_nears_its_end(self):
        """The same one, as time passes: one line for each of the steps."""
        library = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
        if not library:
            self.skipTest("libfaketime is not installed")
        now = datetime.datetime.now(datetime.timezone.utc)
        pair = CA.issue(
            "nears", f"DNS:localhost,IP:{LOOPBACK}", "serverAuth",
            end=f"{now + datetime.timedelta(days=40):%y%m%d%H%M%SZ}")
        # where the daemon may read
        clock = os.path.join(self.directory, "daemon", "spool", ".clock")
        os.makedirs(os.path.dirname(clock), mode=0o750)

        def pass_hours(hours):
            with open(clock + ".new", "w", encoding="ascii") as file:
                file.write(f"+{hours}h\n")
            os.rename(clock + ".new", clock)
        pass_hours(0)
        wrap = ["env", f"LD_PRELOAD={library[0]}",
                f"FAKETIME_TIMESTAMP_FILE={clock}", "FAKETIME_NO_CACHE=1",
                "NO_FAKE_STAT=1",  # or the files would seem to change
                "DONT_FAKE_MONOTONIC=1", "FAKETIME_DONT_FAKE_MONOTONIC=1"]
        # ASan wants to be the first library that is loaded.
        sepmlogd = self.tls_daemon(program=harness.need_release(), pair=pair,
                                   wrap=wrap)
        for hours, words in ((11 * 24, "expires in 28 days"),
                             (34 * 24, "expires in 5 days"),
                             (39 * 24 + 12, "expires in 0 days"),
                             (41 * 24, "has expired")):
            pass_hours(hours)
            sepmlogd.wait_log(f"nears.pem: the certificate {words}[:;]")
        self.assertEqual(sepmlogd.log().count("the certificate "), 4)
        self.assertNotIn("loaded again", sepmlogd.log())

    def test_check_names_the_file(self):
        sepmlogd = self.daemon(listen=[("tls", f"{LOOPBACK}:1", [
            "certificate: /nonexistent.pem", f"key: {SERVER[1]}"])])
        done = subprocess.run(
            [harness.SEPMLOGD, "-n", "-c", sepmlogd.config_path],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            check=False)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stdout, r"sepmlogd.yaml:2: tls .*:1: "
                         "/nonexistent.pem: No such file or directory")

    # -- what it costs

    def test_many_sessions(self):
        sepmlogd = self.tls_daemon(
            program=harness.need_release(),
            config="max_connections_per_source: 1000\n")
        context = client_context(GOOD)
        before = sepmlogd.memory()
        with contextlib.ExitStack() as stack:
            for n in range(200):
                peer = stack.enter_context(
                    self.session(sepmlogd.port, context=context))
                peer.sendall(message("many", n) + b"\n")
            self.assert_stored(sepmlogd, {"many": 200})
            each = (sepmlogd.memory() - before) / 200 / 1024
            share = sepmlogd.cpu_share(2)
        print(f"\n  {each:.0f} KiB for each idle session, "
              f"{share * 100:.1f} % CPU")
        self.assertLess(each, 200)
        self.assertLess(share, 0.05)


if __name__ == "__main__":
    harness.main()
