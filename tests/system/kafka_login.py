"""A door to a broker of the mock cluster (kafka/mock.c) that lets in who shows
a certificate's worth of TLS and logs in, as Kafka's own brokers do: PLAIN (RFC
4616) and SCRAM (RFC 5802, 7677) in SaslHandshake and SaslAuthenticate. What
comes before that, but for ApiVersions, ends the connection. Behind it all goes
through as it is, except that the broker's address is the door's."""

import base64
import hashlib
import hmac
import os
import socket
import ssl
import struct
import threading

from harness import LOOPBACK

SASL_HANDSHAKE, API_VERSIONS, SASL_AUTHENTICATE = 17, 18, 36
UNSUPPORTED_MECHANISM, UNSUPPORTED_VERSION, FAILED = 33, 35, 58
ITERATIONS = 4096
HASHES = {"SCRAM-SHA-256": "sha256", "SCRAM-SHA-512": "sha512"}


class Refused(Exception):
    """Who this is was not shown."""


class Plain:
    def __init__(self, user, password):
        self.wanted = [b"", user.encode(), password.encode()]
        self.is_done = False

    def answer(self, said):
        if said.split(b"\0") != self.wanted:
            raise Refused
        self.is_done = True
        return b""


class Scram:
    """A server's side of one exchange, without channel binding. Not `strict`:
    as Kafka up to 3.9, which minds only how the nonce ends."""

    def __init__(self, user, password, kind, strict):
        self.user, self.kind, self.salt = user, kind, os.urandom(16)
        self.strict = strict
        salted = hashlib.pbkdf2_hmac(
            kind, password.encode(), self.salt, ITERATIONS)
        self.stored = hashlib.new(
            kind, self.sign(salted, b"Client Key")).digest()
        self.server_key = self.sign(salted, b"Server Key")
        self.nonce = self.texts = None
        self.is_done = False

    def sign(self, key, data):
        return hmac.new(key, data, self.kind).digest()

    def answer(self, said):
        return self._last(said) if self.texts else self._first(said)

    def _first(self, said):
        bare = said.removeprefix(b"n,,")
        words = dict(word.split(b"=", 1) for word in bare.split(b","))
        if words[b"n"] != self.user.encode():
            raise Refused
        self.nonce = words[b"r"] + base64.b64encode(os.urandom(12))
        challenge = b"r=%s,s=%s,i=%d" % (
            self.nonce, base64.b64encode(self.salt), ITERATIONS)
        self.texts = [bare, challenge]
        return challenge

    def _last(self, said):
        without, _, proof = said.rpartition(b",p=")
        nonce = without.removeprefix(b"c=biws,r=")
        if not (nonce == self.nonce if self.strict
                else nonce.endswith(self.nonce)):
            raise Refused
        text = b",".join([*self.texts, without])
        mask = self.sign(self.stored, text)
        key = bytes(a ^ b for a, b in zip(base64.b64decode(proof), mask))
        if hashlib.new(self.kind, key).digest() != self.stored:
            raise Refused
        self.is_done = True
        return b"v=" + base64.b64encode(self.sign(self.server_key, text))


def _receive(peer, n):
    data = b""
    while len(data) < n:
        more = peer.recv(n - len(data))
        if not more:
            raise EOFError
        data += more
    return data


def _read(peer):
    """A frame without its length."""
    return _receive(peer, struct.unpack(">i", _receive(peer, 4))[0])


def _write(peer, frame):
    peer.sendall(struct.pack(">i", len(frame)) + frame)


def _text(text):
    return struct.pack(">h", len(text)) + text.encode()


class Door:
    """`certificate` and `key` are its own; `broker` is HOST:PORT of one."""

    def __init__(self, broker, certificate, key, user, password, strict):
        host, port = broker.split(":")
        self._broker = host, int(port)
        self._login, self._strict = (user, password), strict
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate, key)
        self._server = socket.create_server((LOOPBACK, 0))
        self.port = self._server.getsockname()[1]
        self.let_in, self.turned_away = [], []  # mechanisms
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        # Who waits in accept() would not see a close alone.
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()

    def _accept(self):
        while True:
            try:
                peer, _ = self._server.accept()
            except OSError:
                return
            threading.Thread(
                target=self._serve, args=(peer,), daemon=True).start()

    def _serve(self, plain):
        try:
            with self._context.wrap_socket(plain, server_side=True) as peer, \
                    socket.create_connection(self._broker) as broker:
                if self._admit(peer, broker):
                    self._pass(peer, broker)
        except (OSError, EOFError):
            pass

    def _admit(self, peer, broker):
        exchange = mechanism = None
        while exchange is None or not exchange.is_done:
            frame = _read(peer)
            api, version, number, name = struct.unpack(">hhih", frame[:10])
            body = frame[10 + max(name, 0):]
            head = struct.pack(">i", number)
            if api == API_VERSIONS and version > 0:
                # As brokers do that are older than this version of it.
                _write(peer, head + struct.pack(">hi", UNSUPPORTED_VERSION, 0))
            elif api == API_VERSIONS:
                _write(broker, frame)
                _write(peer, self._with_login(_read(broker)))
            elif api == SASL_HANDSHAKE:
                mechanism = body[2:].decode()
                exchange = self._begin(mechanism)
                _write(peer, head + self._handshake(exchange))
            elif api == SASL_AUTHENTICATE and exchange is not None:
                try:
                    said = exchange.answer(body[4:])
                except Refused:
                    self.turned_away.append(mechanism)
                    _write(peer, head + struct.pack(">h", FAILED)
                           + _text("Authentication failed") + bytes(4 + 8))
                    return False
                _write(peer, head + struct.pack(">hhi", 0, -1, len(said))
                       + said + bytes(8 if version > 0 else 0))
            else:
                self.turned_away.append(f"API {api}")
                return False
        self.let_in.append(mechanism)
        return True

    @staticmethod
    def _with_login(answer):
        head, count = answer[:6], struct.unpack(">i", answer[6:10])[0]
        return head + struct.pack(">i", count + 2) + answer[10:] + b"".join(
            struct.pack(">hhh", api, 0, 1)
            for api in (SASL_HANDSHAKE, SASL_AUTHENTICATE))

    def _begin(self, mechanism):
        if mechanism == "PLAIN":
            return Plain(*self._login)
        if mechanism in HASHES:
            return Scram(*self._login, HASHES[mechanism], self._strict)
        return None

    @staticmethod
    def _handshake(exchange):
        names = ["PLAIN", *HASHES]
        return struct.pack(">hi", 0 if exchange else UNSUPPORTED_MECHANISM,
                           len(names)) + b"".join(map(_text, names))

    def _pass(self, peer, broker):
        """Answers in a thread; requests here, to the end of either."""
        host, port = self._broker
        its = host.encode() + struct.pack(">i", port)
        ours = host.encode() + struct.pack(">i", self.port)

        def answers():
            try:
                while True:
                    _write(peer, _read(broker).replace(its, ours))
            except (OSError, EOFError):
                pass
        threading.Thread(target=answers, daemon=True).start()
        while True:
            _write(broker, _read(peer))
