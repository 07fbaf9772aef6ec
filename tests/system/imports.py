"""Files come in once, whole, whatever happens in between.

SEPMLOG_LONG=1 streams 10 GiB instead of 1 GiB through a pipe, and kills at
each call that writes.
"""

import collections
import contextlib
import gzip
import os
import random
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import zipfile

import harness

RELEASE = os.path.join(harness.ROOT, "build/release/daemon/ctl/sepmlogctl")
SAMPLES = os.path.join(harness.ROOT, "tests/data/samples")
DUMP = (b"2024-05-14 09:31:15,Info,pc-0147,Local Host IP: 192.0.2.47,"
        b"Local Port: 53311,Local Host MAC: 00005E005301,"
        b"Remote Host IP: 198.51.100.20,Remote Host Name: cloud.example,"
        b"Remote Port: 443,Remote Host MAC: 00005E0053FE,TCP,Outbound,"
        b"Begin: 2024-05-14 09:31:09,End Time: 2024-05-14 09:31:15,"
        b"Occurrences: 3,Application: C:/Tools/sync.exe,Rule: Branch web,"
        b"Location: Branch,User Name: %s-%d,Domain Name: BIRCH,"
        b"Action: Blocked\n")


def lines(sender, start, end):
    line = harness.template(sender) + b"\n"
    return b"".join([line % n for n in range(start, end)])


def dump(sender, start, end):
    return b"".join([DUMP % (sender.encode(), n) for n in range(start, end)])


def open_files(pid):
    """What a process has open, by name."""
    names = set()
    with contextlib.suppress(FileNotFoundError):
        for fd in os.scandir(f"/proc/{pid}/fd"):
            with contextlib.suppress(FileNotFoundError):
                names.add(os.readlink(fd.path))
    return names


class Imports(harness.Case):
    def setUp(self):
        super().setUp()
        self.spool = harness.Spool(os.path.join(self.directory, "spool"))
        self.inbox = os.path.join(self.directory, "inbox")
        self.config = os.path.join(self.directory, "sepmlogd.yaml")
        os.mkdir(self.inbox)
        self.configure()

    def configure(self, rotate="{ size: 4MiB, age: 1s }", more=""):
        with open(self.config, "w", encoding="ascii") as file:
            file.write(f"spool:\n  directory: {self.spool.path}\n"
                       f"  min_free: 64KiB\n  compress: none\n"
                       f"  rotate: {rotate}\n{more}")

    def command(self, *arguments, program=None):
        return [program or harness.SEPMLOGCTL, "import", "-c", self.config,
                *arguments]

    def run_import(self, *arguments, status=0, **options):
        result = subprocess.run(
            self.command(*arguments), stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, timeout=250, **options)
        self.assertEqual(result.returncode, status,
                         result.stderr.decode()[-2000:])
        return result.stdout.decode(), result.stderr.decode()

    def path(self, name):
        return os.path.join(self.inbox, name)

    def write(self, name, data, mode="wb"):
        with open(self.path(name), mode) as file:
            file.write(data)
        return self.path(name)

    def assert_stored(self, **expected):
        self.assert_complete(self.spool.numbers(), expected)


