"""sepmlog-upload to a bucket: what is signed is what arrives, and only what
the server says that it has is delivered.

The server here checks each signature itself, from the API's documentation,
and is not S3. OpenStack Swift's S3 API is another's reading of the same;
moto's server, used where it is installed, checks no signatures."""

import base64
import datetime
import glob
import hashlib
import hmac
import importlib.util
import os
import re
import ssl
import subprocess
import sys
import threading
import time
import urllib.parse
import urllib.request

import certificates
import harness
import upload
import uploads
import web
from harness import LOOPBACK, wait_until

KEY_ID = "AKIDEXAMPLE"
SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
REGION = "eu-central-1"
BUCKET = "sepm-logs"


def _hmac(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def signature(method, path, query, headers, names, secret):
    """Signature Version 4; `headers` by names in lower case."""
    date = headers["x-amz-date"]
    canonical = "\n".join([
        method, path, query,
        *(f"{name}:{headers[name].strip()}" for name in names), "",
        ";".join(names), headers["x-amz-content-sha256"]])
    scope = f"{date[:8]}/{REGION}/s3/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", date, scope,
                      hashlib.sha256(canonical.encode()).hexdigest()])
    key = ("AWS4" + secret).encode()
    for part in scope.split("/"):
        key = _hmac(key, part)
    return _hmac(key, text).hex()


class Bucket(web.Server):
    """`moods`: for each request a status, (status, headers), {"cut": bytes},
    or "spoil": says that it has something else."""

    def __init__(self, certificate, moods=(), checksums=True):
        self.moods, self.checksums = list(moods), checksums
        self.objects, self.statuses = {}, []
        self.late = 0        # its clock is so many seconds ahead
        self.uploads = {}    # those that are not finished: {id: {part: data}}
        self.requests = []   # of uploads in parts: `begin`, a number, ...
        self.completions = []  # moods of their own: "lose", "deny", "spoil"
        self.gate = threading.Event()  # parts wait for it
        self.gate.set()
        super().__init__(certificate, _Handler)


