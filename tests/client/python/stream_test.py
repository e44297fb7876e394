"""index_stream and search_stream: what is lost, doubled or held too long when servers refuse, fall and come back.
Against a server of a few lines whose answers the test chooses.
"""

import asyncio
import itertools
import random
import threading
import time
import unittest

import grpc
import support
from fake_server import FakeServer, ok, refusal
from support import vector

import sightline
from sightline import _schema


def items(count, rng):
    """Writes of descriptors."""
    return [sightline.Item(descriptor=vector(rng), id=f"i{n}") for n in range(count)]


def run_sync(address, source, **options):
    """All outcomes of a stream, by Client."""
    with sightline.Client(address) as client:
        return list(client.index_stream(source, collection="c", **options))


def run_async(address, source, **options):
    """The same by AsyncClient."""
    async def use():
        async with sightline.AsyncClient(address) as client:
            return [one async for one in client.index_stream(source, collection="c", **options)]

    return asyncio.run(use())


class FakeTest(unittest.TestCase):
    def setUp(self):
        self.rng = random.Random(support.SEED)

    def both(self):
        """Runs what follows with either client."""
        for run in (run_sync, run_async):
            with self.subTest(run.__name__):
                yield run

    def test_refused_for_now_is_sent_again_with_the_same_request_id(self):
        for run in self.both():
            seen = {}
            sent_at = {}

            def answer(requests, _):
                for request in requests:
                    name = request.request.item.id
                    seen.setdefault(name, []).append(request.request.request_id)
                    sent_at.setdefault(name, []).append(time.monotonic())
                    if len(seen[name]) == 1 and name in ("i1", "i2"):
                        yield refusal(request, 8, retry_after=0.3) if name == "i1" else refusal(request, 14)
                    elif name == "i3":
                        yield refusal(request, 8)  # with no delay: that will not get better
                    elif name == "i4":
                        yield refusal(request, 3, reason="BAD")
                    else:
                        yield ok(request)

            with FakeServer(answer) as server:
                outcomes = {one.id: one for one in run(server.address, items(6, self.rng))}
            self.assertEqual({name: one.ok for name, one in outcomes.items()}, {
                "i0": True,
                "i1": True,
                "i2": True,
                "i3": False,
                "i4": False,
                "i5": True
            })
            self.assertEqual({name: one.attempts for name, one in outcomes.items()}, {
                "i0": 1,
                "i1": 2,
                "i2": 2,
                "i3": 1,
                "i4": 1,
                "i5": 1
            })
            self.assertEqual(len(set(seen["i1"])), 1)
            self.assertGreaterEqual(sent_at["i1"][1] - sent_at["i1"][0], 0.3)
            self.assertIsInstance(outcomes["i4"].error, sightline.InvalidArgumentError)
            self.assertEqual(outcomes["i4"].error.reason, "BAD")

    def test_what_is_late_is_sent_again(self):
        for run in self.both():
            seen = []

            def answer(requests, _):
                for request in requests:
                    seen.append(request.request.item.id)
                    late = seen.count("i1") < 3 and seen[-1] == "i1"
                    reason = "DEADLINE_EXCEEDED" if len(seen) % 2 else "DEADLINE_TOO_SHORT"
                    yield refusal(request, 4, reason=reason) if late else ok(request)

            with FakeServer(answer) as server:
                outcomes = {one.id: one for one in run(server.address, items(3, self.rng))}
            self.assertTrue(all(one.ok for one in outcomes.values()))
            self.assertEqual(outcomes["i1"].attempts, 3)

    def test_a_search_is_late_when_its_caller_says_so(self):
        calls = []

        def answer(requests, _):
            for request in requests:
                calls.append(request)
                late = request.HasField("timeout") or len(calls) == 1
                made = _schema.message("SearchStreamResponse", request_id=request.request.request_id)
                if late:
                    made.status.CopyFrom(refusal(request, 4, reason="DEADLINE_EXCEEDED").status)
                yield made

        with FakeServer(answer, "SearchService/SearchStream") as server, sightline.Client(server.address) as client:
            one, = client.search_stream([sightline.Part(id="a")], collection="c", top_k=3)
            self.assertEqual((one.ok, one.attempts), (True, 2))
            self.assertEqual([call.request.top_k for call in calls], [3, 3])
            one, = client.search_stream([sightline.Part(id="a")], collection="c", timeout=1.5)
            self.assertEqual((one.ok, one.attempts), (False, 1))
            self.assertIsInstance(one.error, sightline.DeadlineExceededError)
            self.assertEqual((calls[-1].timeout.seconds, calls[-1].timeout.nanos), (1, 500_000_000))

    def test_an_item_that_is_refused_for_ever_has_an_end(self):
        for run in self.both():
            attempts = []

            def answer(requests, _):
                for request in requests:
                    attempts.append(time.monotonic())
                    yield refusal(request, 14, retry_after=0.2) if request.request.item.id == "i0" else ok(request)

            with FakeServer(answer) as server:
                outcomes = {one.id: one for one in run(server.address, items(2, self.rng), patience=0.5)}
            self.assertTrue(outcomes["i1"].ok)
            self.assertFalse(outcomes["i0"].ok)
            self.assertEqual(outcomes["i0"].attempts, len(attempts) - 1)
            self.assertTrue(3 <= outcomes["i0"].attempts <= 4, outcomes["i0"].attempts)

    def test_an_item_that_fells_the_server_has_an_end(self):
        def answer(requests, context):
            for request in requests:
                if request.request.item.id == "i1":
                    context.abort(grpc.StatusCode.UNAVAILABLE, "poison")
                yield ok(request)

        # Others are answered, so that it is the server that falls and not the way to it.
        source = (item for number in range(40) for item in items(2, self.rng)[:1 if number else 2])
        with FakeServer(answer) as server, sightline.Client(server.address) as client:
            backoff = sightline._connection.backoff
            sightline._connection.backoff = lambda attempt, error: 0.01  # eight falls would take long
            self.addCleanup(setattr, sightline._connection, "backoff", backoff)
            outcomes = list(client.index_stream(source, collection="c", max_in_flight=2))
        self.assertEqual([one.id for one in outcomes if not one.ok], ["i1"])
        self.assertEqual(sum(one.ok for one in outcomes), 40)

    def test_no_more_is_in_flight_than_allowed(self):
        for run in self.both():
            most, taken, told = [], [], []

            def answer(requests, _):
                held = []
                for request in requests:
                    held.append(request)
                    most.append(len(held))
                    if len(held) == 4:  # as many as may be: nothing more comes until one is answered
                        for _ in range(4):
                            yield ok(held.pop(self.rng.randrange(len(held))))

            def source():
                for item in items(48, self.rng):
                    taken.append(len(taken) - len(told))
                    yield item

            with FakeServer(answer) as server:
                if run is run_sync:
                    with sightline.Client(server.address) as client:
                        for one in client.index_stream(source(), collection="c", max_in_flight=4):
                            told.append(one.id)
                    self.assertLess(max(taken), 4, "items are taken only when there is room")
                else:
                    told += [one.id for one in run(server.address, source(), max_in_flight=4)]
            self.assertEqual(sorted(told), sorted(f"i{n}" for n in range(48)))
            self.assertEqual(max(most), 4)

    def test_bytes_in_flight_are_bounded_too(self):
        most = []

        def answer(requests, _):
            held = []
            for request in requests:
                held.append(request)
                most.append(len(held))
                if len(held) == 2:
                    yield ok(held.pop(0))
                    yield ok(held.pop(0))

        with FakeServer(answer) as server, sightline.Client(server.address) as client:
            source = (sightline.Item(bytes(100_000), id=f"i{n}") for n in range(10))
            outcomes = list(client.index_stream(source, collection="c", max_in_flight_bytes=150_000))
        self.assertEqual(len(outcomes), 10)
        self.assertEqual(max(most), 2)

    def test_what_cannot_be_sent_has_its_outcome(self):
        for run in self.both():
            source = [
                sightline.Item(descriptor=vector(self.rng), id="good"), "/there/is/none.jpg", 5, ("a", "b", "c"),
                sightline.Item(id="empty"),
                sightline.Item(bytes(1000), id="twice", request_id="r"),
                sightline.Item(bytes(1000), id="again", request_id="r"),
                sightline.Item(bytes(16 << 20), id="most"),
                sightline.Item(bytes((16 << 20) + 1), id="too much"),
                sightline.Item(bytes(10), id="note", note={"mine": 1})
            ]

            def answer(requests, _):
                held = list(itertools.islice(requests, 3))  # "twice" is still on its way when "again" is taken
                yield from map(ok, held)
                yield from map(ok, requests)

            with FakeServer(answer) as server:
                outcomes = run(server.address, source)
            self.assertEqual(len(outcomes), len(source))
            reasons = {
                str(one.item if isinstance(one.item, (str, int, tuple)) else one.id): one.error and one.error.reason
                for one in outcomes
            }
            self.assertEqual(
                reasons, {
                    "good": None,
                    "/there/is/none.jpg": "FILE_UNREADABLE",
                    "5": "IMAGE_TYPE",
                    "('a', 'b', 'c')": "ITEM_INVALID",
                    "empty": "ITEM_INVALID",
                    "twice": None,
                    "again": "DUPLICATE_REQUEST_ID",
                    "most": None,
                    "too much": "IMAGE_TOO_LARGE",
                    "note": None
                })
            self.assertEqual([one.item.note for one in outcomes if one.id == "note"], [{"mine": 1}])

    def test_a_source_that_fails_is_raised_when_the_rest_has_ended(self):
        for run in self.both():
            failed = threading.Event()

            def source():
                yield from items(3, self.rng)
                failed.set()
                raise KeyError("mine")

            stored = []

            def answer(requests, _, failed=failed):
                for request in requests:
                    failed.wait(20)
                    stored.append(request.request.item.id)
                    yield ok(request)

            with FakeServer(answer) as server, self.assertRaises(KeyError):
                run(server.address, source())
            self.assertEqual(stored, ["i0", "i1", "i2"])

    def test_a_stream_that_is_refused_ends(self):
        for run in self.both():

            def answer(requests, context):
                context.abort(grpc.StatusCode.PERMISSION_DENIED, "not for you.")
                yield

            with FakeServer(answer) as server, self.assertRaises(sightline.PermissionDeniedError):
                run(server.address, items(3, self.rng))

    def test_connections_that_break_lose_and_double_nothing(self):
        for run in self.both():
            stored = {}
            connections = itertools.count(1)

            def answer(requests, context):
                number = next(connections)
                for place, request in enumerate(requests):
                    stored.setdefault(request.request.request_id, request.request.item.id)
                    if place == 3 and number < 5:
                        # Stored, and not answered.
                        context.abort(grpc.StatusCode.UNAVAILABLE, "going away")
                    yield ok(request)

            with FakeServer(answer) as server:
                outcomes = run(server.address, items(40, self.rng))
            self.assertEqual(sorted(one.id for one in outcomes), sorted(f"i{n}" for n in range(40)))
            self.assertTrue(all(one.ok for one in outcomes))
            self.assertEqual(sorted(stored.values()), sorted(f"i{n}" for n in range(40)), "one request_id an item")
            self.assertGreater(max(one.attempts for one in outcomes), 1)

    def test_a_server_that_stays_away_is_given_up(self):
        for run in self.both():
            outcomes = []

            async def collect(client):
                async for one in client.index_stream(items(3, self.rng), collection="c", patience=0.2):
                    outcomes.append(one)

            with self.assertRaises(sightline.UnavailableError) as caught:
                if run is run_sync:
                    with sightline.Client("127.0.0.1:1") as client:
                        for one in client.index_stream(items(3, self.rng), collection="c", patience=0.2):
                            outcomes.append(one)
                else:

                    async def use():
                        async with sightline.AsyncClient("127.0.0.1:1") as client:
                            await collect(client)

                    asyncio.run(use())
            self.assertEqual(caught.exception.reason, "SERVER_UNREACHABLE")
            self.assertEqual([(one.id, one.ok) for one in outcomes], [("i0", False), ("i1", False), ("i2", False)])

    def test_a_server_that_says_nothing_is_asked_anew(self):
        for run in self.both():
            connections = itertools.count(1)
            over = threading.Event()

            def answer(requests, context):
                if next(connections) == 1:
                    over.wait(20)
                    return
                for request in requests:
                    yield ok(request)

            with FakeServer(answer) as server:
                outcomes = run(server.address, items(2, self.rng), reply_timeout=0.3)
                over.set()
            self.assertEqual([one.ok for one in outcomes], [True, True])

    def test_leaving_early_ends_the_call(self):
        ended = threading.Event()

        def answer(requests, context):
            context.add_callback(ended.set)
            for request in requests:
                yield ok(request)

        with FakeServer(answer) as server, sightline.Client(server.address) as client:
            for _ in client.index_stream(items(1000, self.rng), collection="c"):
                break
            self.assertTrue(ended.wait(20))
        self.assertFalse(
            [one for one in threading.enumerate() if one.name == "sightline-stream" and one.is_alive()])

    def test_a_source_that_is_silent_holds_no_error_up(self):
        def answer(requests, context):
            next(requests)
            context.abort(grpc.StatusCode.PERMISSION_DENIED, "not for you.")
            yield

        async def use(address):
            async def source():
                yield items(1, self.rng)[0]
                await asyncio.sleep(3600)

            names = []
            async with sightline.AsyncClient(address) as client:
                with self.assertRaises(sightline.PermissionDeniedError):
                    async for one in client.index_stream(source(), collection="c"):
                        names.append((one.id, one.ok))
            return names

        with FakeServer(answer) as server:
            self.assertEqual(asyncio.run(asyncio.wait_for(use(server.address), 60)), [("i0", False)])

    def test_a_slow_asynchronous_source_holds_no_outcome_up(self):
        async def use(address):
            answered = asyncio.Event()

            async def source():
                first, second = items(2, self.rng)
                yield first
                await asyncio.wait_for(answered.wait(), 20)
                yield second

            async with sightline.AsyncClient(address) as client:
                names = []
                async for one in client.index_stream(source(), collection="c"):
                    names.append(one.id)
                    answered.set()
            return names

        with FakeServer(lambda requests, _: map(ok, requests)) as server:
            self.assertEqual(asyncio.run(use(server.address)), ["i0", "i1"])

    def test_an_empty_source_needs_no_server(self):
        for run in self.both():
            self.assertEqual(run("127.0.0.1:1", []), [])

    def test_options_that_cannot_be(self):
        with sightline.Client("127.0.0.1:1") as client:
            for options in ({
                    "max_in_flight": 0
            }, {
                    "max_in_flight": "5"
            }, {
                    "max_in_flight_bytes": 0
            }, {
                    "patience": -1
            }, {
                    "reply_timeout": float("nan")
            }):
                with self.subTest(str(options)), self.assertRaises(sightline.InvalidArgumentError):
                    client.index_stream([], collection="c", **options)


if __name__ == "__main__":
    unittest.main(verbosity=2)
