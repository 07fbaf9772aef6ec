"""sepmlog-upload to an SSH server: every file arrives whole, wherever the line
or the server breaks, and only the server that is meant gets it."""

import os
import pwd
import random
import resource
import shutil
import signal
import socket
import subprocess
import threading
import unittest

import harness
import uploads
from harness import LOOPBACK, wait_until

SSHD = shutil.which("sshd") or "/usr/sbin/sshd"
SERVER = "/usr/lib/openssh/sftp-server"
CUTS = int(os.environ.get("SEPMLOG_CUTS", "8"))

_CONFIG = """
ListenAddress {address}:{port}
HostKey {key}
AuthorizedKeysFile {work}/authorized
PidFile none
StrictModes no
UsePAM no
PermitRootLogin yes
PubkeyAuthentication yes
PasswordAuthentication yes
KbdInteractiveAuthentication no
LogLevel VERBOSE
Subsystem sftp {server}
{more}
"""


def make_key(path, kind="ed25519", passphrase=""):
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", passphrase,
                    "-f", path], check=True, stdin=subprocess.DEVNULL)
    return path


def children_of(pid):
    """The process and all below it."""
    found, open_ = [], [pid]
    while open_:
        one = open_.pop()
        found.append(one)
        try:
            with open(f"/proc/{one}/task/{one}/children",
                      encoding="ascii") as file:
                open_ += [int(child) for child in file.read().split()]
        except OSError:
            pass
    return found


class Sshd:
    """OpenSSH's server on loopback, with keys of its own."""

    def __init__(self, work, kind="ed25519", more=""):
        self.work = work
        os.makedirs(work, exist_ok=True)
        if os.geteuid() == 0:
            os.makedirs("/run/sshd", exist_ok=True)
        self.port = harness.free_port()
        self.key = make_key(os.path.join(work, "host"), kind)
        self.config = os.path.join(work, "sshd_config")
        with open(self.config, "w", encoding="ascii") as file:
            file.write(_CONFIG.format(
                address=LOOPBACK, port=self.port, key=self.key, work=work,
                server=SERVER, more=more))
        self.log_path = os.path.join(work, "sshd.log")
        self.process = None
        self.users = None  # uploads.Users, in place of the system's

    def admit(self, key):
        shutil.copy(key + ".pub", os.path.join(self.work, "authorized"))

    def line(self, port=None, key=None):
        """Of known_hosts."""
        with open((key or self.key) + ".pub", encoding="ascii") as file:
            public = " ".join(file.read().split()[:2])
        return f"[{LOOPBACK}]:{port or self.port} {public}\n"

    def fingerprint(self):
        said = subprocess.run(["ssh-keygen", "-l", "-f", self.key + ".pub"],
                              check=True, capture_output=True, text=True)
        return said.stdout.split()[1]

    def start(self, largest=None):
        def limit():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            if largest:
                resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))

        command = [SSHD, "-D", "-e", "-f", self.config]
        if self.users:
            command = self.users.command(*command)
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                preexec_fn=limit)
        wait_until(lambda: harness.answers(
            self.process, self.port, self.log_path), "sshd runs")
        return self

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def kill(self):
        """And all its sessions, at whatever they are."""
        if self.process and self.process.poll() is None:
            for pid in reversed(children_of(self.process.pid)):
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            self.process.wait()


