"""The disk is full, broken, slow or gone: F10 to F20."""

import contextlib
import errno
import os
import shutil
import threading
import time

import harness
from harness import Watcher
from lab import (Disk, Group, Load, Meter, borrow, command, left_out, row,
                 stored_ids, tmpfs)
from shim import CHANGES

PLAIN = """
compress: none
min_free: 0
buffer: 1MiB
rotate: { size: 1MiB, age: 1s }
"""


def on_tmpfs(lab, options, spool_options=PLAIN, name="daemon", **more):
    sepmlogd = lab.idle(name, spool_options=spool_options, **more)
    tmpfs(lab, sepmlogd.spool_path, options)
    return sepmlogd.start()


def fill(path, megabytes):
    with open(path, "wb") as file:
        for _ in range(megabytes * 16):
            file.write(os.urandom(1 << 16))


def last_status(sepmlogd):
    return (sepmlogd.statuses() or [""])[-1]


def lines_about(sepmlogd, words):
    return [line for line in sepmlogd.log().splitlines()
            if any(word in line.lower() for word in words)]


def disk_bytes(spool):
    """In live/ and ready/ together."""
    return sum(size for _, size in sizes(spool.live() + spool.ready()))


def sizes(paths):
    """Each with its size, but for those that are gone."""
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            yield path, os.path.getsize(path)


class Uploads:
    """Takes what is published to a place that is not full."""

    def __init__(self, sepmlogd):
        self.directory = os.path.join(sepmlogd.directory, "taken")
        os.makedirs(self.directory, exist_ok=True)
        self._watcher = Watcher(sepmlogd.spool, take_to=self.directory)
        self._watcher.start()

    def stop(self):
        problems = self._watcher.stop()
        if problems:
            raise AssertionError(problems)
        return [os.path.join(self.directory, name)
                for name in sorted(os.listdir(self.directory))]


# --- F10, F11 ----------------------------------------------------------------

FULL = ("full", "no space", "quota", "room")
NARROW = "receive_buffer: 256KiB\n"


@row("F10", "disk full, then 8 MiB freed",
     "TCP, TLS 0 lost; UDP lost = reported drops, exactly; no partial line; "
     "RSS <= +16 MiB; CPU <= 5 %; resumes <= 2 s; <= 2 log lines",
     times=(1, 1, 20), seconds=90)
def f10(lab, times):
    return "; ".join(once_full(lab, n) for n in range(times))


def once_full(lab, n):
    sepmlogd = on_tmpfs(lab, "size=16M", name=f"full{n}", config=NARROW,
                        tls=True)
    filler = os.path.join(sepmlogd.spool_path, "filler")
    fill(filler, 8)
    return while_full(lab, sepmlogd, lambda: os.unlink(filler))


def while_full(lab, sepmlogd, make_room, fill_up=lambda: None):
    """Under load it is full, by itself or by fill_up(), for a while, and then
    make_room() is called. What came is taken away from then on."""
    harness.send_tcp(sepmlogd.port, "w", 10)
    sepmlogd.spool.wait_records(10)
    meter = Meter(sepmlogd)
    meter.start()
    with Load(sepmlogd) as load:
        fill_up()
        sepmlogd.wait_log("(?i)full|no space|quota")
        time.sleep(1.5)
        share = sepmlogd.cpu_share(3.0)
        about = lines_about(sepmlogd, FULL)
        whole = all(not data or data.endswith(b"\n")
                    for data in map(harness.read_file, sepmlogd.spool.live()))
        grown = meter.stop()
        before = progress(sepmlogd.spool)
        start = time.monotonic()
        make_room()
        harness.wait_until(lambda: progress(sepmlogd.spool) > before,
                           "it writes again")
        resumed = time.monotonic() - start
        uploads = Uploads(sepmlogd)
    sepmlogd.stop_cleanly()
    found = sepmlogd.spool.numbers(more=uploads.stop())
    lab.assert_complete(found, load.sent_streams)
    drops = lab.assert_udp_counted(sepmlogd, found, load.sent_udp)
    lab.assertGreater(drops, 0, "no datagram was dropped")
    said = (f"TCP and TLS 0 of {sum(load.sent_streams.values())} lost, UDP "
            f"{drops} of {sum(load.sent_udp.values())} dropped = counted, RSS "
            f"+{grown:.1f} MiB, CPU {share * 100:.1f} %, resumed after "
            f"{resumed:.2f} s, {len(about)} log lines")
    lab.assertTrue(whole, "a part of a line stays in live/; " + said)
    lab.assertLessEqual(share, 0.05, said)
    lab.assertLessEqual(grown, 16, said)
    lab.assertLessEqual(resumed, 2.0, said)
    lab.assertLessEqual(len(about), 2, about)
    return said


