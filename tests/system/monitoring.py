"""The alerts fire for what they are for, and they and the dashboard ask for
nothing that the daemon does not show."""

import json
import os
import re
import shutil
import subprocess
import urllib.request

import certificates
import harness
from harness import LOOPBACK, free_port

RULES = os.path.join(harness.ROOT, "conf/prometheus/sepmlogd.rules.yaml")
DASHBOARD = os.path.join(harness.ROOT, "conf/grafana/sepmlogd.json")
RULES_TEST = os.path.join(harness.ROOT, "tests/data/prometheus/rules.test.yaml")
METRIC = r"\b(?:sepmlogd|socket|input|parsed|output|filtered)_[a-z_]+\b"


def promtool(*arguments):
    result = subprocess.run(["promtool", *arguments], text=True, check=False,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return result.returncode, result.stdout


class Monitoring(harness.Case):
    def metrics(self):
        """Of a daemon with all kinds of listeners and a vault:
        {name: {label names}}."""
        authority = certificates.Authority(os.path.join(self.directory, "ca"))
        certificate, key = authority.issue("server", f"IP:{LOOPBACK}",
                                           "serverAuth")
        status = free_port()
        listen = [(kind, f"{LOOPBACK}:{free_port()}") for kind in
                  ("udp", "tcp")]
        listen.append(("tls", f"{LOOPBACK}:{free_port()}",
                       [f"certificate: {certificate}", f"key: {key}"]))
        _, public = certificates.vault_keys(self.directory, "vault")
        secret = os.path.join(self.directory, "privacy.key")
        with open(secret, "w", encoding="ascii") as file:
            file.write("0123456789abcdef" * 4)
        os.chmod(secret, 0o600)
        with self.daemon(listen=listen, config=(
                f"status: {{ listen: '{LOOPBACK}:{status}' }}\n"
                f"privacy: {{ key_file: '{secret}', "
                f"vault: {{ public_key: '{public}' }}, "
                "policies: [ { name: hidden, texts: hmac } ] }\n"
                "streams: [ { name: hidden, types: traffic, "
                "privacy: hidden } ]\n")):
            with urllib.request.urlopen(
                    f"http://{LOOPBACK}:{status}/metrics", timeout=10) as page:
                text = page.read().decode()
        shown = {}
        for name, labels in re.findall(r"(?m)^([a-z_]+)(?:\{(.*)\})? ", text):
            shown.setdefault(name, set()).update(
                re.findall(r'(\w+)="', labels))
        return shown

    def assert_shown(self, expressions):
        shown = self.metrics()
        asked = set(re.findall(METRIC, "\n".join(expressions)))
        self.assertGreater(len(asked), 10)
        self.assertEqual(sorted(asked - set(shown)), [])
        # What they group by, other than what Prometheus adds.
        labels = set.union(*shown.values())
        for names in re.findall(r"\b(?:by|without) \(([a-z, ]+)\)",
                                "\n".join(expressions)):
            for name in names.split(", "):
                self.assertIn(name, labels | {"instance"})

    def test_rules(self):
        harness.need("promtool")
        status, text = promtool("check", "rules", RULES)
        self.assertEqual(status, 0, text)
        self.assertIn("SUCCESS", text)

    def test_each_alert_fires(self):
        harness.need("promtool")
        for path in (RULES, RULES_TEST):
            shutil.copy(path, self.directory)
        status, text = promtool("test", "rules", os.path.join(
            self.directory, os.path.basename(RULES_TEST)))
        self.assertEqual(status, 0, text)
        with open(RULES, encoding="utf-8") as file:
            alerts = re.findall(r"alert: (\w+)", file.read())
        with open(RULES_TEST, encoding="utf-8") as file:
            tested = file.read()
        self.assertEqual([alert for alert in alerts
                          if f'ALERTS{{alertname="{alert}"}}' not in tested],
                         [])

    def test_rules_ask_for_what_is_shown(self):
        with open(RULES, encoding="utf-8") as file:
            self.assert_shown([line for line in file
                               if not line.lstrip().startswith("#")])

    def test_the_dashboard_asks_for_what_is_shown(self):
        with open(DASHBOARD, encoding="utf-8") as file:
            dashboard = json.load(file)
        self.assert_shown([target["expr"] for panel in dashboard["panels"]
                           for target in panel["targets"]])
        ids = [panel["id"] for panel in dashboard["panels"]]
        self.assertEqual(len(ids), len(set(ids)))


if __name__ == "__main__":
    harness.main()
