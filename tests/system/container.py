"""The installed units under a real systemd, in a container over this machine's
own file system: sockets on port 514, restart, upgrade, watchdog, and the sandbox
from inside. Needs root, systemd-nspawn and an overlay mount; nothing of it is left
on the machine."""

import os
import re
import shutil
import subprocess

import harness
import nspawn

# Each line it prints `name value` is checked below.
SCRIPT = r"""
echo "booted yes"
spool=/var/spool/sepmlogd
body='pc-0147,Local Host IP: 192.0.2.47,Local Port: 53311,Local Host MAC: 00005E005301,Remote Host IP: 198.51.100.20,Remote Host Name: cloud.example,Remote Port: 443,Remote Host MAC: 00005E0053FE,TCP,Outbound,Begin: 2024-05-14 09:31:09,End Time: 2024-05-14 09:31:15,Occurrences: 3,Application: C:/Tools/sync.exe,Rule: Branch web,Location: Branch,User Name: NUMBER,Domain Name: BIRCH,Action: Blocked,SHA-256: ,MD-5: '
log() { # log --udp|--tcp NUMBER
	printf '%s\n' "$body" | sed "s/NUMBER/$2/" |
	    logger --server 127.0.0.1 --port 514 "$1" --tag SymantecServer \
	    --priority lpr.info --size 8KiB
}
stored() {
	{ cat $spool/live/traffic/*.open
	  for f in $spool/ready/traffic-*.gz; do
		[ -f "$f" ] && zcat "$f"
	  done; } 2>/dev/null | grep -o "\"user\":\"$1[0-9]*\"" | sort -u | wc -l
}
wait_stored() { # PREFIX COUNT
	n=0
	while [ "$(stored "$1")" -lt "$2" ] && [ $n -lt 50 ]; do
		sleep 0.1
		n=$((n + 1))
	done
	echo "$1 $(stored "$1")"
}

systemd-sysusers 2>&1 | grep -i fail
systemd-tmpfiles --create --prefix=/var/spool --prefix=/etc/sepmlogd
systemctl daemon-reload
systemctl start sepmlogd-udp.socket sepmlogd-tcp.socket
echo "sockets $(systemctl is-active sepmlogd-udp.socket sepmlogd-tcp.socket |
    sort -u)"
echo "before $(systemctl is-active sepmlogd.service)"

# The first datagram starts the service.
log --udp first1
log --tcp first2
wait_stored first 2
echo "active $(systemctl is-active sepmlogd.service)"
echo "spool $(stat -c '%U:%G %a' $spool)"
echo "segment $(stat -c '%U:%G' $spool/live/traffic/*.open | head -n 1)"
echo "status-socket $(stat -c '%U:%G %a' /run/sepmlogd/status.sock)"
echo "status $(python3 -c '
import socket
s = socket.socket(socket.AF_UNIX)
s.connect("/run/sepmlogd/status.sock")
s.sendall(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n")
print(s.makefile().read().split()[-1])')"

# Over restarts the sockets stay.
i=0
while [ $i -lt 60 ]; do
	log --udp restart$i
	i=$((i + 1))
done &
for n in 1 2 3; do
	systemctl restart sepmlogd.service
	echo "restart $?"
	sleep 0.3
done
wait
wait_stored restart 60

systemctl reload sepmlogd.service
echo "reload $?"
log --tcp reload1
wait_stored reload 1

# A hanging daemon is replaced.
pid=$(systemctl show -p MainPID --value sepmlogd.service)
kill -STOP "$pid"
log --udp hang1
n=0
while [ "$(stored hang)" -lt 1 ] && [ $n -lt 200 ]; do
	sleep 0.1
	n=$((n + 1))
done
echo "hang $(stored hang)"
[ "$(systemctl show -p MainPID --value sepmlogd.service)" != "$pid" ] &&
    echo "watchdog yes"

pid=$(systemctl show -p MainPID --value sepmlogd.service)
echo "user $(stat -c %U /proc/$pid)"
echo "caps $(sed -n 's/^CapEff:\s*//p' /proc/$pid/status)"
echo "seccomp $(sed -n 's/^Seccomp:\s*//p' /proc/$pid/status)"
echo "filters $(sed -n 's/^Seccomp_filters:\s*//p' /proc/$pid/status)"
echo "privileges $(sed -n 's/^NoNewPrivs:\s*//p' /proc/$pid/status)"
nsenter -t "$pid" -n ip -o link | grep -vc ': lo:' | sed 's/^/interfaces /'

systemctl stop sepmlogd.service sepmlogd-udp.socket sepmlogd-tcp.socket
echo "result $(systemctl show -p Result --value sepmlogd.service)"
find $spool/live -name '*.open' -size +0 | wc -l | sed 's/^/left /'

# The status as a socket of systemd's; the kernel counts, for the host, what
# comes to ports where nobody listens.
ask() { # PATH
	curl -s --max-time 10 --unix-socket /run/sepmlogd/status.sock \
	    "http://localhost$1"
}
systemctl start sepmlogd-status.socket sepmlogd-udp.socket sepmlogd-tcp.socket
echo "passed-socket $(stat -c '%U:%G %a' /run/sepmlogd/status.sock)"
echo "passed-status $(ask /readyz)"
systemctl restart sepmlogd.service
echo "passed-again $(ask /readyz)"
n=0
while [ "$(ask /warnings.txt | grep -c 'where nobody listens')" -eq 0 ] &&
    [ $n -lt 50 ]; do
	logger --server 127.0.0.1 --port 5999 --udp stray
	sleep 0.2
	n=$((n + 1))
done
echo "strays $(ask /warnings.txt | grep -c 'where nobody listens')"
systemctl stop sepmlogd.service sepmlogd-status.socket sepmlogd-udp.socket \
    sepmlogd-tcp.socket
echo "passed-left $(ls /run/sepmlogd | grep -c status.sock)"

# Under load: tests/system/container_load.py.
python3 -B /load/container_load.py 2>&1

# What the service could do if it were taken over.
systemctl start sepmlogd-probe.service
echo "probe $?"
cat $spool/probe
systemctl start sepmlogd-confined.service
[ -f $spool/confined ] && sed 's/^/confined: /' $spool/confined
journalctl -o cat -u sepmlogd.service -u sepmlogd-probe.service \
    -u sepmlogd-confined.service --no-pager | sed 's/^/journal: /'
"""

