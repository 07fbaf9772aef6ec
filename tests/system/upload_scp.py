"""sepmlog-upload to an SSH server that has no SFTP, and logins by password."""

import gzip
import os
import shutil

import harness
import upload_presets
import upload_sftp
import uploads
from harness import LOOPBACK, wait_until
from upload_sftp import Cutter

PASSWORD = "pass word $1"


class Scp(upload_sftp.Case):
    def setUp(self):
        super().setUp()
        if not shutil.which("scp"):
            self.skipTest("there is no scp here")
        self.out = self.made("it's out")

    def target(self, port, **more):
        return super().target(port, **{
            "type": "scp", "directory": f'"{self.out}"', **more})

    def delivered(self, target, sizes=(0, 1, 65536, 3_000_000)):
        spool = self.spool()
        for n, size in enumerate(sizes, 1):
            spool.put(n, size)
        uploader = self.uploader(spool, [target])
        status, said = uploader.run("--once")
        self.assertEqual(status, 0, said)
        self.assert_all_there(spool)
        return spool, uploader

    def test_all_arrive(self):
        sshd = self.sshd(more="Subsystem none /bin/false").start()
        spool, _ = self.delivered(self.target(sshd.port))
        self.assertEqual([line["check"] for line in spool.receipts()],
                         [f"size:{line['size']}" for line in spool.receipts()])

    def test_without_a_shell(self):
        # as a server that lets nothing else be run
        only = self.path("only")
        with open(only, "w", encoding="ascii") as file:
            file.write('#!/bin/sh\ncase $SSH_ORIGINAL_COMMAND in\n'
                       '"scp -t "*) eval "exec $SSH_ORIGINAL_COMMAND";;\n'
                       '*) echo no such command >&2; exit 3;;\nesac\n')
        os.chmod(only, 0o755)
        sshd = self.sshd(more=f"ForceCommand {only}").start()
        spool = self.spool()
        spool.put(1, 100_000)
        uploader = self.uploader(spool, [self.target(sshd.port)])
        status, said = uploader.run("--once")
        self.assertEqual(status, 1)
        self.assertIn("ended with 3: no such command", said)
        self.assertIn("rename: no", said)
        os.unlink(self.part([*spool.sums][0]))
        uploader.configure([self.target(sshd.port, rename="no")])
        status, said = uploader.run("--once")
        self.assertEqual(status, 0, said)
        self.assert_all_there(spool)

    def test_readme(self):
        sshd, spool = self.sshd().start(), self.spool()
        spool.put(1, 100_000)
        target = self.target(sshd.port)
        self.assert_readme_works("scp", spool, {
            "appliance.example.com": f"{LOOPBACK}\n    port: {sshd.port}",
            "user: sepm": f"user: {target['user']}",
            "/etc/sepmlogd/upload/known_hosts": target["known_hosts"],
            "/etc/sepmlogd/upload/id_ed25519": self.key,
            "directory: incoming": f"directory: {target['directory']}"})
        self.assert_arrived(self.out, spool.sums)

    def test_cut_and_killed(self):
        sshd = self.sshd().start()
        cutter = Cutter(sshd.port, [3000, 200_000, 1_500_000])
        self.addCleanup(cutter.close)
        self.known(sshd.line(cutter.port))
        spool = self.spool()
        spool.put(1, 3_000_000)
        uploader = self.uploader(spool, [self.target(cutter.port)])
        for _ in range(3):
            self.assertEqual(uploader.run("--once")[0], 1)
            self.assertEqual(self.names(), [])
        uploader.configure([self.target(cutter.port, bandwidth="2MiB")])
        uploader.start()
        part = self.part([*spool.sums][0])
        wait_until(lambda: harness.file_size(part) > 500_000,
                   "a part is there")
        uploader.kill()
        self.assertEqual(self.names(), [])
        uploader.configure([self.target(cutter.port)])
        status, said = uploader.run("--once")
        self.assertEqual(status, 0, said)
        self.assert_all_there(spool)

    def test_written_to_while_it_is_sent(self):
        """Where it is not renamed, what was sent is there: README says so."""
        sshd, size = self.sshd().start(), 3_000_000
        for rename in ("yes", "no"):
            spool = self.spool(rename)
            name = spool.put(1, size)
            there = self.part(name) if rename == "yes" else os.path.join(
                self.out, name)
            uploader = self.uploader(spool, [self.target(
                sshd.port, rename=rename, bandwidth="1MiB")]).start()
            wait_until(lambda path=there: harness.file_size(path) > 100_000,
                       "some of it is there")
            with open(spool.at("ready", name), "r+b") as file:
                file.write(b"what was sent already")
            uploader.wait_log("it was changed in ready/")
            uploader.kill()
            self.assertEqual(self.names(), [] if rename == "yes" else [name])
            self.assertLess(os.path.getsize(there), size)
            self.assertEqual(spool.delivered(), set())
            os.unlink(there)

    def test_killed_server(self):
        sshd, spool = self.sshd().start(), self.spool()
        part = self.part(spool.put(1, 3_000_000))
        uploader = self.uploader(spool, [self.target(
            sshd.port, bandwidth="2MiB")]).start()
        wait_until(lambda: harness.file_size(part) > 500_000,
                   "a part is there")
        sshd.kill()
        uploader.wait_log("not delivered, again")
        self.assertLess(os.path.getsize(part), 3_000_000)
        self.assertEqual(self.names(), [])
        self.assertEqual(spool.receipts(), [])
        sshd.start()
        wait_until(lambda: not spool.ready(), "it is delivered", 60)
        self.assertEqual(uploader.stop(), 0)
        self.assert_all_there(spool)
        self.assertIn("far: works again", uploader.log())

    def names(self):
        return [name for name in os.listdir(self.out)
                if not name.startswith(".")]

    def test_what_does_not_work_is_told(self):
        sshd = self.sshd().start()
        spool = self.spool()
        spool.put(1)
        for more, text in (
                ({"directory": "/none/here"}, "the server says: "),
                ({"user": "nobody-such"}, "was denied")):
            uploader = self.uploader(spool, [self.target(sshd.port, **more)])
            status, said = uploader.run("--once")
            self.assertEqual(status, 1, said)
            self.assertIn(text, said)
        self.assertEqual(len(spool.ready()), 1)


