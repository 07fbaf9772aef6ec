"""What is in the messages, and what the clock says: F40 to F50."""

import glob
import json
import os
import re
import socket
import subprocess
import threading
import time

import harness
from harness import connect, message
from lab import Meter, borrow, row, sanitized, skip

FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1"


@row("F40", "fuzz: all parsers",
     "0 crashes, 0 sanitizer reports, no input > 100 ms, RSS <= 256 MiB",
     times=(None, 60, 600), seconds=1700, inside=False)
def f40(lab, seconds):
    harness.need("clang", "cmake")
    done = subprocess.run(
        ["sh", os.path.join(harness.ROOT, "tests/fuzz/run.sh"), str(seconds)],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, check=False)
    runs = [int(n) for n in re.findall(r"(\d+) runs", done.stdout)]
    lab.assertEqual(done.returncode, 0, done.stdout[-800:])
    inputs, slowest, memory = as_packaged(lab)
    return (f"{len(runs)} targets, {seconds} s each: {sum(runs)} runs, 0 "
            f"findings; {inputs} seeds, inputs of the corpora and what was "
            f"found to be new, as packaged: {slowest:.0f} ms of processor "
            f"time at most, {memory} MiB")


def as_packaged(lab):
    """The limits are of the program without sanitizers."""
    inputs = slowest = memory = 0
    for name in sorted(glob.glob(os.path.join(
            harness.ROOT, "build/fuzz/tests/fuzz/fuzz_*.seeds"))):
        target = os.path.basename(name)[len("fuzz_"):-len(".seeds")]
        with open(name, encoding="utf-8") as file:
            seeds = file.read().split()
        done = subprocess.run(
            [os.path.join(harness.ROOT, "build/release/tests/fuzz",
                          f"fuzz_{target}"), "-w", *seeds,
             os.path.join(harness.ROOT, "build/fuzz/corpus", target)],
            check=False, text=True, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE)
        lab.assertEqual(done.returncode, 0, target)
        count, milliseconds, kib = re.search(
            r"(\d+) inputs, the slowest (\S+) ms, (\d+) KiB",
            done.stdout).groups()
        lab.assertLessEqual(float(milliseconds), 100, target)
        lab.assertLessEqual(int(kib), 256 << 10, target)
        inputs += int(count)
        slowest = max(slowest, float(milliseconds))
        memory = max(memory, int(kib) >> 10)
    lab.assertGreater(inputs, 0)
    return inputs, slowest, memory


@row("F41", "known CVEs and bug reports",
     "all pass, with the address sanitizer", times=(None, 1, 1), seconds=300)
def f41(_lab, _times):
    with open(os.path.join(harness.ROOT, "tests/cves.md"),
              encoding="utf-8") as file:
        count = sum(line.startswith("| [") for line in file)
    return (f"{count} of them, with ASan and UBSan: "
            + borrow("cves.py", program=sanitized()))


# --- F43, F44 ----------------------------------------------------------------

@row("F43", "endless frame; octet counts that are none",
     "RSS + <= 1 MiB; one truncated record, or closed; the next connection "
     "fine", times=(64, 64, 1024), seconds=120)
def f43(lab, megabytes):
    sepmlogd = lab.idle("endless").start()
    with connect(sepmlogd.port) as peer:
        peer.sendall(b"<13>" + b"y" * 200_000 + b"\n")
    sepmlogd.spool.wait_records(1)
    meter = Meter(sepmlogd, 0.02)
    meter.start()
    piece = b"x" * (1 << 20)
    with connect(sepmlogd.port, timeout=60) as peer:
        peer.sendall(b"<13>")
        for _ in range(megabytes):
            peer.sendall(piece)
    for count in (b"0", b"007", b"99999999999999999999", b"2147483648",
                  b"4294967301"):
        with connect(sepmlogd.port) as peer:
            try:
                peer.sendall(count + b" " + message("c", 0) + b"\n")
                peer.shutdown(socket.SHUT_WR)
            except OSError:
                continue  # closed, which is as good
    harness.send_tcp(sepmlogd.port, "g", 100)
    harness.wait_until(lambda: len(sepmlogd.spool.numbers()["g"]) == 100,
                       "the next connection is fine")
    grown = meter.stop()
    sepmlogd.stop_cleanly()
    cut = [r for r in sepmlogd.spool.records()
           if r.get("original_length", 0) > megabytes << 20]
    said = (f"{megabytes} MiB without an end: {len(cut)} truncated record, "
            f"RSS +{grown:.2f} MiB")
    lab.assertEqual(len(cut), 1, said)
    lab.assertLessEqual(grown, 1.0, said)
    return said


