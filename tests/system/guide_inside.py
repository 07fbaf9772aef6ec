"""Follows sepmlogd-guide(7) inside the container that packages.py boots: what
stands there in a display is run as it stands there. Prints lines `name value`.

Left out: SEPM's console, the sysctl (a container may not set it), and the
upgrade and the removal, which packages_inside.py tries."""

import glob
import os
import re
import shutil
import socket
import subprocess
import sys

import harness
from harness import message, wait_until

CONFIG = "/etc/sepmlogd/sepmlogd.yaml"
SPOOL = harness.Spool("/var/spool/sepmlogd")
PACKAGES = "/packages/old"
PEERS = "/load/peers"
HERE, RELAY = "192.0.2.2", "192.0.2.5"       # as in the guide
NEW_YORK, TOKYO, STRANGER = "192.0.2.10", "198.51.100.7", "203.0.113.9"
EDITOR = """#!/bin/sh
case $1 in
*socket*) sed -i '/^### Anything/a [Socket]\\nReceiveBuffer=128M' "$1" ;;
esac
"""


def say(name, value):
    print(name, value, flush=True)


def run(*arguments, **options):
    """The exit status and all output."""
    result = subprocess.run(arguments, stdout=subprocess.PIPE, text=True,
                            stderr=subprocess.STDOUT, check=False,
                            stdin=subprocess.DEVNULL, **options)
    print(result.stdout, flush=True)
    return result.returncode, result.stdout


def shell(text, directory="/"):
    return run("sh", "-c", text, cwd=directory)


class Guide:
    """Its displays, by section."""

    def __init__(self):
        self.displays = {}
        section = display = None
        with open("/load/sepmlogd-guide.7", encoding="utf-8") as file:
            for line in file.read().splitlines():
                if line.startswith(".Ss "):
                    section = self.displays.setdefault(line[4:], [])
                elif line.startswith(".Bd "):
                    display = []
                elif line == ".Ed":
                    section.append("\n".join(display) + "\n")
                    display = None
                elif display is not None:
                    display.append(line.replace("\\e", "\\"))

    def __getitem__(self, section):
        return self.displays[section]


# --- the configuration -------------------------------------------------------

def configure(text):
    """Puts settings in the place of those of the same name."""
    with open(CONFIG, encoding="utf-8") as file:
        config = file.read()
    for key in re.findall(r"(?m)^([a-z_]+):", text):
        config = re.sub(rf"(?m)^{key}:.*\n(?:[ -].*\n)*", "", config)
    with open(CONFIG, "w", encoding="utf-8") as file:
        file.write(config + text)


def uncomment(*lines):
    """Takes out the `#` of lines that begin so."""
    with open(CONFIG, encoding="utf-8") as file:
        config = file.read()
    for line in lines:
        config, found = re.subn(rf"(?m)^#( +(?:- )?{line}:)", r" \1", config,
                                count=1)
        assert found, line
    # The entry stands below those of `listen`, as deep as they.
    config = re.sub(r"(?m)^  ( (?:- tls|  (?:certificate|key|client_ca)):)",
                    r" \1", config)
    with open(CONFIG, "w", encoding="utf-8") as file:
        file.write(config)


def by_host(stream="traffic"):
    return {record["peer"]: record for record in SPOOL.records(stream)}


def send(source, sender, port=514):
    with socket.create_connection((HERE, port), 20, (source, 0)) as peer:
        peer.sendall(message(sender, 0) + b"\n")


# --- the sections ------------------------------------------------------------

def install(guide):
    with open("/usr/local/bin/editor", "w", encoding="ascii") as file:
        file.write(EDITOR)
    os.chmod("/usr/local/bin/editor", 0o755)
    status, text = shell(guide["Install"][0], PACKAGES)
    say("guide-install", status)
    say("guide-doctor", "warns of nothing" in text)
    text = shell(guide["Install"][1])[1]
    say("guide-hello", "Hello" in text)


