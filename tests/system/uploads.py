"""What the tests of sepmlog-upload share: spools with files to deliver, the
program itself, and its receipts."""

import datetime
import glob
import gzip
import hashlib
import json
import os
import signal
import subprocess
import time

import harness

UPLOAD = harness._program(  # pylint: disable=protected-access
    "SEPMLOG_UPLOAD", "dev", "upload/sepmlog-upload")
INSTANCE = "3fa94c1e"


def sha256(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def record(number, segment=1, stream="traffic", sepm="sepm1", **more):
    """A line as the daemon writes it: its id, and its bytes."""
    name = f"{INSTANCE}-{stream}-{segment}-{number}"
    line = {"type": "traffic", "time": f"2026-11-25T10:00:{number % 60:02}Z",
            "sepm": sepm, "host": f'PC "{number}"', **more, "id": name}
    return name, json.dumps(line, separators=(",", ":")).encode()


def _example(path, begin, end, line):
    """The one example of a file that has this line."""
    with open(os.path.join(harness.ROOT, path), encoding="utf-8") as file:
        blocks = file.read().split(f"{begin}\n")[1:]
    found = [block.split(f"{end}\n")[0] for block in blocks]
    found = [block for block in found if f"    {line}\n" in block]
    assert len(found) == 1, line
    return found[0]


def readme_block(kind):
    """README's example with a target of this type."""
    return _example("README.md", "```yaml", "```", f"type: {kind}")


def readme_example(kind):
    """The targets of it."""
    block = readme_block(kind)
    return block[block.index("targets:"):]


def manual_example(product):
    """The targets of the manual's example with this product."""
    return _example("conf/sepmlog-upload.yaml.5",
                    ".Bd -literal -offset indent", ".Ed",
                    f"product: {product}")


class Ledger:
    """The lines that sepmlogd writes of its files."""

    def __init__(self, directory):
        os.makedirs(directory, exist_ok=True)
        self._directory, self._number = directory, 0
        self._chain = bytes(32)
        self.turn()

    def turn(self):
        """The next file begins."""
        self._number += 1
        self._path = os.path.join(
            self._directory, f"ledger-{INSTANCE}-{self._number:016}.jsonl")
        self._write("ledger", instance=INSTANCE, number=self._number,
                    before=self._chain.hex())

    def _write(self, kind, at=None, **members):
        at = time.time() if at is None else at
        moment = datetime.datetime.fromtimestamp(at, datetime.timezone.utc)
        body = json.dumps(
            {"type": kind,
             "time": moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ"), **members},
            separators=(",", ":")).encode()[:-1]
        self._chain = hashlib.sha256(self._chain + body).digest()
        with open(self._path, "ab") as file:
            file.write(body + b',"chain":"'
                       + self._chain.hex().encode() + b'"}\n')

    def file(self, name, data, at=None, **other):
        """Written `at` this time; `other` has members that are not right."""
        stream, _, number = name.split(".")[0].split("-")
        packed = name.rpartition(".")[2]
        kinds = {"gz": "gzip", "zst": "zstd"}
        said = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        if packed in kinds:
            said = {f"packed_{key}": value for key, value in said.items()}
        self._write("file", at, name=name, stream=stream, segment=int(number),
                    compression=kinds.get(packed, "none"), **{**said, **other})


class Outgoing:
    """A spool as sepmlogd leaves it, with files of random bytes."""

    def __init__(self, path, make=True, ledger=False):
        self.path = path
        self.sums = {}
        self.ledger = Ledger(os.path.join(path, "ledger")) if ledger else None
        if not make:
            return  # it is sepmlogd's
        os.makedirs(os.path.join(path, "ready"))
        with open(os.path.join(path, "instance"), "w",
                  encoding="ascii") as file:
            file.write(INSTANCE + "\n")

    def put(self, number, size=1000, stream="traffic", data=None,
            extension="jsonl.gz"):
        """Publishes a file: whole before its name is there."""
        name = f"{stream}-{INSTANCE}-{number:016}.{extension}"
        data = os.urandom(size) if data is None else data
        temporary = os.path.join(self.path, ".new")
        with open(temporary, "wb") as file:
            file.write(data)
        os.chmod(temporary, 0o440)
        self.sums[name] = hashlib.sha256(data).hexdigest()
        if self.ledger:
            self.ledger.file(name, data)
        os.rename(temporary, self.at("ready", name))
        return name

    def put_records(self, number, lines, stream="traffic",
                    extension="jsonl.gz"):
        """A file of these lines, packed as its name says."""
        data = b"".join(line + b"\n" for line in lines)
        if extension.endswith(".gz"):
            data = gzip.compress(data, 1)
        elif extension.endswith(".zst"):
            data = subprocess.run(["zstd", "-q"], input=data, check=True,
                                  stdout=subprocess.PIPE).stdout
        return self.put(number, data=data, stream=stream, extension=extension)

    def leave_part(self, name, path, size, damaged=None):
        """At `path` what a delivery of the file may leave that broke off
        after `size` bytes; one of them is another, if that is said."""
        with open(self.at("ready", name), "rb") as file:
            data = bytearray(file.read(size))
        if damaged is not None:
            data[damaged] ^= 1
        with open(path, "wb") as file:
            file.write(data)

    def at(self, *parts):
        return os.path.join(self.path, *parts)

    def ready(self):
        return sorted(os.listdir(self.at("ready")))

    def quarantined(self):
        return sorted(os.listdir(self.at("upload/quarantine")))

    def receipts(self, kind="receipt"):
        """The lines of that kind, after a check of the chain."""
        return [line for line in self._lines() if line["type"] == kind]

    def _lines(self):
        lines, chain = [], None
        for path in sorted(glob.glob(self.at("upload/receipts/*"))):
            before = None
            with open(path, "rb") as file:
                whole = file.read().split(b"\n")[:-1]
            for raw in whole:
                body, _, tail = raw.rpartition(b',"chain":"')
                line = json.loads(raw)
                if before is None:
                    before = bytes.fromhex(line["before"])
                    assert chain in (None, before), path
                chain = hashlib.sha256(before + body).digest()
                assert tail == chain.hex().encode() + b'"}', raw
                before = chain
                lines.append(line)
        return lines

    def delivered(self):
        """{(file, target)} with a receipt."""
        return {(line["file"], line["target"]) for line in self.receipts()}


class Uploader:
    """sepmlog-upload with a configuration of its own."""

    def __init__(self, directory, spool, targets, options="", name="upload"):
        self.config_path = os.path.join(directory, f"{name}.yaml")
        self.log_path = os.path.join(directory, f"{name}.log")
        self.spool, self.process = spool, None
        self.configure(targets, options)

    def configure(self, targets, options=""):
        """`targets`: one map of keys each, values as YAML has them."""
        text = f'spool: "{self.spool}"\n{options}\ntargets:\n'
        for target in targets:
            text += "  - " + "\n    ".join(
                f"{key}: {value}" for key, value in target.items()) + "\n"
        with open(self.config_path, "w", encoding="utf-8") as file:
            file.write(text)

    def configure_text(self, text):
        """The spool, and the rest as it stands."""
        with open(self.config_path, "w", encoding="utf-8") as file:
            file.write(f'spool: "{self.spool}"\n{text}')

    def command(self, *options):
        return [UPLOAD, "-c", self.config_path, *options]

    def run(self, *options, timeout=60):
        """Exit status and all that it says."""
        done = subprocess.run(
            self.command(*options), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            timeout=timeout, check=False)
        with open(self.log_path, "a", encoding="utf-8") as log:
            log.write(done.stdout)
        return done.returncode, done.stdout

    def start(self, wait=True):
        seen = self.log().count("/ready to ")
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=log,
                stderr=log)
        if wait:
            harness.wait_until(
                lambda: self.log().count("/ready to ") > seen or
                self.process.poll() is not None, "sepmlog-upload runs")
        return self

    def log(self):
        try:
            with open(self.log_path, encoding="utf-8",
                      errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def wait_log(self, text, timeout=20.0):
        harness.wait_until(lambda: text in self.log(),
                           f"the log has {text!r}", timeout)

    def reload(self):
        seen = self.log().count(self.config_path)
        self.process.send_signal(signal.SIGHUP)
        harness.wait_until(
            lambda: self.log().count(self.config_path) > seen,
            "it was reloaded")

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def stop(self, timeout=15):
        self.process.terminate()
        return self.process.wait(timeout)


class Case(harness.Case):
    def setUp(self):
        super().setUp()
        self.uploaders = []

    def spool(self, name="spool", ledger=False):
        return Outgoing(self.path(name), ledger=ledger)

    def path(self, *parts):
        return os.path.join(self.directory, *parts)

    def made(self, name):
        os.makedirs(self.path(name), exist_ok=True)
        return self.path(name)

    def uploader(self, spool, targets, options="", name="upload"):
        uploader = Uploader(self.directory, spool.path, targets, options, name)
        self.uploaders.append(uploader)
        self.addCleanup(uploader.kill)
        return uploader

    def assert_readme_works(self, kind, spool, changes, ca=None):
        """README's example delivers the spool; `changes` are the places that
        who copies it has to change. With `ca` it trusts the system's
        authorities, which know none of ours."""
        self.assert_example_works(readme_example(kind), spool, changes, ca)

    def assert_example_works(self, text, spool, changes, ca=None):
        for old, new in changes.items():
            self.assertIn(old, text)
            text = text.replace(old, new)
        if ca:
            self.assertNotIn("    ca: ", text)
            text = text.rstrip("\n") + f"\n    ca: {ca}\n"
        uploader = self.uploader(spool, [])
        uploader.configure_text(text)
        status, said = uploader.run("--once")
        self.assertEqual(status, 0, said)
        self.assertEqual(spool.ready(), [])

    def show_logs(self):
        super().show_logs()
        for uploader in self.uploaders:
            print(f"\n--- {uploader.log_path}\n{uploader.log()[-4000:]}---")

    def assert_arrived(self, directory, sums):
        """Exactly these files are there, whole."""
        found = {name: sha256(os.path.join(directory, name))
                 for name in os.listdir(directory)
                 if not name.startswith(".")}
        self.assertEqual(sorted(found), sorted(sums))
        for name, digest in sums.items():
            self.assertEqual(found[name], digest, name)


def can_have_users():
    """May this user have logins of its own, which nobody else sees?"""
    return os.geteuid() == 0 and subprocess.run(
        ["unshare", "-m", "true"], check=False,
        stderr=subprocess.DEVNULL).returncode == 0


class Users:
    """A user with a password, in files that only some processes see in place
    of /etc/passwd and /etc/shadow. To `service` PAM lets those in who know
    their password."""

    NAME, UID = "sepmtest", 64711

    def __init__(self, directory, password, service=None):
        self.directory = os.path.join(directory, "users")
        os.makedirs(self.directory)
        self.names = ["passwd", "group", "shadow"]
        self.home = os.path.join(directory, "home")
        os.makedirs(self.home)
        os.chown(self.home, self.UID, self.UID)
        os.chmod(directory, 0o711)
        hashed = subprocess.run(
            ["openssl", "passwd", "-6", "-stdin"], input=password + "\n",
            check=True, text=True, stdout=subprocess.PIPE).stdout.strip()
        self._add("passwd", f"{self.NAME}:x:{self.UID}:{self.UID}::"
                  f"{self.home}:/bin/sh\n", 0o644)
        self._add("group", f"{self.NAME}:x:{self.UID}:\n", 0o644)
        self._add("shadow", f"{self.NAME}:{hashed}:19000::::::\n", 0o600)
        if service:
            self._serve(service)

    def _serve(self, service):
        rules = os.path.join(self.directory, "pam.d")
        os.makedirs(rules)
        with open(os.path.join(rules, service), "w",
                  encoding="ascii") as file:
            file.write("auth required pam_unix.so\n"
                       "account required pam_unix.so\n")
        self.names.append("pam.d")

    def _add(self, name, line, mode):
        with open(f"/etc/{name}", encoding="utf-8") as file:
            text = file.read()
        path = os.path.join(self.directory, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text + line)
        os.chmod(path, mode)

    def command(self, *command):
        """With these users; it replaces the process that starts it."""
        mounts = " && ".join(
            f'mount --bind "{self.directory}/{name}" /etc/{name}'
            for name in self.names)
        return ["unshare", "-m", "--propagation", "private", "sh", "-c",
                mounts + ' && exec "$@"', "sh", *command]


def directory_target(name, directory, **more):
    return {"name": name, "type": "dir", "directory": directory, **more}
