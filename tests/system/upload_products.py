"""sepmlog-upload in batches to servers of the products themselves, as far as
they can be had: tests/peers.sh gets them for tests/run.sh --all. Splunk and
Loki are not among them; upload_batch.py has what stands for them."""

import base64
import collections
import json
import os
import signal
import ssl
import subprocess
import time
import unittest
import urllib.parse
import urllib.request

import harness
import upload
import upload_batch
import uploads
from harness import LOOPBACK, wait_until
from upload_batch import KILLS, TOKEN

LOGIN = "Basic " + base64.b64encode(f"sepm:{TOKEN}".encode()).decode()
GOLDEN = os.path.join(harness.ROOT, "tests/data/golden")


# A stream, what it has, and where a record of it has its id.
GOLDENS = (
    ("all", "other-types.log.out", b',"id":"', b"}"),
    ("chinese", "localised.log.out", b',"id":"', b"}"),
    ("ecs", "traffic-14.3.log.ecs.out", b',"id":"', b"}}"),
    ("ocsf", "traffic-14.3.log.ocsf.out", b',"uid":"', b"}}"),
)


def format_of(name):
    return name.split(".")[-2].replace("log", "jsonl")


def peer(product, path):
    found = os.path.join(harness.ROOT, "build", product, path)
    if not os.path.exists(found):
        raise unittest.SkipTest(
            f"there is no {product} here (tests/run.sh --all)")
    return found


def golden(stream, name, head, tail):
    """{id: line} of what a sample has become, with ids as in a spool."""
    lines = {}
    with open(os.path.join(GOLDEN, name), "rb") as file:
        for n, line in enumerate(file.read().splitlines(), 1):
            key = f"{uploads.INSTANCE}-{stream}-1-{n}"
            assert line.endswith(tail), line
            lines[key] = line[:-len(tail)] + head + key.encode() + b'"' + tail
    return lines


def records(stream="traffic"):
    """All that a record can have, and times of today."""
    return dict(uploads.record(n, stream=stream, **more) for n, more in (
        (1, {"text": "quotes \" and \\ and \t \u0001"}),
        (2, {"text": "\u6771\u4eac caf\u00e9 \U0001f600"}),
        (3, {"list": ["a", 'b"'], "deep": {"er": {"x y": "z"}, "n": 1.5}}),
        (4, {"yes": True, "no": False, "large": 2**53, "minus": -1}),
        (5, {"text": "x" * 60000})))


class Case(upload_batch.Case):
    """One server of a product, on loopback."""

    alive = "/"  # answers when it runs
    url = process = None

    def run_server(self, name, command, **options):
        with open(self.path(f"{name}.log"), "ab") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                **options)
        self.addCleanup(self.process.wait)
        self.addCleanup(self.process.kill)
        wait_until(self.answers, f"{name} answers", 120)

    def end_server(self, number):
        self.process.send_signal(number)
        self.process.wait(60)

    def answers(self):
        self.assertIsNone(self.process.poll(), "the server ended")
        try:
            self.ask(self.alive)
            return True
        except OSError:
            return False

    def ask(self, path, content=None, method=None, **headers):
        request = urllib.request.Request(
            self.url + path, content, method=method,
            headers={"Authorization": LOGIN, **headers})
        context = ssl.create_default_context(cafile=self.ca)
        with urllib.request.urlopen(request, context=context,
                                    timeout=30) as answer:
            return answer.read().decode().strip()

    def target(self, product, url, **more):
        """The servers here know a user."""
        keys = super().target(product, url, **more)
        if "token_file" in keys:
            keys |= {"user": "sepm", "password_file": keys.pop("token_file")}
        return keys

    def deliver(self, spool, *targets):
        status, said = self.uploader(spool, targets).run("--once")
        self.assertEqual(status, 0, said)
        self.assertEqual(spool.ready(), [])


class Readme(Case):
    """Its example, to what stands for the servers."""

    def test_stand_ins(self):
        elastic, logs = self.server("elastic"), self.server("victorialogs")
        elastic.path, logs.stream = "/logs-sepm-ecs/_bulk", "ecs"
        self.run_readme(elastic.url, logs.url)
        self.assertEqual(elastic.ids(), list(self.lines))
        self.assertEqual(logs.ids(), list(self.lines))