class _Handler(web.Handler):
    def _answer(self, status, headers=None, code=""):
        body = f"<Error><Code>{code}</Code></Error>".encode() if code else b""
        self.owner.statuses.append(status)
        self.answer(status, body, headers)

    def _fault(self, data, needs_sum=True):
        """Of the request, as S3 calls it; None: it has none."""
        headers = {name.lower(): value for name, value in
                   self.headers.items()}
        match = re.fullmatch(
            r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/s3/"
            r"aws4_request,SignedHeaders=([a-z0-9;-]+),"
            r"Signature=([0-9a-f]{64})", headers.get("authorization", ""))
        if not match or match[1] != KEY_ID:
            return 403, "InvalidAccessKeyId"
        signed = datetime.datetime.strptime(
            headers["x-amz-date"], "%Y%m%dT%H%M%S%z").timestamp()
        if abs(time.time() + self.owner.late - signed) > 15 * 60:
            return 403, "RequestTimeTooSkewed"
        names = match[4].split(";")
        needed = {"host", *(name for name in headers
                            if name.startswith("x-amz-"))}
        if names != sorted(names) or not needed <= set(names):
            return 403, "AccessDenied"
        if match[3] != REGION:
            return 400, "AuthorizationHeaderMalformed"
        path, _, query = self.path.partition("?")
        if match[5] != signature(self.command, path, query, headers, names,
                                 SECRET):
            return 403, "SignatureDoesNotMatch"
        digest = hashlib.sha256(data)
        if headers["x-amz-content-sha256"] != digest.hexdigest():
            return 400, "XAmzContentSHA256Mismatch"
        if (needs_sum or "x-amz-checksum-sha256" in headers) and headers[
                "x-amz-checksum-sha256"] != base64.b64encode(
                    digest.digest()).decode():
            return 400, "BadDigest"
        if not self.path.startswith(f"/{BUCKET}/"):
            return 404, "NoSuchBucket"
        return None

    # --- in parts ---

    def _upload(self):
        """Of the request: its path, id and number of a part."""
        path, _, query = self.path.partition("?")
        words = dict(urllib.parse.parse_qsl(query, keep_blank_values=True))
        return path, words.get("uploadId"), int(words.get("partNumber", 0))

    def _judge(self, data):
        fault = self._fault(data, needs_sum=False)
        if not fault and self._upload()[1] is not None and \
                self._upload()[1] not in self.owner.uploads:
            fault = 404, "NoSuchUpload"
        if fault:
            self._answer(fault[0], code=fault[1])
        return not fault

    def _body(self, text, headers=None):
        self.answer(200, text.encode(), headers)

    def _put_part(self, data, mood):
        _, upload, number = self._upload()
        if not self._judge(data):
            return
        if self.owner.checksums and not self.headers.get(
                "x-amz-checksum-sha256"):
            self._answer(400, code="InvalidRequest")
            return
        self.owner.requests.append(number)
        self.owner.uploads[upload][number] = data
        if mood == "spoil":
            data += b"?"
        self._answer(200, {"ETag": f'"{hashlib.md5(data).hexdigest()}"'})

    def do_POST(self):
        data = self.content()
        if not self._judge(data):
            return
        path, upload, _ = self._upload()
        if upload is None:
            self.owner.requests.append("begin")
            upload = f"up/load+{len(self.owner.requests)}"
            self.owner.uploads[upload] = {}
            self._body(f"<Result><UploadId>{upload}</UploadId></Result>",
                       {"x-amz-checksum-algorithm": "SHA256"}
                       if self.owner.checksums else {})
            return
        self.owner.requests.append("complete")
        mood = self.owner.completions.pop(0) if self.owner.completions \
            else None
        if mood == "deny":  # as S3 does: a good status, then an error
            self._body("<Error><Code>InternalError</Code></Error>")
            return
        self._complete(path, self.owner.uploads[upload], data.decode(), mood)

    def _complete(self, path, parts, said, mood):
        wanted = re.findall(r"<PartNumber>(\d+)</PartNumber>"
                            r'<ETag>"([0-9a-f]{32})"</ETag>'
                            r"(?:<ChecksumSHA256>([^<]+)</ChecksumSHA256>)?",
                            said)
        sums = [hashlib.sha256(part).digest()
                for _, part in sorted(parts.items())]
        right = [(str(number), hashlib.md5(part).hexdigest(),
                  base64.b64encode(digest).decode()
                  if self.owner.checksums else "")
                 for (number, part), digest in zip(sorted(parts.items()),
                                                   sums)]
        if wanted != right:
            self._answer(400, code="InvalidPart")
            return
        self.owner.objects[path] = b"".join(
            part for _, part in sorted(parts.items()))
        tag = self.owner.last_tag = hashlib.md5(b"".join(
            hashlib.md5(part).digest()
            for _, part in sorted(parts.items()))).hexdigest() + \
            f"-{len(parts)}"
        del self.owner.uploads[self._upload()[1]]
        if mood == "lose":
            self.close_connection = True
            self.connection.shutdown(2)
            return
        if mood == "spoil":
            tag = "0" * 32 + tag[32:]
        whole = base64.b64encode(
            hashlib.sha256(b"".join(sums)).digest()).decode()
        text = f"<Result><ETag>&quot;{tag}&quot;</ETag>"
        if self.owner.checksums:
            text += f"<ChecksumSHA256>{whole}-{len(parts)}</ChecksumSHA256>"
        self._body(text + "</Result>")

    def do_DELETE(self):
        if self._judge(b""):
            self.owner.requests.append("abort")
            del self.owner.uploads[self._upload()[1]]
            self._answer(204)

    def do_HEAD(self):
        data = self.owner.objects.get(self.path)
        self.send_response(404 if data is None else 200)
        self.send_header("Content-Length", str(len(data or b"")))
        self.send_header("ETag", f'"{self.owner.last_tag}"')
        self.end_headers()

    def do_PUT(self):
        mood = self.owner.moods.pop(0) if self.owner.moods else None
        size = int(self.headers["Content-Length"])
        if isinstance(mood, dict):
            self.rfile.read(min(mood["cut"], size))
            self.close_connection = True
            self.connection.shutdown(2)
            return
        if self.headers.get("Expect"):
            self.send_response_only(100)
            self.end_headers()
        data = self.rfile.read(size)
        if "partNumber=" in self.path:
            self.owner.gate.wait(30)
        if isinstance(mood, (int, tuple)):
            self._answer(*(mood if isinstance(mood, tuple) else (mood,)))
            return
        if "partNumber=" in self.path:
            self._put_part(data, mood)
            return
        fault = self._fault(data)
        if fault:
            self._answer(fault[0], code=fault[1])
            return
        self.owner.objects[self.path] = data
        if mood == "spoil":
            data += b"?"
        headers = {"ETag": f'"{hashlib.md5(data).hexdigest()}"'}
        if self.owner.checksums:
            headers["x-amz-checksum-sha256"] = base64.b64encode(
                hashlib.sha256(data).digest()).decode()
        self._answer(200, headers)


