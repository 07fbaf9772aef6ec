"""What the system tests share: the daemon, numbered messages, and the check
that all of them were stored.

A test is a script of its own: `python3 tests/system/<name>.py [-v] [case]`.
It exits 77 when nothing in it can run here, having said why; where only some
of it cannot, tests/run.sh tells it from the output. The programs are
those of build/dev, and for tests that count a million messages those of
build/release, unless SEPMLOGD, SEPMLOGCTL or SEPMLOGD_RELEASE name others.
SEPMLOG_PATIENCE=N waits N times as long for what has to come about.
"""

import collections
import contextlib
import fcntl
import glob
import gzip
import json
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
SKIPPED = 77
LOOPBACK = "127.0.0.1"
PATIENCE = float(os.environ.get("SEPMLOG_PATIENCE") or 1)


def _program(variable, preset, path):
    return os.environ.get(variable) or os.path.join(
        ROOT, "build", preset, "daemon", path)


SEPMLOGD = _program("SEPMLOGD", "dev", "receive/sepmlogd")
SEPMLOGCTL = _program("SEPMLOGCTL", "dev", "ctl/sepmlogctl")
SEPMLOGD_RELEASE = _program("SEPMLOGD_RELEASE", "release", "receive/sepmlogd")
PEERS = os.environ.get("SEPMLOG_PEERS") or os.path.join(ROOT, "build/peers")


class _Result(unittest.TextTestResult):
    """Shows what the daemon said when a test fails, before it is gone."""

    def addError(self, test, err):
        super().addError(test, err)
        _show_logs(test)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        _show_logs(test)

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err:
            _show_logs(test)


class _Runner(unittest.TextTestRunner):
    """As a class: only so does -v reach it."""

    resultclass = _Result


def _show_logs(test):
    if isinstance(test, Case):
        test.show_logs()


def main():
    """Runs the cases of the calling script."""
    program = unittest.main(
        module="__main__", exit=False, testRunner=_Runner,
        warnings="ignore")  # such as of sockets that end with a test
    result = program.result
    if not result.wasSuccessful():
        sys.exit(1)
    if result.testsRun and len(result.skipped) == result.testsRun:
        for _, reason in result.skipped:
            print("skipped:", reason)
        sys.exit(SKIPPED)
    script = os.path.splitext(os.path.basename(sys.argv[0]))[0]
    for test, reason in result.skipped:
        # As run.sh looks for it.
        print(f"skipped case: {test.id()}: {reason}".replace(
            "__main__", script))
    sys.exit(0)


def wait_until(condition, what, timeout=20.0, pause=0.02):
    """Polls until condition() is true and answers what it gave."""
    timeout *= PATIENCE
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"after {timeout:g} s still not: {what}")
        time.sleep(pause)


def free_port(address=LOOPBACK):
    """A port that is free there for UDP and TCP."""
    while True:
        with socket.socket() as tcp, \
                socket.socket(type=socket.SOCK_DGRAM) as udp:
            tcp.bind((address, 0))
            port = tcp.getsockname()[1]
            with contextlib.suppress(OSError):
                udp.bind((address, port))
                return port


def answers(process, port, log):
    """Does this server take connections? If it has ended, its log says why."""
    if process.poll() is not None:
        raise AssertionError(read_file(log)[-2000:])
    try:
        with connect(port, timeout=1):
            return True
    except OSError:
        return False


def file_size(path):
    """In bytes; 0: there is none."""
    try:
        return os.path.getsize(path)
    except FileNotFoundError:
        return 0


def modified(path):
    """When a file was changed last, in ns; 0: there is none."""
    try:
        return os.stat(path).st_mtime_ns
    except FileNotFoundError:
        return 0


# --- messages ----------------------------------------------------------------

