"""Frames as they come on real connections (RFC 6587): cut anywhere, mixed,
too long, unfinished."""

import socket
import time

import harness
from harness import connect, counted, message

MAX = 1024


class Framing(harness.Case):
    def setUp(self):
        super().setUp()
        self.sepmlogd = self.daemon(config=f"max_message: {MAX}\n")
        self.enterContext(self.sepmlogd)
        self.spool = self.sepmlogd.spool

    def send(self, *pieces, pause=0.0):
        """The pieces on one connection, each in a segment of its own."""
        with connect(self.sepmlogd.port) as peer:
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for piece in pieces:
                peer.sendall(piece)
                if pause:
                    time.sleep(pause)

    def users(self, count):
        """The users of all records, which must be `count`, in order."""
        records = self.spool.wait_records(count)
        self.assertEqual(len(records), count)
        return [r.get("user") for r in records]

    def padded(self, n, length):
        """A numbered message of exactly this many bytes."""
        data = message("p", n)
        return data + b"x" * (length - len(data))

    def test_one_byte_per_segment(self):
        stream = (message("b", 0) + b"\n" + counted(message("b", 1))
                  + message("b", 2) + b"\r\n")
        self.send(*(stream[i:i + 1] for i in range(len(stream))),
                  pause=0.0002)
        self.assertEqual(self.users(3), ["b-0", "b-1", "b-2"])

    def test_cut_at_every_byte(self):
        # Two counted and one plain; short ones, as each byte is a connection.
        short = b"<54>May 14 09:10:00 mgmt02 SymantecServer: Site: a,Server: b"
        stream = counted(short) + short + b"\n" + counted(short)
        for cut in range(1, len(stream)):
            self.send(stream[:cut], stream[cut:], pause=0.001)
        records = self.spool.wait_records(3 * (len(stream) - 1), timeout=60)
        self.assertEqual(len(records), 3 * (len(stream) - 1))
        for record in records:
            for key in ("id", "received", "peer"):
                del record[key]
            self.assertEqual(record, records[0])

    def test_all_terminators_on_one_connection(self):
        parts = [message("m", n) for n in range(6)]
        self.send(parts[0] + b"\n" + parts[1] + b"\r\n" + parts[2] + b"\0"
                  + counted(parts[3]) + parts[4] + b"\n\0" + counted(parts[5]))
        self.assertEqual(self.users(6), [f"m-{n}" for n in range(6)])

    def test_a_terminator_after_a_counted_frame_is_no_message(self):
        parts = [message("t", n) for n in range(4)]
        self.send(b"".join(counted(part) + end for part, end
                           in zip(parts, (b"\n", b"\r\n", b"\0", b"\n\0"))))
        self.assertEqual(self.users(4), [f"t-{n}" for n in range(4)])

    def test_a_line_feed_inside_a_counted_frame_stays(self):
        data = message("l", 0).replace(b"Rule: Branch web",
                                       b"Rule: Branch\nweb")
        self.send(counted(data) + counted(message("l", 1)))
        records = self.spool.wait_records(2)
        self.assertEqual([r.get("user") for r in records], ["l-0", "l-1"])
        self.assertEqual(records[0]["rule"], "Branch\nweb")

    def test_oversize_keeps_its_beginning_and_the_next_frame(self):
        for at, (frame, end) in enumerate((
                (counted, b""), (lambda data: data + b"\n", b""))):
            self.send(b"".join(
                frame(self.padded(10 * at + n, length)) + end
                for n, length in enumerate((MAX - 1, MAX, MAX + 1,
                                            10 * MAX, 200 * MAX)))
                + frame(message("p", 10 * at + 9)))
        records = self.spool.wait_records(12)
        self.assertEqual(len(records), 12)
        by_user = {r["user"]: r for r in records}
        for at in (0, 10):
            for n, length in enumerate((MAX - 1, MAX, MAX + 1, 10 * MAX,
                                        200 * MAX)):
                record = by_user[f"p-{at + n}"]
                self.assertEqual(record.get("original_length"),
                                 length if length > MAX else None, record)
                self.assertEqual("truncated" in record.get("flags", []),
                                 length > MAX, record)
            self.assertNotIn("flags", by_user[f"p-{at + 9}"])

    def test_the_last_frame_may_lack_its_end(self):
        self.send(message("e", 0) + b"\n" + message("e", 1))
        self.send(counted(message("e", 2)) + counted(message("e", 3))[:-40])
        records = self.spool.wait_records(4)
        self.assertEqual(len(records), 4)
        flagged = [r for r in records if "unterminated" in r.get("flags", [])]
        self.assertEqual(len(flagged), 2)

    def test_numbers_that_are_no_count(self):
        lines = [b"0 " + message("n", 0), b"007 " + message("n", 1),
                 b"99999999999999999999 " + message("n", 2),
                 b"4294967301 " + message("n", 3), b"12345 apples"]
        self.send(b"".join(line + b"\n" for line in lines)
                  + counted(message("n", 4)))
        records = self.spool.wait_records(6)
        self.assertEqual(len(records), 6)
        self.assertIn("n-4", [r.get("user") for r in records])

    def test_an_endless_line_costs_no_memory(self):
        self.send(message("w", 0) + b"\n")
        self.spool.wait_records(1)
        before = self.sepmlogd.memory()
        with connect(self.sepmlogd.port, timeout=60) as peer:
            block = b"y" * (1 << 20)
            for _ in range(64):
                peer.sendall(block)
            peer.sendall(b"\n" + message("w", 1) + b"\n")
        records = self.spool.wait_records(3, timeout=60)
        self.assertEqual(len(records), 3)
        self.assertIn(64 << 20, [r.get("original_length") for r in records])
        self.assertLess(self.sepmlogd.memory() - before, 8 << 20)

    def test_datagrams_of_any_size(self):
        with socket.socket(type=socket.SOCK_DGRAM) as peer:
            peer.connect((harness.LOOPBACK, self.sepmlogd.port))
            peer.send(b"")
            peer.send(b"<54>")
            peer.send(b"\0")
            peer.send(self.padded(0, 65507))
            peer.send(message("d", 1) + b"\r\n\0")
        records = self.spool.wait_records(2, "traffic")
        wanted = {r["user"]: r for r in records if r.get("user")}
        self.assertEqual(wanted["p-0"]["original_length"], 65507)
        self.assertIn("truncated", wanted["p-0"]["flags"])
        self.assertNotIn("flags", wanted["d-1"])

    def test_hostile_bytes_give_one_line_each(self):
        hostile = [bytes([b]) * 3 for b in range(256) if b not in (0, 10)]
        hostile += ["\u2028\u2029\u0085\u009b".encode(), b"\xc0\xaf",
                    b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b'"\\\x1b[2J']
        # Counted, so that a CR or a blank is not taken for an end.
        self.send(b"".join(counted(b"<13>" + data + b"|%d" % n)
                           for n, data in enumerate(hostile)))
        self.spool.wait_records(len(hostile))
        lines = list(self.spool.lines())
        self.assertEqual(len(lines), len(hostile))
        for line in lines:
            text = line.decode("utf-8")
            for bad in text:
                self.assertFalse(
                    bad < " " or "\x7f" <= bad <= "\x9f"
                    or bad in "\u2028\u2029", repr(text))


if __name__ == "__main__":
    harness.main()