def sites(guide):
    shown, reload = guide["Several sites and zones"]
    for address in (NEW_YORK, TOKYO, STRANGER):
        run("ip", "address", "add", address + "/32", "dev", "lo")
    configure(shown)
    say("guide-reload", shell(reload)[0])
    send(NEW_YORK, "n")
    send(TOKYO, "t")
    with socket.create_connection((HERE, 514), 20, (STRANGER, 0)) as peer:
        say("guide-stranger", harness.is_closed(peer))
    wait_until(lambda: {NEW_YORK, TOKYO} <= set(by_host()), "both sites")
    found = by_host()
    say("guide-zones", " ".join(found[site]["begin"][11:19]
                                for site in (NEW_YORK, TOKYO)))
    shown = run("sepmlogctl", "status")[1]
    say("guide-status", NEW_YORK in shown and TOKYO in shown)


def relay_program():
    """rsyslog as the tests unpack it, and its environment."""
    program = PEERS + "/usr/sbin/rsyslogd"
    if not os.path.exists(program):
        return None, None
    libraries = glob.glob(PEERS + "/usr/lib/*-linux-gnu*")
    libraries += glob.glob(PEERS + "/lib/*-linux-gnu*")
    [modules] = glob.glob(PEERS + "/usr/lib/*-linux-gnu*/rsyslog")
    return ([program, "-n", "-C", "-iNONE", "-M", modules,
             "-f", "/relay/rsyslog.conf"],
            dict(os.environ, LD_LIBRARY_PATH=":".join(libraries)))


def relay(guide):
    """A machine of its own: a network namespace."""
    configure(f"allow: [{RELAY}, 127.0.0.1, '::1', {HERE}]\n")
    shell("systemctl reload sepmlogd")
    command, environment = relay_program()
    if command is None:
        say("guide-relay", "no rsyslog")
        return
    os.makedirs("/relay/work")
    with open("/relay/rsyslog.conf", "w", encoding="utf-8") as file:
        file.write('global(workDirectory="/relay/work")\n'
                   + guide["Behind rsyslog"][0])
    inside = ["ip", "netns", "exec", "relay"]
    for line in ("netns add relay",
                 "link add to-relay type veth peer name eth0 netns relay",
                 f"address add {HERE}/24 dev to-relay",
                 "link set to-relay up",
                 "-n relay link set lo up",
                 f"-n relay address add {RELAY}/24 dev eth0",
                 "-n relay link set eth0 up"):
        run("ip", *line.split())
    # What comes while this machine is away waits on the relay's disk.
    units = ["sepmlogd-udp.socket", "sepmlogd-tcp.socket", "sepmlogd.service"]
    run("systemctl", "stop", *units)
    with subprocess.Popen(inside + command, env=environment) as process:
        wait_until(lambda: ":514" in run(*inside, "ss", "-Hlnu")[1], "relay")
        body = message("r", 0).partition(b"SymantecServer: ")[2]
        subprocess.run(inside + ["logger", "--server", "127.0.0.1", "--port",
                                 "514", "--udp", "--rfc3164", "--tag",
                                 "SymantecServer", "--size", "8KiB"],
                       input=body, check=True)
        run("systemctl", "start", *units)
        wait_until(lambda: RELAY in by_host(), "passed on", timeout=60)
        process.terminate()
    record = by_host()[RELAY]
    say("guide-relay", f"{record['user']} {record['transport']}")
    run("ip", "netns", "delete", "relay")