def progress(spool):
    """How far live files have come, by number and size. It grows, also while
    files are taken away."""
    return sorted((os.path.basename(path), size)
                  for path, size in sizes(spool.live("traffic")))


@row("F11", "quota, inodes, EDQUOT; EFBIG",
     "as F10; EFBIG: files end sooner, 0 lost, RSS <= +16 MiB",
     times=(None, 1, 1), seconds=400)
def f11(lab, _):
    return "; ".join((f"quota: {over_quota(lab)}",
                      f"inodes: {no_inodes(lab)}",
                      f"EDQUOT: {quota_of_the_system(lab)}",
                      f"EFBIG at 300 KiB: {file_size_limit(lab)}"))


def over_quota(lab):
    """Room is what an uploader makes."""
    sepmlogd = on_tmpfs(lab, "size=64M", PLAIN + "quota: 8MiB\n", "quota",
                        config=NARROW, tls=True)
    return while_full(lab, sepmlogd, lambda: Uploads(sepmlogd).stop())


def no_inodes(lab):
    sepmlogd = on_tmpfs(lab, "size=512M,nr_inodes=400", name="inodes",
                        config=NARROW, tls=True)
    filler = os.path.join(sepmlogd.spool_path, "filler")
    os.mkdir(filler)

    def use_up():
        with contextlib.suppress(OSError):
            for n in range(400):
                with open(os.path.join(filler, str(n)), "wb"):
                    pass
    return while_full(lab, sepmlogd, lambda: shutil.rmtree(filler), use_up)


def quota_of_the_system(lab):
    shim = lab.shim()
    sepmlogd = on_tmpfs(lab, "size=512M", name="edquot", config=NARROW,
                        tls=True, wrap=shim.wrap)
    return while_full(
        lab, sepmlogd, shim.disarm,
        lambda: shim.arm("write", error=errno.EDQUOT, for_good=True))


def file_size_limit(lab):
    """RLIMIT_FSIZE below the size of a segment: nothing is full, a file just
    ends sooner."""
    sepmlogd = on_tmpfs(lab, "size=512M", name="small-files", tls=True,
                        wrap=["prlimit", "--fsize=307200", "--"])
    harness.send_tcp(sepmlogd.port, "w", 10)
    sepmlogd.spool.wait_records(10)
    meter = Meter(sepmlogd)
    meter.start()
    with Load(sepmlogd) as load:
        time.sleep(3.0)
    grown = meter.stop()
    sepmlogd.stop_cleanly()
    found = sepmlogd.spool.numbers()
    lab.assert_complete(found, load.sent_streams)
    drops = lab.assert_udp_counted(sepmlogd, found, load.sent_udp)
    files = sepmlogd.spool.ready("traffic")
    largest = max(map(os.path.getsize, files))
    said = (f"{len(files)} files, 0 of {sum(load.sent_streams.values())} by "
            f"TCP and TLS lost, UDP {drops} dropped = counted, RSS "
            f"+{grown:.1f} MiB")
    lab.assertLessEqual(largest, 307_200, said)
    lab.assertLessEqual(grown, 16, said)
    return said


# --- F12 to F14 --------------------------------------------------------------

MANY = """
compress: {}
min_free: 0
rotate: {{ size: 64KiB, age: 1s }}
commit: {{ interval: 20ms }}
"""


# After these a connection may be closed, with what was on its way.
NETWORK = ("accept4", "recvmmsg", "recv", "epoll_ctl", "socket")


DATAGRAMS = 10


