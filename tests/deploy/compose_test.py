"""Tests of docker/compose.yaml and the Dockerfiles: known keys, files that are there, settings that are the server's.

Environment: SIGHTLINE_SERVER, the server program.
"""

import os
import pathlib
import re
import subprocess
import unittest

import check_manifests as check

ROOT = pathlib.Path(__file__).resolve().parents[2]
COMPOSE = ROOT / "docker" / "compose.yaml"
SERVER = os.environ.get("SIGHTLINE_SERVER")
PROMETHEUS = ROOT / "deploy" / "prometheus" / "prometheus.yml"
DOCKERFILES = (ROOT / "docker" / "Dockerfile", ROOT / "docker" / "Dockerfile.gpu")

# Of the Compose specification, what the file may use.
SERVICE_KEYS = {
    "image", "build", "restart", "read_only", "tmpfs", "cap_drop", "security_opt", "stop_grace_period", "environment", "ports",
    "volumes", "depends_on", "command", "healthcheck", "deploy", "mem_limit", "cpus"}
INSTRUCTIONS = {
    "ARG", "FROM", "WORKDIR", "COPY", "RUN", "LABEL", "ENV", "USER", "VOLUME", "EXPOSE", "STOPSIGNAL", "HEALTHCHECK",
    "ENTRYPOINT", "CMD"}


def instructions(path):
    """(instruction, rest) of a Dockerfile, continued lines joined."""
    text = re.sub(r"^\s*#.*\n", "", path.read_text(), flags=re.MULTILINE)
    for line in re.sub(r"\\\n", " ", text).splitlines():
        if line.strip():
            word, _, rest = line.strip().partition(" ")
            yield word, rest.strip()


def environment_of(path):
    """ENV of the last stage."""
    found = {}
    for word, rest in instructions(path):
        if word == "FROM":
            found = {}
        if word == "ENV":
            found.update(re.findall(r"(\w+)=(\S+)", rest))
    return found


class Compose(unittest.TestCase):
    def setUp(self):
        self.file = check.load(COMPOSE.read_text())[0]

    def test_keys_are_known(self):
        self.assertLessEqual(set(self.file), {"name", "services", "volumes"})
        for name, service in self.file["services"].items():
            self.assertEqual(set(service) - SERVICE_KEYS, set(), name)

    def test_ports_are_published_on_loopback(self):
        for name, service in self.file["services"].items():
            for port in service.get("ports", ()):
                self.assertRegex(port, r"^127\.0\.0\.1:[0-9]+:[0-9]+$", name)

    def test_services_give_up_what_they_do_not_need(self):
        for name, service in self.file["services"].items():
            self.assertEqual(service["cap_drop"], ["ALL"], name)
            self.assertIn("no-new-privileges:true", service["security_opt"], name)
        self.assertTrue(self.file["services"]["sightline"]["read_only"])

    def test_volumes_and_files_are_there(self):
        used = set()
        for name, service in self.file["services"].items():
            for volume in service.get("volumes", ()):
                source = volume.split(":")[0]
                if source.startswith("."):
                    self.assertTrue((COMPOSE.parent / source).exists(), f"{name} mounts {source}")
                    self.assertTrue(volume.endswith(":ro"), f"{name} could write {source}")
                else:
                    used.add(source)
        self.assertEqual(used, set(self.file["volumes"]))
        build = self.file["services"]["sightline"]["build"]
        self.assertTrue((COMPOSE.parent / build["context"] / build["dockerfile"]).is_file())
        self.assertTrue((ROOT / "deploy" / "grafana" / "sightline.json").is_file())

    def test_the_metrics_are_where_prometheus_looks(self):
        services = self.file["services"]
        # One that shared the server's network would lose it with every restart of the server.
        self.assertNotIn("network_mode", services["prometheus"])
        port = environment_of(DOCKERFILES[0])["SIGHTLINE_ADMIN_LISTEN"].rpartition(":")[2]
        self.assertNotIn("SIGHTLINE_ADMIN_LISTEN", services["sightline"]["environment"])
        ours, alone = (check.load(path.read_text())[0] for path in (COMPOSE.parent / "prometheus.yml", PROMETHEUS))
        self.assertEqual(ours["scrape_configs"][0]["static_configs"], [{"targets": [f"sightline:{port}"]}])
        ours["scrape_configs"][0]["static_configs"] = alone["scrape_configs"][0]["static_configs"]
        self.assertEqual(ours, alone, "but for the target both configurations are one")
        mounts = dict(volume.split(":")[:2] for volume in services["prometheus"]["volumes"])
        self.assertEqual(mounts["./prometheus.yml"], "/etc/prometheus/prometheus.yml")
        self.assertEqual(mounts["../deploy/prometheus/rules"], "/etc/prometheus/rules")
        source = check.load((COMPOSE.parent / "grafana/datasources/prometheus.yaml").read_text())[0]["datasources"][0]
        port = re.search(r"listen-address=0\.0\.0\.0:([0-9]+)", " ".join(services["prometheus"]["command"]))[1]
        self.assertEqual(source["url"], f"http://prometheus:{port}")
        self.assertIn(f"127.0.0.1:{port}:{port}", services["prometheus"]["ports"])
        provider = check.load((COMPOSE.parent / "grafana/dashboards/sightline.yaml").read_text())[0]["providers"][0]
        mounts = [volume.split(":")[1] for volume in services["grafana"]["volumes"]]
        self.assertIn(provider["options"]["path"], mounts)

    @unittest.skipUnless(SERVER, "SIGHTLINE_SERVER names no server program")
    def test_the_server_takes_the_settings(self):
        for settings in [self.file["services"]["sightline"]["environment"]] + [environment_of(path) for path in DOCKERFILES]:
            settings = {name: value for name, value in settings.items() if name.startswith("SIGHTLINE_")}
            self.assertTrue(settings)
            flags = check.known_flags(SERVER)
            self.assertEqual({name for name in settings if name[len("SIGHTLINE_"):].lower() not in flags}, set())
            done = subprocess.run([SERVER, "--help"], env=settings, capture_output=True, text=True, timeout=60, check=False)
            self.assertIn("--data_dir", done.stdout, done.stderr)

    def test_images_run_as_a_user_and_say_what_they_are(self):
        for path in DOCKERFILES:
            with self.subTest(path.name):
                found = list(instructions(path))
                self.assertEqual({word for word, _ in found} - INSTRUCTIONS, set())
                last = dict(found)
                self.assertEqual(last["USER"], "10001:10001")
                self.assertEqual(last["STOPSIGNAL"], "SIGTERM")
                self.assertIn("sightline-server", last["ENTRYPOINT"])
                self.assertIn("HEALTHCHECK", last)
                self.assertEqual(last["VOLUME"], environment_of(path)["SIGHTLINE_DATA_DIR"])
                ports = {value.rpartition(":")[2] for name, value in environment_of(path).items() if name.endswith("LISTEN")}
                self.assertEqual(set(last["EXPOSE"].split()), ports)


if __name__ == "__main__":
    unittest.main()
