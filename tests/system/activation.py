"""Sockets that are handed over, as systemd does it."""

import socket
import subprocess
import threading
import time

import harness
from harness import LOOPBACK, SEPMLOGD, connect, message


def bound(kind, port=0):
    sock = socket.socket(type=kind)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((LOOPBACK, port))
    if kind == socket.SOCK_STREAM:
        sock.listen(128)
    return sock


class Activation(harness.Case):
    def by_systemd(self, transport, send, *options):
        """Under systemd-socket-activate, which starts it at first traffic."""
        harness.need("systemd-socket-activate")
        sepmlogd = self.daemon()
        sepmlogd.listen = [(transport, f"{LOOPBACK}:{sepmlogd.port}")]
        sepmlogd.configure()
        with open(sepmlogd.log_path, "wb") as log:
            process = subprocess.Popen(
                ["systemd-socket-activate", *options,
                 f"--fdname={transport}",
                 "-l", f"{LOOPBACK}:{sepmlogd.port}",
                 SEPMLOGD, "-c", sepmlogd.config_path],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            sepmlogd.wait_log("Listening on")
            send(sepmlogd.port, transport, 50)
            sepmlogd.spool.wait_records(50)
            process.terminate()
            self.assertEqual(process.wait(20), 0, sepmlogd.log())
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        self.assert_complete(sepmlogd.spool.numbers(), {transport: 50})

    def test_tcp_by_systemd_socket_activate(self):
        self.by_systemd("tcp", harness.send_tcp)

    def test_udp_by_systemd_socket_activate(self):
        self.by_systemd("udp", harness.send_udp, "--datagram")

    def handed_over(self):
        tcp = bound(socket.SOCK_STREAM)
        port = tcp.getsockname()[1]
        udp = bound(socket.SOCK_DGRAM, port)
        self.addCleanup(tcp.close)
        self.addCleanup(udp.close)
        sepmlogd = self.daemon(
            listen=[("udp", f"{LOOPBACK}:{port}"),
                    ("tcp", f"{LOOPBACK}:{port}")],
            handover=[("udp", udp), ("tcp", tcp)])
        sepmlogd.port = port
        return sepmlogd

    def test_both_at_once(self):
        with self.handed_over() as sepmlogd:
            harness.send_tcp(sepmlogd.port, "t", 50)
            harness.send_udp(sepmlogd.port, "u", 50)
            sepmlogd.spool.wait_records(100)
            sepmlogd.stop_cleanly()
            self.assert_complete(sepmlogd.spool.numbers(),
                                 {"t": 50, "u": 50})

    def test_restarts_under_load_lose_no_datagram(self):
        """The sockets stay, as with a socket unit; what comes while nobody
        reads waits in them."""
        sepmlogd = self.handed_over()
        total = 20_000
        with sepmlogd:
            sender = threading.Thread(
                target=harness.send_udp,
                args=(sepmlogd.port, "u", total, 0, 20, 5000))
            sender.start()
            new = 0
            while sender.is_alive():
                time.sleep(0.8)
                sepmlogd.stop_cleanly()
                # Connections made meanwhile wait for the next life, too.
                with connect(sepmlogd.port) as peer:
                    peer.sendall(message("t", new) + b"\n")
                new += 1
                sepmlogd.start()
            sender.join()
            # The last life may have just begun, and leaves what it has not
            # read to the next.
            harness.wait_until(lambda: sepmlogd.waiting_datagrams() == 0,
                               "all datagrams are read")
            sepmlogd.stop_cleanly()
        # How many there is time for is up to the machine.
        self.assertGreater(new, 1)
        self.assertNotIn("dropped by the kernel", sepmlogd.log())
        self.assert_complete(sepmlogd.spool.numbers(),
                             {"u": total, "t": new})

    def test_a_socket_that_no_entry_asks_for_is_refused(self):
        tcp = bound(socket.SOCK_STREAM)
        self.addCleanup(tcp.close)
        sepmlogd = self.daemon(handover=[("tcp", tcp)])
        self.addCleanup(sepmlogd.__exit__, None, None, None)
        sepmlogd.start(wait=False)
        self.assertNotEqual(sepmlogd.process.wait(20), 0)
        self.assertIn(str(tcp.getsockname()[1]), sepmlogd.log())

    def test_reload_keeps_a_socket_that_was_handed_over(self):
        with self.handed_over() as sepmlogd:
            sepmlogd.configure("timezone: Europe/Paris\n")
            sepmlogd.reload()
            harness.send_tcp(sepmlogd.port, "t", 10)
            harness.send_udp(sepmlogd.port, "u", 10)
            sepmlogd.spool.wait_records(20)


if __name__ == "__main__":
    harness.main()
