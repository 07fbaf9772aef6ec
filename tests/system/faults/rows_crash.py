"""The process dies, or the power fails: F01 to F06."""

import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request

import harness
import trace
from lab import (Disk, Group, Load, borrow, command, findings, part, row,
                 skip, stored_ids)
from shim import ANY_DISK

SMALL = "rotate: { size: 256KiB, age: 1s }\n"
RANDOM = random.Random(20240514)


class Taken:
    """The uploader: takes each file to a place of its own. A name always
    stands for the same bytes; after a power cut it may be there again."""

    def __init__(self, lab, name="taken"):
        self.directory = os.path.join(lab.directory, name)
        os.mkdir(self.directory)
        self._names = {}

    def take(self, spool):
        for path in spool.ready():
            name, data = os.path.basename(path), harness.read_file(path)
            if self._names.setdefault(name, hash(data)) != hash(data):
                raise AssertionError(f"{name} stood for other bytes before")
            shutil.move(path, os.path.join(self.directory, name))

    def files(self):
        return [os.path.join(self.directory, name)
                for name in sorted(os.listdir(self.directory))]


def assert_kept(lab, before, sepmlogd):
    """All records that stood there do, under their ids and unchanged."""
    now = stored_ids(sepmlogd)
    lost = [i for i in before if i not in now]
    lab.assertFalse(lost, f"{len(lost)} of {len(before)} records are lost")
    changed = [i for i in before if before[i] != now[i]]
    lab.assertFalse(changed, f"{len(changed)} records have changed")


def assert_whole(lab, sepmlogd, more=()):
    """After a start: each line is a record, nothing is there twice, and the
    ledger misses nothing; what was taken is named, and no finding."""
    def settled():
        live = sepmlogd.spool.live()
        return len(live) == len({os.path.dirname(path) for path in live})
    harness.wait_until(settled, "all that was left is published")
    lab.check_lines(sepmlogd.spool, more)
    lab.assertEqual(findings(sepmlogd.spool_path), [])


def timed_start(sepmlogd):
    start = time.monotonic()
    sepmlogd.start()
    return time.monotonic() - start


def most_lost(most, sent, found):
    """What was given to the kernel and is not stored, by transport; the most
    of it so far is noted."""
    for transport, senders in sent.items():
        gone = sum(n not in found[sender] for sender, count in senders.items()
                   for n in range(count))
        most[transport] = max(most.get(transport, 0), gone)


@row("F01", "SIGKILL at a random time",
     "0 accepted lost; 0 partial in ready/; nothing twice; `verify` finds "
     "nothing; READY again <= 1 s", times=(3, 20, 500), seconds=240)
def f01(lab, times):
    """What was sent and not accepted is lost, and told: the most of a kill,
    of two senders by TCP and one each by TLS and UDP."""
    sepmlogd = lab.enterContext(lab.release(spool_options=SMALL, tls=True))
    taken, lost = Taken(lab), {}
    accepted, slowest = 0, 0.0
    for life in range(times):
        with Load(sepmlogd, f"l{life}") as load:
            time.sleep(RANDOM.uniform(0.05, 0.5))
            sent = load.by_transport()
            sepmlogd.kill()
        before = stored_ids(sepmlogd)
        slowest = max(slowest, timed_start(sepmlogd))
        assert_kept(lab, before, sepmlogd)
        assert_whole(lab, sepmlogd)
        most_lost(lost, sent, sepmlogd.spool.numbers())
        accepted += len(before)
        taken.take(sepmlogd.spool)
    sepmlogd.stop_cleanly()
    taken.take(sepmlogd.spool)
    lab.check_lines(sepmlogd.spool, more=taken.files())
    lab.assertEqual(
        findings(taken.directory, "--ledger", sepmlogd.spool_path,
                 "--expect-all"), [])
    lab.assertGreater(accepted, 50 * times)
    lab.assertLessEqual(slowest, 1.0, "READY too late")
    return (f"{times} kills, {accepted} accepted, 0 lost, 0 partial, 0 twice, "
            f"0 findings; not accepted of a kill at most: {told(lost)}; READY "
            f"after at most {slowest * 1000:.0f} ms")


def told(counts):
    return ", ".join(f"{words} {count}" for words, count in counts.items())


@row("F02", "hang: SIGSTOP past the watchdog",
     "killed, restarted; of 200 datagrams that came meanwhile 0 lost; its "
     "connections are closed", times=(None, 1, 5), seconds=300, inside=False)
