"""sepmlog-upload in batches: each record is there, or in the file of rejects
with the reason, whatever the server answers.

The servers here are none of the products: they hold requests against what the
products document, to the letter, and answer as documented. Real ones that can
be had are in upload_products.py."""

import base64
import datetime
import gzip
import json
import os
import re
import threading
import time
import urllib.parse

import harness
import uploads
import web
from harness import wait_until

TOKEN = "b2a4f7d0-4ed4-4a22-a0fd-no-such-token"
KILLS = int(os.environ.get("SEPMLOG_KILLS") or (
    "40" if os.environ.get("SEPMLOG_TESTS") == "all" else "4"))


class Wrong(Exception):
    """A request that the product would not take: its answer."""

    def __init__(self, status, body=b""):
        super().__init__(status)
        self.status = status
        self.body = body if isinstance(body, bytes) else json.dumps(
            body).encode()


def need(condition, text):
    if not condition:
        raise Wrong(418, text.encode())


def strict(text):
    """JSON, and no member twice."""
    def members(pairs):
        found = dict(pairs)
        need(len(found) == len(pairs), f"a member twice: {pairs}")
        return found
    return json.loads(text, object_pairs_hook=members)


class Server(web.Server):
    """`moods`: for each request a status, (status, headers), "cut" (reads it
    and closes) or "lost" (does it and closes). `limit`: bytes of a request.
    `poison`: records with this text are refused, as the product does."""

    path = content_type = authorization = None

    def __init__(self, certificate, moods=(), limit=None, poison="poison"):
        self.moods, self.limit, self.poison = list(moods), limit, poison
        self.records = []  # (id, text) as they came
        self.requests, self.sizes, self.faults = 0, [], []
        self.lock = threading.Lock()
        super().__init__(certificate, _Handler)

    def check(self, handler):
        url = urllib.parse.urlsplit(handler.path)
        need(url.path == self.path, f"path {url.path}")
        need(handler.headers["Content-Type"] == self.content_type, "type")
        if self.authorization and (
                handler.headers["Authorization"] != self.authorization):
            raise Wrong(401)
        return dict(urllib.parse.parse_qsl(url.query, strict_parsing=bool(
            url.query)))

    def take(self, body, query):
        """Answers status and body, or raises Wrong."""
        raise NotImplementedError

    def is_bad(self, text):
        return self.poison in text

    def ids(self):
        return [name for name, _ in self.records]


class _Handler(web.Handler):
    def do_POST(self):
        product = self.owner
        data = self.content()
        with product.lock:
            product.requests += 1
            product.sizes.append(len(data))
            mood = product.moods.pop(0) if product.moods else None
        if mood == "cut":
            self.close_connection = True
            return
        if isinstance(mood, (int, tuple)):
            status, headers = mood if isinstance(mood, tuple) else (mood, {})
            self.answer(status, headers=headers)
            return
        status, body, headers = self._do(data)
        if mood == "lost":
            self.close_connection = True
            return
        self.answer(status, body, headers)

    def _do(self, data):
        product = self.owner
        try:
            query = product.check(self)
            if product.limit and len(data) > product.limit:
                raise Wrong(413)
            if self.headers["Content-Encoding"] == "gzip":
                data = gzip.decompress(data)
            with product.lock:
                return *product.take(data.decode("utf-8"), query), {}
        except Wrong as wrong:
            if wrong.status == 418:
                product.faults.append(wrong.body.decode())
            return wrong.status, wrong.body, product.headers_of(wrong)
        except Exception as error:  # pylint: disable=broad-except
            product.faults.append(repr(error))
            return 418, b"", {}


Server.headers_of = lambda self, wrong: {}


