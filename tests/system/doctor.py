"""`sepmlogctl doctor` and the status name cause and cure of what keeps
messages away: each fault is made for real."""

import json
import os
import re
import signal
import socket
import subprocess
import threading
import time

import harness
import uploads
from harness import LOOPBACK, connect, free_port, message, send_tcp, \
    send_udp, send_until_blocked, wait_until


class Doctor(harness.Case):
    def begin(self, config="", **options):
        path = os.path.join(self.directory, "status.sock")
        return self.daemon(config=f"status: {{ listen: {path} }}\n{config}",
                           **options)

    def doctor(self, daemon):
        return subprocess.run(
            [harness.SEPMLOGCTL, "doctor", "-c", daemon.config_path],
            capture_output=True, text=True, timeout=60, check=False)

    def assert_found(self, daemon, what, cure):
        """Waits for the finding: some take a tick of the daemon."""
        def found():
            self.result = self.doctor(daemon)
            return re.search(f"(?m)^!.*{what}.*\n +.*{cure}",
                             self.result.stdout)
        wait_until(found, f"{what}, {cure}", timeout=30, pause=0.5)
        self.assertEqual(self.result.returncode, 1)

    def stamped(self, offset):
        """A message whose header says another time than now."""
        stamp = time.strftime("%b %e %H:%M:%S", time.gmtime(
            time.time() + offset)).encode()
        return re.sub(rb"^<(\d+)>\w+ +\d+ [\d:]+", rb"<\1>" + stamp,
                      message(1, 1).rstrip(b"\n"))

    def test_nothing_is_wrong(self):
        with self.begin() as daemon:
            with connect(daemon.port) as peer:
                peer.sendall(self.stamped(0) + b"\n")
            daemon.spool.wait_records(1)
            result = self.doctor(daemon)
            self.assertEqual(result.stderr, "")
            for word in ("configuration", "listening: udp", "listening: tcp",
                         "disk"):
                self.assertIn(f"ok {word}", result.stdout)
            # The kernel's counters are the whole machine's.
            self.assertEqual([line for line in result.stdout.splitlines()
                              if line.startswith("!")
                              and "datagrams" not in line], [])

    def test_it_does_not_run(self):
        daemon = self.begin()
        self.assert_found(daemon, "Nobody listens at udp", "systemctl enable")
        self.assertIn("does not answer", self.result.stdout)

    def test_the_configuration_has_errors(self):
        daemon = self.begin("colour: blue\n")
        result = self.doctor(daemon)
        self.assertEqual(result.returncode, 1)
        self.assertRegex(result.stdout, r"sepmlogd\.yaml:\d+:\d+: colour")

    def test_the_wrong_port(self):
        other = free_port()
        stop = threading.Event()

        def send():
            while not stop.wait(0.1):
                # A socket of its own for each: the answer is an error.
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
                    s.sendto(b"<13>x", (LOOPBACK, other))

        thread = threading.Thread(target=send)
        thread.start()
        try:
            with self.begin() as daemon:
                self.assert_found(daemon, "to ports where nobody listens",
                                  "another port")
        finally:
            stop.set()
            thread.join()

    def test_a_refused_peer(self):
        with self.begin("allow: [192.0.2.0/24]\n") as daemon:
            send_udp(daemon.port, 1, 5)
            self.assert_found(daemon, "not in `allow`", "add their addresses")

    def test_messages_without_an_end(self):
        with self.begin() as daemon:
            for n in range(12):
                with connect(daemon.port) as peer:
                    peer.sendall(message(1, n)[:-20])
            self.assert_found(daemon, "12 of 12 messages .*had no end",
                              "end each with a line feed")

    def test_messages_that_are_too_long(self):
        with self.begin("max_message: 1KiB\n") as daemon:
            with connect(daemon.port) as peer:
                peer.sendall(message(1, 1).rstrip(b"\n") + b"x" * 1000
                             + b"\n")
            self.assert_found(daemon, "1 messages .*longer than max_message",
                              "Raise max_message")

    def test_a_zone_off_by_an_hour(self):
        for offset, word in ((3600, "ahead of"), (-3600, "behind")):
            with self.subTest(offset), self.begin() as daemon:
                with connect(daemon.port) as peer:
                    peer.sendall(self.stamped(offset) + b"\n")
                daemon.spool.wait_records(1)
                self.assert_found(daemon, f"times of {LOOPBACK} are .*{word}",
                                  "set `timezone`")

    def test_a_clock_that_is_ahead(self):
        with self.begin() as daemon:
            with connect(daemon.port) as peer:
                peer.sendall(self.stamped(600) + b"\n")
            daemon.spool.wait_records(1)
            self.assert_found(daemon, f"times of {LOOPBACK} are .*ahead of",
                              "Set its clock right")

    def test_a_capped_buffer(self):
        """Without the privilege to go beyond net.core.rmem_max."""
        if os.geteuid() != 0:
            self.skipTest("needs to be root to be less")
        with self.begin("receive_buffer: 1GiB\n",
                        wrap=["setpriv", "--bounding-set=-net_admin",
                              "--inh-caps=-net_admin"]) as daemon:
            self.assert_found(daemon, "is capped at", "rmem_max=1073741")

    def test_a_buffer_of_a_socket_unit_is_not_made_smaller(self):
        """Its size may be beyond what the daemon may ask for."""
        if os.geteuid() != 0:
            self.skipTest("needs to be root to be less")
        forced = 33  # SO_RCVBUFFORCE
        with socket.socket(type=socket.SOCK_DGRAM) as udp:
            udp.setsockopt(socket.SOL_SOCKET, forced, 32 << 20)
            udp.bind((LOOPBACK, 0))
            with self.begin("receive_buffer: 1GiB\n",
                            listen=[("udp", "%s:%d" % udp.getsockname())],
                            handover=[("udp", udp)],
                            wrap=["setpriv", "--bounding-set=-net_admin",
                                  "--inh-caps=-net_admin"]) as daemon:
                for _ in range(2):
                    self.assert_found(daemon, "is capped at 32.0 MiB",
                                      "rmem_max=1073741")
                    daemon.reload()

    def test_a_full_disk(self):
        with self.begin(spool_options="quota: 4MiB\nrotate: { size: 1MiB }\n"
                        "compress: none\n") as daemon:
            with send_until_blocked(daemon.port):
                self.assert_found(daemon, "spool is full: spool.quota",
                                  "uploader")

    def status(self, daemon, *options):
        return subprocess.run(
            [harness.SEPMLOGCTL, "status", "-c", daemon.config_path,
             *options],
            capture_output=True, text=True, timeout=60, check=False).stdout

    def test_a_target_that_fails(self):
        with self.begin() as daemon:
            there = os.path.join(self.directory, "archive")
            uploader = uploads.Uploader(
                self.directory, daemon.spool.path,
                [uploads.directory_target("archive", there)]).start()
            self.addCleanup(uploader.kill)
            with connect(daemon.port) as peer:
                peer.sendall(self.stamped(0) + b"\n")
            daemon.spool.wait_records(1)
            self.assertNotIn("archive has failed", self.doctor(daemon).stdout)
            daemon.signal(signal.SIGUSR1)
            self.assert_found(
                daemon, "target archive has failed for .*, and 1 files wait.*"
                f"{there}", "tried again by itself")
            self.assertRegex(self.status(daemon), r"(?m)^archive +fails +1 ")
            uploaded = json.loads(self.status(daemon, "--json"))["uploads"]
            self.assertTrue(uploaded["runs"])
            [target] = uploaded["targets"]
            self.assertIs(target["works"], False)
            self.assertIn(there, target["reason"])
            self.assertLess(time.time() - target["since"], 60)

            os.mkdir(there)
            wait_until(
                lambda: re.search(r"(?m)^archive +works +0 .* 1 +0 +\d+ s$",
                                  self.status(daemon)),
                "the target works", timeout=30, pause=0.5)
            self.assertIn("ok upload: archive: 0 files wait",
                          self.doctor(daemon).stdout)

            uploader.kill()
            path = os.path.join(daemon.spool.path, "upload/status")
            with open(path, encoding="ascii") as file:
                written, rest = file.read().split(" ", 1)
            with open(path, "w", encoding="ascii") as file:
                file.write(f"{int(written) - 600} {rest}")
            self.assert_found(daemon, "has not been seen for 10 min",
                              "systemctl start sepmlog-upload")
            self.assertIn("it does not run", self.status(daemon))

    def test_no_traffic_log(self):
        with self.begin() as daemon:
            with connect(daemon.port) as peer:
                peer.sendall(1500 * b"<54>Oct  4 08:20:49 sepm1 "
                             b"SymantecServer: Site: Oak Site,Server Name: "
                             b"SEPM04,Event Description: Package is ready\n")
            daemon.spool.wait_records(1500)
            self.assert_found(daemon, "none is of the traffic log",
                              "Write to Traffic Log")

    def test_the_spool_is_not_there(self):
        daemon = self.begin()
        self.assert_found(daemon, f"{daemon.spool_path}: No such file",
                          "systemd-tmpfiles")

    def test_there_is_nobody_to_ask(self):
        with self.daemon() as daemon:
            send_tcp(daemon.port, 1, 1)
            daemon.spool.wait_records(1)
            self.assert_found(daemon, "no status.listen", "restart it")


if __name__ == "__main__":
    harness.main()
