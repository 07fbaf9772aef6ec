"""sepmlogd under measurement: what it costs the processor and in memory, and
whether it stored what it was sent.
"""

import contextlib
import dataclasses
import os
import re
import socket
import struct
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "system"))
import harness  # noqa: E402  (found by the line above)

QUIET = 0.25        # seconds without work: all is done
QUIET_CPU = 0.001   # seconds of processor time that are no work
IDLE_TIMEOUT = 120.0
CPUCLOCK_SCHED = 2  # of the whole process: clock_getcpuclockid(3)


class Wrong(Exception):
    """The daemon did not store what it was sent: no figure is worth it."""


def streams(count=1):
    """Configuration of streams that all take every record."""
    return "streams:\n" + "".join(
        f"  - {{ name: all{n}, types: [all] }}\n" for n in range(count))


class Meter(harness.Daemon):
    """The daemon as packaged. Its published files are deleted as they come,
    as an uploader would, so that no run fills the disk."""

    def __init__(self, directory, config=None, spool_options="", **options):
        super().__init__(
            directory, program=harness.need_release(),
            config=streams() if config is None else config,
            spool_options="quota: 0\ncompress: none\n" + spool_options,
            **options)
        self._uploader = threading.Thread(target=self._upload, daemon=True)
        self._end = threading.Event()

    def start(self, wait=True):
        super().start(wait)
        self._uploader.start()
        return self

    def _upload(self):
        while not self._end.wait(0.05):
            for path in self.spool.ready():
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(path)

    def stop_and_check(self, **expected):
        """Stops it. `expected` are counters as it logs them, with `_` for
        spaces."""
        self._end.set()
        self._uploader.join()
        self.stop_cleanly()
        counters = self.counters()
        for name, count in expected.items():
            told = counters[name.replace("_", " ")]
            if told != count:
                raise Wrong(f"{name}: {told} instead of {count}\n"
                            + self.log()[-2000:])

    def cpu(self):
        """Seconds of processor time, all threads, to the nanosecond."""
        return time.clock_gettime(~self.pid << 3 | CPUCLOCK_SCHED)

    def both_memories(self):
        """Resident bytes, and those with shared and repeated mappings of a
        page counted as one."""
        with open(f"/proc/{self.pid}/smaps_rollup", encoding="ascii") as file:
            text = file.read()
        return [int(re.search(rf"^{name}:\s*(\d+)", text, re.M)[1]) * 1024
                for name in ("Rss", "Pss")]

    def wait_idle(self):
        """Until nothing is read, written or synced any more."""
        end = time.monotonic() + IDLE_TIMEOUT
        while time.monotonic() < end:
            before = self.cpu()
            time.sleep(QUIET)
            if (self.cpu() - before < QUIET_CPU and
                    not self._waits_for_disk()):
                return
        raise Wrong("still busy:\n" + self.log()[-2000:])

    def _waits_for_disk(self):
        for task in os.listdir(f"/proc/{self.pid}/task"):
            with open(f"/proc/{self.pid}/task/{task}/stat",
                      encoding="ascii") as file:
                if file.read().rpartition(")")[2].split()[0] == "D":
                    return True
        return False


def costs(meter, send, warm_up, pieces):
    """Microseconds of processor time for each message, once for each of
    `pieces`, which are counts for send(count); the daemon is warm by then.
    And how many messages it got in all."""
    found = []
    total, _ = send(warm_up)
    meter.wait_idle()
    for count in pieces:
        before = meter.cpu()
        messages, _ = send(count)
        meter.wait_idle()
        found.append((meter.cpu() - before) / messages * 1e6)
        total += messages
    return found, total


def interleaved(rows, rounds, run, progress):
    """{row: what run(row) found in all rounds}. Every other round goes
    backwards, so that a machine that becomes slower does it to all rows."""
    found = {row: [] for row in rows}
    for n in range(rounds):
        for row in (rows if n % 2 == 0 else rows[::-1]):
            progress(f"round {n + 1} of {rounds}: {row}")
            found[row] += run(row)
    return found


# --- the kernel --------------------------------------------------------------

SO_RCVBUFFORCE, SO_MEMINFO = 33, 55  # asm-generic/socket.h
MEMINFO_DROPS = 8                    # linux/sock_diag.h


def receive_buffer(sock, size):
    """Sets it as the daemon does: beyond net.core.rmem_max if it may."""
    try:
        sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, size)
    except PermissionError:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)


def socket_drops(sock):
    """Datagrams that the socket had no room for."""
    info = sock.getsockopt(socket.SOL_SOCKET, SO_MEMINFO,
                           4 * (MEMINFO_DROPS + 1))
    return struct.unpack_from("=I", info, 4 * MEMINFO_DROPS)[0]


def kernel_memory():
    """Bytes of the kernel's own objects, and of sockets' queues."""
    with open("/proc/meminfo", encoding="ascii") as file:
        slab = int(re.search(r"^Slab:\s*(\d+)", file.read(), re.M)[1]) * 1024
    with open("/proc/net/sockstat", encoding="ascii") as file:
        pages = int(re.search(r"^TCP:.* mem (\d+)", file.read(), re.M)[1])
    return slab + pages * os.sysconf("SC_PAGE_SIZE")


# --- strace ------------------------------------------------------------------

@dataclasses.dataclass
class Call:
    name: str
    start: float
    end: float
    text: str


_CALL = re.compile(r"(\d+) +(\d+\.\d+) (\w+)\((.*?)(<unfinished \.\.\.>|"
                   r"\) += .*<(\d+\.\d+)>)$")
_RESUMED = re.compile(r"(\d+) +(\d+\.\d+) <\.\.\. (\w+) resumed>.*"
                      r"<(\d+\.\d+)>$")


def traced_calls(path):
    """The calls that `strace -f -ttt -T -o path` saw, by their end."""
    calls, unfinished = [], {}
    with open(path, encoding="utf-8", errors="replace") as file:
        for line in file:
            line = line.rstrip("\n")
            if match := _CALL.match(line):
                pid, at, name, text, _, took = match.groups()
                if took is None:
                    unfinished[pid] = float(at), text
                else:
                    calls.append(Call(name, float(at),
                                      float(at) + float(took), text))
            elif (match := _RESUMED.match(line)) and match[1] in unfinished:
                start, text = unfinished.pop(match[1])
                calls.append(Call(match[3], start, start + float(match[4]),
                                  text))
    return sorted(calls, key=lambda call: call.end)