@row("F44", "oversize, UDP and TCP in both framings",
     "prefix kept, `truncated` with the original length, next frame intact",
     times=(None, 1, 1))
def f44(_lab, _times):
    return borrow("framing.py", "Framing."
                  "test_oversize_keeps_its_beginning_and_the_next_frame",
                  "Framing.test_datagrams_of_any_size")


# --- F50 ---------------------------------------------------------------------

JUMPS = ("2026-11-26 12:00:00", "2026-11-24 12:00:00", "2036-11-25 12:00:00",
         "2016-11-25 12:00:00", "2038-01-19 03:14:06", "2026-12-31 23:59:58",
         "2028-02-29 12:00:00")


@row("F50", "clock jumps: a day, ten years, 2038, New Year, Feb 29",
     "a file each 0.8 to 2.3 s with age 1s; an unfinished frame is closed "
     "after 60 +-5 s; order of names kept; year within +-6 months of the "
     "receipt; 0 lost", times=(None, 1, 1))
def f50(lab, _):
    if not os.path.exists(FAKETIME):
        skip("libfaketime is not installed")
    stamp = os.path.join(lab.directory, "daemon", "spool", ".clock")
    sepmlogd = lab.idle(
        "daemon", spool_options="rotate: { age: 1s }\ncompress: none\n",
        wrap=["env", f"LD_PRELOAD={FAKETIME}",
              f"FAKETIME_TIMESTAMP_FILE={stamp}", "FAKETIME_NO_CACHE=1",
              "DONT_FAKE_MONOTONIC=1", "FAKETIME_DONT_FAKE_MONOTONIC=1"])
    os.makedirs(sepmlogd.spool_path, mode=0o750)
    set_clock(stamp, "2026-11-25 12:00:00")
    sepmlogd.start()
    peer = lab.enterContext(connect(sepmlogd.port))
    peer.sendall(b"<13>unfinished")
    begun = time.monotonic()
    sender = harness.Sender(sepmlogd.port, "j", 500)
    sender.start()
    arrivals = Arrivals(sepmlogd.spool)
    arrivals.start()
    time.sleep(1.5)
    for jump in JUMPS:
        set_clock(stamp, jump)
        # At any moment of a file's life.
        time.sleep(2.7)
    intervals = arrivals.stop()
    sender.stop()
    lab.assertTrue(harness.is_closed(peer, 70), "an unfinished frame stays")
    closed = time.monotonic() - begun
    sepmlogd.stop_cleanly()
    lab.assert_complete(sepmlogd.spool.numbers(), {"j": sender.sent})
    records = [r for path in sepmlogd.spool.ready("traffic")
               for r in map(json.loads,
                            harness.read_file(path).splitlines())]
    order = [int(r["user"].partition("-")[2]) for r in records]
    lab.assertEqual(order, sorted(order), "the order of names")
    seen = {r["received"][:4] for r in records}
    lab.assertLessEqual({"2016", "2026", "2028", "2036", "2038"}, seen,
                        "the clock did not jump")
    for record in records:
        lab.assertLessEqual(months_apart(record), 6.1, record)
    said = (f"{len(JUMPS)} jumps: {len(intervals) + 1} files, one each "
            f"{min(intervals):.1f} to {max(intervals):.1f} s; an unfinished "
            f"frame closed after {closed:.0f} s; names in order, years near "
            f"the receipt; 0 of {sender.sent} lost")
    lab.assertGreaterEqual(len(intervals), len(JUMPS), said)
    lab.assertGreaterEqual(min(intervals), 0.8, said)
    # A file is old enough when it is looked at, once a second.
    lab.assertLessEqual(max(intervals), 2.3, said)
    lab.assertTrue(55 <= closed <= 65, said)
    return said


class Arrivals(threading.Thread):
    """Notes when files of the traffic stream are published."""

    def __init__(self, spool):
        super().__init__(daemon=True)
        self.spool, self.times = spool, {}
        self._end = threading.Event()

    def run(self):
        while not self._end.wait(0.005):
            for path in self.spool.ready("traffic"):
                self.times.setdefault(path, time.monotonic())

    def stop(self):
        """Seconds between them."""
        self._end.set()
        self.join(10)
        times = sorted(self.times.values())
        return [after - before for before, after in zip(times, times[1:])]


def set_clock(path, text):
    with open(path + ".new", "w", encoding="ascii") as file:
        file.write("@" + text + "\n")
    os.rename(path + ".new", path)


def months_apart(record):
    """Between the header's time, whose year is ours, and the receipt."""
    def months(text):
        return int(text[:4]) * 12 + int(text[5:7]) + int(text[8:10]) / 31
    return abs(months(record["time"]) - months(record["received"]))
