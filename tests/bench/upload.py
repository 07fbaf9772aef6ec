"""How fast sepmlog-upload delivers, beside the programs that one would use by
hand: curl to nginx over HTTPS, sftp to OpenSSH's server, on loopback.

    python3 -B tests/bench/upload.py [--files N] [--size MIB] [--rounds N]
                                    [--no-ledger] [HTTPS] [SFTP]

Wants build/release (SEPMLOG_UPLOAD names another program), nginx, curl and
OpenSSH. The same files each time, in turn, one command and one connection for
all of them; medians of wall and processor time of the client, and the ratio of
rounds. The time is that of the whole command: both start, shake hands and end.
sepmlog-upload also makes its directories in a spool that is new each time,
asks the server for the size of each file that went there, syncs receipts and
deletes what they are for; over SFTP it has each file synced there, as
`put -f` does. Digests come from the ledger, or without one (--no-ledger) from
the files. What hashing or syncing alone costs beside curl and sftp is in rows
of its own. A round takes about a second, so that starts, which are a few
hundredths, do not decide: 120 files over HTTPS, 40 over SFTP.
"""

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "tests/system"))
os.environ.setdefault("SEPMLOG_UPLOAD", os.path.join(
    ROOT, "build/release/daemon/upload/sepmlog-upload"))

# pylint: disable=wrong-import-position
import certificates  # noqa: E402
import upload  # noqa: E402
import upload_sftp  # noqa: E402
import uploads  # noqa: E402
from harness import LOOPBACK  # noqa: E402


class Servers:
    def __init__(self, directory):
        def path(*parts):
            return os.path.join(directory, *parts)
        self.path = path
        authority = certificates.Authority(path("keys"))
        self.ca = authority.certificate
        self.root = path("root")
        os.makedirs(path("nginx"))
        self.nginx = upload.Nginx(path("nginx"), self.root, authority.issue(
            "server", f"IP:{LOOPBACK}", usage="serverAuth", key="rsa:2048"))
        self.nginx.start()
        self.sshd = upload_sftp.Sshd(path("sshd"))
        self.key = upload_sftp.make_key(path("id"))
        self.sshd.admit(self.key)
        self.known = path("known_hosts")
        with open(self.known, "w", encoding="ascii") as file:
            file.write(self.sshd.line())
        self.sshd.start()

    def close(self):
        self.nginx.kill()
        self.sshd.kill()

    def clear(self):
        shutil.rmtree(self.root)
        os.makedirs(self.root)


def curl(servers, paths):
    return ["curl", "-sS", "--fail", "--cacert", servers.ca, "-T",
            "{" + ",".join(paths) + "}", servers.nginx.url]


def hash_then(command):
    """The same files hashed before."""
    def with_hash(servers, paths):
        return ["sh", "-c", 'openssl dgst -sha256 $FILES && exec "$@"', "sh",
                *command(servers, paths)], {"FILES": " ".join(paths)}
    return with_hash


def hash_beside(command):
    """The same files hashed meanwhile."""
    def with_hash(servers, paths):
        return ["sh", "-c", 'openssl dgst -sha256 $FILES & "$@" && wait $!',
                "sh", *command(servers, paths)], {"FILES": " ".join(paths)}
    return with_hash


def sftp(servers, paths, put="put"):
    batch = servers.path("batch")
    with open(batch, "w", encoding="ascii") as file:
        for path in paths:
            file.write(f"{put} {path} {servers.root}/\n")
    return ["sftp", "-q", "-b", batch, "-P", str(servers.sshd.port), "-i",
            servers.key, "-o", f"UserKnownHostsFile={servers.known}",
            "-o", "StrictHostKeyChecking=yes", LOOPBACK]


def sftp_synced(servers, paths):
    return sftp(servers, paths, "put -f")


def ours(servers, spool, target):
    uploader = uploads.Uploader(
        servers.path(), spool.path, [dict(target, name="there")])
    return uploader.command("--once")


def https_target(servers):
    return {"type": "https", "url": f'"{servers.nginx.url}"',
            "ca": servers.ca}


