"""What strace saw of the spool, and the order that it must have."""

import collections
import os
import re

CALLS = ("openat,write,writev,pwrite64,fdatasync,fsync,renameat,renameat2,"
         "linkat,unlinkat,ftruncate,close")

Call = collections.namedtuple("Call", "name text result")


def command(path, calls=CALLS):
    """To put before the daemon, which stays the child that was started."""
    return ["strace", "-D", "-f", "-y", "-s", "1024", "-o", path, "-e",
            f"trace={calls}", "-e", "signal=none", "--"]


def finished(path):
    """The calls, once the trace is complete."""
    with open(path, encoding="utf-8", errors="replace") as file:
        text = file.read()
    return list(_calls(text)) if "+++ exited" in text else None


def _calls(text):
    """One of two threads that wait is told in two lines."""
    begun = {}
    for line in text.splitlines():
        pid, _, rest = line.partition(" ")
        rest = rest.strip()
        if rest.endswith("<unfinished ...>"):
            begun[pid] = rest[:-len("<unfinished ...>")]
            continue
        resumed = re.match(r"<\.\.\. \w+ resumed>(.*)", rest)
        if resumed:
            rest = begun.pop(pid, "") + resumed[1]
        call = re.match(r"(\w+)\((.*)\)\s+= (-?\d+)", rest)
        if call:
            yield Call(call[1], call[2], int(call[3]))


def check(calls, spool):
    """(files published, what is wrong). A file goes into ready/ only after
    it was synced and not written since, and after its successor was durable;
    then ready/ is synced before anything else is published or removed, and
    the directory it came from before the end."""
    order = _Order(os.path.realpath(spool))
    for call in calls:
        if call.result >= 0:
            order.take(call)
    return order.published, order.wrong + order.open_ends()


class _Order:
    def __init__(self, spool):
        self.spool, self.ready = spool, os.path.join(spool, "ready")
        self.synced = {}          # path: written since?
        self.created = set()      # in live/, directory not yet synced
        self.waits_ready = []     # published, ready/ not yet synced
        self.waits_live = {}      # directory: what left it
        self.published = 0
        self.wrong = []

    def take(self, call):
        handler = getattr(self, "take_" + call.name, None)
        if handler:
            handler(call)

    @staticmethod
    def _fd_path(text):
        match = re.match(r"\d+<([^>]*)>", text)
        return match[1] if match else ""

    @staticmethod
    def _named(text):
        """Paths of `5</dir>, "name"`, in order."""
        return [os.path.normpath(os.path.join(a, b)) for a, b in re.findall(
            r'(?:\d+|AT_FDCWD)<([^>]*)>, "([^"]*)"', text)]

    def take_openat(self, call):
        path = (self._named(call.text) or [""])[0]
        if "O_CREAT" in call.text and path.endswith(".open"):
            self.created.add(path)
            self.synced[path] = False

    def take_write(self, call):
        self.synced[self._fd_path(call.text)] = False

    take_pwrite64 = take_writev = take_ftruncate = take_write

    def take_fdatasync(self, call):
        self.synced[self._fd_path(call.text)] = True

    def take_fsync(self, call):
        path = self._fd_path(call.text)
        self.synced[path] = True
        if path == self.ready:
            self.waits_ready.clear()
        self.waits_live.pop(path, None)
        self.created = {p for p in self.created
                        if os.path.dirname(p) != path}

    def take_renameat2(self, call):
        paths = self._named(call.text)
        if len(paths) == 2 and os.path.dirname(paths[1]) == self.ready:
            self._publish(*paths)
        elif len(paths) == 2:
            self.synced[paths[1]] = self.synced.get(paths[0], False)

    take_renameat = take_renameat2

    def _publish(self, path, name):
        self.published += 1
        if not self.synced.get(path):
            self.wrong.append(f"{name}: published before it was synced")
        if self.waits_ready:
            self.wrong.append(f"{name}: ready/ is not synced for "
                              f"{self.waits_ready[0]}")
        directory = os.path.dirname(path)
        unsure = [p for p in self.created if os.path.dirname(p) == directory]
        if unsure:
            self.wrong.append(f"{name}: {unsure[0]} is not durable yet")
        self.waits_ready.append(name)
        self.waits_live[directory] = name

    def take_unlinkat(self, call):
        path = (self._named(call.text) or [""])[0]
        if path.endswith(".open") and self.waits_ready:
            self.wrong.append(f"{path}: removed before ready/ was synced")

    def open_ends(self):
        return ([f"{name}: ready/ was never synced"
                 for name in self.waits_ready]
                + [f"{name}: {path} was never synced"
                   for path, name in self.waits_live.items()])
