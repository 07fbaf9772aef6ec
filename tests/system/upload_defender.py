"""sepmlog-upload to the cloud discovery of Defender for Cloud Apps: the three
requests as they are published, by a server that takes no others.

The server is not Microsoft's; no tenant has seen this."""

import base64
import gzip
import hashlib
import json
import os
import re
import threading
import urllib.parse

import harness
import upload_presets
import web
from harness import wait_until

TOKEN = "0123456789abcdef-token/of+a=tenant"
STREAM = 'SEPM "north"'


class Cloud(web.Server):
    """`moods`: {step: [answers]} with a status, "cut", or "spoil"."""

    def __init__(self, certificate, moods=None, stream=STREAM):
        self.stream = stream
        self.moods = {k: list(v) for k, v in (moods or {}).items()}
        self.urls = {}       # those that were given: {id: name}
        self.blobs = {}      # {id: data}
        self.blocks = {}     # {id: {block: data}}
        self.discovered = {}  # {name: data}: what is processed
        self.steps, self.faults = [], []
        self.hold = None     # a step that is done, and not answered
        self.held = threading.Event()
        super().__init__(certificate, _Handler)


class _Handler(web.Handler):
    def _answer(self, step, status, body=b"", headers=None):
        cloud = self.owner
        cloud.steps.append((step, status))
        if status < 300 and cloud.hold == step:
            cloud.held.set()
            self.close_connection = True
            threading.Event().wait(2)
            return
        self.answer(status, body, headers)

    def _mood(self, step):
        moods = self.owner.moods.get(step)
        return moods.pop(0) if moods else None

    def _fault(self, step, text):
        self.owner.faults.append(f"{step}: {text}")
        self._answer(step, 400, text.encode())

    def _may(self, step):
        if self.headers.get("Authorization") == f"Token {TOKEN}":
            return True
        # as some servers do
        self._answer(step, 401, f"no such token: "
                     f"{self.headers.get('Authorization')}".encode())
        return False

    def do_GET(self):
        path, _, query = self.path.partition("?")
        words = urllib.parse.parse_qs(query)
        mood = self._mood("url")
        if mood:
            self._answer("url", mood)
        elif not self._may("url"):
            pass
        elif path != "/api/v1/discovery/upload_url/" or \
                words.get("source") != ["GENERIC_CEF"]:
            self._fault("url", self.path)
        else:
            number = str(len(self.owner.urls) + 1)
            self.owner.urls[number] = words["filename"][0]
            url = f"{self.owner.url}/blob/{number}?sv=2020&sig=s3cr3t%2F"
            self._answer("url", 200, json.dumps(
                {"provider": "azure", "url": url}).replace(
                    "/", "\\/").replace("&", "\\u0026").encode())

    def do_PUT(self):
        match = re.fullmatch(
            r"/blob/(\d+)\?sv=2020&sig=s3cr3t%2F(&comp=block&blockid=(.*)|"
            r"&comp=blocklist)?", self.path)
        data = self.content()
        mood = self._mood("put")
        if mood == "cut":
            self.close_connection = True
            self.connection.shutdown(2)
        elif isinstance(mood, int):
            self._answer("put", mood, f"not to {self.path}".encode())
        elif not match or self.headers.get("Authorization"):
            self._fault("put", f"{self.path} {self.headers}")
        elif match[1] not in self.owner.urls or match[1] in self.owner.blobs:
            self._answer("put", 403, b"AuthenticationFailed")
        else:
            self._store(match, data, mood)

    def _store(self, match, data, mood):
        cloud, number = self.owner, match[1]
        if match[3]:
            cloud.blocks.setdefault(number, {})[match[3]] = data
        elif match[2]:
            names = re.findall("<Latest>([^<]*)</Latest>", data.decode())
            cloud.blobs[number] = b"".join(
                cloud.blocks[number][name] for name in names)
        elif self.headers.get("x-ms-blob-type") != "BlockBlob" or \
                len(data) > 64 * 2**20:
            self._fault("put", f"{len(data)} {self.headers}")
            return
        else:
            cloud.blobs[number] = data
        digest = hashlib.md5(data + b"?" * (mood == "spoil")).digest()
        if mood == "spoil":
            del cloud.blobs[number]
        self._answer("put", 201, headers={
            "Content-MD5": base64.b64encode(digest).decode()})

    def do_POST(self):
        data = self.content()
        mood = self._mood("done")
        if not self._may("done"):
            return
        said = json.loads(data)
        number = re.sub(r".*/blob/(\d+)\?sv=2020&sig=s3cr3t%2F$", r"\1",
                        said["uploadUrl"])
        if self.path != "/api/v1/discovery/done_upload/" or \
                self.headers["Content-Type"] != "application/json" or \
                said["inputStreamName"] != self.owner.stream:
            self._fault("done", f"{self.path} {said}")
        elif isinstance(mood, int):
            self._answer("done", mood)
        elif number not in self.owner.blobs:
            self._answer("done", 404, b"no such upload, or done before")
        else:
            name = self.owner.urls.pop(number)
            self.owner.discovered.setdefault(name, []).append(
                self.owner.blobs.pop(number))
            self._answer("done", 200, b'{"success": true}')


