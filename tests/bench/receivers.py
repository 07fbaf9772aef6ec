"""The programs that are compared, each behind the same few words."""

import glob
import os
import shutil
import signal
import socket
import subprocess
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
PEERS = os.path.join(ROOT, "build/peers")
LOOPBACK = "127.0.0.1"
# As sepmlogd's default; what a burst needs, and the same for everyone.
RECEIVE_BUFFER = 32 << 20


def bench_tool(name):
    return os.path.join(ROOT, "build/bench/tests/bench", name)


def free_port():
    """A port that is free on loopback for UDP and TCP."""
    while True:
        with socket.socket() as tcp, \
                socket.socket(type=socket.SOCK_DGRAM) as udp:
            tcp.bind((LOOPBACK, 0))
            port = tcp.getsockname()[1]
            try:
                udp.bind((LOOPBACK, port))
            except OSError:
                continue
            return port


def _output_of(command, **options):
    return subprocess.run(command, stdout=subprocess.PIPE, text=True,
                          stderr=subprocess.DEVNULL, check=True,
                          **options).stdout


class Receiver:
    """A program on a port of loopback, TCP and UDP, that keeps what it gets
    in a directory. A context manager that leaves nothing running."""

    key = title = version = ""
    is_peer = False      # a program that a user might take instead
    speaks_tls = False
    parses = True        # its output is records, not what came
    outputs = ()         # patterns of its output files while it runs
    printed = "log"      # where its standard output goes
    share = 1.0          # of a scenario's messages that it is sent
    udp_rate = 400_000   # where its search for the loss-free rate begins

    def __init__(self):
        self.directory = self.port = self.process = None

    def start(self, directory, framing="lf", transport="tcp"):
        shutil.rmtree(directory, ignore_errors=True)
        os.makedirs(directory)
        self.directory, self.port = directory, free_port()
        with open(self.path("log"), "ab") as log, \
                open(self.path(self.printed), "ab") as printed:
            self.process = subprocess.Popen(
                self.command(framing, transport), stdin=subprocess.DEVNULL,
                stdout=printed, stderr=log,
                env=dict(os.environ, **self.environment(framing, transport)))
        try:
            self._wait_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def _certify(self):
        """A key, and a certificate that it signs itself."""
        key = self.path("key.pem")
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes",
             "-days", "2", "-subj", "/CN=localhost", "-keyout", key,
             "-out", self.path("cert.pem")],
            check=True, stderr=subprocess.DEVNULL)
        os.chmod(key, 0o600)

    def command(self, framing, transport):
        raise NotImplementedError

    def environment(self, framing, transport):
        return {}

    def publish(self):
        """Has it finish its files, where that is work of its own. False: it
        is not."""
        return False

    def stop(self):
        """Orderly, so that it stores what it has."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(120)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.stop()

    def clear(self):
        shutil.rmtree(self.directory, ignore_errors=True)

    def path(self, name):
        return os.path.join(self.directory, name)

    def files(self, patterns=None):
        return [path for pattern in patterns or self.outputs
                for path in sorted(glob.glob(self.path(pattern)))]

    def stored(self):
        """Its output files, after it was stopped."""
        return self.files()

    def size(self):
        """Bytes of output, and when the last of them was written."""
        size, last = 0, 0.0
        for path in self.files():
            try:
                status = os.stat(path)
            except FileNotFoundError:  # renamed meanwhile
                continue
            size += status.st_size
            if status.st_size:
                last = max(last, status.st_mtime)
        return size, last

    def log(self):
        with open(self.path("log"), encoding="utf-8", errors="replace") as log:
            return log.read()

    def _wait_ready(self):
        end = time.monotonic() + 20
        while not (_bound("tcp", self.port) and _bound("udp", self.port)):
            if self.process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(
                    f"{self.title} does not start:\n{self.log()[-2000:]}")
            time.sleep(0.02)
        time.sleep(0.2)


def _bound(transport, port):
    """Whether a socket of this machine listens there."""
    state = "0A" if transport == "tcp" else "07"
    with open(f"/proc/net/{transport}", encoding="ascii") as table:
        return any(line.split()[1].endswith(f":{port:04X}")
                   and line.split()[3] == state for line in table)


# --- the floor ---------------------------------------------------------------

class Floor(Receiver):
    parses = False
    printed = "report"

    def command(self, framing, transport):
        return [bench_tool("floor"), "--receive-buffer", str(RECEIVE_BUFFER),
                *self.options(), str(self.port)]

    def options(self):
        return []


class Discard(Floor):
    key, title = "discard", "floor: receive and discard"


class Write(Floor):
    key, title = "write", "floor: receive and write the same bytes"
    outputs = ("out",)

    def options(self):
        return ["--out", self.path("out")]


class WriteRecords(Write):
    """Writes as many bytes as sepmlogd's records have."""
    key = "expand"

    def __init__(self, percent):
        super().__init__()
        self.percent = percent
        self.title = f"floor: receive and write {percent} % of the bytes"

    def options(self):
        return super().options() + ["--expand", str(self.percent)]


class Store(WriteRecords):
    """The same, and keeps what the spool promises of them."""
    key = "store"

    def __init__(self, percent):
        super().__init__(percent)
        self.title = (f"floor: receive, hash, write and sync {percent} % "
                      "of the bytes")

    def options(self):
        return ["--store", self.path("out"), "--expand", str(self.percent)]


# --- ours --------------------------------------------------------------------