class Splunk(Server):
    """Splunk: Format events for HTTP Event Collector, and its codes."""

    path = "/services/collector/event"
    content_type = "application/json"
    authorization = f"Splunk {TOKEN}"
    allowed = {"event", "time", "host", "source", "sourcetype", "index",
               "fields"}

    def take(self, body, query):
        need(not query, "a query")
        events = [strict(line) for line in body.splitlines()]
        if not events:
            raise Wrong(400, {"text": "No data", "code": 5})
        for number, event in enumerate(events):
            need(set(event) <= self.allowed, f"members {set(event)}")
            need(isinstance(event["time"], (int, float)), "time")
            need(isinstance(event["fields"], dict) and all(
                isinstance(value, str)
                for value in event["fields"].values()), "fields are flat")
            need(event["host"].startswith("sepm"), "host")
            need(event["source"] == "traffic", "source")
            need(event["sourcetype"] == "sepmlogd", "sourcetype")
            if self.is_bad(json.dumps(event)):
                raise Wrong(400, {
                    "text": "Invalid data format", "code": 6,
                    "invalid-event-number": number})
        if "index" in events[0] and events[0]["index"] != "sepm-traffic":
            raise Wrong(400, {"text": "Incorrect index", "code": 7,
                              "invalid-event-number": 1})
        self.records += [(event["fields"]["record_id"], event["event"])
                         for event in events]
        return 200, b'{"text":"Success","code":0}'


class Elastic(Server):
    """Elasticsearch: Bulk API. `busy`: how many items are told 429 first."""

    path = "/sepm-traffic/_bulk"
    content_type = "application/x-ndjson"
    authorization = f"ApiKey {TOKEN}"

    def __init__(self, *args, busy=0, **options):
        super().__init__(*args, **options)
        self.busy, self.again = busy, 0

    def _item(self, name, source):
        if self.is_bad(json.dumps(source)):
            return {"status": 400, "error": {
                "type": "document_parsing_exception",
                "reason": 'failed to parse field [time] of type "date"'}}
        if name in self.ids():
            self.again += 1
            return {"status": 409, "error": {
                "type": "version_conflict_engine_exception",
                "reason": f"[{name}]: version conflict"}}
        if self.busy > 0 and len(self.records) % 3 == 2:
            self.busy -= 1
            return {"status": 429, "error": {
                "type": "es_rejected_execution_exception",
                "reason": "rejected execution of coordinating operation"}}
        self.records.append((name, source))
        return {"status": 201}

    def take(self, body, query):
        need(query == {"filter_path":
                       "errors,items.*.status,items.*.error.type,"
                       "items.*.error.reason"}, f"query {query}")
        need(body.endswith("\n"), "no newline at the end")
        lines = [strict(line) for line in body[:-1].split("\n")]
        need(len(lines) % 2 == 0, "odd")
        items = []
        for action, source in zip(lines[::2], lines[1::2]):
            need(list(action) == ["create"] and
                 list(action["create"]) == ["_id"], "action")
            items.append({"create": self._item(
                action["create"]["_id"], source)})
        return 200, json.dumps({
            "errors": any("error" in item["create"] for item in items),
            "items": items}).encode()


class Loki(Server):
    """Loki: POST /loki/api/v1/push. What is there under the same labels,
    with the same time and line, is not there twice."""

    path = "/loki/api/v1/push"
    content_type = "application/json"
    authorization = f"Bearer {TOKEN}"

    def check(self, handler):
        if handler.headers["X-Scope-OrgID"] != "security":
            raise Wrong(401, b"no org id\n")
        return super().check(handler)

    def take(self, body, query):
        need(not query, "a query")
        push = strict(body)
        need(list(push) == ["streams"] and len(push["streams"]) == 1,
             "streams")
        stream = push["streams"][0]
        need(stream["stream"] == {"job": "sepmlogd", "stream": "traffic"},
             f"labels {stream['stream']}")
        bad = None
        for stamp, line in stream["values"]:
            need(re.fullmatch(r"\d{19}", stamp), f"stamp {stamp!r}")
            if self.is_bad(line):
                bad = (b"entry for stream '{job=\"sepmlogd\"}' has timestamp "
                       b"too old")
                continue  # the others are taken
            if (stamp, line) not in self.records:
                self.records.append((stamp, line))
        if bad:
            raise Wrong(400, bad)
        return 204, b""

    def ids(self):
        return [json.loads(line)["id"] for _, line in self.records]


class VictoriaLogs(Server):
    stream = "traffic"
    path = "/insert/jsonline"
    content_type = "application/stream+json"
    authorization = "Basic " + base64.b64encode(
        f"sepm:{TOKEN}".encode()).decode()

    def take(self, body, query):
        need(query == {"_stream_fields": "stream", "_time_field": "_time",
                       "_msg_field": "_msg"}, f"query {query}")
        if self.is_bad(body):
            raise Wrong(400, b"cannot parse line")
        for line in body[:-1].split("\n"):
            if len(line) >= 256 * 1024:
                continue  # the answer does not say so
            entry = strict(line)
            need(entry["stream"] == self.stream and entry["_msg"], "fields")
            datetime.datetime.strptime(entry["_time"][:26],
                                       "%Y-%m-%dT%H:%M:%S.%f")
            self.records.append((entry["record_id"], entry))
        return 200, b""


