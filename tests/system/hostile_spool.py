"""A spool that someone else has prepared: it is refused, or what is in the
way is stepped around. What links point to stays as it is."""

import collections
import hashlib
import json
import os
import stat
import subprocess
import time
import unittest

import harness
from harness import LOOPBACK, SEPMLOGD

SECRET = b"not ours to touch\n"
NOBODY = 65534
EVIL = "\n<13>FORGED\x1b[2J\x9b2J"
DIRECTORIES = ("", "live", "ready", "quarantine", "ledger", "live/traffic")


def state(path):
    """Whatever a file or a tree is, but for times."""
    found = hashlib.sha256()
    for directory, names, files in sorted(os.walk(path)) or \
            [(os.path.dirname(path), [], [os.path.basename(path)])]:
        for name in sorted(names + files):
            full = os.path.join(directory, name)
            info = os.lstat(full)
            found.update(f"{full} {info.st_mode} {info.st_uid} "
                         f"{info.st_size}\n".encode())
            if stat.S_ISREG(info.st_mode):
                with open(full, "rb") as file:
                    found.update(file.read())
    return found.hexdigest()


def stored(spool):
    """How often each message is in the spool's own files."""
    found = {"h": collections.Counter()}
    for path in spool.live("traffic") + spool.ready("traffic"):
        if os.path.islink(path):
            continue
        with open(path, "rb") as file:
            found["h"].update(int(json.loads(line)["user"][2:])
                              for line in file)
    return found


