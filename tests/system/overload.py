"""More datagrams than can be taken: what is lost is counted exactly."""

import socket

import harness
from harness import LOOPBACK, template

COUNT = 300_000


class Overload(harness.Case):
    def test_sent_is_stored_and_dropped(self):
        sepmlogd = self.enterContext(self.daemon(
            config="receive_buffer: 64KiB\n"))
        data = template("u")
        # One of two ports, so that drops are seen to be summed.
        with socket.socket(type=socket.SOCK_DGRAM) as peer:
            peer.connect((LOOPBACK, sepmlogd.port))
            for n in range(COUNT):
                peer.send(data % n)
        sepmlogd.stop_cleanly()
        stored = len(sepmlogd.spool.numbers()["u"])
        counters = sepmlogd.counters()
        dropped = counters["dropped by the kernel"]
        print(f"{COUNT} sent, {stored} stored, {dropped} dropped")
        self.assertGreater(dropped, 0, "the burst was no overload")
        self.assertEqual(stored + dropped, COUNT)
        self.assertEqual(counters["received by udp"], stored)

    def test_drops_are_told_while_it_runs(self):
        sepmlogd = self.enterContext(self.daemon(
            config="receive_buffer: 64KiB\n"))
        data = template("u")
        with socket.socket(type=socket.SOCK_DGRAM) as peer:
            peer.connect((LOOPBACK, sepmlogd.port))
            for n in range(COUNT // 4):
                peer.send(data % n)
        sepmlogd.wait_log("dropped by the kernel", timeout=70)


if __name__ == "__main__":
    harness.main()