class ClickHouse(Server):
    """ClickHouse: HTTP interface. A block with a token that was there is
    taken, and not inserted again."""

    path = "/"
    content_type = "application/x-ndjson"
    authorization = VictoriaLogs.authorization

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.tokens = set()
        self.header = True

    def headers_of(self, wrong):
        if not self.header:
            return {}
        code = re.match(rb"Code: (\d+)", wrong.body)
        return {"X-ClickHouse-Exception-Code": code[1].decode()} if (
            code) else {}

    def take(self, body, query):
        token = query.pop("insert_deduplication_token")
        need(query == {
            "query": "INSERT INTO logs.sepm_traffic FORMAT JSONEachRow",
            "date_time_input_format": "best_effort",
            "input_format_skip_unknown_fields": "1"}, f"query {query}")
        if "logs.missing" in str(query):
            raise Wrong(404, b"Code: 60. DB::Exception: no such table")
        rows = [strict(line) for line in body[:-1].split("\n")]
        for number, row in enumerate(rows, 1):
            if self.is_bad(json.dumps(row)):
                raise Wrong(400 if self.header else 500,
                            b"Code: 27. DB::Exception: Cannot parse "
                            b"input: (at row %d)" % number)
        if token not in self.tokens:
            self.tokens.add(token)
            self.records += [(row["id"], row) for row in rows]
        return 200, b""


PRODUCTS = {
    "splunk": (Splunk, {"index": "sepm-%stream", "sourcetype": "sepmlogd"}),
    "elastic": (Elastic, {"index": "sepm-%stream"}),
    "loki": (Loki, {"tenant": "security"}),
    "victorialogs": (VictoriaLogs, {"user": "sepm"}),
    "clickhouse": (ClickHouse, {"table": "logs.sepm_%stream",
                                "user": "sepm"}),
}
# Know a record when it comes again.
IDEMPOTENT = ("elastic", "loki", "clickhouse")


class Case(web.Case):
    lines = None

    def setUp(self):
        super().setUp()
        self.servers = []

    def tearDown(self):
        for server in self.servers:
            self.assertEqual(server.faults, [])
        super().tearDown()

    def server(self, product, **options):
        server = PRODUCTS[product][0](self.certificate, **options)
        self.servers.append(server)
        self.addCleanup(server.close)
        return server

    def target(self, product, url, token=TOKEN, **more):
        """Its name is the product's."""
        path = self.path("token")
        with open(path, "w", encoding="ascii") as file:
            file.write(token + "\n")
        os.chmod(path, 0o600)
        keys = {key: f'"{value}"'
                for key, value in PRODUCTS[product][1].items()}
        login = "password_file" if "user" in keys else "token_file"
        return {"name": product, "type": "http-batch", "product": product,
                "url": url, "ca": self.ca, "timeout": "10s", login: path,
                "batch": "{ records: 100 }", **keys, **more}

    def fill(self, spool, count, poison=(), segment=1,
             extension="jsonl.gz"):
        lines = dict(uploads.record(
            n, segment, **({"rule": "poison"} if n in poison else {}))
            for n in range(1, count + 1))
        spool.put_records(segment, lines.values(), extension=extension)
        return lines

    def run_readme(self, elastic, logs):
        """README's example to these two servers: `lines` is what they get."""
        spool = self.spool()
        names = [uploads.record(n, stream="ecs")[0] for n in range(1, 21)]
        self.lines = {name: b'{"@timestamp":"2026-11-25T10:00:00Z","event":'
                      b'{"kind":"event","id":"%s"}}' % name.encode()
                      for name in names}
        spool.put_records(1, self.lines.values(), stream="ecs",
                          extension="ecs.gz")
        self.target("elastic", elastic)  # writes the token
        self.assert_readme_works("http-batch", spool, {
            "https://elastic.example.com:9200": elastic,
            "https://logs.example.com:9428": logs,
            "/etc/sepmlogd/upload/ca.pem": self.ca,
            "/etc/sepmlogd/upload/elastic-api-key": self.path("token"),
            "/etc/sepmlogd/upload/logs-password": self.path("token")})

    def rejects(self, spool, product="elastic"):
        found = []
        for name in spool.quarantined():
            if name.endswith(f"@{product}.rejects"):
                with open(spool.at("upload/quarantine", name), "rb") as file:
                    found += [json.loads(line) for line in file]
        return found


