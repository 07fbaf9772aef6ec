"""A PostgreSQL server of its own for a test, with SEPM's view in it.

It stands in for SEPM's database: another dialect, but real connections, logins,
cursors and failures. It runs in a temporary directory, on a Unix socket and a
free port of loopback, as the user postgres if the test is root.
"""

import glob
import os
import pwd
import shutil
import subprocess
import tempfile
import time

import harness

PASSWORD = "b}; {r=d @1"

COLUMNS = """
USN bigint, DOMAIN_ID char(32), SITE_ID char(32), SERVER_ID char(32),
GROUP_ID char(32), COMPUTER_ID char(32), TIME_STAMP bigint, EVENT_ID int,
EVENT_TIME bigint, SEVERITY int, AGENT_ID char(32), HARDWARE_KEY char(32),
HOST_NAME varchar(256), LOCAL_HOST_IP bigint, REMOTE_HOST_IP bigint,
REMOTE_HOST_NAME varchar(256), NETWORK_PROTOCOL smallint, LOCAL_PORT int,
REMOTE_PORT int, TRAFFIC_DIRECTION smallint, BEGIN_TIME bigint,
END_TIME bigint, REPETITION int, APP_NAME varchar(512), BLOCKED smallint,
RULE_ID char(32), RULE_NAME varchar(256), ALERT smallint,
SEND_SNMP_TRAP smallint, LOCAL_HOST_MAC varchar(18),
REMOTE_HOST_MAC varchar(18), LOCATION_NAME varchar(256),
USER_NAME varchar(256), DOMAIN_NAME varchar(256), RESERVED_INT1 int,
RESERVED_INT2 int, RESERVED_BIGINT1 bigint, RESERVED_BIGINT2 bigint,
RESERVED_CHAR1 char(32), RESERVED_CHAR2 char(32),
RESERVED_VARCHAR1 varchar(260), RESERVED_BINARY bytea, LOG_IDX char(32),
LOCAL_HOST_IPV6 bytea, REMOTE_HOST_IPV6 varchar(32),
NESTED_PROTOCOL_TYPE int, NESTED_PROTOCOL_SUB_TYPE int,
LOCAL_HOST_IP_TEXT varchar(40), REMOTE_HOST_IP_TEXT varchar(40)"""

SITE = "1B20C35F0A3D4E5B8E0E51D1A0B2C3D4"


def driver():
    found = sorted(glob.glob("/usr/lib/*/odbc/psqlodbcw.so"))
    return found[0] if found else None


def binaries():
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/pg_ctl"))
    return os.path.dirname(found[-1]) if found else None