_TEMPLATE = (
    "<54>May 14 09:40:00 sepm-north SymantecServer: pc-0147,"
    "Local Host IP: 192.0.2.47,Local Port: 53311,"
    "Local Host MAC: 00005E005301,Remote Host IP: 198.51.100.20,"
    "Remote Host Name: cloud.example,Remote Port: 443,"
    "Remote Host MAC: 00005E0053FE,TCP,Outbound,Begin: 2024-05-14 09:31:09,"
    "End Time: 2024-05-14 09:31:15,Occurrences: 3,"
    "Application: C:/Tools/sync.exe,Rule: Branch web,Location: Branch,"
    "User Name: {sender}-%d,Domain Name: BIRCH,Action: Blocked,"
    "SHA-256: ,MD-5: ")


def template(sender):
    """Bytes for `% n`: a traffic message with its number as the user."""
    return _TEMPLATE.format(sender=sender).encode()


def message(sender, n):
    return template(sender) % n


def counted(data):
    """The message with its octet count in front (RFC 6587)."""
    return b"%d %s" % (len(data), data)


_NUMBER = re.compile(rb'"user":"([a-z0-9]+)-([0-9]+)"')


# --- sending -----------------------------------------------------------------

def connect(port, source=None, timeout=20.0):
    return socket.create_connection(
        (LOOPBACK, port), timeout * PATIENCE,
        (source, 0) if source else None)


def is_closed(peer, timeout=5.0):
    """Whether the daemon has closed the connection; 0: by now."""
    peer.settimeout(timeout)
    try:
        return peer.recv(1) == b""
    except ConnectionError:
        return True
    except (TimeoutError, BlockingIOError):
        return False


def send_tcp(port, sender, count, first=0, block=512, rate=None):
    """Sends `count` numbered lines in large pieces and closes."""
    line = template(sender) + b"\n"
    start = time.monotonic()
    with connect(port, timeout=300) as peer:
        for at in range(first, first + count, block):
            end = min(at + block, first + count)
            peer.sendall(b"".join([line % n for n in range(at, end)]))
            _pace(start, at - first + block, rate)


def send_until_blocked(port):
    """Messages over a connection, which is answered and stays open, until
    the daemon reads no more; about 30 MB at most."""
    peer = connect(port)
    peer.settimeout(1)
    with contextlib.suppress(TimeoutError):
        for n in range(60000):
            peer.sendall(message(1, n) + b"\n")
    return peer


def send_udp(port, sender, count, first=0, block=64, rate=None):
    """Sends `count` numbered datagrams."""
    data = template(sender)
    start = time.monotonic()
    with socket.socket(type=socket.SOCK_DGRAM) as peer:
        peer.connect((LOOPBACK, port))
        for at in range(first, first + count, block):
            for n in range(at, min(at + block, first + count)):
                peer.send(data % n)
            _pace(start, at - first + block, rate)


def _pace(start, sent, rate):
    if rate:
        ahead = start + sent / rate - time.monotonic()
        if ahead > 0:
            time.sleep(ahead)


class Sender(threading.Thread):
    """Sends numbered lines, or counted messages, on one TCP connection until
    it is stopped or cut off. `sent` of them were given to the kernel."""

    def __init__(self, port, sender, rate=5000, counts=False):
        super().__init__(daemon=True)
        self.port, self.sender, self.rate = port, sender, rate
        self.frame = counted if counts else lambda data: data + b"\n"
        self.sent = 0
        self.error = None
        self._end = threading.Event()

    def run(self):
        start = time.monotonic()
        try:
            with connect(self.port, timeout=60) as peer:
                while not self._end.is_set():
                    peer.sendall(b"".join(
                        [self.frame(message(self.sender, n))
                         for n in range(self.sent, self.sent + 50)]))
                    self.sent += 50
                    _pace(start, self.sent, self.rate)
        except OSError as error:
            self.error = error

    def stop(self):
        self._end.set()
        self.join(60)
        if self.is_alive():
            raise AssertionError(f"sender {self.sender} hangs")


# --- the spool ---------------------------------------------------------------

