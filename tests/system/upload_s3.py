"""sepmlog-upload to a bucket: what is signed is what arrives, and only what
the server says that it has is delivered.

The server here checks each signature itself, from the API's documentation,
and is not S3; the last case is with moto's server, if that is installed."""

import base64
import hashlib
import hmac
import http.server
import importlib.util
import os
import re
import ssl
import subprocess
import sys
import threading
import urllib.request

import certificates
import harness
import uploads
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


class Bucket:
    """`moods`: for each request a status, (status, headers), {"cut": bytes},
    or "spoil": says that it has something else."""

    def __init__(self, certificate, moods=(), checksums=True):
        self.moods, self.checksums = list(moods), checksums
        self.objects, self.statuses = {}, []
        outer = self

        class Handler(_Handler):
            bucket = outer

        self.server = http.server.ThreadingHTTPServer((LOOPBACK, 0), Handler)
        self.server.daemon_threads = True
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        self.server.socket = context.wrap_socket(
            self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever,
                         kwargs={"poll_interval": 0.05}, daemon=True).start()

    @property
    def endpoint(self):
        return f"https://{LOOPBACK}:{self.server.server_address[1]}"

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    bucket = None

    def log_message(self, *args):  # pylint: disable=arguments-differ
        pass

    def _answer(self, status, headers=None, code=""):
        body = f"<Error><Code>{code}</Code></Error>".encode() if code else b""
        self.bucket.statuses.append(status)
        self.send_response(status)
        for key, value in (headers or {}).items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _fault(self, data):
        """Of the request, as S3 calls it; None: it has none."""
        headers = {name.lower(): value for name, value in
                   self.headers.items()}
        match = re.fullmatch(
            r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/s3/"
            r"aws4_request,SignedHeaders=([a-z0-9;-]+),"
            r"Signature=([0-9a-f]{64})", headers.get("authorization", ""))
        if not match or match[1] != KEY_ID:
            return 403, "InvalidAccessKeyId"
        names = match[4].split(";")
        needed = {"host", *(name for name in headers
                            if name.startswith("x-amz-"))}
        if names != sorted(names) or not needed <= set(names):
            return 403, "AccessDenied"
        if match[3] != REGION:
            return 400, "AuthorizationHeaderMalformed"
        if match[5] != signature(self.command, self.path, "", headers, names,
                                 SECRET):
            return 403, "SignatureDoesNotMatch"
        digest = hashlib.sha256(data)
        if headers["x-amz-content-sha256"] != digest.hexdigest():
            return 400, "XAmzContentSHA256Mismatch"
        if headers["x-amz-checksum-sha256"] != base64.b64encode(
                digest.digest()).decode():
            return 400, "BadDigest"
        if not self.path.startswith(f"/{BUCKET}/"):
            return 404, "NoSuchBucket"
        return None

    def do_PUT(self):
        mood = self.bucket.moods.pop(0) if self.bucket.moods else None
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
        if isinstance(mood, (int, tuple)):
            self._answer(*(mood if isinstance(mood, tuple) else (mood,)))
            return
        fault = self._fault(data)
        if fault:
            self._answer(fault[0], code=fault[1])
            return
        self.bucket.objects[self.path] = data
        if mood == "spoil":
            data += b"?"
        headers = {"ETag": f'"{hashlib.md5(data).hexdigest()}"'}
        if self.bucket.checksums:
            headers["x-amz-checksum-sha256"] = base64.b64encode(
                hashlib.sha256(data).digest()).decode()
        self._answer(200, headers)


class Case(uploads.Case):
    def setUp(self):
        super().setUp()
        authority = certificates.Authority(self.path("ca"))
        self.ca = authority.certificate
        self.certificate = authority.issue(
            "server", f"IP:{LOOPBACK}", usage="serverAuth")

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

    def assert_objects(self, bucket, spool, prefix=""):
        self.assertEqual(
            {path: hashlib.sha256(data).hexdigest()
             for path, data in bucket.objects.items()},
            {f"/{BUCKET}/{prefix}{name}": digest
             for name, digest in spool.sums.items()})
        self.assertEqual(spool.ready(), [])
        self.assertEqual(spool.delivered(),
                         {(name, "s3") for name in spool.sums})


class S3(Case):
    def test_all_arrive_signed(self):
        bucket, spool = self.bucket(), self.spool()
        for n, size in enumerate((0, 1, 300_000, 3_000_000), 1):
            spool.put(n, size)
        uploader = self.uploader(spool, [self.target(
            bucket.endpoint, prefix='"in box/a+b/"', parallel=2)])
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
        uploader = self.uploader(spool, [self.target(bucket.endpoint)])
        self.assertEqual(uploader.run("--once")[0], 0)
        self.assertRegex(spool.receipts()[0]["check"], "^etag:[0-9a-f]{32}$")

    def test_what_it_has_is_compared(self):
        for checksums in (True, False):
            bucket = self.bucket(moods=["spoil"], checksums=checksums)
            spool = self.spool(f"spool{checksums}")
            spool.put(1, 100_000)
            uploader = self.uploader(spool, [self.target(bucket.endpoint)])
            status, said = uploader.run("--once")
            self.assertIn("another content", said)
            self.assertEqual(status, 1)
            self.assertEqual(spool.delivered(), set())
            self.assertEqual(uploader.run("--once")[0], 0)
            self.assert_objects(bucket, spool)

    def test_breaks_and_answers(self):
        bucket = self.bucket(moods=[
            {"cut": 0}, {"cut": 70_000}, 500, (503, {"Retry-After": "1"}),
            400, 408])
        spool = self.spool()
        for n in (1, 2):
            spool.put(n, 400_000)
        uploader = self.uploader(
            spool, [self.target(bucket.endpoint)]).start()
        wait_until(lambda: not spool.ready(), "all are there", 90)
        self.assertEqual(uploader.stop(), 0)
        self.assert_objects(bucket, spool)
        self.assertEqual(spool.quarantined(), [])

    def test_too_large_for_it(self):
        bucket, spool = self.bucket(moods=[413]), self.spool()
        name = spool.put(1)
        uploader = self.uploader(spool, [self.target(bucket.endpoint)])
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
        self.refuse(self.target(self.bucket().endpoint, "no-such-key"),
                    "SignatureDoesNotMatch", "secret_file")

    def test_wrong_region(self):
        self.refuse(self.target(self.bucket().endpoint, region="us-west-1"),
                    "check `region`")

    def test_wrong_bucket(self):
        self.refuse(self.target(self.bucket().endpoint, bucket="other"),
                    "NoSuchBucket", "check `bucket`")

    def test_unknown_authority(self):
        other = certificates.Authority(self.path("other"), "other")
        self.refuse(self.target(self.bucket().endpoint, ca=other.certificate),
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
        uploader = self.uploader(
            spool, [self.target(
                f"https://{LOOPBACK}:{port}", region="us-east-1")])
        status, said = uploader.run("--once")
        self.assertEqual(status, 0, said)
        for name in names:
            # moto wants a login, but does not check it
            request = urllib.request.Request(f"{url}/{name}", headers={
                "Authorization": f"AWS4-HMAC-SHA256 Credential={KEY_ID}/"
                "20240101/us-east-1/s3/aws4_request"})
            with urllib.request.urlopen(request, context=context) as answer:
                self.assertEqual(hashlib.sha256(answer.read()).hexdigest(),
                                 spool.sums[name])


if __name__ == "__main__":
    harness.main()
