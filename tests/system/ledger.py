"""The ledger and `sepmlogctl verify`: what came in is what the files hold, or
it is named."""

import glob
import gzip
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import harness
from harness import (LOOPBACK, SEPMLOGCTL, connect, is_closed, message,
                     send_tcp, send_udp, template, wait_until)

SMALL = "rotate: { size: 64KiB, age: 1s }\ncompress: none\n"
STREAMS = """
streams:
  - { name: traffic, types: [traffic] }
  - { name: table, types: [traffic], format: csv }
"""


def verify(directory, *options):
    """Exit code, and what it says as an object."""
    done = subprocess.run(
        [SEPMLOGCTL, "verify", "--json", *options, directory],
        capture_output=True, text=True, check=False, timeout=120)
    if done.returncode > 1:
        raise AssertionError(f"verify exits {done.returncode}: {done.stderr}")
    return done.returncode, json.loads(done.stdout)


def ledger_files(spool):
    return sorted(glob.glob(os.path.join(spool, "ledger", "ledger-*")))


def ledger_lines(spool, kind=None):
    lines = []
    for path in ledger_files(spool):
        with open(path, encoding="ascii") as file:
            lines += [json.loads(line) for line in file
                      if line.endswith("}\n")]
    return [line for line in lines if kind in (None, line["type"])]


def rewrite(path, change):
    """Replaces the bytes of a file by change(bytes)."""
    with open(path, "rb") as file:
        data = file.read()
    os.chmod(path, 0o640)
    with open(path, "wb") as file:
        file.write(change(data))


class Case(harness.Case):
    def assert_whole(self, spool, *options):
        code, told = verify(spool, *options)
        self.assertEqual(told["findings"], [])
        self.assertEqual(code, 0)
        return told

    def assert_found(self, spool, pattern, *options):
        code, told = verify(spool, *options)
        self.assertEqual(code, 1)
        self.assertRegex("\n".join(told["findings"]), pattern)
        return told