def f02(lab, times):
    said = [borrow("container.py",
                   "Container.test_the_watchdog_replaces_a_hanging_daemon",
                   "Container.test_what_comes_while_it_hangs_waits")
            for _ in range(times)]
    return f"{times} hangs; {said[-1]}"


# --- F03 ---------------------------------------------------------------------

def committed(sepmlogd, shim):
    """The records that a sync has confirmed so far: what is in ready/, and
    of live files as much as was confirmed."""
    sizes, _ = shim.confirmed()
    live = []
    for path in sepmlogd.spool.live():
        try:
            with open(path, "rb") as file:
                size = sizes.get(os.fstat(file.fileno()).st_ino, 0)
                live.append(file.read(size))
        except FileNotFoundError:
            continue  # it is in ready/ now
    lines = [line for data in live for line in data.split(b"\n")[:-1]]
    for path in sepmlogd.spool.ready():
        lines += harness.read_file(path).splitlines()
    return {re.search(rb'"id":"([^"]+)"', line)[1]: line for line in lines}


def said_committed(port):
    """How many records the daemon itself calls committed."""
    with urllib.request.urlopen(
            f"http://{harness.LOOPBACK}:{port}/metrics", timeout=10) as page:
        text = page.read().decode()
    return int(re.search(r"(?m)^sepmlogd_records_committed_total (\d+)",
                         text)[1])


def power_cut(lab, disk, sepmlogd, life, status):
    """One life that ends with a power cut: what was committed before, by the
    calls and by its own word, and its senders."""
    shim = lab.shim()
    sepmlogd.wrap = shim.wrap
    sepmlogd.start()
    with Load(sepmlogd, f"l{life}") as load:
        time.sleep(RANDOM.uniform(0.05, 0.5))
        before = committed(sepmlogd, shim)
        said = said_committed(status)
        disk.cut()
        sepmlogd.kill()
    disk.unmount()
    disk.mount()
    senders = [sender for sent in load.by_transport().values()
               for sender in sent]
    return before, said, senders


def cuts(lab, kind, times):
    directory = os.path.join(lab.directory, kind)
    os.mkdir(directory)
    disk = Disk(directory, kind)
    disk.mount()
    lab.addCleanup(disk.unmount)
    sepmlogd = lab.idle(kind, tls=True)
    sepmlogd.spool_path = os.path.join(disk.path, "spool")
    sepmlogd.spool = harness.Spool(sepmlogd.spool_path)
    status = harness.free_port()
    taken, count, total = Taken(lab, kind + "-taken"), 0, 0
    for life in range(times):
        sepmlogd.configure(
            f"status: {{ listen: '{harness.LOOPBACK}:{status}' }}\n",
            SMALL + f"compress: {('none', 'gzip')[life % 2]}\n")
        before, said, senders = power_cut(lab, disk, sepmlogd, life, status)
        sepmlogd.start()
        assert_kept(lab, before, sepmlogd)
        assert_whole(lab, sepmlogd)
        found = sepmlogd.spool.numbers()
        stored = sum(len(found[sender]) for sender in senders)
        lab.assertLessEqual(said, stored, "more was said to be committed")
        count += len(before)
        total += said
        taken.take(sepmlogd.spool)
        sepmlogd.kill()
    lab.check_lines(sepmlogd.spool, more=taken.files())
    lab.assertGreater(min(count, total), 20 * times,
                      "hardly anything was committed")
    return (f"{kind}: {times} cuts, {count} committed by the calls, {total} "
            "by the daemon's word, 0 lost, 0 twice, 0 findings")


@row("F03", "power cut on ext4 and xfs",
     "0 committed lost, nor what the daemon said is; 0 partial; nothing "
     "twice; same name = same bytes; `verify` finds nothing; start always "
     "succeeds", times=(2, 20, 500), seconds=400)