def tls(guide):
    commands, try_it = guide["TLS with an authority of one's own"]
    directory = "/etc/sepmlogd/tls"
    say("guide-authority", shell("set -e\n" + commands)[0])
    # "In the same way", for a sender.
    sender = re.sub("key.pem|cert.(csr|ext|pem)", r"sender-\g<0>", "\n".join(
        line for line in commands.replace("\\\n", " ").splitlines()
        if not re.search("x509 -new|^chown", line) or "-CAcreate" in line))
    sender = sender.replace("logs.example.com", "sepm1.example.com") \
                   .replace("serverAuth", "clientAuth")
    say("guide-sender", shell("set -e\n" + sender)[0])
    uncomment("tls", "certificate", "key", "client_ca")
    text = shell(try_it, directory)[1]
    say("guide-verified", "Verification: OK" in text)
    with subprocess.Popen(
            ["openssl", "s_client", "-quiet", "-connect", "localhost:6514",
             "-CAfile", "ca.pem", "-cert", "sender-cert.pem",
             "-key", "sender-key.pem"], cwd=directory,
            stdin=subprocess.PIPE) as peer:
        peer.stdin.write(harness.counted(message("s", 0)))
        peer.stdin.flush()
        wait_until(lambda: SPOOL.numbers().get("s"), "stored from TLS")
        peer.stdin.close()
        peer.terminate()
    say("guide-tls", len(SPOOL.numbers()["s"]))


def bursts(guide):
    """`systemctl edit` wants a terminal."""
    edit, *others = guide["Sizing for bursts"][0].splitlines()
    run("script", "-qec", edit.partition("#")[0], "/dev/null",
        env=dict(os.environ, SYSTEMD_EDITOR="/usr/local/bin/editor"))
    say("guide-sized", shell("\n".join(others))[0])
    size = re.search(r"rb(\d+)", run("ss", "-Hlunm", "sport = :514")[1])
    say("guide-buffer", int(size[1]) // (2 << 20))


def disk_full(guide):
    with open(CONFIG, encoding="utf-8") as file:
        good = small = file.read()
    for setting, value in (("size", "1MiB"), ("quota", "4MiB"),
                           ("compress", "none")):
        small = re.sub(rf"(?m)^( +{setting}): .*", rf"\1: {value}", small,
                       count=1)
    with open(CONFIG, "w", encoding="utf-8") as file:
        file.write(small)
    shell("sepmlogd -n && systemctl restart sepmlogd")
    blocked = harness.send_until_blocked(514)
    wait_until(lambda: "spool.quota is used up" in run(
        "sh", "-c", guide["Disk full"][0])[1], "told", pause=0.5)
    say("guide-full", "told")
    os.makedirs("/elsewhere")

    def taken_away():
        # What had waited in buffers may fill it once more.
        for path in SPOOL.ready():
            shutil.move(path, "/elsewhere")
        return "used up" not in run("sepmlogctl", "doctor")[1]

    wait_until(taken_away, "goes on", timeout=60, pause=0.5)
    say("guide-goes-on", len(os.listdir("/elsewhere")) > 0)
    blocked.close()
    with open(CONFIG, "w", encoding="utf-8") as file:
        file.write(good)
    shell("systemctl restart sepmlogd")


def another_collector():
    """Its commands stand in the text."""
    configure("streams:\n"
              "  - { name: old, types: [traffic], format: csv }\n"
              "  - { name: rest, types: [events, unparsed], format: jsonl }\n")
    shell("sepmlogd -n && systemctl restart sepmlogd")
    harness.send_tcp(514, "c", 20)
    shell("systemctl kill -s USR1 sepmlogd.service")
    wait_until(lambda: SPOOL.ready("old"), "published")
    say("guide-consumer", run("sepmlogctl", "check-file", "--target",
                              "cloudsoc-csv", *SPOOL.ready("old"))[0])
    sums = run("sepmlogctl", "verify", "--json", SPOOL.path)[1]
    say("guide-sums", '"stored":' in sums)
    for name in ("guide-export", "guide-export-again"):
        say(name, shell("runuser -u sepmlogd -- sepmlogctl import --dedup "
                        "/var/spool/sepmlogd/ready /load/export.csv")
            [1].strip().splitlines()[-1])


def main():
    guide = Guide()
    install(guide)
    run("ip", "address", "add", HERE + "/32", "dev", "lo")
    sites(guide)
    run("ip", "address", "delete", HERE + "/32", "dev", "lo")
    relay(guide)
    run("ip", "address", "add", HERE + "/32", "dev", "lo")
    tls(guide)
    bursts(guide)
    disk_full(guide)
    another_collector()
    say("guide", "followed")


if __name__ == "__main__":
    sys.exit(main())
