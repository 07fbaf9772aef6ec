"""What the fault scenarios share: the register of rows, load, mounts that can
fail, and the checks that nothing was lost."""

import contextlib
import fcntl
import json
import os
import re
import socket
import struct
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
SYSTEM = os.path.dirname(HERE)
sys.path.insert(0, SYSTEM)

import certificates  # noqa: E402
import harness  # noqa: E402
from container_load import TlsSender  # noqa: E402
from shim import Shim  # noqa: E402

ROWS = {}
CTL = "build/release/daemon/ctl/sepmlogctl"


class Row:
    """One row of the matrix. `times` are repetitions for a quick run, for
    every run in CI and for a nightly one; None: not in that run. `seconds`
    bounds one run with CI's repetitions; a nightly one may take longer in
    proportion. `inside`: runs in namespaces of its own."""

    def __init__(self, name, fault, passes, times, seconds, inside, run):
        self.name, self.fault, self.passes = name, fault, passes
        self.times = dict(zip(("quick", "ci", "nightly"), times))
        self.seconds, self.inside, self.run = seconds, inside, run

    def limit(self, mode):
        ci = self.times["ci"] or self.times["nightly"]
        return self.seconds * max(1.0, (self.times[mode] or ci) / ci)


def row(name, fault, passes, times=(1, 1, 1), seconds=120, inside=True):
    def register(run):
        ROWS[name] = Row(name, fault, passes, times, seconds, inside, run)
        return run
    return register


def skip(reason):
    raise harness.unittest.SkipTest(reason)


LEFT_OUT = []


def left_out(said):
    """What a row could not do here: it is told, and the others of the row
    count, but the row is passed only in part."""
    LEFT_OUT.append(said)
    return said


def part(name, scenario, *words):
    """One of several of a row, which may be left out."""
    try:
        return scenario(*words)
    except harness.unittest.SkipTest as reason:
        return left_out(f"{name}: SKIPPED, {reason}")


def need_root():
    if os.geteuid() != 0:
        skip("needs root")


def command(*words, **options):
    """Runs it; what it says is shown only if it fails."""
    done = subprocess.run(words, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True,
                          stdin=subprocess.DEVNULL, check=False, **options)
    if done.returncode != 0:
        raise OSError(f"{' '.join(words)}: {done.stdout.strip()}")
    return done.stdout


# --- tests that exist --------------------------------------------------------

def sanitized():
    """The daemon of build/dev."""
    if not os.access(harness.SEPMLOGD, os.X_OK):
        skip("no build/dev (cmake --preset dev && cmake --build --preset dev)")
    with open(harness.SEPMLOGD, "rb") as file:
        if b"__asan_init" not in file.read():
            skip(f"{harness.SEPMLOGD} is built without sanitizers")
    return harness.SEPMLOGD


def borrow(script, *cases, timeout=280, program=None, **settings):
    """Runs cases of another system test, with the release build or another:
    they are this row. Answers what was run and the figures it printed; one
    that is not there is skipped and not made up. `settings`: more of its
    environment."""
    path = os.path.join(SYSTEM, script)
    if not os.path.exists(path):
        skip(f"not built: there is no {script}")
    with open(path, encoding="utf-8") as file:
        text = file.read()
    for case in cases:
        if not re.search(rf"def {case.rpartition('.')[2]}\b", text):
            skip(f"not built: {script} has no {case}")
    environment = dict(
        os.environ, SEPMLOGD=program or harness.need_release(),
        SEPMLOGCTL=os.path.join(harness.ROOT, CTL),
        SEPMLOG_UPLOAD=os.path.join(
            harness.ROOT, "build/release/daemon/upload/sepmlog-upload"),
        **{name: str(value) for name, value in settings.items()})
    done = subprocess.run(
        [sys.executable, "-B", path, "-v", *cases], timeout=timeout,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, env=environment, check=False)
    return _outcome(script, done)