def trickle(sepmlogd, shim, sender, most=2000):
    """Sends one message after the other until something was hit, and some
    more; answers how many, or less if the connection was closed."""
    count = more = 0
    with contextlib.suppress(OSError), \
            harness.connect(sepmlogd.port, timeout=60) as peer:
        while count < most and more < 20:
            peer.sendall(b"".join(harness.message(sender, n) + b"\n"
                                  for n in range(count, count + 10)))
            count += 10
            more += shim.hits > 0
            time.sleep(0.001)
    harness.send_udp(sepmlogd.port, "u", DATAGRAMS)
    return count


def one_fault(lab, directory, call, nth, compress="none", **how):
    """A life of a daemon with this fault in it; (whether it was hit, how the
    start went)."""
    shim = lab.shim()
    shutil.rmtree(os.path.join(lab.directory, directory), ignore_errors=True)
    sepmlogd = lab.idle(directory, spool_options=MANY.format(compress),
                        wrap=shim.wrap)
    lab.daemons = [sepmlogd]
    shim.arm(call, nth, **how)
    status = started(sepmlogd)
    if status is not None:
        lab.assertIn(status, (1, 3), sepmlogd.log()[-500:])
        shim.disarm()
        sepmlogd.kill()
        sepmlogd.start()
    count = trickle(sepmlogd, shim, "f")
    hit = shim.hits > 0 or status is not None
    calm = True
    if how.get("for_good"):
        calm = sepmlogd.cpu_share(1.0) <= 0.2
        lab.assertIsNone(sepmlogd.process.poll(), "it died")
    shim.disarm()
    what = f"{call} {nth} {how}"
    lab.assertTrue(calm, f"{what}: it spins")
    harness.wait_until(sepmlogd.said_ready, f"{what}: it says READY")
    harness.send_tcp(sepmlogd.port, "g", 20)
    wanted = {"g": 20, "u": DATAGRAMS}
    if call not in NETWORK:
        wanted["f"] = count
    harness.wait_until(
        lambda: all(len(sepmlogd.spool.numbers()[s]) >= n
                    for s, n in wanted.items()),
        f"{what}: all is stored", timeout=20)
    before = stored_ids(sepmlogd)
    sepmlogd.stop_cleanly()
    lab.assert_complete(sepmlogd.spool.numbers(), wanted)
    lab.assertLessEqual(before.keys(), stored_ids(sepmlogd).keys())
    lab.check_lines(sepmlogd.spool)
    lab.assertEqual(shim.misuse, 0, f"{what}: a poisoned file is used")
    sepmlogd.__exit__(None, None, None)
    return hit, status is not None


def started(sepmlogd):
    """None when it is ready, which it may not be able to say, or the status
    it ends with."""
    sepmlogd.start(wait=False)
    harness.wait_until(
        lambda: sepmlogd.process.poll() is not None or sepmlogd.said_ready()
        or "cannot be told that all is ready" in sepmlogd.log(),
        "it is ready or has ended")
    return sepmlogd.process.poll()


@row("F12", "write: EIO, ENOSPC, short, EINTR at the Nth",
     "0 lost, 0 partial line, 0 duplicate line", times=(1, 50, 200),
     seconds=500)
def f12(lab, times):
    hits = refused = 0
    step = 3 if lab.mode == "quick" else 1
    for how in ({"error": errno.EIO}, {"error": errno.ENOSPC},
                {"action": "short", "part": 100}, {"error": errno.EINTR}):
        for nth in range(1, times * step + 1, step):
            hit, no_start = one_fault(
                lab, "f12", "write", nth, ("none", "gzip")[nth % 2], **how)
            hits += hit
            refused += no_start
    lab.assertGreater(hits, 2 * times)
    return (f"{hits} faults at N = 1..{times * step}"
            f"{' (each third)' if step > 1 else ''}, of 4 kinds; {refused} "
            "starts refused with a reason; 0 lost, 0 partial, 0 twice")


@row("F13", "fdatasync: EIO once, for ever",
     "0 committed lost; no second sync of that inode; it is never in ready/; "
     "for ever: paused, no exit, recovers <= 6 s after the end",
     times=(None, 5, 50), seconds=300)
def f13(lab, times):
    said = [f"once: {once_unsynced(lab, times)} injected"]
    said += [unsynced(lab), thin_disk(lab)]
    return "; ".join(said)


