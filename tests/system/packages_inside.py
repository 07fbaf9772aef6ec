"""Runs inside the container that packages.py boots: the life of the packages
from installation to removal. Prints lines `name value`.

    packages_inside.py deb|rpm
"""

import contextlib
import glob
import gzip
import json
import os
import re
import subprocess
import sys
import threading
import time

import harness
from harness import message, wait_until

PORT = 514
RATE = 1000  # messages a second, per sender
SPOOL = harness.Spool("/var/spool/sepmlogd")
ARCHIVE = "/mnt/archive"
CONFIG = "/etc/sepmlogd/sepmlogd.yaml"
UPLOAD_CONFIG = "/etc/sepmlogd/sepmlog-upload.yaml"
SOCKETS = ["sepmlogd-udp.socket", "sepmlogd-tcp.socket"]
TARGETS = f"targets:\n- name: archive\n  type: dir\n  directory: {ARCHIVE}\n"
# Where a package, or what it runs, may leave something.
WATCHED = ["/etc", "/usr/bin", "/usr/sbin", "/usr/lib/systemd",
           "/usr/lib/sysusers.d", "/usr/lib/tmpfiles.d", "/usr/share/doc",
           "/usr/share/man", "/usr/share/bash-completion",
           "/usr/share/lintian", "/var/spool", "/var/lib/systemd",
           "/run/systemd/system", "/run/sepmlogd"]


def say(name, value):
    print(name, value, flush=True)


def run(*arguments):
    """The exit status and all output."""
    result = subprocess.run(arguments, stdout=subprocess.PIPE, text=True,
                            stderr=subprocess.STDOUT, check=False)
    return result.returncode, result.stdout


class Deb:
    """Each answers the exit status, as text, and what was said."""
    suffix = "deb"

    def call(self, *arguments):
        status, text = run("dpkg", "--force-unsafe-io", *arguments)
        print(text, flush=True)
        return f"{status}", text

    def install(self, directory):
        return self.call("--force-downgrade", "-i", *packages(directory))

    def remove(self):
        return self.call("-r", "sepmlog-upload", "sepmlogd")

    def version(self):
        return run("dpkg-query", "-W", "-f", "${Version}", "sepmlogd")[1]


class Rpm(Deb):
    """What they require is here, but no rpm knows of it."""
    suffix = "rpm"

    def call(self, *arguments):
        status, text = run("rpm", "--force-debian", "--nodeps", *arguments)
        print(text, flush=True)
        return f"{status}", text

    def install(self, directory):
        return self.call("-U", "--oldpackage", *packages(directory))

    def remove(self):
        return self.call("-e", "sepmlog-upload", "sepmlogd")

    def version(self):
        return run("rpm", "-q", "--qf", "%{VERSION}-%{RELEASE}",
                   "sepmlogd")[1]


MANAGER = Rpm() if sys.argv[1:] == ["rpm"] else Deb()


def state(*units):
    """Active or not, and enabled or not."""
    return " ".join(run("systemctl", verb, *units)[1].replace("\n", " ")
                    .strip() for verb in ("is-active", "is-enabled"))


def main_pid(unit):
    return int(run("systemctl", "show", "-p", "MainPID", "--value", unit)[1])


def owner(path):
    return run("stat", "-c", "%U:%G %a", path)[1].strip()


def packages(directory):
    return sorted(glob.glob(f"/packages/{directory}/*.{MANAGER.suffix}"))


def everything():
    found = set()
    for top in WATCHED:
        for path, directories, files in os.walk(top):
            found.update(os.path.join(path, name)
                         for name in directories + files)
    return found


def install():
    status, text = MANAGER.install("old")
    say("install", status)
    say("told", "systemctl enable --now" in text)
    say("after-install", state("sepmlogd.service", *SOCKETS,
                               "sepmlog-upload.service"))
    say("config", owner(CONFIG))
    say("upload-config", owner(UPLOAD_CONFIG))
    say("spool", owner(SPOOL.path))
    say("receipts", owner(SPOOL.path + "/upload"))
    say("tls", owner("/etc/sepmlogd/tls"))
    say("valid", run("sepmlogd", "-n")[0])
    say("manual", run("man", "-w", "8", "sepmlogd")[0])


