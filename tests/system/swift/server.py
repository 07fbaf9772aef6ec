"""OpenStack Swift with its S3 API, all its servers in one process:
server.py DIRECTORY PORT CERTIFICATE KEY REGION USER SECRET

It is what tests/peers.sh has unpacked, and runs with the system's Python.
Prints a line when it answers."""

import os
import sys

import eventlet
eventlet.patcher.monkey_patch(all=False, socket=True, select=True,
                              thread=True)

# pylint: disable=wrong-import-position
import eventlet.wsgi
from swift.common import utils
from swift.common.ring import RingBuilder
from swift.common.wsgi import SwiftHttpProtocol, loadapp

_STORAGE = """
[DEFAULT]
swift_dir = {work}
devices = {work}
mount_check = false
log_level = ERROR
[pipeline:main]
pipeline = server
[app:server]
use = egg:swift#{kind}
"""

_PROXY = """
[DEFAULT]
swift_dir = {work}
log_level = ERROR
[pipeline:main]
pipeline = s3api tempauth slo proxy-server
[filter:s3api]
use = egg:swift#s3api
location = {region}
[filter:tempauth]
use = egg:swift#tempauth
user_{user} = {secret} .admin
[filter:slo]
use = egg:swift#slo
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
"""


class Memory:
    """Stands in for memcached."""

    def __init__(self):
        self.values = {}

    def get(self, key, **_):
        return self.values.get(key)

    def set(self, key, value, **_):
        self.values[key] = value

    def delete(self, key, **_):
        self.values.pop(key, None)


def remembering(inner):
    memory = Memory()

    def outer(env, start_response):
        env["swift.cache"] = memory
        return inner(env, start_response)
    return outer


def ring(work, kind, port):
    builder = RingBuilder(1, 1, 0)
    builder.add_dev({"region": 1, "zone": 1, "weight": 1, "ip": "127.0.0.1",
                     "port": port, "device": "disk"})
    builder.rebalance()
    builder.get_ring().save(os.path.join(work, f"{kind}.ring.gz"))


def app(work, kind, text, **places):
    path = os.path.join(work, f"{kind}.conf")
    with open(path, "w", encoding="ascii") as file:
        file.write(text.format(work=work, kind=kind, **places))
    return loadapp(path)


def main():
    work, port, certificate, key, region, user, secret = sys.argv[1:]
    utils.HASH_PATH_SUFFIX = b"sepmlog"
    os.makedirs(os.path.join(work, "disk"))
    sockets = {kind: eventlet.listen(("127.0.0.1", 0))
               for kind in ("account", "container", "object")}
    for kind, listening in sockets.items():
        ring(work, kind, listening.getsockname()[1])
    apps = {kind: app(work, kind, _STORAGE) for kind in sockets}
    apps["proxy"] = remembering(app(
        work, "proxy", _PROXY, region=region, user=user.replace(":", "_"),
        secret=secret))
    sockets["proxy"] = eventlet.wrap_ssl(
        eventlet.listen(("127.0.0.1", int(port))), certfile=certificate,
        keyfile=key, server_side=True)
    threads = [eventlet.spawn(
        eventlet.wsgi.server, listening, apps[kind],
        protocol=SwiftHttpProtocol, log_output=False)
        for kind, listening in sockets.items()]
    print("ready", flush=True)
    for thread in threads:
        thread.wait()


main()