class Spool:
    """A spool directory as an uploader and a reader of live files see it."""

    def __init__(self, path):
        self.path = path

    def ready(self, stream="*"):
        return sorted(glob.glob(os.path.join(
            self.path, "ready", f"{stream}-*-*.*")))

    def live(self, stream="*"):
        return sorted(glob.glob(os.path.join(
            self.path, "live", stream, "*.open")))

    def lines(self, stream="*", live=True):
        """All whole lines stored so far, without their LF. One that moves
        from live/ to ready/ meanwhile is given twice, none is missed."""
        held = []
        for path in self.live(stream) if live else []:
            with contextlib.suppress(FileNotFoundError), \
                    open(path, "rb") as file:
                held.append((path, file.read()))
        seen = {os.path.basename(path).split(".")[0]
                for path in self.ready(stream)}
        for path in self.ready(stream):
            yield from _complete(read_file(path), path)
        for path, data in held:
            if self._published(path) not in seen:
                yield from data.split(b"\n")[:-1]

    def _published(self, path):
        """The name, without its ends, that a live file will have. Imports
        have numbers of their own in the same ready/."""
        with open(os.path.join(self.path, "instance"),
                  encoding="ascii") as file:
            instance = file.read().strip()
        directory, name = os.path.split(path)
        return (f"{os.path.basename(directory)}-{instance}-"
                f"{name.split('.')[0]}")

    def records(self, stream="*", live=True):
        return [json.loads(line) for line in self.lines(stream, live)]

    def wait_records(self, count, stream="*", timeout=20.0):
        """Waits for this many records, and answers them."""
        wait_until(lambda: sum(1 for _ in self.lines(stream)) >= count,
                   f"{count} records stored", timeout)
        return self.records(stream)

    def numbers(self, stream="traffic", more=()):
        """Counts each numbered message: {sender: {number: times}}. `more`
        are files that were taken out of ready/."""
        found = collections.defaultdict(collections.Counter)
        for line in self.lines(stream):
            _count(line, found)
        for path in more:
            for line in _complete(read_file(path), path):
                _count(line, found)
        return found


def _count(line, found):
    match = _NUMBER.search(line)
    if match:
        found[match[1].decode()][int(match[2])] += 1


def read_file(path):
    """The plain bytes of a published file."""
    if path.endswith(".gz"):
        with gzip.open(path) as file:
            return file.read()
    if path.endswith(".zst"):
        return subprocess.run(["zstd", "-dcq", path], check=True,
                              stdout=subprocess.PIPE).stdout
    with open(path, "rb") as file:
        return file.read()


def _complete(data, path):
    if data and not data.endswith(b"\n"):
        raise AssertionError(f"{path} ends inside a record")
    return data.split(b"\n")[:-1]


class Watcher(threading.Thread):
    """Reads each file of ready/ the moment it appears. Nothing there may be
    incomplete, or change, or come back with other bytes."""

    def __init__(self, spool, take_to=None):
        super().__init__(daemon=True)
        self.spool, self.take_to = spool, take_to
        self.seen = {}
        self.problems = []
        self._end = threading.Event()

    def run(self):
        while not self._end.is_set():
            self.look()
            time.sleep(0.01)
        self.look()

    def look(self):
        for path in self.spool.ready():
            name = os.path.basename(path)
            if name in self.seen:
                continue
            try:
                data = read_file(path)
                for line in _complete(data, path):
                    json.loads(line)
                self.seen[name] = hash(data)
            except (OSError, EOFError, ValueError, AssertionError) as error:
                self.problems.append(f"{name}: {error}")
                self.seen[name] = None
            if self.take_to:
                shutil.move(path, os.path.join(self.take_to, name))

    def stop(self):
        self._end.set()
        self.join(60)
        for path in self.spool.ready():
            name = os.path.basename(path)
            if self.seen.get(name) != hash(read_file(path)):
                self.problems.append(f"{name} has changed")
        return self.problems


# --- the daemon --------------------------------------------------------------