class Sepmlogd(Receiver):
    speaks_tls = True
    outputs = ("spool/live/*/*.open", "spool/ready/*")

    def __init__(self, compress="none"):
        super().__init__()
        self.program = os.environ.get("SEPMLOGD_RELEASE") or os.path.join(
            ROOT, "build/release/daemon/receive/sepmlogd")
        self.compress = compress
        self.key = self.title = "sepmlogd"
        if compress != "none":
            self.key = f"sepmlogd-{compress}"
            self.title = f"sepmlogd, until {compress} files are published"
            self.share = 0.3
        self.version = _output_of([self.program, "-V"]).split()[-1]

    def command(self, framing, transport):
        stream = f'  - tcp: "{LOOPBACK}:{self.port}"\n'
        if transport == "tls":
            self._certify()
            stream = (f'  - tls: "{LOOPBACK}:{self.port}"\n'
                      f'    certificate: "{self.path("cert.pem")}"\n'
                      f'    key: "{self.path("key.pem")}"\n')
        with open(self.path("sepmlogd.yaml"), "w", encoding="utf-8") as file:
            file.write(
                "listen:\n"
                f'  - udp: "{LOOPBACK}:{self.port}"\n'
                f"{stream}"
                f"receive_buffer: {RECEIVE_BUFFER}\n"
                "spool:\n"
                f'  directory: "{self.path("spool")}"\n'
                f"  compress: {self.compress}\n"
                "streams:\n"
                "  - { name: all, types: [all], format: jsonl }\n")
        return [self.program, "-c", self.path("sepmlogd.yaml")]

    def publish(self):
        """What was received last would not be compressed before its time."""
        if self.compress == "none":
            return False
        self.process.send_signal(signal.SIGUSR1)
        return True

    def stored(self):
        return self.files(["spool/ready/*"])


# --- the peers ---------------------------------------------------------------

class Peer(Receiver):
    """A program of build/peers. What its projects' users report to help is
    done: TZ saves a stat of the zone file for each message, and jemalloc is
    faster where one thread frees what another one allocated."""
    is_peer = True
    outputs = ("*.jsonl",)
    share = 0.2
    udp_rate = 125_000

    def environment(self, framing, transport):
        if transport == "tls":
            self._certify()
        return {
            "BENCH_DIRECTORY": self.directory,
            "BENCH_INPUTS": os.path.join(
                HERE, "peers", "rsyslog-tls.conf" if transport == "tls"
                else "rsyslog-plain.conf"),
            "BENCH_PEERS": os.path.join(HERE, "peers"),
            "BENCH_PORT": str(self.port),
            "BENCH_RECEIVE_BUFFER": str(RECEIVE_BUFFER),
            "LD_LIBRARY_PATH": _libraries(),
            "LD_PRELOAD": ":".join(glob.glob(
                "/usr/lib/*-linux-gnu*/libjemalloc.so.2")),
            "TZ": "UTC",
        }


def _libraries():
    paths = [os.path.join(PEERS, "usr/lib/syslog-ng")]
    paths += glob.glob(os.path.join(PEERS, "usr/lib/*-linux-gnu*"))
    paths += glob.glob(os.path.join(PEERS, "lib/*-linux-gnu*"))
    return ":".join(paths)


def _package_version(package):
    """Debian's version, from the name of the package that was unpacked."""
    [path] = glob.glob(os.path.join(PEERS, f"packages/{package}_*.deb"))
    return os.path.basename(path).split("_")[1]


class Rsyslog(Peer):
    def __init__(self, way, title):
        super().__init__()
        self.key = f"rsyslog-{way}"
        self.speaks_tls = way == "fields"  # the faster one will do
        self.title = f"rsyslog, {title}"
        self.version = _package_version("rsyslog")

    def command(self, framing, transport):
        [modules] = glob.glob(
            os.path.join(PEERS, "usr/lib/*-linux-gnu*/rsyslog"))
        return [os.path.join(PEERS, "usr/sbin/rsyslogd"), "-n", "-C",
                "-iNONE", "-M", modules,
                "-f", os.path.join(HERE, "peers", f"{self.key}.conf")]


class SyslogNg(Peer):
    speaks_tls = True
    key, title = "syslog-ng", "syslog-ng, db-parser"
    udp_rate = 50_000

    def __init__(self):
        super().__init__()
        self.version = _package_version("syslog-ng-core")

    def command(self, framing, transport):
        [modules] = glob.glob(
            os.path.join(PEERS, "usr/lib/syslog-ng/[0-9]*"))
        return [os.path.join(PEERS, "usr/sbin/syslog-ng"), "-F", "--no-caps",
                f"--module-path={modules}",
                "-f", os.path.join(HERE, "peers/syslog-ng.conf"),
                "-R", self.path("persist"), "-p", self.path("pid"),
                "-c", self.path("control")]

    def environment(self, framing, transport):
        tls = (f'tls(key-file("{self.path("key.pem")}") '
               f'cert-file("{self.path("cert.pem")}") '
               "peer-verify(optional-untrusted))")
        return dict(
            super().environment(framing, transport),
            BENCH_TLS=tls if transport == "tls" else "",
            BENCH_STREAM="tls" if transport == "tls"
            else "framed" if framing == "counted" else "tcp",
            BENCH_THREADED="no" if transport == "udp" else "yes")


def peers():
    """Those of them that could be unpacked here."""
    if not os.path.exists(os.path.join(PEERS, ".complete")):
        return []
    return [Rsyslog("mmnormalize", "mmnormalize"),
            Rsyslog("fields", "field extraction"),
            SyslogNg()]