# Each attempt prints `probe-<name> refused` or what it got.
PROBE = r"""
import ctypes, os, socket
def attempt(name, action):
    try:
        result = action()
        text = f"allowed: {result!r}"
    except (OSError, PermissionError) as error:
        text = "refused"
    out.write(f"probe-{name} {text}\n")
libc = ctypes.CDLL(None, use_errno=True)
def call(function, *args):
    if getattr(libc, function)(*args) < 0:
        raise OSError(ctypes.get_errno(), function)
def write(path):
    with open(path, "w") as file:
        file.write("x")
with open("/var/spool/sepmlogd/probe", "w") as out:
    attempt("inet", lambda: socket.socket(socket.AF_INET))
    attempt("inet6", lambda: socket.socket(socket.AF_INET6))
    attempt("packet", lambda: socket.socket(socket.AF_PACKET))
    attempt("etc", lambda: write("/etc/sepmlogd/x"))
    attempt("var", lambda: write("/var/log/x"))
    attempt("home", lambda: os.listdir("/root"))
    attempt("mount", lambda: call("mount", b"x", b"/tmp", b"tmpfs", 0, None))
    attempt("unshare", lambda: call("unshare", 0x10000000))
    attempt("ptrace", lambda: call("ptrace", 16, os.getppid(), None, None))
    attempt("setuid", lambda: os.chmod(out.name, 0o4755))
    with open("/proc/self/status") as status:
        filters = [line.split()[1] for line in status
                   if line.startswith("Seccomp_filters:")]
    out.write(f"probe-filters {filters[0]}\n")
"""


# What the daemon does to itself, tried inside of the unit's sandbox.
CONFINED = os.path.join(nspawn.BUILD, "tests/unit/test_sandbox")
CONFINE = ("/bin/sh -c 'CK_VERBOSITY=verbose exec /test_sandbox "
           ">/var/spool/sepmlogd/confined 2>&1'")


