"""The Debian packages under a real systemd, in a container: installed, started,
upgraded under load, removed and purged. Before that lintian looks at them."""

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
python3 -B /load/packages_inside.py 2>&1
"""


def make(directory):
    """Packages of the release build."""
    result = subprocess.run(
        ["cpack", "--config", os.path.join(nspawn.BUILD, "CPackConfig.cmake"),
         "-G", "DEB", "-B", directory], cwd=nspawn.BUILD, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if result.returncode != 0:
        raise AssertionError(result.stdout[-4000:])
    return sorted(glob.glob(directory + "/*.deb"))


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


class Packages(nspawn.Booted):
    SCRIPT = SCRIPT

    @classmethod
    def fill(cls, root):
        harness.need("cpack", "dpkg-shlibdeps", "dpkg-deb", "file")
        if not os.path.exists(os.path.join(nspawn.BUILD, "CPackConfig.cmake")):
            raise harness.unittest.SkipTest("no release build with packages")
        old, work = root + "/packages/old", root + "/packages/work"
        made = make(work)
        os.makedirs(old)
        cls.packages = [shutil.copy(package, old) for package in made]
        renumber(made, root + "/packages/new", work)
        cls.lint = cls.lintian()
        shutil.rmtree(work)
        cls.take(root, "packages_inside", "certificates")
        # One forbids to start services, where a machine is built as an image;
        # with the other each dpkg reads all manual pages of the machine.
        for path in ("/usr/sbin/policy-rc.d", "/var/lib/man-db/auto-update"):
            if os.path.exists(root + path):
                os.remove(root + path)

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

    def test_installed(self):
        self.assert_found("install", "0")
        self.assert_found("told", "True")
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
        self.assert_found("verify", "0")

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
        self.assert_found("verify-after", "0")

    def test_a_tls_listener_is_added(self):
        self.assert_found("tls-valid", "0")
        self.assert_found("tls-start", "0")
        self.assert_found("tls-stored", "1")
        self.assert_found("tls-off", "0")

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


if __name__ == "__main__":
    nspawn.enter_namespace()
    harness.main()