class Daemon:
    """sepmlogd on a loopback port for both transports, with its own
    configuration, spool and log; a context manager that leaves nothing
    running."""

    def __init__(self, directory, program=SEPMLOGD, config="", listen=None,
                 spool_options="", descriptors=None, handover=(), wrap=(),
                 fdstore=None):
        os.makedirs(directory, exist_ok=True)
        self.directory = directory
        self.program = program
        self.port = free_port()
        self.listen = listen
        self.descriptors = descriptors
        self.handover = handover  # (name, socket) as systemd hands them over
        self.fdstore = fdstore
        self.wrap = list(wrap)
        self.spool_path = os.path.join(directory, "spool")
        self.spool = Spool(self.spool_path)
        self.config_path = os.path.join(directory, "sepmlogd.yaml")
        self.log_path = os.path.join(directory, "log")
        self.configure(config, spool_options)
        self.process = None
        self._notify = None

    def configure(self, config="", spool_options=""):
        """Writes the configuration. `config` is YAML for the top level,
        `spool_options` lines for its `spool`."""
        listen = self.listen
        if listen is None:
            listen = [("udp", f"{LOOPBACK}:{self.port}"),
                      ("tcp", f"{LOOPBACK}:{self.port}")]
        text = "listen:\n"
        for transport, address, *keys in listen:
            text += f'  - {transport}: "{address}"\n'
            text += "".join(f"    {line}\n" for line in sum(keys, []))
        text += f'spool:\n  directory: "{self.spool_path}"\n'
        if "min_free" not in spool_options:
            text += "  min_free: 64KiB\n"
        text += "".join(f"  {line.rstrip()}\n"
                        for line in spool_options.splitlines() if line.strip())
        with open(self.config_path, "w", encoding="utf-8") as file:
            file.write(text + config)

    # -- running

    def start(self, wait=True):
        self._notify = _Notify(
            os.path.join(self.directory, "notify"), self.fdstore)
        environment = dict(os.environ, NOTIFY_SOCKET=self._notify.path)
        command = self.wrap + [self.program, "-c", self.config_path]
        passed = self._passed()
        if passed:
            environment["LISTEN_FDS"] = str(len(passed))
            environment["LISTEN_FDNAMES"] = ":".join(
                name for name, _ in passed)
            command = ["sh", "-c", 'LISTEN_PID=$$ exec "$@"', "-"] + command
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=environment, preexec_fn=self._prepare,
                close_fds=not passed)
        if wait:
            self.wait_notify("READY=1")
        return self

    def _passed(self):
        """Names and numbers of all descriptors that it is to get."""
        passed = [(name, s.fileno()) for name, s in self.handover]
        if self.fdstore:
            passed += self.fdstore.entries
        return passed

    def _prepare(self):
        # First away from the numbers they are to get.
        fds = [fd for _, fd in self._passed()]
        beyond = max(fds, default=0) + 3 + len(fds)
        moved = [fcntl.fcntl(fd, fcntl.F_DUPFD, beyond) for fd in fds]
        for i, fd in enumerate(moved):
            os.dup2(fd, 3 + i)
            os.close(fd)
        if self.descriptors:
            resource.setrlimit(resource.RLIMIT_NOFILE,
                               (self.descriptors, self.descriptors))

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, value, trace):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if self._notify:
            self._notify.close()

    @property
    def pid(self):
        return self.process.pid

    def signal(self, number):
        self.process.send_signal(number)

    def kill(self):
        self.process.kill()
        self.process.wait()
        self._notify.close()

    def stop(self, timeout=60.0):
        """SIGTERM, and the exit status."""
        self.process.terminate()
        status = self.process.wait(timeout * PATIENCE)
        self._notify.close()
        return status

    def stop_cleanly(self, timeout=60.0):
        status = self.stop(timeout)
        if status != 0:
            raise AssertionError(f"sepmlogd exits {status}")

    def reload(self):
        """SIGHUP, and waits until the daemon says how it went."""
        seen = self._notify.count
        self.signal(signal.SIGHUP)
        self._notify.wait("READY=1", seen, self)

    def wait_notify(self, text, timeout=20.0):
        self._notify.wait(text, 0, self, timeout)

    def said_ready(self):
        return any("READY=1" in text for text in self._notify.messages())

    def statuses(self):
        """What it told the service manager, oldest first."""
        return [line[7:] for text in self._notify.messages()
                for line in text.splitlines() if line.startswith("STATUS=")]

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def wait_log(self, pattern, timeout=20.0):
        return wait_until(lambda: re.search(pattern, self.log()),
                          f"the log has {pattern!r}", timeout)

    def counters(self):
        """The counters as it last logged them: {words: number}. Those that
        are zero are not told."""
        text = [line for line in self.log().splitlines()
                if "received by udp" in line]
        return collections.Counter({
            words: int(number) for words, number in
            re.findall(r"([a-z][a-z' ]*?) (\d+)(?=[,.;)]|$)", text[-1])}
            if text else {})

    # -- measuring

    def memory(self):
        """Resident bytes."""
        with open(f"/proc/{self.pid}/status", encoding="ascii") as file:
            return int(re.search(r"VmRSS:\s*(\d+)", file.read())[1]) * 1024

    def own_memory(self):
        """Bytes of heap, stacks and buffers, each page once: of the spool's
        buffers, which are mapped twice, RSS counts what was reached by both
        ways twice."""
        with open(f"/proc/{self.pid}/smaps_rollup", encoding="ascii") as file:
            found = dict(re.findall(r"(Pss_\w+): *(\d+) kB", file.read()))
        return 1024 * (int(found["Pss_Anon"]) + int(found["Pss_Shmem"]))

    def cpu(self):
        """Seconds of processor time used so far."""
        with open(f"/proc/{self.pid}/stat", encoding="ascii") as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def cpu_share(self, seconds):
        """The part of one processor used over the next seconds."""
        start = self.cpu()
        time.sleep(seconds)
        return (self.cpu() - start) / seconds

    def waiting_datagrams(self):
        """Bytes in the receive queue of its UDP socket."""
        with open("/proc/net/udp", encoding="ascii") as table:
            for line in table:
                fields = line.split()
                if fields[1].endswith(f":{self.port:04X}"):
                    return int(fields[4].partition(":")[2], 16)
        return 0

    def wait_read(self, timeout=60.0):
        """Waits until it has read and closed all its connections."""
        def none_is_open():
            with open("/proc/net/tcp", encoding="ascii") as file:
                rows = [line.split() for line in file][1:]
            return not any(row[1].endswith(f":{self.port:04X}") and
                           row[3] in ("01", "08") for row in rows)
        wait_until(none_is_open, "all connections are read", timeout)

    def open_files(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def resting_files(self):
        """Descriptors while no file is on its way into ready/, which needs
        some for a moment."""
        counts = []
        for _ in range(30):
            counts.append(self.open_files())
            time.sleep(0.05)
        return min(counts)


class _Notify:
    """Stands in for the service manager's notification socket."""

    def __init__(self, path, fdstore=None):
        self._fdstore = fdstore
        # Longer paths do not fit into a socket address.
        self.path = path if len(path) < 100 else tempfile.mktemp("notify")
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self.path)
        self._messages = []
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        # Always at once: a sender would block on a full queue.
        while True:
            try:
                data, fds = self._receive()
            except OSError:
                return
            if not data:
                return
            if self._fdstore:
                self._fdstore.heard(data.decode().splitlines(), fds)
            self._messages.append(
                (time.monotonic(), data.decode(errors="replace")))

    def _receive(self):
        if self._fdstore is None:
            return self._socket.recv(65536), []
        data, fds, _, _ = socket.recv_fds(self._socket, 65536, 253)
        for fd in fds:
            os.set_inheritable(fd, False)
        return data, fds

    @property
    def count(self):
        return len(self._messages)

    def messages(self):
        return [text for _, text in self._messages]

    def timed(self):
        """Each with the time at which it came."""
        return list(self._messages)

    def wait(self, text, seen, daemon, timeout=20.0):
        def told():
            if any(text in m for m in self.messages()[seen:]):
                return True
            if daemon.process.poll() is not None:
                raise AssertionError(
                    f"sepmlogd exits {daemon.process.returncode}:\n"
                    + daemon.log()[-4000:])
            return False
        wait_until(told, f"sepmlogd says {text}", timeout)

    def close(self):
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)


