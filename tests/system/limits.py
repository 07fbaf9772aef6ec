"""Who may send, how many at once, and what happens without descriptors."""

import contextlib
import resource
import signal
import socket
import struct
import time

import harness
from harness import LOOPBACK, connect, is_closed, message


class Limits(harness.Case):
    def run_daemon(self, config, **options):
        sepmlogd = self.enterContext(self.daemon(config=config, **options))
        return sepmlogd, sepmlogd.port, sepmlogd.spool

    def connections(self, port, count, source=None):
        """Open connections; one that was refused is closed by the daemon."""
        peers = [connect(port, source) for _ in range(count)]
        for peer in peers:
            self.addCleanup(peer.close)
        return peers

    def test_only_the_allowed_are_heard(self):
        sepmlogd, port, spool = self.run_daemon("allow: [127.0.0.2]\n")
        for source, sender in (("127.0.0.1", "bad"), ("127.0.0.2", "good")):
            with socket.socket(type=socket.SOCK_DGRAM) as peer:
                peer.bind((source, 0))
                for n in range(10):
                    peer.sendto(message(sender, n), (LOOPBACK, port))
        with connect(port, "127.0.0.2") as peer:
            peer.sendall(message("good", 10) + b"\n")
        for _ in range(3):
            with connect(port, "127.0.0.1") as peer:
                with contextlib.suppress(ConnectionError):
                    peer.sendall(message("bad", 10) + b"\n")
                self.assertTrue(is_closed(peer))
        spool.wait_records(11)
        sepmlogd.stop_cleanly()
        self.assertEqual(len(spool.records()), 11)
        self.assert_complete(spool.numbers(), {"good": 11})
        counters = sepmlogd.counters()
        self.assertEqual(counters["datagrams refused"], 10, counters)
        self.assertEqual(counters["connections refused"], 3, counters)

    def test_allow_takes_ranges_and_mapped_addresses(self):
        _, port, spool = self.run_daemon('allow: ["127.0.0.0/29"]\n')
        for source in ("127.0.0.1", "127.0.0.7"):
            with connect(port, source) as peer:
                peer.sendall(message("in", int(source[-1])) + b"\n")
        with connect(port, "127.0.0.8") as peer:
            self.assertTrue(is_closed(peer))
        spool.wait_records(2)

    def test_limit_of_connections_in_all(self):
        sepmlogd, port, spool = self.run_daemon("max_connections: 5\n")
        peers = self.connections(port, 10)
        kept = [peer for peer in peers if not is_closed(peer, 0.3)]
        self.assertEqual(len(kept), 5)
        for n, peer in enumerate(kept):
            peer.sendall(message("c", n) + b"\n")
        spool.wait_records(5)
        kept[0].close()
        harness.wait_until(lambda: self.accepts(port, "d"),
                           "a freed place is given away")
        sepmlogd.stop_cleanly()
        self.assert_complete(spool.numbers(), {"c": 5})
        self.assertGreaterEqual(
            sepmlogd.counters()["connections over the limit"], 5)

    def accepts(self, port, sender):
        with connect(port) as peer:
            if is_closed(peer, 0.2):
                return False
            peer.sendall(message(sender, 0) + b"\n")
            return True

    def test_limit_of_connections_per_source(self):
        sepmlogd, port, spool = self.run_daemon(
            "max_connections_per_source: 3\n")
        peers = self.connections(port, 8, "127.0.0.1")
        self.assertEqual(sum(not is_closed(p, 0.3) for p in peers), 3)
        # Another source is not affected.
        others = self.connections(port, 3, "127.0.0.2")
        for n, peer in enumerate(others):
            self.assertFalse(is_closed(peer, 0.2))
            peer.sendall(message("o", n) + b"\n")
        spool.wait_records(3)
        sepmlogd.stop_cleanly()
        self.assertEqual(
            sepmlogd.counters()["connections over the source's"], 5)

    def test_an_unfinished_frame_times_out_an_idle_connection_not(self):
        _, port, spool = self.run_daemon("frame_timeout: 1s\n")
        idle, slow = self.connections(port, 2)
        idle.sendall(message("i", 0) + b"\n")
        slow.sendall(message("s", 0)[:-30])
        start = time.monotonic()
        self.assertTrue(is_closed(slow, 10))
        self.assertGreater(time.monotonic() - start, 0.8)
        self.assertFalse(is_closed(idle, 0.5))
        idle.sendall(message("i", 1) + b"\n")
        # What had come of it is a record, and says that it is not whole.
        records = spool.wait_records(3)
        cut = [r for r in records if r.get("user", "").startswith("s")
               or "unterminated" in r.get("flags", [])]
        self.assertEqual(len(cut), 1)
        self.assert_complete(spool.numbers(), {"i": 2})

    def test_no_descriptors_left(self):
        sepmlogd, port, spool = self.run_daemon("", descriptors=64)
        first = connect(port)
        self.addCleanup(first.close)
        first.sendall(message("f", 0) + b"\n")
        spool.wait_records(1)
        crowd = self.connections(port, 60, "127.0.0.3")
        crowd += self.connections(port, 60, "127.0.0.4")
        time.sleep(0.5)
        self.assertLess(sepmlogd.cpu_share(2.0), 0.2)
        # Who is in is served, and the spool can still open its files.
        for n in range(1, 50):
            first.sendall(message("f", n) + b"\n")
        spool.wait_records(50)
        sepmlogd.signal(signal.SIGUSR1)
        harness.wait_until(spool.ready, "a file is published")
        for peer in crowd:
            peer.close()
        harness.wait_until(lambda: self.accepts(port, "late"),
                           "connections are taken again", timeout=5)
        harness.wait_until(lambda: spool.numbers()["late"],
                           "the late message is stored")
        sepmlogd.stop_cleanly()
        self.assert_complete(spool.numbers(), {"f": 50})

    def test_connections_leave_nothing_behind(self):
        # on a slow machine many are open at once: none is to be refused
        sepmlogd, port, spool = self.run_daemon(
            "max_connections_per_source: 1000\n")
        with connect(port) as peer:
            peer.sendall(message("w", 0) + b"\n")
        spool.wait_records(1)
        files = sepmlogd.open_files()
        for n in range(500):
            with connect(port) as peer:
                peer.sendall(message("x", n) + b"\n")
                if n % 2:  # closed with a reset, which may cost its data
                    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                    struct.pack("ii", 1, 0))
        harness.wait_until(lambda: sepmlogd.open_files() <= files,
                           "all descriptors are closed again")
        harness.wait_until(
            lambda: sum(n % 2 == 0 for n in spool.numbers()["x"]) == 250,
            "what was sent before an orderly end is stored")

    def test_all_that_may_keep_a_message_each(self):
        """4,096 connections from 64 addresses with the most that a message
        may have, but for its end: memory has a bound, and goes back."""
        most = 4096
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard < most + 200:
            self.skipTest(f"{hard} descriptors at most")
        soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        resource.setrlimit(resource.RLIMIT_NOFILE, (most + 200, hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE,
                        (soft, hard))
        sepmlogd, port, spool = self.run_daemon(
            "", program=harness.need_release(), descriptors=most + 200)
        with connect(port) as peer:
            peer.sendall(message("w", 0) + b"\n")
        spool.wait_records(1)
        before = sepmlogd.memory()
        data = b"65536 " + message("x", 0).ljust(65535)
        peers = []
        for source in range(1, 65):
            for peer in self.connections(port, most // 64, f"127.0.1.{source}"):
                peer.sendall(data)
                peers.append(peer)
        harness.wait_until(
            lambda: sepmlogd.memory() - before >= most * 65000,
            "each is kept", timeout=60)
        each = (sepmlogd.memory() - before) / most
        # Beside the message: what it was in before it was so long.
        self.assertLessEqual(each, 80 * 1024)
        for peer in peers:
            peer.close()
        harness.wait_until(
            lambda: sepmlogd.memory() - before < 16 << 20,
            "memory is the system's again", timeout=60)
        # An orderly end stores what was there.
        spool.wait_records(1 + most)


if __name__ == "__main__":
    harness.main()