class Case(web.Case):
    def bucket(self, **options):
        bucket = Bucket(self.certificate, **options)
        self.addCleanup(bucket.close)
        return bucket

    def target(self, endpoint, secret=SECRET, **more):
        path = self.path("secret")
        with open(path, "w", encoding="ascii") as file:
            file.write(secret + "\n")
        os.chmod(path, 0o600)
        return {"name": "s3", "type": "s3", "endpoint": endpoint,
                "bucket": BUCKET, "region": REGION, "key_id": KEY_ID,
                "secret_file": path, "ca": self.ca, "timeout": "10s",
                **more}

    def wait_part(self, spool):
        """A part of an upload is there: its journal says so."""
        state = spool.at("upload/state")
        wait_until(lambda: any(
            harness.file_size(os.path.join(state, name)) > 230
            for name in os.listdir(state)), "a part is there")

    def assert_objects(self, bucket, spool, prefix=""):
        self.assertEqual(
            {path: hashlib.sha256(data).hexdigest()
             for path, data in bucket.objects.items()},
            {f"/{BUCKET}/{prefix}{name}": digest
             for name, digest in spool.sums.items()})
        self.assertEqual(spool.ready(), [])
        self.assertEqual(spool.delivered(),
                         {(name, "s3") for name in spool.sums})


    def run_readme(self, url, **more):
        """README's example: the spool that it has emptied."""
        spool = self.spool()
        for n, size in enumerate((1, 300_000), 1):
            spool.put(n, size)
        target = self.target(url)
        self.assert_readme_works("s3", spool, {
            "https://s3.eu-central-1.amazonaws.com": url,
            "/etc/sepmlogd/upload/s3-secret": target["secret_file"],
            **more}, ca=self.ca)
        return spool