class Container(nspawn.Booted):
    SCRIPT = SCRIPT
    FIGURES = ("sent-a", "sent-b", "sent-d", "lost-a", "lost-b", "lost-d",
               "reconnects", "tls-sent", "tls-lost", "tls-twice", "tls-again",
               "tls-longest-ms", "restart-longest-ms", "many-ms", "hang-s",
               "filters", "probe-filters")

    @classmethod
    def fill(cls, root):
        """Installs into the container, as a package would."""
        subprocess.run(["cmake", "--install", nspawn.BUILD],
                       env=dict(os.environ, DESTDIR=root), check=True,
                       stdout=subprocess.DEVNULL)
        cls.put(root, nspawn.UNITS + "sepmlogd.service.d/test.conf",
                "[Unit]\nStartLimitIntervalSec=0\n[Service]\nWatchdogSec=3\n")
        cls.take(root, "container_load", "handover", "certificates")
        installed = subprocess.run(
            ["find", root + "/usr/local/lib", root + "/usr/lib",
             root + "/lib/systemd", "-name", "sepmlogd.service"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            text=True).stdout.split()
        with open(installed[0], encoding="utf-8") as file:
            unit = file.read()
        # The same sandbox around another program.
        unit = re.sub(r"(?m)^(ExecStartPre|Requires|After|Sockets|ExecReload|"
                      r"WatchdogSec|Restart|Also)=.*\n", "", unit)
        unit = unit.replace("Type=notify", "Type=oneshot")
        for name, command in (("probe", "/usr/bin/python3 /probe.py"),
                              ("confined", CONFINE)):
            cls.put(root, nspawn.UNITS + f"sepmlogd-{name}.service",
                    re.sub(r"(?m)^ExecStart=.*$", f"ExecStart={command}",
                           unit))
        if os.path.exists(CONFINED):
            shutil.copy(CONFINED, root + "/test_sandbox")
        cls.put(root, "probe.py", PROBE)

    def test_sockets_start_the_service(self):
        self.assert_found("sockets", "active")
        self.assert_found("before", "inactive")
        self.assert_found("first", "2")
        self.assert_found("active", "active")

    def test_the_group_can_read_the_spool(self):
        self.assert_found("spool", "sepmlogd:sepmlog 750")
        self.assert_found("segment", "sepmlogd:sepmlog")

    def test_the_group_can_look_at_the_status(self):
        self.assert_found("status-socket", "sepmlogd:sepmlog 660")
        self.assert_found("status", "ready")

    def test_the_status_can_be_a_socket_of_systemd(self):
        self.assert_found("passed-socket", "root:sepmlog 660")
        self.assert_found("passed-status", "ready")
        self.assert_found("passed-again", "ready")
        self.assert_found("passed-left", "0")

    def test_the_wrong_port_is_seen_without_a_network(self):
        self.assert_found("strays", "1")

    def test_restarts_lose_nothing(self):
        self.assert_found("restart", "0", "0", "0", "60")

    def test_restarts_under_load_lose_nothing(self):
        """Ten of them, one an upgrade; no sender but TLS notices."""
        self.assert_found("load", "done")
        for sender in ("a", "b", "d"):
            self.assert_found(f"lost-{sender}", "0")
            self.assert_found(f"twice-{sender}", "0")
        self.assert_found("reconnects", "0")
        self.assert_found("taken-over", "10 times")
        self.assert_found("begun-anew", "0")

    def test_unfinished_messages_live_over_restarts(self):
        self.assert_found("parts", "15 of 15 right")

    def test_thousands_of_connections_live_over_a_restart(self):
        self.assert_found("many-lost", "0")

    def test_tls_sessions_end_and_begin_again(self):
        """What is lost is what was on its way when a session ended."""
        self.assert_found("tls-again", "10")
        self.assertLessEqual(self.number("tls-longest-ms"), 1000)
        self.assertGreater(self.number("tls-sent"), 1000)
        self.assertGreaterEqual(self.number("tls-lost"), 0)
        self.assertLessEqual(self.number("tls-lost"),
                             10 * self.number("tls-block"))

    def test_what_comes_while_it_hangs_waits(self):
        self.assert_found("hang-lost", "0")
        self.assert_found("hang-peer", "closed")

    def test_a_stop_closes_connections(self):
        self.assert_found("stop-peer", "closed")
        self.assert_found("stop-told", "1")
        self.assert_found("stop-left", "False")

    def test_reload(self):
        self.assert_found("reload", "0", "1")

    def test_the_watchdog_replaces_a_hanging_daemon(self):
        self.assert_found("hang", "1")
        self.assert_found("watchdog", "yes")

    def test_privileges(self):
        self.assert_found("user", "sepmlogd")
        self.assert_found("caps", "0000000000000000")
        self.assert_found("seccomp", "2")
        # its own, besides those that the unit gives
        self.assertEqual(self.number("probe-filters") + 1,
                         self.number("filters"))
        self.assert_found("privileges", "1")
        self.assert_found("interfaces", "0")

    def test_an_orderly_end(self):
        self.assert_found("result", "success")
        self.assert_found("left", "0")

    def test_sandbox(self):
        self.assert_found("probe", "0")
        for name in ("inet", "inet6", "packet", "etc", "var", "home",
                     "mount", "unshare", "ptrace", "setuid"):
            self.assert_found(f"probe-{name}", "refused")

    def test_the_daemon_confines_itself(self):
        """A second time, inside of the unit's sandbox, and nothing hinders
        it."""
        journal = [line for line in self.output.splitlines()
                   if line.startswith("journal: ")]
        self.assertTrue([line for line in journal if "in force" in line],
                        self.output)
        for line in journal:
            self.assertNotRegex(line, "cannot be guarded|cannot be restricted|"
                                "no Landlock")
        if not os.path.exists(CONFINED):
            self.skipTest("the build has no test_sandbox")
        said = [line for line in self.output.splitlines()
                if line.startswith("confined: ")]
        passed = [line for line in said if ":P:" in line]
        failed = [line for line in said if ":F:" in line or ":E:" in line]
        # The unit has forbidden what one that binds its own sockets may do.
        self.assertEqual(len(failed), 1, self.output)
        self.assertIn("INET socket of who binds its own: 1, not 0", failed[0])
        self.assertEqual(len(passed), 13, self.output)


if __name__ == "__main__":
    if os.geteuid() == 0:
        harness.enter_namespace()
    harness.main()
