"""The packages under a real systemd, in a container: installed, started, upgraded
under load, removed and purged, and used as the guide says. Before that lintian
looks at those for Debian."""

import glob
import os
import re
import shutil
import subprocess

import harness
import nspawn

NEW = "9.0-1"
SCRIPT = """\
echo "booted yes"
python3 -B /load/packages_inside.py {kind} 2>&1
"""


def make(kind, directory, *options):
    """Packages of the release build."""
    result = subprocess.run(
        ["cpack", "--config", os.path.join(nspawn.BUILD, "CPackConfig.cmake"),
         "-G", kind.upper(), "-B", directory, *options], cwd=nspawn.BUILD,
        text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        check=False)
    if result.returncode != 0:
        raise AssertionError(result.stdout[-4000:])
    return sorted(glob.glob(f"{directory}/*.{kind}"))


def renumber(packages, directory, work):
    """The same with another version, as the next release will have it."""
    os.makedirs(directory)
    for package in packages:
        tree = os.path.join(work, "tree")
        subprocess.run(["dpkg-deb", "-R", package, tree], check=True)
        control = os.path.join(tree, "DEBIAN/control")
        with open(control, encoding="utf-8") as file:
            text = file.read()
        version = re.search(r"(?m)^Version: (.*)$", text)[1]
        with open(control, "w", encoding="utf-8") as file:
            file.write(text.replace(version, NEW))
        subprocess.run(["dpkg-deb", "-Znone", "-b", tree, directory],
                       check=True, stdout=subprocess.DEVNULL)
        shutil.rmtree(tree)


class Life:
    """From installation to removal, whatever the packages are."""

    KIND = ""

    @classmethod
    def fill(cls, root):
        harness.need("cpack", "file")
        if not os.path.exists(os.path.join(nspawn.BUILD, "CPackConfig.cmake")):
            raise harness.unittest.SkipTest("no release build with packages")
        old, work = root + "/packages/old", root + "/packages/work"
        os.makedirs(old)
        cls.packages = [shutil.copy(package, old)
                        for package in make(cls.KIND, work)]
        cls.make_new(root + "/packages/new", work)
        shutil.rmtree(work)
        cls.take(root, "packages_inside", "guide_inside")
        if os.path.exists(harness.PEERS):
            # A tree below /tmp is not seen from inside.
            shutil.copytree(harness.PEERS, root + "/load/peers", symlinks=True,
                            ignore=shutil.ignore_patterns("packages"))
        for path in ("conf/sepmlogd-guide.7", "tests/data/samples/export.csv"):
            shutil.copy(os.path.join(harness.ROOT, path), root + "/load")
        # One forbids to start services, where a machine is built as an image;
        # with the other each dpkg reads all manual pages of the machine.
        for path in ("/usr/sbin/policy-rc.d", "/var/lib/man-db/auto-update"):
            if os.path.exists(root + path):
                os.remove(root + path)

    def test_installed(self):
        self.assert_found("install", "0")
        self.assert_found("config", "root:sepmlog 640")
        self.assert_found("upload-config", "root:sepmlog 640")
        self.assert_found("spool", "sepmlogd:sepmlog 750")
        self.assert_found("receipts", "sepmlog-upload:sepmlog 750")
        self.assert_found("tls", "sepmlogd:sepmlog 700")
        self.assert_found("valid", "0")

    def test_nothing_is_started_at_installation(self):
        self.assert_found(
            "after-install",
            " ".join(["inactive"] * 4 + ["disabled"] * 4))

    def test_messages_arrive(self):
        self.assert_found("start", "0")
        self.assert_found("logged", "2")
        self.assert_found("remote", "{'cloud.example'}")
        self.assert_found("running", " ".join(["active"] * 3 +
                                              ["enabled"] * 3))

    def test_the_uploader_delivers(self):
        self.assert_found("upload-valid", "0")
        self.assert_found("upload-start", "0")
        self.assert_found("delivered", "2")
        self.assert_found("receipt", "True")
        self.assert_found("upload-running", "active enabled")
        self.assert_found("adds-up", "0")

    def test_an_upgrade_under_load_loses_nothing(self):
        self.assert_found("upgrade", "0")
        for sender in ("a", "b", "d"):
            self.assertGreater(int(self.found[f"sent-{sender}"][0]), 1000)
            self.assert_found(f"lost-{sender}", "0")
        self.assert_found("cut-off", "0")
        self.assert_found("taken-over", "True")
        self.assert_found("replaced", "True")
        self.assert_found("version", NEW)
        self.assert_found("mine", "True")
        self.assert_found("config-after", "root:sepmlog 640")
        self.assert_found("upgraded", "active active enabled enabled")
        self.assert_found("adds-up-after", "0")

    def test_a_refused_configuration_leaves_the_old_one_running(self):
        self.assert_found("refused", "0")
        self.assert_found("refused-told", "True")
        self.assert_found("refused-goes-on", "True")

    def test_a_removal_keeps_configuration_and_records(self):
        self.assert_found("remove", "0")
        self.assert_found("listening", "nobody")
        self.assert_found("config-stays", "True")
        self.assert_found("records-stay", "True")
        self.assert_found("programs", "[]")


