"""Start, reload, stop, and what lies in the spool: F60 to F80."""

import collections
import contextlib
import errno
import hashlib
import json
import os
import shutil
import signal
import statistics
import subprocess
import time

import harness
from harness import Watcher
from lab import Load, borrow, command, row, sanitized
from rows_net import tls


@row("F60", "100 SIGHUPs under load",
     "0 lost, 0 connections closed, descriptors +-0, RSS + <= 1 MiB",
     times=(30, 100, 100))
def f60(lab, times):
    sepmlogd = lab.idle("reloads", tls=True).start()
    # Through the whole of the buffer, whose pages are there from then on.
    harness.send_tcp(sepmlogd.port, "w", 150_000)
    with Load(sepmlogd, rate=3000) as load:
        for _ in range(10):
            sepmlogd.reload()
        time.sleep(0.5)
        files, memory = sepmlogd.resting_files(), sepmlogd.memory()
        for _ in range(times):
            sepmlogd.reload()
        now = sepmlogd.resting_files()
        grown = (sepmlogd.memory() - memory) / (1 << 20)
    sepmlogd.stop_cleanly()
    found = sepmlogd.spool.numbers()
    lab.assertEqual(load.errors(), [])
    lab.assert_complete(found, load.sent_streams)
    drops = lab.assert_udp_counted(sepmlogd, found, load.sent_udp)
    said = (f"{times} reloads: 0 of {load.sent} lost, UDP {drops} dropped, "
            f"descriptors {now - files:+d}, RSS {grown:+.2f} MiB")
    lab.assertEqual(drops, 0, said)
    lab.assertEqual(now, files, said)
    lab.assertLessEqual(grown, 1.0, said)
    return said


@row("F61", "broken reload",
     "the old configuration works on, never an exit, the reason in the log "
     "and STATUS", times=(None, 1, 1))
def f61(_lab, _times):
    return "; ".join((
        borrow("reload.py",
               "Reload.test_a_broken_one_leaves_the_old_one_running"),
        tls("test_files_that_do_not_fit")))


@row("F62", "certificate rotation; own certificate ends",
     "a new handshake sees the new one <= 1 s; old sessions live; warned "
     "30/7/1 days before; still running after", times=(None, 1, 1))
def f62(_lab, _times):
    return tls("test_certificate_is_replaced", "test_own_certificate_ends",
               "test_own_certificate_is_about_to_end",
               "test_certificate_nears_its_end")


@row("F63", "restart under load",
     "UDP 0 lost; TCP 0 lost, 0 reconnects; TLS reconnect <= 1 s",
     times=(None, 1, 5), seconds=300, inside=False)
def f63(_lab, times):
    cases = ("restarts_lose_nothing", "restarts_under_load_lose_nothing",
             "unfinished_messages_live_over_restarts",
             "thousands_of_connections_live_over_a_restart",
             "tls_sessions_end_and_begin_again")
    said = [borrow("handover.py")]
    said += [borrow("container.py",
                    *(f"Container.test_{case}" for case in cases))
             for _ in range(times)]
    return "; ".join(said[:2]) + (f", {times} times" if times > 1 else "")


@row("F64", "SIGTERM under load",
     "all that was read is published; exit 0 <= 10 s; live/ holds one empty "
     "segment of a stream", times=(3, 5, 50))
def f64(lab, times):
    slowest, total = 0.0, 0
    for n in range(times):
        sepmlogd = lab.idle(f"stop{n}").start()
        with Load(sepmlogd) as load:
            time.sleep(0.5)
        start = time.monotonic()
        lab.assertEqual(sepmlogd.stop(), 0)
        slowest = max(slowest, time.monotonic() - start)
        found = sepmlogd.spool.numbers()
        lab.assert_complete(found, load.sent_tcp)
        lab.assert_udp_counted(sepmlogd, found, load.sent_udp)
        lab.assertEqual(sum(map(os.path.getsize, sepmlogd.spool.live())), 0)
        for stream in ("traffic", "events", "unparsed"):
            lab.assertEqual(len(sepmlogd.spool.live(stream)), 1)
        total += load.sent
    said = f"{times} stops, {total} messages, slowest {slowest:.2f} s"
    lab.assertLessEqual(slowest, 10.0, said)
    return said


