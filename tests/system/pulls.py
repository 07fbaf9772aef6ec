"""`sepmlogctl pull` against a real database: every row once, whatever happens
to the server, the puller, or the order of the rows.

SEPMLOG_ROWS is the number of rows of the large scenarios (default 1,000,000 in
test_a_million_rows with a release build, else 100,000).
"""

import collections
import os
import random
import re
import signal
import subprocess
import time
import unittest

import harness
import postgres
from harness import SEPMLOGCTL, Spool

RELEASE = os.environ.get("SEPMLOGCTL_RELEASE") or os.path.join(
    harness.ROOT, "build/release/daemon/ctl/sepmlogctl")
DAY = 24 * 3600 * 1000


def now():
    return int(time.time() * 1000)


class Pulls(harness.Case):
    @classmethod
    def setUpClass(cls):
        if not postgres.binaries() or not postgres.driver():
            raise unittest.SkipTest(
                "PostgreSQL or its ODBC driver is not installed")
        harness.need("setpriv")
        cls.server = cls.enterClassContext(postgres.Postgres())

    def setUp(self):
        super().setUp()
        self.server.reset()
        self.spool = Spool(os.path.join(self.directory, "spool"))
        self.config = os.path.join(self.directory, "sepmlogd.yaml")
        self.password = os.path.join(self.directory, "password")
        self.set_password(postgres.PASSWORD)
        self.configure()

    def set_password(self, text, mode=0o600):
        with open(self.password, "w", encoding="ascii") as file:
            file.write(text + "\n")
        os.chmod(self.password, mode)

    def configure(self, *lines, connection=None):
        text = connection or postgres.connection(self.server)
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(f"""\
spool:
  directory: "{self.spool.path}"
  min_free: 64KiB
  compress: none
pull:
  connection: "{text}"
  user: reader
  password_file: "{self.password}"
""" + "".join(f"  {line}\n" for line in lines))

    def start(self, *options, program=SEPMLOGCTL):
        return subprocess.Popen(
            [program, "pull", "-c", self.config, *options],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True)

    def pull(self, *options, status=0, program=SEPMLOGCTL):
        process = self.start(*options, program=program)
        try:
            out, err = process.communicate(timeout=280)
        finally:
            process.kill()
        self.assertEqual(process.returncode, status, out + err)
        self.assertNotIn(postgres.PASSWORD, out + err)
        return out + err

    def usns(self):
        """How often each serial number is in ready/."""
        found = collections.Counter()
        for path in self.spool.ready():
            with open(path, "rb") as file:
                found.update(
                    int(n) for n in re.findall(rb'"usn":(\d+)', file.read()))
        return found

    def assert_once(self, *ranges):
        expected = [n for part in ranges for n in part]
        found = self.usns()
        missing = [n for n in expected if n not in found]
        self.assertFalse(missing, f"{len(missing)} missing: {missing[:5]}")
        self.assertEqual(len(found), len(expected))
        twice = [n for n, times in found.items() if times > 1]
        self.assertFalse(twice, f"twice: {twice[:5]}")

    # -- values

    def test_values(self):
        self.server.insert(1, first=7)
        self.server.sql(f"""
INSERT INTO log1 (USN, SITE_ID, TIME_STAMP, LOCAL_HOST_IPV6, REMOTE_HOST_IPV6,
 APP_NAME, NETWORK_PROTOCOL, BLOCKED, RESERVED_INT1, NESTED_PROTOCOL_TYPE)
VALUES (8, '{postgres.SITE}', {now()}, '\\x20010db8000000000000000000000001',
 '20010DB8000000000000000000000002', 'Zoë "x", 𝄞', 9, 3, 5, 6);""")
        self.pull()
        first, second = sorted(self.spool.records(), key=lambda r: r["usn"])
        for key, value in {
                "type": "traffic", "usn": 7, "site_id": postgres.SITE,
                "domain_id": "D", "local_ip": "192.0.2.47",
                "remote_ip": "192.0.2.1", "protocol": "tcp",
                "direction": "outbound", "action": "allowed",
                "severity": "crit", "domain": "BIRCH", "location": "Büro",
                "rule": "Branch web, log", "transport": "sql",
                "event_type": "TCP initiated", "remote_port": 443,
                "occurrences": 1}.items():
            self.assertEqual(first[key], value, key)
        self.assertNotIn("extra", first)
        for key, value in {
                "local_ip": "2001:db8::1", "remote_ip": "2001:db8::2",
                "application": 'Zoë "x", 𝄞', "protocol": "9",
                "extra": {"BLOCKED": "3", "NESTED_PROTOCOL_TYPE": "6"},
                }.items():
            self.assertEqual(second[key], value, key)
        self.assertNotIn("host", second)
        self.assert_ids_unique(self.spool)

    def test_other_formats(self):
        self.server.insert(1)
        self.configure()
        with open(self.config, "a", encoding="utf-8") as file:
            file.write("streams:\n"
                       "  - { name: c, types: all, format: csv }\n"
                       "  - { name: r, types: all, format: raw }\n")
        self.pull()
        lines = list(self.spool.lines("c"))
        self.assertEqual(len(lines), 2)
        self.assertIn(b'"Branch web, log"', lines[1])
        self.assertIn(b'"Branch web, log"', next(self.spool.lines("r")))

    def test_long_values_are_cut_and_said_so(self):
        self.server.insert(1)
        self.server.sql("DROP VIEW V_AGENT_TRAFFIC_LOG;"
                        "ALTER TABLE log1 ALTER APP_NAME TYPE text;"
                        "UPDATE log1 SET APP_NAME = repeat('ä', 100000);"
                        "CREATE VIEW V_AGENT_TRAFFIC_LOG AS SELECT * FROM "
                        "log1; GRANT SELECT ON V_AGENT_TRAFFIC_LOG TO reader;")
        self.pull()
        record, = self.spool.records()
        self.assertIn("truncated", record["flags"])
        self.assertRegex(record["application"], "^ä{1000,}$")
        self.assertEqual(record["host"], "pc-0")

    def test_rows_without_anything(self):
        self.server.sql(f"""
INSERT INTO log1 (TIME_STAMP) VALUES ({now() - 5}), ({now() - 4});
INSERT INTO log1 (TIME_STAMP, USN, HOST_NAME) VALUES ({now() - 3}, -9, 'n');
INSERT INTO log1 (USN) VALUES (3);""")
        for _ in range(3):
            self.pull()
        records = self.spool.records()
        self.assertEqual(len(records), 3)
        self.assertEqual([r["extra"] for r in records if "extra" in r],
                         [{"USN": "-9"}])

    # -- which rows

    def test_each_row_once_and_late_ones_too(self):
        begin = now() - 600000
        self.server.insert(1000, first=1, begin=begin, step=10)
        self.pull()
        self.assert_once(range(1, 1001))
        self.assertIn(" 0 new", self.pull())
        # later, and between those of before; another site's numbers
        self.server.insert(50, first=2001, begin=begin + 15000)
        self.server.insert(50, first=3001, begin=begin + 1)
        self.pull()
        self.assert_once(range(1, 1001), range(2001, 2051),
                         range(3001, 3051))
        self.server.insert(10, first=1, begin=begin + 2, site="OTHER")
        self.pull()
        found = self.usns()
        self.assertEqual({n for n in found if found[n] == 2},
                         set(range(1, 11)))

    def test_times_to_come_hide_nothing(self):
        self.server.insert(10, first=1, begin=now() + 400 * DAY)
        self.server.sql("UPDATE log1 SET TIME_STAMP = 9223372036854775807 "
                        "WHERE USN = 5;")
        out = self.pull()
        self.assertIn("10 with a time to come", out)
        self.server.insert(10, first=11, begin=now() - 60000)
        self.pull()
        self.server.insert(10, first=21, begin=now() - 120000)
        self.pull()
        self.assert_once(range(1, 31))

    def test_a_window_again_gives_nothing_twice(self):
        begin = 1715679600000  # 2024-05-14T09:40:00Z
        self.server.insert(100, first=1, begin=begin, step=1000)
        self.server.insert(10, first=201)
        self.pull()
        self.assert_once(range(201, 211))  # older than 30 days: not these
        self.pull("--from", "2024-05-14T09:40:10Z",
                  "--to", "2024-05-14T09:40:20Z")
        self.assert_once(range(11, 21), range(201, 211))
        for _ in range(2):
            self.pull("--from", "2024-05-14T00:00:00Z",
                      "--to", "2024-05-15T00:00:00Z")
        self.assert_once(range(1, 101), range(201, 211))
        self.assertIn(" 0 new", self.pull())
        self.pull("--from", "2024-05-14T00:00:00Z", "--to",
                  "2024-05-13T00:00:00Z", status=2)
        self.pull("--from", "yesterday", status=2)

    def test_a_dry_run_takes_nothing(self):
        self.server.insert(300)
        self.configure("batch: 7")
        for _ in range(2):
            self.assertIn(" 300 new", self.pull("-n"))
        self.assertEqual(self.spool.records(), [])
        self.pull()
        self.assertIn(" 0 new", self.pull("--dry-run"))
        self.assert_once(range(1, 301))

    def test_a_new_database_counts_anew(self):
        self.server.insert(5)
        self.pull()
        self.assertIn(" 0 new", self.pull())
        self.assertIn(" 5 new", self.pull("--forget"))
        self.assertIn(" 0 new", self.pull())

    def test_a_view_with_fewer_columns(self):
        self.server.sql("""
DROP VIEW V_AGENT_TRAFFIC_LOG;
CREATE VIEW V_AGENT_TRAFFIC_LOG AS SELECT USN, TIME_STAMP, HOST_NAME FROM log1;
GRANT SELECT ON V_AGENT_TRAFFIC_LOG TO reader;""")
        self.server.insert(5)
        self.pull()
        self.assert_once(range(1, 6))

    # -- what goes wrong

    def assert_advice(self, text, advice):
        self.assertIn(advice, text)
        self.assertRegex(text, "nothing is lost, the next run goes on")

    def test_what_is_wrong_is_said_with_what_to_do(self):
        self.server.insert(5)
        self.set_password("wrong")
        self.assert_advice(self.pull(status=3), "password")
        self.set_password(postgres.PASSWORD, 0o644)
        self.assertIn("chmod o=", self.pull(status=3))
        self.set_password("")
        self.assertIn("first line is empty", self.pull(status=3))
        os.unlink(self.password)
        self.assertIn("No such file", self.pull(status=3))
        self.set_password(postgres.PASSWORD)
        self.configure("view: V_GONE")
        self.assert_advice(self.pull(status=3), "check pull.view")
        self.configure("view: pg_catalog.pg_class")
        self.assert_advice(self.pull(status=3), "check pull.view")
        self.configure(connection="DRIVER=/none/driver.so;SERVER=127.0.0.1")
        self.assert_advice(self.pull(status=3), "pull.driver")
        self.configure(connection=postgres.connection(self.server).replace(
            str(self.server.port), str(harness.free_port())))
        self.assert_advice(self.pull(status=3), "can be reached")
        self.configure()
        self.server.sql("REVOKE SELECT ON V_AGENT_TRAFFIC_LOG FROM reader;")
        self.assert_advice(self.pull(status=3), "SELECT")
        self.server.sql("GRANT SELECT ON V_AGENT_TRAFFIC_LOG TO reader;")
        self.server.sql("""
DROP VIEW V_AGENT_TRAFFIC_LOG; CREATE VIEW V_AGENT_TRAFFIC_LOG AS SELECT USN,
 'soon'::text AS TIME_STAMP, HOST_NAME FROM log1;
GRANT SELECT ON V_AGENT_TRAFFIC_LOG TO reader;""")
        self.assert_advice(self.pull(status=3), "pull.view")
        self.assertEqual(self.spool.records(), [])

    def test_nothing_to_pull_from(self):
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(f"spool: {{ directory: {self.spool.path} }}\n")
        self.assertIn("no `pull`", self.pull(status=3))

    def test_a_query_that_takes_too_long(self):
        self.server.sql("""
DROP VIEW V_AGENT_TRAFFIC_LOG; CREATE VIEW V_AGENT_TRAFFIC_LOG AS
SELECT log1.* FROM log1, pg_sleep(60);
GRANT SELECT ON V_AGENT_TRAFFIC_LOG TO reader;""")
        self.server.insert(5)
        self.configure("timeout: 2s")
        start = time.monotonic()
        self.assertIn("pull.timeout", self.pull(status=3))
        self.assertLess(time.monotonic() - start, 20)

    def test_a_server_that_hangs(self):
        self.server.insert(5)
        self.configure("timeout: 2s")
        with open(os.path.join(self.server.data, "postmaster.pid"),
                  encoding="ascii") as file:
            pid = int(file.readline())
        os.kill(pid, signal.SIGSTOP)
        try:
            start = time.monotonic()
            self.pull(status=3)
            self.assertLess(time.monotonic() - start, 20)
        finally:
            os.kill(pid, signal.SIGCONT)
        self.pull()
        self.assert_once(range(1, 6))

    def test_two_at_once(self):
        self.server.insert(20000)
        self.configure("batch: 100")
        first = self.start()
        harness.wait_until(self.usns, "the first one has committed")
        self.assertIn("in use by another process", self.pull(status=3))
        first.communicate(timeout=120)
        self.pull()
        self.assert_once(range(1, 20001))

    def test_the_password_is_nowhere(self):
        self.server.insert(20000)
        self.configure("batch: 100")
        process = self.start()
        harness.wait_until(self.usns, "it has committed")
        with open(f"/proc/{process.pid}/cmdline", "rb") as line, \
                open(f"/proc/{process.pid}/environ", "rb") as environ:
            self.assertNotIn(postgres.PASSWORD.encode(),
                             line.read() + environ.read())
        process.communicate(timeout=120)

    # -- interruptions

    def test_the_server_stops_in_between(self):
        self.server.insert(60000)
        self.server.keep()
        self.configure("batch: 2000")
        for _ in range(3):
            before = len(self.usns())
            process = self.start()
            harness.wait_until(lambda: len(self.usns()) > before,
                               "something was committed")
            self.server.stop()
            out, err = process.communicate(timeout=60)
            self.server.start()
            if process.returncode == 0:
                break
            self.assertEqual(process.returncode, 3, out + err)
            self.assertRegex(err, "nothing is lost")
        self.assertGreater(before, 0)
        self.pull()
        self.assert_once(range(1, 60001))

    def test_killed_at_any_time(self):
        count = 30000
        self.server.insert(count)
        self.configure("batch: 1500")
        seed = random.randrange(1 << 30)
        times = random.Random(seed)
        kills = 0
        while kills < 15:
            process = self.start()
            try:
                process.communicate(timeout=times.uniform(0.02, 0.9))
                break
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
                kills += 1
        self.assertGreater(kills, 0)
        with self.subTest(seed=seed):
            self.pull()
            self.assert_once(range(1, count + 1))
            self.assert_ids_unique(self.spool)

    def test_sigterm_commits(self):
        self.server.insert(60000)
        self.configure("batch: 1000")
        process = self.start()
        harness.wait_until(self.usns, "something was committed")
        process.terminate()
        out, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 0, out + err)
        self.assertIn("(stopped)", out)
        taken = int(re.search(r" (\d+) new", out)[1])
        self.assertEqual(len(self.usns()), taken)
        self.pull()
        self.assert_once(range(1, 60001))

    # -- size

    def peak(self, process):
        """The largest VmHWM (KiB) that is seen until the process ends."""
        most = 0
        while process.poll() is None:
            try:
                with open(f"/proc/{process.pid}/status",
                          encoding="ascii") as file:
                    found = re.search(r"VmHWM:\s*(\d+)", file.read())
            except OSError:
                break
            most = max(most, int(found[1]) if found else 0)
            time.sleep(0.05)
        return most

    def pull_large(self, program, count, step):
        self.server.reset()
        self.server.insert(count, step=step)
        start = time.monotonic()
        process = self.start(program=program)
        peak = self.peak(process)
        out, err = process.communicate(timeout=280)
        self.assertEqual(process.returncode, 0, out + err)
        print(f"{count} rows in {time.monotonic() - start:.1f} s, "
              f"{peak / 1024:.0f} MiB")
        return peak

    def test_a_million_rows(self):
        release = os.access(RELEASE, os.X_OK)
        program = RELEASE if release else SEPMLOGCTL
        count = int(os.environ.get("SEPMLOG_ROWS") or
                    (1000000 if release else 100000))
        small = self.pull_large(program, count // 10, 1)
        self.spool = Spool(os.path.join(self.directory, "another"))
        self.configure()
        large = self.pull_large(program, count, 1)
        if release:  # sanitizers keep what was freed
            self.assertLess(large, small * 1.25 + 8192)
        self.assert_once(range(1, count + 1))


if __name__ == "__main__":
    harness.main()