class Products(Case):
    """Each a target of one spool."""

    def servers_of(self, products=tuple(PRODUCTS), **options):
        return {product: self.server(product, **options)
                for product in products}

    def test_examples_of_the_manual(self):
        for product, secret in (("splunk", "hec-token"),
                                ("loki", "loki-token"),
                                ("clickhouse", "clickhouse-password")):
            with self.subTest(product=product):
                server, spool = self.server(product), self.spool(product)
                lines = self.fill(spool, 20)
                text = uploads.manual_example(product)
                url = re.search("    url: (.*)\n", text)[1]
                self.target(product, server.url)  # writes the token
                self.assert_example_works(text, spool, {
                    url: server.url, f"/etc/sepmlogd/upload/{secret}":
                        self.path("token")}, ca=self.ca)
                self.assertEqual(server.ids(), list(lines))

    def test_breaks_busy_servers_and_bad_records(self):
        """Once each where the product knows them again, else what the lost
        answer was for may be there twice."""
        spool = self.spool()
        servers = self.servers_of(moods=[
            None, "cut", (503, {"Retry-After": "1"}), "lost"])
        lines = self.fill(spool, 350, poison=(1, 120, 121, 350))
        uploader = self.uploader(spool, [
            self.target(product, server.url)
            for product, server in servers.items()]).start()
        wait_until(lambda: not spool.ready(), "it is there", 90)
        self.assertEqual(uploader.stop(), 0)
        names = list(lines)
        bad = [names[n - 1] for n in (1, 120, 121, 350)]
        for product, server in servers.items():
            with self.subTest(product=product):
                self.assertEqual(server.moods, [])
                self.assertEqual(set(server.ids()), set(lines) - set(bad))
                again = len(server.ids()) - len(lines) + len(bad)
                self.assertLessEqual(
                    again, 0 if product in IDEMPOTENT else 100)
                rejects = self.rejects(spool, product)
                self.assertEqual([r["id"] for r in rejects], bad)
                for reject in rejects:
                    self.assertEqual(reject["text"].encode(),
                                     lines[reject["id"]])
                    self.assertIn("400", reject["reason"])
                self.assertIn(f"@{product}.rejects", uploader.log())
        self.assertEqual({r["check"] for r in spool.receipts()},
                         {"records:346 rejected:4"})
        self.assertEqual(len(spool.receipts()), len(servers))

    def test_too_large_a_request_is_halved(self):
        spool, servers = self.spool(), self.servers_of(limit=4000)
        lines = self.fill(spool, 100)
        status, said = self.uploader(spool, [
            self.target(product, server.url, gzip="no")
            for product, server in servers.items()]).run("--once")
        self.assertEqual(status, 0, said)
        for product, server in servers.items():
            self.assertEqual(sorted(server.ids()), sorted(lines), product)
            self.assertGreater(server.requests, 3)

    def test_records_that_a_server_would_leave_out(self):
        server, spool = self.server("victorialogs"), self.spool()
        lines = dict(uploads.record(n, text="x" * 1000 * more)
                     for n, more in ((1, 1), (2, 262), (3, 250), (4, 300)))
        spool.put_records(1, lines.values())
        # A byte of these is two, and one is three, but for the last.
        raw = [b"a", b'"' * 131000, b"\xff" * 45000, b'"' * 130000,
               "\u6771".encode() * 80000]
        spool.put_records(2, raw, extension="raw.gz")
        status, said = self.uploader(spool, [self.target(
            "victorialogs", server.url)]).run("--once")
        self.assertEqual(status, 0, said)
        name = f"{uploads.INSTANCE}-traffic-2-%d"
        self.assertEqual(server.ids(), [*list(lines)[::2], name % 1,
                                        name % 4, name % 5])
        rejects = self.rejects(spool, "victorialogs")
        self.assertEqual([reject["id"] for reject in rejects],
                         [*list(lines)[1::2], name % 2, name % 3])
        for reject in rejects:
            self.assertIn("max_message", reject["reason"])

    def test_lines_that_are_no_json(self):
        # The other servers here want what such lines lack.
        servers = self.servers_of(("elastic", "victorialogs", "clickhouse"))
        spool = self.spool()
        text = b'<54>Nov 25 10:00:00 "a\\b" \xff\xc3\xa9\t' + b"x" * 50
        spool.put_records(1, [text], extension="raw.gz")
        status, said = self.uploader(spool, [
            self.target(product, server.url)
            for product, server in servers.items()]).run("--once")
        self.assertEqual(status, 0, said)
        for server in servers.values():
            (name, entry), = server.records
            self.assertEqual(name, f"{uploads.INSTANCE}-traffic-1-1")
            self.assertEqual(entry.get("message", entry.get("_msg")),
                             text.decode("utf-8", "replace"))

    def test_wrong_login(self):
        spool, servers = self.spool(), self.servers_of()
        self.fill(spool, 3)
        status, said = self.uploader(spool, [
            self.target(product, server.url, token="other-token")
            for product, server in servers.items()]).run("--once")
        self.assertEqual(status, 1, said)
        self.assertEqual(said.count("check the credentials"), len(servers))
        self.assertNotIn("other-token", said)
        self.assertEqual(len(spool.ready()), 1)
        for server in servers.values():
            self.assertEqual(server.records, [])