class Debian(Life, nspawn.Booted):
    KIND = "deb"
    SCRIPT = SCRIPT.format(kind=KIND)

    @classmethod
    def fill(cls, root):
        harness.need("dpkg-shlibdeps", "dpkg-deb")
        super().fill(root)
        cls.lint = cls.lintian()

    @classmethod
    def make_new(cls, directory, work):
        renumber(cls.packages, directory, work)

    @classmethod
    def lintian(cls):
        # It takes longer than all the rest.
        if os.environ.get("SEPMLOG_TESTS") != "all" or \
                not shutil.which("lintian"):
            return None
        return subprocess.run(
            ["lintian", "--allow-root", "--display-info", "--pedantic",
             *cls.packages], text=True, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, check=False).stdout

    def test_lintian_has_nothing_to_say(self):
        if self.lint is None:
            self.skipTest("only with SEPMLOG_TESTS=all, where it is installed")
        self.assertEqual([line for line in self.lint.splitlines()
                          if re.match("[EWIPN]: sepm", line)], [])

    def test_the_installation_says_how_to_start(self):
        self.assert_found("told", "True")

    def test_a_purge_keeps_what_is_not_ours(self):
        self.assert_found("purge", "0")
        self.assert_found("purge-told", "True")
        self.assert_found("key-stays", "True")
        self.assert_found("spool-stays", "True")
        self.assert_found("left", "['/etc/sepmlogd', '/var/spool/sepmlogd']")

    def test_a_purge_of_what_was_never_used_leaves_nothing(self):
        self.assert_found("again", "0")
        self.assert_found("purge-again", "0")
        self.assert_found("left-again", "[]")

    # -- sepmlogd-guide(7), see guide_inside.py

    def test_the_guide_is_followed_to_its_end(self):
        self.assert_found("guide-ends", "0")
        self.assert_found("guide", "followed")
        self.assert_found("guide-purge", "0")

    def test_the_guide_installs(self):
        self.assert_found("guide-install", "0")
        self.assert_found("guide-doctor", "True")
        self.assert_found("guide-hello", "True")

    def test_the_guide_tells_sites_and_zones(self):
        self.assert_found("guide-reload", "0")
        self.assert_found("guide-stranger", "True")
        self.assert_found("guide-zones", "13:31:09 00:31:09")
        self.assert_found("guide-status", "True")

    def test_the_guide_puts_a_relay_in_front(self):
        if self.found.get("guide-relay") == ["no rsyslog"]:
            self.skipTest("no rsyslogd (tests/run.sh unpacks one)")
        self.assert_found("guide-relay", "r-0 tcp")

    def test_the_guide_makes_an_authority(self):
        self.assert_found("guide-authority", "0")
        self.assert_found("guide-sender", "0")
        self.assert_found("guide-verified", "True")
        self.assert_found("guide-tls", "1")

    def test_the_guide_makes_room_for_bursts(self):
        self.assert_found("guide-sized", "0")
        self.assert_found("guide-buffer", "128")

    def test_the_guide_finds_room(self):
        self.assert_found("guide-full", "told")
        self.assert_found("guide-goes-on", "True")

    def test_the_guide_takes_over_from_another_collector(self):
        self.assert_found("guide-consumer", "0")
        self.assert_found("guide-sums", "True")
        self.assert_found("guide-export", "5 records, 5 traffic")
        self.assert_found("guide-export-again", "0 records")


class Rpm(Life, nspawn.Booted):
    """On a system whose database of packages knows nothing of the rest; how
    they start by themselves is as on those that have rpm."""

    KIND = "rpm"
    SCRIPT = SCRIPT.format(kind=KIND)

    @classmethod
    def fill(cls, root):
        if os.environ.get("SEPMLOG_TESTS") != "all":
            raise harness.unittest.SkipTest("only with SEPMLOG_TESTS=all")
        harness.need("rpm", "rpmbuild")
        super().fill(root)
        cls.put(root, "etc/systemd/system-preset/99-default.preset",
                "disable *\n")

    @classmethod
    def make_new(cls, directory, work):
        version, release = NEW.split("-")
        os.makedirs(directory)
        for package in make(cls.KIND, work + "/new", "-D",
                            f"CPACK_PACKAGE_VERSION={version}", "-D",
                            f"CPACK_PACKAGE_RELEASE={release}"):
            shutil.copy(package, directory)


if __name__ == "__main__":
    if os.geteuid() == 0:
        harness.enter_namespace()
    harness.main()