def _outcome(name, done):
    """A skipped case among others that passed is left out."""
    skipped = re.findall(r"skipped '?([^'\n]*)", done.stdout)
    if done.returncode == harness.SKIPPED:
        skip(f"{name}: {skipped[-1] if skipped else 'cannot run here'}")
    if done.returncode != 0:
        raise AssertionError(f"{name}: {_reason(done.stdout)}")
    ran = re.search(r"Ran (\d+) test", done.stdout)
    said = "; ".join([f"{name}: {ran[1] if ran else '?'} cases"] + re.findall(
        r"figure: (.*)", done.stdout))
    if not skipped:
        return said
    return left_out(f"{said}, of these SKIPPED: {skipped}")


def _reason(output):
    """The line of a failed run that says most."""
    lines = [line for line in output.splitlines() if line.strip()]
    for line in reversed(lines):
        if re.match(r"[A-Za-z.]*(Error|Exception)", line):
            return line
    return " / ".join(lines[-3:])


# --- load --------------------------------------------------------------------

class Datagrams(threading.Thread):
    """Sends numbered datagrams until it is stopped; none is sent before the
    kernel has taken the last."""

    def __init__(self, port, sender, rate):
        super().__init__(daemon=True)
        self.port, self.sender, self.rate = port, sender, rate
        self.sent = 0
        self._end = threading.Event()

    def run(self):
        data = harness.template(self.sender)
        start = time.monotonic()
        with socket.socket(type=socket.SOCK_DGRAM) as peer:
            peer.connect((harness.LOOPBACK, self.port))
            while not self._end.is_set():
                for n in range(self.sent, self.sent + 20):
                    with contextlib.suppress(ConnectionError):
                        peer.send(data % n)
                self.sent += 20
                ahead = start + self.sent / self.rate - time.monotonic()
                if ahead > 0:
                    time.sleep(ahead)

    def stop(self):
        self._end.set()
        self.join(60)


class Load:
    """Two TCP senders, one with TLS if the daemon has a port for it, and one
    of datagrams, at 5,000 messages a second each unless told otherwise; a
    context manager."""

    def __init__(self, sepmlogd, name="", rate=5000, tcp=2, udp=1):
        self.tcp = [harness.Sender(sepmlogd.port, f"t{n}{name}", rate)
                    for n in range(tcp)]
        self.tls = [TlsSender(sepmlogd.authority, sepmlogd.tls_port,
                              f"s0{name}", rate)] if sepmlogd.tls_port else []
        self.udp = [Datagrams(sepmlogd.port, f"u{n}{name}", rate)
                    for n in range(udp)]

    def __enter__(self):
        for sender in self.tcp + self.tls + self.udp:
            sender.start()
        # A session takes its time, which is not the row's.
        for sender in self.tls:
            harness.wait_until(lambda: sender.sent, "a TLS session")
        return self

    def stop(self):
        for sender in self.tcp + self.tls + self.udp:
            sender.stop()

    def __exit__(self, kind, value, trace):
        self.stop()

    def by_transport(self):
        """What was sent so far: {transport: {sender: number}}."""
        return {"TCP": {s.sender: s.sent for s in self.tcp},
                "TLS": {s.sender: s.sent for s in self.tls},
                "UDP": {s.sender: s.sent for s in self.udp}}

    @property
    def sent_tcp(self):
        return {s.sender: s.sent for s in self.tcp}

    @property
    def sent_streams(self):
        """By TCP and by TLS, whose sessions must not have ended: otherwise
        it is not known what a peer had read."""
        for sender in self.tls:
            if sender.sessions != 1:
                raise AssertionError(
                    f"{sender.sessions} TLS sessions instead of one")
        return {s.sender: s.sent for s in self.tcp + self.tls}

    @property
    def sent_udp(self):
        return {s.sender: s.sent for s in self.udp}

    @property
    def sent(self):
        return sum(s.sent for s in self.tcp + self.tls + self.udp)

    def errors(self):
        return [s.error for s in self.tcp if s.error]