_CLICKHOUSE = """<yandex>
<logger><level>warning</level><console>1</console></logger>
<https_port>{port}</https_port><listen_host>127.0.0.1</listen_host>
<openSSL><server><certificateFile>{certificate}</certificateFile>
<privateKeyFile>{key}</privateKeyFile><verificationMode>none</verificationMode>
<loadDefaultCAFile>false</loadDefaultCAFile></server></openSSL>
<path>{data}/</path><tmp_path>{data}/tmp/</tmp_path>
<users_config>users.xml</users_config><default_profile>default</default_profile>
<default_database>default</default_database>
<mark_cache_size>10485760</mark_cache_size></yandex>
"""
_CLICKHOUSE_USERS = """<yandex><profiles><default/></profiles>
<quotas><default/></quotas>
<users><sepm><password>{password}</password>
<networks><ip>127.0.0.1</ip></networks>
<profile>default</profile><quota>default</quota></sepm></users></yandex>
"""


class ClickHouse(Case):
    """Debian's, of 2018: it knows no tokens of blocks."""

    alive = "/?query=SELECT+1"

    def start(self):
        program = peer("clickhouse", "usr/sbin/clickhouse-server")
        port, data = harness.free_port(), self.made("clickhouse")
        config = os.path.join(data, "config.xml")
        with open(config, "w", encoding="ascii") as file:
            file.write(_CLICKHOUSE.format(
                port=port, data=data, certificate=self.certificate[0],
                key=self.certificate[1]))
        with open(os.path.join(data, "users.xml"), "w",
                  encoding="ascii") as file:
            file.write(_CLICKHOUSE_USERS.format(password=TOKEN))
        self.url = f"https://{LOOPBACK}:{port}"
        self.run_server("clickhouse", [program, f"--config-file={config}"],
                        cwd=data, env={"LD_LIBRARY_PATH": peer(
                            "clickhouse", "usr/lib/x86_64-linux-gnu")})

    def query(self, query):
        return self.ask("/", query.encode())

    def test_records(self):
        self.start()
        self.query("CREATE DATABASE logs")
        self.query("CREATE TABLE logs.sepm_traffic (id String, time DateTime, "
                 "sepm String, host String, threats UInt32) "
                 "ENGINE = MergeTree ORDER BY id")
        spool = self.spool()
        lines = dict(uploads.record(
            n, **({"threats": "none"} if n == 120 else {"threats": n}))
            for n in range(1, 351))
        spool.put_records(1, lines.values())
        target = self.target("clickhouse", self.url)
        uploader = self.uploader(spool, [target])
        status, said = uploader.run("--once")
        self.assertEqual(status, 1)
        self.assertIn("deduplicate: no", said)
        uploader.configure([target | {"deduplicate": "no"}])
        status, said = uploader.run("--once")
        self.assertEqual(status, 0, said)
        self.assertEqual(self.query("SELECT id FROM logs.sepm_traffic "
                                  "ORDER BY threats").split(),
                         [name for name in lines
                          if not name.endswith("-120")])
        reject, = self.rejects(spool, "clickhouse")
        self.assertEqual(reject["record"], 120)


