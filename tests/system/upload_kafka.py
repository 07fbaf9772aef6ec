"""sepmlog-upload to Kafka: every record is there, once unless this process was
killed, and then no more of them again than the window allows.

The brokers are librdkafka's own (kafka/mock.c): they speak the protocol, fail
as they are told, and keep neither disks nor replicas. They have neither TLS nor
logins; a door in front of them has (kafka_login.py)."""

import collections
import os
import re
import shutil
import socket
import ssl
import subprocess
import threading
import time

import certificates
import harness
import kafka_login
import uploads
from harness import LOOPBACK, wait_until

KILLS = int(os.environ.get("SEPMLOG_KILLS") or (
    "40" if os.environ.get("SEPMLOG_TESTS") == "all" else "4"))
MOCK = os.environ.get("KAFKA_MOCK") or os.path.join(
    harness.ROOT, "build/dev/tests/system/kafka_mock")

PRODUCE, INIT_PRODUCER_ID = 0, 22
UNKNOWN_TOPIC, NOT_LEADER, TIMED_OUT, TOO_LARGE = 3, 6, 7, 10
LOADING, NOT_ENOUGH_REPLICAS = 14, 19

Message = collections.namedtuple(
    "Message", "partition offset key id stream value")


class Cluster:
    def __init__(self, brokers=2):
        self.process = subprocess.Popen(
            [MOCK, str(brokers)], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True)
        self.brokers = self.process.stdout.readline().split()[1]

    def tell(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        said = []
        for answer in self.process.stdout:
            if answer == "ok\n":
                return said
            said.append(answer)
        raise AssertionError(f"the mock cluster is gone after {line!r}")

    def read(self, topic="sepm"):
        messages = []
        for line in self.tell(f"read {topic}"):
            partition, offset, *texts = line.split()
            messages.append(Message(int(partition), int(offset), *(
                bytes.fromhex(text) if text != "-" else b""
                for text in texts)))
        return messages

    def close(self):
        self.process.stdin.close()
        self.process.wait(20)
        self.process.stdout.close()


class Case(uploads.Case):
    def cluster(self, topic="sepm", partitions=3, brokers=2):
        cluster = Cluster(brokers)
        self.addCleanup(cluster.close)
        cluster.tell(f"topic {topic} {partitions}")
        return cluster

    def target(self, brokers, **more):
        return {"name": "kafka", "type": "kafka", "brokers": f'"{brokers}"',
                "topic": "sepm", "tls": "no", "timeout": "20s", **more}

    def wait_begun(self, spool):
        """Some of it is acknowledged, and noted."""
        state = spool.at("upload/state")
        wait_until(lambda: os.path.isdir(state) and os.listdir(state),
                   "it is on its way")

    def fill(self, spool, segment, count, extension="jsonl.gz", **more):
        """{id: line} of a file's records."""
        lines = dict(uploads.record(n, segment, **more)
                     for n in range(1, count + 1))
        spool.put_records(segment, lines.values(), extension=extension)
        return lines

    def assert_each_once(self, messages, lines):
        self.assertEqual(len(messages), len(lines))
        self.assertEqual({m.id.decode(): m.value for m in messages}, lines)


class Kafka(Case):
    def test_each_record_once_whatever_the_brokers_say(self):
        cluster, spool, lines = self.cluster(), self.spool(), {}
        for segment, extension in enumerate(
                ("jsonl.gz", "jsonl.zst", "jsonl"), 1):
            if extension.endswith("zst") and not shutil.which("zstd"):
                continue
            lines |= self.fill(spool, segment, 1500, extension,
                               sepm=f"sepm{segment}")
        cluster.tell(f"errors {INIT_PRODUCER_ID} {LOADING} 2")
        for error in (NOT_LEADER, TIMED_OUT, NOT_ENOUGH_REPLICAS):
            cluster.tell(f"errors {PRODUCE} {error} 2")
        uploader = self.uploader(spool, [self.target(cluster.brokers)])
        status, said = uploader.run("--once")
        self.assertEqual(status, 0, said)
        messages = cluster.read()
        self.assert_each_once(messages, lines)
        # One SEPM, one partition, in order.
        places = collections.defaultdict(list)
        for m in messages:
            self.assertEqual(m.stream, b"traffic")
            places[m.key].append((m.partition, m.offset, m.id))
        self.assertEqual(set(places), {
            f"sepm{line['file'].split('-')[2][15]}".encode()
            for line in spool.receipts()})
        for found in places.values():
            self.assertEqual(len({partition for partition, _, _ in found}), 1)
            numbers = [int(name.rsplit(b"-", 1)[1])
                       for _, _, name in sorted(found)]
            self.assertEqual(numbers, sorted(numbers))
        for receipt in spool.receipts():
            self.assertRegex(receipt["check"],
                             r"^records:1500 offsets:\d@\d+$")
            self.assertTrue(receipt["remote"].endswith("/sepm"))
        self.assertEqual(spool.ready(), [])

    def test_brokers_that_go_and_come(self):
        cluster, spool = self.cluster(brokers=1), self.spool()
        lines = self.fill(spool, 1, 2000)
        uploader = self.uploader(spool, [self.target(
            cluster.brokers, unacknowledged=500, bandwidth="300KiB")]).start()
        self.wait_begun(spool)
        cluster.tell("down 1")
        time.sleep(0.5)
        self.assertEqual(len(spool.ready()), 1)
        cluster.tell("up 1")
        wait_until(lambda: not spool.ready(), "all are there", 40)
        self.assertEqual(uploader.stop(), 0)
        self.assert_each_once(cluster.read(), lines)

    def test_killed(self):
        window = 200
        cluster, spool, lines = self.cluster(), self.spool(), {}
        for segment in (1, 2):
            lines |= self.fill(spool, segment, 750 * KILLS,
                               sepm=f"sepm{segment}")
        uploader = self.uploader(spool, [self.target(
            cluster.brokers, unacknowledged=window, bandwidth="400KiB")])
        for _ in range(KILLS):
            uploader.start()
            time.sleep(0.4)
            uploader.kill()
        self.assertTrue(spool.ready(), "it was killed at work")
        status, said = uploader.run("--once")
        self.assertEqual(status, 0, said)
        messages = cluster.read()
        for m in messages:
            self.assertEqual(m.value, lines[m.id.decode()])
        self.assertEqual({m.id.decode() for m in messages}, set(lines))
        self.assertLessEqual(len(messages) - len(lines), KILLS * window)
        # Else each start began at the start, and the last one did it all.
        self.assertGreater(len(lines), KILLS * window)
        self.assertEqual(
            sorted(receipt["check"].split()[0]
                   for receipt in spool.receipts()), [f"records:{750 * KILLS}"] * 2)

    def test_stopped_and_gone_on_with(self):
        cluster, spool = self.cluster(), self.spool()
        lines = self.fill(spool, 1, 3000)
        uploader = self.uploader(spool, [self.target(
            cluster.brokers, unacknowledged=300, bandwidth="300KiB")]).start()
        self.wait_begun(spool)
        self.assertEqual(uploader.stop(), 0)
        self.assertEqual(len(spool.ready()), 1)
        self.assertEqual(uploader.run("--once")[0], 0)
        messages = cluster.read()
        self.assertEqual({m.id.decode(): m.value for m in messages}, lines)
        self.assertLessEqual(len(messages), len(lines) + 300)

    def test_a_record_too_large(self):
        cluster, spool = self.cluster(), self.spool()
        lines = dict([uploads.record(1), uploads.record(2, text="x" * 9000)])
        name = spool.put_records(1, lines.values())
        small = self.target(cluster.brokers, message_size=8000)
        uploader = self.uploader(spool, [small])
        status, said = uploader.run("--once")
        self.assertEqual(status, 1)
        self.assertIn("record 2 has", said)
        self.assertIn("raise it", said)
        self.assertEqual(cluster.read(), [])
        os.rename(spool.at("upload/quarantine", name),
                  spool.at("ready", name))
        uploader.configure([self.target(cluster.brokers)])
        self.assertEqual(uploader.run("--once")[0], 0)
        self.assert_each_once(cluster.read(), lines)

    def test_too_large_for_the_topic(self):
        cluster, spool = self.cluster(), self.spool()
        self.fill(spool, 1, 3)
        cluster.tell(f"errors {PRODUCE} {TOO_LARGE} 1")
        uploader = self.uploader(spool, [self.target(cluster.brokers)])
        status, said = uploader.run("--once")
        self.assertEqual(status, 1)
        self.assertIn("max.message.bytes", said)
        self.assertEqual(len(spool.receipts("refused")), 1)

    def test_no_such_topic(self):
        cluster, spool = self.cluster(), self.spool()
        lines = self.fill(spool, 1, 10)
        cluster.tell(f"topic-error sepm {UNKNOWN_TOPIC}")
        uploader = self.uploader(
            spool, [self.target(cluster.brokers, timeout="2s")])
        status, said = uploader.run("--once")
        self.assertEqual(status, 1)
        self.assertIn("check `topic`", said)
        self.assertEqual(len(spool.ready()), 1)
        cluster.tell("topic-error sepm 0")
        self.assertEqual(uploader.run("--once")[0], 0)
        self.assert_each_once(cluster.read(), lines)

    def test_no_broker(self):
        spool = self.spool()
        self.fill(spool, 1, 10)
        uploader = self.uploader(spool, [self.target(
            f"{LOOPBACK}:{harness.free_port()}", timeout="2s")])
        status, said = uploader.run("--once")
        self.assertEqual(status, 1)
        self.assertIn("check `brokers`", said)
        self.assertIn("refused", said)
        self.assertEqual(len(spool.ready()), 1)

    def test_a_broken_file_is_refused_whole(self):
        cluster, spool = self.cluster(), self.spool()
        self.fill(spool, 1, 500)
        with open(spool.at("ready", spool.ready()[0]), "rb") as file:
            data = file.read()
        name = spool.put(1, data=data[:-9])
        uploader = self.uploader(spool, [self.target(cluster.brokers)])
        status, said = uploader.run("--once")
        self.assertEqual(status, 1)
        self.assertIn("it is broken", said)
        self.assertIn(name, spool.quarantined())
        self.assertEqual(cluster.read(), [])

    def test_file_by_file(self):
        cluster, spool = self.cluster("sepm-traffic"), self.spool()
        for n in (1, 2):
            spool.put(n, 200_000)
        spool.put(3, 2_000_000)
        uploader = self.uploader(spool, [self.target(
            cluster.brokers, topic='"sepm-%stream"', send="files")])
        status, said = uploader.run("--once")
        self.assertEqual(status, 1)
        self.assertIn("too much for `message_size`", said)
        messages = cluster.read("sepm-traffic")
        self.assertEqual(len(messages), 2)
        for m in messages:
            self.assertEqual(m.key, b"traffic")
            self.assertEqual(uploads.hashlib.sha256(m.value).hexdigest(),
                             spool.sums[m.id.decode()])


class Tls(Case):
    """A listener with TLS that says nothing: certificates come before."""

    def listener(self):
        authority = certificates.Authority(self.path("ca"))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*authority.issue(
            "server", f"IP:{LOOPBACK}", usage="serverAuth"))
        server = socket.create_server((LOOPBACK, 0))
        server.settimeout(10)
        self.addCleanup(server.close)
        heard = []

        def serve():
            while True:
                try:
                    peer, _ = server.accept()
                except OSError:
                    return
                try:
                    peer.settimeout(2)
                    with context.wrap_socket(peer, server_side=True) as tls:
                        heard.append(tls.recv(4096))
                except OSError:
                    pass

        threading.Thread(target=serve, daemon=True).start()
        return authority, f"{LOOPBACK}:{server.getsockname()[1]}", heard

    def test_certificates_are_checked(self):
        authority, address, heard = self.listener()
        other = certificates.Authority(self.path("other"), "other")
        spool = self.spool()
        self.fill(spool, 1, 1)
        uploader = self.uploader(spool, [self.target(
            address, tls="yes", ca=other.certificate, timeout="2s")])
        status, said = uploader.run("--once")
        self.assertEqual(status, 1)
        self.assertIn("certificate", said)
        self.assertEqual(heard, [])
        uploader.configure([self.target(
            address, tls="yes", ca=authority.certificate, timeout="2s")])
        uploader.start()
        wait_until(lambda: heard, "a request comes")
        uploader.kill()
        # Four bytes of length, and ApiVersions (18).
        self.assertEqual(heard[0][4:6], b"\x00\x12")