class HostileSpool(harness.Case):
    def setUp(self):
        super().setUp()
        # Outside of the spool, so that links to it leave it.
        self.outside = os.path.join(self.directory, "outside")
        os.mkdir(self.outside)
        self.secret = os.path.join(self.outside, "secret")
        with open(self.secret, "wb") as file:
            file.write(SECRET)

    def used(self, count=3):
        """A daemon that has run and published, and ended."""
        sepmlogd = self.daemon(spool_options="compress: none")
        with sepmlogd:
            harness.send_tcp(sepmlogd.port, "h", count)
            sepmlogd.spool.wait_records(count)
            sepmlogd.stop_cleanly()
        self.addCleanup(sepmlogd.__exit__, None, None, None)
        return sepmlogd

    def refuse(self, sepmlogd, *words):
        """It does not start, soon, and says why."""
        before = len(sepmlogd.log())
        start = time.monotonic()
        sepmlogd.start(wait=False)
        self.assertEqual(sepmlogd.process.wait(20), 3, sepmlogd.log())
        self.assertLess(time.monotonic() - start, 10)
        said = sepmlogd.log()[before:]
        for word in words:
            self.assertIn(word, said)
        sepmlogd._notify.close()
        return said

    def go_on(self, sepmlogd, first=3, count=2):
        """It starts, stores, publishes."""
        sepmlogd.start()
        harness.send_tcp(sepmlogd.port, "h", count, first=first)
        sepmlogd.stop_cleanly()
        self.assert_complete(stored(sepmlogd.spool), {"h": first + count})

    def test_links_in_the_place_of_directories(self):
        sepmlogd = self.used()
        for name in DIRECTORIES:
            with self.subTest(name or "spool"):
                path = os.path.join(sepmlogd.spool_path, name).rstrip("/")
                target = os.path.join(self.outside, "directory")
                os.rename(path, target)
                os.symlink(target, path)
                before = state(self.outside)
                self.refuse(sepmlogd, name or sepmlogd.spool_path)
                self.assertEqual(state(self.outside), before)
                os.unlink(path)
                os.rename(target, path)
        self.go_on(sepmlogd)

    def test_directories_that_everyone_can_write(self):
        sepmlogd = self.used()
        for name in DIRECTORIES:
            with self.subTest(name or "spool"):
                path = os.path.join(sepmlogd.spool_path, name)
                mode = stat.S_IMODE(os.stat(path).st_mode)
                os.chmod(path, 0o777)
                self.refuse(sepmlogd, "writable by everyone", "chmod o-w")
                os.chmod(path, mode)
        self.go_on(sepmlogd)

    @unittest.skipIf(os.geteuid() != 0, "needs root")
    def test_directories_of_another_owner(self):
        sepmlogd = self.used()
        for name in DIRECTORIES:
            with self.subTest(name or "spool"):
                path = os.path.join(sepmlogd.spool_path, name)
                os.chown(path, NOBODY, -1)
                self.refuse(sepmlogd, f"belongs to user {NOBODY}")
                os.chown(path, 0, -1)
        self.go_on(sepmlogd)

    def names_ahead(self, sepmlogd):
        """Names that the next life will want to use."""
        path = sepmlogd.spool_path
        live = max(os.listdir(path + "/live/traffic"))
        number = int(live.split(".")[0])
        ready = os.path.basename(sepmlogd.spool.ready("traffic")[0])
        beginning = ready.rsplit("-", 1)[0]
        names = [path + "/traffic.jsonl", path + "/.cur"]
        for n in range(number, number + 3):
            names += [f"{path}/live/traffic/{n:016}.jsonl.open",
                      f"{path}/ready/{beginning}-{n:016}.jsonl"]
        return names

    @staticmethod
    def in_the_way(paths, target):
        """Links with those names, but where records stand."""
        for path in paths:
            if os.path.lexists(path):
                if not os.path.islink(path) and "/ready/" in path:
                    continue
                os.unlink(path)
            os.symlink(target, path)

    def test_links_where_files_are_to_be(self):
        """One after the other, and then all at once."""
        sepmlogd = self.used()
        count = 3
        before = state(self.outside)
        places = len(self.names_ahead(sepmlogd))
        for place in range(places + 1):
            names = self.names_ahead(sepmlogd)
            if place < places:
                names = names[place:place + 1]
            with self.subTest([os.path.basename(name) for name in names]):
                self.in_the_way(names, self.secret)
                sepmlogd.start()
                harness.send_tcp(sepmlogd.port, "h", 2, first=count)
                count += 2
                sepmlogd.stop()
                self.assert_complete(stored(sepmlogd.spool), {"h": count})
                self.assertEqual(state(self.outside), before)

    def test_a_link_for_the_lock(self):
        sepmlogd = self.used()
        path = os.path.join(sepmlogd.spool_path, "lock")
        before = state(self.outside)
        os.unlink(path)
        os.symlink(self.secret, path)
        self.refuse(sepmlogd, "lock")
        self.assertEqual(state(self.outside), before)
        os.unlink(path)
        self.go_on(sepmlogd)

    def test_a_link_for_the_instance(self):
        """Another one is made in its place."""
        sepmlogd = self.used()
        path = os.path.join(sepmlogd.spool_path, "instance")
        before = state(self.outside)
        os.unlink(path)
        os.symlink(self.secret, path)
        self.go_on(sepmlogd)
        self.assertEqual(state(self.outside), before)
        self.assertFalse(os.path.islink(path))

    def test_names_that_are_taken_while_it_runs(self):
        """Whoever may write to ready/ cannot make it overwrite anything. What
        has no name there stays in live/, and is published when it has."""
        sepmlogd = self.used()
        before = state(self.outside)
        names = [n for n in self.names_ahead(sepmlogd) if "/ready/" in n]
        sepmlogd.start()
        self.in_the_way(names, self.secret)
        harness.send_tcp(sepmlogd.port, "h", 2, first=3)
        self.assertEqual(sepmlogd.stop(), 1)
        self.assertIn(os.path.basename(names[0]), sepmlogd.log())
        self.assertIn("the next start does it", sepmlogd.log())
        self.assertNotIn("lost", sepmlogd.log())
        self.assert_complete(stored(sepmlogd.spool), {"h": 5})
        self.assertEqual(state(self.outside), before)
        for name in names:
            self.assertEqual(os.readlink(name), self.secret)
            os.unlink(name)
        self.go_on(sepmlogd, 5)
        self.assertEqual(sum(os.path.getsize(path) for path in
                             sepmlogd.spool.live("traffic")), 0)

    def test_names_do_not_write_the_log(self):
        """Whatever lies in the spool, one line is one line, and no terminal
        is told anything."""
        sepmlogd = self.used()
        path = sepmlogd.spool_path
        ready = os.path.basename(sepmlogd.spool.ready("traffic")[0])
        live = os.path.basename(sepmlogd.spool.live("traffic")[0])
        for name in (f"ready/{ready}", "ready/x", "quarantine/x", "x",
                     f"live/traffic/{live}", "live/traffic/x"):
            with open(os.path.join(path, name + EVIL), "wb") as file:
                file.write(b"{}\n")
        os.mkdir(os.path.join(path, "live/x" + EVIL))
        sepmlogd.start()
        harness.send_tcp(sepmlogd.port, "h", 2, first=3)
        sepmlogd.wait_log("FORGED.* is no stream of ours")
        sepmlogd.stop_cleanly()
        with open(sepmlogd.log_path, "rb") as file:
            lines = file.read().split(b"\n")
        for line in lines:
            self.assertRegex(line, rb"\A[\x20-\x7e]*\Z")
            self.assertFalse(line.startswith(b"<13>"), line)
        for name in os.listdir(path + "/ready"):
            if EVIL in name:
                os.unlink(os.path.join(path, "ready", name))
        self.assert_complete(stored(sepmlogd.spool), {"h": 5})

    def test_two_daemons(self):
        """The second does not touch anything."""
        sepmlogd = self.enterContext(self.daemon())
        harness.send_tcp(sepmlogd.port, "h", 10)
        sepmlogd.spool.wait_records(10)
        other = harness.free_port()
        config = os.path.join(self.directory, "second.yaml")
        with open(sepmlogd.config_path, encoding="utf-8") as file:
            text = file.read().replace(f"{LOOPBACK}:{sepmlogd.port}",
                                       f"{LOOPBACK}:{other}")
        with open(config, "w", encoding="utf-8") as file:
            file.write(text)
        # The first one may still be syncing what it has.
        time.sleep(0.3)
        before = state(sepmlogd.spool_path)
        start = time.monotonic()
        second = subprocess.run([SEPMLOGD, "-c", config], timeout=20,
                                stderr=subprocess.PIPE, text=True)
        self.assertLess(time.monotonic() - start, 10)
        self.assertEqual(second.returncode, 3)
        self.assertIn("another", second.stderr)
        self.assertEqual(state(sepmlogd.spool_path), before)
        harness.send_tcp(sepmlogd.port, "h", 10, first=10)
        sepmlogd.spool.wait_records(20)
        sepmlogd.stop_cleanly()
        self.assert_complete(sepmlogd.spool.numbers(), {"h": 20})


if __name__ == "__main__":
    harness.main()