class Proftpd:
    """A server that can hash: ProFTPD's mod_sftp, of the version that
    tests/run.sh unpacks."""

    ROOT = os.path.join(harness.ROOT, "build/proftpd/usr")
    USER, UID, PASSWORD = "sepmtest", 64711, "secret"
    _CONFIG = """
ModulePath {root}/lib/proftpd
LoadModule mod_sftp.c
ServerType standalone
DefaultAddress {address}
Port {port}
UseReverseDNS off
User root
Group root
PidFile {work}/pid
ScoreboardFile {work}/scoreboard
SystemLog {work}/system.log
DelayEngine off
WtmpLog off
RequireValidShell off
AllowOverwrite on
AuthOrder mod_auth_file.c
AuthUserFile {work}/users
SFTPEngine on
SFTPHostKey {work}/host
SFTPLog {work}/sftp.log
SFTPExtensions {sign}checkFile
"""

    def __init__(self, case, hashes=True):
        self.work, self.port = case.made("proftpd"), harness.free_port()
        make_key(os.path.join(self.work, "host"))
        hashed = subprocess.run(
            ["openssl", "passwd", "-6", self.PASSWORD], check=True, text=True,
            stdout=subprocess.PIPE).stdout.strip()
        self._write("users", f"{self.USER}:{hashed}:{self.UID}:{self.UID}::"
                    f"{case.out}:/bin/sh\n")
        config = self._write("config", self._CONFIG.format(
            root=self.ROOT, address=LOOPBACK, port=self.port, work=self.work,
            sign="+" if hashes else "-"))
        os.chmod(case.directory, 0o711)
        os.chown(case.out, self.UID, self.UID)
        with open(os.path.join(self.work, "output"), "wb") as output:
            self.process = subprocess.Popen(
                [os.path.join(self.ROOT, "sbin/proftpd"), "-n", "-c", config],
                env={**os.environ, "LD_LIBRARY_PATH": os.path.join(
                    self.ROOT, "lib/x86_64-linux-gnu")},
                stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        case.addCleanup(self._close)
        wait_until(lambda: harness.answers(
            self.process, self.port, output.name), "ProFTPD runs")
        with open(os.path.join(self.work, "host.pub"),
                  encoding="ascii") as file:
            public = " ".join(file.read().split()[:2])
        case.known(f"[{LOOPBACK}]:{self.port} {public}\n")

    def _write(self, name, text):
        path = os.path.join(self.work, name)
        with open(path, "w", encoding="ascii") as file:
            file.write(text)
        os.chmod(path, 0o600)
        return path

    def _close(self):
        self.process.kill()
        self.process.wait()


class Cutter:
    """Stands in between and cuts each of the first connections after so many
    bytes of the client; what comes then is let through. Counts the cuts, and
    the bytes of the client."""

    def __init__(self, port, cuts=()):
        self.to, self.cuts = port, list(cuts)
        self.made = self.sent = 0
        self.listener = socket.create_server((LOOPBACK, 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            left = self.cuts.pop(0) if self.cuts else None
            server = harness.connect(self.to)
            server.settimeout(None)
            for source, sink, most in ((client, server, left),
                                       (server, client, None)):
                threading.Thread(target=self._carry, daemon=True,
                                 args=(source, sink, most,
                                       source is client)).start()

    def _carry(self, source, sink, left, is_client):
        try:
            while left is None or left > 0:
                data = source.recv(min(65536, left or 65536))
                if not data:
                    break
                sink.sendall(data)
                if is_client:
                    self.sent += len(data)
                if left is not None:
                    left -= len(data)
                    self.made += left == 0
        except OSError:
            pass
        for peer in (source, sink):
            try:
                peer.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self):
        self.listener.close()


class Case(uploads.Case):
    def setUp(self):
        super().setUp()
        if not (os.path.exists(SSHD) and os.path.exists(SERVER)):
            self.skipTest("there is no sshd here")
        self.key = make_key(self.path("client"))
        self.out = self.made("out")

    def sshd(self, **options):
        sshd = Sshd(self.path("sshd"), **options)
        sshd.admit(self.key)
        self.addCleanup(sshd.kill)
        self.known(sshd.line())
        return sshd

    def known(self, text):
        with open(self.path("known_hosts"), "w", encoding="ascii") as file:
            file.write(text)

    def target(self, port, **more):
        keys = {
            "name": "far", "type": "sftp", "host": LOOPBACK, "port": port,
            "user": pwd.getpwuid(os.geteuid()).pw_name,
            "known_hosts": self.path("known_hosts"),
            "directory": self.out, "timeout": "10s"}
        if "password_file" not in more:
            keys["key_file"] = self.key
        return {**keys, **more}

    def secret(self, name, text, mode=0o600):
        path = self.path(name)
        with open(path, "w", encoding="ascii") as file:
            file.write(text)
        os.chmod(path, mode)
        return path

    def part(self, name):
        return os.path.join(self.out, f".{name}.part")

    def assert_all_there(self, spool):
        self.assert_arrived(self.out, spool.sums)
        self.assertEqual(sorted(spool.sums), sorted(os.listdir(self.out)))
        self.assertEqual(spool.ready(), [])
        self.assertEqual(spool.delivered(),
                         {(name, "far") for name in spool.sums})


class Delivery(Case):
    def test_all_arrive_over_one_session(self):
        sshd = self.sshd().start()
        spool = self.spool()
        for n, size in enumerate((0, 1, 32768, 261121, 3_000_000), 1):
            spool.put(n, size)
        uploader = self.uploader(spool, [self.target(sshd.port)])
        status, said = uploader.run("--once")
        self.assertEqual(status, 0, said)
        self.assert_all_there(spool)
        self.assertEqual(sshd.log().count("Accepted publickey"), 1)

    def test_content_is_read_back(self):
        sshd = self.sshd().start()
        spool = self.spool()
        spool.put(1, 5_000_000)
        uploader = self.uploader(
            spool, [self.target(sshd.port, verify="yes")])
        self.assertEqual(uploader.run("--once")[0], 0)
        self.assert_all_there(spool)
        receipt, = spool.receipts()
        self.assertEqual(receipt["check"], "sha256:" + receipt["sha256"])
        self.assertRegex(receipt["remote"], r"^sftp://.*/out/traffic-")

    def test_rsa_keys_on_both_sides(self):
        sshd = self.sshd(kind="rsa")
        self.key = make_key(self.path("rsa"), "rsa", "open sesame")
        sshd.admit(self.key)
        sshd.start()
        spool = self.spool()
        spool.put(1)
        passphrase = self.secret("passphrase", "open sesame\n")
        uploader = self.uploader(
            spool, [self.target(sshd.port, passphrase_file=passphrase)])
        status, said = uploader.run("--once")
        self.assertEqual(status, 0, said)
        self.assert_all_there(spool)

    def test_plain_writes_and_renames_will_do(self):
        sshd = self.sshd(more="")
        with open(sshd.config, "r+", encoding="ascii") as file:
            text = file.read().replace(
                SERVER, SERVER + " -P limits,posix-rename,fsync")
            file.seek(0)
            file.write(text)
        sshd.start()
        spool = self.spool()
        spool.put(1, 3_000_000)
        uploader = self.uploader(spool, [self.target(sshd.port)])
        status, said = uploader.run("--once")
        self.assertEqual(status, 0, said)
        self.assert_all_there(spool)

    def test_what_is_there_is_not_sent_again(self):
        sshd = self.sshd().start()
        spool = self.spool()
        same, other, longer = [spool.put(n, 100_000) for n in (1, 2, 3)]
        shutil.copy(spool.at("ready", same), os.path.join(self.out, same))
        for name, data in ((other, b"x" * 100_000), (longer, b"y" * 100_001)):
            with open(os.path.join(self.out, name), "wb") as file:
                file.write(data)
        before = os.stat(os.path.join(self.out, same)).st_mtime_ns
        uploader = self.uploader(spool, [self.target(sshd.port)])
        self.assertEqual(uploader.run("--once")[0], 1)
        self.assertEqual(os.stat(os.path.join(self.out, same)).st_mtime_ns,
                         before)
        self.assertEqual(spool.delivered(), {(same, "far")})
        self.assertEqual([name for name in spool.quarantined()
                          if not name.endswith(".reason")], [other, longer])
        with open(os.path.join(self.out, other), "rb") as file:
            self.assertEqual(file.read(), b"x" * 100_000)
        self.assertIn("not this file", uploader.log())


@unittest.skipUnless(os.path.exists(Proftpd.ROOT) and os.geteuid() == 0,
                     "no ProFTPD, or not root")
class Hashes(Case):
    """By the server, which is asked for them."""

    def far(self, server, **more):
        return self.target(
            server.port, user=server.USER,
            password_file=self.secret("password", server.PASSWORD), **more)

    def test_the_server_finds_it(self):
        server, spool = Proftpd(self), self.spool()
        for n, size in enumerate((1, 300, 3_000_000), 1):
            spool.put(n, size)
        uploader = self.uploader(spool, [self.far(server)])
        status, said = uploader.run("--once")
        self.assertEqual(status, 0, said)
        self.assert_all_there(spool)
        self.assertEqual({receipt["check"] for receipt in spool.receipts()},
                         {f"sha256:{found}" for found in spool.sums.values()})

    def test_one_that_cannot(self):
        server, spool = Proftpd(self, hashes=False), self.spool()
        spool.put(1)
        spool.put(2)
        uploader = self.uploader(spool, [self.far(server)])
        self.assertEqual(uploader.run("--once")[0], 0)
        self.assert_all_there(spool)
        self.assertEqual({receipt["check"] for receipt in spool.receipts()},
                         {"size:1000"})

    def test_what_was_damaged_there_does_not_get_its_name(self):
        server, spool = Proftpd(self), self.spool()
        name = spool.put(1, 4 << 20)
        uploader = self.uploader(
            spool, [self.far(server, bandwidth="4MiB")]).start()
        part = self.part(name)
        wait_until(lambda: harness.file_size(part) > 1 << 20,
                   "some of it is there")
        with open(part, "r+b") as file:
            byte = file.read(1)[0]
            file.seek(0)
            file.write(bytes([byte ^ 1]))
        uploader.wait_log("does not have the content that was sent")
        wait_until(lambda: not spool.ready(), "it is sent again")
        self.assertEqual(uploader.stop(), 0)
        self.assert_all_there(spool)


class Breaks(Case):
    def assert_names_are_whole(self, spool):
        for name in os.listdir(self.out):
            if not name.startswith("."):
                self.assertEqual(uploads.sha256(os.path.join(self.out, name)),
                                 spool.sums[name], name)

    def cutter(self, sshd, cuts=()):
        cutter = Cutter(sshd.port, cuts)
        self.addCleanup(cutter.close)
        self.known(sshd.line(cutter.port))
        return cutter

    def test_cut_at_any_byte(self):
        seed = int(os.environ.get("SEPMLOG_SEED") or
                   random.randrange(1 << 30))
        dice = random.Random(seed)
        cuts = [dice.randrange(1, 2_500_000 if n % 2 else 6000)
                for n in range(CUTS)]
        with self.subTest(seed=seed):
            sshd, spool = self.sshd().start(), self.spool()
            for n in range(1, 4):  # more than goes through before the last
                spool.put(n, sum(cuts) // 3 + 1)
            cutter = self.cutter(sshd, cuts)
            uploader = self.uploader(spool, [self.target(cutter.port)])
            status, rounds = 1, 0
            while status != 0 and rounds <= CUTS:
                status, said = uploader.run("--once")
                self.assert_names_are_whole(spool)
                rounds += 1
            self.assertEqual(status, 0, said)
            self.assertEqual((cutter.made, cutter.cuts), (CUTS, []))
            self.assertGreater(rounds, 1)
            self.assert_all_there(spool)

    def sent_behind(self, spool, **more):
        """What is sent of a file whose first 12 MB are there."""
        cutter = self.cutter(self.sshd().start())
        name = spool.put(1, 13_000_000)
        spool.leave_part(name, self.part(name), 12_000_000, **more)
        uploader = self.uploader(spool, [self.target(cutter.port)])
        status, said = uploader.run("--once")
        self.assertEqual(status, 0, said)
        self.assert_all_there(spool)
        return cutter.sent

    def test_a_long_prefix_is_not_sent_again(self):
        sent = self.sent_behind(self.spool())
        self.assertLess(sent, 3_000_000)

    def test_a_long_part_that_is_damaged_at_its_start(self):
        sent = self.sent_behind(self.spool(), damaged=0)
        self.assertGreater(sent, 13_000_000)

    def test_killed_server_and_resume(self):
        sshd = self.sshd().start()
        spool = self.spool()
        name = spool.put(1, 6_000_000)
        uploader = self.uploader(spool, [self.target(
            sshd.port, bandwidth="2MiB")]).start()
        wait_until(lambda: harness.file_size(self.part(name)) > 1_000_000,
                   "a part")
        sshd.kill()
        uploader.wait_log("not delivered, again")
        size = os.path.getsize(self.part(name))
        inode = os.stat(self.part(name)).st_ino
        self.assertGreater(size, 1_000_000)
        sshd.start()
        wait_until(lambda: not spool.ready(), "it is delivered", 60)
        self.assertEqual(uploader.stop(), 0)
        self.assert_all_there(spool)
        self.assertEqual(os.stat(os.path.join(self.out, name)).st_ino, inode)
        self.assertIn("far: works again", uploader.log())

    def test_a_part_that_is_not_a_prefix_is_not_gone_on_with(self):
        sshd = self.sshd().start()
        spool = self.spool()
        names = [spool.put(n, 300_000) for n in (1, 2, 3)]
        with open(spool.at("ready", names[0]), "rb") as file:
            good = file.read()
        parts = (good[:1000] + b"?" + good[1001:200_000],
                 b"\0" * 250_000, b"z" * 400_000)
        for name, data in zip(names, parts):
            with open(self.part(name), "wb") as file:
                file.write(data)
        uploader = self.uploader(spool, [self.target(sshd.port)])
        status, said = uploader.run("--once")
        self.assertEqual(status, 0, said)
        self.assert_all_there(spool)

    def test_written_to_while_it_is_sent(self):
        sshd, spool = self.sshd().start(), self.spool()
        name = spool.put(1, 1_500_000)
        part = self.part(name)
        uploader = self.uploader(
            spool, [self.target(sshd.port, bandwidth="1MiB")]).start()
        wait_until(lambda: harness.file_size(part),
                   "it is on its way")
        with open(spool.at("ready", name), "r+b") as file:
            file.write(b"what was sent already")
        uploader.wait_log("it was changed in ready/")
        self.assertEqual(uploader.stop(), 0)
        self.assertNotIn(name, os.listdir(self.out))
        self.assertEqual(spool.receipts(), [])

    def test_full_disk_there(self):
        harness.need_namespace()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs",
                        self.out], check=True)
        self.addCleanup(subprocess.run, ["umount", self.out])
        sshd, spool = self.sshd().start(), self.spool()
        spool.put(1, 900_000)
        uploader = self.uploader(spool, [self.target(sshd.port)])
        status, said = uploader.run("--once")
        self.assertEqual(status, 1)
        self.assertIn("disk there full", said)
        self.assertEqual(os.statvfs(self.out).f_bfree, 0)
        self.assertEqual(len(spool.ready()), 1)
        self.assertEqual(spool.receipts(), [])
        subprocess.run(["mount", "-o", "remount,size=4M", self.out],
                       check=True)
        self.assertEqual(uploader.run("--once")[0], 0)
        self.assert_all_there(spool)

    def test_files_there_may_not_be_so_large(self):
        sshd = self.sshd().start(largest=400_000)
        spool = self.spool()
        spool.put(1, 900_000)
        uploader = self.uploader(spool, [self.target(sshd.port)])
        status, said = uploader.run("--once")
        self.assertEqual(status, 1)
        self.assertIn("disk there full", said)
        self.assertEqual(len(spool.ready()), 1)
        sshd.kill()
        sshd.start()
        self.assertEqual(uploader.run("--once")[0], 0)
        self.assert_all_there(spool)

    def test_a_stopped_server_does_not_hold_up_the_end(self):
        sshd = self.sshd().start()
        spool = self.spool()
        name = spool.put(1, 30_000_000)
        uploader = self.uploader(spool, [self.target(
            sshd.port, bandwidth="4MiB", timeout="1h")]).start()
        wait_until(lambda: os.path.exists(self.part(name)), "a part")
        for pid in children_of(sshd.process.pid):
            os.kill(pid, signal.SIGSTOP)
        self.assertEqual(uploader.stop(timeout=5), 0)
        self.assertEqual(len(spool.ready()), 1)


class Trust(Case):
    def refuse(self, target, *said):
        """Nothing is delivered, and that is said."""
        spool = self.spool()
        spool.put(1)
        uploader = self.uploader(spool, [target])
        status, text = uploader.run("--once")
        self.assertEqual(status, 1, text)
        for part in said:
            self.assertIn(part, text)
        self.assertEqual(os.listdir(self.out), [])
        return text

    def test_unknown_key(self):
        sshd = self.sshd().start()
        self.known("")
        self.refuse(self.target(sshd.port), sshd.fingerprint(),
                    "is not in", "ssh-keyscan")

    def test_changed_key(self):
        sshd = self.sshd().start()
        self.known(sshd.line(key=make_key(self.path("other"))))
        self.refuse(self.target(sshd.port), sshd.fingerprint(),
                    "somebody may be in between")

    def test_ecdsa_only_is_not_spoken_with(self):
        sshd = self.sshd(kind="ecdsa").start()
        self.refuse(self.target(sshd.port), "Ed25519 or RSA")

    def test_wrong_key(self):
        sshd = self.sshd().start()
        key = make_key(self.path("stranger"))
        self.refuse(self.target(sshd.port, key_file=key),
                    "the login of", "was denied")

    def test_wrong_password(self):
        sshd = self.sshd().start()
        path = self.secret("password", "not the pass-word\n")
        text = self.refuse(self.target(sshd.port, password_file=path),
                           "was denied")
        self.assertNotIn("pass-word", text)
        self.assertIn("Failed password", sshd.log())

    def test_secrets_that_others_can_read(self):
        self.known("")
        os.chmod(self.key, 0o644)
        self.refuse(self.target(1), "chmod 600")

    def test_missing_directory(self):
        sshd = self.sshd().start()
        self.refuse(self.target(sshd.port, directory="/nonexistent/in"),
                    "create the directory")

    def test_nobody_is_there(self):
        self.known("")
        self.refuse(self.target(harness.free_port()), "Connection refused",
                    "check host, port")


if __name__ == "__main__":
    if os.geteuid() == 0:  # another's sshd does not work in there
        harness.enter_namespace()
    harness.main()