@row("F65", "two daemons, one spool",
     "the second ends <= 1 s, non-zero; spool unchanged", times=(1, 1, 1))
def f65(lab, _):
    first = lab.idle("first").start()
    harness.send_tcp(first.port, "k", 100)
    first.spool.wait_records(100)
    time.sleep(0.5)
    second = lab.idle("second")
    second.spool_path = first.spool_path
    second.configure()
    before = digest(first.spool_path)
    start = time.monotonic()
    second.start(wait=False)
    status = second.process.wait(20)
    seconds = time.monotonic() - start
    lab.assertNotEqual(status, 0)
    lab.assertEqual(digest(first.spool_path), before)
    said = f"ends with {status} after {seconds * 1000:.0f} ms, hash unchanged"
    lab.assertLessEqual(seconds, 1.0, said)
    return said


def digest(path):
    """Of all names and contents below a directory but the ledger's, in which
    the first daemon may note its minute."""
    found = hashlib.sha256()
    for directory, _, files in sorted(os.walk(path)):
        if os.path.basename(directory) == "ledger":
            continue
        for name in sorted(files):
            found.update(os.path.join(directory, name).encode())
            with open(os.path.join(directory, name), "rb") as file:
                found.update(file.read())
    return found.hexdigest()


@row("F66", "hostile spool: links, other owners, world-writable",
     "refuse or step aside; the target's hash unchanged; reason logged",
     times=(None, 1, 1))
def f66(_lab, _times):
    return borrow("hostile_spool.py")


@row("F67", "corrupt leftovers: hole, torn tail, junk, many files, large "
     "ones, one that cannot be read",
     "starts always; good lines published, each once, the rest in quarantine; "
     "what cannot be read is set aside and told; <= 1 s per 100 MiB",
     times=(None, 10_000, 10_000), seconds=700)
def f67(lab, files):
    megabytes, seconds = large_leftovers(lab)
    said = (f"{megabytes} MiB of lines and holes: ready after {seconds:.2f} "
            f"s; {many_leftovers(lab, files)}; {unreadable(lab)}")
    lab.assertLessEqual(seconds, max(1.0, megabytes / 100), said)
    return said


def killed(lab, name):
    """A daemon that was killed, and its live file: (it, directory, number,
    rest of the name, bytes)."""
    sepmlogd = lab.idle(name, spool_options="compress: none\n").start()
    harness.send_tcp(sepmlogd.port, "k", 100)
    sepmlogd.spool.wait_records(100)
    sepmlogd.kill()
    path = sepmlogd.spool.live("traffic")[-1]
    directory, file_name = os.path.split(path)
    number, rest = file_name.split(".", 1)
    return sepmlogd, directory, int(number), rest, harness.read_file(path)


def timed_start(sepmlogd):
    start = time.monotonic()
    sepmlogd.start(wait=False)
    sepmlogd.wait_notify("READY=1", timeout=200)
    return time.monotonic() - start