class Files(Imports):
    def test_formats(self):
        """What the parser makes of a file is what is stored of it."""
        for name in ("export.csv", "dump-file.log", "traffic-ru1.log"):
            with self.subTest(name):
                shutil.rmtree(self.spool.path, ignore_errors=True)
                path = os.path.join(SAMPLES, name)
                self.run_import("--now", "2024-06-30T00:00:00Z", path)
                parsed = subprocess.run(
                    [harness.SEPMLOGCTL, "parse", "--now",
                     "2024-06-30T00:00:00Z", path],
                    stdout=subprocess.PIPE, check=True).stdout
                expected = sorted(
                    line[:-1] for line in parsed.splitlines())
                stored = sorted(
                    re.sub(rb',"received":.*', b"", line)
                    for line in self.spool.lines())
                self.assertEqual(stored, expected)
                for record in self.spool.records():
                    self.assertEqual(record["transport"], "file")
                self.assert_ids_unique(self.spool)

    def test_archives(self):
        with gzip.open(self.path("a.gz"), "wb") as file:
            file.write(lines("a", 0, 100))
        with open(self.path("a.gz"), "ab") as file:
            file.write(gzip.compress(lines("a", 100, 200)))
        harness.need("zstd")
        with open(self.path("c.zst"), "wb") as file:
            for start in (0, 100):
                file.write(subprocess.run(
                    ["zstd", "-cq"], input=lines("c", start, start + 100),
                    stdout=subprocess.PIPE, check=True).stdout)
        with zipfile.ZipFile(self.path("b.zip"), "w") as file:
            for i in range(4):
                info = zipfile.ZipInfo(f"../../b{i}.log")
                info.compress_type = (zipfile.ZIP_DEFLATED, 0)[i % 2]
                with file.open(info, "w", force_zip64=i > 1) as member:
                    member.write(lines("b", 50 * i, 50 * i + 50))
        before = sorted(os.listdir(self.directory))
        out, _ = self.run_import(self.inbox)
        self.assertIn("3 files imported", out)
        self.assert_stored(a=200, b=200, c=200)
        self.assertEqual(
            [n for n in sorted(os.listdir(self.directory)) if n != "spool"],
            before)

    def test_broken_archives(self):
        """Nothing is taken of an archive that is not whole."""
        whole = gzip.compress(lines("a", 0, 5000))
        self.write("cut.gz", whole[:-100])
        self.write("damaged.gz", whole[:3000] + b"x" + whole[3001:])
        harness.need("zstd")
        whole = subprocess.run(["zstd", "-cq"], input=lines("a", 0, 5000),
                               stdout=subprocess.PIPE, check=True).stdout
        self.write("cut.zst", whole[:-100])
        with zipfile.ZipFile(self.path("b.zip"), "w",
                             zipfile.ZIP_DEFLATED) as file:
            file.writestr("b", lines("b", 0, 5000))
        with open(self.path("b.zip"), "rb") as file:
            data = file.read()
        self.write("b.zip", data[:2000] + b"x" + data[2001:])
        self.write("c.log", lines("c", 0, 10))
        out, err = self.run_import(self.inbox, status=3)
        self.assertIn("1 files imported", out)
        self.assertIn("4 failed", out)
        self.assertEqual(err.count("nothing of it was imported"), 4, err)
        self.assertEqual(set(self.spool.numbers()), {"c"})

    def test_known_content(self):
        self.write("a.log", lines("a", 0, 100))
        self.write("b.log", lines("a", 0, 100))
        out, err = self.run_import(self.inbox)
        self.assertIn("1 files imported, 1 skipped", out)
        with gzip.open(self.path("c.gz"), "wb") as file:
            file.write(lines("a", 0, 100))
        out, err = self.run_import(self.inbox)
        self.assertIn("0 files imported, 3 skipped", out)
        self.assertIn("was imported before", err)
        self.assert_stored(a=100)
        self.run_import("--again", self.path("a.log"))
        self.assertEqual(self.spool.numbers()["a"][5], 2)

    def test_findings(self):
        """A broken line is a record, and never stops the file."""
        self.write("a.log", lines("a", 0, 5) + b"what is this?\n"
                   + lines("a", 5, 10))
        out, _ = self.run_import(self.inbox, status=1)
        self.assertIn("1 unparsed", out)
        self.assert_stored(a=10)
        self.write("g", random.Random(1).randbytes(300000))
        out, err = self.run_import(self.path("g"), status=3)
        self.assertIn("no line of it is text", err)
        self.run_import(self.path("missing"), status=3)
        self.run_import(status=2)
        self.run_import("--watch", self.inbox, self.inbox, status=2)
        self.run_import("--keep", "0", self.inbox, status=2)

    def test_names(self):
        """A name cannot reach the terminal, or forge a line."""
        name = "x\\\x1b[2J\nforged: ok"
        safe = "x\\x5c\\x1b[2J\\x0aforged: ok"
        path = self.write(name, random.Random(1).randbytes(300000))
        _, err = self.run_import(path, status=3)
        self.assertIn(f"/{safe}: no line of it is text: nothing of it was "
                      "imported\n", err)
        os.unlink(path)
        for command in ("parse", "verify", ""):
            with self.subTest(command):
                told = subprocess.run(
                    [harness.SEPMLOGCTL, *command.split(), path],
                    capture_output=True, check=False).stderr.decode()
                self.assertIn(safe, told)
                self.assertNotIn("\x1b", told)

    def test_move(self):
        self.write("a.log", lines("a", 0, 5))
        self.run_import("--move", self.path("a.log"))
        self.assertEqual(os.listdir(self.inbox), ["done"])
        self.assertEqual(os.listdir(self.path("done")), ["a.log"])

    def test_source(self):
        self.configure(more="sources:\n  - from: 192.0.2.0/24\n"
                       "    timezone: Europe/Paris\n")
        self.write("a.log", dump("a", 0, 1))
        self.run_import("--from", "192.0.2.9", self.path("a.log"))
        record, = self.spool.records()
        self.assertEqual(record["begin"], "2024-05-14T07:31:09Z")
        self.run_import("--from", "paris", self.path("a.log"), status=2)

    def test_standard_input(self):
        self.run_import("-", input=lines("a", 0, 100))
        self.run_import("-", input=gzip.compress(lines("b", 0, 100)))
        out, _ = self.run_import("-", input=lines("a", 0, 100))
        self.assertIn("1 skipped", out)
        self.assert_stored(a=100, b=100)

    def test_beside_the_daemon(self):
        """Both write, and an uploader sees all of it in one place."""
        daemon = self.daemon(spool_options="rotate: { size: 64KiB, age: 1s }"
                             "\ncompress: gzip")
        with daemon:
            self.write("a.log", lines("a", 0, 3000))
            self.config = daemon.config_path
            sender = threading.Thread(
                target=harness.send_tcp, args=(daemon.port, "b", 3000))
            sender.start()
            self.run_import(self.inbox)
            sender.join()
            daemon.stop_cleanly()
        self.spool = daemon.spool
        self.assert_stored(a=3000, b=3000)
        self.assert_ids_unique(self.spool)

    def test_grows_meanwhile(self):
        """Only what was there is taken, and it is said."""
        path = self.write("a.log", lines("a", 0, 60000))
        process = subprocess.Popen(
            self.command(path), stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE)
        harness.wait_until(lambda: path in open_files(process.pid),
                           "it reads the file")
        time.sleep(0.05)
        self.write("a.log", lines("b", 0, 100), "ab")
        err = process.communicate(timeout=100)[1].decode()
        self.assertIn("it grew meanwhile", err)
        self.assert_stored(a=60000)
        self.assertEqual(set(self.spool.numbers()), {"a"})


