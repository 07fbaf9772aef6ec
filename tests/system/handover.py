"""Restarts that no connection notices: a service manager keeps descriptors
for the next process, as systemd does with FileDescriptorStoreMax."""

import contextlib
import fcntl
import os
import socket
import threading
import time

import harness
from harness import LOOPBACK, connect, counted, message

RESTARTS = 5
MAX = 1000  # max_message where one is to be exceeded


def padded(sender, n, length):
    """A numbered message of that length."""
    data = message(sender, n)
    return data + b"x" * (length - len(data))


class Handover(harness.Case):
    def start(self, config="", limit=4096):
        """A daemon whose sockets and connections outlive it."""
        self.store = harness.FdStore(limit)
        self.addCleanup(self.store.clear)
        tcp = socket.create_server((LOOPBACK, 0), backlog=128)
        self.addCleanup(tcp.close)
        port = tcp.getsockname()[1]
        udp = socket.socket(type=socket.SOCK_DGRAM)
        self.addCleanup(udp.close)
        udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        udp.bind((LOOPBACK, port))
        sepmlogd = self.daemon(
            listen=[("udp", f"{LOOPBACK}:{port}"),
                    ("tcp", f"{LOOPBACK}:{port}")],
            handover=[("udp", udp), ("tcp", tcp)], fdstore=self.store,
            config=config)
        sepmlogd.port = port
        return self.enterContext(sepmlogd)

    def peer(self, sepmlogd):
        peer = connect(sepmlogd.port)
        self.addCleanup(peer.close)
        return peer

    def names(self):
        return [name for name, _ in self.store.entries]

    def wait_connections(self, sepmlogd, count):
        """Until it has accepted so many."""
        harness.wait_until(
            lambda: sum(1 for fd in self.sockets(sepmlogd)) >= count,
            f"{count} connections")

    @staticmethod
    def sockets(sepmlogd):
        for fd in os.listdir(f"/proc/{sepmlogd.pid}/fd"):
            try:
                name = os.readlink(f"/proc/{sepmlogd.pid}/fd/{fd}")
            except OSError:
                continue
            if name.startswith("socket:") and int(fd) > 2:
                yield fd

    def test_restarts_under_load_lose_nothing(self):
        sepmlogd = self.start()
        senders = [harness.Sender(sepmlogd.port, "a", 2000),
                   harness.Sender(sepmlogd.port, "b", 2000, counts=True)]
        udp = threading.Thread(
            target=harness.send_udp, args=(sepmlogd.port, "u", 5000),
            kwargs={"block": 20, "rate": 2000})
        for sender in senders + [udp]:
            sender.start()
        for _ in range(RESTARTS):
            time.sleep(0.2)
            sepmlogd.stop_cleanly()
            self.assertEqual(self.names(), ["stored-connections"])
            sepmlogd.start()
        udp.join(60)
        for sender in senders:
            sender.stop()
            self.assertIsNone(sender.error, "one was cut off")
        sent = {"u": 5000, **{s.sender: s.sent for s in senders}}
        # What it has not read at its end it leaves to the next life.
        with contextlib.suppress(AssertionError):
            harness.wait_until(
                lambda: sum(map(len, sepmlogd.spool.numbers().values()))
                == sum(sent.values()), "all is read", pause=0.2)
        sepmlogd.stop_cleanly()
        self.assertNotIn("dropped by the kernel", sepmlogd.log())
        self.assert_complete(sepmlogd.spool.numbers(), sent)
        self.assertEqual(sepmlogd.log().count("2 of 2 connections taken over"),
                         RESTARTS)
        self.assertEqual(sepmlogd.counters()["unparsed"], 0)

    # What is sent before the restart, and what behind it.
    PARTS = {
        "text": (message("c", 0)[:100], message("c", 0)[100:] + b"\n"),
        "first byte": (message("c", 1)[:1], message("c", 1)[1:] + b"\n"),
        "cr": (message("c", 2) + b"\r", b"\n"),
        "counted": (counted(message("c", 3))[:200],
                    counted(message("c", 3))[200:]),
        "count": (counted(message("c", 4))[:2], counted(message("c", 4))[2:]),
        "all but the end": (message("c", 5), b"\n"),
        "long text": (padded("c", 6, MAX + 500),
                      b"yyy\r\n" + message("c", 7) + b"\n"),
        "long text, cr": (padded("c", 8, MAX + 500) + b"\r",
                          b"\n" + message("c", 9) + b"\n"),
        "long counted": (counted(padded("c", 10, MAX + 900))[:MAX + 300],
                         counted(padded("c", 10, MAX + 900))[MAX + 300:]
                         + counted(message("c", 11))),
        "between": (message("c", 12) + b"\n", message("c", 13) + b"\n"),
        "nul": (message("c", 14)[:50], message("c", 14)[50:] + b"\0"),
    }
    NUMBERS = 15
    LONG = {6: MAX + 503, 8: MAX + 500, 10: MAX + 900}

    def send_parts(self, sepmlogd):
        """The first halves, each on a connection of its own."""
        peers = {}
        for name, (first, _) in self.PARTS.items():
            peers[name] = self.peer(sepmlogd)
            peers[name].sendall(first)
        self.wait_connections(sepmlogd, 2 + len(peers))
        return peers

    def test_messages_go_on_where_they_were(self):
        sepmlogd = self.start(f"max_message: {MAX}\n")
        peers = self.send_parts(sepmlogd)
        for _ in range(2):
            sepmlogd.stop_cleanly()
            self.assertEqual(self.names(), ["stored-connections"])
            sepmlogd.start()
        harness.wait_until(lambda: not self.store.entries, "all taken over")
        for name, (_, rest) in self.PARTS.items():
            peers[name].sendall(rest)
        records = sepmlogd.spool.wait_records(self.NUMBERS)
        self.assert_complete(sepmlogd.spool.numbers(), {"c": self.NUMBERS})
        self.assertEqual(len(records), self.NUMBERS)
        for record in records:
            n = int(record["user"].split("-")[1])
            self.assertEqual("truncated" in record.get("flags", []), n in self.LONG, n)
            if n in self.LONG:
                self.assertEqual(record["original_length"], self.LONG[n])

    def test_more_than_one_message_takes(self):
        """SCM_MAX_FD is 253."""
        many = 600
        sepmlogd = self.start(f"max_connections_per_source: {many}\n")
        peers = [self.peer(sepmlogd) for _ in range(many)]
        for n, peer in enumerate(peers):
            peer.sendall(message("k", n)[:300])
        self.wait_connections(sepmlogd, 2 + many)
        sepmlogd.stop_cleanly()
        sepmlogd.start()
        for n, peer in enumerate(peers):
            peer.sendall(message("k", n)[300:] + b"\n")
        sepmlogd.spool.wait_records(many)
        self.assert_complete(sepmlogd.spool.numbers(), {"k": many})

    def test_fewer_descriptors_than_before(self):
        """It starts, serves those it can hold, and says what to do."""
        sepmlogd = self.start("max_connections_per_source: 300\n")
        peers = [self.peer(sepmlogd) for _ in range(300)]
        self.wait_connections(sepmlogd, 302)
        sepmlogd.stop_cleanly()
        sepmlogd.descriptors = 100
        sepmlogd.start()
        self.assertIn("some end; raise LimitNOFILE", sepmlogd.log())
        harness.wait_until(lambda: not self.store.entries, "all taken over")
        alive = [peer for peer in peers if not harness.is_closed(peer, 0.01)]
        self.assertGreater(len(alive), 20)
        self.assertLess(len(alive), 100)
        for n, peer in enumerate(alive):
            peer.settimeout(20)
            peer.sendall(message("v", n) + b"\n")
        sepmlogd.spool.wait_records(len(alive))

    def test_what_a_later_version_left_beside_them(self):
        sepmlogd = self.start()
        peer = self.peer(sepmlogd)
        peer.sendall(message("l", 0)[:300])
        self.wait_connections(sepmlogd, 3)
        sepmlogd.stop_cleanly()
        ours, new = socket.socketpair()
        socket.send_fds(ours, [b"?"], [ours.fileno()])
        ours.sendall(b"no descriptor")
        ours.close()
        self.store.entries.append(("stored-connections", new.detach()))
        sepmlogd.start()
        peer.sendall(message("l", 0)[300:] + b"\n")
        sepmlogd.spool.wait_records(1)
        self.assert_complete(sepmlogd.spool.numbers(), {"l": 1})
        self.assertIn("1 descriptors of another version", sepmlogd.log())

    def test_a_peer_that_ends_meanwhile(self):
        """What it said last is there, half a message too."""
        sepmlogd = self.start()
        peer = self.peer(sepmlogd)
        peer.sendall(message("e", 0) + b"\n" + message("e", 1)[:300])
        sepmlogd.spool.wait_records(1)
        sepmlogd.stop_cleanly()
        peer.sendall(message("e", 1)[300:] + b"\n" + message("e", 2))
        peer.close()
        sepmlogd.start()
        sepmlogd.spool.wait_records(3)
        self.assert_complete(sepmlogd.spool.numbers(), {"e": 3})
        harness.wait_until(lambda: len(list(self.sockets(sepmlogd))) == 2,
                           "the connection is closed")

    def test_a_start_that_fails_keeps_them(self):
        sepmlogd = self.start()
        peer = self.peer(sepmlogd)
        peer.sendall(message("f", 0)[:300])
        self.wait_connections(sepmlogd, 3)
        sepmlogd.stop_cleanly()
        sepmlogd.configure("no_such_key: 1\n")
        sepmlogd.start(wait=False)
        self.assertNotEqual(sepmlogd.process.wait(20), 0)
        self.assertEqual(self.names(), ["stored-connections"])
        sepmlogd.configure()
        sepmlogd.start()
        peer.sendall(message("f", 0)[300:] + b"\n")
        sepmlogd.spool.wait_records(1)
        self.assert_complete(sepmlogd.spool.numbers(), {"f": 1})

    def test_a_new_configuration_may_not_allow_the_peer(self):
        sepmlogd = self.start()
        peer = self.peer(sepmlogd)
        peer.sendall(message("d", 0) + b"\n")
        sepmlogd.spool.wait_records(1)
        sepmlogd.stop_cleanly()
        sepmlogd.configure("allow: [192.0.2.0/24]\n")
        sepmlogd.start()
        self.assertTrue(harness.is_closed(peer))
        self.assertIn("no longer in `allow`", sepmlogd.log())
        harness.wait_until(lambda: not self.store.entries, "all taken over")

    def test_a_new_configuration_may_keep_less_of_a_message(self):
        sepmlogd = self.start("max_message: 20000\n")
        peer = self.peer(sepmlogd)
        peer.sendall(padded("m", 0, 15000))
        self.wait_connections(sepmlogd, 3)
        sepmlogd.stop_cleanly()
        sepmlogd.configure(f"max_message: {MAX}\n")
        sepmlogd.start()
        peer.sendall(b"\n" + padded("m", 1, 15000) + b"\n")
        records = sepmlogd.spool.wait_records(2)
        self.assertEqual([r["original_length"] for r in records],
                         [15000, 15000])

    def restart_with(self, change):
        """A connection inside a message; `change` is done to what is kept."""
        sepmlogd = self.start()
        peer = self.peer(sepmlogd)
        peer.sendall(message("s", 0) + b"\n" + message("s", 1)[:300])
        sepmlogd.spool.wait_records(1)
        sepmlogd.stop_cleanly()
        change()
        sepmlogd.start()
        peer.sendall(message("s", 1)[300:] + b"\n" + message("s", 2) + b"\n")
        sepmlogd.spool.wait_records(3)
        numbers = sepmlogd.spool.numbers()["s"]
        # The second half of the message is there, for someone to look at.
        rest = [r["raw"] for r in sepmlogd.spool.records("unparsed")]
        self.assertEqual(len(rest), 1)
        self.assertIn(message("s", 1)[350:].decode(), rest[0])
        self.assertEqual(sorted(numbers), [0, 2])
        sepmlogd.stop_cleanly()
        self.assertEqual(
            sepmlogd.counters()["taken over without their place"], 1)
        return sepmlogd.log()

    def change_kept(self, change):
        """`change` gets the connections and the state, of which it answers
        another file, or none."""
        (_, kept), = self.store.entries
        with socket.socket(fileno=kept) as old:
            _, states, _, _ = socket.recv_fds(old, 1, 8)
            _, conns, _, _ = socket.recv_fds(old, 1, 8)
        self.store.entries = []
        ours, new = socket.socketpair()
        state = change(states[0])
        if state is not None:
            socket.send_fds(ours, [b"S"], [state])
        socket.send_fds(ours, [b"C"], conns)
        for fd in {*states, *conns, state} - {None}:
            os.close(fd)
        ours.close()
        self.store.entries.append(("stored-connections", new.detach()))

    def replace_state(self, data, seals=0xf):
        """Another file of states: `data` of the one that is there."""
        def replaced(fd):
            new = os.memfd_create("state", os.MFD_ALLOW_SEALING)
            os.write(new, data(os.pread(fd, 1 << 20, 0)))
            # F_ADD_SEALS: SEAL, SHRINK, GROW, WRITE
            fcntl.fcntl(new, 1033, seals)
            return new
        self.change_kept(replaced)

    def test_no_states(self):
        log = self.restart_with(
            lambda: self.change_kept(lambda state: None))
        self.assertIn("no file of states", log)

    def test_states_of_another_version(self):
        log = self.restart_with(lambda: self.replace_state(
            lambda data: data[:8] + b"\x02" + data[9:]))
        self.assertIn("not of this version", log)

    def test_states_that_are_cut_off(self):
        self.restart_with(lambda: self.replace_state(lambda data: data[:-1]))

    def test_a_damaged_state(self):
        log = self.restart_with(lambda: self.replace_state(
            lambda data: data[:-1] + bytes([data[-1] ^ 1])))
        self.assertIn("a state is damaged", log)

    def test_states_that_could_still_change(self):
        self.restart_with(
            lambda: self.replace_state(lambda data: data, seals=0))

    def test_what_another_version_left(self):
        sepmlogd = self.start()
        sepmlogd.stop_cleanly()
        self.store.entries.append(
            ("stored-of-later", os.open("/dev/null", os.O_RDONLY)))
        sepmlogd.start()
        harness.wait_until(lambda: not self.store.entries, "dropped")
        self.assertIn("of another version", sepmlogd.log())

    def test_a_store_that_is_too_small(self):
        """Then they end as without one: in order, with all they said."""
        sepmlogd = self.start(limit=1)
        peers = [self.peer(sepmlogd) for _ in range(5)]
        for n, peer in enumerate(peers):
            peer.sendall(message("t", n) + b"\n")
        sepmlogd.spool.wait_records(5)
        sepmlogd.stop_cleanly()
        for peer in peers:
            self.assertTrue(harness.is_closed(peer))
        self.assertIn("raise FileDescriptorStoreMax", sepmlogd.log())
        self.assertEqual(self.store.entries, [])

    def test_no_store(self):
        sepmlogd = self.start(limit=0)
        peer = self.peer(sepmlogd)
        peer.sendall(message("n", 0) + b"\n" + message("n", 1))
        sepmlogd.spool.wait_records(1)
        sepmlogd.stop_cleanly()
        self.assertTrue(harness.is_closed(peer))
        self.assert_complete(sepmlogd.spool.numbers(), {"n": 2})

    def test_no_next_process(self):
        """The log says what was lost with it."""
        sepmlogd = self.start()
        peer = self.peer(sepmlogd)
        peer.sendall(message("g", 0) + b"\n" + message("g", 1)[:300])
        sepmlogd.spool.wait_records(1)
        sepmlogd.stop_cleanly()
        self.assertIn("1 of them inside a message (300 bytes",
                      sepmlogd.log())
        self.store.clear()
        self.assertTrue(harness.is_closed(peer))


if __name__ == "__main__":
    harness.main()