class S3(Case):
    def test_readme(self):
        bucket = self.bucket()
        spool = self.run_readme(bucket.url)
        self.assertEqual(
            {path: hashlib.sha256(data).hexdigest()
             for path, data in bucket.objects.items()},
            {f"/sepm-logs/north/{name}": digest
             for name, digest in spool.sums.items()})

    def test_a_proxy_that_wants_a_login(self):
        bucket, spool = self.bucket(), self.spool()
        spool.put(1)
        proxy = upload.Proxy(status=407)
        self.addCleanup(proxy.close)
        status, said = self.uploader(spool, [
            self.target(bucket.url, proxy=proxy.url)]).run("--once")
        self.assertEqual(status, 1)
        self.assertIn("the proxy answers 407: it wants a login", said)
        self.assertEqual(len(spool.ready()), 1)
        self.assertEqual(bucket.statuses, [])

    def test_a_clock_that_is_off(self):
        bucket, spool = self.bucket(), self.spool()
        spool.put(1)
        uploader = self.uploader(spool, [self.target(bucket.url)])
        for late in (3600, -3600):
            bucket.late = late
            status, said = uploader.run("--once")
            self.assertEqual(status, 1)
            self.assertIn("RequestTimeTooSkewed", said)
            self.assertIn("this machine's time", said)
            self.assertEqual(len(spool.ready()), 1)
        bucket.late = 600
        self.assertEqual(uploader.run("--once")[0], 0)
        self.assert_objects(bucket, spool)

    def test_all_arrive_signed(self):
        bucket, spool = self.bucket(), self.spool()
        for n, size in enumerate((0, 1, 300_000, 3_000_000), 1):
            spool.put(n, size)
        uploader = self.uploader(spool, [self.target(
            bucket.url, prefix='"in box/a+b/"', parallel=2)])
        status, said = uploader.run("--once")
        self.assertEqual(status, 0, said)
        self.assert_objects(bucket, spool, "in%20box/a%2Bb/")
        for receipt in spool.receipts():
            self.assertEqual(
                base64.b64decode(receipt["check"][len("sha256:"):]).hex(),
                receipt["sha256"])

    def test_the_etag_will_do(self):
        bucket, spool = self.bucket(checksums=False), self.spool()
        spool.put(1, 100_000)
        uploader = self.uploader(spool, [self.target(bucket.url)])
        self.assertEqual(uploader.run("--once")[0], 0)
        self.assertRegex(spool.receipts()[0]["check"], "^etag:[0-9a-f]{32}$")

    def test_what_it_has_is_compared(self):
        for checksums in (True, False):
            bucket = self.bucket(moods=["spoil"], checksums=checksums)
            spool = self.spool(f"spool{checksums}")
            spool.put(1, 100_000)
            uploader = self.uploader(spool, [self.target(bucket.url)])
            status, said = uploader.run("--once")
            self.assertIn("another content", said)
            self.assertEqual(status, 1)
            self.assertEqual(spool.delivered(), set())
            self.assertEqual(uploader.run("--once")[0], 0)
            self.assert_objects(bucket, spool)

    def test_breaks_and_answers(self):
        moods = ({"cut": 0}, {"cut": 70_000}, 500,
                 (503, {"Retry-After": "1"}), 400, 408)
        runs = []
        for n, mood in enumerate(moods):
            bucket, spool = self.bucket(moods=[mood]), self.spool(str(n))
            spool.put(1, 400_000)
            spool.put(2, 400_000)
            runs.append((bucket, spool, self.uploader(
                spool, [self.target(bucket.url)], name=f"up{n}").start()))
        for mood, (bucket, spool, uploader) in zip(moods, runs):
            wait_until(lambda spool=spool: not spool.ready(),
                       f"all are there after {mood}", 60)
            self.assertEqual(uploader.stop(), 0)
            self.assertEqual(bucket.moods, [])
            self.assertIn("not delivered, again in", uploader.log())
            self.assert_objects(bucket, spool)
            self.assertEqual(spool.quarantined(), [])

    def test_too_large_for_it(self):
        bucket, spool = self.bucket(moods=[413]), self.spool()
        name = spool.put(1)
        uploader = self.uploader(spool, [self.target(bucket.url)])
        self.assertEqual(uploader.run("--once")[0], 1)
        self.assertIn(name, spool.quarantined())

    def refuse(self, target, *said):
        spool = self.spool()
        spool.put(1)
        uploader = self.uploader(spool, [target])
        status, text = uploader.run("--once")
        self.assertEqual(status, 1, text)
        for part in said:
            self.assertIn(part, text)
        self.assertNotIn("no-such-key", text)
        self.assertEqual(len(spool.ready()), 1)

    def test_wrong_secret(self):
        self.refuse(self.target(self.bucket().url, "no-such-key"),
                    "SignatureDoesNotMatch", "secret_file")

    def test_wrong_region(self):
        self.refuse(self.target(self.bucket().url, region="us-west-1"),
                    "check `region`")

    def test_wrong_bucket(self):
        self.refuse(self.target(self.bucket().url, bucket="other"),
                    "NoSuchBucket", "check `bucket`")

    def test_unknown_authority(self):
        other = certificates.Authority(self.path("other"), "other")
        self.refuse(self.target(self.bucket().url, ca=other.certificate),
                    "check `endpoint`, `ca`")

    def test_no_secret_in_the_configuration(self):
        target = self.target("https://localhost")
        os.chmod(target["secret_file"], 0o640)
        self.refuse(target, "chmod 600")

    def test_endpoints_have_no_path(self):
        spool = self.spool()
        for endpoint in ("http://x", "https://", "https://h/b",
                         "https://u@h"):
            uploader = self.uploader(spool, [self.target(endpoint)])
            status, said = uploader.run("-n")
            self.assertNotEqual(status, 0, endpoint)
            self.assertIn("is no endpoint", said)


