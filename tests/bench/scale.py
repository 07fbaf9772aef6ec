"""How cost grows with work, and how long things take: what scale.sh runs.

    python3 tests/bench/scale.py [--quick] [question ...]

Prints a Markdown section for each question, with its target and whether it is
met, and says on standard error what is running. Status 0: all are met; 1: some
are missed; 3: a run went wrong.

Costs are processor time of the whole daemon, all threads, user and system.
Other work on a machine makes it slower and never faster, by more than the 10 %
that are looked for here. So there are many short runs, the rows take turns,
and what is compared is the least cost of each row.
"""

import argparse
import contextlib
import os
import platform
import resource
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import zoneinfo

import measure
from scale_load import (LOOPBACK, TcpLoad, UdpLoad, blocks, events, packets)
from scale_meter import (Meter, Wrong, costs, harness, interleaved,
                         kernel_memory, receive_buffer, socket_drops, streams,
                         traced_calls)

FLAT = 1.10             # of the first row
MILLION = 1_000_000
MIB = 1 << 20
CORPUS = 20_000         # distinct messages
LIMITS = "max_connections: 65536\nmax_connections_per_source: 65536\n"


class Bench:
    """Options, a place for spools, and the targets met so far."""

    def __init__(self, options, directory):
        self.quick = options.quick
        self.long_run = options.long_run
        self.directory = directory
        self.rounds = options.rounds or (3 if self.quick else 7)
        self.pieces = [100_000] * (3 if self.quick else 5)
        self.warm_up = 50_000
        self.missed = 0
        self._question = ""

    def section(self, title, target):
        self._question = title
        print(f"\n### {title}\n\nTarget: {target}.\n", flush=True)

    def progress(self, text):
        print(f"{self._question}: {text}", file=sys.stderr, flush=True)

    def verdict(self, met, text):
        self.missed += not met
        print(f"\n{'Met' if met else '**Missed**'}: {text}.", flush=True)

    @contextlib.contextmanager
    def meter(self, config=None, **options):
        """A running daemon with an empty spool, which is removed."""
        directory = tempfile.mkdtemp(dir=self.directory)
        try:
            with Meter(directory, config, **options) as meter:
                yield meter
        finally:
            shutil.rmtree(directory, ignore_errors=True)


def corpus():
    return [line.encode() for line in measure.corpus(CORPUS)]


def table(head, rows):
    print(f"| {' | '.join(head)} |")
    print("|" + " ---: |" * len(head))
    for row in rows:
        print(f"| {' | '.join(str(cell) for cell in row)} |")


def others(costs_of_row):
    """Besides the least."""
    return f"{statistics.median(costs_of_row):.3f}, {max(costs_of_row):.3f}"


def spread(values, form):
    """The median, and the least and the most."""
    middle = format(statistics.median(values), form)
    return f"{middle} ({min(values):{form}} - {max(values):{form}})"


# --- cost as work grows ------------------------------------------------------

def grows(bench, what, rows, run, unit="message"):
    """Tables run(row), costs in microseconds, which are to stay flat."""
    found = interleaved(rows, bench.rounds, run, bench.progress)
    least = {row: min(found[row]) for row in rows}
    ratios = {row: least[row] / least[rows[0]] for row in rows}
    table((what, f"CPU us per {unit}, least", "median, most", "of the first"),
          [(f"{row:,}", f"{least[row]:.3f}", others(found[row]),
            f"{ratios[row]:.2f}") for row in rows])
    worst = max(rows, key=ratios.get)
    bench.verdict(ratios[worst] <= FLAT,
                  f"at most {ratios[worst]:.2f} of the first, at {worst:,}")


def connections(bench):
    """CPU per message with 1 to 1,000 TCP connections"""
    made = blocks(corpus())

    def run(row):
        with bench.meter(LIMITS + streams()) as meter:
            load = TcpLoad(meter.port, row)
            found, sent = costs(meter, lambda n: load.send(made, n),
                                bench.warm_up, bench.pieces)
            load.close()
            meter.stop_and_check(received_by_tcp=sent, lines_stored=sent)
        return found

    bench.section("CPU per message over more TCP connections",
                  "no more than 10 % above one connection")
    grows(bench, "connections", [1, 10, 100, 1000], run)