def once_unsynced(lab, times):
    hits = 0
    for nth in range(1, times + 1):
        hits += one_fault(lab, "f13", "fdatasync", nth,
                          ("gzip", "none")[nth % 2])[0]
    lab.assertGreater(hits, 0)
    return hits


def unsynced(lab):
    """For ever, with the trace's and the shim's word on each inode."""
    shim = lab.shim()
    sepmlogd = lab.idle("unsynced", spool_options=PLAIN, wrap=shim.wrap)
    sepmlogd.start()
    with Load(sepmlogd, rate=1000, udp=0) as load:
        time.sleep(0.3)
        shim.arm("fdatasync", for_good=True)
        time.sleep(8.0)
        lab.assertIsNone(sepmlogd.process.poll(), "it exits")
        share = sepmlogd.cpu_share(1.0)
        lab.assertIn("disk error", last_status(sepmlogd))
        synced, start = shim.watch_syncs(), time.monotonic()
        shim.disarm()
        harness.wait_until(synced, "it has recovered")
        recovered = time.monotonic() - start
    sepmlogd.stop_cleanly()
    _, poisoned = shim.confirmed()
    published = {os.stat(p).st_ino for p in sepmlogd.spool.ready()}
    lab.assertFalse(published & poisoned, "a poisoned file was published")
    lab.assertEqual(shim.misuse, 0, "a poisoned file is used again")
    lab.assert_complete(sepmlogd.spool.numbers(), load.sent_tcp)
    said = (f"for ever: {shim.hits} injected, no file used again, 0 of "
            f"{load.sent} lost, CPU {share * 100:.1f} %, recovered after "
            f"{recovered:.1f} s")
    lab.assertLessEqual(recovered, 6.0, said)
    lab.assertLessEqual(share, 0.2, said)
    return said


