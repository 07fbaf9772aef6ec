"""The load of scale.py, where sepmload does not reach: many connections and
addresses, and messages of any size. All is made before it is sent, in blocks
of whole messages, so that senders cost little beside the daemon.
"""

import itertools
import random
import selectors
import socket
import struct
import time

LOOPBACK = "127.0.0.1"
BLOCK = 64 * 1024       # bytes per TCP send
SEND_BUFFER = 256 * 1024
UDP_SEGMENT = 103       # linux/udp.h
SEGMENTS = 64           # most datagrams of one UDP_SEGMENT send,
SEGMENTS_BYTES = 65000  # and what they may have together

# --- messages ----------------------------------------------------------------

_EVENT = ("<54>May 14 09:{m:02}:{s:02} sepm-north SymantecServer: Site: HQ,"
          "Server: sepm-north,{text}")


def events(size, count=2048, seed=1):
    """Messages of the server's own log with exactly `size` bytes: the one
    kind that is complete in 100 bytes. What grows is one text."""
    pick = random.Random(seed)
    return [_event(pick, size) for _ in range(count)]


def _event(pick, size):
    head = _EVENT.format(m=pick.randrange(60), s=pick.randrange(60), text="")
    words = [head, "Policy"]
    length = len(head) + len(words[-1])
    while length < size:
        word = f" p{pick.randrange(10000)}"
        words.append(word)
        length += len(word)
    return "".join(words)[:size].encode()


# --- TCP ---------------------------------------------------------------------

def blocks(messages):
    """[(bytes, messages in it)], each about BLOCK bytes of whole lines."""
    made, lines, size = [], [], 0
    for message in messages:
        lines.append(message + b"\n")
        size += len(message) + 1
        if size >= BLOCK:
            made.append((b"".join(lines), len(lines)))
            lines, size = [], 0
    if lines:
        made.append((b"".join(lines), len(lines)))
    return made


class TcpLoad:
    """Open connections, from the given addresses in turn. send() gives each
    the next block whenever it takes bytes, so that all have some waiting."""

    def __init__(self, port, connections=1, sources=(LOOPBACK,)):
        self.peers = []
        self.sent = 0  # by the send() that goes on, for who watches it
        addresses = itertools.cycle(sources)
        for _ in range(connections):
            peer = socket.socket()
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
            peer.bind((next(addresses), 0))
            peer.connect((LOOPBACK, port))
            peer.setblocking(False)
            self.peers.append(peer)

    def send(self, made, count):
        """Sends at least `count` messages, ending with whole blocks, and
        answers (messages, bytes)."""
        self.sent = size = 0
        supply = itertools.cycle(made)
        ready = selectors.DefaultSelector()
        for peer in self.peers:
            ready.register(peer, selectors.EVENT_WRITE, None)
        while ready.get_map():
            for key, _ in ready.select():
                rest = key.data
                if rest is None:
                    if self.sent >= count:
                        ready.unregister(key.fileobj)
                        continue
                    data, messages = next(supply)
                    self.sent += messages
                    size += len(data)
                    rest = memoryview(data)
                rest = rest[key.fileobj.send(rest):]
                ready.modify(key.fileobj, selectors.EVENT_WRITE, rest or None)
        ready.close()
        return self.sent, size

    def close(self):
        for peer in self.peers:
            peer.close()


# --- UDP ---------------------------------------------------------------------

def packets(messages):
    """[(bytes, length of each datagram)]: messages of one length can be given
    to the kernel in one call, which makes the datagrams of them."""
    by_length = {}
    for message in messages:
        by_length.setdefault(len(message), []).append(message)
    made = []
    for length, same in by_length.items():
        step = min(SEGMENTS, SEGMENTS_BYTES // length)
        for at in range(0, len(same), step):
            made.append((b"".join(same[at:at + step]), length))
    random.Random(1).shuffle(made)
    return made


class UdpLoad:
    """A socket for each of the given addresses; calls go round them."""

    def __init__(self, port, sources=(LOOPBACK,)):
        self.peers = []
        for source in sources:
            peer = socket.socket(type=socket.SOCK_DGRAM)
            peer.bind((source, 0))
            peer.connect((LOOPBACK, port))
            self.peers.append(peer)

    def send(self, made, count, rate=None):
        """Sends exactly `count` datagrams, `rate` a second if given, and
        answers (messages, bytes)."""
        peers, supply = itertools.cycle(self.peers), itertools.cycle(made)
        start, sent, size = time.monotonic(), 0, 0
        while sent < count:
            data, length = next(supply)
            data = data[:(count - sent) * length]
            next(peers).sendmsg(
                [data], [(socket.IPPROTO_UDP, UDP_SEGMENT,
                          struct.pack("=H", length))])
            sent += len(data) // length
            size += len(data)
            if rate:
                time.sleep(max(0, start + sent / rate - time.monotonic()))
        return sent, size

    def close(self):
        for peer in self.peers:
            peer.close()
