"""A container over this machine's own file system with a real systemd, in
which a script runs as root. Needs root, systemd-nspawn and an overlay mount;
nothing of it is left on the machine."""

import contextlib
import os
import shutil
import subprocess

import harness

BUILD = os.environ.get("SEPMLOG_RELEASE_BUILD") or os.path.join(
    harness.ROOT, "build/release")
TIMEOUT = 200
UNITS = "etc/systemd/system/"

RUN_UNIT = """\
[Unit]
DefaultDependencies=no
[Service]
Type=oneshot
ExecStart=/bin/sh -c 'ip link set lo up; exec /bin/sh /test.sh >/out.txt 2>&1'
ExecStopPost=/bin/systemctl --force --force poweroff
"""

RUN_TARGET = """\
[Unit]
DefaultDependencies=no
Wants=runtest.service
"""


class Booted(harness.Case):
    """Boots once for all its tests, runs SCRIPT and keeps each line
    `name value` that it prints: `found[name]` are its values. Those of
    FIGURES are shown, whatever comes of the tests."""

    SCRIPT = "echo booted yes"
    FIGURES = ()

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.output = cls.boot()
        cls.found = {}
        for line in cls.output.splitlines():
            name, _, value = line.partition(" ")
            cls.found.setdefault(name, []).append(value)
        if cls.FIGURES:
            print("figure: " + ", ".join(
                f"{name} {' '.join(cls.found.get(name, ['-']))}"
                for name in cls.FIGURES))

    @classmethod
    def boot(cls):
        if os.geteuid() != 0:
            raise harness.unittest.SkipTest("needs root")
        harness.need("systemd-nspawn", "cmake", "logger", "ip")
        harness.need_namespace()
        if not os.path.exists(os.path.join(BUILD, "cmake_install.cmake")):
            raise harness.unittest.SkipTest("no release build")
        work = harness.tempfile.mkdtemp(prefix="sepmlogd-container-")
        cls.addClassCleanup(shutil.rmtree, work, ignore_errors=True)
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", work], check=True)
        cls.addClassCleanup(subprocess.run, ["umount", "-l", work])
        root = os.path.join(work, "root")
        for name in ("upper", "work", "root"):
            os.mkdir(os.path.join(work, name))
        if subprocess.run(
                ["mount", "-t", "overlay", "overlay", "-o",
                 f"lowerdir=/,upperdir={work}/upper,workdir={work}/work",
                 root], stderr=subprocess.DEVNULL).returncode != 0:
            raise harness.unittest.SkipTest("no overlay mount here")
        cls.addClassCleanup(subprocess.run, ["umount", "-l", root])
        cls.put(root, "etc/machine-id", "uninitialized\n")
        cls.put(root, "test.sh", cls.SCRIPT)
        cls.put(root, UNITS + "runtest.service", RUN_UNIT)
        cls.put(root, UNITS + "runtest.target", RUN_TARGET)
        # There is no network to wait for.
        os.symlink("/dev/null", os.path.join(
            root, UNITS, "systemd-networkd-wait-online.service"))
        os.mkdir(root + "/load")
        cls.take(root, "harness")
        cls.fill(root)
        return cls.run_in(root)

    @classmethod
    def fill(cls, root):
        """Puts into the container what SCRIPT needs."""

    @staticmethod
    def put(root, path, text):
        path = os.path.join(root, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)

    @staticmethod
    def take(root, *modules):
        """Modules of the tests, as /load/MODULE.py."""
        here = os.path.dirname(os.path.abspath(__file__))
        for name in modules:
            shutil.copy(os.path.join(here, name + ".py"), root + "/load")

    @staticmethod
    def run_in(root):
        # A cgroup of its own, so that systemd in the container may rule it.
        groups = [f"/sys/fs/cgroup/{hierarchy}/sepmlogd-test.{os.getpid()}"
                  for hierarchy in ("systemd", "unified")
                  if os.path.isdir(f"/sys/fs/cgroup/{hierarchy}")]

        def join_groups():
            for group in groups:
                with open(group + "/cgroup.procs", "wb") as file:
                    file.write(b"%d" % os.getpid())

        for group in groups:
            os.makedirs(group, exist_ok=True)
        command = ["systemd-nspawn", "-q", "--register=no", "--keep-unit",
                   "--private-network", "-D", root,
                   # which it would keep from its services
                   "--system-call-filter=landlock_create_ruleset "
                   "landlock_add_rule landlock_restrict_self",
                   "-M", f"sepmlogd{os.getpid()}", "-b",
                   "systemd.unit=runtest.target",
                   "systemd.log_level=warning"]
        with open(root + "/console.txt", "wb") as console:
            subprocess.run(["timeout", "-k", "5", str(TIMEOUT)] + command,
                           stdin=subprocess.DEVNULL, stdout=console,
                           stderr=subprocess.STDOUT, preexec_fn=join_groups)
        for group in groups:
            for path, _, _ in list(os.walk(group, topdown=False)):
                with contextlib.suppress(OSError):
                    os.rmdir(path)
        try:
            with open(root + "/out.txt", encoding="utf-8",
                      errors="replace") as file:
                output = file.read()
        except FileNotFoundError:
            output = ""
        if not output.startswith("booted yes"):
            with open(root + "/console.txt", encoding="utf-8",
                      errors="replace") as file:
                reason = file.read().strip().splitlines()[-1:]
            raise harness.unittest.SkipTest(
                f"systemd does not boot in a container here: {reason}")
        return output

    def number(self, name):
        """Of a line that is there once."""
        values = self.found.get(name, [])
        self.assertEqual(len(values), 1, f"{name}, in:\n{self.output}")
        return int(values[0])

    def assert_found(self, name, *values):
        self.assertEqual(self.found.get(name), list(values),
                         f"{name}, in:\n{self.output}")