# What an import changes on the disk with.
DISK_CALLS = ("mkdirat,write,pwrite64,fsync,fdatasync,ftruncate,fchmod,"
              "renameat,renameat2,unlinkat")


class Killed(Imports):
    def kill_until_done(self, *arguments, count, minimum=5):
        """Kills it at random moments until it gets through. Each run reads
        again what was committed before it takes more, and may be slow: one
        that got nowhere gives the next ones more time."""
        kills, longest = 0, 0.2
        rng = random.Random(7)
        state = os.path.join(self.spool.path, "import/state")
        while True:
            before = harness.modified(state)
            process = subprocess.Popen(
                self.command(*arguments), stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL)
            try:
                self.assertEqual(
                    process.wait(rng.uniform(0.02, longest)), 0)
                break
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                kills += 1
                if harness.modified(state) == before:
                    longest = min(longest * 1.2, 60)
            self.assertLess(kills, 500, "it never gets through")
        self.assertGreaterEqual(kills, minimum)
        self.assert_stored(a=count)
        self.assert_ids_unique(self.spool)

    def test_lines(self):
        self.configure("{ size: 3MiB, age: 1s }")
        self.write("a.log", lines("a", 0, 200000))
        self.kill_until_done(self.inbox, count=200000)

    def test_archive(self):
        self.configure("{ size: 1MiB, age: 1s }")
        with zipfile.ZipFile(self.path("a.zip"), "w",
                             zipfile.ZIP_DEFLATED, compresslevel=1) as file:
            for i in range(5):
                file.writestr(f"{i}", lines("a", 6000 * i, 6000 * i + 6000))
        self.kill_until_done(self.inbox, count=30000, minimum=1)

    def test_many_files(self):
        self.configure("{ size: 1MiB, age: 1s }")
        for i in range(800):
            self.write(f"{i}", lines("a", 10 * i, 10 * i + 10))
        self.kill_until_done("--move", self.inbox, count=8000, minimum=1)

    def test_dedup(self):
        """What has come another way once is left out once, not twice."""
        self.configure("{ size: 1MiB, age: 1s }")
        count = 30000
        path = self.write("a.log", lines("a", 0, count))
        known = os.path.join(self.directory, "known.jsonl")
        with open(known, "wb") as file:
            subprocess.run(
                [harness.SEPMLOGCTL, "parse", "--event-key", path],
                stdout=file, check=True)
        self.write("a.log", lines("b", 0, count) + lines("a", 0, count)
                   + lines("b", count, 2 * count), "ab")
        self.kill_until_done("--dedup", known, path, count=count, minimum=2)
        self.assert_stored(a=count, b=2 * count)

    def test_each_disk_call(self):
        """Killed at each single call that writes: what was left out, what
        was taken and what was stored stay one. At every third of them, and
        with SEPMLOG_LONG=1 at all."""
        harness.need("strace")
        self.configure("{ size: 64KiB, age: 1h }")
        count = 80
        path = self.write("a.log", lines("a", 0, count))
        known = os.path.join(self.directory, "known.jsonl")
        with open(known, "wb") as file:
            subprocess.run(
                [harness.SEPMLOGCTL, "parse", "--event-key", path],
                stdout=file, check=True)
        self.write("a.log", lines("b", 0, count) + lines("a", 0, count)
                   + lines("b", count, 2 * count), "ab")
        command = self.command("--dedup", known, path)
        environment = dict(os.environ, ASAN_OPTIONS="detect_leaks=0")
        log = os.path.join(self.directory, "trace")
        strace = ["strace", "-f", "-qq", "--seccomp-bpf", "-o", log]
        step = 1 if os.environ.get("SEPMLOG_LONG") else 3

        def run(*options):
            shutil.rmtree(self.spool.path, ignore_errors=True)
            os.mkdir(self.spool.path, 0o750)
            return subprocess.run(
                [*strace, *options, *command], stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE, env=environment,
                timeout=100).returncode

        self.assertEqual(run("-e", f"trace={DISK_CALLS}"), 0)
        with open(log, encoding="ascii", errors="replace") as file:
            calls = [line.split(None, 1)[1] for line in file]
        seen = collections.Counter()
        for n, call in enumerate(calls):
            name = call.partition("(")[0]
            seen[name] += 1
            if n % step:
                continue
            with self.subTest(call=call):
                self.assertEqual(run("-e", f"inject={name}:signal=KILL:"
                                     f"when={seen[name]}"), -signal.SIGKILL)
                self.run_import("--dedup", known, path)
                self.assert_stored(a=count, b=2 * count)
                self.assert_ids_unique(self.spool)

    def test_full(self):
        """The quota is reached: it ends with what to do, and goes on."""
        self.configure("{ size: 256KiB, age: 1s }", "  quota: 8MiB\n")
        self.write("a.log", lines("a", 0, 16000))
        taken = os.path.join(self.directory, "taken")
        os.mkdir(taken)
        for _ in range(10):
            process = subprocess.run(
                self.command(self.inbox), stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE, timeout=100)
            used = sum(os.path.getsize(p) for p in self.spool.ready())
            self.assertLess(used, 8 << 20)
            for path in self.spool.ready():
                shutil.move(path, taken)
            if process.returncode == 0:
                break
            self.assertEqual(process.returncode, 3)
            self.assertIn(b"spool.quota", process.stderr)
        self.assertEqual(process.returncode, 0)
        more = [os.path.join(taken, n) for n in os.listdir(taken)]
        self.assert_complete(self.spool.numbers(more=more), {"a": 16000})


