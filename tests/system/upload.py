"""sepmlog-upload: every file arrives, whole, whatever breaks meanwhile, and
leaves ready/ only when all targets have it."""

import base64
import concurrent.futures
import glob
import hashlib
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import threading
import time

import certificates
import harness
import upload_sftp
import uploads
import web
from faults import trace
from harness import LOOPBACK, wait_until
from uploads import directory_target

STARTS = int(os.environ.get("SEPMLOG_STARTS") or "20")
CUTS = int(os.environ.get("SEPMLOG_CUTS") or "8")
DOWN = float(os.environ.get("SEPMLOG_DOWN") or "8")  # seconds
KILLS = int(os.environ.get("SEPMLOG_KILLS") or (
    "200" if os.environ.get("SEPMLOG_TESTS") == "all" else "20"))
WAITING = 30  # files at most, of what is fed while they are delivered

_NGINX = """
daemon off;
worker_processes 1;
{user}
pid {work}/nginx.pid;
error_log {work}/error.log;
events {{ worker_connections 64; }}
http {{
  access_log {work}/access.log;
  client_body_temp_path {work}/body;
  proxy_temp_path {work}/proxy;
  fastcgi_temp_path {work}/fastcgi;
  uwsgi_temp_path {work}/uwsgi;
  scgi_temp_path {work}/scgi;
  client_max_body_size {most};
  server {{
    listen {address} ssl;
    ssl_certificate {certificate};
    ssl_certificate_key {key};
    {more}
    location / {{
      root {root};
      dav_methods PUT MOVE DELETE;
    }}
  }}
}}
"""


class Nginx:
    """A real server that takes files by PUT."""

    def __init__(self, work, root, certificate, more="", most="0"):
        os.makedirs(os.path.join(work, "body"), exist_ok=True)
        os.makedirs(root, exist_ok=True)
        self.work, self.port = work, harness.free_port()
        self.config = os.path.join(work, "nginx.conf")
        with open(self.config, "w", encoding="ascii") as file:
            file.write(_NGINX.format(
                work=work, root=root, most=most, more=more,
                address=f"{LOOPBACK}:{self.port}",
                user="user root;" if os.geteuid() == 0 else "",
                certificate=certificate[0], key=certificate[1]))
        self.process = None

    @property
    def url(self):
        return f"https://{LOOPBACK}:{self.port}/"

    def start(self):
        self.process = subprocess.Popen(
            ["nginx", "-c", self.config, "-e",
             os.path.join(self.work, "error.log")],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, start_new_session=True)
        wait_until(lambda: harness.answers(
            self.process, self.port, os.path.join(self.work, "error.log")),
            "nginx runs")
        return self

    def kill(self):
        """Master and worker, with whatever they are at."""
        if self.process and self.process.poll() is None:
            os.killpg(self.process.pid, 9)
            self.process.wait()


class Moody(web.Server):
    """A server that does what a list says, request by request, and then is
    good. `moods`: a status, (status, headers), or {"cut": bytes}."""

    def __init__(self, directory, certificate, moods=()):
        self.directory = directory
        self.moods, self.requests = list(moods), []
        self.always = {}  # the status of a file, whatever the moods
        super().__init__(certificate, _MoodyHandler)

    @property
    def url(self):
        return super().url + "/in"

    def statuses(self):
        return [mood for _, _, mood in self.requests]


class _MoodyHandler(web.Handler):
    def _take(self):
        mood = self.owner.moods.pop(0) if self.owner.moods else 201
        name = os.path.basename(self.path)
        mood = self.owner.always.get(name, mood)
        self.owner.requests.append((name, dict(self.headers), mood))
        size = int(self.headers["Content-Length"])
        if isinstance(mood, dict):
            self.rfile.read(min(mood["cut"], size))
            self.close_connection = True
            self.connection.shutdown(2)
            return
        data = self.rfile.read(size)
        status, headers = mood if isinstance(mood, tuple) else (mood, {})
        if status == 201:
            sum_ = base64.b64encode(hashlib.sha256(data).digest()).decode()
            if self.headers["Content-Digest"] != f"sha-256=:{sum_}:":
                status = 400
            else:
                with open(os.path.join(self.owner.directory, name),
                          "wb") as file:
                    file.write(data)
        self.answer(status, headers=headers)

    do_PUT = do_POST = _take

    def do_HEAD(self):
        path = os.path.join(self.owner.directory, os.path.basename(self.path))
        if not os.path.exists(path):
            self.answer(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(os.path.getsize(path)))
        self.end_headers()


class Counting(web.Server):
    """Takes its time for a file, and notes how many it has at once."""

    def __init__(self, certificate):
        self.lock, self.now, self.most = threading.Lock(), 0, 0
        self.sums, self.gate = {}, threading.Event()  # all wait for it
        self.gate.set()
        self.headers = []
        super().__init__(certificate, _CountingHandler)


class _CountingHandler(web.Handler):
    def do_PUT(self):
        owner = self.owner
        with owner.lock:
            owner.now += 1
            owner.most = max(owner.most, owner.now)
            owner.headers.append(dict(self.headers))
        data = self.content()
        time.sleep(0.15)
        owner.gate.wait(60)
        with owner.lock:
            owner.now -= 1
            owner.sums[os.path.basename(self.path)] = \
                hashlib.sha256(data).hexdigest()
        self.answer(201)


class Proxy:
    """Lets connections through by CONNECT, as proxies in front of the
    Internet do. `status`: what it answers instead."""

    def __init__(self, status=None):
        self.status, self.asked = status, []
        self.listener = socket.create_server((LOOPBACK, 0))
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def url(self):
        return f"http://{LOOPBACK}:{self.listener.getsockname()[1]}"

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def _serve(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._tunnel, args=(client,),
                             daemon=True).start()

    def _tunnel(self, client):
        head = b""
        while b"\r\n\r\n" not in head:
            data = client.recv(4096)
            if not data:
                return
            head += data
        method, place, _ = head.split(b"\r\n")[0].decode().split(" ")
        self.asked.append((method, place))
        if self.status:
            client.sendall(f"HTTP/1.1 {self.status} No\r\n"
                           "Content-Length: 0\r\n\r\n".encode())
            client.close()
            return
        host, port = place.rsplit(":", 1)
        server = socket.create_connection((host, int(port)))
        client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        threading.Thread(target=_pour, args=(server, client),
                         daemon=True).start()
        _pour(client, server)


def _pour(source, sink):
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


