"""SIGTERM: everything that was received is published."""

import os
import socket
import time

import harness
from harness import connect, message


class Stop(harness.Case):
    def test_drains_and_publishes(self):
        sepmlogd = self.enterContext(self.daemon())
        open_peer = connect(sepmlogd.port)
        self.addCleanup(open_peer.close)
        harness.send_tcp(sepmlogd.port, "t", 20_000)
        harness.send_udp(sepmlogd.port, "u", 500)
        open_peer.sendall(b"".join(message("o", n) + b"\n"
                                   for n in range(100)))
        start = time.monotonic()
        self.assertEqual(sepmlogd.stop(), 0)
        self.assertLess(time.monotonic() - start, 10.0)
        self.assert_complete(sepmlogd.spool.numbers(),
                             {"t": 20_000, "u": 500, "o": 100})
        for path in sepmlogd.spool.live():
            self.assertEqual(os.path.getsize(path), 0, path)
        self.assertIn("STOPPING=1", sepmlogd._notify.messages())

    def test_an_idle_daemon_stops_at_once(self):
        sepmlogd = self.enterContext(self.daemon())
        peer = connect(sepmlogd.port)
        self.addCleanup(peer.close)
        start = time.monotonic()
        self.assertEqual(sepmlogd.stop(), 0)
        self.assertLess(time.monotonic() - start, 7.0)
        self.assertEqual(sepmlogd.spool.ready(), [])

    def test_interrupt_is_the_same(self):
        sepmlogd = self.enterContext(self.daemon())
        harness.send_tcp(sepmlogd.port, "i", 10)
        sepmlogd.spool.wait_records(10)
        sepmlogd.signal(harness.signal.SIGINT)
        self.assertEqual(sepmlogd.process.wait(20), 0)
        self.assertEqual(len(sepmlogd.spool.records(live=False)), 10)

    def test_says_what_came_in(self):
        sepmlogd = self.enterContext(self.daemon())
        harness.send_tcp(sepmlogd.port, "c", 30)
        harness.send_udp(sepmlogd.port, "c", 12, first=30)
        with socket.socket(type=socket.SOCK_DGRAM) as peer:
            peer.sendto(b"<13>not from SEPM", (harness.LOOPBACK,
                                               sepmlogd.port))
        sepmlogd.spool.wait_records(43)
        sepmlogd.stop_cleanly()
        counters = sepmlogd.counters()
        self.assertEqual(counters["received by udp"], 13)
        self.assertEqual(counters["received by tcp"], 30)
        self.assertEqual(counters["unparsed"], 1)


if __name__ == "__main__":
    harness.main()
