"""deploy/prometheus and deploy/grafana, by promtool and by a real Prometheus that watches a real server under load: the
target is up, every recording rule has a value, no alert fires, and every expression of the dashboard finds something.

Needs Debian's package prometheus; skips where it is absent. Environment: that of watched_server.py.
"""

import ctypes
import json
import pathlib
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.error
import urllib.parse
import urllib.request

import grpc

import watched_server

ROOT = watched_server.ROOT
CONFIG = ROOT / "deploy/prometheus/prometheus.yml"
DASHBOARD = ROOT / "deploy/grafana/sightline.json"
PROMETHEUS, PROMTOOL = shutil.which("prometheus"), shutil.which("promtool")
LOAD_SECONDS = 6
MOST_CALLS = 20_000
PATIENCE_SECONDS = 60


def metric_names(expression):
    """The metrics that an expression reads: what is written like one and is no function, label or keyword."""
    bare = re.sub(r'"(?:[^"\\]|\\.)*"', '""', expression)
    bare = re.sub(r"\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)", " ", bare)
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]", " ", bare)
    return set(re.findall(r"\b(?:sightline|process)[\w:]*|\bup\b", bare))


def family(name, listed):
    short = re.sub(r"_(bucket|sum|count)$", "", name)
    return short if listed.get(short, ("",))[0] == "histogram" else name


def expressions_of_dashboard():
    """(title, expression) of every panel and every variable."""
    board = json.loads(DASHBOARD.read_text())
    for panel in board["panels"]:
        for target in panel.get("targets", []):
            yield panel["title"], target["expr"]
    for variable in board["templating"]["list"]:
        if variable["type"] == "query":
            yield f"${variable['name']}", re.fullmatch(r"label_values\((.*), \w+\)", variable["query"]["query"])[1]


class Files(unittest.TestCase):
    def test_the_dashboard_is_what_its_script_writes(self):
        subprocess.run([sys.executable, "-B", ROOT / "deploy/grafana/make_dashboard.py", "--check"], check=True)

    def test_the_dashboard_is_whole(self):
        board = json.loads(DASHBOARD.read_text())
        self.assertGreaterEqual(board["schemaVersion"], 38)
        ids = [panel["id"] for panel in board["panels"]]
        self.assertEqual(len(ids), len(set(ids)))
        taken = set()
        for panel in board["panels"]:
            with self.subTest(panel["title"]):
                place = panel["gridPos"]
                cells = {(x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])}
                self.assertFalse(cells & taken, "two panels on one place")
                self.assertLessEqual(place["x"] + place["w"], 24)
                taken |= cells
                if panel["type"] != "row":
                    self.assertTrue(panel["targets"] and panel["description"])
                    self.assertEqual({target["datasource"]["uid"] for target in panel["targets"]}, {"${datasource}"})

    def test_every_metric_that_is_read_is_listed(self):
        listed, _ = watched_server.listed_metrics()
        rules = "\n".join(path.read_text() for path in sorted(CONFIG.parent.glob("rules/*.yml")))
        recorded = set(re.findall(r"record: (\S+)", rules))
        self.assertGreater(len(recorded), 10)
        code = "\n".join(line for line in rules.splitlines() if not re.match(r"\s*(#|- alert:|- name:|record:|- record:|\w+: \"|runbook:)", line))
        for title, expression in [*expressions_of_dashboard(), ("rules", code)]:
            for name in metric_names(expression):
                self.assertTrue(name in recorded or name == "up" or family(name, listed) in listed, f"{title} reads {name}, which is not listed")

    def test_every_alert_has_an_entry_in_the_runbook(self):
        headings = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
                    for heading in re.findall(r"^#+ (.+)$", (ROOT / "docs/operations.md").read_text(), re.M)}
        alerts = (CONFIG.parent / "rules/alerts.yml").read_text()
        names = re.findall(r"- alert: (\w+)", alerts)
        self.assertGreater(len(names), 10)
        for name in names:
            self.assertIn(name.lower(), headings, "docs/operations.md has no entry for it")
            self.assertIn(f"runbook: docs/operations.md#{name.lower()}\n", alerts + "\n")
        for word in ("summary:", "description:", "severity:"):
            self.assertEqual(alerts.count(word), len(names))

    def test_names_are_found_in_expressions(self):
        self.assertEqual(metric_names('sum by (job, instance) (rate(sightline_a_total{code="up",method=~"process_x"}[5m])) / up'),
                         {"sightline_a_total", "up"})


