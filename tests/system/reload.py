"""SIGHUP: the new configuration or, if it is not good, the old one."""

import harness
from harness import Sender, connect, message, wait_until


class Reload(harness.Case):
    def test_under_load_nothing_is_lost_and_no_connection_closed(self):
        sepmlogd = self.enterContext(self.daemon())
        senders = [Sender(sepmlogd.port, f"r{n}", rate=3000)
                   for n in range(2)]
        for sender in senders:
            sender.start()
        wait_until(lambda: len(sepmlogd.spool.numbers()) == len(senders),
                   "both are heard")
        files = sepmlogd.resting_files()
        for n in range(20):
            # Not twice the same: something is swapped each time.
            sepmlogd.configure(f"max_connections: {100 + n}\n",
                               f"rotate: {{ size: {1 + n % 3}MiB }}\n")
            sepmlogd.reload()
        self.assertEqual(sepmlogd.resting_files(), files)
        for sender in senders:
            sender.stop()
            self.assertIsNone(sender.error)
        sepmlogd.stop_cleanly()
        self.assert_complete(sepmlogd.spool.numbers(),
                             {s.sender: s.sent for s in senders})
        self.assert_ids_unique(sepmlogd.spool)

    def test_streams_and_zone_change(self):
        sepmlogd = self.enterContext(self.daemon())
        harness.send_tcp(sepmlogd.port, "a", 5)
        sepmlogd.spool.wait_records(5)
        sepmlogd.configure("""
timezone: Europe/Paris
streams:
  - { name: traffic, types: [traffic] }
  - { name: blocked, types: [traffic], where: { action: blocked } }
""")
        sepmlogd.reload()
        harness.send_tcp(sepmlogd.port, "a", 5, first=5)
        new = sepmlogd.spool.wait_records(5, "blocked")
        self.assertEqual(new[0]["begin"], "2024-05-14T07:31:09Z")
        sepmlogd.stop_cleanly()
        self.assert_complete(sepmlogd.spool.numbers(), {"a": 10})
        self.assert_ids_unique(sepmlogd.spool)

    def test_listeners_come_and_go(self):
        sepmlogd = self.enterContext(self.daemon())
        other = harness.free_port()
        old = sepmlogd.port
        with connect(old) as peer:
            peer.sendall(message("l", 0) + b"\n")
            sepmlogd.spool.wait_records(1)
            sepmlogd.listen = [("tcp", f"{harness.LOOPBACK}:{other}")]
            sepmlogd.configure()
            sepmlogd.reload()
            # Who is connected stays, nobody new comes in at the old port.
            peer.sendall(message("l", 1) + b"\n")
            sepmlogd.spool.wait_records(2)
            with self.assertRaises(ConnectionError):
                connect(old).close()
        harness.send_tcp(other, "l", 1, first=2)
        sepmlogd.spool.wait_records(3)

    def test_a_broken_one_leaves_the_old_one_running(self):
        sepmlogd = self.enterContext(self.daemon())
        busy = self.enterContext(harness.socket.socket())
        busy.bind((harness.LOOPBACK, 0))
        busy.listen()
        with connect(sepmlogd.port) as peer:
            for n, (config, word) in enumerate((
                    ("max_connections: many\n", "max_connections"),
                    ("streams: [\n", "sepmlogd.yaml"),
                    ("no_such_key: 1\n", "no_such_key"),
                    (None, str(busy.getsockname()[1])))):
                with self.subTest(config=config):
                    if config is None:
                        sepmlogd.listen = [
                            ("tcp", f"{harness.LOOPBACK}:{sepmlogd.port}"),
                            ("tcp", "%s:%d" % busy.getsockname())]
                    sepmlogd.configure(config or "")
                    before = len(sepmlogd.log())
                    told = len(sepmlogd.statuses())
                    sepmlogd.reload()
                    self.assertIn(word, sepmlogd.log()[before:])
                    wait_until(lambda: any(
                        text.startswith("reload refused")
                        for text in sepmlogd.statuses()[told:]), "STATUS=")
                    peer.sendall(message("b", n) + b"\n")
                    sepmlogd.spool.wait_records(n + 1)
        sepmlogd.stop_cleanly()
        self.assert_complete(sepmlogd.spool.numbers(), {"b": 4})

    def test_an_empty_allow_is_warned_of(self):
        """At each start and reload, where others than this machine reach
        it."""
        # Others have ports of other addresses of this machine.
        port, own = harness.free_port("0.0.0.0"), harness.free_port()
        sepmlogd = self.enterContext(self.daemon(listen=[
            ("udp", f"0.0.0.0:{port}"), ("tcp", f"0.0.0.0:{port}"),
            ("tcp", f"{harness.LOOPBACK}:{own}")]))

        def warned():
            return sorted(harness.re.findall(
                r"(?m)^(.*): `allow` is empty: anyone", sepmlogd.log()))
        both = [f"tcp 0.0.0.0:{port}", f"udp 0.0.0.0:{port}"]
        self.assertEqual(warned(), both)
        sepmlogd.configure("allow: [192.0.2.0/24]\n")
        sepmlogd.reload()
        self.assertEqual(warned(), both)
        sepmlogd.configure()
        sepmlogd.reload()
        self.assertEqual(warned(), sorted(both * 2))


if __name__ == "__main__":
    harness.main()