class Directories(uploads.Case):
    def test_all_targets_then_gone(self):
        spool = self.spool()
        for n in range(1, 6):
            spool.put(n, 200_000)
        events = spool.put(1, 0, stream="events")
        uploader = self.uploader(spool, [
            directory_target("all", self.made("all"), parallel=3),
            directory_target("some", self.made("some"), files="[traf*]"),
        ])
        status, said = uploader.run("--once")
        self.assertEqual(status, 0, said)
        self.assert_arrived(self.path("all"), spool.sums)
        traffic = {name: digest for name, digest in spool.sums.items()
                   if name != events}
        self.assert_arrived(self.path("some"), traffic)
        self.assertEqual(spool.ready(), [])
        self.assertEqual(
            spool.delivered(), {(name, "all") for name in spool.sums} |
            {(name, "some") for name in traffic})
        for receipt in spool.receipts():
            self.assertEqual(set(receipt), {
                "type", "time", "file", "target", "tries", "size", "sha256",
                "remote", "check", "started", "ended", "sha256_by", "chain"})
            self.assertEqual(receipt["remote"], self.path(
                receipt["target"], receipt["file"]))
            self.assertLessEqual(receipt["started"], receipt["ended"])
            self.assertEqual(receipt["sha256"], spool.sums[receipt["file"]])
            self.assertEqual(receipt["check"],
                             "sha256:" + spool.sums[receipt["file"]])
        self.assertEqual(len(spool.receipts("freed")), len(spool.sums))

    def test_readme(self):
        spool = self.spool()
        spool.put(1, 100_000)
        self.assert_readme_works("dir", spool, {
            "/mnt/archive": self.made("archive")})
        self.assert_arrived(self.path("archive"), spool.sums)

    def test_new_files_are_seen(self):
        spool = self.spool()
        uploader = self.uploader(
            spool, [directory_target("out", self.made("out"))]).start()
        name = spool.put(1)
        start = time.monotonic()
        wait_until(lambda: not spool.ready(), "the file is delivered")
        self.assertLess(time.monotonic() - start, 15, "inotify says nothing")
        self.assertEqual(os.listdir(self.path("out")), [name])
        self.assertEqual(uploader.stop(), 0)

    def test_a_target_that_is_down_holds_up_only_itself(self):
        spool = self.spool()
        up = self.made("up")
        uploader = self.uploader(spool, [
            directory_target("down", self.path("later")),
            directory_target("up", up)]).start()
        for n in range(1, 11):
            spool.put(n)
        wait_until(lambda: len(os.listdir(up)) == 10, "all are in up/")
        self.assertEqual(len(spool.ready()), 10)
        self.assertLessEqual(uploader.log().count("not delivered"), 1)
        os.mkdir(self.path("later"))
        wait_until(lambda: not spool.ready(), "all are in later/, too")
        self.assert_arrived(self.path("later"), spool.sums)
        self.assertIn("down: works again", uploader.log())
        self.assertEqual(uploader.stop(), 0)

    def test_other_content_is_refused(self):
        spool = self.spool()
        names = [spool.put(n) for n in (1, 2)]
        out = self.made("out")
        with open(os.path.join(out, names[0]), "wb") as file:
            file.write(b"something else")
        uploader = self.uploader(spool, [
            directory_target("out", out),
            directory_target("too", self.made("too"))])
        status, said = uploader.run("--once")
        self.assertEqual(status, 1, said)
        self.assertEqual(spool.ready(), [])
        self.assertEqual(spool.quarantined(),
                         [names[0], names[0] + ".reason"])
        with open(spool.at("upload/quarantine", names[0] + ".reason"),
                  encoding="utf-8") as file:
            self.assertRegex(file.read(), r"^out: .*other content")
        self.assert_arrived(self.path("too"), spool.sums)
        self.assertEqual(spool.receipts("refused")[0]["file"], names[0])

    def stuck(self):
        """Two files, of which the first can be neither delivered nor moved
        to quarantine."""
        spool = self.spool()
        names = [spool.put(n) for n in (1, 2)]
        with open(os.path.join(self.made("out"), names[0]), "wb") as file:
            file.write(b"something else")
        os.makedirs(spool.at("upload/quarantine", names[0]))
        return spool, names, self.uploader(
            spool, [directory_target("out", self.path("out"))])

    def test_one_that_stays_holds_up_no_other(self):
        spool, names, uploader = self.stuck()
        uploader.start()
        uploader.wait_log("cannot be taken out")
        wait_until(lambda: spool.ready() == names[:1], "the other is gone")
        name = spool.put(3)
        wait_until(lambda: spool.ready() == names[:1] and
                   (name, "out") in spool.delivered(), "one more, too")
        time.sleep(2.5)
        self.assertEqual([line["file"] for line in spool.receipts("freed")
                          ].count(names[0]), 1, "said again at each try")
        os.rmdir(spool.at("upload/quarantine", names[0]))
        wait_until(lambda: not spool.ready(), "it is moved")
        self.assertIn(names[0], spool.quarantined())
        self.assertEqual(uploader.stop(), 0)

    def test_once_ends_though_one_stays(self):
        spool, names, uploader = self.stuck()
        status, said = uploader.run("--once", timeout=20)
        self.assertEqual(status, 1, said)
        self.assertIn("cannot be taken out", said)
        self.assertEqual(spool.ready(), names[:1])

    def test_out_of_quarantine_it_is_tried_again(self):
        """Also by one that was started since."""
        spool = self.spool()
        name = spool.put(1)
        there = os.path.join(self.made("out"), name)
        with open(there, "wb") as file:
            file.write(b"something else")
        uploader = self.uploader(spool, [
            directory_target("out", self.path("out")),
            directory_target("too", self.made("too"))])
        self.assertEqual(uploader.run("--once")[0], 1)
        os.rename(spool.at("upload/quarantine", name), spool.at("ready", name))
        os.unlink(there)
        status, said = uploader.run("--once")
        self.assertEqual(status, 0, said)
        self.assertEqual(spool.ready(), [])
        self.assert_arrived(self.path("out"), spool.sums)
        self.assertEqual(len(spool.receipts()), 2, "one for each target")

    def test_receipts_of_another_file_are_not_its(self):
        """Of the same name, as from another spool."""
        spool = self.spool()
        spool.put(1, 1000)
        uploader = self.uploader(
            spool, [directory_target("out", self.made("out"))])
        self.assertEqual(uploader.run("--once")[0], 0)
        name = spool.put(1, 2000)
        self.assertEqual(uploader.run("--once")[0], 1)
        self.assertEqual(uploads.sha256(spool.at("upload/quarantine", name)),
                         spool.sums[name], "it was never delivered")

    def test_altered_between_two_targets(self):
        """Its name means the bytes that one of them has."""
        spool = self.spool()
        name = spool.put(1)
        first = directory_target("first", self.made("first"))
        second = directory_target("second", self.path("second"))
        uploader = self.uploader(spool, [first, second]).start()
        wait_until(spool.receipts, "one has it")
        uploader.stop()
        with open(spool.at("ready", name), "r+b") as file:
            byte = file.read(1)
            file.seek(0)
            file.write(bytes([byte[0] ^ 1]))
        self.made("second")
        status, said = uploader.run("--once")
        self.assertEqual(status, 1)
        self.assertIn("it was changed in ready/", said)
        self.assertEqual(os.listdir(self.path("second")), [])
        self.assertEqual(spool.ready(), [name])
        with open(spool.at("ready", name), "r+b") as file:
            file.write(byte)
        self.assertEqual(uploader.run("--once")[0], 0)
        self.assert_arrived(self.path("second"), spool.sums)

    def test_unwanted_files_are_told_of(self):
        spool = self.spool()
        stays = spool.put(1, stream="events")
        spool.put(2)
        uploader = self.uploader(spool, [directory_target(
            "out", self.made("out"), files="[traffic]")])
        status, said = uploader.run("--once")
        self.assertEqual(status, 0, said)
        self.assertIn("1 files are wanted by no target", said)
        self.assertEqual(spool.ready(), [stays])

    def test_what_would_go_where(self):
        """-n shows it, beside one that is at work, and changes nothing."""
        spool = self.spool()
        stays = spool.put(1, stream="events")
        names = [spool.put(n, 1000 * n) for n in (2, 3)]
        gone = self.path("not there")
        uploader = self.uploader(spool, [
            directory_target("here", self.made("out"), files="[traffic]"),
            directory_target("later", gone, files="[traffic]")])
        # Before the first delivery, too.
        self.assertIn(f"{names[0]}, 2000 bytes: to here, later\n",
                      uploader.run("-n")[1])
        uploader.start()
        wait_until(lambda: len(spool.receipts()) == 2, "one has both")
        uploader.stop()
        uploader.configure([
            directory_target("here", self.path("out"), files="[traffic]"),
            directory_target("later", gone, files="[traffic]"),
            directory_target("new", self.made("new"), files="[traffic]")])
        uploader.start()
        wait_until(lambda: len(spool.receipts()) == 4, "the new one has both")
        before = spool.receipts()
        uploader.configure([
            directory_target("here", self.path("out"), files="[traffic]"),
            directory_target("later", gone, files="[traffic]"),
            directory_target("other", self.made("other"), files="[traffic]")])
        status, said = uploader.run("-n")
        self.assertEqual(status, 0, said)
        self.assertEqual(said.splitlines()[1:], [
            f"{names[0]}, 2000 bytes: to later, other; is at here",
            f"{names[1]}, 3000 bytes: to later, other; is at here",
            "here: 0 files, 0 bytes",
            "later: 2 files, 5000 bytes",
            "other: 2 files, 5000 bytes",
            "1 files are wanted by no target (`files`): they stay in ready/"])
        self.assertEqual(os.listdir(self.path("other")), [])
        self.assertEqual(spool.receipts(), before)
        self.assertEqual(spool.ready(), sorted([stays, *names]))
        shutil.rmtree(spool.at("ready"))
        status, said = uploader.run("-n")
        self.assertEqual(status, 0, said)
        self.assertIn("cannot be told: No such file", said)

    def test_kept_files_have_limits(self):
        spool = self.spool()
        for n in range(1, 9):
            spool.put(n, 400_000)
        uploader = self.uploader(
            spool, [directory_target("out", self.made("out"))],
            "after: keep\nsent: {size: 1MiB}")
        self.assertEqual(uploader.run("--once")[0], 0)
        self.assert_arrived(self.path("out"), spool.sums)
        kept = sorted(os.listdir(spool.at("sent")))
        self.assertEqual(kept, sorted(spool.sums)[-2:])

    def test_one_uploader_at_a_time(self):
        spool = self.spool()
        targets = [directory_target("out", self.made("out"))]
        first = self.uploader(spool, targets).start()
        status, said = self.uploader(spool, targets, name="second").run()
        self.assertEqual(status, 1)
        self.assertIn("another sepmlog-upload", said)
        self.assertEqual(first.stop(), 0)
        self.assertEqual(self.uploader(spool, targets).run("--once")[0], 0)

    def test_ends_within_seconds_and_goes_on(self):
        spool = self.spool()
        spool.put(1, 4_000_000)
        slow = directory_target("out", self.made("out"), bandwidth="256KiB")
        uploader = self.uploader(spool, [slow]).start()
        part = os.path.join(self.path("out"), f".{spool.ready()[0]}.part")
        wait_until(lambda: os.path.exists(part), "it is at work")
        start = time.monotonic()
        self.assertEqual(uploader.stop(), 0)
        self.assertLess(time.monotonic() - start, 5)
        self.assertEqual(len(spool.ready()), 1)
        self.assertEqual(spool.delivered(), set())
        uploader.configure([dict(slow, bandwidth="0")])
        self.assertEqual(uploader.run("--once")[0], 0)
        self.assert_arrived(self.path("out"), spool.sums)

    def test_bandwidth_is_kept(self):
        spool = self.spool()
        for n in (1, 2, 3):
            spool.put(n, 512 << 10)
        uploader = self.uploader(spool, [directory_target(
            "out", self.made("out"), bandwidth="1MiB", parallel=3)])
        start = time.monotonic()
        self.assertEqual(uploader.run("--once")[0], 0)
        self.assertGreater(time.monotonic() - start, 1.0)
        self.assert_arrived(self.path("out"), spool.sums)

    def test_reload_brings_a_target(self):
        spool = self.spool()
        targets = [directory_target("out", self.path("missing"))]
        uploader = self.uploader(spool, targets).start()
        spool.put(1)
        uploader.wait_log("not delivered")
        uploader.configure([{"name": "x", "type": "dir"}])
        uploader.reload()
        uploader.wait_log("all goes on as before")
        uploader.configure([directory_target("out", self.made("out")),
                            directory_target("new", self.made("new"))])
        uploader.reload()
        wait_until(lambda: not spool.ready(), "both have it")
        self.assert_arrived(self.path("out"), spool.sums)
        self.assert_arrived(self.path("new"), spool.sums)
        self.assertEqual(uploader.stop(), 0)

    def test_outside_its_window_it_waits(self):
        spool = self.spool()
        spool.put(1)
        hour = time.localtime().tm_hour
        window = f'"{(hour + 3) % 24:02}:00-{(hour + 5) % 24:02}:00"'
        now = f'"{hour:02}:00-{(hour + 2) % 24:02}:00"'
        uploader = self.uploader(spool, [
            directory_target("later", self.made("later"), window=window),
            directory_target("now", self.made("now"), window=now)]).start()
        wait_until(lambda: os.listdir(self.path("now")), "one is in now/")
        self.assertEqual(os.listdir(self.path("later")), [])
        self.assertEqual(len(spool.ready()), 1)
        self.assertEqual(uploader.stop(), 0)

    def test_what_is_no_file_stays(self):
        spool = self.spool()
        name = f"traffic-{uploads.INSTANCE}-{7:016}.jsonl"
        os.symlink("/etc/passwd", spool.at("ready", name))
        os.mkfifo(spool.at("ready", name.replace("7.", "8.")))
        with open(spool.at("ready", "notes.txt"), "w",
                  encoding="ascii") as file:
            file.write("mine")
        uploader = self.uploader(
            spool, [directory_target("out", self.made("out"))])
        self.assertEqual(uploader.run("--once")[0], 0)
        self.assertEqual(os.listdir(self.path("out")), [])
        self.assertEqual(len(spool.ready()), 3)

    def test_as_a_user_of_its_own(self):
        """In the group of the spool, which belongs to another user, as the
        unit has it."""
        harness.need("setpriv")
        if os.geteuid() != 0:
            self.skipTest("only root can change to other users")
        daemon, upload, group = 64001, 64002, 64003
        os.chmod(self.directory, 0o755)
        spool = self.spool(ledger=True)
        for n in range(1, 4):
            spool.put(n)
        name = spool.put(4)
        for path, mode in ((spool.path, 0o750), (spool.at("ready"), 0o770),
                           (spool.at("ledger"), 0o750),
                           *((path, 0o640)
                             for path in glob.glob(spool.at("ledger/*")))):
            os.chmod(path, mode)
            os.chown(path, daemon, group)
        for path in spool.ready():
            os.chown(spool.at("ready", path), daemon, group)
        for path in (spool.at("upload"), spool.at("sent"), self.made("out")):
            os.makedirs(path, exist_ok=True)
            os.chmod(path, 0o750)
            os.chown(path, upload, group)
        with open(self.path("out", name), "wb") as file:
            file.write(b"other")
        os.chmod(self.path("out", name), 0o644)
        uploader = self.uploader(spool, [
            directory_target("out", self.path("out"))], "after: keep")
        os.chmod(uploader.config_path, 0o644)
        done = subprocess.run(
            ["setpriv", f"--reuid={upload}", f"--regid={group}",
             "--clear-groups", "--no-new-privs", "--inh-caps=-all",
             *uploader.command("--once")], check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertEqual(spool.ready(), [])
        self.assertEqual(spool.quarantined(), [name, name + ".reason"])
        self.assertEqual({receipt["sha256_by"] for receipt in
                          spool.receipts()}, {"ledger"})
        spool.sums.pop(name)
        self.assertEqual(sorted(os.listdir(spool.at("sent"))),
                         sorted(spool.sums))
        os.unlink(self.path("out", name))
        self.assert_arrived(self.path("out"), spool.sums)

    def test_damaged_receipts_are_not_believed(self):
        spool = self.spool()
        names = [spool.put(n) for n in (1, 2)]
        data = {}
        for name in names:
            with open(spool.at("ready", name), "rb") as file:
                data[name] = file.read()
        uploader = self.uploader(
            spool, [directory_target("out", self.made("out"))])
        self.assertEqual(uploader.run("--once")[0], 0)
        receipts = spool.at("upload/receipts",
                            os.listdir(spool.at("upload/receipts"))[0])
        for n, name in enumerate(names, 1):
            spool.put(n, data=data[name])
            os.unlink(self.path("out", name))
        os.chmod(receipts, 0o640)
        with open(receipts, "r+b") as file:
            text = file.read()
            second = text.index(names[1].encode())
            file.seek(text.index(b'"size":', second) + 7)
            file.write(b"9")
        status, said = uploader.run("--once")
        self.assertEqual(status, 0, said)
        self.assertIn("are not believed", said)
        # What a good receipt says is there is not sent again.
        self.assertEqual(os.listdir(self.path("out")), [names[1]])
        self.assertEqual(spool.ready(), [])

    def test_a_full_disk_there(self):
        harness.need_namespace()
        out = self.made("out")
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1M", "tmpfs",
                        out], check=True)
        self.addCleanup(subprocess.run, ["umount", out])
        spool = self.spool()
        for n in range(1, 6):
            spool.put(n, 300_000)
        uploader = self.uploader(spool, [directory_target("out", out)]).start()
        uploader.wait_log("make room there")
        wait_until(lambda: len(spool.ready()) == 2, "the others are away")
        first = sorted(spool.sums)[:3]
        self.assert_arrived(out, {name: spool.sums.pop(name)
                                  for name in first})
        for name in first:
            os.unlink(os.path.join(out, name))
        wait_until(lambda: not spool.ready(), "the others are there, too")
        self.assert_arrived(out, spool.sums)
        self.assertEqual(uploader.stop(), 0)
        self.figure("dir: full after 3 of 5 files: 2 waited, nothing half "
                    "there; with room again all are there")

    def test_a_full_spool_still_empties(self):
        harness.need_namespace()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4M", "tmpfs",
                        self.made("disk")], check=True)
        self.addCleanup(subprocess.run, ["umount", self.path("disk")])
        spool = self.spool("disk/spool")
        uploader = self.uploader(
            spool, [directory_target("out", self.path("missing"))]).start()
        spool.put(1)
        uploader.wait_log("not delivered")
        spool.put(2)
        room = os.statvfs(spool.path)
        with self.assertRaises(OSError):
            spool.put(3, room.f_bavail * room.f_bsize + 4096)
        os.mkdir(self.path("missing"))
        wait_until(lambda: not spool.ready(), "both are delivered")
        self.assertEqual(len(spool.delivered()), 2)
        self.assertEqual(uploader.stop(), 0)

    def test_a_full_spool_still_quarantines(self):
        harness.need_namespace()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4M", "tmpfs",
                        self.made("disk")], check=True)
        self.addCleanup(subprocess.run, ["umount", self.path("disk")])
        spool = self.spool("disk/spool")
        uploader = self.uploader(
            spool, [directory_target("out", self.path("missing"))]).start()
        name = spool.put(1)
        uploader.wait_log("not delivered")
        room = os.statvfs(spool.path)
        with self.assertRaises(OSError):
            spool.put(2, room.f_bavail * room.f_bsize + 4096)
        with open(os.path.join(self.made("aside"), name), "wb") as file:
            file.write(b"something else")
        os.rename(self.path("aside"), self.path("missing"))
        wait_until(lambda: not spool.ready(), "it is out of the way")
        self.assertIn(name, spool.quarantined())
        self.assertEqual(spool.receipts("refused")[0]["file"], name)
        self.assertEqual(uploader.stop(), 0)