@unittest.skipUnless(PROMTOOL, "promtool is not installed (Debian's package prometheus)")
class Promtool(unittest.TestCase):
    def run_tool(self, *arguments):
        done = subprocess.run([PROMTOOL, *map(str, arguments)], capture_output=True, text=True, timeout=120, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_the_configuration_and_the_rules_are_right(self):
        self.run_tool("check", "config", CONFIG)
        # That of the containers, where it lies beside the rules.
        with tempfile.TemporaryDirectory() as folder:
            shutil.copy(ROOT / "docker/prometheus.yml", folder)
            shutil.copytree(CONFIG.parent / "rules", pathlib.Path(folder, "rules"))
            self.run_tool("check", "config", pathlib.Path(folder, "prometheus.yml"))
        self.run_tool("check", "rules", "--lint=all", "--lint-fatal", *sorted(CONFIG.parent.glob("rules/*.yml")))

    def test_the_alerts_fire_when_they_should(self):
        tests = ROOT / "tests/observe/alerts_test.yml"
        self.run_tool("test", "rules", tests)
        named = set(re.findall(r"alertname: (\w+)", tests.read_text()))
        self.assertEqual(set(re.findall(r"- alert: (\w+)", (CONFIG.parent / "rules/alerts.yml").read_text())), named, "an alert has no test")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def die_with_parent():
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


class Prometheus:
    """A Prometheus of its own with this project's configuration, every second instead of every 15; a context manager."""

    def __init__(self, target):
        self._folder = tempfile.TemporaryDirectory(prefix="sightline-prometheus.")
        folder = pathlib.Path(self._folder.name)
        text = CONFIG.read_text()
        for old, new in (("15s", "1s"), ("10s", "1s"), ("127.0.0.1:9464", target), ("rules/*.yml", str(CONFIG.parent / "rules/*.yml"))):
            assert old in text, f"{CONFIG} does not say {old}"
            text = text.replace(old, new)
        (folder / "prometheus.yml").write_text(text)
        self._log = open(folder / "log", "w+", encoding="utf-8")
        self.address = f"127.0.0.1:{free_port()}"
        self._process = subprocess.Popen(
            [PROMETHEUS, f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'data'}",
             f"--web.listen-address={self.address}", "--log.level=warn"],
            stdout=self._log, stderr=self._log, preexec_fn=die_with_parent)
        self.wait_for("Prometheus gets ready", lambda: self._ready())

    def _ready(self):
        if self._process.poll() is not None:
            raise AssertionError(f"Prometheus ended:\n{self.log()}")
        try:
            with urllib.request.urlopen(f"http://{self.address}/-/ready", timeout=5):
                return True
        except (urllib.error.URLError, OSError):
            return False

    def log(self):
        self._log.seek(0)
        return self._log.read()[-4000:]

    def api(self, path, **parameters):
        url = f"http://{self.address}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=30) as reply:
                answer = json.load(reply)
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{parameters or path}: {error.read().decode()}") from error
        assert answer["status"] == "success", answer
        return answer["data"]

    def query(self, expression):
        return self.api("query", query=expression)["result"]

    def wait_for(self, what, condition):
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not condition():
            if time.monotonic() > deadline:
                raise AssertionError(f"not within {PATIENCE_SECONDS} s: {what}\n{self.log()}")
            time.sleep(0.25)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.terminate()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()
        self._folder.cleanup()


def load(watched, seed, stop, failures):
    """Searches, writes, pictures and mistakes, one after the other, until `stop`; at most MOST_CALLS."""
    rng = random.Random(seed)
    for i in range(MOST_CALLS):
        if stop.is_set():
            return
        try:
            kind = i % 20
            if kind == 0:
                watched.search.Embed(watched.embedding(rng.randrange(1000)), timeout=60)
            elif kind == 1:
                watched.index.Index(watched.image(f"n{rng.randrange(500)}", [rng.gauss(0, 1) for _ in range(watched_server.DIM)]), timeout=60)
            elif kind == 2:
                try:
                    watched.search.Search(watched.query([1.0], "v"), timeout=60)
                except grpc.RpcError as error:
                    if error.code() != grpc.StatusCode.INVALID_ARGUMENT:
                        raise
            else:
                watched.search.Search(watched.query([rng.gauss(0, 1) for _ in range(watched_server.DIM)]), timeout=60)
        except grpc.RpcError as error:
            failures.append(error)
            return