def sftp_target(servers):
    return {"type": "sftp", "host": f'"{LOOPBACK}"',
            "port": servers.sshd.port, "user": "root",
            "known_hosts": servers.known, "key_file": servers.key,
            "directory": servers.root}


# name, target, clients by hand, files
WAYS = (
    ("HTTPS", https_target, (("curl", curl),
                             ("curl, hashed before", hash_then(curl)),
                             ("curl, hashed beside", hash_beside(curl))),
     120),
    ("SFTP", sftp_target, (("sftp", sftp), ("sftp, synced", sftp_synced)), 40),
)


def measure(command, more=None):
    # Into a file: nobody has to wake up for each line.
    with tempfile.TemporaryFile() as said:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        start = time.monotonic()
        done = subprocess.run(command, stdin=subprocess.DEVNULL,
                              env={**os.environ, **(more or {})},
                              stdout=said, stderr=said, check=False)
        wall = time.monotonic() - start
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if done.returncode:
            said.seek(0)
            sys.exit(f"{command[0]}: {said.read().decode()[-1000:]}")
    return wall, (after.ru_utime + after.ru_stime
                  - before.ru_utime - before.ru_stime)


def one(servers, options, way, which, round_):
    """A round of one client; the last one is ours."""
    _, target, by_hand, files = way
    spool = uploads.Outgoing(
        servers.path(f"spool-{round_}-{which}"), ledger=options.ledger)
    names = [spool.put(n, options.size << 20, data=options.data)
             for n in range(1, (options.files or files) + 1)]
    os.sync()
    if which == len(by_hand):
        command = ours(servers, spool, target(servers)), None
    else:
        command = by_hand[which][1](servers, [spool.at("ready", name)
                                              for name in names])
        if isinstance(command, list):
            command = command, None
    result = measure(*command)
    arrived = sorted(os.listdir(servers.root))
    if arrived != sorted(names):
        sys.exit(f"{command[0][0]}: {len(arrived)} files arrived")
    servers.clear()
    shutil.rmtree(spool.path)
    return result


def rounds_of(servers, options, way):
    """[round][client]; each goes first in turn, after a round to warm up."""
    count = len(way[2]) + 1
    rounds = []
    for n in range(options.rounds + 1):
        order = [(n + i) % count for i in range(count)]
        done = {which: one(servers, options, way, which, n)
                for which in order}
        rounds.append([done[which] for which in range(count)])
    return rounds[1:]


def report(way, options, rounds):
    name, _, by_hand, files = way
    files = options.files or files
    titles = [title for title, _ in by_hand] + ["sepmlog-upload"]
    for which, title in enumerate(titles):
        wall = [results[which][0] for results in rounds]
        cpu = [results[which][1] for results in rounds]
        ratio = [results[which][0] / results[0][0] for results in rounds]
        rate = files * options.size / statistics.median(wall)
        print(f"| {name}, {title} | {rate:.0f} | "
              f"{statistics.median(wall):.2f} ({min(wall):.2f}–"
              f"{max(wall):.2f}) | {statistics.median(ratio):.2f} | "
              f"{statistics.median(cpu):.2f} |", flush=True)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ways", nargs="*", default=["HTTPS", "SFTP"])
    parser.add_argument("--files", type=int, help="instead of what is usual")
    parser.add_argument("--size", type=int, default=8, help="MiB of each")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--no-ledger", dest="ledger", action="store_false",
                        help="as if sepmlogd had written none")
    options = parser.parse_args()
    options.data = os.urandom(options.size << 20)
    print("| | MiB/s | seconds | × by hand | CPU seconds |\n"
          "| --- | ---: | ---: | ---: | ---: |")
    with tempfile.TemporaryDirectory(prefix="sepmlogd-upload-") as directory:
        servers = Servers(directory)
        try:
            for way in WAYS:
                if way[0] not in options.ways:
                    continue
                report(way, options, rounds_of(servers, options, way))
        finally:
            servers.close()


if __name__ == "__main__":
    main()
