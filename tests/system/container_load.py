"""Runs inside the container that container.py boots: restarts, upgrades and
hangs of the installed service under load. Prints lines `name value`."""

import contextlib
import os
import re
import resource
import signal
import ssl
import subprocess
import sys
import threading
import time

import certificates
import harness
from handover import MAX, Handover
from harness import connect, is_closed, message, wait_until

PORT, TLS_PORT = 514, 6514
RATE = 2000  # per sender
TLS_BLOCK = 20  # messages that are sent at once
RESTARTS = 10
HANG = 200  # datagrams
MANY = 5000  # connections
UNIT = "sepmlogd.service"
PROGRAM = "/usr/sbin/sepmlogd"
SPOOL = harness.Spool("/var/spool/sepmlogd")
CONFIG = """\
listen:
  - udp: "[::]:514"
  - tcp: "[::]:514"
  - tls: "[::]:6514"
    certificate: {certificate}
    key: {key}
max_message: {max}
max_connections: 8192
max_connections_per_source: 8192
spool:
  directory: /var/spool/sepmlogd
  min_free: 64KiB
"""


def systemctl(*arguments):
    return subprocess.run(["systemctl", *arguments], check=True, text=True,
                          stdout=subprocess.PIPE).stdout.strip()


def main_pid():
    return int(systemctl("show", "-p", "MainPID", "--value", UNIT))


def journal():
    return subprocess.run(
        ["journalctl", "-o", "cat", "-u", UNIT, "--no-pager"], check=True,
        text=True, stdout=subprocess.PIPE).stdout


def say(name, value):
    print(name, value, flush=True)


class TlsSender(threading.Thread):
    """Numbered lines over TLS; connects again when it is cut off."""

    def __init__(self, authority, port=TLS_PORT, sender="s", rate=RATE):
        super().__init__(daemon=True)
        self.context = ssl.create_default_context(cafile=authority)
        self.port, self.sender, self.rate = port, sender, rate
        self.sent = self.sessions = 0
        self.longest = 0.0  # seconds without a session
        self.ended = threading.Event()

    def run(self):
        cut_off = time.monotonic()
        while not self.ended.is_set():
            with contextlib.suppress(OSError):
                self.session(cut_off)
            cut_off = time.monotonic()

    def session(self, cut_off):
        with connect(self.port) as plain, self.context.wrap_socket(
                plain, server_hostname=harness.LOOPBACK) as peer:
            if self.sessions > 0:
                self.longest = max(self.longest, time.monotonic() - cut_off)
            self.sessions += 1
            peer.setblocking(False)
            while not self.ended.is_set():
                # The daemon's end of the session is something to read.
                with contextlib.suppress(ssl.SSLWantReadError):
                    if peer.recv(1) == b"":
                        return
                peer.setblocking(True)
                peer.sendall(b"".join(message(self.sender, n) + b"\n" for n in
                                      range(self.sent,
                                            self.sent + TLS_BLOCK)))
                peer.setblocking(False)
                self.sent += TLS_BLOCK
                time.sleep(TLS_BLOCK / self.rate)

    def stop(self):
        self.ended.set()
        self.join(60)
        if self.is_alive():
            raise AssertionError(f"sender {self.sender} hangs")


def configure():
    authority = certificates.Authority("/etc/sepmlogd/tls/ca")
    certificate, key = authority.issue(
        "server", f"IP:{harness.LOOPBACK}", "serverAuth")
    subprocess.run(["chown", "-R", "root:sepmlog", "/etc/sepmlogd/tls"],
                   check=True)
    subprocess.run(["chmod", "-R", "u=rwX,g=rX,o=", "/etc/sepmlogd/tls"],
                   check=True)
    with open("/etc/sepmlogd/sepmlogd.yaml", "w", encoding="utf-8") as file:
        file.write(CONFIG.format(certificate=certificate, key=key, max=MAX))
    return authority.certificate


def upgrade():
    """Another program in the place of the one that runs."""
    subprocess.run(["strip", "-o", PROGRAM + ".new", PROGRAM], check=True)
    os.rename(PROGRAM + ".new", PROGRAM)


def sockets():
    """How many the service has open."""
    directory = f"/proc/{main_pid()}/fd"
    count = 0
    for fd in os.listdir(directory):
        with contextlib.suppress(OSError):
            count += os.readlink(f"{directory}/{fd}").startswith("socket:")
    return count


def begin_parts():
    """Connections that have sent the first part of a message."""
    before = sockets()
    peers = {}
    for name, (first, _) in Handover.PARTS.items():
        peers[name] = connect(PORT)
        peers[name].sendall(first)
    wait_until(lambda: sockets() >= before + len(peers), "accepted")
    return peers


def end_parts(peers):
    for name, (_, rest) in Handover.PARTS.items():
        peers[name].sendall(rest)
    wait_until(lambda: len(SPOOL.numbers()["c"]) == Handover.NUMBERS,
               "unfinished messages are whole", 30)
    records = [r for r in SPOOL.records("traffic")
               if r["user"].startswith("c-")]
    right = all(r.get("original_length") ==
                Handover.LONG.get(int(r["user"][2:])) for r in records)
    say("parts", f"{len(records)} of {Handover.NUMBERS} "
        f"{'right' if right else 'wrong'}")