@unittest.skipUnless(PROMETHEUS, "prometheus is not installed (Debian's package prometheus)")
class RealPrometheus(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.seed = random.randrange(1 << 32)
        print(f"seed {cls.seed}")
        # With a budget, so that its share of use has a value.
        cls.watched = watched_server.WatchedServer("--memory_budget=4G")
        try:
            cls.prometheus = Prometheus(f"127.0.0.1:{cls.watched.server.ports['admin']}")
        except BaseException:
            cls.watched.__exit__(*sys.exc_info())
            raise
        stop, failures = threading.Event(), []
        threads = [threading.Thread(target=load, args=(cls.watched, cls.seed + i, stop, failures)) for i in range(2)]
        for thread in threads:
            thread.start()
        time.sleep(LOAD_SECONDS)
        stop.set()
        for thread in threads:
            thread.join()
        if failures:
            cls.tearDownClass()
            raise AssertionError(f"seed {cls.seed}: {failures[0]}")

    @classmethod
    def tearDownClass(cls):
        cls.prometheus.__exit__(None, None, None)
        cls.watched.__exit__(None, None, None)

    def rules(self, kind):
        return [rule for group in self.prometheus.api("rules")["groups"] for rule in group["rules"] if rule["type"] == kind]

    def test_the_target_is_up(self):
        targets = self.prometheus.api("targets")["activeTargets"]
        self.assertEqual([target["health"] for target in targets], ["up"], targets)
        self.assertEqual([sample["value"][1] for sample in self.prometheus.query('up{job="sightline"}')], ["1"])
        cost = {name: float(self.prometheus.query(f"max_over_time({name}[5m])")[0]["value"][1])
                for name in ("scrape_duration_seconds", "scrape_samples_scraped")}
        print(f"a scrape of {cost['scrape_samples_scraped']:.0f} samples took at most {1e3 * cost['scrape_duration_seconds']:.1f} ms")

    def test_every_recording_rule_has_a_value(self):
        names = sorted({rule["name"] for rule in self.rules("recording")})
        self.assertGreater(len(names), 10)
        for name in names:
            with self.subTest(name):
                self.prometheus.wait_for(f"{name} has a value", lambda name=name: self.prometheus.query(f"{name} >= 0"))
        self.prometheus.wait_for("every rule is evaluated", lambda: all(rule["health"] == "ok" for rule in self.rules("recording")))

    def test_what_was_done_is_what_is_counted(self):
        self.prometheus.wait_for("searches are counted", lambda: self.prometheus.query(
            'sightline_requests_total{method="SearchService/Search",code="OK"} > 10'))
        self.assertTrue(self.prometheus.query('sightline_requests_total{method="SearchService/Search",code="INVALID_ARGUMENT"} > 0'))
        self.assertTrue(self.prometheus.query('sightline_stage_duration_seconds_count{stage="embed"} > 0'))
        self.assertTrue(self.prometheus.query('sightline_collection_requests_total{collection="v",code="OK"} > 10'))
        self.assertEqual(self.prometheus.query("sightline:failures:ratio_rate5m > 0"), [])

    def test_no_alert_fires(self):
        rules = self.rules("alerting")
        self.assertGreater(len(rules), 10)
        self.prometheus.wait_for("every alert is evaluated", lambda: all(rule["health"] == "ok" for rule in self.rules("alerting")))
        firing = [alert["labels"] for alert in self.prometheus.api("alerts")["alerts"] if alert["state"] == "firing"]
        self.assertEqual(firing, [])

    def test_every_alert_reads_series_that_are_there(self):
        _, sometimes = watched_server.listed_metrics()
        for rule in self.rules("alerting"):
            for part in re.split(r"\s+and on \([^)]*\)\s+", rule["query"]):
                value = re.sub(r"\s*(==|[<>])\s*[0-9.* ]+$", "", part)
                with self.subTest(rule["name"], expression=value):
                    self.assertNotEqual(value, part, "an alert without a threshold")
                    if metric_names(value) & sometimes:
                        self.prometheus.query(value)  # this server has none of them
                    else:
                        self.prometheus.wait_for(value, lambda value=value: self.prometheus.query(value))

    def test_every_value_that_a_selector_names_is_there(self):
        """Rules and panels that name a value which no series has would be silent for ever."""
        _, sometimes = watched_server.listed_metrics()
        expressions = [expression for _, expression in expressions_of_dashboard()]
        expressions += [rule["query"] for kind in ("alerting", "recording") for rule in self.rules(kind)]
        named = {(metric, label, value) for expression in expressions
                 for metric, labels in re.findall(r"\b([a-z][\w:]*)\{([^}]*)\}", expression)
                 for label, values in re.findall(r'(\w+)=~?"([^"$]*)"', labels)
                 for value in values.split("|") if re.fullmatch(r"[\w/]+", value)}
        self.assertGreater(len(named), 10)
        for metric, label, value in sorted(named):
            if metric in sometimes:
                continue
            with self.subTest(metric, label=label, value=value):
                self.prometheus.wait_for("it is there", lambda selector=f'{metric}{{{label}="{value}"}}': self.prometheus.query(selector))

    def test_every_expression_of_the_dashboard_finds_something(self):
        asked = 0
        for title, expression in expressions_of_dashboard():
            for name, value in (("$instance", ".*"), ("$collection", ".*"), ("$__rate_interval", "1m")):
                expression = expression.replace(name, value)
            with self.subTest(title, expression=expression):
                self.assertNotIn("$", expression)
                asked += 1
                if re.search(r"> 0$", expression):
                    self.prometheus.query(expression)  # of what did not happen there is nothing
                else:
                    self.prometheus.wait_for(expression, lambda expression=expression: self.prometheus.query(expression))
        self.assertGreater(asked, 40)


if __name__ == "__main__":
    unittest.main(verbosity=2)
