"""The status over HTTP: each page is right and harmless, says what is wrong
and what to do, and those who look cannot disturb those who send."""

import contextlib
import html.parser
import http.client
import json
import os
import re
import shutil
import socket
import stat
import subprocess
import time

import harness
from harness import LOOPBACK, connect, free_port, send_tcp, send_udp, \
    send_until_blocked, wait_until

PAGES = ("/", "/live", "/page.css", "/page.js", "/history.json",
         "/status.json", "/status.txt", "/metrics", "/healthz", "/readyz")


class _Unix(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=10)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(10)
        self.sock.connect(self.path)


class _Elements(html.parser.HTMLParser):
    """All tags with their attributes, and the text between."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.text = [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data


class Status(harness.Case):
    def begin(self, config="", **options):
        self.port = free_port()
        return self.daemon(
            config=f'status: {{ listen: "{LOOPBACK}:{self.port}" }}\n{config}',
            **options)

    def ask(self, path, method="GET", body=None):
        peer = http.client.HTTPConnection(LOOPBACK, self.port, timeout=10)
        try:
            peer.request(method, path, body)
            answer = peer.getresponse()
            return answer.status, answer.headers, answer.read().decode()
        finally:
            peer.close()

    def page(self, path="/"):
        status, _, text = self.ask(path)
        self.assertEqual(status, 200, text)
        return text

    def figures(self):
        return json.loads(self.page("/status.json"))

    def metrics(self):
        return dict(line.rsplit(" ", 1)
                    for line in self.page("/metrics").splitlines()
                    if not line.startswith("#"))

    def warnings(self):
        return [w["what"] for w in self.figures()["warnings"]]

    # --- what is shown

    def test_figures_are_those_of_the_daemon(self):
        with self.begin() as daemon:
            send_tcp(daemon.port, 1, 300)
            send_udp(daemon.port, 2, 200)
            with connect(daemon.port) as peer:
                peer.sendall(b"nothing that anybody knows\n")
            daemon.spool.wait_records(501)
            wait_until(lambda: self.figures()["spool"]["committed"] == 501,
                       "501 records durable")
            wait_until(lambda: self.figures()["types"]["traffic"]["messages"]
                       == 500, "a look at rates")
            shown, metrics = self.figures(), self.metrics()
            self.assertEqual(shown["counters"]["tcp"], 301)
            self.assertEqual(shown["counters"]["udp"], 200)
            self.assertEqual(shown["streams"]["unparsed"], 1)
            self.assertEqual(sum(shown["streams"].values()), 501)
            for kind, sender in (("types", 500), ("stream_flows", 500)):
                flow = shown[kind]["traffic"]
                self.assertEqual(flow["messages"], sender)
                self.assertGreater(flow["messages_per_second"], 0)
                self.assertGreater(flow["bytes_per_second"], 0)
            self.assertEqual(sum(flow["bytes"]
                                 for flow in shown["types"].values()),
                             shown["bytes"])
            self.assertEqual(
                shown["stream_flows"]["traffic"]["bytes"],
                sum(len(line) + 1 for line in daemon.spool.lines("traffic")))
            self.assertEqual(shown["types"]["unparsed"]["messages"], 1)
            [source] = shown["sources"]
            self.assertEqual(source["address"], LOOPBACK)
            self.assertEqual((source["messages"], source["unparsed"]),
                             (501, 1))
            self.assertEqual(source["bytes"], shown["bytes"])
            self.assertEqual(metrics['input_events_total{transport="tcp"}'],
                             "301")
            self.assertEqual(metrics["parsed_events_total"], "500")
            self.assertEqual(
                metrics['sepmlogd_messages_total{type="traffic"}'], "500")
            self.assertEqual(metrics["sepmlogd_records_committed_total"],
                             "501")
            self.assertEqual(metrics["sepmlogd_ready"], "1")
            wait_until(lambda: sum(json.loads(self.page("/history.json"))
                                   ["fine"]["messages"]) == 501,
                       "501 messages in the chart")
            text = _Elements(self.page()).text
            self.assertIn("501", text)
            self.assertIn("All is well", text)

    def test_metrics_follow_the_format(self):
        with self.begin() as daemon:
            send_tcp(daemon.port, 1, 10)
            text = self.page("/metrics")
        kind = None
        seen = set()
        for line in text.splitlines():
            if line.startswith("# HELP "):
                kind, described = None, line.split(" ", 3)[2]
                self.assertNotIn(described, seen, "described twice")
                seen.add(described)
            elif line.startswith("# TYPE "):
                name, kind = line.split(" ")[2:]
                self.assertEqual(name, described)
                self.assertEqual(name.endswith("_total"), kind == "counter")
            elif kind == "histogram":
                self.assertRegex(
                    line, f"^{described}(_bucket{{le=\"[0-9.]+\"}} \\d+|"
                    r"_bucket{le=\"\+Inf\"} \d+|_sum \d+\.\d+|_count \d+)$")
            else:
                self.assertRegex(line, r'^[a-z_]+(\{[a-z_]+="[^"\\\n]*"\})? '
                                       r'\d+$')
                self.assertEqual(re.match("[a-z_]+", line)[0], described)
        self.assertTrue(text.endswith("\n"))
        if shutil.which("promtool"):
            subprocess.run(["promtool", "check", "metrics"], input=text,
                           text=True, check=True, timeout=20)

    # --- how long, how full, and what became of it

    def test_how_long_records_wait_until_they_are_durable(self):
        with self.begin(spool_options="commit: { interval: 300ms }\n") \
                as daemon:
            name = "sepmlogd_commit_latency_seconds"
            send_tcp(daemon.port, 1, 10)
            wait_until(lambda: self.figures()["spool"]["committed"] == 10,
                       "10 records durable")
            metrics = self.metrics()
            buckets = [int(value) for key, value in metrics.items()
                       if key.startswith(name + "_bucket")]
            self.assertEqual(buckets, sorted(buckets))
            self.assertEqual(len(buckets), 19)
            count = int(metrics[name + "_count"])
            self.assertGreater(count, 0)
            self.assertEqual(buckets[-1], count)
            # The interval was waited for, of each commit.
            self.assertEqual(metrics[name + '_bucket{le="0.1"}'], "0")
            self.assertGreaterEqual(float(metrics[name + "_sum"]),
                                    0.29 * count)
            minute = wait_until(
                lambda: self.figures()["commit_latency"]["minute"]
                if self.figures()["commit_latency"]["minute"]["commits"]
                else None, "a look at commits")
            self.assertGreaterEqual(minute["p99_us"], minute["median_us"])
            self.assertGreater(minute["median_us"], 200_000)
            fine = json.loads(self.page("/history.json"))["fine"]
            self.assertEqual(len(fine["commit_99"]), len(fine["messages"]))
            self.assertGreater(max(fine["commit_median"]), 200_000)
            self.assertIn("Durable after", _Elements(self.page()).text)
            self.assertRegex(self.page("/status.txt"),
                             r"committed +after [\d.]+ m?s, 99 of 100")

    def test_how_full_the_receive_buffer_was(self):
        """A burst that waits while the daemon is stopped."""
        with self.begin("receive_buffer: 1MiB\n") as daemon:
            [udp] = [one for one in self.figures()["listeners"]
                     if one["name"].startswith("udp")]
            self.assertNotIn("highest", udp)
            size = udp["receive_buffer"]

            def burst(part):
                daemon.signal(19)  # SIGSTOP
                with socket.socket(type=socket.SOCK_DGRAM) as peer:
                    for _ in range(int(part * size / 900)):
                        peer.sendto(200 * b"x", (LOOPBACK, daemon.port))
                daemon.signal(18)  # SIGCONT

            def highest():
                [udp] = [one for one in self.figures()["listeners"]
                         if one["name"].startswith("udp")]
                return udp.get("highest", {}).get("percent", 0)
            # Of each datagram the kernel counts some 768 bytes, in a buffer
            # that is twice what was asked for.
            burst(0.3)
            first = wait_until(highest, "a burst")
            self.assertTrue(3 < first < 50, first)
            self.assertFalse([w for w in self.warnings() if "burst" in w])
            name = f'{{listener="udp {LOOPBACK}:{daemon.port}"}}'
            metrics = self.metrics()
            self.assertEqual(
                metrics["sepmlogd_receive_buffer_highest_percent" + name],
                str(first))
            self.assertEqual(
                metrics["sepmlogd_receive_buffer_bytes" + name], str(size))
            part = 0.3 * 90 / first
            burst(part)
            wait_until(lambda: highest() > 80, "a larger burst")
            self.assertLess(highest(), 100)
            [warning] = [w for w in self.figures()["warnings"]
                         if "took" in w["what"]]
            self.assertIn("net.core.rmem_max=2097152", warning["cure"])
            self.assertIn(f"{highest()} %", _Elements(self.page()).text)
            burst(2 * part)
            wait_until(lambda: highest() == 100, "too large a burst")
            wait_until(lambda: any("kernel dropped" in w
                                   for w in self.warnings()), "a warning")

    def test_what_the_uploader_says(self):
        evil = "<b>no & \"route\"</b>"
        with self.begin() as daemon:
            self.assertNotIn("uploads", self.figures())
            self.assertNotIn("Deliveries", self.page())
            os.makedirs(os.path.join(daemon.spool_path, "upload"))
            now = int(time.time())
            with open(os.path.join(daemon.spool_path, "upload/status"), "w",
                      encoding="ascii") as file:
                file.write(f"{now} 2\n"
                           f"archive works 0 0 0 12 0 {now - 30} 0 \n"
                           f"<i>t fails {now - 900} 3 4096 5 1 {now - 950} "
                           f"{now - 7300} {evil}\x1b[2J\n")
            shown = self.figures()["uploads"]
            self.assertTrue(shown["runs"])
            self.assertEqual(
                [(t["name"], t["works"], t["waiting"], t["refused"])
                 for t in shown["targets"]],
                [("archive", True, 0, 0), ("<i>t", False, 3, 1)])
            self.assertEqual(shown["targets"][1]["oldest"], now - 7300)
            metrics = self.metrics()
            self.assertEqual(metrics['sepmlogd_upload_ok{target="archive"}'],
                             "1")
            self.assertEqual(
                metrics['sepmlogd_upload_pending_files{target="<i>t"}'], "3")
            self.assertAlmostEqual(int(
                metrics['sepmlogd_upload_oldest_pending_seconds'
                        '{target="<i>t"}']), 7300, delta=60)
            page = _Elements(self.page())
            self.assertFalse([t for t, _ in page.tags if t in ("b", "i")
                              and t == "i"])
            for text in ("fails for 15 min: " + evil + r"\x1b[2J", "<i>t",
                         "2 h 1 min", "1 of 2 fail"):
                self.assertIn(text, page.text)
            text = self.page("/status.txt")
            self.assertRegex(text, r"(?m)^archive +works +0 .* 12 +0 +3\d s$")
            self.assertNotIn("\x1b", text)
            with open(os.path.join(daemon.spool_path, "upload/status"), "w",
                      encoding="ascii") as file:
                file.write(f"{now - 3600} 2\n"
                           f"archive works 0 0 0 12 0 {now - 30} 0 \n")
            self.assertFalse(self.figures()["uploads"]["runs"])
            self.assertIn("no uploader runs", _Elements(self.page()).text)
            # One of another version, and nonsense.
            for nonsense in (f"{now}\na works 0 0 0 0 0 0 \n", "", "x 2\n",
                             f"{now} 2\nonly-a-name\n"):
                with open(os.path.join(daemon.spool_path, "upload/status"),
                          "w", encoding="ascii") as file:
                    file.write(nonsense)
                self.assertNotIn("uploads", self.figures())

    def test_which_release_lines_look_like(self):
        with self.begin() as daemon:
            with connect(daemon.port) as peer:
                peer.sendall(b"nothing that anybody knows\n")
            daemon.spool.wait_records(1)
            self.assertNotIn("lines", self.figures()["sources"][0])
            with connect(daemon.port) as peer:
                peer.sendall(self.traffic("www.example.com", 1))
                peer.sendall(b"<54>May 14 10:30:00 sepm SymantecServer: "
                             b"Site: a,Server Name: b,Event Description: c\n")
            daemon.spool.wait_records(3)
            [source] = self.figures()["sources"]
            self.assertEqual((source["lines"], source["told_by"]),
                             ("14.2-like", "Local Host:, hashes last"))
            self.assertIn("14.2-like: Local Host:, hashes last",
                          _Elements(self.page()).text)
            send_tcp(daemon.port, "a", 1)
            daemon.spool.wait_records(4)
            self.assertEqual(self.figures()["sources"][0]["lines"],
                             "14.3-like")
            self.assertRegex(self.page("/status.txt"),
                             r"(?m)^127\.0\.0\.1 .*  14\.3-like$")

    def test_the_wrong_port(self):
        other = free_port()
        with self.begin() as daemon:
            def warned():
                with socket.socket(type=socket.SOCK_DGRAM) as peer:
                    peer.sendto(b"<13>x", (LOOPBACK, other))
                return [w for w in self.figures()["warnings"]
                        if "where nobody listens" in w["what"]]
            [warning] = wait_until(warned, "a warning", pause=0.3)
            self.assertIn("another port", warning["cure"])
            self.assertGreaterEqual(
                int(self.metrics()["sepmlogd_stray_datagrams_total"]), 3)
            # One may be a trial; of many the port is right.
            send_udp(daemon.port, 1, 1)
            daemon.spool.wait_records(1)
            self.assertTrue(warned())
            send_udp(daemon.port, 1, 500)
            wait_until(lambda: not warned(), "no warning", pause=0.3)

    def test_the_chart_keeps_time(self):
        with self.begin():
            for series, step in (("fine", 1), ("coarse", 60)):
                data = json.loads(self.page("/history.json"))[series]
                self.assertEqual(data["step"], step)
            first = len(json.loads(self.page("/history.json"))
                        ["fine"]["messages"])
            time.sleep(3)
            later = len(json.loads(self.page("/history.json"))
                        ["fine"]["messages"])
            self.assertIn(later - first, (2, 3, 4))

    # --- what is harmless

    @staticmethod
    def traffic(name, n, action="Allowed"):
        return (f"<54>May 14 10:30:00 sepm SymantecServer: pc,Local Host: "
                f"192.0.2.1,Local Port: {50000 + n},Local Host MAC: "
                "000000000000,Remote Host IP: 198.51.100.7,Remote Host Name: "
                f"{name},Remote Port: 443,Remote Host MAC: 000000000000,TCP,"
                "Outbound,Begin: 2024-05-14 10:00:00,End: 2024-05-14 "
                "10:00:01,Occurrences: 2,Application: C:/x/a.exe,Rule: Allow,"
                f"Location: Default,User: u,Domain: D,Action: {action}"
                f",SHA-256: {64 * 'A'},MD-5: {32 * 'A'}\n").encode()

    def test_the_busiest_are_shown(self):
        evil = "<script>alert(1)</script>.example"
        with self.begin() as daemon:
            with connect(daemon.port) as peer:
                for n in range(30):
                    peer.sendall(self.traffic("www.example.com", n))
                for n in range(5):
                    peer.sendall(self.traffic(evil, n, "Blocked"))
            daemon.spool.wait_records(35)
            shown = self.figures()["busiest"]
            self.assertEqual(
                [(r["name"], r["occurrences"], r["blocked"])
                 for r in shown["remote"]],
                [("www.example.com", 60, 0), (evil, 10, 10)])
            self.assertEqual(shown["applications"][0]["name"], "a.exe")
            self.assertEqual([r["name"] for r in shown["blocked"]], [evil])
            self.assertEqual([r["name"] for r in shown["users"]], ["u"])
            self.assertEqual(
                sorted((r["name"], r["occurrences"]) for r in shown["rules"]),
                [("Allow", 70)])
            self.assertEqual(shown["named_percent"], 100)
            self.assertFalse(shown["sampled"])
            page = _Elements(self.page())
            self.assertIn(evil, page.text)
            self.assertEqual([a for t, a in page.tags if t == "script"],
                             [{"src": "/page.js", "defer": None}])
            config = (f'status: {{ listen: "{LOOPBACK}:{self.port}", '
                      'top: no }\n')
            daemon.configure(config)
            daemon.reload()
            self.assertNotIn("busiest", self.figures())
            self.assertNotIn("Busiest", self.page())

    def test_nothing_of_a_sender_becomes_markup(self):
        evil = (b"<13><script>alert(1)</script><img src=x onerror=alert(2)>"
                b"\"'&amp; \x1b[2J \xe2\x80\xae\xe2\x80\xa8 \xc2\x9b \xff\n")
        with self.begin() as daemon:
            with connect(daemon.port) as peer:
                peer.sendall(evil)
            daemon.spool.wait_records(1, "unparsed")
            for path in ("/", "/live"):
                text = self.page(path)
                page = _Elements(text)
                scripts = [a for t, a in page.tags if t == "script"]
                self.assertEqual(scripts, [{"src": "/page.js", "defer": None}]
                                 if path == "/" else [])
                self.assertFalse([t for t, a in page.tags if t == "img" or any(
                    name.startswith("on") for name in a)])
                self.assertIn("<script>alert(1)</script>", page.text)
                self.assertIn(r"\x1b[2J \xe2\x80\xae\xe2\x80\xa8 \xc2\x9b "
                              r"\xff", page.text)
                self.assertFalse(re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f"
                                           "\u2028-\u202e]", text))

    def test_pages_may_load_nothing_from_elsewhere(self):
        with self.begin():
            for path in PAGES:
                status, headers, text = self.ask(path)
                self.assertEqual(status, 200, path)
                policy = headers["Content-Security-Policy"]
                self.assertIn("default-src 'none'", policy)
                self.assertNotIn("unsafe", policy)
                self.assertEqual(headers["X-Content-Type-Options"], "nosniff")
                self.assertEqual(headers["Cache-Control"], "no-store")
                found = re.findall(r"(?:https?:)?//[a-z]+\.[a-z]+", text)
                self.assertIn(found, ([], ["http://www.w"]), path)

    def test_only_looking_is_allowed(self):
        with self.begin() as daemon:
            for method in ("POST", "PUT", "DELETE", "OPTIONS", "TRACE"):
                status, _, _ = self.ask("/", method)
                self.assertIn(status, (405, 501), method)
            self.assertEqual(self.ask("/../../etc/passwd")[0], 404)
            self.assertEqual(self.ask("/%2e%2e/etc/passwd")[0], 404)
            self.assertEqual(self.ask("/nothing")[0], 404)
            status, headers, text = self.ask("/", "HEAD")
            self.assertEqual((status, text), (200, ""))
            self.assertEqual(self.ask("/healthz?x=1")[0], 200)
            daemon.stop_cleanly()

    def test_many_who_look_do_not_disturb(self):
        """Idle ones, and one that asks for the largest page and reads
        nothing: they are let go, and senders never notice."""
        with self.begin() as daemon:
            files = daemon.open_files()
            idle = []
            for _ in range(300):
                peer = socket.socket()
                peer.setblocking(False)
                peer.connect_ex((LOOPBACK, self.port))
                idle.append(peer)
            time.sleep(1)
            self.assertLess(daemon.open_files() - files, 100)
            send_tcp(daemon.port, 1, 2000)
            daemon.spool.wait_records(2000)
            for peer in idle:
                peer.close()
            wait_until(lambda: daemon.open_files() <= files + 2,
                       "all of them to be gone", timeout=30)
            self.assertEqual(self.figures()["counters"]["tcp"], 2000)

    def test_slow_ones_are_let_go(self):
        """Each says a byte a second, so none is idle."""
        with self.begin() as daemon:
            files = daemon.open_files()
            slow = []
            self.addCleanup(lambda: [peer.close() for peer in slow])
            for _ in range(150):
                peer = socket.socket()
                peer.setblocking(False)
                peer.connect_ex((LOOPBACK, self.port))
                slow.append(peer)

            def feed():
                for peer in slow:
                    try:
                        peer.send(b"G")
                    except OSError:
                        pass  # it was let go
            most, end = 0, time.monotonic() + 8
            while time.monotonic() < end:
                feed()
                most = max(most, daemon.open_files() - files)
                time.sleep(1)
            self.assertGreater(most, 30, "they are not slow at all")
            self.assertLessEqual(most, 66)

            def is_gone():
                feed()
                try:
                    return slow[0].recv(1) == b""
                except BlockingIOError:
                    return False
                except ConnectionResetError:
                    return True
            wait_until(is_gone, "the first is let go", 30)
            for peer in slow:
                peer.close()
            self.page()
            wait_until(lambda: daemon.open_files() <= files + 2,
                       "all of them to be gone", 30)
            daemon.stop_cleanly()

    def test_names_of_others_are_not_served(self):
        """A page of an attacker whose name leads here (DNS rebinding)."""
        with self.begin():
            for host, good in (("localhost", True), ("LOCALHOST:80", True),
                               (LOOPBACK, True), ("[::1]:9514", True),
                               ("evil.example", False), ("[::1", False),
                               ("127.0.0.1.evil.example:80", False),
                               ("localhost.evil.example", False),
                               ("[::1].evil.example", False)):
                peer = http.client.HTTPConnection(LOOPBACK, self.port,
                                                  timeout=10)
                peer.request("GET", "/status.json", headers={"Host": host})
                answer = peer.getresponse()
                self.assertEqual(answer.status, 200 if good else 421, host)
                self.assertEqual(b"sepmlogd" in answer.read(), good, host)
                peer.close()

    def test_requests_that_are_none(self):
        with self.begin():
            for data in (b"\x16\x03\x01" + bytes(500), b"GET " + b"/" * 9000,
                         b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 2000,
                         b"GET / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n",
                         b"\r\n" * 100, b"GET http://[ HTTP/1.1\r\n\r\n"):
                with socket.create_connection((LOOPBACK, self.port), 10) as s:
                    # It may end at any of these.
                    with contextlib.suppress(OSError):
                        s.sendall(data)
                        s.shutdown(socket.SHUT_WR)
                        while s.recv(4096):
                            pass
            self.page()

    # --- what is wrong is said

    def test_a_full_spool(self):
        with self.begin(spool_options="quota: 4MiB\nrotate: { size: 1MiB }\n"
                        "compress: none\n") as daemon:
            self.assertEqual(self.ask("/readyz")[0], 200)
            with send_until_blocked(daemon.port):
                wait_until(lambda: self.ask("/readyz")[0] == 503,
                           "not to be ready")
                self.assertEqual(self.ask("/readyz")[2], "the spool is full\n")
                self.assertEqual(self.ask("/healthz")[0], 200)
                [warning] = [w for w in self.figures()["warnings"]
                             if w["stops"]]
                self.assertIn("spool.quota", warning["what"])
                self.assertIn("uploader", warning["cure"])
                self.assertEqual(self.metrics()["sepmlogd_spool_ok"], "0")
                self.assertIn("spool is full", _Elements(self.page()).text)

    def test_refused_senders_and_a_refused_reload(self):
        with self.begin("allow: [192.0.2.0/24]\n") as daemon:
            send_udp(daemon.port, 1, 5)
            wait_until(lambda: any("not in `allow`" in w
                                   for w in self.warnings()), "a warning")
            self.assertEqual(
                self.metrics()['sepmlogd_lost_total{cause="udp_refused"}'],
                "5")
            with open(daemon.config_path, "a", encoding="utf-8") as file:
                file.write("colour: blue\n")
            daemon.signal(1)
            wait_until(lambda: any("reload was refused" in w
                                   for w in self.warnings()), "a warning")
            self.assertEqual(self.metrics()["sepmlogd_last_reload_successful"],
                             "0")

    def test_another_address_needs_a_restart(self):
        with self.begin() as daemon:
            with open(daemon.config_path, encoding="utf-8") as file:
                text = file.read()
            with open(daemon.config_path, "w", encoding="utf-8") as file:
                file.write(text.replace(str(self.port), str(free_port())))
            daemon.signal(1)
            daemon.wait_log("status.listen cannot change without a restart")
            self.page()

    # --- on a terminal

    def command(self, daemon, *options):
        return subprocess.run(
            [harness.SEPMLOGCTL, "status", "-c", daemon.config_path,
             *options], capture_output=True, text=True, timeout=30,
            check=False)

    def test_the_command(self):
        with self.begin() as daemon:
            send_tcp(daemon.port, 1, 1234)
            with connect(daemon.port) as peer:
                peer.sendall(b"forged\x1b[2J\r\xc2\x9b2J\n")
            daemon.spool.wait_records(1235)
            wait_until(lambda: self.figures()["bytes"] > 0, "a look")
            result = self.command(daemon)
            self.assertEqual((result.returncode, result.stderr), (0, ""))
            self.assertIn("received    1,235 messages", result.stdout)
            self.assertRegex(result.stdout, r"(?m)^127\.0\.0\.1 +1,235 ")
            self.assertIn(r"forged\\x1b[2J", result.stdout)
            self.assertFalse(re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f]",
                                       result.stdout))
            result = self.command(daemon, "--json")
            self.assertEqual(json.loads(result.stdout)["counters"]["tcp"],
                             1235)
            daemon.stop_cleanly()
            result = self.command(daemon)
            self.assertEqual(result.returncode, 3)
            self.assertIn("is sepmlogd running?", result.stderr)

    def test_the_command_on_a_unix_socket_and_a_full_spool(self):
        path = os.path.join(self.directory, "status.sock")
        with self.daemon(config=f"status: {{ listen: {path} }}\n",
                         spool_options="quota: 4MiB\nrotate: { size: 1MiB }\n"
                         "compress: none\n") as daemon:
            self.assertEqual(self.command(daemon).returncode, 0)
            with send_until_blocked(daemon.port):
                wait_until(lambda: self.command(daemon).returncode == 1,
                           "not to be ready")
                self.assertIn("!! The spool is full: spool.quota is used up",
                              self.command(daemon).stdout)

    def test_the_command_without_a_place(self):
        with self.daemon() as daemon:
            result = self.command(daemon)
            self.assertEqual(result.returncode, 3)
            self.assertIn("has no status.listen", result.stderr)
            self.assertEqual(self.command(daemon, "more").returncode, 2)

    # --- where

    def test_a_unix_socket(self):
        path = os.path.join(self.directory, "status.sock")
        config = f"status: {{ listen: {path} }}\n"
        for name in ("killed", "again"):
            with self.daemon(name, config=config) as daemon:
                mode = os.stat(path).st_mode
                self.assertTrue(stat.S_ISSOCK(mode))
                self.assertEqual(stat.S_IMODE(mode), 0o660)
                peer = _Unix(path)
                peer.request("GET", "/healthz")
                self.assertEqual(peer.getresponse().read(), b"ok\n")
                peer.close()
                daemon.kill()

    def passed(self, path):
        """As sepmlogd-status.socket makes it."""
        passed = socket.socket(socket.AF_UNIX)
        self.addCleanup(passed.close)
        passed.bind(path)
        passed.listen(16)
        return passed

    def test_a_unix_socket_that_was_handed_over(self):
        path = os.path.join(self.directory, "status.sock")
        daemon = self.daemon(config=f"status: {{ listen: {path} }}\n",
                             handover=[("status", self.passed(path))])
        with daemon:
            inode = os.stat(path).st_ino
            self.assertEqual(self.command(daemon).returncode, 0)
            daemon.reload()
            self.assertEqual(self.command(daemon).returncode, 0)
            daemon.stop_cleanly()
            # It is there still: who asks waits for the next life.
            peer = _Unix(path)
            peer.request("GET", "/healthz")
            daemon.start()
            self.assertEqual(peer.getresponse().read(), b"ok\n")
            peer.close()
            self.assertEqual(os.stat(path).st_ino, inode)

    def test_a_socket_that_was_handed_over_and_is_not_wanted(self):
        path = os.path.join(self.directory, "status.sock")
        other = os.path.join(self.directory, "other.sock")
        passed = self.passed(path)
        udp = socket.socket(type=socket.SOCK_DGRAM)
        self.addCleanup(udp.close)
        for name, sock, config, word in (
                ("status", passed, f"status: {{ listen: {other} }}\n",
                 "be the same"),
                ("status", passed, "", "not set"),
                ("status", udp, f"status: {{ listen: {path} }}\n",
                 "is no UDP or listening"),
                ("unknown", passed, f"status: {{ listen: {path} }}\n",
                 "FileDescriptorName=status")):
            with self.subTest(word):
                daemon = self.daemon(word[:3] + name, config=config,
                                     handover=[(name, sock)])
                self.addCleanup(daemon.__exit__, None, None, None)
                daemon.start(wait=False)
                self.assertEqual(daemon.process.wait(20), 3)
                self.assertIn(word, daemon.log())

    def test_a_place_that_is_taken(self):
        path = os.path.join(self.directory, "precious")
        with open(path, "w", encoding="utf-8") as file:
            file.write("precious")
        with socket.socket(socket.AF_UNIX) as other:
            served = os.path.join(self.directory, "served")
            other.bind(served)
            other.listen(1)
            for place in (path, served):
                daemon = self.daemon(
                    os.path.basename(place) + ".d",
                    config=f"status: {{ listen: {place} }}\n")
                daemon.start(wait=False)
                self.assertEqual(daemon.process.wait(20), 3)
                self.assertIn("status.listen", daemon.log())
                self.assertTrue(os.path.exists(place))
        with open(path, encoding="utf-8") as file:
            self.assertEqual(file.read(), "precious")

    def test_nobody_elsewhere_can_look(self):
        path = os.path.join(self.directory, "t.yaml")
        for place, word in (("0.0.0.0:9514", "this machine alone"),
                            ("'[::]:9514'", "this machine alone"),
                            ("192.0.2.1:9514", "this machine alone"),
                            ("localhost:9514", "not looked up"),
                            ("/" + 200 * "x", "longer")):
            with open(path, "w", encoding="utf-8") as file:
                file.write(f"status: {{ listen: {place} }}\n")
            result = subprocess.run(
                [harness.SEPMLOGD, "-n", "-c", path], capture_output=True,
                text=True, timeout=20, check=False)
            self.assertEqual(result.returncode, 1, place)
            self.assertRegex(result.stderr, r"t\.yaml:1:\d+: status\.listen: ")
            self.assertIn(word, result.stderr)

    def test_without_a_place_nobody_listens(self):
        with self.daemon() as daemon:
            send_tcp(daemon.port, 1, 10)
            daemon.spool.wait_records(10)
            daemon.stop_cleanly()


if __name__ == "__main__":
    harness.main()