class Login(Case):
    PASSWORD = "no-such-word"

    def door(self, cluster, strict=False):
        """With its authority's certificate, and a file with a password."""
        authority = certificates.Authority(self.path("ca"))
        door = kafka_login.Door(cluster.brokers, *authority.issue(
            "server", f"IP:{LOOPBACK}", usage="serverAuth"),
            "sepm", self.PASSWORD, strict)
        self.addCleanup(door.close)
        return door, authority.certificate, self.secret(self.PASSWORD)

    def secret(self, word):
        path = self.path("secret")
        with open(path, "w", encoding="ascii") as file:
            file.write(word + "\n")
        os.chmod(path, 0o600)
        return path

    def test_readme(self):
        """Its example: TLS and SCRAM-SHA-512, a topic for each stream."""
        cluster, spool = self.cluster("sepm-traffic", brokers=1), self.spool()
        lines = self.fill(spool, 1, 20)
        door, ca, secret = self.door(cluster)
        text = uploads.readme_example("kafka")
        for was, now in (
                ("/etc/sepmlogd/upload/kafka-password", secret),
                ("/etc/sepmlogd/upload/ca.pem", ca),
                ("kafka1.example.com:9093,kafka2.example.com:9093",
                 f"{LOOPBACK}:{door.port}")):
            self.assertIn(was, text)
            text = text.replace(was, now)
        uploader = self.uploader(spool, [])
        uploader.configure_text(text)
        status, said = uploader.run("--once")
        self.assertEqual(status, 0, said)
        self.assert_each_once(cluster.read("sepm-traffic"), lines)
        self.assertEqual(set(door.let_in), {"SCRAM-SHA-512"})
        self.assertEqual(door.turned_away, [])

    def test_each_kind(self):
        cluster, spool = self.cluster(brokers=1), self.spool()
        door, ca, secret = self.door(cluster)
        lines = {}
        for segment, kind in enumerate(
                ("plain", "scram-sha-256", "scram-sha-512"), 1):
            lines |= self.fill(spool, segment, 10)
            uploader = self.uploader(spool, [self.target(
                f"{LOOPBACK}:{door.port}", tls="yes", ca=ca, sasl=kind,
                user="sepm", password_file=secret)])
            status, said = uploader.run("--once")
            self.assertEqual(status, 0, f"{kind}: {said}")
            self.assertEqual(set(door.let_in), {kind.upper()})
            self.assert_each_once(cluster.read(), lines)
            door.let_in.clear()

    def test_wrong_password(self):
        cluster, spool = self.cluster(brokers=1), self.spool()
        lines = self.fill(spool, 1, 10)
        door, ca, _ = self.door(cluster)
        for kind in ("plain", "scram-sha-512"):
            wrong = self.secret("another-word")
            uploader = self.uploader(spool, [self.target(
                f"{LOOPBACK}:{door.port}", tls="yes", ca=ca, sasl=kind,
                user="sepm", password_file=wrong, timeout="3s")])
            status, said = uploader.run("--once")
            self.assertEqual(status, 1, said)
            self.assertIn("password_file", said)
            self.assertNotIn("another-word", said)
            self.assertEqual(len(spool.ready()), 1)
            self.assertIn(kind.upper(), door.turned_away)
            self.assertEqual(door.let_in, [])
        self.assertEqual(cluster.read(), [])
        # It is read again for each try.
        self.secret(self.PASSWORD)
        self.assertEqual(uploader.run("--once")[0], 0)
        self.assert_each_once(cluster.read(), lines)

    def test_scram_as_kafka_4_wants_it(self):
        """Where the library is too old for it, that is said."""
        cluster, spool = self.cluster(brokers=1), self.spool()
        lines = self.fill(spool, 1, 10)
        door, ca, secret = self.door(cluster, strict=True)
        uploader = self.uploader(spool, [self.target(
            f"{LOOPBACK}:{door.port}", tls="yes", ca=ca, timeout="3s",
            sasl="scram-sha-512", user="sepm", password_file=secret)])
        status, said = uploader.run("--once")
        if status != 0:
            self.assertIn("older than 2.6.1", said)
            self.assertIn("`sasl: plain` for Kafka 4", said)
            self.assertEqual(cluster.read(), [])
            return
        self.assert_each_once(cluster.read(), lines)

    def test_none_where_one_is_wanted(self):
        cluster, spool = self.cluster(brokers=1), self.spool()
        self.fill(spool, 1, 10)
        door, ca, _ = self.door(cluster)
        uploader = self.uploader(spool, [self.target(
            f"{LOOPBACK}:{door.port}", tls="yes", ca=ca, timeout="3s")])
        status, said = uploader.run("--once")
        self.assertEqual(status, 1, said)
        self.assertTrue(door.turned_away)
        self.assertEqual(len(spool.ready()), 1)
        self.assertEqual(cluster.read(), [])