def f03(lab, times):
    half = max(1, times // 2)
    return "; ".join(cuts(lab, kind, half) for kind in ("ext4", "xfs"))


# --- F04 ---------------------------------------------------------------------

@row("F04", "all crash states; order of the system calls",
     "0 violations in >= 100,000 states; each rename into ready/ after "
     "fdatasync of the file, then both directories synced",
     times=(1, 1, 1), seconds=600)
def f04(lab, times):
    said = [checked_trace(lab, compress) for compress in ("none", "gzip")]
    if lab.mode != "quick":
        said.append(model(lab.mode))
    return "; ".join(said)


def checked_trace(lab, compress):
    harness.need("strace")
    path = os.path.join(lab.directory, f"trace.{compress}")
    sepmlogd = lab.enterContext(lab.release(
        f"traced-{compress}", spool_options="rotate: { size: 64KiB, age: 1s }"
        f"\ncompress: {compress}\n", wrap=trace.command(path)))
    harness.send_tcp(sepmlogd.port, "s", 3000)
    sepmlogd.stop_cleanly()
    calls = harness.wait_until(lambda: trace.finished(path),
                               "strace has written everything")
    published, wrong = trace.check(calls, sepmlogd.spool_path)
    lab.assertEqual(wrong, [])
    lab.assertGreater(published, 10)
    # The checker sees each of the calls that it is there for.
    for name in ("fdatasync", "fsync"):
        without = [c for c in calls if c.name != name]
        lab.assertTrue(trace.check(without, sepmlogd.spool_path)[1],
                       f"a trace without {name} passes")
    return f"{compress}: {published} files published in order"


def model(mode):
    script = os.path.join(harness.ROOT, "tests/model/crash_model.py")
    words = ["--quick"] if mode == "ci" else []
    done = subprocess.run([sys.executable, "-B", script, *words],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, check=False)
    if done.returncode != 0:
        raise AssertionError(done.stdout[-400:])
    # The others have a mistake in them, and end where it is seen.
    states = sum(int(n) for n in re.findall(
        r"(?m)^design +\S+ +(\d+) states", done.stdout))
    if states < 100_000:
        raise AssertionError(f"only {states} states of the design")
    return (f"model {' '.join(words)}: 0 violations in {states} states of the "
            "design")


# --- F05 ---------------------------------------------------------------------

def leftovers(sepmlogd):
    """What a daemon that was killed leaves, with a torn tail and a hole."""
    with sepmlogd:
        harness.send_tcp(sepmlogd.port, "r", 2000)
        sepmlogd.spool.wait_records(2000)
        sepmlogd.kill()
    with open(sepmlogd.spool.live("traffic")[-1], "ab") as file:
        file.write(b"\0" * 5000 + b'{"type":"traf')
    return stored_ids(sepmlogd)


def killed_in_recovery(sepmlogd, shim, nth):
    """Starts with a kill at the Nth disk call; whether it got there."""
    shim.arm(ANY_DISK, nth, "kill")
    sepmlogd.start(wait=False)
    harness.wait_until(
        lambda: sepmlogd.process.poll() is not None
        or sepmlogd.said_ready(),
        "it is ready or dead")
    was_hit = shim.hits > 0
    shim.disarm()
    sepmlogd.kill()
    return was_hit


def contents(sepmlogd):
    """Every file that holds something, but for the ledger, which has a line
    of each start."""
    found = {}
    for directory, _, files in os.walk(sepmlogd.spool_path):
        if os.path.basename(directory) == "ledger":
            continue
        for name in files:
            path = os.path.join(directory, name)
            with open(path, "rb") as file:
                data = file.read()
            if data and not path.endswith("/lock"):
                found[path] = data
    return found


@row("F05", "crash in the recovery",
     "as F03; a kill at the Nth disk call, N = 1..end, three deep; nothing "
     "twice; `verify` finds nothing; a further start changes nothing",
     times=(None, 1, 1), seconds=600)
def f05(lab, times):
    prepared = lab.release("prepared", spool_options=SMALL)
    before = leftovers(prepared)
    shim = lab.shim()
    nth, kills = 0, 0
    sepmlogd = lab.idle("again", spool_options=SMALL, wrap=shim.wrap)
    while True:
        nth += 1 if lab.mode != "quick" else RANDOM.randint(1, 32)
        shutil.rmtree(sepmlogd.spool_path, ignore_errors=True)
        command("cp", "-a", prepared.spool_path, sepmlogd.spool_path)
        if not killed_in_recovery(sepmlogd, shim, nth):
            break
        kills += 1
        for _ in range(2):
            kills += killed_in_recovery(sepmlogd, shim,
                                        RANDOM.randint(1, nth))
        sepmlogd.start().stop_cleanly()
        assert_kept(lab, before, sepmlogd)
        lab.check_lines(sepmlogd.spool)
        lab.assertEqual(findings(sepmlogd.spool_path), [])
        state = contents(sepmlogd)
        sepmlogd.start().stop_cleanly()
        lab.assertEqual(contents(sepmlogd).keys(), state.keys())
        lab.assertEqual(contents(sepmlogd), state)
    lab.assertGreater(kills, 10)
    return (f"{kills} kills, at N = 1..{nth - 1} of the first recovery"
            + (" (a sample)" if lab.mode == "quick" else "")
            + ", two more at random N; 0 lost, 0 twice, 0 findings, "
            "idempotent")


# --- F06 ---------------------------------------------------------------------

@row("F06", "OOM kill; malloc fails at the Nth",
     "0 accepted lost; no crash of a failed malloc; descriptors back at the "
     "baseline", times=(20, 200, 2000), seconds=500)
def f06(lab, times):
    said = [starts_without_memory(lab, times), part("OOM kill", oom, lab)]
    if lab.mode != "quick":
        said.append(runs_without_memory(lab))
    return "; ".join(said)


def starts_without_memory(lab, times):
    """It starts, or says why not; it never crashes."""
    shim = lab.shim()
    probe = lab.idle("starts", wrap=shim.wrap)
    shim.arm("memory", 10**9)
    probe.start()
    total = shim.seen
    probe.kill()
    step = max(1, 2 * total // times)
    started = refused = 0
    for nth in range(1, total + 1, step):
        for for_good in (False, True):
            shim.arm("memory", nth, error=12, for_good=for_good)
            probe.start(wait=False)
            status = ready_or_status(probe)
            probe.kill()
            lab.assertIn(status, (None, 1, 3), f"malloc {nth}: {status}")
            started += status is None
            refused += status is not None
    shim.disarm()
    return (f"start: {started + refused} of 2 x {total} failed mallocs, "
            f"{started} ready, {refused} refused, 0 crashes")


def ready_or_status(sepmlogd, timeout=20.0):
    """None once it is ready; its status if it ends before."""
    def settled():
        if sepmlogd.process.poll() is not None:
            return (sepmlogd.process.returncode,)
        if sepmlogd.said_ready():
            return (None,)
        return None
    return harness.wait_until(settled, "it is ready or has ended",
                              timeout)[0]


def runs_without_memory(lab):
    """Connections and reloads, until none of their calls is left to fail."""
    shim = lab.shim()
    sepmlogd = lab.enterContext(lab.release("runs", wrap=shim.wrap))
    harness.send_tcp(sepmlogd.port, "w", 10)
    sepmlogd.spool.wait_records(10)
    files = sepmlogd.open_files()
    hits, nth = 0, 0
    for for_good in (False, True):
        nth = 0
        while True:
            nth += 1
            shim.arm("memory", nth, error=12, for_good=for_good)
            for _ in range(3):
                one_connection(sepmlogd.port)
            sepmlogd.configure(f"max_connections: {1000 + nth}\n")
            sepmlogd.signal(signal.SIGHUP)
            time.sleep(0.03)
            hit = shim.hits > 0
            shim.disarm()
            lab.assertIsNone(sepmlogd.process.poll(), "it died")
            if not hit:
                break
            hits += 1
    harness.wait_until(lambda: sepmlogd.open_files() <= files,
                       "descriptors are back at the baseline", timeout=10)
    harness.send_tcp(sepmlogd.port, "a", 100)
    harness.wait_until(lambda: len(sepmlogd.spool.numbers()["a"]) == 100,
                       "messages are stored again")
    sepmlogd.stop_cleanly()
    return f"connections and reloads: {hits} failed mallocs, 0 crashes"


def one_connection(port):
    try:
        with harness.connect(port, timeout=2) as peer:
            peer.sendall(harness.message("m", 1) + b"\n")
    except OSError:
        return  # it may have no memory for us


def oom(lab):
    """With less than it needs: 64 MiB hold what it is allowed to buffer."""
    group = Group(lab, "memory")
    sepmlogd = lab.enterContext(lab.release(
        "oom", config="max_connections_per_source: 4000\n"))
    group.add(sepmlogd.pid)
    harness.send_tcp(sepmlogd.port, "o", 2000)
    sepmlogd.spool.wait_records(2000)
    group.set("memory.limit_in_bytes", group.used() + (4 << 20))
    peers = []
    try:
        for _ in range(3000):
            peers.append(harness.connect(sepmlogd.port, timeout=2))
            peers[-1].sendall(b"<13>" + b"x" * 60_000)
            if sepmlogd.process.poll() is not None:
                break
    except (OSError, socket.timeout):
        pass
    for peer in peers:
        peer.close()
    try:
        status = sepmlogd.process.wait(10)
    except subprocess.TimeoutExpired:
        skip(f"4 MiB more held {len(peers)} unfinished messages")
    lab.assertEqual(status, -signal.SIGKILL)
    before = stored_ids(sepmlogd)
    sepmlogd.start()
    assert_kept(lab, before, sepmlogd)
    sepmlogd.stop_cleanly()
    lab.assert_has(sepmlogd.spool.numbers(), {"o": 2000})
    return f"OOM kill with {len(peers)} connections: 0 of {len(before)} lost"