class Parts(Case):
    """Objects of many parts."""

    SIZE = 12 * 2**20 + 5  # three parts of 5 MiB

    def parts(self, bucket, **more):
        return self.target(bucket.url, multipart="5MiB",
                           part_size="5MiB", **more)

    def large(self, name="spool"):
        spool = self.spool(name)
        spool.put(1, self.SIZE)
        return spool

    def assert_whole(self, bucket, spool):
        self.assert_objects(bucket, spool)
        self.assertEqual(bucket.uploads, {}, "no upload is left over")
        self.assertEqual(os.listdir(spool.at("upload/state")), [])

    def test_parts_and_their_sums(self):
        for checksums in (True, False):
            bucket = self.bucket(checksums=checksums)
            spool = self.large(f"spool{checksums}")
            uploader = self.uploader(spool, [self.parts(bucket)])
            status, said = uploader.run("--once")
            self.assertEqual(status, 0, said)
            self.assert_whole(bucket, spool)
            self.assertEqual(bucket.requests,
                             ["begin", 1, 2, 3, "complete"])
            self.assertRegex(
                spool.receipts()[0]["check"],
                "^sha256:.{44}-3$" if checksums else "^etag:[0-9a-f]{32}-3$")

    def test_goes_on_after_a_kill(self):
        bucket, spool = self.bucket(), self.large()
        uploader = self.uploader(
            spool, [self.parts(bucket, bandwidth="6MiB")]).start()
        wait_until(lambda: 1 in bucket.requests, "a part is there")
        bucket.gate.clear()
        uploader.kill()
        # not one that was on its way without the uploader knowing of it
        known = bucket.requests[:]
        bucket.gate.set()
        uploader.configure([self.parts(bucket)])
        status, said = uploader.run("--once")
        self.assertEqual(status, 0, said)
        self.assert_whole(bucket, spool)
        self.assertEqual(bucket.requests.count("begin"), 1)
        self.assertEqual(bucket.requests[:len(known)], known)
        self.assertLessEqual(
            sum(isinstance(r, int) for r in bucket.requests), 4,
            "at most the part that was on its way is sent twice")

    def test_parts_break(self):
        bucket = self.bucket(moods=[
            None, {"cut": 100_000}, 500, "spoil", None,
            (503, {"Retry-After": "1"})])
        spool = self.large()
        uploader = self.uploader(spool, [self.parts(bucket)])
        statuses = [uploader.run("--once")[0] for _ in range(5)]
        self.assertEqual(statuses, [1, 1, 1, 1, 0])
        self.assert_whole(bucket, spool)
        self.assertEqual(bucket.requests.count("begin"), 1)

    def test_the_last_answer_is_lost(self):
        bucket, spool = self.bucket(), self.large()
        bucket.completions = ["deny", "lose"]
        uploader = self.uploader(spool, [self.parts(bucket)])
        status, said = uploader.run("--once")
        self.assertEqual(status, 1)
        self.assertIn("InternalError", said)
        self.assertEqual(uploader.run("--once")[0], 1)
        self.assertEqual(spool.delivered(), set())
        status, said = uploader.run("--once")
        self.assertEqual(status, 0, said)
        self.assert_whole(bucket, spool)
        self.assertEqual(bucket.requests,
                         ["begin", 1, 2, 3, "complete", "complete"])

    def test_another_object_than_was_sent(self):
        bucket, spool = self.bucket(checksums=False), self.large()
        bucket.completions = ["spoil"]
        uploader = self.uploader(spool, [self.parts(bucket)])
        status, said = uploader.run("--once")
        self.assertEqual(status, 1)
        self.assertIn("another than was sent", said)
        self.assertEqual(spool.delivered(), set())
        self.assertEqual(uploader.run("--once")[0], 0)
        self.assert_whole(bucket, spool)

    def half_sent(self, bucket, spool, **more):
        bucket.moods = [None, 500]
        uploader = self.uploader(spool, [self.parts(bucket, **more)])
        self.assertEqual(uploader.run("--once")[0], 1)
        self.assertEqual(len(bucket.uploads), 1)
        return uploader

    def test_the_server_forgot_it(self):
        bucket, spool = self.bucket(), self.large()
        uploader = self.half_sent(bucket, spool)
        bucket.uploads.clear()
        status, said = uploader.run("--once")
        self.assertEqual(status, 1)
        self.assertIn("does not know the upload any more", said)
        self.assertEqual(uploader.run("--once")[0], 0)
        self.assert_whole(bucket, spool)

    def test_what_is_refused_is_aborted(self):
        bucket, spool = self.bucket(), self.large()
        uploader = self.half_sent(bucket, spool)
        bucket.moods = [413]
        self.assertEqual(uploader.run("--once")[0], 1)
        self.assertEqual(bucket.uploads, {})
        self.assertEqual(bucket.requests[-1], "abort")
        self.assertIn([*spool.sums][0], spool.quarantined())

    def test_what_is_left_of_a_target_is_told_and_taken_back(self):
        bucket, spool = self.bucket(), self.large()
        uploader = self.half_sent(bucket, spool)
        other = uploads.directory_target("out", self.made("out"))
        uploader.configure([other])
        # The second time its file is gone, too.
        for _ in range(2):
            status, said = uploader.run("--once")
            self.assertEqual(status, 0, said)
            self.assertIn("1 deliveries to s3 that were under way", said)
        uploader.configure([other, self.parts(bucket)])
        status, said = uploader.run("--forget", "s3")
        self.assertEqual((status, said),
                         (0, "s3: 1 deliveries that were under way are "
                             "forgotten\n"))
        self.assertEqual(bucket.uploads, {})
        self.assertEqual(os.listdir(spool.at("upload/state")), [])
        self.assertNotIn("under way", uploader.run("--once")[1])

    def test_what_cannot_be_taken_back_is_told(self):
        bucket, spool = self.bucket(), self.large()
        uploader = self.half_sent(bucket, spool)
        uploader.configure([self.parts(bucket, secret="another one")])
        status, said = uploader.run("--forget", "s3")
        self.assertEqual(status, 1)
        self.assertIn("AbortMultipartUpload", said)
        self.assertEqual(len(os.listdir(spool.at("upload/state"))), 1)
        uploader.configure(
            [uploads.directory_target("out", self.made("out"))])
        status, said = uploader.run("--forget", "s3")
        self.assertEqual(status, 0)
        # What it takes to do it by hand.
        for word in (BUCKET, *spool.sums, "up%2Fload%2B1"):
            self.assertIn(word, said)
        self.assertEqual(os.listdir(spool.at("upload/state")), [])

    def test_another_place_or_one_piece(self):
        for more in ({"prefix": "new/"}, {"multipart": "64MiB"}):
            bucket, spool = self.bucket(), self.large("-".join(more))
            uploader = self.half_sent(bucket, spool)
            target = self.parts(bucket)
            target.update(more)
            uploader.configure([target])
            status, said = uploader.run("--once")
            self.assertEqual(status, 0, said)
            self.assertEqual(bucket.uploads, {})
            self.assertIn("abort", bucket.requests)
            self.assert_objects(bucket, spool, more.get("prefix", ""))