class OpenSearch(Case):
    """Debian's jar, on a later Lucene: see opensearch/build.sh. It speaks no
    TLS, and knows no logins: nginx stands before it."""

    alive = "/"

    def setUp(self):
        super().setUp()
        harness.need("nginx")
        self.arguments = peer("opensearch", "arguments")
        self.port, self.inner_port = harness.free_port(), harness.free_port()
        self.front = upload.Nginx(
            self.made("nginx"), self.path("root"), self.certificate, more=f"""
location ~ ^/ {{
  if ($http_authorization != "ApiKey {TOKEN}") {{ return 401; }}
  proxy_pass http://{LOOPBACK}:{self.port};
}}""")
        self.addCleanup(self.front.kill)
        self.url = self.front.url.rstrip("/")

    def start(self, *settings):
        if not self.front.process:
            self.front.start()
        self.run_server("opensearch", [
            peer("opensearch", "java"), f"@{self.arguments}",
            f"path.home={self.made('opensearch')}", f"http.port={self.port}",
            f"transport.port={self.inner_port}", *settings])
        return self

    def target(self, product, url, **more):
        return upload_batch.Case.target(self, product, url, **more)

    def ask(self, path, content=None, method=None, **headers):
        headers = {"Authorization": f"ApiKey {TOKEN}",
                   "Content-Type": "application/json", **headers}
        return super().ask(path, content, method, **headers)

    def make(self, index, **fields):
        self.ask(f"/{index}", json.dumps({
            "settings": {"number_of_shards": 1, "number_of_replicas": 0},
            "mappings": {"properties": {
                name: {"type": kind} for name, kind in fields.items()}}
        }).encode(), "PUT")

    def count(self, index):
        self.ask(f"/{index}/_refresh", b"", "POST")
        return json.loads(self.ask(f"/{index}/_count"))["count"]

    def assert_there(self, index, lines):
        """Each as it was published, and no other."""
        documents = json.loads(self.ask(f"/{index}/_mget", json.dumps(
            {"ids": list(lines)}).encode()))["docs"]
        for document in documents:
            name = document["_id"]
            self.assertTrue(document["found"], name)
            self.assertEqual(document["_source"], json.loads(lines[name]))
            self.assertEqual(document["_version"], 1)
        self.assertEqual(len(documents), len(lines))
        self.assertEqual(self.count(index), len(lines))

    def test_records(self):
        """Of each sort; what the index does not take is rejected; what is
        there already is delivered."""
        self.start()
        self.make("sepm-traffic", time="date", threats="long")
        spool, sorts = self.spool(), {"traffic": records()}
        bad, line = uploads.record(7, threats="none")
        spool.put_records(1, [*sorts["traffic"].values(), line])
        for stream, name, head, tail in GOLDENS:
            sorts[stream] = golden(stream, name, head, tail)
            spool.put_records(1, sorts[stream].values(), stream=stream,
                              extension=format_of(name) + ".gz")
        target = self.target("elastic", self.url)
        self.deliver(spool, target)
        for stream, lines in sorts.items():
            self.assert_there(f"sepm-{stream}", lines)
        reject, = self.rejects(spool)
        self.assertEqual(reject["id"], bad)
        self.assertIn("400 mapper_parsing_exception", reject["reason"])
        self.assertEqual(reject["text"].encode(), line)
        other = self.spool("other")
        other.put_records(1, sorts["traffic"].values())
        raw = [b"<54>Nov 25 10:00:00 one", b'\xc3\xa9 "\\ \x01\t', b"\xff"]
        other.put_records(2, raw, stream="raw", extension="raw.gz")
        self.deliver(other, target)
        self.assert_there("sepm-traffic", sorts["traffic"])
        self.assertEqual(self.count("sepm-raw"), len(raw))
        for number, line in enumerate(raw, 1):
            document = json.loads(self.ask(
                f"/sepm-raw/_doc/{uploads.INSTANCE}-raw-2-{number}"))
            self.assertEqual(document["_source"]["message"],
                             line.decode("utf-8", "replace"))

    def test_readme(self):
        self.start()
        logs = self.server("victorialogs")
        logs.stream = "ecs"
        self.run_readme(self.url, logs.url)
        self.assert_there("logs-sepm-ecs", self.lines)

    def test_limits_of_the_server(self):
        """An index that nobody made; a request that is too large."""
        self.start("action.auto_create_index=false",
                   "http.max_content_length=20kb")
        spool = self.spool()
        lines = self.fill(spool, 300)
        target = self.target("elastic", self.url, gzip="no",
                             batch="{ records: 300 }")
        status, said = self.uploader(spool, [
            target | {"batch": "{ records: 10 }"}]).run("--once")
        self.assertEqual(status, 1)
        self.assertIn("check `index`", said)
        self.assertEqual(len(spool.ready()), 1)
        self.assertEqual(self.rejects(spool), [])
        self.make("sepm-traffic", time="date")
        self.deliver(spool, target)
        self.assert_there("sepm-traffic", lines)

    def test_killed(self):
        """It and the uploader, in the middle: every record is there once."""
        self.start()
        spool, lines = self.spool(), {}
        for segment in (1, 2):
            lines |= self.fill(spool, 5000, segment=segment)
        target = self.target("elastic", self.url)
        uploader = self.uploader(spool, [target | {
            "gzip": "no", "bandwidth": "150KiB"}]).start()
        for _ in range(2):
            wait_until(lambda: "sepm-traffic" in self.ask("/_cat/indices"),
                       "it has begun", 30)
            seen = self.count("sepm-traffic")
            wait_until(lambda: self.count("sepm-traffic") > seen + 500,
                       "more of it is there", 60)
            self.end_server(signal.SIGKILL)
            self.assertTrue(spool.ready(), "it was killed at work")
            uploader.kill()
            uploader.start()
            self.start()
        wait_until(lambda: not spool.ready(), "it is there", 120)
        self.assertEqual(uploader.stop(), 0)
        self.assert_there("sepm-traffic", lines)