class Elasticsearch(Case):
    def test_items_that_are_told_429(self):
        server, spool = self.server("elastic", busy=3), self.spool()
        lines = self.fill(spool, 300)
        uploader = self.uploader(
            spool, [self.target("elastic", server.url)]).start()
        wait_until(lambda: not spool.ready(), "it is there", 90)
        self.assertEqual(uploader.stop(), 0)
        self.assertEqual(sorted(server.ids()), sorted(lines))
        self.assertGreater(server.again, 0)
        self.assertEqual(self.rejects(spool), [])
        self.assertIn("es_rejected_execution_exception", uploader.log())

    def test_killed(self):
        server, spool, lines = self.server("elastic"), self.spool(), {}
        for segment in (1, 2):
            lines |= self.fill(spool, 500 * KILLS, segment=segment)
        uploader = self.uploader(spool, [self.target(
            "elastic", server.url, bandwidth="30KiB")])
        for _ in range(KILLS):
            uploader.start()
            time.sleep(0.4)
            uploader.kill()
        self.assertTrue(spool.ready(), "it was killed at work")
        uploader.configure([self.target("elastic", server.url)])
        self.assertEqual(uploader.run("--once")[0], 0)
        self.assertEqual(sorted(server.ids()), sorted(lines))
        self.assertLessEqual(server.again, KILLS * 100)

    def test_none_is_taken(self):
        server, spool = self.server("elastic"), self.spool()
        self.fill(spool, 500, poison=range(1, 501))
        status, said = self.uploader(
            spool, [self.target("elastic", server.url)]).run("--once")
        self.assertEqual(status, 1)
        self.assertIn("none of 100 records was taken", said)
        self.assertIn("document_parsing_exception", said)
        self.assertEqual(server.requests, 1)
        self.assertEqual(len(spool.receipts("refused")), 1)

    def test_rejects_have_limits(self):
        spool, server = self.spool(), self.server("elastic")
        uploader = self.uploader(
            spool, [self.target("elastic", server.url)],
            "rejects: { age: 1h, size: 1MiB }")
        self.fill(spool, 3, poison=(2,))
        self.assertEqual(uploader.run("--once")[0], 0)
        rejects = spool.quarantined()
        self.assertEqual(len(rejects), 1)
        # A whole file, and what is said of it, are not for this to remove.
        large = spool.at("upload/quarantine/large.jsonl")
        for path in (large, spool.at("upload/quarantine",
                                     "zz@elastic.rejects")):
            with open(path, "wb") as file:
                file.truncate(2**20 - 100)
        status, said = uploader.run("--once")
        self.assertEqual(status, 0)
        self.assertEqual(spool.quarantined(),
                         ["large.jsonl", "zz@elastic.rejects"])
        self.assertIn("1 files of rejected records were removed", said)

    def test_a_record_longer_than_a_batch(self):
        server, spool = self.server("elastic"), self.spool()
        lines = dict([uploads.record(1), uploads.record(2, text="x" * 70000),
                      uploads.record(3)])
        spool.put_records(1, lines.values())
        status, said = self.uploader(spool, [self.target(
            "elastic", server.url,
            batch="{ size: 64KiB }")]).run("--once")
        self.assertEqual(status, 0, said)
        self.assertEqual(server.ids(), [list(lines)[0], list(lines)[2]])
        reject, = self.rejects(spool)
        self.assertEqual(reject["record"], 2)
        self.assertIn("batch: size", reject["reason"])

    def test_an_answer_that_is_too_long(self):
        server, spool = self.server("elastic"), self.spool()
        lines = self.fill(spool, 100)
        take = server.take

        def wordy(body, query):
            status, answer = take(body, query)
            return status, answer + b" " * 2000 * body.count('{"create":')
        server.take = wordy
        status, said = self.uploader(
            spool, [self.target("elastic", server.url)]).run("--once")
        self.assertEqual(status, 0, said)
        self.assertEqual(sorted(server.ids()), sorted(lines))
        self.assertGreater(server.requests, 2)

    def test_no_item_of_the_answer_is_missed(self):
        server, spool = self.server("elastic"), self.spool()
        self.fill(spool, 3)
        server.take = lambda body, query: (200, b'{"errors":false,"items":[]}')
        status, said = self.uploader(
            spool, [self.target("elastic", server.url)]).run("--once")
        self.assertEqual(status, 1)
        self.assertIn("does not answer to each item", said)
        self.assertEqual(len(spool.ready()), 1)