class Sums(Case):
    def test_each_message_is_accounted_for(self):
        """Two sources, a refused peer, too long, unterminated, filtered."""
        sepmlogd = self.enterContext(self.daemon(
            spool_options=SMALL,
            config="allow: [127.0.0.1, 127.0.0.2]\nmax_message: 4KiB\n"
            + STREAMS))
        port = sepmlogd.port
        send_tcp(port, "a", 1000)
        with connect(port, source="127.0.0.2") as peer:
            peer.sendall(b"".join(
                message("b", n) + b"\n" for n in range(500)))
        with socket.socket(type=socket.SOCK_DGRAM) as peer:
            peer.bind(("127.0.0.2", 0))
            peer.connect((LOOPBACK, port))
            for n in range(200):
                peer.send(message("c", n))
            peer.send(message("c", 200) + b"x" * 5000)   # oversize
            peer.send(b"<13>nothing that we know")       # filtered
        with socket.socket(type=socket.SOCK_DGRAM) as peer:
            peer.bind(("127.0.0.3", 0))
            peer.connect((LOOPBACK, port))
            for _ in range(7):
                peer.send(message("d", 0))
        with connect(port, source="127.0.0.3") as peer:
            self.assertTrue(is_closed(peer))
        with connect(port) as peer:
            peer.sendall(message("e", 0))                # unterminated
        sepmlogd.spool.wait_records(1702, "traffic")
        sepmlogd.stop_cleanly()

        told = self.assert_whole(sepmlogd.spool_path, "--expect-all")
        self.assertEqual(told["received"], 1703)
        self.assertEqual(told["stored"], 1702)
        self.assertEqual(told["filtered"], 1)
        for stream in ("traffic", "table"):
            self.assertEqual(told["streams"][stream]["stored"], 1702)
            self.assertEqual(told["streams"][stream]["in_files"], 1702)
        self.assertEqual(self.sums(sepmlogd.spool_path), {
            "127.0.0.1": {"received": 1001, "stored": 1001,
                          "unterminated": 1},
            "127.0.0.2": {"received": 702, "stored": 701, "filtered": 1,
                          "unparsed": 1, "truncated": 1, "oversize": 1},
            "127.0.0.3": {"refused.datagrams": 7, "refused.connections": 1},
        })

    @staticmethod
    def sums(spool):
        """Of each source's minutes, without what the length decides."""
        sums = {}
        for line in ledger_lines(spool, "minute"):
            if "source" not in line:
                continue
            row = sums.setdefault(line["source"], {})
            flat = {key: value for key, value in line.items()
                    if isinstance(value, int) and key != "bytes"}
            flat["received"] = sum(line.get("received", {}).values())
            for cause, value in line.get("refused", {}).items():
                flat["refused." + cause] = value
            for key, value in flat.items():
                row[key] = row.get(key, 0) + value
        return {source: {key: value for key, value in row.items() if value}
                for source, row in sums.items()}

    def test_more_sources_than_rows_share_one(self):
        sepmlogd = self.enterContext(self.daemon(
            spool_options=SMALL, config="ledger: { sources: 3 }\n"))
        for last in range(1, 11):
            with socket.socket(type=socket.SOCK_DGRAM) as peer:
                peer.bind((f"127.0.1.{last}", 0))
                peer.connect((LOOPBACK, sepmlogd.port))
                peer.send(message("s", last))
        sepmlogd.spool.wait_records(10)
        sepmlogd.stop_cleanly()
        sums = self.sums(sepmlogd.spool_path)
        self.assertEqual(len(sums), 4)
        self.assertEqual(sums["other"]["received"], 7)
        self.assert_whole(sepmlogd.spool_path)

    def test_streams_that_come_and_go(self):
        sepmlogd = self.enterContext(self.daemon(
            spool_options=SMALL, config=STREAMS))
        send_tcp(sepmlogd.port, "a", 300)
        sepmlogd.spool.wait_records(300, "traffic")
        sepmlogd.configure(spool_options=SMALL)
        sepmlogd.reload()
        send_tcp(sepmlogd.port, "a", 300, first=300)
        sepmlogd.spool.wait_records(600, "traffic")
        self.assert_whole(sepmlogd.spool_path)
        sepmlogd.configure(spool_options=SMALL, config=STREAMS)
        sepmlogd.reload()
        send_tcp(sepmlogd.port, "a", 300, first=600)
        sepmlogd.spool.wait_records(900, "traffic")
        sepmlogd.stop_cleanly()
        told = self.assert_whole(sepmlogd.spool_path)
        self.assertEqual(told["streams"]["table"]["stored"], 600)

    def test_drops_of_the_kernel_are_findings(self):
        count = 500_000
        sepmlogd = self.enterContext(self.daemon(
            config="receive_buffer: 64KiB\n"))
        data = template("u")
        with socket.socket(type=socket.SOCK_DGRAM) as peer:
            peer.connect((LOOPBACK, sepmlogd.port))
            for n in range(count):
                peer.send(data % n)
        sepmlogd.stop_cleanly()
        told = self.assert_found(sepmlogd.spool_path, "dropped by the kernel")
        drops = told["ledgers"][0]["causes"]["kernel_drops"]
        self.assertEqual(told["received"] + drops, count)
        self.assertEqual(told["streams"]["traffic"]["in_files"] + drops, count)