class Swift(Case):
    """OpenStack's, which holds each request against its signature."""

    USER = "sepm:uploader"

    def setUp(self):
        super().setUp()
        home = os.path.join(harness.ROOT, "build/swift")
        if not os.path.exists(os.path.join(home, ".complete")):
            self.skipTest("there is no Swift here (tests/run.sh)")
        port = harness.free_port()
        self.url = f"https://{LOOPBACK}:{port}"
        log = self.path("swift.log")
        with open(log, "wb") as output:
            swift = subprocess.Popen(
                ["/usr/bin/python3", "-B", os.path.join(
                    harness.ROOT, "tests/system/swift/server.py"),
                 self.made("swift"), str(port), *self.certificate, REGION,
                 self.USER, SECRET], stdout=output, stderr=output,
                env={**os.environ, "PYTHONPATH": os.path.join(
                    home, "usr/lib/python3/dist-packages"),
                     "LD_LIBRARY_PATH": ":".join(
                         glob.glob(home + "/usr/lib/*-linux-gnu*"))})
        self.addCleanup(swift.wait)
        self.addCleanup(swift.kill)

        def ready():
            with open(log, encoding="utf-8") as file:
                said = file.read()
            self.assertIsNone(swift.poll(), said)
            return "ready\n" in said

        wait_until(ready, "Swift runs", 60)
        self.ask("PUT", f"/{BUCKET}")

    def ask(self, method, path, query=""):
        """The server's answer to a request that is signed here."""
        host = self.url[len("https://"):]
        digest = hashlib.sha256(b"").hexdigest()
        headers = {"host": host, "x-amz-content-sha256": digest,
                   "x-amz-date": time.strftime("%Y%m%dT%H%M%SZ",
                                               time.gmtime())}
        names = sorted(headers)
        signed = signature(method, path, query, headers, names, SECRET)
        headers["Authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={self.USER}/"
            f"{headers['x-amz-date'][:8]}/{REGION}/s3/aws4_request,"
            f"SignedHeaders={';'.join(names)},Signature={signed}")
        request = urllib.request.Request(
            f"{self.url}{path}?{query}", method=method, headers=headers)
        context = ssl.create_default_context(cafile=self.ca)
        with urllib.request.urlopen(request, context=context) as answer:
            return answer.read()

    def swift(self, secret=SECRET, **more):
        return self.target(self.url, secret, **{
            "key_id": f'"{self.USER}"', **more})

    def names(self):
        return re.findall("<Key>([^<]*)</Key>",
                          self.ask("GET", f"/{BUCKET}").decode())

    def under_way(self):
        return self.ask("GET", f"/{BUCKET}", "uploads=").count(b"<Upload>")

    def assert_there(self, spool, prefix="", target="s3"):
        self.assertEqual(self.names(),
                         [prefix + name for name in sorted(spool.sums)])
        for name, digest in spool.sums.items():
            path = urllib.parse.quote(f"/{BUCKET}/{prefix}{name}")
            self.assertEqual(hashlib.sha256(
                self.ask("GET", path)).hexdigest(), digest)
        self.assertEqual(spool.ready(), [])
        self.assertEqual(spool.delivered(),
                         {(name, target) for name in spool.sums})

    def half_sent(self, spool):
        """A large one, of which some parts are there."""
        spool.put(1, 17_000_000)
        target = self.swift(multipart="5MiB", part_size="5MiB")
        uploader = self.uploader(
            spool, [{**target, "bandwidth": "10MiB"}]).start()
        self.wait_part(spool)
        uploader.kill()
        self.assertEqual(self.under_way(), 1)
        uploader.configure([target])
        return uploader

    def test_all_arrive_signed(self):
        spool = self.spool()
        for n, size in enumerate((0, 1, 300_000, 3_000_000), 1):
            spool.put(n, size)
        uploader = self.uploader(spool, [self.swift(
            prefix='"in box/a+b=c~(d)/"', parallel=2)])
        status, said = uploader.run("--once")
        self.assertEqual(status, 0, said)
        self.assert_there(spool, "in box/a+b=c~(d)/")

    def test_readme(self):
        spool = self.run_readme(self.url, AKIDEXAMPLE=f'"{self.USER}"')
        self.assert_there(spool, "north/", "bucket")

    def test_goes_on_after_a_kill(self):
        spool = self.spool()
        uploader = self.half_sent(spool)
        spool.put(2, 1_000_000)
        status, said = uploader.run("--once")
        self.assertEqual(status, 0, said)
        self.assert_there(spool)
        self.assertEqual(self.under_way(), 0)
        self.assertRegex(spool.receipts()[0]["check"], "-4$")

    def test_what_is_half_there_is_taken_back(self):
        uploader = self.half_sent(self.spool())
        status, said = uploader.run("--forget", "s3")
        self.assertEqual(status, 0, said)
        self.assertEqual(self.under_way(), 0)
        self.assertEqual(self.names(), [])

    def test_what_it_does_not_let_in(self):
        for size in (1000, 6 * 2**20):  # the larger one in parts
            spool = self.spool(str(size))
            spool.put(1, size)
            for more, why in (
                    ({"secret": "no-such-key"}, "SignatureDoesNotMatch"),
                    ({"key_id": "nobody"}, "check `key_id`"),
                    ({"region": "us-west-1"}, "check `region`"),
                    ({"bucket": "other"}, "NoSuchBucket")):
                uploader = self.uploader(spool, [self.swift(
                    **more, multipart="5MiB", part_size="5MiB")])
                status, said = uploader.run("--once")
                self.assertEqual(status, 1)
                self.assertIn(why, said)
                self.assertEqual(len(spool.ready()), 1)
        self.assertEqual((self.names(), self.under_way()), ([], 0))