class Meter(threading.Thread):
    """Notes the most resident bytes of a daemon, and how much of a processor
    it used."""

    def __init__(self, sepmlogd, pause=0.1):
        super().__init__(daemon=True)
        self.sepmlogd, self.pause = sepmlogd, pause
        self.most = self.first = sepmlogd.memory()
        self._end = threading.Event()

    def run(self):
        while not self._end.wait(self.pause):
            with contextlib.suppress(OSError, TypeError):
                self.most = max(self.most, self.sepmlogd.memory())

    def stop(self):
        self._end.set()
        self.join(5)
        return (self.most - self.first) / (1 << 20)


# --- mounts ------------------------------------------------------------------

SHUTDOWN = (2 << 30) | (4 << 16) | (ord("X") << 8) | 125
NO_LOG_FLUSH = 2


class Disk:
    """A file system on a loop device, in a mount namespace that ends with the
    test. kind: ext4 or xfs."""

    def __init__(self, directory, kind="ext4", size=None, options=()):
        need_root()
        harness.need(f"mkfs.{kind}", "losetup")
        self.kind, self.path = kind, os.path.join(directory, "mnt")
        self.image = os.path.join(directory, "image")
        os.makedirs(self.path, exist_ok=True)
        with open(self.image, "wb") as file:
            file.truncate(size or (320 << 20 if kind == "xfs" else 96 << 20))
        force = "-f" if kind == "xfs" else "-F"
        command(f"mkfs.{kind}", "-q", force, *options, self.image)
        self.device = None

    def mount(self):
        try:
            self.device = command("losetup", "--find", "--show",
                                  self.image).strip()
            command("mount", self.device, self.path)
        except OSError as error:
            self.unmount()
            skip(f"no loop mount here: {error}")

    def unmount(self):
        subprocess.run(["umount", self.path], stderr=subprocess.DEVNULL,
                       check=False)
        if self.device:
            command("losetup", "--detach", self.device)
        self.device = None

    def cut(self):
        """The power fails: nothing more reaches the disk."""
        fd = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.ioctl(fd, SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))
        finally:
            os.close(fd)


def tmpfs(lab, path, options):
    need_root()
    os.makedirs(path, exist_ok=True)
    command("mount", "-t", "tmpfs", "-o", options + ",mode=0750", "tmpfs",
            path)
    lab.addCleanup(subprocess.run, ["umount", "-l", path], check=False)


class Group:
    """A control group of its own (version 1)."""

    def __init__(self, lab, controller):
        base = f"/sys/fs/cgroup/{controller}"
        self.path = f"{base}/sepmlogd-faults.{os.getpid()}.{time.time_ns()}"
        try:
            os.mkdir(self.path)
        except OSError as error:
            skip(f"no {controller} control group here: {error}")
        lab.addCleanup(self._remove)

    def _remove(self):
        for _ in range(50):
            with contextlib.suppress(OSError):
                os.rmdir(self.path)
                return
            time.sleep(0.1)

    def set(self, name, value):
        with open(os.path.join(self.path, name), "w",
                  encoding="ascii") as file:
            file.write(str(value))

    def used(self):
        path = os.path.join(self.path, "memory.usage_in_bytes")
        with open(path, encoding="ascii") as file:
            return int(file.read())

    def add(self, pid):
        self.set("cgroup.procs", pid)


# --- the lab -----------------------------------------------------------------