class Passwords(upload_sftp.Case):
    def setUp(self):
        super().setUp()
        if not uploads.can_have_users():
            self.skipTest("not root")
        self.users = uploads.Users(self.directory, PASSWORD)
        self.out = os.path.join(self.users.home, "in")
        os.makedirs(self.out)
        os.chown(self.out, self.users.UID, self.users.UID)
        self.server = self.sshd()
        self.server.users = self.users
        self.server.start()

    def target(self, port, password=PASSWORD, **more):
        return super().target(port, **{
            "user": self.users.NAME, "directory": "in",
            "password_file": self.secret("password", password + "\n"),
            **more})

    def test_the_right_one(self):
        for kind in ("sftp", "scp"):
            spool = self.spool(kind)
            spool.put(1, 300_000)
            uploader = self.uploader(
                spool, [self.target(self.server.port, type=kind)])
            status, said = uploader.run("--once")
            self.assertEqual(status, 0, said + self.server.log()[-2000:])
            self.assert_all_there(spool)
            os.unlink(os.path.join(self.out, [*spool.sums][0]))
        self.assertIn("Accepted password", self.server.log())

    def test_readme(self):
        """Of the example with a preset, which is for a file server."""
        spool, target = self.spool(), self.target(self.server.port)
        name = spool.put(
            1, stream="cloudsoc", extension="csv.gz",
            data=gzip.compress(upload_presets.records("csv")))
        self.assert_readme_works("sftp", spool, {
            "spanva.example.com":
                f"{LOOPBACK}\n    port: {self.server.port}",
            "user: sepm": f"user: {target['user']}",
            "/etc/sepmlogd/upload/known_hosts": target["known_hosts"],
            "/etc/sepmlogd/upload/password": target["password_file"]})
        self.assertEqual(
            uploads.sha256(os.path.join(self.users.home, name)),
            spool.sums[name])

    def test_a_wrong_one(self):
        for kind in ("sftp", "scp"):
            spool = self.spool(kind)
            spool.put(1)
            uploader = self.uploader(spool, [self.target(
                self.server.port, "no-such-password", type=kind)])
            status, said = uploader.run("--once")
            self.assertEqual(status, 1)
            self.assertIn("was denied", said)
            self.assertNotIn("no-such-password", said)
            self.assertEqual(len(spool.ready()), 1)
        self.assertIn("Failed password", self.server.log())


if __name__ == "__main__":
    harness.main()