class Defender(web.Case):
    def cloud(self, moods=None, **options):
        cloud = Cloud(self.certificate, moods, **options)
        self.addCleanup(cloud.close)
        return cloud

    def target(self, cloud, token=TOKEN, **more):
        path = self.path("token")
        with open(path, "w", encoding="ascii") as file:
            file.write(token + "\n")
        os.chmod(path, 0o600)
        return {"name": "mda", "type": "defender", "url": cloud.url,
                "token_file": path, "ca": self.ca, "timeout": "10s",
                "input_stream": f"'{STREAM}'", **more}

    def assert_discovered(self, cloud, spool, times=1):
        self.assertEqual(
            {name: [hashlib.sha256(data).hexdigest() for data in all_data]
             for name, all_data in cloud.discovered.items()},
            {name: [digest] * times for name, digest in spool.sums.items()})
        self.assertEqual(spool.ready(), [])
        self.assertEqual(spool.delivered(),
                         {(name, "mda") for name in spool.sums})
        self.assertEqual(cloud.faults, [])
        self.assertEqual(os.listdir(spool.at("upload/state")), [])

    def test_three_steps(self):
        cloud, spool = self.cloud(), self.spool()
        for n, size in enumerate((1, 100_000, 3_000_000), 1):
            spool.put(n, size)
        uploader = self.uploader(spool, [self.target(cloud)])
        status, said = uploader.run("--once")
        self.assertEqual(status, 0, said)
        self.assert_discovered(cloud, spool)
        self.assertEqual([step for step, _ in cloud.steps],
                         ["url", "put", "done"] * 3)
        self.assertRegex(spool.receipts()[0]["check"], "^md5:.{24}$")

    def test_readme(self):
        cloud, spool = self.cloud(stream="SEPM"), self.spool()
        name = spool.put(1, stream="defender", extension="cef.gz",
                         data=gzip.compress(upload_presets.records("cef")))
        target = self.target(cloud)
        self.assert_readme_works("defender", spool, {
            "https://TENANT.REGION.portal.cloudappsecurity.com": cloud.url,
            "/etc/sepmlogd/upload/defender-token": target["token_file"]},
            ca=self.ca)
        self.assertEqual(cloud.faults, [])
        self.assertEqual(list(cloud.discovered), [name])

    def test_killed_between_all_steps(self):
        for step, sent in (("url", 2), ("put", 1), ("done", 1)):
            with self.subTest(step=step):
                cloud, spool = self.cloud(), self.spool(step)
                spool.put(1, 100_000)
                cloud.hold = step
                uploader = self.uploader(
                    spool, [self.target(cloud)], name=step).start()
                wait_until(cloud.held.is_set, "the step is done there")
                uploader.kill()
                cloud.hold = None
                for _ in range(3):
                    status, said = uploader.run("--once")
                    if status == 0:
                        break
                self.assertEqual(status, 0, said)
                # what was processed before the answer was lost goes again
                self.assert_discovered(
                    cloud, spool, 2 if step == "done" else 1)

    def test_goes_on_at_the_step(self):
        cloud = self.cloud({"put": [500, "cut"], "done": [503, 401]})
        spool = self.spool()
        spool.put(1, 100_000)
        uploader = self.uploader(spool, [self.target(cloud)])
        statuses = [uploader.run("--once")[0] for _ in range(5)]
        self.assertEqual(statuses, [1, 1, 1, 1, 0])
        self.assert_discovered(cloud, spool)
        self.assertEqual([step for step, _ in cloud.steps],
                         ["url", "put", "put", "done", "done", "done"])

    def test_a_url_that_ran_out(self):
        for step, answer in (("put", 403), ("put", 404), ("done", 404)):
            cloud = self.cloud({step: [answer]})
            spool = self.spool(f"{step}{answer}")
            spool.put(1)
            uploader = self.uploader(spool, [self.target(cloud)])
            status, said = uploader.run("--once")
            self.assertEqual(status, 1)
            self.assertNotIn("sig=s3cr3t", said)
            self.assertEqual(uploader.run("--once")[0], 0)
            self.assert_discovered(cloud, spool)

    def test_what_it_has_is_compared(self):
        cloud, spool = self.cloud({"put": ["spoil"]}), self.spool()
        spool.put(1)
        uploader = self.uploader(spool, [self.target(cloud)])
        status, said = uploader.run("--once")
        self.assertEqual(status, 1)
        self.assertIn("another content", said)
        self.assertEqual(uploader.run("--once")[0], 0)
        self.assert_discovered(cloud, spool)

    def test_large_ones_go_in_blocks(self):
        cloud, spool = self.cloud({"put": [None, None, 500]}), self.spool()
        spool.put(1, 64 * 2**20 + 1)
        uploader = self.uploader(spool, [self.target(cloud)])
        self.assertEqual(uploader.run("--once")[0], 1)
        status, said = uploader.run("--once")
        self.assertEqual(status, 0, said)
        self.assert_discovered(cloud, spool)
        self.assertEqual([status for step, status in cloud.steps
                          if step == "put"],
                         [201, 201, 500, 201, 201, 201, 201])

    def test_refused(self):
        cloud, spool = self.cloud({"put": [413]}), self.spool()
        name = spool.put(1)
        uploader = self.uploader(spool, [self.target(cloud)])
        self.assertEqual(uploader.run("--once")[0], 1)
        self.assertIn(name, spool.quarantined())

    def test_the_token_is_not_told(self):
        cloud, spool = self.cloud(), self.spool()
        spool.put(1)
        wrong = "another-token-that-nobody-should-see-" + "x" * 200
        uploader = self.uploader(spool, [self.target(cloud, wrong)])
        status, said = uploader.run("--once")
        self.assertEqual(status, 1)
        self.assertIn("check `token_file`", said)
        self.assertIn("no such token: Token ****", said)
        self.assertNotIn("another-token", said)

    def test_the_state_is_for_nobody_else(self):
        cloud, spool = self.cloud({"put": [500]}), self.spool()
        spool.put(1)
        uploader = self.uploader(spool, [self.target(cloud)])
        self.assertEqual(uploader.run("--once")[0], 1)
        states = [spool.at("upload/state", name)
                  for name in os.listdir(spool.at("upload/state"))]
        self.assertEqual([os.stat(path).st_mode & 0o777 for path in states],
                         [0o600])


if __name__ == "__main__":
    harness.main()