class Others(Case):
    def test_splunk_index_that_the_token_may_not(self):
        server, spool = self.server("splunk"), self.spool()
        self.fill(spool, 3)
        status, said = self.uploader(spool, [self.target(
            "splunk", server.url, index="other")]).run("--once")
        self.assertEqual(status, 1)
        self.assertIn("check `index`", said)
        self.assertEqual(len(spool.ready()), 1)
        self.assertEqual(self.rejects(spool, "splunk"), [])

    def test_clickhouse_that_says_all_with_500(self):
        server, spool = self.server("clickhouse"), self.spool()
        server.header = False
        lines = self.fill(spool, 20, poison=(7,))
        status, said = self.uploader(spool, [self.target(
            "clickhouse", server.url)]).run("--once")
        self.assertEqual(status, 0, said)
        self.assertEqual(len(server.ids()), len(lines) - 1)
        self.assertEqual([r["record"] for r in self.rejects(
            spool, "clickhouse")], [7])

    def test_clickhouse_without_the_table(self):
        server, spool = self.server("clickhouse"), self.spool()
        self.fill(spool, 3)

        def take(body, query):
            raise Wrong(404, b"Code: 60. DB::Exception: Table logs.sepm "
                        b"does not exist")
        server.take = take
        status, said = self.uploader(spool, [self.target(
            "clickhouse", server.url)]).run("--once")
        self.assertEqual(status, 1)
        self.assertIn("check `table`", said)
        self.assertEqual(len(spool.ready()), 1)


class Configuration(Case):
    def test_what_cannot_work_is_said(self):
        spool, targets, texts = self.spool(), [], []
        for product, keys, text in (
                ("loki", {"index": "a"}, "is not for loki"),
                ("splunk", {"table": "a"}, "is not for splunk"),
                ("elastic", {"index": None}, "needs 'index'"),
                ("clickhouse", {"table": None}, "needs 'table'"),
                ("elastic", {"index": '"a b"'}, "is no name such as"),
                ("loki", {"url": "http://x"}, "is no URL"),
                ("loki", {"url": "https://x/?a=b"}, "before its '?'"),
                ("splunk", {"product": "none"}, "'none'"),
                ("splunk", {"batch": "{ records: 0 }"}, "records: ")):
            target = self.target(product, "https://localhost") | keys
            targets.append({k: v for k, v in target.items()
                            if v is not None} | {"name": f"t{len(targets)}"})
            texts.append(text)
        uploader = self.uploader(spool, targets)
        status, said = uploader.run("-n")
        self.assertEqual(status, 1, said)
        for number, text in enumerate(texts):
            self.assertTrue(any(
                f"targets[{number}]" in line and text in line
                for line in said.splitlines()), f"{text}: {said}")
        uploader.configure([self.target(product, "https://localhost")
                            for product in PRODUCTS])
        self.assertEqual(uploader.run("-n")[0], 0)


if __name__ == "__main__":
    harness.main()