class Postgres:
    """A context manager that leaves nothing running."""

    def __init__(self):
        self.bin = binaries()
        self.directory = tempfile.mkdtemp(prefix="sepmlog-pg-")
        self.data = os.path.join(self.directory, "data")
        self.port = harness.free_port()
        self.user = "postgres" if os.getuid() == 0 else pwd.getpwuid(
            os.getuid()).pw_name
        if os.getuid() == 0:
            shutil.chown(self.directory, self.user)
        self.run("initdb", "-D", self.data, "-U", "postgres", "-A", "trust",
                 "-E", "UTF8", "--locale=C", "--no-sync")
        with open(os.path.join(self.data, "pg_hba.conf"), "w",
                  encoding="ascii") as file:
            file.write("local all all trust\n"
                       "host all all 127.0.0.1/32 scram-sha-256\n")
        with open(os.path.join(self.data, "postgresql.conf"), "a",
                  encoding="ascii") as file:
            file.write(f"port = {self.port}\nlisten_addresses = '127.0.0.1'\n"
                       f"unix_socket_directories = '{self.directory}'\n"
                       "fsync = off\nmax_wal_size = 2GB\n"
                       "shared_buffers = 64MB\n")

    def command(self, program, *arguments):
        command = [os.path.join(self.bin, program), *arguments]
        if os.getuid() == 0:
            command = ["setpriv", f"--reuid={self.user}",
                       f"--regid={self.user}", "--init-groups"] + command
        return command

    def run(self, program, *arguments, timeout=120, data=None):
        done = subprocess.run(
            self.command(program, *arguments), timeout=timeout, input=data,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            cwd="/")
        if done.returncode != 0:
            raise AssertionError(f"{program}: {done.stdout}")
        return done.stdout

    def start(self):
        # Not through a pipe: the server would keep it open.
        log = os.path.join(self.directory, "log")
        done = subprocess.run(
            self.command("pg_ctl", "-D", self.data, "-l", log, "-w", "start"),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, timeout=120, cwd="/")
        if done.returncode != 0:
            with open(log, encoding="utf-8") as text:
                raise AssertionError(text.read())

    def stop(self, mode="immediate"):
        self.run("pg_ctl", "-D", self.data, "-w", "-m", mode, "stop")

    def sql(self, text, timeout=240):
        return self.run("psql", "-h", self.directory, "-p", str(self.port),
                        "-U", "postgres", "-At", "-v", "ON_ERROR_STOP=1",
                        "-d", "postgres", data=text, timeout=timeout)

    def __enter__(self):
        try:
            self.start()
            quoted = PASSWORD.replace("'", "''")
            self.sql(f"CREATE USER reader PASSWORD '{quoted}';")
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, kind, value, trace):
        try:
            if os.path.exists(os.path.join(self.data, "postmaster.pid")):
                self.stop()
        finally:
            shutil.rmtree(self.directory, ignore_errors=True)

    def reset(self):
        """An empty table and its view."""
        self.sql(f"""
DROP VIEW IF EXISTS V_AGENT_TRAFFIC_LOG; DROP TABLE IF EXISTS log1;
CREATE UNLOGGED TABLE log1 ({COLUMNS});
CREATE VIEW V_AGENT_TRAFFIC_LOG AS SELECT * FROM log1;
GRANT SELECT ON V_AGENT_TRAFFIC_LOG TO reader;""")

    def keep(self):
        """What is there now stays over a crash of the server."""
        self.sql("ALTER TABLE log1 SET LOGGED; CHECKPOINT;")

    def insert(self, count, first=1, begin=None, step=1, site=SITE):
        """Rows with serial numbers from `first` on, `step` ms apart, the last
        one now unless `begin` (ms) says otherwise."""
        if begin is None:
            begin = int(time.time() * 1000) - count * step - 1000
        self.sql(f"""
INSERT INTO log1 (USN, SITE_ID, DOMAIN_ID, SERVER_ID, TIME_STAMP, EVENT_ID,
 EVENT_TIME, SEVERITY, HARDWARE_KEY, HOST_NAME, LOCAL_HOST_IP, REMOTE_HOST_IP,
 REMOTE_HOST_NAME, NETWORK_PROTOCOL, LOCAL_PORT, REMOTE_PORT,
 TRAFFIC_DIRECTION, BEGIN_TIME, END_TIME, REPETITION, APP_NAME, BLOCKED,
 RULE_NAME, ALERT, SEND_SNMP_TRAP, LOCATION_NAME, USER_NAME, DOMAIN_NAME,
 LOCAL_HOST_IP_TEXT)
SELECT {first} + i, '{site}', 'D', 'S', {begin} + i::bigint * {step}, 301,
 {begin}, i % 16, 'HW', 'pc-' || i, 3221225985, -1073741311, 'r.example', 2,
 1024 + i % 60000, 443, 2, {begin}, {begin}, 1, 'C:/Tools/sync.exe', i % 2,
 'Branch web, log', 0, 0, 'Büro', 'user' || i, 'BIRCH', '192.0.2.47'
FROM generate_series(0, {count} - 1) AS i;""")


def connection(server):
    """For pull.connection. The driver would hold all rows in memory without
    UseDeclareFetch."""
    return (f"DRIVER={driver()};SERVER=127.0.0.1;PORT={server.port};"
            "DATABASE=postgres;UseDeclareFetch=1;Fetch=1000;SSLmode=disable")
