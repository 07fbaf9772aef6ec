#!/usr/bin/env python3
"""Crash model of the spool: every image that a power cut may leave, recovered.

The daemon below does what lib/spool does, one file-system call at a time. After
each call the power may fail: the model makes the disk images that are possible
then, recovers each of them (with more power cuts during the recovery), lets the
uploader take what is published, and checks what the spool promises:

  committed lost    a record whose commit was reported is nowhere
  partial           a file in ready/ is not whole records
  other bytes       a name in ready/ stood for other bytes before
  two names         a record was published under two names
  no ledger line    a file in ready/ has no line in the ledger, or another one

Two file systems are modelled. `journal`: names reach the disk in the order of
the calls, and any sync writes all of them (ext4, xfs). `strict`: each change of
a name reaches the disk on its own, in any combination, until its directory is
synced; so do failed syncs of directories, which later ones do not repair.
Common to both: data that was not synced may be lost, torn, or zeros; a sync may
fail once and lie from then on, and the pages of the failed sync may be gone at
once or stay visible until the power fails. The process may also be killed
alone, and its successor sees what the page cache shows.

The design must be free of violations. Then single mistakes are put into it, and
each must be caught: that is what says the model can see.

  crash_model.py             all of it, some minutes
  crash_model.py --quick     enough to notice a mistake, about a minute
"""

import argparse
import contextlib
import itertools
import random
import sys

PAGE = 8            # bytes; records are about as large
STREAMS = ("a", "b")
SUBSETS = 256       # of pending changes, before sampling

# What may be put wrong, and what that is.
MISTAKES = {
    "no_dir_sync": "directories are never synced",
    "publish_first": "published before the sync of the segment",
    "number_reuse": "the next segment is created after publishing",
    "sync_retried": "a failed sync is tried again on the same file",
    "no_page_floor": "the rewrite trusts the last, half written page",
    "unsealed_trusted": "recovery publishes a file that was not closed",
    "pack_unsynced": "the compressed file is not synced",
    "plain_removed": "the plain file goes before the compressed one is safe",
    "dir_sync_retried": "a failed sync of a directory is just repeated",
    "ledger_unsynced": "the ledger's line is not synced before the name",
    "ledger_late": "the ledger's line is written after the name",
    "ledger_dir_unsynced": "the directory of a new ledger file is not synced",
    "ledger_retried": "a failed sync of the ledger is tried again",
}
ONLY_PACKED = {"pack_unsynced", "plain_removed"}
ONLY_PLAIN = {"unsealed_trusted"}
# any sync of a journal writes all names: it cannot show these
ONLY_STRICT = {"plain_removed", "dir_sync_retried", "ledger_dir_unsynced"}


class Violation(Exception):
    """The promise that was broken is its first argument."""


class Caught(Exception):
    """A mistake was noticed: the rest of that life adds nothing."""


class Inode:
    """A file's bytes as processes see them, and as the disk has them."""

    __slots__ = ("data", "disk", "poisoned", "sealed")

    def __init__(self, data=b"", sealed=False):
        self.data = self.disk = data
        self.poisoned = False
        self.sealed = sealed

    def copy(self):
        other = Inode(self.data, self.sealed)
        other.disk, other.poisoned = self.disk, self.poisoned
        return other


class Change:
    """One atomic change of names: some vanish, then some appear."""

    __slots__ = ("gone", "new", "dirs", "dropped")

    def __init__(self, gone=(), new=()):
        self.gone, self.new = gone, new
        self.dirs = {name[0] for name in gone} | {name[0] for name, _ in new}
        self.dropped = False  # its sync failed: no later one covers it

    def touched(self):
        return set(self.gone) | {name for name, _ in self.new}

    def forget(self, names):
        """Of these names the disk has a newer state: it has no way back."""
        self.gone = tuple(n for n in self.gone if n not in names)
        self.new = tuple(n for n in self.new if n[0] not in names)

    def apply(self, names):
        for name in self.gone:
            names.pop(name, None)
        for name, inode in self.new:
            names[name] = inode


