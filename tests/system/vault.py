"""The vault: what tokens stand for is sealed as they are made, and revealed to
the holder of the private key alone, who is written down first."""

import http.client
import json
import os
import subprocess

import certificates
import harness
from harness import LOOPBACK, SEPMLOGCTL, SEPMLOGD, free_port, wait_until

COUNT = 40


class Vault(harness.Case):
    STREAMS = ("streams:\n"
               "  - { name: clear, types: traffic }\n"
               "  - { name: hidden, types: traffic, privacy: hidden }\n")

    def setUp(self):
        super().setUp()
        harness.need("openssl")
        self.path("privacy.key", "0123456789abcdef" * 4)
        certificates.vault_keys(self.directory, "first")

    def path(self, name, text=None, mode=0o640):
        path = os.path.join(self.directory, name)
        if text is not None:
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
            os.chmod(path, mode)
        return path

    def config(self, public="first.pub", vault=True):
        line = (f'  vault: {{ public_key: "{self.path(public)}" }}\n'
                if vault else "")
        return (f'privacy:\n  key_file: "{self.path("privacy.key")}"\n{line}'
                "  policies:\n    - { name: hidden, texts: hmac }\n"
                + self.STREAMS)

    def files(self, daemon):
        directory = os.path.join(daemon.spool_path, "vault")
        return sorted(os.path.join(directory, name)
                      for name in os.listdir(directory)
                      if name.endswith(".vault"))

    def reveal(self, *arguments, key="first.pem", reason="a test"):
        done = subprocess.run(
            [SEPMLOGCTL, "reveal", "--key", self.path(key), "--reason",
             reason, *arguments], check=False, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        shown = dict(line.split("\t") for line in done.stdout.splitlines())
        return done.returncode, shown, done.stderr

    FIELDS = ("host", "user", "domain", "local_ip", "remote_ip",
              "local_mac", "remote_mac", "remote_name")

    def pairs(self, daemon, sender):
        """{token: value} of the private stream and the one beside it."""
        found = {}
        for clear, hidden in zip(daemon.spool.records("clear"),
                                 daemon.spool.records("hidden")):
            if clear["user"].startswith(sender):
                for field in self.FIELDS:
                    found[hidden[field]] = clear[field]
        self.assertGreater(len(found), len(self.FIELDS))
        return found

    def all_revealed(self, daemon, sender, key="first.pem"):
        pairs = self.pairs(daemon, sender)
        status, shown, said = self.reveal(
            "-c", daemon.config_path, *pairs, key=key)
        self.assertEqual(status, 0, said)
        self.assertEqual(shown, pairs)
        return pairs


class Revealed(Vault):
    def test_what_was_sealed(self):
        daemon = self.daemon(config=self.config())
        with daemon:
            harness.send_tcp(daemon.port, "v", COUNT)
            daemon.spool.wait_records(2 * COUNT)
            pairs = self.all_revealed(daemon, "v")  # while it runs
            daemon.stop_cleanly()
        self.all_revealed(daemon, "v")
        directory = os.path.join(daemon.spool_path, "vault")
        self.assertEqual(os.stat(directory).st_mode & 0o7777, 0o700)
        for path in self.files(daemon):
            self.assertEqual(os.stat(path).st_mode & 0o7777, 0o600)
            with open(path, "rb") as file:
                data = file.read()
            for value in pairs.values():
                self.assertNotIn(value.encode(), data)
        # each value once, not once for each record
        self.assertLess(sum(map(os.path.getsize, self.files(daemon))),
                        100 * len(pairs) + 20 * COUNT)

    def test_who_asks_is_written_down(self):
        daemon = self.daemon(config=self.config())
        with daemon:
            harness.send_tcp(daemon.port, "v", 3)
            daemon.spool.wait_records(6)
            daemon.stop_cleanly()
        vault = os.path.join(daemon.spool_path, "vault")
        token = next(iter(self.pairs(daemon, "v")))
        status, shown, said = self.reveal(
            "--vault", vault, token, "u1:aaaaaaaaaaaaaaaa",
            reason='case "7"\n\x1b[2J\u202e')
        self.assertEqual(status, 1, said)
        self.assertEqual(list(shown), [token])
        self.assertIn("u1:aaaaaaaaaaaaaaaa: not found", said)
        path = os.path.join(vault, "reveal.jsonl")
        self.assertEqual(os.stat(path).st_mode & 0o7777, 0o600)
        with open(path, "rb") as file:
            text = file.read()
        self.assertEqual(text.count(b"\n"), 2)
        self.assertNotIn(b"\x1b", text)
        self.assertNotIn("\u202e".encode(), text)
        lines = [json.loads(line) for line in text.splitlines()]
        self.assertEqual([line["token"] for line in lines],
                         [token, "u1:aaaaaaaaaaaaaaaa"])
        self.assertEqual([line["found"] for line in lines], [True, False])
        for line in lines:
            self.assertEqual(line["uid"], os.getuid())
            self.assertTrue(line["reason"].startswith('case "7"'))
            self.assertRegex(line["time"], r"^\d{4}-\d\d-\d\dT")
        # where it cannot be written down, nothing is shown
        for audit in ("/dev/full", "/nowhere/audit", self.path(
                "open", "", 0o666)):
            status, shown, said = self.reveal(
                "--vault", vault, "--audit", audit, token)
            self.assertEqual((status, shown), (3, {}), said)
        # one who was killed within a line
        audit = self.path("torn", '{"time":"2024', 0o600)
        status, _, said = self.reveal(
            "--vault", vault, "--audit", audit, token)
        self.assertEqual(status, 0, said)
        with open(audit, encoding="utf-8") as file:
            lines = file.read().splitlines()
        self.assertEqual(json.loads(lines[1])["token"], token)

    def test_a_kill_and_damage(self):
        daemon = self.daemon(config=self.config())
        with daemon:
            harness.send_tcp(daemon.port, "k", COUNT)
            daemon.spool.wait_records(2 * COUNT)
            daemon.kill()
            self.all_revealed(daemon, "k")
            first = self.files(daemon)
            daemon.start()
            harness.send_tcp(daemon.port, "l", COUNT)
            daemon.spool.wait_records(4 * COUNT)
            daemon.stop_cleanly()
        self.assertEqual(len(self.files(daemon)), len(first) + 1)
        pairs = self.all_revealed(daemon, "k")
        with open(first[-1], "ab") as file:
            file.write(b"\0\0\1\0torn")
        config = ["-c", daemon.config_path]
        status, shown, said = self.reveal(
            *config, *pairs, "u1:aaaaaaaaaaaaaaaa")
        self.assertEqual((status, shown), (1, pairs), said)
        self.assertIn("what was not written whole is ignored", said)
        status, shown, said = self.reveal(*config, *pairs)
        self.assertEqual((status, shown), (0, pairs), said)
        with open(first[0], "r+b") as file:
            file.seek(100)
            byte = file.read(1)
            file.seek(100)
            file.write(bytes([byte[0] ^ 1]))
        status, shown, said = self.reveal(*config, *pairs)
        self.assertEqual(status, 1, said)
        self.assertIn("damaged or changed", said)
        self.assertNotEqual(shown, pairs)

    def test_in_its_sandbox(self):
        """The release build has one; a reload changes the key, then there is
        no vault any more, and one again."""
        certificates.vault_keys(self.directory, "second")
        daemon = self.daemon(config=self.config(),
                             program=harness.need_release())
        with daemon:
            harness.send_tcp(daemon.port, "a", COUNT)
            daemon.spool.wait_records(2 * COUNT)
            self.all_revealed(daemon, "a")
            daemon.configure(self.config("second.pub"))
            daemon.reload()
            harness.send_tcp(daemon.port, "b", COUNT)
            daemon.spool.wait_records(4 * COUNT)
            # all of it, not only what is new
            self.all_revealed(daemon, "b", "second.pem")
            daemon.configure(self.config(vault=False))
            daemon.reload()
            before = self.files(daemon)
            harness.send_tcp(daemon.port, "c", COUNT)
            daemon.spool.wait_records(6 * COUNT)
            self.assertEqual(self.files(daemon), before)
            daemon.configure(self.config())
            daemon.reload()
            harness.send_tcp(daemon.port, "d", COUNT)
            daemon.spool.wait_records(8 * COUNT)
            self.all_revealed(daemon, "d")
            daemon.signal(9)
            daemon.process.wait()
        pairs = self.all_revealed(daemon, "d")
        status, shown, said = self.reveal("-c", daemon.config_path, *(
            token for token in self.pairs(daemon, "c")
            if token not in pairs))
        self.assertEqual((status, shown), (1, {}), said)
        self.assertIn("sealed for another key", said)
        self.assertEqual(len(self.files(daemon)), 3)

    def test_imported(self):
        daemon = self.daemon(config=self.config())
        source = self.path("export.log", "".join(
            harness.message("i", n).decode() + "\n" for n in range(COUNT)))
        done = subprocess.run(
            [SEPMLOGCTL, "import", "-c", daemon.config_path, source],
            check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.assertEqual(done.returncode, 0, done.stdout)
        self.all_revealed(daemon, "i")


class Refused(Vault):
    def test_wrong_use(self):
        vault = ("--vault", self.directory)
        token = "u1:aaaaaaaaaaaaaaaa"
        for reason in ("", " \t", "x" * 2000):
            status, shown, said = self.reveal(*vault, token, reason=reason)
            self.assertEqual((status, shown), (2, {}))
            self.assertIn("say why", said)
        status, _, said = self.reveal(*vault, "u1:aaa\\u1:bbb")
        self.assertEqual(status, 2)
        self.assertIn("each token by itself", said)
        os.chmod(self.path("first.pem"), 0o640)
        status, _, said = self.reveal(*vault, token)
        self.assertEqual(status, 3)
        self.assertIn("chmod go=", said)
        os.chmod(self.path("first.pem"), 0o600)
        os.chmod(self.path("first.pub"), 0o600)
        status, _, said = self.reveal(*vault, token, key="first.pub")
        self.assertEqual(status, 3)
        self.assertIn("no such key in PEM", said)
        status, _, said = self.reveal("--vault", "/nowhere", token)
        self.assertEqual(status, 3)
        status, _, said = self.reveal(*vault, "192.0.2.1")
        self.assertEqual(status, 3)
        self.assertFalse(os.path.exists(self.path("reveal.jsonl")))

    def refusal(self, config):
        path = self.path("refused.yaml", config)
        done = subprocess.run([SEPMLOGD, "-n", "-c", path], check=False,
                              stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True)
        self.assertEqual(done.returncode, 1, done.stdout)
        return done.stdout

    def test_keys_of_the_daemon(self):
        self.assertIn("the private key, which must not be",
                      self.refusal(self.config("first.pem")))
        self.assertIn("No such file", self.refusal(self.config("none")))
        self.path("text", "no key")
        self.assertIn("no such key in PEM", self.refusal(self.config("text")))
        os.chmod(self.path("first.pub"), 0o666)
        self.assertIn("chmod go-w", self.refusal(self.config()))
        self.assertRegex(self.refusal(self.config().replace(
            "public_key", "publickey")), "did you mean 'public_key'")


class Full(Vault):
    def setUp(self):
        super().setUp()
        harness.need_namespace()

    def metrics(self, port):
        peer = http.client.HTTPConnection(LOOPBACK, port, timeout=20)
        peer.request("GET", "/metrics")
        text = peer.getresponse().read().decode()
        peer.request("GET", "/status.txt")
        text += peer.getresponse().read().decode()
        peer.close()
        return text

    def test_a_full_disk(self):
        """Records are stored; values wait, and are sealed when there is
        room."""
        port = free_port()
        daemon = self.daemon(
            config=self.config() + f'status: {{ listen: "{LOOPBACK}:{port}" '
            "}\n")
        vault = os.path.join(daemon.spool_path, "vault")
        os.makedirs(vault)
        os.chmod(daemon.spool_path, 0o750)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8K,mode=0700",
                        "tmpfs", vault], check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", vault])
        with daemon:
            harness.send_tcp(daemon.port, "f", 500)
            daemon.spool.wait_records(1000)
            daemon.wait_log("make room on its disk")
            text = self.metrics(port)
            self.assertIn("sepmlogd_vault_ok 0", text)
            self.assertIn("The vault cannot be written", text)
            subprocess.run(["mount", "-o", "remount,size=4M", vault],
                           check=True)
            daemon.wait_log("values are sealed again")
            wait_until(lambda: "sepmlogd_vault_ok 1" in self.metrics(port),
                       "all is well")
            text = self.metrics(port)
            self.assertNotIn("The vault cannot be written", text)
            for cause in ("busy", "disk_full", "disk_error"):
                self.assertIn('sepmlogd_vault_unsealed_total{cause='
                              f'"{cause}"}} 0', text)
            self.all_revealed(daemon, "f")
            daemon.stop_cleanly()


if __name__ == "__main__":
    harness.enter_namespace()
    harness.main()
