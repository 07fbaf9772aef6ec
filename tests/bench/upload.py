"""How fast sepmlog-upload delivers, beside the programs that one would use by
hand: curl to nginx over HTTPS, sftp to OpenSSH's server, on loopback.

    python3 -B tests/bench/upload.py [--files N] [--size MIB] [--rounds N]

Wants build/release (SEPMLOG_UPLOAD names another program), nginx, curl and
OpenSSH. The same files each time, in turn; medians of wall and processor time
of the client, and the ratio of rounds. sepmlog-upload also hashes each file,
syncs a receipt for it and deletes it.
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


def sftp(servers, paths):
    batch = servers.path("batch")
    with open(batch, "w", encoding="ascii") as file:
        for path in paths:
            file.write(f"put {path} {servers.root}/\n")
    return ["sftp", "-q", "-b", batch, "-P", str(servers.sshd.port), "-i",
            servers.key, "-o", f"UserKnownHostsFile={servers.known}",
            "-o", "StrictHostKeyChecking=yes", LOOPBACK]


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


PAIRS = (("HTTPS", "curl", curl, https_target),
         ("SFTP", "sftp", sftp, sftp_target))


def measure(command):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.monotonic()
    done = subprocess.run(command, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          check=False)
    wall = time.monotonic() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        sys.exit(f"{command[0]}: {done.stdout.decode()[-1000:]}")
    return wall, (after.ru_utime + after.ru_stime
                  - before.ru_utime - before.ru_stime)


def one(servers, options, way, round_):
    """A round of one way: both clients, in turn."""
    _, _, by_hand, target = way
    results = [None, None]
    for which in ((0, 1) if round_ % 2 else (1, 0)):
        spool = uploads.Outgoing(servers.path(f"spool-{round_}-{which}"))
        names = [spool.put(n, options.size << 20, data=options.data)
                 for n in range(1, options.files + 1)]
        os.sync()
        command = (ours(servers, spool, target(servers)) if which else
                   by_hand(servers, [spool.at("ready", name)
                                     for name in names]))
        results[which] = measure(command)
        arrived = sorted(os.listdir(servers.root))
        if arrived != sorted(names):
            sys.exit(f"{command[0]}: {len(arrived)} files arrived")
        servers.clear()
        shutil.rmtree(spool.path)
    return results


def report(way, options, rounds):
    name, by_hand, _, _ = way
    for which, title in ((0, by_hand), (1, "sepmlog-upload")):
        wall = [results[which][0] for results in rounds]
        cpu = [results[which][1] for results in rounds]
        ratio = [results[which][0] / results[0][0] for results in rounds]
        rate = options.files * options.size / statistics.median(wall)
        print(f"| {name}, {title} | {rate:.0f} | "
              f"{statistics.median(wall):.2f} ({min(wall):.2f}–"
              f"{max(wall):.2f}) | {statistics.median(ratio):.2f} | "
              f"{statistics.median(cpu):.2f} |", flush=True)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=40)
    parser.add_argument("--size", type=int, default=8, help="MiB of each")
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    options.data = os.urandom(options.size << 20)
    print("| | MiB/s | seconds | × by hand | CPU seconds |\n"
          "| --- | ---: | ---: | ---: | ---: |")
    with tempfile.TemporaryDirectory(prefix="sepmlogd-upload-") as directory:
        servers = Servers(directory)
        try:
            for way in PAIRS:
                one(servers, options, way, 0)  # warm
                report(way, options, [
                    one(servers, options, way, n + 1)
                    for n in range(options.rounds)])
        finally:
            servers.close()


if __name__ == "__main__":
    main()
