"""What a server tells those who watch it: ids and traces of calls, its log, /statusz, and that docs/metrics.md lists exactly
what /metrics says.

Environment: that of watched_server.py.
"""

import json
import os
import re
import subprocess
import tempfile
import time
import unittest

import grpc

import watched_server

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"
COLUMNS = 100


class Watch(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        # Every request is slow, and every line is written.
        cls.watched = watched_server.WatchedServer("--slow_request=1us", "--log_lines_per_second=10000", "--log_level=debug",
                                                   "--metrics_collections=2")

    @classmethod
    def tearDownClass(cls):
        cls.watched.__exit__(None, None, None)

    def lines(self, **fields):
        """The lines of the log with these fields; waits for the first, since a call is written down as its answer leaves."""
        deadline = time.monotonic() + 20
        while True:
            parsed = [json.loads(line) for line in self.watched.whole_log().split("\n") if line.startswith("{")]
            found = [line for line in parsed if fields.items() <= line.items()]
            if found or time.monotonic() > deadline:
                return found
            time.sleep(0.05)

    def search(self, *metadata, collection="v"):
        """The headers that a search is answered with, and its code."""
        call = self.watched.search.Search.with_call
        try:
            _, answered = call(self.watched.query([1] * watched_server.DIM, collection), timeout=60, metadata=metadata)
        except grpc.RpcError as error:
            answered = error
        return dict(answered.initial_metadata()), answered.code().name

    def test_an_id_comes_back_with_answers_and_with_errors(self):
        for collection, expected in (("v", "OK"), ("nowhere", "NOT_FOUND")):
            with self.subTest(expected):
                headers, code = self.search(("x-request-id", f"mine/{expected}"), collection=collection)
                self.assertEqual((code, headers["x-request-id"]), (expected, f"mine/{expected}"))
                self.assertNotIn("traceparent", headers)
                made, _ = self.search(collection=collection)
                self.assertRegex(made["x-request-id"], r"^[0-9a-f]{16}$")
                line = self.lines(message="request", request_id=f"mine/{expected}")[0]
                self.assertEqual((line["method"], line["collection"], line["code"]), ("SearchService/Search", collection, expected))
                self.assertIn("127.0.0.1", line["peer"])

    def test_a_trace_is_joined(self):
        headers, _ = self.search(("traceparent", f"00-{TRACE}-{PARENT}-01"), ("x-request-id", "traced"))
        answer = re.fullmatch(f"00-{TRACE}-([0-9a-f]{{16}})-01", headers["traceparent"])
        self.assertTrue(answer, headers)
        self.assertNotEqual(answer[1], PARENT)
        line = self.lines(message="request", request_id="traced")[0]
        self.assertEqual((line["trace_id"], line["parent_span"], line["span"]), (TRACE, PARENT, answer[1]))

    def test_the_state_of_a_trace_goes_on_with_it(self):
        before = self.ignored()
        trace = ("traceparent", f"00-{TRACE}-{PARENT}-01")
        for states, expected in ((["rojo=00f067aa0ba902b7"], "rojo=00f067aa0ba902b7"), (["congo=t61", "rojo=1,a=2"], "congo=t61,rojo=1,a=2"),
                                 (["x" * 512], "x" * 512), (["x" * 513], None), (["a=1,"] * 32, None), ([], None)):
            headers, code = self.search(trace, *(("tracestate", state) for state in states))
            self.assertEqual((code, headers.get("tracestate")), ("OK", expected))
            self.assertIn("traceparent", headers)
        headers, code = self.search(("tracestate", "rojo=1"))
        self.assertEqual((code, "tracestate" in headers), ("OK", False), "without a trace it means nothing")
        headers, code = self.search(trace, trace)
        self.assertEqual((code, "traceparent" in headers), ("OK", False), "two traces are none")
        after = self.ignored()
        self.assertEqual({header: after[header] - before[header] for header in after}, {"traceparent": 1, "tracestate": 2, "x-request-id": 0})

    def test_headers_that_are_not_sane_are_counted_and_not_repeated(self):
        before = self.ignored()
        traces = ["00", f"00-{TRACE}-{PARENT}", f"00-{'0' * 32}-{PARENT}-01", f"ff-{TRACE}-{PARENT}-01", f"00-{TRACE.upper()}-{PARENT}-01",
                  f"00-{TRACE}-{PARENT}-01-more", "x" * 4000]
        ids = ["two words", '","level":"error', "<script>", "x" * 129, "x" * 4000]
        for value in traces:
            headers, code = self.search(("traceparent", value))
            self.assertEqual((code, "traceparent" in headers), ("OK", False), value)
        for value in ids:
            headers, code = self.search(("x-request-id", value))
            self.assertEqual(code, "OK")
            self.assertRegex(headers["x-request-id"], r"^[0-9a-f]{16}$")
        after = self.ignored()
        self.assertEqual((after["traceparent"] - before["traceparent"], after["x-request-id"] - before["x-request-id"]),
                         (len(traces), len(ids)))

    def ignored(self):
        return {header: float(value) for header, value in
                re.findall(r'^sightline_ignored_headers_total\{header="([\w-]+)"\} (\S+)$', self.watched.get("/metrics"), re.M)}

    def test_a_stream_answers_one_id_and_every_item_is_written_down(self):
        requests = [self.watched.message("SearchStreamRequest", request=self.watched.query([1, i] + [0] * 14)) for i in range(20)]
        for i, request in enumerate(requests):
            request.request.request_id = f"item{i}"
        call = self.watched.search.SearchStream(iter(requests), timeout=60,
                                                metadata=(("x-request-id", "stream/1"), ("traceparent", f"00-{TRACE}-{PARENT}-00")))
        self.assertEqual(len(list(call)), 20)
        headers = call.initial_metadata()
        self.assertEqual([value for key, value in headers if key == "x-request-id"], ["stream/1"])
        self.assertEqual(len([value for key, value in headers if key == "traceparent"]), 1)
        lines = self.lines(message="request", request_id="stream/1")
        deadline = time.monotonic() + 20
        while len(lines) < 20 and time.monotonic() < deadline:
            lines = self.lines(message="request", request_id="stream/1")
        self.assertEqual(len(lines), 20)
        self.assertEqual(len({line["span"] for line in lines}), 20, "every item has a span of its own")

    def test_slow_requests_are_written_with_their_stages(self):
        self.watched.search.Embed(self.watched.embedding(1), timeout=60, metadata=(("x-request-id", "slow/1"),))
        line = self.lines(message="slow request", request_id="slow/1")[0]
        self.assertEqual((line["level"], line["method"], line["code"]), ("warning", "SearchService/Embed", "OK"))
        for field in ("ms", "decode_queue_ms", "decode_ms", "queue_ms", "embed_ms"):
            self.assertGreaterEqual(float(line[field]), 0, field)
        self.assertGreaterEqual(int(line["embed_batch"]), 1)

    def test_every_line_of_the_log_is_json(self):
        for hostile in ('"', "\\", "new\nline", "\x1b[31mred", "\u2028", "x" * 100_000):
            self.search(collection=hostile)
        for line in self.watched.whole_log().split("\n"):
            if line:
                self.assertIsInstance(json.loads(line), dict, line[:200])
                self.assertLess(len(line), 4000)

    def test_the_status_page(self):
        headers, _ = self.search(("x-request-id", "shown"), ("traceparent", f"00-{TRACE}-{PARENT}-01"))
        self.search(collection="\x1b[2J" + "wide " * 1000)
        page = self.watched.get("/statusz")
        for words in ("sightline-server 0.1", "up ", "settings that are not the default", "slow_request = 1us", f"model {watched_server.MODEL}",
                      "collection v: ", "queues: decode 0 model 0 search 0", "last slow requests, newest first", "last failures: none",
                      "operations:", "SearchService/Search", "request shown", TRACE):
            self.assertIn(words, page)
        self.assertNotIn("\x1b", page)
        for line in page.splitlines():
            self.assertLessEqual(len(line), COLUMNS, line)
        self.assertLess(len(page), 20_000, "what is remembered is bounded")

    def test_the_list_of_metrics_is_what_the_server_says(self):
        self.watched.search.Embed(self.watched.embedding(2), timeout=60)
        self.search()
        listed, sometimes = watched_server.listed_metrics()
        served = watched_server.served_metrics(self.watched.get("/metrics"))
        self.assertGreater(len(listed), 40)
        self.assertEqual(set(served) - set(listed), set(), "these are not listed in docs/metrics.md")
        self.assertEqual(set(listed) - set(served) - sometimes, set(), "docs/metrics.md lists these, and the server has none")
        for name, (kind, labels, lines) in served.items():
            with self.subTest(name):
                self.assertEqual(kind, listed[name][0])
                if lines:
                    self.assertEqual(labels, listed[name][1])
                else:
                    self.assertIn(name, sometimes, "a metric without a value")
        # This server has neither keys nor TLS.
        self.assertEqual({name for name in sometimes if served[name][2]}, set(), "docs/metrics.md says that these need setting up")

    def test_series_of_collections_are_bounded_and_go_away(self):
        def collections_shown():
            return set(re.findall(r'collection="([^"]*)"', self.watched.get("/metrics")))

        for name in ("w", "x", "y"):
            self.watched.make_collection(name)
        self.search(collection="x")
        self.search(collection="made-up")
        self.search(collection='quoted"} 1\n')
        # Two have series of their own, the first that came.
        self.assertEqual(collections_shown(), {"v", "w", "_other"})
        self.assertRegex(self.watched.get("/metrics"), r'sightline_collection_images\{collection="v"\} 200')
        self.watched.delete_collection("w")
        self.assertEqual(collections_shown(), {"v", "x", "_other"})
        for name in ("x", "y"):
            self.watched.delete_collection(name)
        self.assertLessEqual({"v"}, collections_shown())
        self.assertNotIn("x", collections_shown())


class Settings(unittest.TestCase):
    def test_what_cannot_be_is_refused_in_words(self):
        with tempfile.TemporaryDirectory(prefix="sightline.") as folder:
            for setting, words in (("slow_request=-1s", "it must be 0 to 1h"), ("slow_request=soon", "slow_request"),
                                   ("log_lines_per_second=10001", "it must be 0 to 10000"),
                                   ("metrics_collections=-1", "it must be 0 to 10000")):
                with self.subTest(setting):
                    done = subprocess.run([os.environ["SIGHTLINE_SERVER"], f"--data_dir={folder}/data", f"--{setting}"],
                                          capture_output=True, text=True, timeout=60, check=False)
                    self.assertNotEqual(done.returncode, 0)
                    self.assertIn(words, done.stderr)
                    self.assertLess(len(done.stderr.splitlines()), 5, done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
