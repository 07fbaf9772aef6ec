"""The page that a test shares with shim.c: what is to fail, and what was seen.
"""

import errno
import mmap
import os
import struct

import harness

SHIM = os.environ.get("SEPMLOG_SHIM") or os.path.join(
    harness.ROOT, "build/release/tests/system/libfaults_shim.so")

# In the order of `enum call`.
CALLS = ("write", "read", "openat", "fdatasync", "fsync", "ftruncate",
         "linkat", "renameat", "renameat2", "unlinkat", "mkdirat", "fchmod",
         "fstatat", "fstatvfs", "readdir", "memory", "eventfd", "accept4",
         "recvmmsg", "recv", "epoll_ctl", "socket")
DISK_CALLS = CALLS[:CALLS.index("memory")]
ANY_DISK = "any disk call"
CHANGES = "calls that change something"
_NUMBERS = ({name: n for n, name in enumerate(CALLS)}
            | {ANY_DISK: 100, CHANGES: 101})
_ACTIONS = {"fail": 0, "kill": 1, "short": 2}

# struct page
_RULE = struct.Struct("@IIIIiIQ")
_COUNTS = struct.Struct("@QQQQ")
_CALLS_AT = _RULE.size + _COUNTS.size
_FILE = struct.Struct("@QQQ")
_FILES_AT = _CALLS_AT + 32 * 8
_FILES = 1024
_MAGIC = 0x46415554


class Shim:
    """`wrap` before the daemon's command lets it run under the shim."""

    def __init__(self, path):
        if not os.access(SHIM, os.R_OK):
            raise harness.unittest.SkipTest(
                "no shim (cmake --preset release && "
                "cmake --build --preset release)")
        size = _FILES_AT + _FILES * _FILE.size
        with open(path, "w+b") as file:
            file.truncate(size)
            self._page = mmap.mmap(file.fileno(), size)
        self.wrap = ["env", f"LD_PRELOAD={SHIM}", f"FAULTS_PAGE={path}"]

    def arm(self, call, nth=1, action="fail", error=errno.EIO,
            for_good=False, part=0):
        """From here on the `nth` such call is hit, and with `for_good` all
        after it."""
        self.disarm()
        _COUNTS.pack_into(self._page, _RULE.size, 0, 0, self.misuse,
                          self.failed_syncs)
        _RULE.pack_into(self._page, 0, 0, _NUMBERS[call], _ACTIONS[action],
                        for_good, error, part, nth)
        struct.pack_into("@I", self._page, 0, _MAGIC)

    def disarm(self):
        struct.pack_into("@I", self._page, 0, 0)

    @property
    def seen(self):
        """Calls of the chosen kind since it was armed."""
        return _COUNTS.unpack_from(self._page, _RULE.size)[0]

    @property
    def hits(self):
        return _COUNTS.unpack_from(self._page, _RULE.size)[1]

    @property
    def misuse(self):
        """Writes to and syncs of a file whose sync had failed."""
        return _COUNTS.unpack_from(self._page, _RULE.size)[2]

    @property
    def failed_syncs(self):
        """Syncs of files that failed, by injection or for real."""
        return _COUNTS.unpack_from(self._page, _RULE.size)[3]

    def calls(self, name):
        return struct.unpack_from("@Q", self._page,
                                  _CALLS_AT + 8 * _NUMBERS[name])[0]

    def confirmed(self):
        """Bytes that a sync has confirmed, by inode, and the inodes whose
        sync has failed."""
        sizes, poisoned = {}, set()
        for at in range(_FILES_AT, _FILES_AT + _FILES * _FILE.size,
                        _FILE.size):
            inode, size, bad = _FILE.unpack_from(self._page, at)
            if inode:
                sizes[inode] = size
            if bad:
                poisoned.add(inode)
        return sizes, poisoned

    def watch_syncs(self):
        """A function that says whether a sync has confirmed more of a file
        since now."""
        before = self.confirmed()[0]
        return lambda: any(size > before.get(inode, 0) for inode, size
                           in self.confirmed()[0].items())
