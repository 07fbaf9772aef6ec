"""sepmlog-upload to vsftpd over TLS: whole files under their names, nothing in
clear, and parts that are gone on with."""

import os
import shutil
import subprocess

import certificates
import harness
import uploads
import web
from harness import LOOPBACK, wait_until

# tests/run.sh only unpacks it; a machine's own comes first.
VSFTPD = shutil.which("vsftpd", path=os.pathsep.join((
    os.environ["PATH"], "/usr/sbin",
    os.path.join(harness.ROOT, "build/vsftpd/usr/sbin"))))
PASSWORD = "pass word $1"

_CONFIG = """
listen=YES
listen_address={address}
listen_port={port}
background=NO
anonymous_enable=NO
local_enable=YES
write_enable=YES
local_umask=022
pam_service_name=vsftpd
secure_chroot_dir={work}/empty
ssl_enable=YES
force_local_data_ssl=YES
force_local_logins_ssl=YES
ssl_tlsv1=YES
rsa_cert_file={certificate}
rsa_private_key_file={key}
ssl_ciphers=HIGH
require_ssl_reuse={reuse}
pasv_address={address}
log_ftp_protocol=YES
xferlog_enable=YES
vsftpd_log_file={work}/vsftpd.log
{more}
"""


class Vsftpd:
    def __init__(self, case, users, certificate, reuse="YES", more=""):
        self.work = case.made("vsftpd")
        os.makedirs(os.path.join(self.work, "empty"), exist_ok=True)
        self.port, self.users = harness.free_port(), users
        self.config = os.path.join(self.work, "vsftpd.conf")
        with open(self.config, "w", encoding="ascii") as file:
            file.write("\n".join(line for line in _CONFIG.format(
                address=LOOPBACK, port=self.port, work=self.work,
                certificate=certificate[0], key=certificate[1], reuse=reuse,
                more=more).splitlines() if line) + "\n")
        with open(os.path.join(self.work, "output"), "wb") as output:
            self.process = subprocess.Popen(
                users.command(VSFTPD, self.config), stdin=subprocess.DEVNULL,
                stdout=output, stderr=output)
        case.addCleanup(self.close)
        wait_until(lambda: harness.answers(
            self.process, self.port, output.name), "vsftpd runs")

    def close(self):
        self.process.kill()
        self.process.wait()

    def log(self):
        try:
            with open(os.path.join(self.work, "vsftpd.log"),
                      encoding="utf-8", errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return ""


class Ftps(web.Case):
    def setUp(self):
        super().setUp()
        if not VSFTPD or not uploads.can_have_users():
            self.skipTest("no vsftpd, or not root")
        self.users = uploads.Users(self.directory, PASSWORD, "vsftpd")
        self.place = os.path.join(self.users.home, "in box")
        os.makedirs(self.place)
        os.chown(self.place, self.users.UID, self.users.UID)

    def server(self, **options):
        return Vsftpd(self, self.users, self.certificate, **options)

    def target(self, server, password=PASSWORD, **more):
        path = self.path("password")
        with open(path, "w", encoding="ascii") as file:
            file.write(password + "\n")
        os.chmod(path, 0o600)
        return {"name": "ftp", "type": "ftps", "host": LOOPBACK,
                "port": server.port, "user": self.users.NAME,
                "password_file": path, "ca": self.authority.certificate,
                "directory": '"in box"', "timeout": "10s", **more}

    def test_all_arrive(self):
        for n, more in enumerate((
                {}, {"verify": "yes"}, {"directory": f'"{self.place}/"'})):
            server, spool = self.server(), self.spool(f"spool{n}")
            for number, size in enumerate((0, 1, 3_000_000), 3 * n + 1):
                spool.put(number, size)
            uploader = self.uploader(spool, [self.target(server, **more)])
            status, said = uploader.run("--once")
            self.assertEqual(status, 0, said + server.log()[-2000:])
            self.assert_arrived(self.place, spool.sums)
            self.assertEqual(
                [name for name in os.listdir(self.place)
                 if name.endswith(".part")], [])
            check = spool.receipts()[0]["check"]
            self.assertTrue(check.startswith(
                "sha256:" if "verify" in more else "size:"), check)
            log = server.log()
            self.assertIn("PROT P", log.replace('"PROT", "P"', "PROT P"))
            server.close()
            for name in os.listdir(self.place):
                os.unlink(os.path.join(self.place, name))

    def test_what_is_read_back_has_the_digest_of_the_ledger(self):
        server = self.server()
        spool = self.spool(ledger=True)
        spool.put(1, 100_000)
        ledger, spool.ledger = spool.ledger, None
        data = os.urandom(100_000)
        name = spool.put(2, data=data)
        ledger.file(name, data, packed_sha256=64 * "0")
        uploader = self.uploader(
            spool, [self.target(server, verify="yes")])
        status, said = uploader.run("--once")
        self.assertEqual(status, 1, said)
        self.assertIn("does not have the content that was sent", said)
        self.assertEqual(spool.ready(), [name])
        self.assertEqual(len(spool.receipts()), 1)

    def test_readme(self):
        server, spool = self.server(), self.spool()
        spool.put(1, 100_000)
        target = self.target(server)
        incoming = os.path.join(self.users.home, "incoming")
        os.makedirs(incoming)
        os.chown(incoming, self.users.UID, self.users.UID)
        self.assert_readme_works("ftps", spool, {
            "ftp.example.com": f"{LOOPBACK}\n    port: {server.port}",
            "user: sepm": f"user: {target['user']}",
            "/etc/sepmlogd/upload/ftp-password": target["password_file"]},
            ca=target["ca"])
        self.assert_arrived(incoming, spool.sums)

    def part(self, spool):
        name = "." + [*spool.sums][0] + ".part"
        return os.path.join(self.place, name)

    def killed_half_way(self, server, spool):
        spool.put(1, 12_000_000)
        uploader = self.uploader(
            spool, [self.target(server, bandwidth="6MiB")]).start()
        wait_until(lambda: harness.file_size(self.part(spool)) > 2_000_000,
                   "a part is there")
        uploader.kill()
        uploader.configure([self.target(server)])
        return uploader

    def test_goes_on_after_a_kill(self):
        server, spool = self.server(), self.spool()
        uploader = self.killed_half_way(server, spool)
        status, said = uploader.run("--once")
        self.assertEqual(status, 0, said + server.log()[-2000:])
        self.assert_arrived(self.place, spool.sums)
        self.assertIn("APPE", server.log())

    def test_not_behind_what_is_another(self):
        server, spool = self.server(), self.spool()
        uploader = self.killed_half_way(server, spool)
        with open(self.part(spool), "r+b") as file:
            file.seek(-5, os.SEEK_END)
            file.write(b"?????")
        status, said = uploader.run("--once")
        self.assertEqual(status, 0, said)
        self.assert_arrived(self.place, spool.sums)
        self.assertNotIn("APPE", server.log())

    def behind(self, **more):
        """What the server logs when most of a file is there."""
        server, spool = self.server(), self.spool()
        name = spool.put(1, 13_000_000)
        spool.leave_part(name, self.part(spool), 12_000_000, **more)
        os.chown(self.part(spool), self.users.UID, self.users.UID)
        status, said = self.uploader(spool, [self.target(server)]).run(
            "--once")
        self.assertEqual(status, 0, said)
        self.assert_arrived(self.place, spool.sums)
        return server.log()

    def test_behind_a_long_part(self):
        self.assertIn("APPE", self.behind())

    def test_not_behind_one_damaged_early(self):
        self.assertNotIn("APPE", self.behind(damaged=0))

    def test_the_name_is_taken(self):
        server, spool = self.server(), self.spool()
        names = [spool.put(n, 1000) for n in (1, 2)]
        shutil.copy(spool.at("ready", names[0]), self.place)
        os.chmod(os.path.join(self.place, names[0]), 0o644)
        with open(os.path.join(self.place, names[1]), "wb") as file:
            file.write(b"?" * 1000)
        uploader = self.uploader(spool, [self.target(server)])
        status, said = uploader.run("--once")
        self.assertEqual(status, 1)
        self.assertIn("is there already", said)
        self.assertEqual(spool.delivered(), {(names[0], "ftp")})
        self.assertIn(names[1], spool.quarantined())
        with open(os.path.join(self.place, names[1]), "rb") as file:
            self.assertEqual(file.read(), b"?" * 1000)

    def refuse(self, target, *said):
        spool = self.spool()
        spool.put(1)
        status, text = self.uploader(spool, [target]).run("--once")
        self.assertEqual(status, 1, text)
        for part in said:
            self.assertIn(part, text)
        self.assertNotIn("no-such-password", text)
        self.assertEqual(len(spool.ready()), 1)

    def test_wrong_password(self):
        self.refuse(self.target(self.server(), "no-such-password"),
                    "check `user` and `password_file`")

    def test_unknown_authority(self):
        other = certificates.Authority(self.path("other"), "other")
        server = self.server()
        self.refuse(self.target(server, ca=other.certificate), "check `ca`")
        self.assertNotIn('"USER', server.log())

    def test_no_tls_no_login(self):
        server = self.server(
            more="ssl_enable=NO\nforce_local_logins_ssl=NO")
        self.refuse(self.target(server), "AUTH TLS")
        self.assertNotIn('"USER', server.log())

    def test_no_directory(self):
        self.refuse(self.target(self.server(), directory="none"),
                    "correct `directory`")

    def test_client_certificates(self):
        certificate, key = self.authority.issue("client")
        os.chmod(key, 0o600)
        server = self.server(
            more="require_cert=YES\nvalidate_cert=YES\n"
                 f"ca_certs_file={self.authority.certificate}")
        spool = self.spool()
        spool.put(1)
        uploader = self.uploader(spool, [self.target(
            server, certificate=certificate, key=key)])
        status, said = uploader.run("--once")
        self.assertEqual(status, 0, said + server.log()[-2000:])
        self.assert_arrived(self.place, spool.sums)


if __name__ == "__main__":
    harness.main()