def restarts(authority):
    """F63"""
    parts = begin_parts()
    senders = [harness.Sender(PORT, "a", RATE),
               harness.Sender(PORT, "b", RATE, counts=True)]
    tls = TlsSender(authority)
    datagrams = RATE * 8
    udp = threading.Thread(target=harness.send_udp,
                           args=(PORT, "d", datagrams, 0, 20, RATE))
    for thread in senders + [tls, udp]:
        thread.start()
    wait_until(lambda: tls.sent > 0, "a TLS session")
    longest = 0.0
    for n in range(RESTARTS):
        if n == RESTARTS // 2:
            upgrade()
        start = time.monotonic()
        systemctl("restart", UNIT)
        longest = max(longest, time.monotonic() - start)
        if n == RESTARTS - 2:
            systemctl("reload", UNIT)
        time.sleep(0.3)
    udp.join(60)
    for sender in senders:
        sender.stop()
    tls.stop()
    end_parts(parts)
    want = {"a": senders[0].sent, "b": senders[1].sent, "d": datagrams}
    with contextlib.suppress(AssertionError):
        wait_until(lambda: all(len(SPOOL.numbers()[s]) >= n
                               for s, n in want.items()), "all stored", 20)
    found = SPOOL.numbers()
    for sender, count in want.items():
        say(f"lost-{sender}", count - len(found[sender]))
        say(f"twice-{sender}",
            sum(times > 1 for times in found[sender].values()))
        say(f"sent-{sender}", count)
    say("reconnects", sum(sender.error is not None for sender in senders))
    say("tls-again", tls.sessions - 1)
    say("tls-sent", tls.sent)
    say("tls-block", TLS_BLOCK)
    say("tls-twice", sum(times > 1 for times in found["s"].values()))
    say("tls-lost", tls.sent - len(found["s"]))
    say("tls-longest-ms", round(tls.longest * 1000))
    say("restart-longest-ms", round(longest * 1000))
    over = re.findall(r"(\d+) of (\d+) connections taken over", journal())
    say("taken-over", f"{len(over)} times" + (
        "" if all(taken == kept for taken, kept in over) else ", not all"))
    say("begun-anew", journal().count("not known where they stood"))


def many():
    """As many descriptors as go over at once, each inside a message."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    before = sockets()
    peers = [connect(PORT) for _ in range(MANY)]
    for n, peer in enumerate(peers):
        peer.sendall(message("m", n)[:300])
    wait_until(lambda: sockets() >= before + MANY, "accepted", 30)
    start = time.monotonic()
    systemctl("restart", UNIT)
    say("many-ms", round((time.monotonic() - start) * 1000))
    for n, peer in enumerate(peers):
        peer.sendall(message("m", n)[300:] + b"\n")
        peer.close()
    with contextlib.suppress(AssertionError):
        wait_until(lambda: len(SPOOL.numbers()["m"]) == MANY, "stored", 20)
    say("many-lost", MANY - len(SPOOL.numbers()["m"]))


def hang():
    """F02: what comes while it hangs waits in the sockets."""
    peer = connect(PORT)
    peer.sendall(message("i", 0) + b"\n")
    wait_until(lambda: SPOOL.numbers()["i"], "stored")
    before = main_pid()
    os.kill(before, signal.SIGSTOP)
    start = time.monotonic()
    harness.send_udp(PORT, "h", HANG)
    wait_until(lambda: main_pid() not in (0, before), "replaced", 30)
    wait_until(lambda: len(SPOOL.numbers()["h"]) == HANG, "stored", 20)
    say("hang-lost", HANG - len(SPOOL.numbers()["h"]))
    say("hang-s", f"{time.monotonic() - start:.1f}")
    say("hang-peer", "closed" if is_closed(peer) else "open")
    peer.close()


def stop():
    """Nothing comes after: systemd closes what it was given."""
    peer = connect(PORT)
    peer.sendall(message("z", 0) + b"\n" + message("z", 1)[:300])
    wait_until(lambda: SPOOL.numbers()["z"], "stored")
    systemctl("stop", UNIT)
    say("stop-peer", "closed" if is_closed(peer) else "open")
    say("stop-told", journal().count("1 of them inside a message (300 bytes"))
    systemctl("start", UNIT)
    say("stop-left", "connections taken over" in journal().rpartition(
        "inside a message (300 bytes")[2])
    peer.close()


def main():
    authority = configure()
    systemctl("start", "sepmlogd-udp.socket", "sepmlogd-tcp.socket",
              "sepmlogd-tls.socket", UNIT)
    restarts(authority)
    many()
    hang()
    stop()
    systemctl("stop", "sepmlogd-udp.socket", "sepmlogd-tcp.socket",
              "sepmlogd-tls.socket", UNIT)
    say("load", "done")


if __name__ == "__main__":
    sys.exit(main())