class Watch(Imports):
    def setUp(self):
        super().setUp()
        self.process = None
        self.addCleanup(self.kill)

    def start(self, *arguments):
        self.log = tempfile.TemporaryFile(dir=self.directory)
        self.process = subprocess.Popen(
            self.command("--watch", self.inbox, "--settle", "1",
                         *arguments),
            stdout=subprocess.DEVNULL, stderr=self.log)

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def stop(self, status=0):
        self.process.send_signal(signal.SIGTERM)
        self.assertEqual(self.process.wait(60), status, self.said())

    def said(self):
        self.log.seek(0)
        return self.log.read().decode()

    def names(self, sub="."):
        return sorted(os.listdir(self.path(sub)))

    def wait_done(self, *names):
        harness.wait_until(
            lambda: os.path.isdir(self.path("done")) and
            set(names) <= set(self.names("done")),
            f"{names} in done/", 30)

    def test_files(self):
        self.write("before.log", lines("a", 0, 100))
        self.start()
        self.wait_done("before.log")
        self.write("closed.log", lines("b", 0, 100))
        moved = os.path.join(self.directory, "moved.log")
        with open(moved, "wb") as file:
            file.write(lines("c", 0, 100))
        os.rename(moved, self.path("moved.log"))
        with gzip.open(self.path("d.gz"), "wb") as file:
            file.write(lines("d", 0, 100))
        self.write("garbage", random.Random(2).randbytes(100000))
        self.write(".hidden", lines("e", 0, 100))
        os.mkfifo(self.path("fifo"))
        os.symlink("/etc/passwd", self.path("link"))
        self.wait_done("closed.log", "moved.log", "d.gz")
        harness.wait_until(
            lambda: self.names("failed") == ["garbage", "garbage.reason"],
            "garbage in failed/")
        # the same content again, under a name that was used
        self.write("closed.log", lines("b", 0, 100))
        self.wait_done("closed.log.1")
        self.stop()
        self.assert_stored(a=100, b=100, c=100, d=100)
        self.assertEqual(self.names(),
                         [".hidden", "done", "failed", "fifo", "link"])
        with open(self.path("failed/garbage.reason"),
                  encoding="ascii") as file:
            self.assertEqual(file.read(), "no line of it is text\n")

    def test_open_file(self):
        """One that is still written to is not complete."""
        self.start()
        with open(self.path("a.log"), "wb") as file:
            for n in range(40):
                file.write(lines("a", 10 * n, 10 * n + 10))
                file.flush()
                time.sleep(0.05)
            self.assertIn("a.log", self.names())
        self.wait_done("a.log")
        self.stop()
        self.assert_stored(a=400)

    def wait_stored(self, sender, count):
        harness.wait_until(
            lambda: len(self.spool.numbers()[sender]) >= count,
            f"{count} of {sender}", 30)

    def test_follow(self):
        """SEPM's dump files: .tmp while they grow, .log when they are full."""
        half = dump("a", 100, 101)
        self.write("agt_traffic.tmp", dump("a", 0, 100) + half[:50])
        self.start()
        self.wait_stored("a", 100)
        self.assertEqual(len(self.spool.numbers()["a"]), 100)
        self.write("agt_traffic.tmp", half[50:] + dump("a", 101, 200), "ab")
        self.wait_stored("a", 200)
        os.rename(self.path("agt_traffic.tmp"), self.path("agt_traffic.log"))
        self.write("agt_traffic.tmp", dump("b", 0, 50))
        # still a last line, without its end
        self.write("agt_traffic.log", dump("a", 200, 210)[:-1], "ab")
        self.wait_done("agt_traffic.log")
        self.wait_stored("b", 50)
        # truncated, and begun anew
        self.write("agt_traffic.tmp", dump("c", 0, 40))
        self.wait_stored("c", 40)
        # while nobody looks
        self.stop()
        self.write("agt_traffic.tmp", dump("c", 40, 80), "ab")
        os.rename(self.path("agt_traffic.tmp"), self.path("agt_2.log"))
        self.start()
        self.wait_done("agt_2.log")
        # by another program, which makes a new file each time
        self.write("synced.tmp", dump("d", 0, 30))
        self.wait_stored("d", 30)
        self.write(".synced", dump("d", 0, 60))
        os.rename(self.path(".synced"), self.path("synced.tmp"))
        self.wait_stored("d", 60)
        self.stop()
        self.assert_stored(a=210, b=50, c=80, d=60)

    def test_follow_table(self):
        with open(os.path.join(SAMPLES, "export.csv"), "rb") as file:
            table = file.read().splitlines(keepends=True)
        self.start("--follow", "*.csv")
        self.write("t.csv", b"")
        for line in table:
            self.write("t.csv", line[:20], "ab")
            time.sleep(0.2)
            self.write("t.csv", line[20:], "ab")
        time.sleep(1.5)
        self.stop()
        self.start("--follow", "*.csv")
        self.write("t.csv", table[-1].replace(b"192.0.2", b"192.0.3"), "ab")
        time.sleep(2.5)
        self.stop()
        self.assertEqual(
            len(self.spool.records()), len(table))
        self.assertEqual(
            [r for r in self.spool.records() if r["type"] != "traffic"], [])

    def test_killed(self):
        """Killed again and again while files grow, are renamed and come."""
        rng = random.Random(3)
        wanted = 0
        for turn in range(25):
            self.start()
            end = time.monotonic() + rng.uniform(0.2, 1.5)
            while time.monotonic() < end:
                n = rng.randrange(1, 50)
                self.write("agt.tmp", dump("a", wanted, wanted + n), "ab")
                wanted += n
                if rng.random() < 0.3:
                    os.rename(self.path("agt.tmp"),
                              self.path(f"agt-{turn}-{wanted}.log"))
                time.sleep(0.05)
            self.kill()
        self.start()
        self.write("agt.tmp", dump("a", wanted, wanted + 1), "ab")
        wanted += 1
        os.rename(self.path("agt.tmp"), self.path("last.log"))
        self.wait_done("last.log")
        self.wait_stored("a", wanted)
        self.stop()
        self.assert_stored(a=wanted)
        self.assertEqual(self.names(), ["done", "failed"])

    def test_many_files(self):
        self.configure("{ size: 1MiB, age: 1s }")
        for i in range(10000):
            self.write(f"{i}.log", lines("a", i, i + 1))
        start = time.monotonic()
        self.start()
        harness.wait_until(
            lambda: len(self.names()) == 2, "all files moved", 120, 0.2)
        print(f"10,000 files in {time.monotonic() - start:.1f} s")
        self.stop()
        self.assertEqual(len(self.names("done")), 10000)
        self.assert_stored(a=10000)

    def test_refused(self):
        self.start()
        harness.wait_until(lambda: os.path.isdir(self.path("done")), "started")
        _, err = self.run_import(self.inbox, status=3)
        self.assertIn("in use by another process", err)
        self.stop()
        self.run_import("--watch", self.path("missing"), status=3)