class VictoriaLogs(Case):
    """Takes what others take, too: what is sent to Loki and Elasticsearch."""

    alive = "/health"

    def setUp(self):
        super().setUp()
        self.program = peer("victorialogs", "victoria-logs")
        self.port = harness.free_port()
        self.url = f"https://{LOOPBACK}:{self.port}"

    def start(self):
        self.run_server("victorialogs", [
            self.program, f"-storageDataPath={self.path('victorialogs')}",
            f"-httpListenAddr={LOOPBACK}:{self.port}", "-tls",
            f"-tlsCertFile={self.certificate[0]}",
            f"-tlsKeyFile={self.certificate[1]}", "-httpAuth.username=sepm",
            f"-httpAuth.password={TOKEN}", "-retentionPeriod=100y",
            "-futureRetention=100y", "-inmemoryDataFlushInterval=1s",
            "-memory.allowedBytes=64MiB"], env={"GOMAXPROCS": "2"})
        return self

    def entries(self, count, query="*", **headers):
        """As many at least, once they can be found: {id: [entry]}."""
        form = urllib.parse.urlencode({"query": query}).encode()

        def found():
            lines = self.ask("/select/logsql/query", form,
                             **headers).splitlines()
            return lines if len(lines) >= count else None
        entries = collections.defaultdict(list)
        for line in wait_until(found, f"{count} entries", 30, 0.2):
            entry = json.loads(line)
            name = entry.get("record_id") or entry.get("id") or (
                json.loads(entry["_msg"])["id"])
            entries[name].append(entry)
        return entries

    def assert_fields(self, entry, line):
        """Of the entry: each member of the record, an inner one by its path."""
        expected = {}

        def add(name, value):
            if isinstance(value, dict):
                for key in value:
                    add(f"{name}.{key}" if name else key, value[key])
            else:
                expected[name] = value if isinstance(value, str) else (
                    json.dumps(value))
        add("", json.loads(line))
        for name, value in expected.items():
            got = entry[name]
            if value.startswith("["):
                got, value = json.loads(got), json.loads(value)
            self.assertEqual(got, value, name)
        self.assertLessEqual(set(entry) - set(expected), {
            "_time", "_stream", "_stream_id", "_msg", "stream", "record_id"})

    def test_records(self):
        """Of each sort: every field of every record."""
        self.start()
        spool, lines = self.spool(), records()
        spool.put_records(1, lines.values())
        for stream, name, head, tail in GOLDENS:
            some = golden(stream, name, head, tail)
            lines |= some
            spool.put_records(1, some.values(), stream=stream,
                              extension=format_of(name) + ".gz")
        raw = [b"<54>Nov 25 10:00:00 one", b'\xc3\xa9 "\\ \x01\t', b"\xff"]
        spool.put_records(2, raw, extension="raw.gz")
        self.deliver(spool, self.target("victorialogs", self.url))
        entries = self.entries(len(lines) + len(raw))
        self.assertEqual(len(entries), len(lines) + len(raw))
        for name, line in lines.items():
            entry, = entries[name]
            self.assertEqual(entry["_msg"], name)
            self.assert_fields(entry, line)
        for number, line in enumerate(raw, 1):
            entry, = entries[f"{uploads.INSTANCE}-traffic-2-{number}"]
            self.assertEqual(entry["_msg"], line.decode("utf-8", "replace"))

    def test_readme(self):
        self.start()
        elastic = self.server("elastic")
        elastic.path = "/logs-sepm-ecs/_bulk"
        self.run_readme(elastic.url, self.url)
        entries = self.entries(len(self.lines))
        self.assertEqual(set(entries), set(self.lines))
        for name, line in self.lines.items():
            entry, = entries[name]
            self.assert_fields(entry, line)

    def test_times(self):
        """To the nanosecond: records of one second stay in their order."""
        self.start()
        spool = self.spool()
        lines = dict(uploads.record(n) for n in range(60, 1000, 60))
        spool.put_records(1, lines.values())
        self.deliver(spool, self.target("victorialogs", self.url))
        entries = self.entries(len(lines))
        times = [entries[name][0]["_time"] for name in lines]
        self.assertEqual(times, [
            f"2026-11-25T10:00:00.{n:09}".rstrip("0") + "Z"
            for n in range(1, len(lines) + 1)])

    def test_what_it_would_leave_out(self):
        self.start()
        spool = self.spool()
        lines = dict(uploads.record(n, text="x" * more) for n, more in (
            (1, 1), (2, 262_000), (3, 260_500)))
        spool.put_records(1, lines.values())
        self.deliver(spool, self.target("victorialogs", self.url))
        self.assertEqual(set(self.entries(2)), set(list(lines)[::2]))
        reject, = self.rejects(spool, "victorialogs")
        self.assertEqual(reject["record"], 2)

    def test_wrong_login(self):
        self.start()
        spool = self.spool()
        spool.put_records(1, records().values())
        status, said = self.uploader(spool, [self.target(
            "victorialogs", self.url, token="other")]).run("--once")
        self.assertEqual(status, 1)
        self.assertIn("check the credentials", said)
        self.assertEqual(len(spool.ready()), 1)

    def test_as_loki(self):
        self.start()
        spool, lines = self.spool(), records()
        spool.put_records(1, lines.values())
        self.deliver(spool, self.target(
            "loki", f"{self.url}/insert", tenant='"7:3"'))
        entries = self.entries(len(lines), AccountID="7", ProjectID="3")
        self.assertEqual(set(entries), set(lines))
        for name, line in lines.items():
            entry, = entries[name]
            self.assertEqual(entry["_msg"].encode(), line)
            self.assertEqual(entry["_stream"],
                             '{job="sepmlogd",stream="traffic"}')

    def test_as_elasticsearch(self):
        """It has one path for all indexes: nginx takes the name out."""
        harness.need("nginx")
        self.start()
        front = upload.Nginx(
            self.made("nginx"), self.path("root"), self.certificate, more=f"""
location ~ ^/sepm-traffic/_bulk$ {{
  proxy_set_header VL-Stream-Fields type;
  proxy_set_header VL-Time-Field time;
  proxy_set_header VL-Msg-Field host;
  rewrite ^ /insert/elasticsearch/_bulk break;
  proxy_pass https://{LOOPBACK}:{self.port};
}}""")
        self.addCleanup(front.kill)
        front.start()
        spool, lines = self.spool(), records()
        spool.put_records(1, lines.values())
        self.deliver(spool, self.target(
            "elastic", front.url))
        entries = self.entries(len(lines))
        self.assertEqual(set(entries), set(lines))
        for name, line in lines.items():
            entry, = entries[name]
            members = json.loads(line)
            self.assertEqual(entry["_msg"], members.pop("host"))
            self.assertEqual(entry["_time"], members.pop("time"))
            self.assert_fields(entry, json.dumps(members))

    def test_uploader_killed(self):
        self.start()
        spool, lines = self.spool(), {}
        for segment in (1, 2):
            lines |= self.fill(spool, 500 * KILLS, segment=segment)
        target = self.target("victorialogs", self.url)
        uploader = self.uploader(spool, [target | {"bandwidth": "30KiB"}])
        for _ in range(KILLS):
            uploader.start()
            time.sleep(0.4)
            uploader.kill()
        self.assertTrue(spool.ready(), "it was killed at work")
        self.deliver(spool, target)
        entries = self.entries(len(lines))
        self.assertEqual(set(entries), set(lines))
        self.assertLessEqual(sum(map(len, entries.values())),
                             len(lines) + KILLS * 100)

    def end_in_the_middle(self, number):
        """Answers the lines that were there for long, those that were on
        their way, and what is there in the end."""
        self.start()
        spool, target = self.spool(), self.target("victorialogs", self.url)
        before = self.fill(spool, 500)
        self.deliver(spool, target)
        time.sleep(2.5)
        lines = self.fill(spool, 9000, segment=2)
        uploader = self.uploader(spool, [target | {
            "gzip": "no", "bandwidth": "100KiB"}]).start()
        self.entries(len(before) + 1500)
        self.end_server(number)
        self.assertTrue(spool.ready(), "it ended in the middle")
        uploader.wait_log("again", 30)
        self.start()
        wait_until(lambda: not spool.ready(), "it is there", 120)
        self.assertEqual(uploader.stop(), 0)
        time.sleep(1.5)
        return before, lines, self.entries(len(before))

    def test_server_stopped(self):
        before, lines, entries = self.end_in_the_middle(signal.SIGTERM)
        self.assertEqual(set(entries), set(before | lines))
        self.assertLessEqual(sum(map(len, entries.values())),
                             len(entries) + 100)

    def test_server_killed(self):
        """It answers before it writes: what it took in the last
        -inmemoryDataFlushInterval is gone, and nothing else."""
        before, lines, entries = self.end_in_the_middle(signal.SIGKILL)
        self.assertLessEqual(set(before), set(entries))
        lost = set(lines) - set(entries)
        self.assertLess(len(lost), 4000, "that is more than it took")


if __name__ == "__main__":
    harness.main()
