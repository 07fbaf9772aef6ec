"""One run: a receiver, a load, and what it cost."""

import contextlib
import json
import os
import re
import subprocess
import time

from receivers import bench_tool

_TICK = os.sysconf("SC_CLK_TCK")
_QUIET = 0.4      # seconds without a change: the receiver has done all
_GIVE_UP = 300.0  # seconds for a receiver to finish what it was sent


def load(port, count, transport="tcp", framing="lf", sockets=1, rate=0,
         corpus=100_000):
    """Sends, and answers what sepmload reports."""
    command = [bench_tool("sepmload"), "--count", str(count),
               "--sockets", str(sockets), "--corpus", str(corpus)]
    if transport == "udp":
        command += ["--udp", "--rate", str(rate)]
    else:
        command += ["--tls"] if transport == "tls" else []
        command += ["--counted"] if framing == "counted" else []
    return _report(subprocess.run(
        command + [str(port)], stdout=subprocess.PIPE, check=True).stdout)


def corpus(count):
    """The lines of the corpus."""
    dump = subprocess.run(
        [bench_tool("sepmload"), "--dump", "--corpus", str(count)],
        stdout=subprocess.PIPE, check=True).stdout
    return dump.decode().split("\n")[:-1]


def _report(output):
    return json.loads(output)


# --- processor and memory ----------------------------------------------------

def _cpu(pid):
    """Seconds of processor time of a process with all its threads."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICK


def _peak_memory(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return int(re.search(r"VmHWM:\s*(\d+)", file.read())[1]) * 1024


def _machine_cpu():
    """Seconds that all processors have worked, stolen time included: that is
    other work, too."""
    with open("/proc/stat", encoding="ascii") as file:
        user, nice, system, _, _, irq, softirq, steal = map(
            int, file.readline().split()[1:9])
    return (user + nice + system + irq + softirq + steal) / _TICK


def _own_cpu():
    """Of this program and of the load that it has waited for."""
    return sum(os.times()[:4])


class _Meter:
    """What a receiver, and everyone else, has used since it was made."""

    def __init__(self, receiver):
        self._receiver = receiver
        self._before = self._read()

    def _read(self):
        return (time.monotonic(), _cpu(self._receiver.process.pid),
                _machine_cpu(), _own_cpu())

    def read(self):
        """The receiver's seconds, and how many processors others took."""
        wall, cpu, machine, own = (
            after - before for after, before in zip(self._read(), self._before))
        return cpu, max(0.0, machine - cpu - own) / wall


def _settle(receiver, meter):
    """Waits until neither output nor processor time move, and answers what
    the meter said when they last did."""
    end = time.monotonic() + _GIVE_UP
    seen = since = reading = None
    while time.monotonic() < end:
        cpu = _cpu(receiver.process.pid)
        now = (receiver.size(), cpu)
        # A tick in between is a timer, no work.
        if seen is None or now[0] != seen[0] or cpu - seen[1] > 1.5 / _TICK:
            seen, since, reading = now, time.monotonic(), meter.read()
        elif time.monotonic() - since > _QUIET:
            return reading
        time.sleep(0.02)
    raise RuntimeError(f"{receiver.title} is not done after {_GIVE_UP:g} s")


def _receive_buffer(port):
    """What the kernel gave to the UDP socket, in bytes."""
    sockets = subprocess.run(
        ["ss", "-Hlunm", f"sport = :{port}"], stdout=subprocess.PIPE,
        text=True, check=True).stdout
    return int(re.search(r"rb(\d+)", sockets)[1])


# --- what has arrived --------------------------------------------------------

_UNPACK = {".gz": ["gzip", "-dc"], ".zst": ["zstd", "-dcq"]}


@contextlib.contextmanager
def _plain(paths):
    """A stream of the plain bytes of all files."""
    if not paths:
        raise RuntimeError("nothing was stored")
    reader = _UNPACK.get(os.path.splitext(paths[0])[1], ["cat", "--"])
    with subprocess.Popen(reader + paths, stdout=subprocess.PIPE) as process:
        yield process.stdout
    if process.returncode:
        raise RuntimeError(f"{paths[0]} cannot be read")


def lines(receiver):
    """The lines of its output."""
    with _plain(receiver.stored()) as stream:
        yield from stream


def _tally(receiver, count):
    with _plain(receiver.stored()) as stream:
        return _report(subprocess.run(
            [bench_tool("tally"), str(count)], stdin=stream,
            stdout=subprocess.PIPE, check=True).stdout)


def _floor_tally(receiver, sent, transport):
    """The floor does not look at lines: bytes, or datagrams, tell."""
    with open(receiver.path("report"), "rb") as file:
        report = _report(file.read())
    arrived = report["datagrams"] if transport == "udp" else (
        sent["sent"] if report["bytes"] == sent["bytes"] else 0)
    return report["last"], {"lines": arrived, "distinct": arrived,
                            "repeated": 0, "unnumbered": 0}


def check_ids(receiver):
    """Whether the ids in sepmlogd's first and last file have no gap, and the
    files none between them. Compressed files are not looked into."""
    paths = receiver.stored()
    segments = [int(re.search(r"-(\d+)\.jsonl", path)[1]) for path in paths]
    if segments != list(range(segments[0], segments[0] + len(segments))):
        raise RuntimeError(f"the spool's files are not in a row: {segments}")
    for path, segment in {paths[0]: segments[0],
                          paths[-1]: segments[-1]}.items():
        instance = os.path.basename(path).split("-")[1]
        with open(path, "rb") as file:
            for row, line in enumerate(file, 1):
                want = f'"id":"{instance}-all-{segment}-{row}"'.encode()
                if want not in line:
                    raise RuntimeError(f"{path}:{row}: no {want}")


# --- a run -------------------------------------------------------------------

def run(receiver, directory, count, transport="tcp", framing="lf", **options):
    """Measures once, and answers a dictionary of what came out."""
    with receiver.start(directory, framing, transport):
        buffer = _receive_buffer(receiver.port)
        meter = _Meter(receiver)
        sent = load(receiver.port, count, transport, framing, **options)
        cpu, others = _settle(receiver, meter)
        size, last = receiver.size()
        seconds = last - sent["start"]
        asked = time.time()
        if receiver.publish():
            cpu, others = _settle(receiver, meter)
            size, last = receiver.size()
            seconds += last - asked
        memory = _peak_memory(receiver.process.pid)
    if receiver.parses:
        arrived = _tally(receiver, sent["sent"])
    else:
        last, arrived = _floor_tally(receiver, sent, transport)
        seconds = last - sent["start"]
    return {
        "receiver": receiver.key, "sent": sent["sent"],
        "sent_bytes": sent["bytes"], "stored_bytes": size,
        "seconds": seconds, "rate": arrived["lines"] / seconds,
        "send_seconds": sent["seconds"],
        "send_rate": sent["sent"] / sent["seconds"], "send_cpu": sent["cpu"],
        "cpu_per_million": cpu / max(arrived["lines"], 1) * 1e6,
        "memory": memory, "receive_buffer": buffer, "others": others,
        "lost": sent["sent"] - arrived["distinct"],
        "repeated": arrived["repeated"], "unnumbered": arrived["unnumbered"],
    }