class Configuration(Case):
    def test_what_cannot_work_is_said(self):
        secret = self.path("secret")
        with open(secret, "w", encoding="ascii") as file:
            file.write("no-such-word\n")
        os.chmod(secret, 0o600)
        login = {"user": "sepm", "password_file": secret}
        cases = (
            ("is no list of brokers", {"brokers": '"http://x"'}),
            ("is no name such as sepm", {"topic": '"a b"'}),
            ("only with 'tls: yes'", {"sasl": "plain", **login}),
            ("needs 'user'", {"sasl": "scram-sha-512"}),
            ("needs 'sasl'", login),
            ("cannot be more than 'buffer'",
             {"message_size": "2MiB", "buffer": "1MiB"}))
        uploader = self.uploader(self.spool(), [
            self.target("h:9092", **{"name": f"t{number}"}) | keys
            for number, (_, keys) in enumerate(cases)])
        status, said = uploader.run("-n")
        self.assertEqual(status, 1, said)
        for number, (text, _) in enumerate(cases):
            self.assertTrue(any(
                f"targets[{number}]" in line and text in line
                for line in said.splitlines()), f"{text}: {said}")
        uploader.configure([self.target(
            "h:9092", tls="yes", sasl="scram-sha-512", **login)])
        status, said = uploader.run("-n")
        self.assertEqual(status, 0, said)
        os.chmod(secret, 0o644)
        status, said = uploader.run("-n")
        self.assertEqual(status, 1, said)
        self.assertIn("chmod 600", said)
        self.assertNotIn("no-such-word", said)


if __name__ == "__main__":
    harness.main()