class FileSystem:
    """Names are pairs of directory and file name."""

    def __init__(self, strict):
        self.strict = strict
        self.inodes = {}
        self.names = {}      # as processes see them
        self.on_disk = {}    # as the disk has them
        self.pending = []    # changes between the two
        self.next_inode = 1
        self.fail_sync = self.fail_dir_sync = 0
        self.lose_pages = False

    # --- names ---

    def _change(self, gone=(), new=()):
        change = Change(gone, new)
        change.apply(self.names)
        self.pending.append(change)

    def create(self, name):
        assert name not in self.names, name
        inode = self.next_inode
        self.next_inode += 1
        self.inodes[inode] = Inode()
        self._change(new=((name, inode),))
        return inode

    def rename(self, old, new):
        self._change(gone=(old,), new=((new, self.names[old]),))

    def exchange(self, a, b):
        self._change(new=((a, self.names[b]), (b, self.names[a])))

    def unlink(self, name):
        if name in self.names:
            self._change(gone=(name,))

    def list(self, directory):
        return sorted(n for d, n in self.names if d == directory)

    def read(self, name):
        return self.inodes[self.names[name]].data

    # --- syncs ---

    def _flush(self, wanted):
        left = []
        for change in self.pending:
            if wanted(change) and not change.dropped:
                change.apply(self.on_disk)
                for older in left:
                    older.forget(change.touched())
            else:
                left.append(change)
        self.pending = [c for c in left if c.gone or c.new]

    def sync(self, inode):
        """fdatasync: False is EIO; on a poisoned file, True is a lie."""
        file = self.inodes[inode]
        if self.fail_sync:
            self.fail_sync -= 1
            file.poisoned = True
            if self.lose_pages:
                kept = file.disk[:len(file.disk) // PAGE * PAGE]
                file.data = kept + b"\0" * (len(file.data) - len(kept))
            return False
        if not file.poisoned:
            file.disk = file.data
        if not self.strict:
            self._flush(lambda change: True)
        return True

    def reread(self):
        """Pages that a failed sync lost come from the disk again.

        To a process that lives they read as zeros, so that it must not trust
        them. That the error also destroyed what an earlier sync had put there,
        and the process that remembers it is killed before it has written it
        anew, is one fault more than the spool promises to survive.
        """
        for file in self.inodes.values():
            if file.poisoned and not file.data.startswith(file.disk):
                file.data = file.disk

    def sync_dir(self, directory):
        def touches(change):
            return directory in change.dirs
        if self.strict and self.fail_dir_sync:
            self.fail_dir_sync -= 1
            for change in filter(touches, self.pending):
                change.dropped = True
            return False
        self._flush(touches if self.strict else lambda change: True)
        return True

    # --- the power fails ---

    def _kept_changes(self, rng):
        """Which of the pending changes may have reached the disk."""
        n = len(self.pending)
        if not self.strict:
            return [range(k) for k in range(n + 1)]
        if 1 << n <= SUBSETS:
            return [[i for i in range(n) if bits >> i & 1]
                    for bits in range(1 << n)]
        return [[i for i in range(n) if rng.random() < .5]
                for _ in range(SUBSETS)]

    @staticmethod
    def _kept_data(file, rng):
        """What of a file may have reached the disk."""
        old, new = file.disk, file.data
        kept = [old]
        if not file.poisoned:
            kept.append(new)
        if len(new) > len(old) and new.startswith(old):
            torn = rng.randint(len(old) + 1, len(new))
            hole = rng.randint(len(old), len(new))
            kept += [new[:torn],
                     old + b"\0" * (hole - len(old)) + new[hole:],
                     old + b"\0" * (len(new) - len(old))]
        return kept

    def images(self, rng, limit):
        """Disks that a power cut may leave: all of them, or a sample."""
        subsets = self._kept_changes(rng)
        if len(subsets) > limit:
            subsets = rng.sample(subsets, limit)
        for subset in subsets:
            names = dict(self.on_disk)
            for i in subset:
                self.pending[i].apply(names)
            used = sorted(set(names.values()))
            choices = [self._kept_data(self.inodes[i], rng)
                       if self.inodes[i].data != self.inodes[i].disk
                       else [self.inodes[i].disk] for i in used]
            for data in itertools.islice(itertools.product(*choices), 12):
                yield self._image(names, dict(zip(used, data)))

    def _image(self, names, data):
        image = FileSystem(self.strict)
        image.next_inode = self.next_inode
        image.names, image.on_disk = dict(names), dict(names)
        # the mode is set after the sync, so where it shows the data does too
        image.inodes = {i: Inode(bytes_, self.inodes[i].sealed and
                                 self.inodes[i].disk == bytes_)
                        for i, bytes_ in data.items()}
        return image


# --- what is in the files ---

def record(number):
    return b"{%d}\n" % number


def whole_lines(data):
    return b"".join(
        line + b"\n" for line in data.split(b"\n")[:-1]
        if line.startswith(b"{") and line.endswith(b"}") and b"\0" not in line)


def numbers_in(data):
    return [int(line[1:-1]) for line in whole_lines(data).split(b"\n")[:-1]]


def pack(data):
    return b"Z%d:" % len(data) + data


def unpack(data):
    """None: it is not whole."""
    head, colon, rest = data.partition(b":")
    if not head.startswith(b"Z") or not colon or int(head[1:]) != len(rest):
        return None
    return rest


def ledger_line(name, data):
    return b"{%s=%s}\n" % (name.encode(), data.hex().encode())


class Segment:
    def __init__(self, stream, number, inode, image=b""):
        self.stream, self.number, self.inode = stream, number, inode
        self.image = image   # what was appended; the rest of it is the ring
        self.committed = 0   # bytes
        self.records = []

    @property
    def name(self):
        return ("live/" + self.stream, "%04d.open" % self.number)


class Daemon:
    """Each method yields after each call to the file system."""

    def __init__(self, fs, packed, mistakes, committed):
        self.fs, self.packed, self.mistakes = fs, packed, mistakes
        self.committed = committed   # the numbers of committed records
        self.live = {}
        self.ledger = None   # inode of this life's file
        self.lines = b""     # of it, all that must be there

    def sync_dir(self, directory):
        """The answer is to be acted on, unless that is the mistake."""
        if "no_dir_sync" in self.mistakes:
            return True
        if self.fs.sync_dir(directory):
            return True
        if "dir_sync_retried" in self.mistakes:
            return self.sync_dir(directory)
        return False

    # --- segment.c ---

    def create(self, stream, number):
        segment = Segment(stream, number, None)
        while True:
            segment.inode = self.fs.create(segment.name)
            yield
            if self.sync_dir(segment.name[0]):
                break
            self.fs.unlink(segment.name)  # the name has to be made again
            yield
        self.live[stream] = segment
        yield

    def append(self, stream, number):
        segment = self.live[stream]
        line = record(number)
        self.fs.inodes[segment.inode].data += line
        segment.image += line
        segment.records.append(number)
        yield

    def rewrite(self, segment):
        """A new file, of pages known to be good and what memory has."""
        directory = segment.name[0]
        temporary = (directory, "rw.tmp")
        keep = segment.committed // PAGE * PAGE
        if "no_page_floor" in self.mistakes:
            keep = segment.committed
        old = self.fs.inodes[segment.inode]
        while True:
            self.fs.unlink(temporary)
            new = self.fs.create(temporary)
            yield
            self.fs.inodes[new].data = old.data[:keep] + segment.image[keep:]
            yield
            if self.fs.sync(new):
                yield
                self.fs.rename(temporary, segment.name)
                yield
                if self.sync_dir(directory):
                    break
            yield
        segment.inode = new
        yield

    def commit(self, segment):
        if not self.fs.sync(segment.inode):
            yield
            if "sync_retried" in self.mistakes:
                self.fs.sync(segment.inode)
            else:
                yield from self.rewrite(segment)
        segment.committed = len(segment.image)
        self.committed.update(segment.records)
        yield

    def rotate(self, stream):
        old = self.live[stream]
        if not old.image:
            return
        if "number_reuse" in self.mistakes:
            yield from self.close(old)
            yield from self.publish(old)
            yield from self.create(stream, self.highest(stream) + 1)
            return
        yield from self.create(stream, old.number + 1)
        if "publish_first" in self.mistakes:
            yield from self.publish(old)
            yield from self.commit(old)
            return
        yield from self.close(old)
        yield from self.publish(old)

    def close(self, segment):
        yield from self.commit(segment)
        self.fs.inodes[segment.inode].sealed = True
        yield

    # --- ledger.c ---

    def account(self, name, data):
        """A durable line, in this life's file or a newer one."""
        self.lines += ledger_line(name, data)
        added = ledger_line(name, data)
        while True:
            new = self.ledger is None
            if new:
                self.ledger = self.fs.create(
                    ("ledger", "%04d" % self.fs.next_inode))
                added = self.lines   # all again
                yield
            self.fs.inodes[self.ledger].data += added
            yield
            if "ledger_unsynced" in self.mistakes:
                break
            if self.fs.sync(self.ledger) or (
                    "ledger_retried" in self.mistakes and
                    self.fs.sync(self.ledger)):
                yield
                if not new or "ledger_dir_unsynced" in self.mistakes or \
                        self.sync_dir("ledger"):
                    break
            self.ledger = None
            yield
        yield

    # --- publish.c ---

    def publish(self, segment):
        name = "%s-%04d" % (segment.stream, segment.number)
        if self.packed:
            yield from self.publish_packed(segment, ("ready", name + ".z"))
        else:
            yield from self.publish_plain(segment, ("ready", name))
        while not self.sync_dir(segment.name[0]):
            yield
        yield

    def publish_plain(self, segment, ready):
        if ready in self.fs.names:
            if self.fs.read(ready) != self.fs.read(segment.name):
                raise Violation("other bytes", ready)
            yield from self.account(ready[1], self.fs.read(ready))
            while not self.sync_dir("ready"):
                yield
                self.fs.exchange(segment.name, ready)
                yield
            self.fs.unlink(segment.name)
        else:
            data = self.fs.read(segment.name)
            if "ledger_late" not in self.mistakes:
                yield from self.account(ready[1], data)
            self.fs.rename(segment.name, ready)
            yield
            if "ledger_late" in self.mistakes:
                yield from self.account(ready[1], data)
            # back in live/ after a power cut, it will be published again
            while not self.sync_dir("ready"):
                yield
        yield

    def publish_packed(self, segment, ready):
        temporary = (segment.name[0], "publish.tmp")
        doubtful = False
        data = self.fs.inodes[segment.inode].data
        while True:
            yield from self.make_packed(segment, temporary)
            if not doubtful and "ledger_late" not in self.mistakes:
                yield from self.account(ready[1], data)
            if ready not in self.fs.names:
                self.fs.rename(temporary, ready)
            elif self.fs.read(ready) != self.fs.read(temporary):
                raise Violation("other bytes", ready)
            elif doubtful:
                self.fs.exchange(temporary, ready)
            yield
            if "plain_removed" in self.mistakes:
                self.fs.unlink(segment.name)
                yield
                self.sync_dir(segment.name[0])
                yield
            if "ledger_late" in self.mistakes:
                yield from self.account(ready[1], data)
            if self.sync_dir("ready"):
                break
            doubtful = True
            yield
        self.fs.unlink(temporary)
        yield
        self.fs.unlink(segment.name)
        yield

    def make_packed(self, segment, temporary):
        data = pack(self.fs.inodes[segment.inode].data)
        while True:
            self.fs.unlink(temporary)
            new = self.fs.create(temporary)
            yield
            self.fs.inodes[new].data = data
            yield
            if "pack_unsynced" in self.mistakes or self.fs.sync(new):
                break
            yield
        yield

    # --- recover.c ---

    def highest(self, stream):
        live = [int(n[:4]) for n in self.fs.list("live/" + stream)
                if n.endswith(".open")]
        ready = [int(n[2:6]) for n in self.fs.list("ready")
                 if n.startswith(stream + "-")]
        return max(live + ready + [0])

    def recover(self):
        for stream in STREAMS:
            yield from self.recover_stream(stream)

    def recover_stream(self, stream):
        directory = "live/" + stream
        for name in ("rw.tmp", "salvage.tmp", "publish.tmp"):
            self.fs.unlink((directory, name))
        yield
        left = [int(n[:4]) for n in self.fs.list(directory)]
        highest = self.highest(stream)
        last = (directory, "%04d.open" % highest)
        if last in self.fs.names and not self.fs.read(last) and \
                not self.fs.inodes[self.fs.names[last]].poisoned and \
                self.sync_dir(directory):
            left.remove(highest)
            self.live[stream] = Segment(stream, highest, self.fs.names[last])
            yield
        elif "number_reuse" not in self.mistakes:
            yield from self.create(stream, highest + 1)
        for number in left:
            yield from self.recover_segment(stream, number)
        if stream not in self.live:
            yield from self.create(stream, self.highest(stream) + 1)

    def recover_segment(self, stream, number):
        segment = Segment(stream, number, None)
        inode = self.fs.names[segment.name]
        file = self.fs.inodes[inode]
        trusted = file.sealed or "unsealed_trusted" in self.mistakes
        if not trusted or whole_lines(file.data) != file.data:
            inode = yield from self.salvage(segment, whole_lines(file.data))
        elif not file.sealed:
            self.fs.sync(inode)
        segment.inode = inode
        if self.fs.inodes[inode].data:
            yield from self.publish(segment)
        else:
            self.fs.unlink(segment.name)
            yield

    def salvage(self, segment, lines):
        directory = segment.name[0]
        temporary = (directory, "salvage.tmp")
        while True:
            self.fs.unlink(temporary)
            new = self.fs.create(temporary)
            yield
            self.fs.inodes[new].data = lines
            yield
            if self.fs.sync(new):
                self.fs.inodes[new].sealed = True
                yield
                self.fs.rename(temporary, segment.name)
                yield
                if self.sync_dir(directory):
                    return new
            yield


class Uploader:
    """Takes and deletes; knows every name it has seen."""

    def __init__(self, seen=()):
        self.seen = dict(seen)

    def copy(self):
        return Uploader(self.seen)

    def take(self, fs):
        self.account(fs)
        for name in fs.list("ready"):
            self._look(name, fs.read(("ready", name)))
            fs.unlink(("ready", name))

    @staticmethod
    def account(fs):
        """Of each file that is there, whenever that is, the ledger knows."""
        if not fs.list("ready"):
            return
        lines = set()
        for name in fs.list("ledger"):
            lines.update(whole_lines(fs.read(("ledger", name)))
                         .splitlines(True))
        for name in fs.list("ready"):
            data = fs.read(("ready", name))
            plain = unpack(data) if name.endswith(".z") else data
            if ledger_line(name, plain or b"") not in lines:
                raise Violation("no ledger line", name)

    def _look(self, name, data):
        plain = unpack(data) if name.endswith(".z") else data
        if not plain or whole_lines(plain) != plain:
            raise Violation("partial", name, data)
        if self.seen.setdefault(name, plain) != plain:
            raise Violation("other bytes", name, data)

    def check(self, committed):
        where = {}
        for name, data in self.seen.items():
            for number in numbers_in(data):
                if where.setdefault(number, name) != name:
                    raise Violation("two names", number)
        lost = committed - where.keys()
        if lost:
            raise Violation("committed lost", sorted(lost)[:3])


class Run:
    """One life of a spool, with all the deaths it may die."""

    def __init__(self, strict, packed, mistakes, seed, limit, stop):
        self.strict, self.packed, self.mistakes = strict, packed, mistakes
        self.stop = stop
        self.rng = random.Random("%s %s %s" % (seed, strict, packed))
        self.limit = limit
        self.states = 0
        self.violations = {}
        self.next_number = 0

    def daemon(self, fs, committed):
        return Daemon(fs, self.packed, self.mistakes, committed)

    def number(self):
        self.next_number += self.rng.choice((1, 1, 1, 90))  # of any length
        return self.next_number

    # --- after a power cut ---

    def check_images(self, fs, uploader, committed, depth=1):
        limit = self.limit if depth else 3
        for image in fs.images(self.rng, limit):
            self.states += 1
            try:
                uploader.account(image)  # before any recovery
                self.after(image, uploader.copy(), set(committed), depth)
            except Violation as violation:
                self.note(violation)

    def note(self, violation):
        kind = violation.args[0]
        self.violations[kind] = self.violations.get(kind, 0) + 1
        if self.stop:
            raise Caught

    def after(self, fs, uploader, committed, depth):
        daemon = self.daemon(fs, committed)
        for _ in daemon.recover():
            if depth and self.rng.random() < .1:
                self.check_images(fs, uploader, committed, depth - 1)
        uploader.take(fs)
        for stream in STREAMS:
            for _ in daemon.append(stream, self.number()):
                pass
            for _ in daemon.rotate(stream):
                pass
        uploader.take(fs)
        uploader.check(committed)

    # --- a life ---

    def actions(self, daemon):
        yield from daemon.recover()
        for _ in range(5):
            for _ in range(self.rng.randint(1, 5)):
                stream = self.rng.choice(STREAMS)
                yield from daemon.append(stream, self.number())
                self.fault(daemon.fs)
                if self.rng.random() < .5:
                    yield from daemon.commit(daemon.live[stream])
            self.fault(daemon.fs)
            for _ in daemon.rotate(self.rng.choice(STREAMS)):
                if self.rng.random() < .1:  # on its way into ready/, too
                    self.fault(daemon.fs)
                yield

    def fault(self, fs):
        fs.lose_pages = self.rng.random() < .5
        if self.rng.random() < .15:
            fs.fail_sync = self.rng.choice((1, 1, 2))
        if self.rng.random() < .1:
            fs.fail_dir_sync = 1

    def live(self):
        fs = FileSystem(self.strict)
        uploader = Uploader()
        committed = set()
        with contextlib.suppress(Caught):
            try:
                self.processes(fs, uploader, committed)
            except Violation as violation:
                self.note(violation)

    def processes(self, fs, uploader, committed):
        for _ in range(3):  # all but the last are killed
            daemon = self.daemon(fs, committed)
            for _ in self.actions(daemon):
                self.check_images(fs, uploader, committed)
                if self.rng.random() < .1:
                    uploader.take(fs)
                    self.check_images(fs, uploader, committed)
                if self.rng.random() < .02:
                    fs.reread()
                    break


def explore(mistakes, seeds, limit, stop_when_caught):
    """States seen, and violations by kind, for each file system."""
    results = {}
    for strict in (False, True):
        if not strict and mistakes & ONLY_STRICT:
            continue
        states, found = 0, {}
        for seed, packed in itertools.product(range(seeds), (False, True)):
            if packed and mistakes & ONLY_PLAIN or \
                    not packed and mistakes & ONLY_PACKED:
                continue
            run = Run(strict, packed, mistakes, seed, limit,
                      stop_when_caught)
            run.live()
            states += run.states
            for kind, count in run.violations.items():
                found[kind] = found.get(kind, 0) + count
            if found and stop_when_caught:
                break
        results["strict" if strict else "journal"] = (states, found)
    return results


def tell(name, results):
    for model, (states, found) in results.items():
        kinds = ", ".join("%s %d" % item for item in sorted(found.items()))
        print("%-18s %-8s %8d states  %s" % (
            name, model, states, kinds or "no violation"), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--seeds", type=int, help="lives per variant")
    arguments = parser.parse_args()
    seeds = arguments.seeds or (3 if arguments.quick else 40)
    limit = 6 if arguments.quick else 12
    lives = 10 if arguments.quick else 60
    failed = False

    results = explore(frozenset(), seeds, limit, False)
    tell("design", results)
    failed |= any(found for _, found in results.values())
    for mistake in MISTAKES:
        # some mistakes are seen in one of the two file systems only
        results = explore(frozenset([mistake]), lives, limit, True)
        tell(mistake, results)
        if not any(found for _, found in results.values()):
            print("%s was not caught: %s" % (mistake, MISTAKES[mistake]))
            failed = True
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