class FdStore:
    """The descriptors that a service manager keeps for its service, as
    systemd does it (service_add_fd_store)."""

    def __init__(self, limit=4096):
        self.limit = limit
        self.entries = []  # (name, number)

    def heard(self, lines, fds):
        fields = dict(line.split("=", 1) for line in lines if "=" in line)
        if fields.get("FDSTORE") == "1":
            for fd in fds:
                self._add(fields.get("FDNAME", "stored"), fd)
            return
        for fd in fds:
            os.close(fd)  # such as that of BARRIER=1
        if fields.get("FDSTOREREMOVE") == "1":
            self.remove(fields["FDNAME"])

    def _add(self, name, fd):
        if len(self.entries) >= self.limit:
            os.close(fd)
        else:
            self.entries.insert(0, (name, fd))

    def remove(self, name):
        for entry in [e for e in self.entries if e[0] == name]:
            self.entries.remove(entry)
            os.close(entry[1])

    def clear(self):
        """As when the service has ended for good."""
        for _, fd in self.entries:
            os.close(fd)
        self.entries = []


class Case(unittest.TestCase):
    """A test case with a directory of its own."""

    maxDiff = 2000

    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="sepmlogd-")
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)
        self.daemons = []

    def daemon(self, name="daemon", **options):
        daemon = Daemon(os.path.join(self.directory, name), **options)
        self.daemons.append(daemon)
        return daemon

    def show_logs(self):
        for daemon in self.daemons:
            if os.path.exists(daemon.log_path):
                print(f"\n--- log of sepmlogd, from its last lines\n"
                      f"{daemon.log()[-4000:]}---", file=sys.stderr)

    @staticmethod
    def figure(text):
        """What a test measured, for whoever runs it; the fault matrix has it
        as the figure of its row."""
        print(f"figure: {text}", flush=True)

    def assert_complete(self, found, expected, duplicates=False):
        """Each sender's numbers 0..count-1 were stored, each once."""
        for sender, count in expected.items():
            got = found[sender]
            missing = [n for n in range(count) if n not in got]
            self.assertFalse(
                missing, f"{sender}: {len(missing)} of {count} are missing, "
                f"such as {missing[:5]}")
            if not duplicates:
                twice = [n for n, times in got.items() if times > 1]
                self.assertFalse(twice, f"{sender}: stored twice: {twice[:5]}")
            extra = [n for n in got if n >= count]
            self.assertFalse(extra, f"{sender}: never sent: {extra[:5]}")

    def assert_ids_unique(self, spool):
        ids = collections.Counter(r.get("id") for r in spool.records())
        self.assertNotIn(None, ids, "a record has no id")
        twice = [i for i, times in ids.items() if times > 1]
        self.assertFalse(twice, f"ids given twice: {twice[:5]}")


def need(*programs):
    """Skips the test where a program is missing."""
    for program in programs:
        if not shutil.which(program):
            raise unittest.SkipTest(f"{program} is not installed")


def need_release():
    if not os.access(SEPMLOGD_RELEASE, os.X_OK):
        raise unittest.SkipTest(
            "no release build (cmake --preset release && "
            "cmake --build --preset release)")
    return SEPMLOGD_RELEASE


# --- mounts of one's own -----------------------------------------------------

_INSIDE = "SEPMLOG_IN_NAMESPACE"


def enter_namespace():
    """Runs the calling script again where its mounts are nobody else's."""
    if os.environ.get(_INSIDE) or not shutil.which("unshare"):
        return
    command = ["unshare", "--mount", "--propagation", "private"]
    if os.geteuid() != 0:
        command.append("--map-root-user")
    if subprocess.run(command + ["mount", "-t", "tmpfs", "tmpfs", "/mnt"],
                      stderr=subprocess.DEVNULL).returncode == 0:
        os.environ[_INSIDE] = "1"
        os.execvp(command[0], command + [sys.executable] + sys.argv)


def need_namespace():
    if not os.environ.get(_INSIDE):
        raise unittest.SkipTest("no mount namespace can be made here")
