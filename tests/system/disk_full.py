"""A full disk: nothing is lost by TCP, datagrams are counted, and it heals by
itself. Runs on small tmpfs mounts in a mount namespace of its own."""

import os
import signal
import subprocess
import threading
import time

import harness
from harness import Watcher

COUNT = 40_000  # more than twice the mount


class DiskFull(harness.Case):
    OPTIONS = """
compress: none
min_free: 0
buffer: 1MiB
rotate: { size: 1MiB, age: 1s }
"""

    def setUp(self):
        super().setUp()
        harness.need_namespace()
        self.taken = os.path.join(self.directory, "taken")
        os.mkdir(self.taken)

    def mounted(self, options, spool_options=OPTIONS, name="daemon",
                **more):
        sepmlogd = self.daemon(name, spool_options=spool_options, **more)
        os.mkdir(sepmlogd.spool_path)
        subprocess.run(["mount", "-t", "tmpfs", "-o", options + ",mode=0750",
                        "tmpfs", sepmlogd.spool_path], check=True)
        self.addCleanup(subprocess.run, ["umount", sepmlogd.spool_path])
        return self.enterContext(sepmlogd)

    def full_then_healed(self, sepmlogd):
        """Sends more than fits; answers the thread that is stuck at it."""
        sender = threading.Thread(
            target=harness.send_tcp, args=(sepmlogd.port, "f", COUNT),
            daemon=True)
        memory = sepmlogd.memory()
        sender.start()
        sepmlogd.wait_log("(?i)full|no space|quota|free")
        time.sleep(1.0)
        self.assertTrue(sender.is_alive(), "the sender was not held back")
        self.assertLess(sepmlogd.cpu_share(2.0), 0.1)
        self.assertLess(sepmlogd.memory() - memory, 64 << 20)
        self.assertIsNone(sepmlogd.process.poll())
        lines = self.lines_about(sepmlogd)
        self.assertLessEqual(len(lines), 2, lines)

        uploader = Watcher(sepmlogd.spool, take_to=self.taken)
        uploader.start()
        sender.join(60)
        self.assertFalse(sender.is_alive(), "it did not heal")
        sepmlogd.stop_cleanly()
        self.assertEqual(uploader.stop(), [])
        self.assert_complete(
            sepmlogd.spool.numbers(more=self.files_taken()), {"f": COUNT})

    def lines_about(self, sepmlogd):
        log = sepmlogd.log()
        return [line for line in log.splitlines()
                if any(word in line.lower() for word in
                       ("full", "no space", "quota", "room"))]

    def files_taken(self):
        return [os.path.join(self.taken, name)
                for name in sorted(os.listdir(self.taken))]

    def test_no_space(self):
        self.full_then_healed(self.mounted("size=8M"))

    def test_quota(self):
        self.full_then_healed(self.mounted(
            "size=64M", self.OPTIONS + "quota: 6MiB\n"))

    def test_datagrams_are_stored_or_counted(self):
        sepmlogd = self.mounted("size=6M")
        harness.send_udp(sepmlogd.port, "u", 100_000, rate=60_000)
        sepmlogd.wait_log("(?i)full|no space|quota|free")
        uploader = Watcher(sepmlogd.spool, take_to=self.taken)
        uploader.start()
        harness.wait_until(lambda: sepmlogd.waiting_datagrams() == 0,
                           "it has read what was waiting", timeout=60)
        sepmlogd.stop_cleanly()
        self.assertEqual(uploader.stop(), [])
        stored = len(sepmlogd.spool.numbers(more=self.files_taken())["u"])
        counters = sepmlogd.counters()
        self.assertEqual(
            stored + counters["dropped by the kernel"], 100_000, counters)

    def test_a_stop_counts_what_waits(self):
        """There is no room, and there will be none."""
        sepmlogd = self.mounted("size=6M", config="receive_buffer: 256KiB\n")
        sent = 0
        # A slow build drops most of them, and takes longer to be full.
        while "reading has stopped" not in sepmlogd.log():
            self.assertLess(sent, 1_000_000)
            harness.send_udp(sepmlogd.port, "w", 20_000, rate=60_000,
                             first=sent)
            sent += 20_000
        harness.send_udp(sepmlogd.port, "w", 5000, first=sent)
        self.assertGreater(sepmlogd.waiting_datagrams(), 0)
        self.assertEqual(sepmlogd.stop(), 1)
        stored = len(sepmlogd.spool.numbers()["w"])
        counters = sepmlogd.counters()
        self.assertGreater(counters["not stored at stop"], 0)
        self.assertEqual(stored + counters["dropped by the kernel"]
                         + counters["not stored at stop"], sent + 5000,
                         counters)

    def test_a_stop_reads_what_waits_once_there_is_room(self):
        """Peers are not taken for silent because they were not read. Each
        round of the loop is made to last, so that the room and the stop's
        next look at the peers fall into the same one."""
        harness.need("strace")
        # Not with sanitizers: that for leaks does not work under strace.
        sepmlogd = self.mounted("size=40M", program=harness.need_release())
        filler = os.path.join(sepmlogd.spool_path, "filler")
        with open(filler, "wb") as file:
            file.write(bytes(34 << 20))
        sender = harness.Sender(sepmlogd.port, "x", rate=20_000)
        sender.start()
        sepmlogd.wait_log("reading has stopped")
        with subprocess.Popen(
                ["strace", "-p", str(sepmlogd.pid), "-o", "/dev/null", "-e",
                 "inject=epoll_wait,epoll_pwait2:delay_exit=100000"],
                stderr=subprocess.DEVNULL):
            harness.wait_until(lambda: self.is_traced(sepmlogd),
                               "strace is there")
            sepmlogd.signal(signal.SIGTERM)
            time.sleep(1.0)
            self.assertIsNone(sepmlogd.process.poll(), "it did not wait")
            os.unlink(filler)
            sender.stop()
            status = sepmlogd.process.wait(20)
        self.assertEqual((status, sender.error), (0, None), sepmlogd.log())
        self.assert_complete(sepmlogd.spool.numbers(), {"x": sender.sent})

    @staticmethod
    def is_traced(sepmlogd):
        with open(f"/proc/{sepmlogd.pid}/status", encoding="ascii") as file:
            return "TracerPid:\t0\n" not in file.read()

    def test_oldest_files_make_room_where_that_is_asked_for(self):
        for name, option in (("quota", "quota: 6MiB\n"),
                             ("min_free", "min_free: 1MiB\n")):
            with self.subTest(limit=name):
                sepmlogd = self.mounted(
                    "size=8M", self.OPTIONS.replace("min_free: 0\n", "")
                    + "on_full: drop_oldest\n" + option, name)
                harness.send_tcp(sepmlogd.port, "d", COUNT)
                sepmlogd.stop_cleanly()
                numbers = sepmlogd.spool.numbers()["d"]
                self.assertLess(len(numbers), COUNT)
                # The newest are there, without a gap.
                self.assertEqual(len(numbers), COUNT - min(numbers))
                self.assertIn("oldest files", sepmlogd.log())

    def test_no_inodes(self):
        sepmlogd = self.mounted("size=64M,nr_inodes=200")
        directory = os.path.join(sepmlogd.spool_path, "filler")
        with self.assertRaises(OSError):
            for n in range(200):
                with open(f"{directory}{n}", "wb"):
                    pass
        harness.send_tcp(sepmlogd.port, "i", 5000)
        time.sleep(2.5)
        self.assertIsNone(sepmlogd.process.poll())
        for name in os.listdir(sepmlogd.spool_path):
            if name.startswith("filler"):
                os.unlink(os.path.join(sepmlogd.spool_path, name))
        harness.wait_until(
            lambda: len(sepmlogd.spool.numbers()["i"]) == 5000,
            "everything is stored", timeout=30)
        sepmlogd.stop_cleanly()
        self.assert_complete(sepmlogd.spool.numbers(), {"i": 5000})

    def test_a_directory_that_is_away_for_a_while(self):
        sepmlogd = self.mounted("size=64M", "")
        harness.send_tcp(sepmlogd.port, "r", 100)
        sepmlogd.spool.wait_records(100)
        ready = os.path.join(sepmlogd.spool_path, "ready")
        os.rename(ready, ready + ".away")
        sepmlogd.signal(signal.SIGUSR1)
        harness.send_tcp(sepmlogd.port, "r", 100, first=100)
        time.sleep(2.0)
        self.assertIsNone(sepmlogd.process.poll())
        os.rename(ready + ".away", ready)
        sepmlogd.stop_cleanly()
        self.assert_complete(sepmlogd.spool.numbers(), {"r": 200})


if __name__ == "__main__":
    harness.enter_namespace()
    harness.main()