def receive():
    say("start", run("systemctl", "enable", "--now", *SOCKETS,
                     "sepmlogd.service")[0])
    for kind in ("--udp", "--tcp"):
        body = message("l", len(kind)).partition(b"SymantecServer: ")[2]
        subprocess.run(["logger", "--server", "127.0.0.1", "--port", "514",
                        kind, "--rfc3164", "--tag", "SymantecServer",
                        "--size", "8KiB"], input=body, check=True)
    records = SPOOL.wait_records(2, "traffic")
    say("logged", len(records))
    say("remote", {record["remote_name"] for record in records})
    say("running", state("sepmlogd.service", *SOCKETS))


def deliver():
    os.makedirs(ARCHIVE)
    subprocess.run(["chown", "sepmlog-upload:", ARCHIVE], check=True)
    with open(UPLOAD_CONFIG, "w", encoding="utf-8") as file:
        file.write(TARGETS)
    os.makedirs("/etc/systemd/system/sepmlog-upload.service.d")
    with open("/etc/systemd/system/sepmlog-upload.service.d/target.conf",
              "w", encoding="utf-8") as file:
        file.write(f"[Service]\nReadWritePaths={ARCHIVE}\n")
    run("systemctl", "daemon-reload")
    say("upload-valid", run("sepmlog-upload", "-n")[0])
    say("upload-start", run("systemctl", "enable", "--now",
                            "sepmlog-upload")[0])
    run("systemctl", "kill", "-s", "USR1", "sepmlogd.service")
    wait_until(archived, "delivered")
    with gzip.open(archived()[0]) as file:
        say("delivered", sum(1 for line in file if json.loads(line)))
    say("delivered-as", owner(archived()[0]))
    wait_until(lambda: not SPOOL.ready(), "deleted from ready/")
    say("receipt", len(glob.glob(SPOOL.path + "/upload/receipts/*")) > 0)
    say("upload-running", state("sepmlog-upload.service"))
    say("adds-up", run("sepmlogctl", "verify", SPOOL.path)[0])


def archived():
    return sorted(glob.glob(ARCHIVE + "/traffic-*"))


def stored():
    """Each message, in the spool or delivered; it may be seen in both."""
    found = {}
    for sender, numbers in SPOOL.numbers(more=archived()).items():
        found[sender] = set(numbers)
    return found


def taken_over():
    """Connections that went over, per restart."""
    return re.findall(r"(\d+) of (\d+) connections taken over",
                      run("journalctl", "-o", "cat", "--no-pager", "-u",
                          "sepmlogd.service")[1])


def upgrade():
    """To another version under load, with a setting of one's own."""
    with open(CONFIG, "a", encoding="utf-8") as file:
        file.write("# mine\n")
    before = main_pid("sepmlogd.service"), main_pid("sepmlog-upload.service")
    senders = [harness.Sender(PORT, "a", RATE),
               harness.Sender(PORT, "b", RATE, counts=True)]
    datagrams = RATE * 6
    udp = threading.Thread(target=harness.send_udp,
                           args=(PORT, "d", datagrams, 0, 20, RATE))
    for thread in senders + [udp]:
        thread.start()
    wait_until(lambda: senders[1].sent > 0, "load")
    start = time.monotonic()
    say("upgrade", MANAGER.install("new")[0])
    say("upgrade-s", f"{time.monotonic() - start:.1f}")
    run("systemctl", "kill", "-s", "USR1", "sepmlogd.service")
    udp.join(60)
    for sender in senders:
        sender.stop()
    want = {"a": senders[0].sent, "b": senders[1].sent, "d": datagrams}
    with contextlib.suppress(AssertionError):
        wait_until(lambda: all(len(stored().get(s, ())) >= n
                               for s, n in want.items()), "stored", pause=0.2)
    found = stored()
    for sender, count in want.items():
        say(f"sent-{sender}", count)
        say(f"lost-{sender}", count - len(found.get(sender, ())))
    say("cut-off", sum(sender.error is not None for sender in senders))
    over = taken_over()
    say("taken-over", len(over) == 1 and over[0][0] == over[0][1] == "2")
    after = main_pid("sepmlogd.service"), main_pid("sepmlog-upload.service")
    say("replaced", all(a not in (0, b) for a, b in zip(after, before)))
    say("version", MANAGER.version())
    with open(CONFIG, encoding="utf-8") as file:
        say("mine", file.read().endswith("# mine\n"))
    say("config-after", owner(CONFIG))
    say("upgraded", state("sepmlogd.service", "sepmlog-upload.service"))
    say("adds-up-after", run("sepmlogctl", "verify", SPOOL.path)[0])