class Huge(Imports):
    def test_pipe(self):
        """A stream of a GiB: memory stays what it is."""
        program = RELEASE if os.access(RELEASE, os.X_OK) \
            else harness.SEPMLOGCTL
        size = 10 << 30 if os.environ.get("SEPMLOG_LONG") else 1 << 30
        if program != RELEASE:
            size >>= 4
        self.configure("{ size: 64MiB, age: 5m }",
                       "streams:\n  - { name: a, types: [traffic], "
                       "format: csv, where: { remote_port: [1] } }\n")
        block = lines("a", 0, 2000)
        process = subprocess.Popen(
            self.command("-", program=program), stdin=subprocess.PIPE,
            stdout=subprocess.PIPE)
        peaks = []
        start = time.monotonic()
        written = 0
        for part in range(8):
            while written < size * (part + 1) // 8:
                process.stdin.write(block)
                written += len(block)
            with open(f"/proc/{process.pid}/status",
                      encoding="ascii") as file:
                peaks.append(
                    int(re.search(r"VmHWM:\s*(\d+)", file.read())[1]))
        out = process.communicate(timeout=100)[0].decode()
        seconds = time.monotonic() - start
        self.assertEqual(process.returncode, 0)
        self.assertIn(f"{written // len(block) * 2000} records", out)
        self.assertLess(peaks[-1] - peaks[0], 4096, peaks)
        print(f"{written >> 20} MiB in {seconds:.1f} s, peak "
              f"{peaks[-1] >> 10} MiB")


if __name__ == "__main__":
    harness.main()