class Lab(harness.Case):
    """One scenario's directory, daemons and checks."""

    mode = "ci"
    _tls = None

    def runTest(self):
        pass

    def daemon(self, name="daemon", tls=False, **options):
        """tls: it also listens for TLS, on a port of its own."""
        authority, port, tls_port = None, harness.free_port(), None
        if tls:
            harness.need("openssl")
            authority, keys = self._certificate()
            tls_port = harness.free_port()
            options["listen"] = [
                ("udp", f"{harness.LOOPBACK}:{port}"),
                ("tcp", f"{harness.LOOPBACK}:{port}"),
                ("tls", f"{harness.LOOPBACK}:{tls_port}", keys)]
        sepmlogd = super().daemon(name, **options)
        sepmlogd.authority, sepmlogd.tls_port = authority, tls_port
        if tls:
            sepmlogd.port = port
        return sepmlogd

    def _certificate(self):
        """The authority's certificate, and the keys of a listener that has
        one of it."""
        if not self._tls:
            authority = certificates.Authority(
                os.path.join(self.directory, "ca"))
            certificate, key = authority.issue(
                "server", f"IP:{harness.LOOPBACK}", "serverAuth")
            self._tls = (authority.certificate,
                         [f"certificate: {certificate}", f"key: {key}"])
        return self._tls

    def release(self, name="daemon", **options):
        return self.daemon(name, program=harness.need_release(), **options)

    def idle(self, name="daemon", **options):
        """One that is not running yet, and at the end no more."""
        sepmlogd = self.release(name, **options)
        self.addCleanup(sepmlogd.__exit__, None, None, None)
        return sepmlogd

    def shim(self):
        return Shim(os.path.join(self.directory,
                                 f"page{time.monotonic_ns()}"))

    def check_lines(self, spool, more=()):
        """Every line is JSON in UTF-8 with an id of its own, and no number of
        a sender is there twice; answers how many lines there are."""
        ids = set()
        for line in self._all_lines(spool, more):
            record = json.loads(line.decode("utf-8"))
            self.assertNotIn(record["id"], ids, "an id was given twice")
            ids.add(record["id"])
        for sender, numbers in spool.numbers(more=more).items():
            twice = [n for n, times in numbers.items() if times > 1]
            self.assertFalse(twice, f"{sender}: stored twice: {twice[:5]}")
        return len(ids)

    def check_memory(self, sepmlogd, before, most, said):
        """Resident MiB more than before, which may be at most that much."""
        grown = (sepmlogd.memory() - before) / (1 << 20)
        self.assertLessEqual(grown, most, said)
        return grown

    @staticmethod
    def _all_lines(spool, more):
        yield from spool.lines()
        for path in more:
            yield from harness.read_file(path).splitlines()

    def assert_has(self, found, expected):
        """Each of the numbers 0..count-1 of each sender was stored."""
        self.assert_complete(found, expected, duplicates=True)

    def assert_udp_counted(self, sepmlogd, found, sent):
        """After a stop: what was sent is stored or was counted as dropped by
        the kernel. Answers the number of drops."""
        stored = sum(len(found[sender]) for sender in sent)
        dropped = sepmlogd.counters()["dropped by the kernel"]
        self.assertEqual(sum(sent.values()), stored + dropped,
                         "datagrams are neither stored nor counted")
        return dropped


def findings(directory, *options):
    """What `sepmlogctl verify` says is missing, altered or there twice."""
    done = subprocess.run(
        [os.path.join(harness.ROOT, CTL), "verify", "--json", *options,
         directory], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, check=False, timeout=120)
    if done.returncode > 1:
        raise AssertionError(f"verify ends with {done.returncode}: "
                             f"{done.stderr}")
    return json.loads(done.stdout)["findings"]


def stored_ids(sepmlogd):
    """What stands in files as whole lines: {id: record's line}."""
    return {_id(line): line for line in sepmlogd.spool.lines()}


_ID = re.compile(rb'"id":"([^"]+)"')


def _id(line):
    return _ID.search(line)[1]


def run_row(name, mode, result_path):
    """Runs one row in this process and writes what came of it."""
    entry = ROWS[name]
    Lab.mode = mode
    lab = Lab()
    verdict, measured = "passed", ""
    start = time.monotonic()
    try:
        lab.setUp()
        measured = entry.run(lab, entry.times[mode] or entry.times["ci"]
                             or entry.times["nightly"])
        if LEFT_OUT:
            verdict = "in part"
    except harness.unittest.SkipTest as reason:
        verdict, measured = "skipped", str(reason)
    except Exception as error:  # any: the table goes on
        verdict = "failed"
        measured = f"{type(error).__name__}: {error}"
        if len(measured) > 400:
            measured = measured[:100] + " ... " + measured[-300:]
        lab.show_logs()
        if not isinstance(error, AssertionError):
            raise
    finally:
        lab.doCleanups()
        with open(result_path, "w", encoding="utf-8") as file:
            json.dump({"verdict": verdict, "measured": measured,
                       "seconds": time.monotonic() - start}, file)