class Changes(Case):
    """Whatever is done to files or ledger is found."""

    OPTIONS = "rotate: { size: 64KiB, age: 1s }\ncompress: gzip\n"
    END = ".gz"
    pack = staticmethod(gzip.compress)
    unpack = staticmethod(gzip.decompress)

    @classmethod
    def setUpClass(cls):
        cls.template = tempfile.mkdtemp(prefix="sepmlogd-")
        cls.addClassCleanup(shutil.rmtree, cls.template)
        with harness.Daemon(cls.template, spool_options=cls.OPTIONS) as first:
            send_tcp(first.port, "a", 2000)
            first.spool.wait_records(2000, timeout=60)
            first.stop_cleanly()

    def setUp(self):
        super().setUp()
        self.sepmlogd = self.daemon(spool_options=self.OPTIONS)
        self.spool = self.sepmlogd.spool_path
        shutil.copytree(os.path.join(self.template, "spool"), self.spool)
        self.files = self.sepmlogd.spool.ready()
        self.assertGreater(len(self.files), 4)
        self.assert_whole(self.spool, "--expect-all")

    def name(self, index):
        return os.path.basename(self.files[index])

    def test_a_byte_is_altered(self):
        def change(data):
            plain = bytearray(self.unpack(data))
            at = plain.index(b"sepm-north")
            plain[at] = ord("S")
            return self.pack(bytes(plain))
        rewrite(self.files[1], change)
        told = self.assert_found(self.spool, self.name(1) + ".*altered")
        self.assertEqual(len(told["findings"]), 1)

    def test_a_record_is_cut_out(self):
        def change(data):
            lines = self.unpack(data).split(b"\n")
            return self.pack(b"\n".join(lines[:2] + lines[4:]))
        rewrite(self.files[1], change)
        self.assert_found(
            self.spool, self.name(1) + ":3: records 3 to 4 of segment "
            r"\d+ are missing")

    def test_the_archive_is_damaged(self):
        rewrite(self.files[2], lambda data: data[:-20])
        self.assert_found(self.spool, self.name(2) + ": cannot be read")

    def test_a_file_is_deleted(self):
        os.unlink(self.files[2])
        told = self.assert_whole(self.spool)
        self.assertEqual(told["streams"]["traffic"]["taken"], 1)
        self.assert_found(
            self.spool, self.name(2) + ": is missing", "--expect-all")

    def test_a_file_is_there_twice(self):
        directory = os.path.dirname(self.files[0])
        copy = os.path.join(directory, "copy.jsonl" + self.END)
        shutil.copy(self.files[0], copy)
        self.assert_found(self.spool,
                          f"copy.jsonl{self.END}: is no file of the spool")
        os.unlink(copy)
        with open(self.files[0][:-len(self.END)], "wb") as plain:
            plain.write(harness.read_file(self.files[0]))
        self.assert_found(self.spool, "are the same records")

    def test_a_file_is_forged(self):
        forged = self.files[0].replace("traffic-", "table-")
        shutil.copy(self.files[0], forged)
        self.assert_found(
            self.spool, os.path.basename(forged) + ": has no line")

    def test_a_line_of_the_ledger_is_removed(self):
        path = ledger_files(self.spool)[0]
        rewrite(path, lambda data: b"".join(
            line for line in data.splitlines(True)
            if self.name(1).encode() not in line))
        told = self.assert_found(self.spool, r":\d+: this line was altered, "
                                 "or a line before it was removed")
        found = "\n".join(told["findings"])
        self.assertIn(self.name(1) + ": has no line", found)
        self.assertIn("nothing is known of segment", found)
        self.assertRegex(found, "records that were stored .* are in no file")

    def test_a_line_of_the_ledger_is_altered(self):
        path = ledger_files(self.spool)[0]
        rewrite(path, lambda data: data.replace(
            b'"stored":2000', b'"stored":2001'))
        self.assert_found(self.spool, r":\d+: this line was altered")

    def test_the_end_of_the_ledger_is_cut_off(self):
        """Seen when there is a file after it."""
        with self.sepmlogd:
            self.sepmlogd.stop_cleanly()
        rewrite(ledger_files(self.spool)[0],
                lambda data: b"".join(data.splitlines(True)[:-1]))
        self.assert_found(self.spool, "lines are missing at its end")

    def test_a_file_of_the_ledger_is_removed(self):
        for _ in range(2):
            with self.sepmlogd:
                self.sepmlogd.stop_cleanly()
        os.unlink(ledger_files(self.spool)[1])
        self.assert_found(self.spool, "lines are missing at its end, or the "
                          "file after it")
        os.unlink(ledger_files(self.spool)[0])
        self.assert_found(self.spool, "begins in the middle")

    def test_files_that_were_collected(self):
        collected = os.path.join(self.directory, "collected")
        os.mkdir(collected)
        for path in self.files[:3]:
            shutil.move(path, collected)
        told = self.assert_whole(collected, "--ledger", self.spool)
        self.assertEqual(told["streams"]["traffic"]["checked"], 3)
        self.assert_whole(
            collected, "--ledger", self.spool, "--expect-all")
        rewrite(os.path.join(collected, self.name(0)),
                lambda data: self.pack(self.unpack(data)[:-1]))
        self.assert_found(collected, "ends inside a record", "--ledger",
                          os.path.join(self.spool, "ledger"))

    def test_exit_codes(self):
        for arguments, code in (
                ([], 2), (["--no-such"], 2), ([self.spool, self.spool], 2),
                ([os.path.join(self.directory, "none")], 3),
                ([self.directory], 3), (["--help"], 0), ([self.spool], 0)):
            done = subprocess.run([SEPMLOGCTL, "verify", *arguments],
                                  capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, code, arguments)
            if code == 3:
                self.assertRegex(done.stderr, "No such file|no ledger in it")
        self.assertIn("nothing is missing", done.stdout)