class Links(uploads.Case):
    def linked(self, spool, directory, options=""):
        return self.uploader(
            spool, [directory_target("out", directory, method="link")],
            options)

    def test_the_same_file_under_both_names(self):
        spool = self.spool()
        for n in range(1, 4):
            spool.put(n, 100_000)
        inodes = {name: os.stat(spool.at("ready", name)).st_ino
                  for name in spool.sums}
        status, said = self.linked(spool, self.made("out")).run("--once")
        self.assertEqual(status, 0, said)
        self.assertEqual(spool.ready(), [])
        self.assert_arrived(self.path("out"), spool.sums)
        there = {name: os.stat(self.path("out", name))
                 for name in os.listdir(self.path("out"))}
        self.assertEqual(
            {name: (stat.st_ino, stat.st_nlink)
             for name, stat in there.items()},
            {name: (inode, 1) for name, inode in inodes.items()})
        self.assertEqual(
            {line["file"]: (line["check"], line["remote"])
             for line in spool.receipts()},
            {name: ("sha256:" + digest, self.path("out", name))
             for name, digest in spool.sums.items()})

    def test_kept_it_has_both_names(self):
        spool = self.spool()
        name = spool.put(1, 1000)
        status, said = self.linked(
            spool, self.made("out"), "after: keep").run("--once")
        self.assertEqual(status, 0, said)
        self.assertTrue(os.path.samefile(spool.at("sent", name),
                                         self.path("out", name)))

    def test_another_file_system(self):
        harness.need_namespace()
        out = self.made("out")
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", out], check=True)
        self.addCleanup(subprocess.run, ["umount", out])
        spool = self.spool()
        name = spool.put(1)
        status, said = self.linked(spool, out).run("--once")
        self.assertEqual(status, 1)
        self.assertIn("cannot make a hard link; `method: copy` can do "
                      "without: Invalid cross-device link", said)
        self.assertEqual(os.listdir(out), [])
        self.assertEqual(spool.ready(), [name])
        self.assertEqual(spool.delivered(), set())


class Traced(uploads.Case):
    def traced(self, uploader, calls=trace.CALLS + ",unlink,rename"):
        """The calls of a run; and its status."""
        harness.need("strace")
        path = self.path("trace")
        words = trace.command(path, calls)
        words[words.index("1024")] = "65536"
        # Where it has sanitizers, that of leaks is not to be traced.
        process = subprocess.Popen(
            words + uploader.command("--once"), stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env=dict(os.environ, ASAN_OPTIONS="detect_leaks=0"))
        status = process.wait(60)

        def text():
            with open(path, encoding="utf-8", errors="replace") as file:
                return file.read()
        wait_until(lambda: re.search(rf"(?m)^{process.pid} +\+\+\+ exited",
                                     text()), "the trace is complete")
        return trace.finished(path), status