def large_leftovers(lab):
    """Half of it whole records, a half that is none: seconds to the start."""
    sepmlogd, directory, number, rest, good = killed(lab, "large")
    half = good * ((50 << 20) // len(good))
    put(directory, number + 1, rest, half + b"\0" * (50 << 20))
    seconds = timed_start(sepmlogd)
    sepmlogd.stop_cleanly()
    lines = sum(1 for _ in sepmlogd.spool.lines())
    lab.assertEqual(lines, 100 + half.count(b"\n"))
    return 100, seconds


def many_leftovers(lab, files):
    sepmlogd, directory, number, rest, good = killed(lab, "many")
    for n, data in enumerate((good + b"\0" * 5000, good[:-20],
                              os.urandom(20_000), b"")):
        put(directory, number + 1 + n, rest, data)
    for n in range(files):
        put(directory, number + 10 + n, rest, b'{"n":%d}\n' % n)
    seconds = timed_start(sepmlogd)
    harness.send_tcp(sepmlogd.port, "l", 100)
    # The live one, that with a hole and the torn one are there, too. Each is
    # synced, and how long that takes is the disk's affair.
    start = time.monotonic()
    harness.wait_until(
        lambda: len(sepmlogd.spool.ready("traffic")) >= files + 3,
        "what was left is published", timeout=400, pause=0.5)
    publishing = time.monotonic() - start
    sepmlogd.stop_cleanly()
    published = len(sepmlogd.spool.ready("traffic"))
    aside = os.listdir(os.path.join(sepmlogd.spool_path, "quarantine"))
    numbers = sepmlogd.spool.numbers()
    lab.assert_complete(numbers, {"l": 100})
    # Of the torn one all but the last, of that with a hole all.
    lab.assertEqual(numbers["k"], {n: 3 if n < 99 else 2 for n in range(100)})
    lines = collections.Counter(sepmlogd.spool.lines("traffic"))
    lab.assertEqual([lines[b'{"n":%d}' % n] for n in range(files)],
                    [1] * files)
    # The live one, that with a hole, the torn one, and what was sent.
    lab.assertEqual(published, files + 4)
    lab.assertEqual(len(aside), 3)
    return (f"{files + 4} files: ready after {seconds:.1f} s, {published} "
            f"published {publishing:.0f} s later, {len(aside)} in quarantine")


def unreadable(lab):
    """EACCES when one of three is opened, whose call that is has to be found
    out: it is set aside as it is, and told; the others are published."""
    prepared, directory, number, rest, good = killed(lab, "prepared")
    files = [good, b'{"n":1}\n', b'{"n":2}\n']
    for n in (1, 2):
        put(directory, number + n, rest, files[n])
    shim = lab.shim()
    sepmlogd = lab.idle("unreadable", spool_options="compress: none\n",
                        wrap=shim.wrap)
    for nth in range(1, 200):
        shutil.rmtree(sepmlogd.spool_path, ignore_errors=True)
        command("cp", "-a", prepared.spool_path, sepmlogd.spool_path)
        shim.arm("openat", nth, error=errno.EACCES)
        sepmlogd.start(wait=False)
        harness.wait_until(lambda: sepmlogd.process.poll() is not None
                           or len(sepmlogd.spool.live("traffic")) == 1
                           and sepmlogd.said_ready(),
                           "all is settled, or it has ended")
        if "cannot be read" in sepmlogd.log():
            break
        sepmlogd.kill()
    sepmlogd.stop_cleanly()
    aside = os.path.join(sepmlogd.spool_path, "quarantine")
    held = [harness.read_file(os.path.join(aside, name))
            for name in os.listdir(aside)]
    lab.assertEqual(len(held), 1)
    lab.assertIn(held[0], files)
    files.remove(held[0])
    lab.assertEqual(sorted(sepmlogd.spool.lines("traffic")),
                    sorted(b"".join(files).splitlines()))
    return (f"one of three that cannot be opened (EACCES at {nth}) set aside "
            "as it is, the others published")


def put(directory, number, rest, data):
    path = os.path.join(directory, f"{number:016d}.{rest}")
    with open(path, "wb") as file:
        file.write(data)
    return path


@row("F68", "tail -F, by inotify and by polling, with rotation",
     "0 lines missing of those published, 0 twice", times=(None, 1, 1),
     seconds=150)
def f68(lab, _):
    harness.need("tail")
    sepmlogd = lab.idle("tail", spool_options="rotate: { age: 10s }\n")
    sepmlogd.start()
    link = os.path.join(sepmlogd.spool_path, "traffic.jsonl")
    outputs = []
    for more in ((), ("---disable-inotify",)):
        path = os.path.join(lab.directory, f"tail{len(outputs)}")
        with open(path, "wb") as file:
            tail = subprocess.Popen(
                ["tail", "-n", "+1", "-F", *more, link], stdout=file,
                stderr=subprocess.DEVNULL)
        lab.addCleanup(tail.wait)
        lab.addCleanup(tail.kill)
        outputs.append(path)
    sender = harness.Sender(sepmlogd.port, "t", 1000)
    sender.start()
    time.sleep(35)
    sender.stop()

    with contextlib.suppress(AssertionError):
        harness.wait_until(
            lambda: min(harness.read_file(path).count(b"\n")
                        for path in outputs) >= sender.sent,
            "both have it all", timeout=15)
    files = len(sepmlogd.spool.ready("traffic"))
    wanted = collections.Counter(range(sender.sent))
    seen = [numbers_of(harness.read_file(path)) for path in outputs]
    said = (f"{sender.sent} lines over {files} rotations: inotify "
            f"{len(wanted - seen[0])} missing, {len(seen[0] - wanted)} twice; "
            f"polling {len(wanted - seen[1])} missing, "
            f"{len(seen[1] - wanted)} twice")
    lab.assertGreaterEqual(files, 3, said)
    lab.assertEqual([wanted - numbers for numbers in seen], [{}, {}], said)
    lab.assertEqual([numbers - wanted for numbers in seen], [{}, {}], said)
    return said


def numbers_of(data):
    """How often each number is there, of whole lines."""
    return collections.Counter(
        int(json.loads(line)["user"].partition("-")[2])
        for line in data.splitlines())


@row("F71", "leaks: sanitizers over a life with load, reload and stop",
     "0 reports, 0 leaks", times=(None, 1, 1), seconds=240)
def f71(lab, _):
    """The daemon of build/dev. Valgrind cannot run it: it knows no buffer
    that is mapped twice, and takes reads of whole blocks for errors."""
    sepmlogd = lab.daemon("checked", program=sanitized())
    lab.addCleanup(sepmlogd.__exit__, None, None, None)
    sepmlogd.start()
    with Load(sepmlogd, rate=1000) as load:
        for _ in range(20):
            sepmlogd.reload()
        sepmlogd.signal(signal.SIGUSR1)
        time.sleep(1.0)
    status = sepmlogd.stop()
    log = sepmlogd.log()
    for word in ("Sanitizer", "runtime error"):
        lab.assertNotIn(word, log)
    lab.assertEqual(status, 0)
    found = sepmlogd.spool.numbers()
    lab.assert_complete(found, load.sent_tcp)
    lab.assert_udp_counted(sepmlogd, found, load.sent_udp)
    return (f"ASan, UBSan and LSan: 0 reports, 0 leaks over {load.sent} "
            "messages and 20 reloads; TSan is not in this row")


@row("F72", "soak", "memory, each page once: slope <= 1 KiB/min after 5 min, "
     "by least squares; descriptors constant; 0 lost",
     times=(None, None, 30), seconds=2400)
def f72(lab, minutes):
    sepmlogd = lab.idle("soak", spool_options="rotate: { age: 10s }\n")
    sepmlogd.start()
    taken = os.path.join(lab.directory, "taken")
    os.mkdir(taken)
    watcher = Watcher(sepmlogd.spool, take_to=taken)
    watcher.start()
    with Load(sepmlogd, rate=500) as load:
        before = min(5, minutes / 2)
        time.sleep(60 * before)
        files = sepmlogd.resting_files()
        samples = memory_samples(sepmlogd, minutes - before)
        now = sepmlogd.resting_files()
    sepmlogd.stop_cleanly()
    lab.assertEqual(watcher.stop(), [])
    found = sepmlogd.spool.numbers(
        more=[os.path.join(taken, n) for n in sorted(os.listdir(taken))])
    lab.assert_complete(found, load.sent_tcp)
    drops = lab.assert_udp_counted(sepmlogd, found, load.sent_udp)
    at, own, resident = zip(*samples)
    slope = statistics.linear_regression(at, own).slope
    of_rss = statistics.linear_regression(at, resident).slope
    said = (f"{minutes} min, {load.sent} messages, TCP 0 lost, UDP {drops} "
            f"dropped = counted; {len(samples)} samples: {slope:+.2f} "
            f"KiB/min, as RSS {of_rss:+.2f}, descriptors {now - files:+d}")
    lab.assertEqual(now, files, said)
    lab.assertLessEqual(slope, 1.0, said)
    return said


def memory_samples(sepmlogd, minutes):
    """Each half minute: (minute, KiB, those of RSS)."""
    start, samples = time.monotonic(), []
    while (past := (time.monotonic() - start) / 60) < minutes:
        samples.append((past, sepmlogd.own_memory() / 1024,
                        sepmlogd.memory() / 1024))
        time.sleep(30)
    return samples


@row("F80", "sandbox in force", "all refused; score <= 0.3",
     times=(None, 1, 1), seconds=300, inside=False)
def f80(_lab, _times):
    return "; ".join((borrow("container.py", "Container.test_sandbox",
                             "Container.test_privileges"),
                      borrow("units.py")))