def thin_disk(lab):
    """Real errors of the device: a sparse image on a tmpfs that is too small
    for it. Only what is written back fails; the shim just watches."""
    base = os.path.join(lab.directory, "thin")
    tmpfs(lab, base, "size=40M")
    disk = Disk(base, "ext4", 64 << 20, options=("-b", "1024", "-J", "size=1"))
    disk.mount()
    lab.addCleanup(disk.unmount)
    fill_journal(disk.path)
    ballast = os.path.join(base, "ballast")
    room = os.statvfs(base)
    fill(ballast, room.f_bavail * room.f_bsize // (1 << 20) - 3)
    shim = lab.shim()
    sepmlogd = lab.idle("thin-disk", spool_options=PLAIN, wrap=shim.wrap)
    sepmlogd.spool_path = os.path.join(disk.path, "spool")
    sepmlogd.spool = harness.Spool(sepmlogd.spool_path)
    sepmlogd.configure(spool_options=PLAIN)
    sepmlogd.start()
    with Load(sepmlogd, rate=2000, udp=0) as load:
        # The kernel may call the device's error one of space.
        sepmlogd.wait_log("fdatasync: (Input/output|No space)", timeout=30)
        time.sleep(2.0)
        lab.assertIsNone(sepmlogd.process.poll(), "it exits")
        os.unlink(ballast)
        synced, start = shim.watch_syncs(), time.monotonic()
        try:
            harness.wait_until(synced, "it has recovered", timeout=12)
        except AssertionError:
            if not writable(disk.path):
                return left_out(
                    "real writeback errors: NOT MEASURED, the kernel has made "
                    "the file system read-only")
            raise
        recovered = time.monotonic() - start
    sepmlogd.stop_cleanly()
    lab.assertEqual(shim.misuse, 0, "a poisoned file is used again")
    _, poisoned = shim.confirmed()
    published = {os.stat(p).st_ino for p in sepmlogd.spool.ready()}
    lab.assertFalse(published & poisoned, "a poisoned file was published")
    lab.assertLessEqual(recovered, 6.0, "too late")
    # What the page cache shows is not what the disk has.
    disk.unmount()
    disk.mount()
    lab.assert_complete(sepmlogd.spool.numbers(), load.sent_tcp)
    lab.assertGreater(shim.failed_syncs, 0)
    return (f"real writeback errors: {shim.failed_syncs} failed syncs, 0 of "
            f"{load.sent} lost after a new mount, recovered after "
            f"{recovered:.1f} s")


def fill_journal(path):
    """Until each block of it has its place, so that only files fail."""
    for n in range(150):
        names = [os.path.join(path, f"{n}.{i}") for i in range(10)]
        for name in names:
            with open(name, "wb"):
                pass
        os.sync()
        for name in names:
            os.unlink(name)


def writable(path):
    try:
        with open(os.path.join(path, "probe"), "wb"):
            return True
    except OSError:
        return False


MOST = 400
OTHER = ("openat", "linkat", "renameat", "renameat2", "fsync", "ftruncate",
         "unlinkat", "mkdirat", "fstatat", "fstatvfs", "readdir", "fchmod",
         "read", "eventfd", "accept4", "recvmmsg", "recv", "epoll_ctl",
         "socket")


@row("F14", "every other call at the Nth, once and for ever",
     "no crash, no spin (CPU <= 20 %), 0 committed lost, by UDP 0 of 10 each",
     times=(None, 2, 3), seconds=1500)
def f14(lab, depth):
    """N = 1.. until a run passes without a hit, or 400. For ever N is doubled
    each time, as each takes seconds to heal; a nightly run takes every N."""
    hits = refused = 0
    beyond = []
    for call in OTHER:
        for for_good in (False, True):
            # The log is shown if the row does not end in time.
            print(call, "for ever" if for_good else "once",
                  f"{hits} hits so far", flush=True)
            nth = 1
            while nth <= MOST:
                hit, no_start = one_fault(
                    lab, "f14", call, nth, "gzip", error=errno.EIO,
                    for_good=for_good)
                if not hit:
                    break
                hits += 1
                refused += no_start
                nth += nth if is_sparse(lab, for_good, depth) else 1
            else:
                beyond.append(f"{call} {'for ever' if for_good else 'once'}")
    lab.assertGreater(hits, len(OTHER))
    return (f"{hits} faults in {len(OTHER)} calls, {refused} starts refused "
            "with a reason; 0 crashes, 0 lost"
            + ("; N doubled each time" if lab.mode == "quick" else
               "" if depth == 3 else "; N for ever doubled each time")
            + (f"; N beyond {MOST} not tried: {', '.join(beyond)}"
               if beyond else "; N to the end of all"))


def is_sparse(lab, for_good, depth):
    return lab.mode == "quick" or (for_good and depth < 3)


# --- F15 ---------------------------------------------------------------------

@row("F15", "read-only, spool removed, uploader meddles in ready/",
     "no exit; state reported <= 2 s; resumes <= 6 s after the repair; 0 lost",
     times=(1, 1, 1), seconds=200)
def f15(lab, _):
    said = [read_only(lab), removed(lab), meddled(lab)]
    if lab.mode != "quick":
        said.append(borrow(
            "disk_full.py", "DiskFull."
            "test_a_directory_that_is_away_for_a_while"))
    return "; ".join(said)


def read_only(lab):
    """EROFS from every call that changes something: writes, names, modes, and
    files opened to be written. (A mount with a file open for writing cannot
    be made read-only by anything but the kernel.)"""
    shim = lab.shim()
    sepmlogd = lab.idle("read-only", spool_options=PLAIN, wrap=shim.wrap)
    sepmlogd.start()
    with Load(sepmlogd, rate=1000, udp=0) as load:
        time.sleep(0.3)
        start = time.monotonic()
        shim.arm(CHANGES, error=errno.EROFS, for_good=True)
        harness.wait_until(lambda: "disk error" in last_status(sepmlogd),
                           "the state is told")
        told = time.monotonic() - start
        time.sleep(2.0)
        lab.assertIsNone(sepmlogd.process.poll(), "it exits")
        hits = shim.hits
        shim.disarm()
        before, start = disk_bytes(sepmlogd.spool), time.monotonic()
        harness.wait_until(lambda: disk_bytes(sepmlogd.spool) > before,
                           "it writes again")
        resumed = time.monotonic() - start
    sepmlogd.stop_cleanly()
    lab.assert_complete(sepmlogd.spool.numbers(), load.sent_tcp)
    said = (f"EROFS, {hits} times: told after {told:.1f} s, resumed after "
            f"{resumed:.1f} s, 0 of {load.sent} lost")
    lab.assertLessEqual(told, 2.0, said)
    lab.assertLessEqual(resumed, 6.0, said)
    return said


def removed(lab):
    """The directories below the spool, with all that was being written."""
    sepmlogd = lab.idle("removed", spool_options=PLAIN.replace(
        "age: 1s", "age: 60s"))
    sepmlogd.start()
    harness.send_tcp(sepmlogd.port, "r", 500)
    sepmlogd.spool.wait_records(500)
    shutil.rmtree(os.path.join(sepmlogd.spool_path, "live"))
    shutil.rmtree(os.path.join(sepmlogd.spool_path, "ready"))
    start = time.monotonic()
    harness.send_tcp(sepmlogd.port, "r", 500, first=500)
    harness.wait_until(lambda: len(sepmlogd.spool.numbers()["r"]) == 1000,
                       "all is there again", timeout=20)
    resumed = time.monotonic() - start
    sepmlogd.stop_cleanly()
    lab.assert_complete(sepmlogd.spool.numbers(), {"r": 1000})
    said = f"removed: made again after {resumed:.1f} s, 0 of 1000 lost"
    lab.assertLessEqual(resumed, 6.0, said)
    return said


class Meddler(threading.Thread):
    """Renames, deletes or makes unreadable each file of ready/ as it
    appears, all in turn. What it deletes it has read."""

    def __init__(self, spool):
        super().__init__(daemon=True)
        self.spool, self.deleted, self.times = spool, [], 0
        self._seen = set()
        self._end = threading.Event()

    def run(self):
        while not self._end.wait(0.002):
            for path in set(self.spool.ready()) - self._seen:
                self.meddle(path)

    def meddle(self, path):
        self._seen.add(path)
        what, self.times = self.times % 3, self.times + 1
        if what == 0:
            # no name that the daemon gives
            os.rename(path, os.path.join(os.path.dirname(path),
                                         f"mine.{self.times}"))
        elif what == 1:
            self.deleted += harness.read_file(path).splitlines()
            os.unlink(path)
        else:
            os.chmod(path, 0)

    def stop(self):
        self._end.set()
        self.join(10)
        return self.times


def meddled(lab):
    """Single files, while more are published."""
    sepmlogd = lab.idle("meddled", spool_options=PLAIN.replace(
        "size: 1MiB", "size: 64KiB"))
    sepmlogd.start()
    meddler = Meddler(sepmlogd.spool)
    meddler.start()
    with Load(sepmlogd, rate=2000, udp=0) as load:
        time.sleep(3.0)
    times = meddler.stop()
    lab.assertNotRegex("\n".join(sepmlogd.statuses()), "disk error|full")
    sepmlogd.stop_cleanly()
    deleted = os.path.join(lab.directory, "deleted")
    with open(deleted, "wb") as file:
        file.writelines(line + b"\n" for line in meddler.deleted)
    ready = os.path.join(sepmlogd.spool_path, "ready")
    renamed = [os.path.join(ready, name) for name in os.listdir(ready)
               if name.startswith("mine.")]
    lab.assert_complete(sepmlogd.spool.numbers(more=[*renamed, deleted]),
                        load.sent_tcp)
    lab.assertGreater(times, 30)
    return (f"{times} files renamed, deleted or chmodded under it: 0 of "
            f"{load.sent} lost, no other state")


# --- F19, F20 ----------------------------------------------------------------

WATCHDOG = 400_000  # us: it feeds the watchdog at twice that rate


def lateness(sepmlogd, since):
    """By how many ms the loop's ticks came late: of 99.9 %, and the most."""
    times = [at for at, text in sepmlogd._notify.timed()
             if at >= since and "WATCHDOG=1" in text]
    late = sorted((b - a) * 1000 - WATCHDOG / 2000
                  for a, b in zip(times, times[1:]))
    if not late:
        raise AssertionError("the watchdog was not fed")
    return late[min(len(late) - 1, int(len(late) * 0.999))], late[-1]


def on_disk(lab, name, kind="ext4"):
    base = os.path.join(lab.directory, name)
    os.makedirs(base)
    disk = Disk(base, kind)
    disk.mount()
    lab.addCleanup(disk.unmount)
    sepmlogd = lab.idle(name + "-daemon", tls=True)
    sepmlogd.spool_path = os.path.join(disk.path, "spool")
    sepmlogd.spool = harness.Spool(sepmlogd.spool_path)
    sepmlogd.configure("receive_buffer: 1MiB\n", PLAIN)
    shim = lab.shim()
    sepmlogd.wrap = ["env", f"WATCHDOG_USEC={WATCHDOG}", *shim.wrap]
    return disk, shim, sepmlogd.start()


@row("F19", "slow disk: 200 kB/s",
     "loop tick late <= 200 ms p99.9; RSS <= +16 MiB; no watchdog kill; TCP, "
     "TLS 0 lost; UDP = counted", times=(None, 30, 600), seconds=240)
def f19(lab, seconds):
    group = Group(lab, "blkio")
    disk, _, sepmlogd = on_disk(lab, "slow")
    number = os.stat(disk.device).st_rdev
    group.set("blkio.throttle.write_bps_device",
              f"{os.major(number)}:{os.minor(number)} 200000")
    group.add(sepmlogd.pid)
    meter = Meter(sepmlogd)
    meter.start()
    start = time.monotonic()
    with Load(sepmlogd) as load:
        time.sleep(seconds)
        late, latest = lateness(sepmlogd, start)
        grown = meter.stop()
        lab.assertIsNone(sepmlogd.process.poll(), "it exits")
        group.set("blkio.throttle.write_bps_device",
                  f"{os.major(number)}:{os.minor(number)} 0")
        uploads = Uploads(sepmlogd)
    sepmlogd.stop_cleanly()
    found = sepmlogd.spool.numbers(more=uploads.stop())
    lab.assert_complete(found, load.sent_streams)
    drops = lab.assert_udp_counted(sepmlogd, found, load.sent_udp)
    said = (f"{seconds} s: tick late {late:.0f} ms p99.9, {latest:.0f} ms at "
            f"most; RSS +{grown:.1f} MiB; TCP and TLS 0 "
            f"of {sum(load.sent_streams.values())} lost; UDP {drops} of "
            f"{sum(load.sent_udp.values())} dropped = counted")
    lab.assertLessEqual(late, 200, said)
    lab.assertLessEqual(grown, 16, said)
    return said


@row("F20", "hung disk: fsfreeze longer than the watchdog",
     "as F19; first commit <= 1 s after the thaw", times=(None, 1, 1),
     seconds=240)
def f20(lab, _):
    harness.need("fsfreeze")
    seconds = 40
    disk, shim, sepmlogd = on_disk(lab, "hung")
    meter = Meter(sepmlogd)
    with Load(sepmlogd) as load:
        time.sleep(1.0)
        meter.start()
        start = time.monotonic()
        command("fsfreeze", "--freeze", disk.path)
        try:
            time.sleep(seconds)
            lab.assertIsNone(sepmlogd.process.poll(), "it exits")
            late, latest = lateness(sepmlogd, start)
            synced = shim.watch_syncs()
        finally:
            command("fsfreeze", "--unfreeze", disk.path)
        thaw = time.monotonic()
        harness.wait_until(synced, "something is committed")
        committed = time.monotonic() - thaw
        grown = meter.stop()
        uploads = Uploads(sepmlogd)
    sepmlogd.stop_cleanly()
    found = sepmlogd.spool.numbers(more=uploads.stop())
    lab.assert_complete(found, load.sent_streams)
    drops = lab.assert_udp_counted(sepmlogd, found, load.sent_udp)
    said = (f"{seconds} s frozen: tick late {late:.0f} ms p99.9, "
            f"{latest:.0f} ms at most; RSS +{grown:.1f} MiB; first commit "
            f"{committed:.2f} s after the thaw; TCP and TLS 0 of "
            f"{sum(load.sent_streams.values())} lost; UDP {drops} dropped = "
            "counted")
    lab.assertLessEqual(late, 200, said)
    lab.assertLessEqual(grown, 16, said)
    lab.assertLessEqual(committed, 1.0, said)
    return said