class Order(Traced):
    """What strace sees of a delivery."""

    def check(self, calls, spool, out):
        """Names in the order in which they left ready/; each first was
        durable there, then had a durable receipt."""
        ready = spool.at("ready")
        receipts = spool.at("upload/receipts")
        there, said, durable, gone = set(), set(), set(), []
        renamed = set()
        for name, text, result in calls:
            if result < 0:
                continue
            names = {name for name in spool.sums if name in text}
            if name.startswith("renameat") and f"<{out}>" in text:
                renamed |= names
            elif name == "fsync" and f"<{out}>" in text:
                there |= renamed
            elif name.startswith("write") and receipts in text:
                lines = [name for name in names if re.search(
                    r'\\"receipt\\"[^{]*\\"file\\":\\"' + name, text)]
                self.assertLessEqual(set(lines), there,
                                     "a receipt for what is not durable")
                said |= set(lines)
            elif name == "fdatasync" and receipts in text:
                durable |= said
            elif name in ("unlinkat", "renameat", "renameat2") and \
                    f"<{ready}>" in text:
                self.assertLessEqual(names, durable,
                                     "it left before its receipt was safe")
                gone += names
        return gone

    def test_a_receipt_is_durable_before_the_file_leaves(self):
        spool = self.spool()
        for n in range(1, 9):
            spool.put(n, 50_000)
        out = os.path.realpath(self.made("out"))
        spool.path = os.path.realpath(spool.path)
        for options in ("", "after: keep"):
            with self.subTest(options):
                for n in range(1, 9):
                    spool.put(n + 8 * bool(options), 50_000)
                expected = spool.ready()
                calls, status = self.traced(self.uploader(
                    spool, [directory_target("out", out, parallel=2)],
                    options))
                self.assertEqual(status, 0)
                self.assertEqual(sorted(self.check(calls, spool, out)),
                                 expected)
        self.figure(f"{len(spool.sums)} files, each durable there, then its "
                    "receipt, before it leaves ready/")


class Alone(uploads.Case):
    """One uploader to a spool."""

    def one_of_two(self, spool, pair):
        for uploader in pair:
            uploader.start(wait=False)
        wait_until(lambda: any(uploader.process.poll() is not None
                               for uploader in pair), "one of them ends")
        name = spool.put(len(spool.sums) + 1)
        wait_until(lambda: (name, "out") in spool.delivered() and
                   not spool.ready(), "the other delivers")
        ended = [uploader for uploader in pair
                 if uploader.process.poll() is not None]
        self.assertEqual([uploader.process.returncode for uploader in ended],
                         [1])
        other, = set(pair) - set(ended)
        self.assertEqual(other.stop(), 0)

    def test_two_at_once(self):
        spool = self.spool()
        targets = [directory_target("out", self.made("out"))]
        pair = [self.uploader(spool, targets, name=name)
                for name in ("one", "two")]
        for _ in range(STARTS):
            self.one_of_two(spool, pair)
        said = "".join(uploader.log() for uploader in pair)
        self.assertEqual(said.count("another sepmlog-upload"), STARTS)
        self.assert_arrived(self.path("out"), spool.sums)
        self.assertEqual(sorted(line["file"] for line in spool.receipts()),
                         sorted(spool.sums), "one receipt each")
        self.figure(f"two uploaders started at once, {STARTS} times: one "
                    f"ended with a reason each time, the other delivered; "
                    f"{len(spool.sums)} receipts for {len(spool.sums)} files")


class Terminal(uploads.Case):
    def on_a_terminal(self, uploader):
        """Exit status, and all that its terminal got."""
        mine, its = os.openpty()
        self.addCleanup(os.close, mine)
        process = subprocess.Popen(
            uploader.command("--once"), stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=its)
        os.close(its)
        said = b""
        try:
            while data := os.read(mine, 4096):
                said += data
        except OSError:
            pass  # that is how a terminal ends
        return process.wait(20), said.decode()

    def test_progress(self):
        spool = self.spool()
        for n in range(1, 4):
            spool.put(n, 700_000)
        slow = directory_target("out", self.made("out"), bandwidth="1MiB")
        status, said = self.on_a_terminal(self.uploader(spool, [slow]))
        self.assertEqual(status, 0)
        drawn = said.split("\r\033[K")[1:]
        parts = [re.match(
            r"\[([#.]{20})\] +(\d+) %  \S+ \w+ of 2\.0 MiB  \S+ \w+/s  "
            r"\d files", text) for text in drawn]
        shares = [int(part[2]) for part in parts if part]
        self.assertGreater(len(shares), 3, said)
        self.assertEqual(shares, sorted(shares))
        self.assertGreater(len(set(shares)), 2, said)
        # Nothing of it is left: neither in a line of the log, nor at the end.
        for text, part in zip(drawn, parts):
            if part:
                self.assertNotIn("\n", text)
            else:
                self.assertNotRegex(text, r"[#.]{20}")
        self.assertIsNone(parts[-1], said[-300:])

    def test_not_without_one(self):
        spool = self.spool()
        spool.put(1, 700_000)
        slow = directory_target("out", self.made("out"), bandwidth="1MiB")
        status, said = self.uploader(spool, [slow]).run("--once")
        self.assertEqual(status, 0)
        self.assertNotIn("\r", said)
        self.assertNotIn(" %  ", said)


