"""Well-known senders: each of their transports and framings arrives whole."""

import glob
import os
import re
import shutil
import subprocess
import tempfile
import unittest

import certificates
import harness
from harness import LOOPBACK, PEERS

COUNT = 200


def unpacked(path):
    """A file of the peers that tests/run.sh unpacks, or the system's."""
    own = os.path.join(PEERS, path)
    return own if os.path.exists(own) else os.path.join("/", path)


def peer_environment():
    """Finds the libraries of an unpacked peer, which is not installed."""
    paths = [os.path.join(PEERS, "usr/lib/syslog-ng")]
    paths += glob.glob(os.path.join(PEERS, "usr/lib/*-linux-gnu*"))
    paths += glob.glob(os.path.join(PEERS, "lib/*-linux-gnu*"))
    return dict(os.environ, LD_LIBRARY_PATH=":".join(paths),
                SYSLOGNG_PREFIX=os.path.join(PEERS, "usr"))


def setUpModule():
    global HOME, CA, SERVER, CLIENT
    harness.need("openssl")
    HOME = tempfile.mkdtemp(prefix="sepmlogd-senders-")
    CA = certificates.Authority(HOME)
    SERVER = CA.issue("server", f"DNS:localhost,IP:{LOOPBACK}", "serverAuth")
    CLIENT = CA.issue("client", "DNS:client.example.com")


def tearDownModule():
    shutil.rmtree(HOME)