def sources(bench):
    """CPU per message from 1 to 64 sources with their own zones"""
    rows = [1, 4, 16, 64]
    messages = corpus()
    lines, datagrams = blocks(messages), packets(messages)
    rate = 100_000

    def by_tcp(row):
        addresses = [f"127.0.0.{n + 1}" for n in range(row)]
        with bench.meter(LIMITS + zones(row) + streams()) as meter:
            load = TcpLoad(meter.port, 64, addresses)
            found, sent = costs(meter, lambda n: load.send(lines, n),
                                bench.warm_up, bench.pieces)
            load.close()
            meter.stop_and_check(received_by_tcp=sent, lines_stored=sent)
        return found

    def by_udp(row):
        addresses = [f"127.0.0.{n + 1}" for n in range(row)]
        with bench.meter(zones(row) + streams()) as meter:
            load = UdpLoad(meter.port, addresses)
            found, sent = costs(
                meter, lambda n: load.send(datagrams, n, rate),
                bench.warm_up, bench.pieces)
            load.close()
            meter.stop_and_check(received_by_udp=sent, lines_stored=sent)
        return found

    target = "no more than 10 % above one source"
    bench.section("CPU per message from more sources, each with its zone, "
                  "over 64 TCP connections", target)
    grows(bench, "sources", rows, by_tcp)
    bench.section("The same by UDP, "
                  f"{rate:,} messages/s, the sources in turn", target)
    grows(bench, "sources", rows, by_udp)