class WebCase(web.Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.client = cls.authority.issue("client")
        cls.expired = cls.authority.issue(
            "old", f"IP:{LOOPBACK}", usage="serverAuth",
            start="200101000000Z", end="200201000000Z")

    def target(self, url, **more):
        return {"name": "web", "type": "https", "url": f'"{url}"',
                "ca": self.ca, **more}

    def moody(self, moods=(), certificate=None):
        moody = Moody(self.made("in"), certificate or self.certificate, moods)
        self.addCleanup(moody.close)
        return moody

    def nginx(self, **more):
        harness.need("nginx")
        server = Nginx(self.made("nginx"), self.path("root"), self.certificate,
                       **more)
        self.addCleanup(server.kill)
        return server

    def secret(self, text, mode=0o600):
        path = self.path("secret")
        with open(path, "w", encoding="ascii") as file:
            file.write(text + "\n")
        os.chmod(path, mode)
        return path


class Stated(Traced, WebCase):
    """What the ledger says is what a file has to be, and is, if nobody was
    at it since."""

    def spool(self, name="spool", ledger=True):
        return super().spool(name, ledger)

    def out(self, spool):
        return self.uploader(
            spool, [directory_target("out", self.made("out"))])

    def reads(self, spool):
        """How often each byte of each file of ready/ is read, on average,
        while all are delivered."""
        spool.path = os.path.realpath(spool.path)
        sizes = {name: os.path.getsize(spool.at("ready", name))
                 for name in spool.ready()}
        counts = dict.fromkeys(sizes, 0)
        calls, status = self.traced(
            self.out(spool), "pread64,read,mmap,sendfile,copy_file_range")
        self.assertEqual((status, spool.ready()), (0, []))
        for call in calls:
            of = re.match(r"\d+<%s/([^/>]*)>" % spool.at("ready"), call.text)
            if of:
                counts[of[1]] += call.result
        return {name: count / sizes[name] for name, count in counts.items()}

    @staticmethod
    def put(spool, number, ago=0, **other):
        """One whose line is so old, and has `other`; then it was moved away
        and back."""
        data, then = os.urandom(1000), time.time() - ago
        ledger, spool.ledger = spool.ledger, None
        name = spool.put(number, data=data)
        spool.ledger = ledger
        os.utime(spool.at("ready", name), (then, then))
        ledger.file(name, data, at=then + 0.5, **other)
        return name

    @staticmethod
    def alter(spool, name, seconds):
        """One byte of it; it was written so long after what it was."""
        path = spool.at("ready", name)
        then = os.stat(path).st_mtime + seconds
        with open(path, "r+b") as file:
            byte = file.read(1)
            file.seek(0)
            file.write(bytes([byte[0] ^ 1]))
        os.utime(path, (then, then))

    def test_read_once(self):
        for ledger, times in ((True, 1), (False, 2)):
            spool = self.spool(f"spool-{times}", ledger)
            for n, packed in enumerate(("", ".gz", ".zst"), 3 * times):
                spool.put(n, 700_000, extension=f"jsonl{packed}")
            self.assertEqual(self.reads(spool),
                             dict.fromkeys(spool.sums, times))

    def test_of_the_daemon(self):
        """It writes its lines so that they are believed."""
        for compress in ("gzip", "zstd", "none"):
            sepmlogd = self.enterContext(self.daemon(
                compress, spool_options="rotate: {size: 64KiB, age: 1s}\n"
                f"compress: {compress}"))
            spool = uploads.Outgoing(sepmlogd.spool_path, make=False)
            harness.send_tcp(sepmlogd.port, "s", 3000)
            wait_until(lambda: self.published(spool) == 3000, "all are there")
            sepmlogd.stop_cleanly()
            times = list(self.reads(spool).values())
            # But for one that a slow disk held up.
            self.assertEqual(set(times) | {1, 2}, {1, 2})
            self.assertGreater(times.count(1), len(times) * 3 / 4)
            self.figure(f"{compress}: {times.count(1)} of {len(times)} files "
                        "of sepmlogd's were read once")

    @staticmethod
    def published(spool):
        """Records in ready/, by the ledger."""
        lines = [json.loads(line) for path in os.listdir(spool.at("ledger"))
                 for line in harness.read_file(
                     spool.at("ledger", path)).split(b"\n")[:-1]]
        return sum(line["records"] for line in lines
                   if line["type"] == "file" and line["name"] in spool.ready())

    def test_altered(self):
        """Also if its time was put back, and if its line is an old one."""
        spool = self.spool()
        names = [spool.put(1), self.put(spool, 2, ago=10)]
        spool.ledger.turn()
        self.alter(spool, names[0], 10)
        self.alter(spool, names[1], 0)
        other = spool.put(3)
        status, said = self.out(spool).run("--once")
        self.assertEqual(status, 1, said)
        self.assertIn("it was changed in ready/", said)
        self.assertEqual((spool.ready(), os.listdir(self.path("out"))),
                         (names, [other]))
        self.assertEqual(spool.delivered(), {(other, "out")})

    def test_wrong_line(self):
        """A target that does not take the file makes it read, and has the
        others."""
        spool, moody = self.spool(), self.moody()
        name = self.put(spool, 1, packed_sha256=64 * "0")
        others = {(spool.put(number), method)
                  for number, method in ((2, "copy"), (3, "link"))}
        uploader = self.uploader(spool, [
            directory_target(method, self.made(method), method=method)
            for _, method in others])
        self.assertEqual(uploader.run("--once")[0], 1)
        for _, method in others:
            self.assertEqual(sorted(os.listdir(self.path(method))),
                             sorted(other for other, _ in others))
        uploader = self.uploader(spool, [self.target(moody.url)]).start()
        path = spool.at("upload/status")
        wait_until(lambda: os.path.exists(path) and b"was changed in ready/"
                   in harness.read_file(path), "it was read")
        self.assertEqual(uploader.stop(), 0)
        self.assertEqual(len(moody.requests), 1)
        self.assertEqual(spool.ready(), [name])
        self.assertNotIn(name, {file for file, _ in spool.delivered()})

    def test_content_digest(self):
        spool, moody = self.spool(), self.moody()
        spool.put(1, 100_000)
        uploader = self.uploader(spool, [self.target(moody.url)])
        self.assertEqual(uploader.run("--once")[0], 0)
        self.assertEqual(moody.statuses(), [201])
        self.assert_arrived(moody.directory, spool.sums)

    def test_moved_away_and_back(self):
        spool = self.spool()
        name = self.put(spool, 1, ago=10)
        self.assertEqual(self.reads(spool), {name: 2})
        self.assert_arrived(self.path("out"), spool.sums)

    def test_a_ledger_that_cannot_be_read(self):
        """By one who may write all else."""
        harness.need("setpriv")
        if os.geteuid() != 0:
            self.skipTest("only root can change to other users")
        spool = self.spool()
        file = spool.at("ready", spool.put(1))
        uploader = self.out(spool)
        os.makedirs(spool.at("upload"))
        for path in (self.directory, uploader.config_path, file,
                     *map(spool.at, ("ready", "upload", "../out"))):
            os.chmod(path, 0o777)
        os.chmod(spool.at("ledger"), 0o700)
        uploader.command = lambda *options: [
            "setpriv", "--reuid=64002", "--regid=64002", "--clear-groups",
            "--inh-caps=-all", *uploads.Uploader.command(uploader, *options)]
        status, said = uploader.run("--once")
        self.assertEqual(status, 0, said)
        self.assertRegex(said, r"/ledger: Permission denied: digests are "
                         "found by reading the files; .* spool's group")
        self.assert_arrived(self.path("out"), spool.sums)


class Web(WebCase):
    def test_nginx(self):
        server = self.nginx(more=f"ssl_client_certificate "
                            f"{self.ca};"
                            "ssl_verify_client on;").start()
        spool = self.spool()
        for n in range(1, 21):
            spool.put(n, random.randrange(3_000_000))
        spool.put(21, 0)
        uploader = self.uploader(spool, [self.target(
            server.url, parallel=2, certificate=self.client[0],
            key=self.client[1])])
        status, said = uploader.run("--once")
        self.assertEqual(status, 0, said)
        self.assert_arrived(self.path("root"), spool.sums)
        self.assertEqual(spool.ready(), [])
        for line in spool.receipts():
            self.assertRegex(line["check"], "^etag:[0-9a-f-]+$")
        without = self.uploader(spool, [self.target(server.url)])
        spool.put(22)
        status, said = without.run("--once")
        self.assertEqual(status, 1)
        self.assertIn("whether it wants `certificate`", said)
        self.assertEqual(len(spool.ready()), 1)

    def test_readme(self):
        moody, spool = self.moody(), self.spool()
        for n in range(1, 4):
            spool.put(n, 100_000)
        self.assert_readme_works("https", spool, {
            "https://files.example.com/sepm/": moody.url + "/",
            "/etc/sepmlogd/upload/ca.pem": self.ca,
            "/etc/sepmlogd/upload/token": self.secret("word")})
        self.assert_arrived(self.path("in"), spool.sums)
        self.assertEqual({headers["Authorization"]
                          for _, headers, _ in moody.requests},
                         {"Bearer word"})

    def requests(self):
        """What nginx has answered: method, path and status."""
        with open(self.path("nginx/access.log"), encoding="utf-8") as file:
            return re.findall(r'"(\w+) (\S+) HTTP/[\d.]+" (\d+) ',
                              file.read())

    def test_readme_with_nginx(self):
        os.makedirs(self.path("root/sepm"))
        server = self.nginx(more="""
            if ($http_authorization != "Bearer word") { return 401; }
        """).start()
        spool = self.spool()
        for n in range(1, 4):
            spool.put(n, 300_000)
        changes = {"https://files.example.com/sepm/": server.url + "sepm/",
                   "/etc/sepmlogd/upload/ca.pem": self.ca}
        with self.assertRaisesRegex(AssertionError, "answer 401: check the "
                                    "credentials"):
            self.assert_readme_works("https", spool, {
                **changes,
                "/etc/sepmlogd/upload/token": self.secret("other")})
        self.assertEqual(os.listdir(self.path("root/sepm")), [])
        self.assertEqual(len(spool.ready()), 3)
        self.assertEqual({status for _, _, status in self.requests()},
                         {"401"})
        self.assert_readme_works("https", spool, {
            **changes, "/etc/sepmlogd/upload/token": self.secret("word")})
        self.assert_arrived(self.path("root/sepm"), spool.sums)

    def test_posted_to_nginx(self):
        """Which asks itself to store it."""
        server = self.nginx(more="""
            location ~ ^/post(/.*)$ {
              proxy_method PUT;
              proxy_pass https://127.0.0.1:$server_port$1;
            }
        """).start()
        spool = self.spool()
        names = [spool.put(n, 300_000) for n in range(1, 4)]
        status, said = self.uploader(spool, [self.target(
            server.url + "post/{name}", method="post")]).run("--once")
        self.assertEqual(status, 0, said)
        self.assert_arrived(self.path("root"), spool.sums)
        self.assertEqual(sorted(self.requests()), sorted(
            [("POST", f"/post/{name}", "201") for name in names] +
            [("PUT", f"/{name}", "201") for name in names]))
        self.assertEqual({line["remote"] for line in spool.receipts()},
                         {f"{server.url}post/{name}" for name in names})

    def test_posted_to_one_place_of_nginx(self):
        server = self.nginx(more="location = /in { return 204; }").start()
        spool = self.spool()
        for n in range(1, 4):
            spool.put(n, 1000)
        status, said = self.uploader(spool, [self.target(
            server.url + "in", method="post")]).run("--once")
        self.assertEqual(status, 0, said)
        self.assertEqual(self.requests(), [("POST", "/in", "204")] * 3)
        self.assertEqual({line["check"] for line in spool.receipts()},
                         {"status:204"})

    def test_the_name_in_the_middle_of_the_url(self):
        server = self.nginx(more="""
            location /by/ {
              root %s;
              dav_methods PUT;
              create_full_put_path on;
            }
        """ % self.path("root")).start()
        spool = self.spool()
        names = [spool.put(n, 1000) for n in range(1, 4)]
        status, said = self.uploader(spool, [self.target(
            server.url + "by/{name}/file")]).run("--once")
        self.assertEqual(status, 0, said)
        self.assertEqual(
            {name: uploads.sha256(self.path("root/by", name, "file"))
             for name in names}, spool.sums)
        self.assertEqual(
            [path for method, path, _ in self.requests() if method == "PUT"],
            [f"/by/{name}/file" for name in names])

    def test_old_tls_is_not_spoken(self):
        server = self.nginx(more="ssl_protocols TLSv1.1;"
                            "ssl_ciphers DEFAULT@SECLEVEL=0;").start()
        spoken = subprocess.run(
            ["openssl", "s_client", "-connect", f"{LOOPBACK}:{server.port}",
             "-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0", "-CAfile", self.ca],
            input="", text=True, check=False, timeout=20,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if "Protocol  : TLSv1.1" not in spoken.stdout:
            self.skipTest("this OpenSSL has no TLS 1.1")
        spool = self.spool()
        name = spool.put(1, 1000)
        status, said = self.uploader(
            spool, [self.target(server.url)]).run("--once")
        self.assertEqual(status, 1)
        self.assertRegex(
            said, "web: .*(protocol version|unsupported protocol)")
        self.assertEqual(spool.ready(), [name])
        self.assertEqual(os.listdir(self.path("root")), [])
        self.assertEqual(self.requests(), [])

    def counting(self):
        server = Counting(self.certificate)
        self.addCleanup(server.close)
        self.addCleanup(server.gate.set)
        return server

    def test_so_many_at_once_and_no_more(self):
        for parallel in (1, 3):
            server = self.counting()
            spool = self.spool(f"spool-{parallel}")
            for n in range(1, 13):
                spool.put(n, 20_000)
            status, said = self.uploader(spool, [self.target(
                server.url, parallel=parallel, verify="no")]).run("--once")
            self.assertEqual(status, 0, said)
            self.assertEqual(server.sums, spool.sums)
            self.assertEqual(server.most, parallel)

    def test_credentials_are_not_in_its_arguments(self):
        """Nor its environment: while one is on its way with them."""
        server, spool = self.counting(), self.spool()
        server.gate.clear()
        spool.put(1)
        token, password = "sesame-and-barley", "barley-and-sesame"
        with open(self.path("password"), "w", encoding="ascii") as file:
            file.write(password + "\n")
        os.chmod(self.path("password"), 0o600)
        uploader = self.uploader(spool, [
            self.target(server.url, verify="no",
                        token_file=self.secret(token)),
            {**self.target(server.url, verify="no", user="me",
                           password_file=self.path("password")),
             "name": "two"}]).start()
        wait_until(lambda: server.now == 2, "both are on their way")
        login = base64.b64encode(f"me:{password}".encode()).decode()
        self.assertEqual(
            {headers["Authorization"] for headers in server.headers},
            {f"Bearer {token}", f"Basic {login}"})
        for pid in upload_sftp.children_of(uploader.process.pid):
            for what in ("cmdline", "environ"):
                with open(f"/proc/{pid}/{what}", "rb") as file:
                    seen = file.read().decode()
                self.assertTrue(seen, what)
                for secret in (token, password, login):
                    self.assertNotIn(secret, seen)
        server.gate.set()
        wait_until(lambda: not spool.ready(), "they are delivered")
        self.assertEqual(uploader.stop(), 0)

    def test_cut_at_any_byte(self):
        """Between it and nginx, inside of a file or of what is said first."""
        server, spool = self.nginx().start(), self.spool()
        for n in range(1, 4):
            spool.put(n, 1_500_000)
        cuts = [random.randrange(1, 1_500_000 if n % 2 else 6000)
                for n in range(CUTS)]
        cutter = upload_sftp.Cutter(server.port, cuts)
        self.addCleanup(cutter.close)
        uploader = self.uploader(
            spool, [self.target(f"https://{LOOPBACK}:{cutter.port}/")])
        tries = 0
        for _ in range(CUTS + 1):
            status, said = uploader.run("--once")
            tries += 1
            whole = {name: spool.sums[name]
                     for name in os.listdir(self.path("root"))}
            self.assert_arrived(self.path("root"), whole)
            if status == 0:
                break
        self.assertEqual(status, 0, said)
        self.assertEqual(cutter.cuts, [])
        self.assertGreater(tries, CUTS // 3)
        self.assert_arrived(self.path("root"), spool.sums)
        self.assertEqual(spool.ready(), [])
        self.figure(f"https: cut {CUTS} times at random bytes: 0 lost, 0 seen "
                    "before they were whole")

    def test_down_for_long(self):
        server, spool = self.nginx(), self.spool()
        uploader = self.uploader(spool, [
            self.target(server.url), directory_target(
                "out", self.made("out"))]).start()
        end = time.monotonic() + DOWN
        number = 0
        while time.monotonic() < end:
            number += 1
            spool.put(number, 20_000)
            time.sleep(DOWN / 200)
        wait_until(lambda: len(os.listdir(self.path("out"))) == number,
                   "the other target has all")
        self.assertEqual(len(spool.ready()), number)
        said = uploader.log().count("web: ")
        server.start()
        start = time.monotonic()
        # It waits twice as long each time, and five minutes at most.
        wait_until(lambda: not spool.ready(), "all are delivered",
                   min(2 * DOWN, 300) + 30)
        self.assert_arrived(self.path("root"), spool.sums)
        tries = max(line["tries"] for line in spool.receipts())
        self.assertLessEqual(said, 1 + DOWN // 60, "it says too much")
        self.assertEqual(uploader.stop(), 0)
        self.figure(
            f"down for {DOWN:g} s: {number} files waited, all there "
            f"{time.monotonic() - start:.1f} s after it was back, {said} "
            f"lines in the log, {tries} tries for one file at most")

    def proxy(self, **options):
        proxy = Proxy(**options)
        self.addCleanup(proxy.close)
        return proxy

    def test_proxy(self):
        server, proxy = self.nginx().start(), self.proxy()
        spool = self.spool()
        for n in range(1, 4):
            spool.put(n, 1_000_000)
        target = self.target(server.url, proxy=proxy.url)
        uploader = self.uploader(spool, [target])
        status, said = uploader.run("--once")
        self.assertEqual(status, 0, said)
        self.assert_arrived(self.path("root"), spool.sums)
        self.assertEqual(set(proxy.asked),
                         {("CONNECT", f"{LOOPBACK}:{server.port}")})

        spool.put(4)
        for proxy, words in ((self.proxy(status=407), "wants a login"),
                             (self.proxy(status=403), "403")):
            uploader.configure([dict(target, proxy=proxy.url)])
            status, said = uploader.run("--once")
            self.assertEqual(status, 1)
            self.assertIn(words, said)
            self.assertEqual(len(proxy.asked), 1)
        self.assertEqual(len(spool.ready()), 1)
        dead = f"http://{LOOPBACK}:{harness.free_port()}"
        uploader.configure([dict(target, proxy=dead)])
        status, said = uploader.run("--once")
        self.assertEqual(status, 1)
        self.assertIn("proxy", said)
        self.assertEqual(len(spool.ready()), 1)

    def test_nginx_by_another_name(self):
        server = self.nginx().start()
        spool = self.spool()
        name = spool.put(1, 2_000_000)
        uploader = self.uploader(
            spool, [self.target(server.url, rename="yes")])
        status, said = uploader.run("--once")
        self.assertEqual(status, 0, said)
        self.assertEqual(os.listdir(self.path("root")), [name])
        self.assert_arrived(self.path("root"), spool.sums)
        with open(self.path("nginx/access.log"), encoding="utf-8") as file:
            self.assertIn(f"MOVE /.{name}.part", file.read())

    def test_nginx_killed_in_the_middle(self):
        server = self.nginx().start()
        spool = self.spool()
        spool.put(1, 6_000_000)
        slow = self.target(server.url, bandwidth="3MiB")
        uploader = self.uploader(spool, [slow]).start()
        time.sleep(0.7)
        server.kill()
        uploader.wait_log("not delivered")
        self.assertEqual(os.listdir(self.path("root")), [])
        server.start()
        start = time.monotonic()
        wait_until(lambda: not spool.ready(), "it is delivered", 30)
        self.assert_arrived(self.path("root"), spool.sums)
        self.assertEqual(uploader.stop(), 0)
        self.figure("nginx killed inside of a file: nothing of it there, "
                    f"whole {time.monotonic() - start:.1f} s after it was "
                    "back")

    def test_written_to_while_it_is_sent(self):
        server, spool = self.nginx().start(), self.spool()
        name = spool.put(1, 1_500_000)
        uploader = self.uploader(
            spool, [self.target(server.url, bandwidth="1MiB")]).start()
        wait_until(lambda: any(os.scandir(self.path("nginx/body"))),
                   "it is on its way")
        with open(spool.at("ready", name), "r+b") as file:
            file.write(b"what was sent already")
        uploader.wait_log("it was changed in ready/")
        self.assertEqual(os.listdir(self.path("root")), [])
        # It stays so, and holds up no other.
        other = spool.put(2)
        wait_until(lambda: spool.ready() == [name], "the other is delivered")
        self.assertEqual(uploader.stop(), 0)
        self.assertEqual(os.listdir(self.path("root")), [other])
        self.assertEqual(spool.delivered(), {(other, "web")})

    def test_refused_for_its_size(self):
        server = self.nginx(most="100k").start()
        spool = self.spool()
        large, small = spool.put(1, 3_000_000), spool.put(2, 50_000)
        uploader = self.uploader(spool, [self.target(server.url)])
        status, said = uploader.run("--once")
        self.assertEqual(status, 1, said)
        self.assertEqual(os.listdir(self.path("root")), [small])
        self.assertEqual(spool.quarantined(), [large, large + ".reason"])
        self.assertIn("413", spool.receipts("refused")[0]["reason"])
        self.assertEqual(spool.ready(), [])
        self.figure("413: quarantined with the reason, the next file "
                    "delivered")

    def test_a_full_disk_of_nginx(self):
        harness.need("nginx")
        harness.need_namespace()
        disk, root = self.made("disk"), self.path("disk/root")
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1M", "tmpfs",
                        disk], check=True)
        self.addCleanup(subprocess.run, ["umount", disk])
        server = Nginx(self.path("disk/nginx"), root, self.certificate)
        self.addCleanup(server.kill)
        server.start()
        spool = self.spool()
        for n in range(1, 6):
            spool.put(n, 300_000)
        uploader = self.uploader(spool, [self.target(server.url)])
        status, said = uploader.run("--once")
        self.assertEqual(status, 1)
        self.assertIn("answer 500", said)
        first = sorted(spool.sums)[:3]
        self.assertEqual(spool.ready(), sorted(spool.sums)[3:])
        self.assert_arrived(root, {name: spool.sums.pop(name)
                                   for name in first})
        for name in first:
            os.unlink(os.path.join(root, name))
        self.assertEqual(uploader.run("--once")[0], 0)
        self.assert_arrived(root, spool.sums)
        self.assertEqual(spool.ready(), [])
        self.figure("nginx: full after 3 of 5 files: 2 waited, nothing half "
                    "there; with room again all are there")

    def test_moods(self):
        """Each is tried again, and nothing is lost or refused."""
        moods = [[400], [401], [403], [404], [500], [503], [302],
                 [{"cut": 0}], [{"cut": random.randrange(100_000)}],
                 [{"cut": 99_999}], [500, 403]]
        with concurrent.futures.ThreadPoolExecutor(len(moods)) as pool:
            list(pool.map(self.attempt, range(len(moods)), moods))
        answers = sorted({mood for some in moods for mood in some
                          if isinstance(mood, int)})
        self.figure(f"{', '.join(map(str, answers))} and 3 cuts: each tried "
                    "again and delivered, 0 lost, 0 refused")

    def attempt(self, number, moods):
        there = self.made(f"in-{number}")
        moody = Moody(there, self.certificate, moods)
        self.addCleanup(moody.close)
        spool = self.spool(f"spool-{number}")
        spool.put(1, 100_000)
        uploader = self.uploader(
            spool, [self.target(moody.url)], name=f"up-{number}").start()
        wait_until(lambda: not spool.ready(), f"delivered after {moods}", 60)
        self.assertEqual(moody.statuses(), moods + [201])
        self.assertEqual(spool.receipts()[0]["tries"], len(moods) + 1)
        self.assertIn("not delivered, again in", uploader.log())
        self.assertEqual(uploader.stop(), 0)
        self.assert_arrived(there, spool.sums)

    def test_asks_before_it_sends_what_may_be_refused(self):
        """Not again for what is no larger than one that went well."""
        moody = self.moody([201, 201, 201, 503])
        spool = self.spool()
        mebibyte = 1 << 20
        for n, size in enumerate((2, 2, 3, 3, 2), start=1):
            spool.put(n, size * mebibyte)
        uploader = self.uploader(spool, [self.target(moody.url)]).start()
        wait_until(lambda: not spool.ready(), "all are delivered")
        self.assertEqual(uploader.stop(), 0)
        self.assert_arrived(self.path("in"), spool.sums)
        self.assertEqual(
            [headers.get("Expect") for _, headers, _ in moody.requests],
            ["100-continue", None, "100-continue", None, "100-continue",
             "100-continue"])

    def test_retry_after_is_obeyed(self):
        moody = self.moody([(429, {"Retry-After": "5"})])
        spool = self.spool()
        spool.put(1)
        uploader = self.uploader(spool, [self.target(moody.url)]).start()
        uploader.wait_log("answer 429")
        start = time.monotonic()
        wait_until(lambda: not spool.ready(), "delivered")
        took = time.monotonic() - start
        self.assertGreater(took, 4.0)
        self.assertEqual(uploader.stop(), 0)
        self.figure(f"429 with 5 s: again after {took:.1f} s")

    def test_a_cut_file_does_not_hold_up_the_others(self):
        moody = self.moody([{"cut": 50_000}])
        spool = self.spool()
        for n in range(1, 5):
            spool.put(n, 100_000)
        uploader = self.uploader(spool, [self.target(moody.url)]).start()
        wait_until(lambda: not spool.ready(), "all are delivered")
        order = [name for name, _, _ in moody.requests]
        self.assertEqual(order[0], order[-1])
        self.assertEqual(len(order), 5)
        self.assert_arrived(self.path("in"), spool.sums)
        self.assertEqual(uploader.stop(), 0)

    def test_a_server_that_hangs(self):
        """It costs no processor, and the end comes in seconds all the same."""
        silent = socket.create_server((LOOPBACK, 0))
        self.addCleanup(silent.close)
        spool = self.spool()
        spool.put(1)
        uploader = self.uploader(spool, [
            self.target(f"https://{LOOPBACK}:{silent.getsockname()[1]}/",
                        timeout="2s"),
            directory_target("out", self.made("out"))]).start()
        uploader.wait_log("web: traffic")
        self.assert_arrived(self.path("out"), spool.sums)
        uploader.configure([
            self.target(f"https://{LOOPBACK}:{silent.getsockname()[1]}/")])
        uploader.reload()
        uploader.wait_log("taken")
        time.sleep(1)
        start = time.monotonic()
        self.assertEqual(uploader.stop(), 0)
        self.assertLess(time.monotonic() - start, 5)
        self.assertEqual(len(spool.ready()), 1)

    def test_one_that_always_fails_does_not_hold_up_the_others(self):
        """It looks as if the server were down, and comes first by name."""
        spool = self.spool()
        bad = spool.put(1)
        for n in range(2, 5):
            spool.put(n)
        moody = self.moody()
        moody.always = {bad: 500}
        uploader = self.uploader(spool, [self.target(moody.url)]).start()
        wait_until(lambda: spool.ready() == [bad], "the others are delivered")
        moody.always = {}
        wait_until(lambda: not spool.ready(), "all are delivered")
        self.assert_arrived(self.path("in"), spool.sums)
        self.assertEqual(uploader.stop(), 0)

    def test_certificates(self):
        spool = self.spool()
        spool.put(1)
        old = self.moody(certificate=self.expired)
        status, said = self.uploader(
            spool, [self.target(old.url)]).run("--once")
        self.assertEqual(status, 1)
        self.assertIn("expired", said)
        self.assertEqual(old.requests, [])
        good = self.moody()
        stranger = certificates.Authority(self.made("stranger"), "stranger")
        status, said = self.uploader(spool, [self.target(
            good.url, ca=stranger.certificate)]).run("--once")
        self.assertEqual(status, 1)
        self.assertIn("check `ca`", said)
        self.assertEqual(good.requests, [])
        self.assertEqual(self.uploader(
            spool, [self.target(good.url)]).run("--once")[0], 0)
        self.assert_arrived(self.path("in"), spool.sums)
        self.figure("expired, of another authority: 0 requests got through, "
                    "each named; the file waits for a good one")

    def test_credentials(self):
        moody = self.moody()
        spool = self.spool()
        spool.put(1)
        said = self.uploader(spool, [self.target(
            moody.url, token_file=self.secret("sesame"))]).run("--once")[1]
        self.assertEqual(moody.requests[0][1]["Authorization"],
                         "Bearer sesame")
        spool.put(2)
        said += self.uploader(spool, [self.target(
            moody.url, user="me", password_file=self.secret("sesame"),
            method="post")]).run("--once")[1]
        self.assertEqual(
            moody.requests[1][1]["Authorization"],
            "Basic " + base64.b64encode(b"me:sesame").decode())
        self.assertIn("filename=", moody.requests[1][1]["Content-Disposition"])
        self.assertEqual(spool.ready(), [])
        loose = self.uploader(spool, [self.target(
            moody.url, token_file=self.secret("sesame", 0o644))])
        status, more = loose.run("-n")
        self.assertEqual(status, 1)
        self.assertIn("chmod 600", more)
        self.assertNotIn("sesame", said + more)
        receipts = str(spool.receipts())
        self.assertNotIn("sesame", receipts)


class Killer(uploads.Case):
    """SIGKILL at any moment, again and again, while files keep coming."""

    life = 0.05, 0.6  # seconds

    def setUp(self):
        super().setUp()
        self.partial = []
        self.end = threading.Event()

    def watch(self, spool, directories):
        """What is there under a final name is whole."""
        whole = set()
        while not self.end.is_set():
            for directory in directories:
                for name in os.listdir(directory):
                    path = os.path.join(directory, name)
                    if name.startswith(".") or path in whole:
                        continue
                    if uploads.sha256(path) != spool.sums[name]:
                        self.partial.append(path)
                    whole.add(path)
            time.sleep(0.005)

    def feed(self, spool):
        number = 1
        while not self.end.is_set():
            if len(spool.ready()) < WAITING:
                spool.put(number, random.randrange(400_000)
                          if number % 8 else 1_500_000)
                number += 1
            time.sleep(0.02)

    def kill(self, uploader, directories):
        """At work? Then a part is left that was written to in this life."""
        begun = time.time_ns()
        uploader.start(wait=False)
        time.sleep(random.uniform(*self.life))
        self.assertIsNone(uploader.process.poll(), "it ended by itself")
        uploader.kill()
        # That of the system is coarser.
        return any(entry.name.startswith(".") and
                   entry.stat().st_mtime_ns > begun - 10_000_000
                   for directory in directories
                   for entry in os.scandir(directory))

    def kill_all_the_time(self, spool, uploader, directories):
        """How often it was in the middle of a file."""
        threads = [threading.Thread(target=self.watch,
                                    args=(spool, directories.values())),
                   threading.Thread(target=self.feed, args=(spool,))]
        for thread in threads:
            thread.start()
        try:
            return sum(self.kill(uploader, directories.values())
                       for _ in range(KILLS))
        finally:
            self.end.set()
            for thread in threads:
                thread.join()

    def assert_all_there(self, spool, uploader, directories):
        self.assertEqual(self.partial, [])
        status, said = uploader.run("--once", timeout=200)
        self.assertEqual(status, 0, said)
        self.assertEqual(spool.ready(), [])
        for directory in directories.values():
            self.assert_arrived(directory, spool.sums)
        self.assertEqual(
            spool.delivered(), {(name, target) for name in spool.sums
                                for target in directories})
        self.assertEqual({line["file"] for line in spool.receipts("freed")},
                         set(spool.sums))
        self.assertEqual(os.listdir(spool.at("upload/state")), [])

    def killed(self, spool, targets, directories):
        uploader = self.uploader(spool, targets)
        hits = self.kill_all_the_time(spool, uploader, directories)
        self.assert_all_there(spool, uploader, directories)
        receipts = spool.receipts()
        tries = sum(line["tries"] for line in receipts)
        self.assertGreaterEqual(hits, max(1, KILLS // 20),
                                "killed when it did nothing")
        return (f"{len(spool.sums)} files, killed {KILLS} times, {hits} of "
                f"them inside of a file: 0 lost, 0 seen before they were "
                f"whole, {len(receipts)} receipts, {tries} tries in the lives "
                f"that wrote them")


class Killed(Killer, WebCase):
    def uploads_of(self, name):
        """How often nginx took it whole."""
        with open(self.path("nginx/access.log"), encoding="utf-8") as file:
            return len(re.findall(rf'"PUT /{name} HTTP/1.1" 20[14] ',
                                  file.read()))

    def test_killed(self):
        server = self.nginx().start()
        spool = self.spool()
        directories = {"out": self.made("out"), "web": self.path("root")}
        said = self.killed(spool, [
            directory_target("out", directories["out"], parallel=2,
                             bandwidth="16MiB"),
            self.target(server.url, parallel=2)], directories)
        again = sum(self.uploads_of(name) - 1 for name in spool.sums)
        self.figure(f"dir and https: {said}; {again} sent twice to nginx, "
                    "with the same bytes")


class KilledFar(Killer, upload_sftp.Case):
    life = 0.2, 0.8

    def test_killed(self):
        sshd = self.sshd().start()
        spool = self.spool()
        said = self.killed(spool, [
            self.target(sshd.port, parallel=2, bandwidth="8MiB")],
            {"far": self.out})
        parts = [name for name in os.listdir(self.out)
                 if name.startswith(".")]
        self.assertEqual(parts, [])
        self.figure(f"sftp: {said}")


class CutFar(upload_sftp.Case):
    def test_cut_at_any_byte_far(self):
        """Between it and an SSH server, which keeps parts: so there is always
        one more file, until that often it was cut off."""
        sshd = self.sshd().start()
        cutter = upload_sftp.Cutter(sshd.port, [])
        self.addCleanup(cutter.close)
        self.known(sshd.line(cutter.port))
        spool = self.spool()
        uploader = self.uploader(spool, [self.target(cutter.port)])
        cut = 0
        while cut < CUTS:
            if not spool.ready():
                spool.put(len(spool.sums) + 1, 1_500_000)
            cutter.cuts.append(
                random.randrange(1, 1_400_000 if cut % 2 else 6000))
            status, said = uploader.run("--once")
            cut += status
            self.assertIn(status, (0, 1), said)
            there = {name: spool.sums[name] for name in os.listdir(self.out)
                     if not name.startswith(".")}
            self.assert_arrived(self.out, there)
        cutter.cuts.clear()
        status, said = uploader.run("--once")
        self.assertEqual(status, 0, said)
        self.assert_all_there(spool)
        self.figure(f"sftp: cut {CUTS} times at random bytes, "
                    f"{len(spool.sums)} files: 0 lost, 0 seen before they "
                    "were whole")


class Whole(uploads.Case):
    """From a message to its receipt, and `sepmlogctl verify` over all."""

    def verify(self, spool, *options):
        done = subprocess.run(
            [harness.SEPMLOGCTL, "verify", "--json", *options, spool],
            stdout=subprocess.PIPE, check=False, timeout=60)
        return done.returncode, json.loads(done.stdout)

    def test_verify(self):
        sepmlogd = self.enterContext(self.daemon(
            spool_options="rotate: {size: 64KiB, age: 1s}"))
        ready = os.path.join(sepmlogd.spool_path, "ready")
        spool = uploads.Outgoing(sepmlogd.spool_path, make=False)
        self.made("out")
        uploader = self.uploader(spool, [
            directory_target("out", self.path("out")),
            directory_target("later", self.path("later"))]).start()
        harness.send_tcp(sepmlogd.port, "v", 2000)
        wait_until(lambda: len(os.listdir(self.path("out"))) >= 5,
                   "some files are delivered")
        status, said = self.verify(sepmlogd.spool_path)
        self.assertEqual((status, said["findings"]), (0, []))
        self.assertGreaterEqual(said["receipts"]["waiting"], 5)
        os.mkdir(self.path("later"))
        # ones that a target refuses
        with open(self.path("later", sorted(os.listdir(ready))[-1]), "w",
                  encoding="ascii") as file:
            file.write("other")
        wait_until(lambda: len(self.numbers("v")) >= 2000, "all are there")
        sepmlogd.stop_cleanly()
        wait_until(lambda: not os.listdir(ready), "all are delivered")
        status, said = self.verify(sepmlogd.spool_path)
        self.assertEqual((status, said["findings"]), (0, []))
        counts = said["receipts"]
        self.assertEqual(counts["quarantined"], 1)
        self.assertEqual((counts["waiting"], counts["unaccounted"]), (0, 0))
        self.assertEqual(counts["delivered"] + 1,
                         len(os.listdir(self.path("out"))))
        self.assertEqual(uploader.stop(), 0)
        self.assertEqual(self.numbers("v"), list(range(2000)))

    def numbers(self, sender):
        """Of that sender's messages in out/, in order."""
        return sorted(
            int(number) for name in os.listdir(self.path("out"))
            if not name.startswith(".")
            for number in re.findall(
                rb'"user":"%s-([0-9]+)"' % sender.encode(),
                harness.read_file(self.path("out", name))))

    def test_reception_goes_on_without_it(self):
        """Stopped, then killed, while messages keep coming."""
        sepmlogd = self.enterContext(self.daemon(
            spool_options="rotate: {size: 64KiB, age: 1s}"))
        spool = uploads.Outgoing(sepmlogd.spool_path, make=False)
        uploader = self.uploader(spool, [
            directory_target("out", self.made("out"))]).start()
        sender = harness.Sender(sepmlogd.port, "w", rate=4000)
        sender.start()
        wait_until(lambda: os.listdir(self.path("out")), "it delivers")
        uploader.process.send_signal(signal.SIGSTOP)
        time.sleep(0.3)  # what was in work is stopped, too
        before, sent = set(spool.ready()), sender.sent
        wait_until(lambda: len(set(spool.ready()) - before) >= 5,
                   "files pile up")
        self.assertGreater(sender.sent, sent)
        uploader.kill()
        before = len(spool.ready())
        wait_until(lambda: len(spool.ready()) >= before + 5,
                   "and without it")
        waited = len(spool.ready())
        sender.stop()
        self.assertIsNone(sender.error)
        uploader.start()
        wait_until(lambda: len(self.numbers("w")) >= sender.sent,
                   "all are there", 60)
        sepmlogd.stop_cleanly()
        wait_until(lambda: not spool.ready(), "all are delivered")
        self.assertEqual(uploader.stop(), 0)
        self.assertEqual(self.numbers("w"), list(range(sender.sent)))
        status, said = self.verify(sepmlogd.spool_path)
        self.assertEqual((status, said["findings"]), (0, []))
        self.figure(f"stopped, then killed under load: 0 of {sender.sent} "
                    f"messages lost, {waited} files waited for it")

    def test_verify_names_what_someone_else_took(self):
        sepmlogd = self.enterContext(self.daemon(
            spool_options="rotate: {size: 64KiB, age: 1s}"))
        ready = os.path.join(sepmlogd.spool_path, "ready")
        spool = uploads.Outgoing(sepmlogd.spool_path, make=False)
        uploader = self.uploader(spool, [
            directory_target("out", self.made("out")),
            directory_target("later", self.path("later"))]).start()
        harness.send_tcp(sepmlogd.port, "a", 1000)
        wait_until(lambda: os.listdir(self.path("out")), "one is delivered")
        harness.send_tcp(sepmlogd.port, "b", 1000)
        wait_until(lambda: self.delivered_all(spool), "out has all")
        partly = max(name for name, _ in spool.delivered())
        os.unlink(os.path.join(ready, partly))
        self.assertEqual(uploader.stop(), 0)
        status, said = self.verify(sepmlogd.spool_path)
        self.assertEqual(status, 1)
        self.assertEqual(len(said["findings"]), 1)
        self.assertRegex(said["findings"][0], f"{partly}: .* someone else")
        known = set(os.listdir(ready))
        harness.send_tcp(sepmlogd.port, "c", 10)
        fresh = wait_until(lambda: set(os.listdir(ready)) - known,
                           "a file without receipt")
        os.unlink(os.path.join(ready, min(fresh)))
        status, said = self.verify(sepmlogd.spool_path)
        self.assertEqual(len(said["findings"]), 2, said["findings"])
        self.assertRegex(str(said["findings"]),
                         f"{min(fresh)}: is neither in ready/ nor")

    def test_verify_compares_what_was_delivered(self):
        """Packed again after a crash, a file has two lines: one is right."""
        spool = self.spool()
        sent = [os.urandom(100) for _ in range(4)]
        names = [spool.put(number, data=data)
                 for number, data in enumerate(sent)]
        uploader = self.uploader(
            spool, [directory_target("out", self.made("out"))])
        self.assertEqual(uploader.run("--once")[0], 0)
        ledger = uploads.Ledger(spool.at("ledger"))
        os.mkdir(spool.at("live"))
        ledger.file(names[0], sent[0])
        ledger.file(names[1], sent[3])
        ledger.file(names[1], sent[1])
        ledger.file(names[2], sent[0])
        ledger.file(names[3], sent[3])
        ledger.file(names[3], sent[3])
        _, said = self.verify(spool.path)
        found = [text for text in said["findings"] if "by its receipt" in text]
        self.assertEqual(len(found), 1, said["findings"])
        self.assertIn(names[2], found[0])

    @staticmethod
    def delivered_all(spool):
        """To `out`, by its receipts, which come after the file."""
        names = spool.ready()
        return len(names) > 5 and {(name, "out") for name in names} <= \
            spool.delivered()


class Words(uploads.Case):
    def test_all_errors_at_once(self):
        spool = self.spool()
        uploader = self.uploader(spool, [
            {"name": "a", "type": "dir", "directory": "here"},
            {"name": "a", "type": "https", "url": "http://x/"},
            {"name": "B", "type": "ftp"}], "after: burn")
        status, said = uploader.run("-n")
        self.assertEqual(status, 1)
        for pattern in (r":\d+:\d+: after: 'burn' is not delete or keep",
                        r"targets\[0\]\.directory: .* start with '/'",
                        r"targets\[1\]\.url: .* is no URL",
                        r"targets\[1\]: same name as targets\[0\]",
                        r"targets\[2\]\.type: 'ftp' is not "):
            self.assertRegex(said, pattern)

    def test_one_target_for_a_directory(self):
        spool, place = self.spool(), self.made("place")
        for second, status in ((place, 1), (place + "/", 1),
                               (self.made("other"), 0)):
            uploader = self.uploader(spool, [
                uploads.directory_target("a", place),
                uploads.directory_target("b", second)])
            got, said = uploader.run("-n")
            self.assertEqual(got, status, said)
            if status:
                self.assertRegex(
                    said, r"upload\.yaml:9:16: targets\[1\]\.directory: same "
                    r"as that of targets\[0\]")

    def test_example(self):
        """What comes with the program, with all of its `#` taken out."""
        path = os.path.join(harness.ROOT, "conf/sepmlog-upload.yaml")
        with open(path, encoding="ascii") as file:
            head, _, targets = file.read().partition("targets:\n")
        lines = [line for line in targets.splitlines()
                 if re.match(r"#( -|  ) \w+:", line)]
        uploader = self.uploader(self.spool(), [])
        with open(uploader.config_path, "w", encoding="ascii") as file:
            file.write(head + "targets:\n" + "\n".join(
                " " + line[1:] for line in lines) + "\n")
        status, said = uploader.run("-n")
        # Its files are not here, which is the only thing that is wrong.
        self.assertEqual(status, 1)
        self.assertRegex(said, r"^\S+: target audit: /etc/sepmlogd/upload/")
        with open(path, encoding="ascii") as file:
            text = file.read()
        self.uploader(self.spool("other"), [])
        with open(uploader.config_path, "w", encoding="ascii") as file:
            file.write(text)
        self.assertIn("targets: needs an entry", uploader.run("-n")[1])

    def test_no_spool(self):
        uploader = self.uploader(
            self.spool(), [directory_target("out", self.made("out"))])
        shutil.rmtree(self.path("spool/ready"))
        status, said = uploader.run("--once")
        self.assertEqual(status, 1)
        self.assertIn("start sepmlogd first", said)

    def test_options(self):
        for option in ("-h", "--help", "-V", "--version"):
            done = subprocess.run([uploads.UPLOAD, option], check=True,
                                  stdout=subprocess.PIPE, text=True)
            self.assertTrue(re.search(r"sepmlog-upload", done.stdout))
        done = subprocess.run([uploads.UPLOAD, "what"], check=False,
                              stderr=subprocess.DEVNULL)
        self.assertEqual(done.returncode, 2)


if __name__ == "__main__":
    harness.enter_namespace()
    harness.main()
