"""Much arrives complete, in flat memory."""

import threading
import time

import harness

MILLION = 1_000_000


class Volume(harness.Case):
    def setUp(self):
        super().setUp()
        self.sepmlogd = self.enterContext(self.daemon(
            program=harness.need_release()))
        self.spool = self.sepmlogd.spool

    def measured(self, *senders):
        """Runs the senders and answers (memory early on, memory at the
        end, the most)."""
        threads = [threading.Thread(target=send, args=args)
                   for send, *args in senders]
        for thread in threads:
            thread.start()
        memory = []
        while any(thread.is_alive() for thread in threads):
            memory.append(self.sepmlogd.memory())
            time.sleep(0.05)
        # Buffers are touched for the first time in the first part.
        return memory[len(memory) // 4], memory[-1], max(memory)

    def test_a_million_by_tcp(self):
        start = time.monotonic()
        early, late, most = self.measured(
            (harness.send_tcp, self.sepmlogd.port, "a", MILLION // 2),
            (harness.send_tcp, self.sepmlogd.port, "b", MILLION // 2))
        self.sepmlogd.stop_cleanly()
        seconds = time.monotonic() - start
        print(f"{MILLION} by TCP in {seconds:.1f} s with stop, memory "
              f"{early >> 20} to {late >> 20} MiB")
        self.assert_complete(self.spool.numbers(),
                             {"a": MILLION // 2, "b": MILLION // 2})
        self.assertLess(late - early, 24 << 20)
        self.assertLess(most, 256 << 20)

    def test_200000_by_udp(self):
        early, late, most = self.measured(
            (harness.send_udp, self.sepmlogd.port, "u", MILLION // 5, 0, 64,
             20_000))
        self.sepmlogd.stop_cleanly()
        counters = self.sepmlogd.counters()
        self.assertEqual(counters["dropped by the kernel"], 0)
        self.assertEqual(counters["received by udp"], MILLION // 5)
        self.assert_complete(self.spool.numbers(), {"u": MILLION // 5})
        self.assertLess(late - early, 24 << 20)
        self.assertLess(most, 256 << 20)


if __name__ == "__main__":
    harness.main()
