"""A small web server with TLS, which tests make what they need of."""

import functools
import http.server
import os
import ssl
import tempfile
import threading
import unittest

import certificates
import harness
import uploads
from harness import LOOPBACK


@functools.cache
def keys():
    """An authority and the server's certificate: making keys takes a while,
    so all tests have the same."""
    harness.need("openssl")
    directory = tempfile.TemporaryDirectory(prefix="sepmlogd-keys-")
    unittest.addModuleCleanup(directory.cleanup)
    authority = certificates.Authority(os.path.join(directory.name, "ca"))
    return authority, authority.issue(
        "server", f"IP:{LOOPBACK}", usage="serverAuth")


class Case(uploads.Case):
    authority = ca = certificate = None

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.authority, cls.certificate = keys()
        cls.ca = cls.authority.certificate


class Server:
    """Answers by a class of handlers, which find this as their `owner`."""

    def __init__(self, certificate, handler):
        handler = type("Handler", (handler,), {"owner": self})
        self.server = http.server.ThreadingHTTPServer((LOOPBACK, 0), handler)
        self.server.daemon_threads = True
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        self.server.socket = context.wrap_socket(
            self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever,
                         kwargs={"poll_interval": 0.05}, daemon=True).start()

    @property
    def url(self):
        return f"https://{LOOPBACK}:{self.server.server_address[1]}"

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    owner = None

    def log_message(self, *args):  # pylint: disable=arguments-differ
        pass

    def answer(self, status, body=b"", headers=None):
        self.send_response(status)
        for key, value in (headers or {}).items():
            self.send_header(key, value)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if status != 204:
            self.wfile.write(body)

    def content(self):
        return self.rfile.read(int(self.headers["Content-Length"]))