class Moto(Case):
    def test_another_implementation(self):
        if not (importlib.util.find_spec("moto") and
                importlib.util.find_spec("flask")):
            self.skipTest("there is no moto here")
        port = harness.free_port()
        with open(self.path("moto.log"), "wb") as log:
            moto = subprocess.Popen(
                [sys.executable, "-m", "moto.server", "-H", LOOPBACK,
                 "-p", str(port), "-s", "-c", self.certificate[0],
                 "-k", self.certificate[1]], stdout=log, stderr=log)
        self.addCleanup(moto.wait)
        self.addCleanup(moto.kill)
        context = ssl.create_default_context(cafile=self.ca)
        url = f"https://{LOOPBACK}:{port}/{BUCKET}"
        def made():
            if moto.poll() is not None:
                with open(self.path("moto.log"), encoding="utf-8") as file:
                    self.skipTest("moto does not run: " +
                                  file.read()[-300:])
            try:
                request = urllib.request.Request(url, method="PUT")
                with urllib.request.urlopen(request, context=context):
                    return True
            except OSError:
                return False

        wait_until(made, "moto has a bucket", 60, pause=0.5)
        spool = self.spool()
        names = [spool.put(n, 1_000_000) for n in (1, 2)]
        names.append(spool.put(3, 17_000_000))
        target = self.target(
            f"https://{LOOPBACK}:{port}", region="us-east-1",
            multipart="5MiB", part_size="5MiB", bandwidth="10MiB")
        uploader = self.uploader(spool, [target]).start()
        self.wait_part(spool)
        uploader.kill()
        self.assertEqual(self.ask(context, url + "?uploads").count(
            b"<Upload>"), 1)
        uploader.configure([{**target, "bandwidth": 0}])
        status, said = uploader.run("--once")
        self.assertEqual(status, 0, said)
        self.assertEqual(self.ask(context, url + "?uploads").count(
            b"<Upload>"), 0)
        for name in names:
            self.assertEqual(
                hashlib.sha256(self.ask(context, f"{url}/{name}")).hexdigest(),
                spool.sums[name])
        self.assertRegex(
            [r["check"] for r in spool.receipts() if r["file"] == names[2]][0],
            "-4$")

    @staticmethod
    def ask(context, url):
        # moto wants a login, but does not check it
        request = urllib.request.Request(url, headers={
            "Authorization": f"AWS4-HMAC-SHA256 Credential={KEY_ID}/"
            "20240101/us-east-1/s3/aws4_request"})
        with urllib.request.urlopen(request, context=context) as answer:
            return answer.read()


if __name__ == "__main__":
    harness.main()