def zstd(data, *options):
    return subprocess.run(["zstd", "-q", *options], input=data, check=True,
                          stdout=subprocess.PIPE).stdout


class ChangesZstd(Changes):
    """The same with files that are packed by zstd."""

    OPTIONS = "rotate: { size: 64KiB, age: 1s }\ncompress: zstd\n"
    END = ".zst"

    # these are of the ledger alone
    test_a_line_of_the_ledger_is_removed = None
    test_a_line_of_the_ledger_is_altered = None
    test_the_end_of_the_ledger_is_cut_off = None
    test_a_file_of_the_ledger_is_removed = None
    test_exit_codes = None

    @classmethod
    def setUpClass(cls):
        harness.need("zstd")
        super().setUpClass()

    @staticmethod
    def pack(data):
        return zstd(data, "-c")

    @staticmethod
    def unpack(data):
        return zstd(data, "-dc")


class Retention(Case):
    """Files of the ledger that are too old, or too many, go; what is left is
    still whole."""

    def lives(self, keep, change):
        sepmlogd = self.daemon(spool_options=SMALL,
                               config=f"ledger: {{ {keep} }}\n")
        with sepmlogd:
            send_tcp(sepmlogd.port, "a", 100)
            sepmlogd.spool.wait_records(100)
            sepmlogd.stop_cleanly()
            sepmlogd.start()
            sepmlogd.stop_cleanly()
            files = ledger_files(sepmlogd.spool_path)
            self.assertGreater(len(files), 1)
            change(files[0])
            sepmlogd.start()
            sepmlogd.stop_cleanly()
        left = ledger_files(sepmlogd.spool_path)
        self.assertNotIn(files[0], left)
        self.assertEqual(left[:len(files) - 1], files[1:])
        removed, = ledger_lines(sepmlogd.spool_path, "removed")
        self.assertEqual(removed["name"], os.path.basename(files[0]))
        self.assert_whole(sepmlogd.spool_path)
        rewrite(left[-1], lambda data: data.replace(
            b'"type":"removed"', b'"type":"retired"'))
        self.assert_found(sepmlogd.spool_path, "altered")

    def test_age(self):
        before = time.time() - 86400 - 60
        self.lives("keep: 1d", lambda path: os.utime(path, (before, before)))

    def test_size(self):
        def enlarge(path):
            os.chmod(path, 0o640)
            os.truncate(path, 4 << 20)
        self.lives("size: 4MiB", enlarge)

    def test_what_is_young_and_little_stays(self):
        sepmlogd = self.daemon(spool_options=SMALL, config="ledger: "
                               "{ keep: 1d, size: 4MiB }\n")
        with sepmlogd:
            for _ in range(3):
                sepmlogd.stop_cleanly()
                sepmlogd.start()
            sepmlogd.stop_cleanly()
        self.assertEqual(ledger_lines(sepmlogd.spool_path, "removed"), [])
        self.assertEqual(len(ledger_lines(sepmlogd.spool_path, "start")), 4)
        self.assert_whole(sepmlogd.spool_path)