class Senders(harness.Case):
    def setUp(self):
        super().setUp()
        plain, strict, anyone = (harness.free_port() for _ in range(3))
        own = [f"certificate: {SERVER[0]}", f"key: {SERVER[1]}"]
        self.sepmlogd = self.enterContext(self.daemon(listen=[
            ("udp", f"{LOOPBACK}:{plain}"), ("tcp", f"{LOOPBACK}:{plain}"),
            ("tls", f"{LOOPBACK}:{strict}", own + [
                f"client_ca: {CA.certificate}",
                "permitted_peers: [client.example.com]"]),
            ("tls", f"{LOOPBACK}:{anyone}", own)]))
        self.port = str(plain)
        self.tls_port, self.anyone_port = str(strict), str(anyone)
        self.spool = self.sepmlogd.spool

    def bodies(self, sender, count=COUNT):
        """Messages without their header, for senders that write their own."""
        return [harness.message(sender, n).partition(b"SymantecServer: ")[2]
                for n in range(count)]

    def assert_arrived(self, sender, transport, count=COUNT):
        records = self.spool.wait_records(count, "traffic")
        self.assert_complete(self.spool.numbers(), {sender: count})
        for record in records:
            self.assertEqual(record["transport"], transport)
            self.assertEqual(record["host"], "pc-0147")
            self.assertNotIn("flags", record)
        self.assertEqual(self.spool.records("unparsed"), [])
        return records

    # -- logger of util-linux

    def logger(self, *options, sender="lg"):
        harness.need("logger")
        path = os.path.join(self.directory, "lines")
        with open(path, "wb") as file:
            file.writelines(body + b"\n" for body in self.bodies(sender))
        subprocess.run(
            ["logger", "--server", LOOPBACK, "--port", self.port,
             "--tag", "SymantecServer", "--priority", "lpr.info",
             "--size", "8KiB", "--file", path, *options], check=True)

    def test_logger_udp(self):
        self.logger("--udp")
        self.assert_arrived("lg", "udp")

    def test_logger_udp_rfc3164(self):
        self.logger("--udp", "--rfc3164")
        for record in self.assert_arrived("lg", "udp"):
            self.assertEqual(record["facility"], "lpr")
            self.assertEqual(record["severity"], "info")

    def test_logger_udp_rfc5424(self):
        self.logger("--udp", "--rfc5424")
        self.assert_arrived("lg", "udp")

    def test_logger_tcp(self):
        self.logger("--tcp")
        self.assert_arrived("lg", "tcp")

    def test_logger_tcp_rfc3164(self):
        self.logger("--tcp", "--rfc3164")
        self.assert_arrived("lg", "tcp")

    def test_logger_tcp_rfc5424_octet_count(self):
        self.logger("--tcp", "--rfc5424", "--octet-count")
        self.assert_arrived("lg", "tcp")

    def test_logger_tcp_octet_count(self):
        self.logger("--tcp", "--octet-count")
        self.assert_arrived("lg", "tcp")

    # -- netcat

    def netcat(self, *options):
        harness.need("nc")
        subprocess.run(
            ["nc", "-w1", *options, LOOPBACK, self.port], check=True,
            input=b"".join(harness.message("nc", n) + b"\n"
                           for n in range(COUNT)))

    def test_netcat_tcp(self):
        self.netcat("-N")
        self.assert_arrived("nc", "tcp")

    def test_netcat_udp_packs_lines_into_datagrams(self):
        # One datagram is one message, whatever is in it: what netcat makes
        # of one line is known, of many not.
        harness.need("nc")
        subprocess.run(["nc", "-u", "-w1", LOOPBACK, self.port], check=True,
                       input=harness.message("nc", 0) + b"\n")
        self.assert_arrived("nc", "udp", 1)

    # -- rsyslog

    def forward(self, name, command):
        """Runs it until everything is here; it is to end well."""
        process = subprocess.Popen(
            command, env=peer_environment(), stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT)
        try:
            harness.wait_until(
                lambda: process.poll() is not None or
                sum(1 for _ in self.spool.lines("traffic")) >= COUNT,
                f"{name} has forwarded everything")
        finally:
            process.terminate()
            output = process.communicate(timeout=20)[0]
        self.assertEqual(process.returncode, 0, output)

    def rsyslog(self, target, port=None):
        program = unpacked("usr/sbin/rsyslogd")
        if not os.path.exists(program):
            raise unittest.SkipTest("no rsyslogd (tests/run.sh unpacks one)")
        work = os.path.join(self.directory, "rsyslog")
        os.mkdir(work)
        source = os.path.join(self.directory, "forward")
        with open(source, "wb") as file:
            file.writelines(harness.message("rs", n) + b"\n"
                            for n in range(COUNT))
        config = os.path.join(self.directory, "rsyslog.conf")
        pattern = "usr/lib/*-linux-gnu*/rsyslog"
        modules = (glob.glob(os.path.join(PEERS, pattern))
                   or glob.glob(os.path.join("/", pattern)))
        with open(config, "w", encoding="ascii") as file:
            # The message as it came, not rewritten with rsyslog's own header.
            file.write(f"""
global(workDirectory="{work}"
  defaultNetstreamDriverCAFile="{CA.certificate}"
  defaultNetstreamDriverCertFile="{CLIENT[0]}"
  defaultNetstreamDriverKeyFile="{CLIENT[1]}")
module(load="imfile" mode="inotify")
template(name="asis" type="string" string="%msg%\\n")
template(name="asis0" type="string" string="%msg%")
input(type="imfile" file="{source}" tag="x" ruleset="out")
ruleset(name="out") {{
  action(type="omfwd" target="{LOOPBACK}" port="{port or self.port}" {target})
}}
""")
        self.forward("rsyslog", [
            program, "-n", "-f", config, "-i", os.path.join(work, "pid"),
            "-M", modules[0]])

    def test_rsyslog_udp(self):
        self.rsyslog('protocol="udp" template="asis0"')
        self.assert_arrived("rs", "udp")

    def test_rsyslog_tcp_traditional(self):
        self.rsyslog('protocol="tcp" TCP_Framing="traditional" '
                     'template="asis0"')
        self.assert_arrived("rs", "tcp")

    def test_rsyslog_tcp_octet_counted(self):
        self.rsyslog('protocol="tcp" TCP_Framing="octet-counted" '
                     'template="asis0"')
        self.assert_arrived("rs", "tcp")

    def test_rsyslog_with_its_own_header(self):
        # RSYSLOG_ForwardFormat: the relay's header in front of SEPM's.
        self.rsyslog('protocol="tcp" TCP_Framing="octet-counted" '
                     'template="RSYSLOG_ForwardFormat"')
        self.assert_arrived("rs", "tcp")

    def rsyslog_tls(self, driver):
        pattern = f"usr/lib/*-linux-gnu*/rsyslog/lmnsd_{driver}.so"
        if not (glob.glob(os.path.join(PEERS, pattern))
                or glob.glob(os.path.join("/", pattern))):
            raise unittest.SkipTest(f"no driver {driver} of rsyslog")
        self.rsyslog(f'protocol="tcp" TCP_Framing="octet-counted" '
                     f'template="asis0" StreamDriver="{driver}" '
                     'StreamDriverMode="1" StreamDriverAuthMode="x509/name" '
                     'StreamDriverPermittedPeers="localhost"', self.tls_port)
        self.assert_arrived("rs", "tls")

    def test_rsyslog_tls_gnutls(self):
        self.rsyslog_tls("gtls")

    def test_rsyslog_tls_openssl(self):
        self.rsyslog_tls("ossl")

    # -- syslog-ng

    def syslog_ng(self, source, destination, port):
        """`destination` up to its options, which are those of the peer."""
        program = unpacked("usr/sbin/syslog-ng")
        if not os.path.exists(program):
            raise unittest.SkipTest("no syslog-ng (tests/run.sh unpacks one)")
        work = os.path.join(self.directory, "syslog-ng")
        os.mkdir(work)
        lines = os.path.join(work, "forward")
        with open(lines, "wb") as file:
            file.writelines(harness.message("sn", n) + b"\n"
                            for n in range(COUNT))
        version = subprocess.run(
            [program, "--version"], env=peer_environment(), check=True,
            stdout=subprocess.PIPE, text=True).stdout
        config = os.path.join(work, "conf")
        with open(config, "w", encoding="ascii") as file:
            file.write(f"""
@version: {re.search(r"^Config version: (.*)", version, re.M)[1]}
source in {{ file("{lines}" {source}); }};
destination out {{
  {destination} port({port}) transport("tls")
    tls(ca-file("{CA.certificate}") cert-file("{CLIENT[0]}")
        key-file("{CLIENT[1]}") peer-verify(required-trusted)));
}};
log {{ source(in); destination(out); flags(flow-control); }};
""")
        self.forward("syslog-ng", [
            program, "--foreground", "--no-caps", "--stderr",
            "--cfgfile", config, "--persist-file", os.path.join(work, "at"),
            "--pidfile", os.path.join(work, "pid"),
            "--control", os.path.join(work, "control")])

    def test_syslog_ng_tls_as_it_came(self):
        self.syslog_ng("flags(no-parse)",
                       f'network("{LOOPBACK}" template("$MSG\\n")',
                       self.tls_port)
        self.assert_arrived("sn", "tls")

    def test_syslog_ng_tls_rfc5424(self):
        # RFC 5425: counted, and with its own header
        self.syslog_ng("", f'syslog("{LOOPBACK}"', self.tls_port)
        self.assert_arrived("sn", "tls")

    # -- openssl

    def test_openssl_s_client(self):
        subprocess.run(
            ["openssl", "s_client", "-connect", f"{LOOPBACK}:{self.tls_port}",
             "-quiet", "-no_ign_eof", "-verify_return_error",
             "-CAfile", CA.certificate, "-cert", CLIENT[0],
             "-key", CLIENT[1]], check=True, timeout=60,
            input=b"".join(harness.message("os", n) + b"\n"
                           for n in range(COUNT)),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.assert_arrived("os", "tls")

    # -- loggen of syslog-ng

    def loggen(self, *options, port=None):
        program = unpacked("usr/bin/loggen")
        if not os.path.exists(program):
            raise unittest.SkipTest("no loggen (tests/run.sh unpacks one)")
        path = os.path.join(self.directory, "lines")
        with open(path, "wb") as file:
            file.writelines(harness.message("ln", n) + b"\n"
                            for n in range(COUNT))
        result = subprocess.run(
            [program, "--rate", "1000", "--number", str(COUNT),
             "--read-file", path, "--dont-parse", *options,
             LOOPBACK, port or self.port], env=peer_environment(),
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
        self.assertEqual(result.returncode, 0, result.stdout)

    def test_loggen_tcp(self):
        self.loggen("--inet", "--stream")
        self.assert_arrived("ln", "tcp")

    def test_loggen_udp(self):
        self.loggen("--inet", "--dgram")
        self.assert_arrived("ln", "udp")

    def test_loggen_tls(self):
        self.loggen("--use-ssl", port=self.anyone_port)
        self.assert_arrived("ln", "tls")

    def test_loggen_many_connections(self):
        program = unpacked("usr/bin/loggen")
        if not os.path.exists(program):
            raise unittest.SkipTest("no loggen (tests/run.sh unpacks one)")
        # Its own messages are not SEPM's; each must still be a record.
        subprocess.run(
            [program, "--inet", "--stream", "--active-connections", "20",
             "--rate", "200", "--interval", "2", "--size", "300", LOOPBACK,
             self.port], env=peer_environment(), check=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
        self.sepmlogd.stop_cleanly()
        records = self.spool.records()
        self.assertGreater(len(records), 1000)
        self.assertEqual({r["type"] for r in records}, {"unparsed"})
        self.assertFalse([r for r in records if "flags" in r])


if __name__ == "__main__":
    harness.main()