def zones(count):
    """Configuration of sources from 127.0.0.1 on, with different zones."""
    names = sorted(name for name in zoneinfo.available_timezones()
                   if name.startswith(("Africa/", "America/", "Asia/",
                                       "Australia/", "Europe/", "Pacific/")))
    names = names[::len(names) // 64]
    return "sources:\n" + "".join(
        f"  - {{ from: 127.0.0.{n + 1}, timezone: {names[n]} }}\n"
        for n in range(count))


def sizes(bench):
    """CPU per byte of messages of 100 B to 4 KiB"""
    rows = [100, 200, 500, 1000, 2000, 4096]
    made = {size: blocks(events(size)) for size in rows}

    def run(size):
        pieces = [min(n, n * 1000 // size) for n in bench.pieces]
        with bench.meter() as meter:
            load = TcpLoad(meter.port)
            found, sent = costs(meter, lambda n: load.send(made[size], n),
                                pieces[0], pieces)
            load.close()
            meter.stop_and_check(received_by_tcp=sent, lines_stored=sent)
        return found

    bench.section("CPU by size of the message, one TCP connection",
                  "the same for each byte +-10 %, or a constant for each "
                  "message and a slope for each byte that tell it +-10 %")
    found = interleaved(rows, bench.rounds, run, bench.progress)
    least = {size: min(found[size]) for size in rows}
    constant, slope = line_through(least)
    off = {size: least[size] / (constant + slope * size) - 1
           for size in rows}
    table(("bytes", "CPU us per message, least", "median, most",
           "CPU ns per byte", "constant + slope", "off"),
          [(f"{size:,}", f"{least[size]:.3f}", others(found[size]),
            f"{least[size] / size * 1000:.2f}",
            f"{constant + slope * size:.3f}", f"{off[size]:+.0%}")
           for size in rows])
    per_byte = [least[size] / size for size in rows]
    flat = max(per_byte) <= 1.1 / 0.9 * min(per_byte)
    bench.verdict(
        flat or max(map(abs, off.values())) <= 0.10,
        f"{constant:.3f} us for each message and {slope * 1000:.2f} ns for "
        "each byte; " + ("flat for each byte" if flat else "not flat for "
                         "each byte, because of what each message costs"))


def line_through(points):
    """(constant, slope) with the least relative error, squared."""
    weights = {x: 1 / y ** 2 for x, y in points.items()}
    total = sum(weights.values())
    x_mean = sum(w * x for x, w in weights.items()) / total
    y_mean = sum(w * points[x] for x, w in weights.items()) / total
    slope = (sum(w * (x - x_mean) * (points[x] - y_mean)
                 for x, w in weights.items())
             / sum(w * (x - x_mean) ** 2 for x, w in weights.items()))
    return y_mean - slope * x_mean, slope


def fan_out(bench):
    """CPU per record written with 1 to 8 streams that take every record"""
    made = blocks(corpus())

    def run(row):
        with bench.meter(streams(row)) as meter:
            load = TcpLoad(meter.port)
            found, sent = costs(meter, lambda n: load.send(made, n),
                                bench.warm_up,
                                [n // row for n in bench.pieces])
            load.close()
            meter.stop_and_check(received_by_tcp=sent, lines_stored=sent * row)
        return [spent / row for spent in found]

    bench.section("CPU per record written, with more streams that all take "
                  "every record", "no more than 10 % above one stream")
    grows(bench, "streams", [1, 2, 4, 8], run, "record")


# --- memory ------------------------------------------------------------------

def long_run(bench):
    """Memory over a long run"""
    count = bench.long_run or (2 * MILLION if bench.quick else 100 * MILLION)
    bench.section(f"Memory over {count:,} messages, 4 TCP connections",
                  "+-2 MiB after the first million")
    made = blocks(corpus())
    samples = []  # (messages sent, resident bytes, bytes of its own)
    with bench.meter() as meter:
        load = TcpLoad(meter.port, 4)
        sender = threading.Thread(target=load.send, args=(made, count))
        start = told = time.monotonic()
        sender.start()
        while sender.is_alive():
            samples.append((load.sent, *meter.both_memories()))
            if time.monotonic() > told + 10:
                told = time.monotonic()
                bench.progress(f"{load.sent / MILLION:.0f} million")
            time.sleep(0.05)
        seconds = time.monotonic() - start
        meter.wait_idle()
        samples.append((load.sent, *meter.both_memories()))
        load.close()
        meter.stop_and_check(received_by_tcp=load.sent, lines_stored=load.sent)
    later = [memories for sent, *memories in samples if sent >= MILLION]
    resident, own = zip(*later)
    print(f"{load.sent / seconds:,.0f} messages/s.\n")
    table(("MiB", "at the first million", "least since", "most since",
           "at the end"),
          [(name, *(f"{value / MIB:.1f}" for value in
                    (values[0], min(values), max(values), values[-1])))
           for name, values in (("RSS", resident), ("PSS", own))])
    bench.verdict(departure(own) <= 2 * MIB,
                  f"PSS is {departure(own) / MIB:.1f} MiB away from it at "
                  f"most. (RSS, {departure(resident) / MIB:.1f} MiB, counts "
                  "what is touched through both mappings of a stream's "
                  "buffer twice, up to its size.)")


def departure(values):
    """How far they come away from the first."""
    return max(max(values) - values[0], values[0] - min(values))


def idle(bench):
    """Memory and CPU of 10,000 idle connections"""
    count, seconds = 10_000, 5
    raise_descriptors(count + 200)
    bench.section(f"{count:,} idle TCP connections",
                  "at most 4 KiB each of the process's memory, and no CPU "
                  f"that can be measured over {seconds} s (10 ms, the "
                  "kernel's tick)")
    made = blocks(corpus())
    with bench.meter(LIMITS + streams(), descriptors=count + 200) as meter:
        first = TcpLoad(meter.port)
        sent, _ = first.send(made, 200_000)  # touches all buffers
        meter.wait_idle()
        memory, kernel = meter.memory(), kernel_memory()
        alone = meter.cpu_share(seconds) * seconds
        bench.progress("connecting")
        many = TcpLoad(meter.port, count)
        line = harness.message("idle", 1) + b"\n"
        for peer in many.peers:
            peer.send(line)
        meter.wait_idle()
        memory, kernel = meter.memory() - memory, kernel_memory() - kernel
        idling = meter.cpu_share(seconds) * seconds
        many.close()
        first.close()
        meter.stop_and_check(received_by_tcp=sent + count,
                             lines_stored=sent + count)
    table(("bytes each, process", "bytes each, kernel, both ends",
           f"CPU ms in {seconds} s", "without them"),
          [(f"{memory / count:,.0f}", f"{kernel / count:,.0f}",
            f"{idling * 1000:.1f}", f"{alone * 1000:.1f}")])
    bench.verdict(memory <= 4096 * count and idling - alone < 0.010,
                  f"{memory / count:,.0f} bytes and "
                  f"{(idling - alone) * 1000:.1f} ms more CPU; each has sent "
                  "one message before")


def raise_descriptors(count):
    """For this process; the daemon gets its own in the same way."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, max(count, hard)))
    except (ValueError, OSError) as error:
        raise Wrong(f"{count} descriptors are needed (ulimit -Hn): {error}")


# --- time --------------------------------------------------------------------

RATE = 1000             # messages/s
LATENCIES = 0.005, 0.020
INTERVAL = 0.100        # spool.commit.interval, its default
SLACK = 0.005           # of timers, and of strace


def latency(bench):
    """From send to a line in the live file, and to its commit"""
    count = RATE * (5 if bench.quick else 30)
    bench.section(f"Latency at {RATE:,} messages/s, one TCP connection, from "
                  "send to the line in the live `traffic.jsonl`",
                  "median 5 ms, 99 % within 20 ms")
    fine_timers()
    with bench.meter("") as meter:
        took = sorted(follow(meter, count))
        meter.wait_idle()
        meter.stop_and_check(received_by_tcp=count, lines_stored=count)
    middle, most = took[count // 2], took[count * 99 // 100]
    table(("messages", "median ms", "99 % ms", "99.9 % ms", "most ms"),
          [(f"{count:,}", *(f"{value * 1000:.2f}" for value in
                            (middle, most, took[count * 999 // 1000],
                             took[-1])))])
    bench.verdict(middle <= LATENCIES[0] and most <= LATENCIES[1],
                  f"{middle * 1000:.2f} ms and {most * 1000:.2f} ms")
    commit(bench, count)


def fine_timers():
    """Sleeps that end when they should; the default is 50 us late."""
    with open("/proc/self/timerslack_ns", "w", encoding="ascii") as file:
        file.write("1000")


def follow(meter, count):
    """Sends `count` messages, one each 1/RATE s, while reading the live file
    as `tail -f` does; answers what each took in seconds."""
    sent, took, rest = [], [], b""
    path = os.path.join(meter.spool_path, "traffic.jsonl")
    with open(path, "rb", buffering=0) as live, \
            harness.connect(meter.port) as peer:
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        start = time.monotonic()
        while len(took) < count:
            now = time.monotonic()
            if len(sent) < count and now >= start + len(sent) / RATE:
                sent.append(now)
                peer.sendall(harness.message("l", len(sent) - 1) + b"\n")
            data = live.read(MIB)
            now = time.monotonic()
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                if b'"user":"l-%d"' % len(took) not in line:
                    raise Wrong(f"message {len(took)} is not the next line")
                took.append(now - sent[len(took)])
            if now > start + count / RATE + 60:
                raise Wrong(f"{len(took)} of {count} messages after a minute")
            time.sleep(50e-6)
    return took


def commit(bench, count):
    """A write to the live file has to be followed by a sync in time."""
    bench.section(f"Commit at {RATE:,} messages/s: from the `write` of a "
                  "record to the end of the `fdatasync` after it, by strace",
                  f"within commit.interval ({INTERVAL * 1000:.0f} ms) and one "
                  f"fdatasync ({SLACK * 1000:.0f} ms for timers and strace)")
    if not shutil.which("strace"):
        print("Not measured: strace is not installed.")
        return
    with bench.meter("") as meter:
        trace = os.path.join(meter.directory, "strace")
        strace = subprocess.Popen(
            ["strace", "-f", "-y", "-s", "0", "-ttt", "-T", "-o", trace,
             "-e", "trace=write,fdatasync", "-p", str(meter.pid)],
            stderr=subprocess.DEVNULL)
        harness.wait_until(lambda: is_traced(meter.pid), "strace is there")
        try:
            follow(meter, count)
            meter.wait_idle()
        finally:
            strace.send_signal(signal.SIGINT)  # leaves the daemon running
            strace.wait()
        waits, syncs = commits(traced_calls(trace))
        meter.stop_and_check(received_by_tcp=count, lines_stored=count)
    table(("writes", "fdatasyncs", "wait for fdatasync ms", "fdatasync ms"),
          [(f"{len(waits):,}", f"{len(syncs):,}",
            spread([wait * 1000 for wait in waits], ".1f"),
            spread([sync * 1000 for sync in syncs], ".2f"))])
    bench.verdict(max(waits) <= INTERVAL + SLACK,
                  f"{max(waits) * 1000:.1f} ms until the fdatasync began")


def is_traced(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return "TracerPid:\t0\n" not in file.read()


def commits(calls):
    """For each write, the seconds until the sync that covers it began, and
    for each sync the seconds that it took. One thread makes both."""
    waits, syncs, written = [], [], []
    for call in calls:
        if "/live/" not in call.text:
            continue
        if call.name == "write":
            written.append(call.end)
            continue
        waits += [call.start - end for end in written]
        syncs.append(call.end - call.start)
        written = []
    if written:
        raise Wrong(f"{len(written)} writes were never synced")
    return waits, syncs


def start(bench):
    """Time from exec to READY=1"""
    bench.section("Start: from fork and exec to READY=1, empty spool",
                  "50 ms, median of 20")
    took = [ready_after(bench) * 1000 for _ in range(20)]
    table(("starts", "ms"), [(len(took), spread(took, ".1f"))])
    bench.verdict(statistics.median(took) < 50,
                  f"{statistics.median(took):.1f} ms")


def ready_after(bench):
    directory = tempfile.mkdtemp(dir=bench.directory)
    meter = Meter(directory, "")
    path = os.path.join(tempfile.mkdtemp(), "notify")  # short: sun_path
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify, \
            open(meter.log_path, "wb") as log:
        notify.bind(path)
        notify.settimeout(20)
        began = time.monotonic()
        process = subprocess.Popen(
            [meter.program, "-c", meter.config_path], stderr=log,
            env=dict(os.environ, NOTIFY_SOCKET=path))
        try:
            while b"READY=1" not in notify.recv(4096):
                continue
            took = time.monotonic() - began
        finally:
            process.terminate()
            process.wait()
    shutil.rmtree(os.path.dirname(path))
    shutil.rmtree(directory)
    return took


# --- UDP ---------------------------------------------------------------------

def burst(bench):
    """A UDP burst larger than the receive buffer"""
    count, size = 200_000, 32 * MIB
    made = packets(corpus())
    fits = room(made, count, size)
    bench.section(f"UDP bursts into a receive_buffer of {size // MIB} MiB, "
                  "as fast as they can be sent",
                  "stored and reported as dropped are what was sent, and "
                  "what the buffer holds is not lost")

    def run(row, held):
        """`held`: sent while the daemon cannot read at all."""
        bench.progress(f"{row:,}{' held' if held else ''}")
        with bench.meter(f"receive_buffer: {size}\n" + streams()) as meter:
            load = UdpLoad(meter.port)
            if held:
                meter.signal(signal.SIGSTOP)
            began = time.monotonic()
            load.send(made, row)
            seconds = time.monotonic() - began
            meter.signal(signal.SIGCONT)
            meter.wait_idle()
            load.close()
            meter.stop_and_check()
            stored = meter.counters()["lines stored"]
            dropped = meter.counters()["dropped by the kernel"]
        return row, seconds, stored, dropped

    runs = [("what fits, daemon stopped", *run(fits, True)),
            ("what fits", *run(fits, False)),
            ("more, daemon stopped", *run(count, True)),
            ("more", *run(count, False))]
    table(("burst", "sent", "sent/s", "stored", "reported dropped",
           "not accounted for"),
          [(name, f"{row:,}", f"{row / seconds:,.0f}", f"{stored:,}",
            f"{dropped:,}", row - stored - dropped)
           for name, row, seconds, stored, dropped in runs])
    exact = all(row == stored + dropped for _, row, _, stored, dropped in runs)
    kept = all(dropped == 0 for *_, dropped in runs[:2])
    bench.verdict(exact and kept,
                  f"{fits:,} fit, as a socket tells that nobody reads")


def room(made, count, size):
    """How many of these datagrams a buffer of `size` holds."""
    with socket.socket(type=socket.SOCK_DGRAM) as unread:
        receive_buffer(unread, size)
        unread.bind((LOOPBACK, 0))
        load = UdpLoad(unread.getsockname()[1])
        load.send(made, count)
        load.close()
        return count - socket_drops(unread)


# --- report ------------------------------------------------------------------

QUESTIONS = {
    "connections": connections, "sources": sources, "sizes": sizes,
    "long": long_run, "streams": fan_out, "idle": idle, "latency": latency,
    "start": start, "burst": burst}


def heading(directory):
    version = subprocess.run([harness.SEPMLOGD_RELEASE, "-V"], check=True,
                             stdout=subprocess.PIPE, text=True).stdout.strip()
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        model = next((line.split(":")[1].strip() for line in file
                      if line.startswith("model name")), platform.machine())
    system = subprocess.run(["stat", "-f", "-c", "%T", directory], check=True,
                            stdout=subprocess.PIPE, text=True).stdout.strip()
    memory = (os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")) >> 30
    print(f"## How {version} scales\n\n"
          f"{time.strftime('%Y-%m-%d')}, {os.cpu_count()} cores of {model}, "
          f"{memory} GiB, Linux {platform.release()}, spool on {system}. "
          "The senders are on the same machine.")


def arguments():
    parser = argparse.ArgumentParser(
        description="How cost grows with work, and how long things take.")
    parser.add_argument("--quick", action="store_true",
                        help="fewer rounds and messages")
    parser.add_argument("--rounds", type=int, help="of each table")
    parser.add_argument("--long-run", type=int, metavar="COUNT",
                        help="messages of the long run (100 million)")
    parser.add_argument("--directory",
                        default=os.path.join(harness.ROOT, "build/bench/work"),
                        help="for spools; default build/bench/work")
    parser.add_argument("questions", nargs="*", metavar="question",
                        help="of " + ", ".join(QUESTIONS) + "; default all")
    options = parser.parse_args()
    for name in options.questions:
        if name not in QUESTIONS:
            parser.error(f"no such question: {name}")
    return options


def main():
    options = arguments()
    if not os.access(harness.SEPMLOGD_RELEASE, os.X_OK):
        sys.exit("scale.py: no release build: sh tests/bench/scale.sh has one")
    os.makedirs(options.directory, exist_ok=True)
    heading(options.directory)
    bench = Bench(options, options.directory)
    began, before = time.monotonic(), others_cpu()
    try:
        for name in options.questions or QUESTIONS:
            QUESTIONS[name](bench)
    except Wrong as error:
        print(f"scale.py: {error}", file=sys.stderr)
        return 3
    share = (others_cpu() - before) / (time.monotonic() - began)
    print(f"\nMeanwhile, other work took {share:.2f} processors.")
    return 1 if bench.missed else 0


def others_cpu():
    """Seconds of processor time that were not ours nor our daemons'."""
    with open("/proc/stat", encoding="ascii") as file:
        user, nice, system, _, _, irq, softirq, steal = map(
            int, file.readline().split()[1:9])
    all_of_it = user + nice + system + irq + softirq + steal
    return all_of_it / os.sysconf("SC_CLK_TCK") - sum(os.times()[:4])


if __name__ == "__main__":
    sys.exit(main())