class Faults(Case):
    def test_killed_at_random(self):
        """What verify says after each is honest, and nothing is missing."""
        random.seed(5)
        sepmlogd = self.daemon(spool_options="rotate: { size: 64KiB, "
                               "age: 1s }\n")
        lives = 20
        for life in range(lives):
            with sepmlogd:
                sender = harness.Sender(sepmlogd.port, f"k{life}", rate=8000)
                sender.start()
                time.sleep(random.uniform(0.02, 0.4))
                if life == 3:   # while it runs, too
                    self.assert_whole(sepmlogd.spool_path)
                sepmlogd.signal(signal.SIGKILL)
                sepmlogd.process.wait(10)
                sender.stop()
            if life % 5 == 0:
                self.assert_whole(sepmlogd.spool_path)
        with sepmlogd:
            sepmlogd.stop_cleanly()
        told = self.assert_whole(sepmlogd.spool_path, "--expect-all")
        self.assertEqual(told["ledgers"][0]["starts"], lives + 1)
        self.assertEqual(told["ledgers"][0]["crashes"], lives)
        self.assertEqual(
            sum("ended without a stop" in text for text in told["remarks"]),
            lives)
        stored = sum(1 for _ in sepmlogd.spool.lines("traffic"))
        self.assertEqual(told["streams"]["traffic"]["in_files"], stored)
        self.assertGreater(stored, 1000)

    def test_disk_full(self):
        """A disk that is full for a while: nothing is missing after that."""
        if os.geteuid() != 0:
            self.skipTest("needs root for a file system of its own")
        disk = os.path.join(self.directory, "disk")
        os.mkdir(disk)
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs",
                           disk], check=False).returncode != 0:
            self.skipTest("no tmpfs can be mounted")
        self.addCleanup(subprocess.run, ["umount", "-l", disk], check=False)
        sepmlogd = self.daemon(
            spool_options="rotate: { size: 256KiB, age: 1s }\n"
            "compress: none\nbuffer: 576KiB\n")
        sepmlogd.spool_path = os.path.join(disk, "spool")
        sepmlogd.spool = harness.Spool(sepmlogd.spool_path)
        sepmlogd.configure(spool_options="rotate: { size: 256KiB, age: 1s }\n"
                           "compress: none\nbuffer: 576KiB\n")
        ballast = os.path.join(disk, "ballast")
        with sepmlogd:
            sender = harness.Sender(sepmlogd.port, "f", rate=6000)
            sender.start()
            time.sleep(0.5)
            with open(ballast, "wb") as file:
                try:
                    while True:
                        file.write(b"\0" * 65536)
                        file.flush()
                except OSError:
                    pass
            sepmlogd.wait_log("spool: full")
            time.sleep(1.5)
            os.unlink(ballast)
            # what has come this far, and then room for the rest
            taken = os.path.join(self.directory, "taken")
            os.mkdir(taken)

            def take():
                # again and again: the disk may be full once more
                for path in sepmlogd.spool.ready():
                    shutil.move(path, taken)
            take()
            sepmlogd.wait_log("writing again")
            sender.stop()
            self.assertIsNone(sender.error)

            def all_is_stored():
                take()
                return sum(
                    1 for _ in sepmlogd.spool.lines("traffic")) + sum(
                        1 for path in glob.glob(os.path.join(taken, "*"))
                        for _ in open(path, "rb")) >= sender.sent
            wait_until(all_is_stored, "all is stored", timeout=30)
            sepmlogd.stop_cleanly()
        told = self.assert_whole(sepmlogd.spool_path)
        self.assertEqual(
            told["streams"]["traffic"]["in_files"], sender.sent)
        self.assert_whole(taken, "--ledger", sepmlogd.spool_path)

    def test_dropped_files_are_named(self):
        sepmlogd = self.enterContext(self.daemon(
            spool_options="rotate: { size: 64KiB, age: 1s }\n"
            "compress: none\nquota: 1MiB\non_full: drop_oldest\n"))
        # slowly: more than the quota at once would have no place at all
        send_tcp(sepmlogd.port, "q", 6000, block=100, rate=4000)
        sepmlogd.wait_read()
        sepmlogd.stop_cleanly()
        told = self.assert_found(
            sepmlogd.spool_path, "was deleted to make room")
        self.assertGreater(told["dropped_files"], 0)
        # all are named so, none is missing without a reason
        again = self.assert_found(
            sepmlogd.spool_path, "to make room", "--expect-all")
        self.assertEqual(again["findings"], told["findings"])
        self.assertEqual(told["streams"]["traffic"]["in_files"], 6000)

    def test_imported_files_have_their_lines(self):
        sepmlogd = self.daemon(spool_options=SMALL)
        with sepmlogd:
            send_tcp(sepmlogd.port, "a", 100)
            sepmlogd.spool.wait_records(100)
            path = os.path.join(self.directory, "dump.log")
            with open(path, "wb") as file:
                file.write(b"".join(
                    message("i", n) + b"\n" for n in range(500)))
            subprocess.run([SEPMLOGCTL, "import", "-c", sepmlogd.config_path,
                            path], check=True, stderr=subprocess.DEVNULL)
            self.assert_whole(sepmlogd.spool_path)
            sepmlogd.stop_cleanly()
        told = self.assert_whole(sepmlogd.spool_path, "--expect-all")
        self.assertEqual(len(told["ledgers"]), 2)
        self.assertEqual(told["streams"]["traffic"]["in_files"], 600)
        with open(glob.glob(os.path.join(
                sepmlogd.spool_path, "import", "ledger", "*"))[0],
                encoding="ascii") as file:
            self.assertIn('"source":"file"', file.read())


if __name__ == "__main__":
    harness.main()