def refused_configuration():
    """What the new one would not take leaves the old one running."""
    with open(CONFIG, encoding="utf-8") as file:
        good = file.read()
    with open(CONFIG, "w", encoding="utf-8") as file:
        file.write(good + "colour: blue\n")
    before = main_pid("sepmlogd.service")
    status, text = MANAGER.install("old")
    say("refused", status)
    say("refused-told", "Mend it, then: systemctl restart sepmlogd" in text)
    say("refused-goes-on", main_pid("sepmlogd.service") == before)
    with open(CONFIG, "w", encoding="utf-8") as file:
        file.write(good)


def remove():
    run("systemctl", "kill", "-s", "USR1", "sepmlogd.service")
    say("remove", MANAGER.remove()[0])
    listening = run("ss", "-Hlntu", "sport = :514")[1]
    say("listening", listening.strip() or "nobody")
    say("config-stays", os.path.exists(CONFIG) or
        os.path.exists(CONFIG + ".rpmsave"))
    say("records-stay", sum(map(len, stored().values())) > 0)
    say("programs", [path for path in everything()
                     if path.startswith(("/usr/bin/sepm", "/usr/sbin/sepm"))])


def purge(before):
    # As it is left where a TLS key was put there.
    with open("/etc/sepmlogd/tls/key.pem", "w", encoding="ascii") as file:
        file.write("mine\n")
    status, text = MANAGER.call("-P", "sepmlog-upload", "sepmlogd")
    say("purge", status)
    say("purge-told", "rm -r /var/spool/sepmlogd" in text and
        "rm -r /etc/sepmlogd" in text)
    left = {path for path in everything() - before
            # sysusers' own, and the drop-in of this test.
            if not re.match(r"/etc/(passwd|group|g?shadow|subuid|subgid)-?$|"
                            r"/etc/\.pwd\.lock$|"
                            r"/etc/systemd/system/sepmlog-upload.service.d",
                            path)}
    say("key-stays", "/etc/sepmlogd/tls/key.pem" in left)
    say("spool-stays", SPOOL.path + "/ledger" in left)
    say("left", sorted(path for path in left if not path.startswith(
        ("/etc/sepmlogd/tls", "/var/spool/sepmlogd/"))))


def guide():
    """All of it once more, as the guide says it."""
    subprocess.run(["rm", "-r", SPOOL.path, "/etc/sepmlogd"], check=True)
    say("guide-ends", subprocess.run(
        [sys.executable, "-B", "/load/guide_inside.py"],
        check=False).returncode)
    # What `systemctl edit` has made is the administrator's.
    run("rm", "-r", "/etc/systemd/system/sepmlogd-udp.socket.d")
    say("guide-purge", MANAGER.call("-P", "sepmlog-upload", "sepmlogd")[0])


def empty(before):
    """Installed and purged again with nothing received: nothing is left."""
    subprocess.run(["rm", "-r", SPOOL.path, "/etc/sepmlogd"], check=True)
    say("again", MANAGER.install("old")[0])
    say("purge-again", MANAGER.call("-P", "sepmlog-upload", "sepmlogd")[0])
    say("left-again", sorted(path for path in everything() - before
                             if "sepm" in path and "service.d" not in path))


def main():
    before = everything()
    install()
    receive()
    deliver()
    upgrade()
    refused_configuration()
    remove()
    if MANAGER.suffix == "deb":
        purge(before)
        guide()
        empty(before)
    say("life", "done")


if __name__ == "__main__":
    sys.exit(main())
