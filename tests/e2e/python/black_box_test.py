"""The server as a client in another language sees it: grpcio and the published protos, nothing of ours."""

import collections
import contextlib
import math
import queue
import random
import tempfile
import threading
import time
import unittest
import urllib.request

import grpc

import sightline_server

DIM = 16
TRAILER = "grpc-status-details-bin"


class BlackBoxTest(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.generated = tempfile.TemporaryDirectory(prefix="sightline-protos.")
        cls.symbol = staticmethod(sightline_server.load_protos(cls.generated.name))
        cls.server = sightline_server.Server()
        cls.opened = sightline_server.channel_to(cls.server.address)
        cls.channel = cls.opened.__enter__()
        for name, service in (("search", "SearchService"), ("index", "IndexService"), ("collections", "CollectionService"),
                              ("info", "ServerService")):
            setattr(cls, name, sightline_server.stub(cls.channel, cls.symbol, f"sightline.v1.{service}"))
        request = cls.message("CreateCollectionRequest", name="v", embedding_space="space", descriptor_dim=DIM)
        cls.collections.CreateCollection(request, timeout=20)

    @classmethod
    def tearDownClass(cls):
        cls.opened.__exit__(None, None, None)
        code = cls.server.terminate()
        log = cls.server.log()
        cls.server.close()
        cls.generated.cleanup()
        assert code == 0, f"the server ended with {code}:\n{log}"

    @classmethod
    def message(cls, type_name, /, **fields):
        return cls.symbol(f"sightline.v1.{type_name}")(**fields)

    def image(self, image_id, values, request_id=""):
        request = self.message("IndexRequest", collection="v", request_id=request_id)
        request.item.id = image_id
        request.item.global_descriptor.values.extend(values)
        request.item.global_descriptor.embedding_space = "space"
        return request

    def query(self, values, **fields):
        request = self.message("SearchRequest", collection="v", **fields)
        part = request.query.parts.add()
        part.global_descriptor.values.extend(values)
        part.global_descriptor.embedding_space = "space"
        return request

    def details(self, error):
        """The google.rpc.ErrorInfo of a failed call."""
        status = self.symbol("google.rpc.Status")()
        status.ParseFromString(dict(error.trailing_metadata())[TRAILER])
        self.assertEqual(status.code, error.code().value[0])
        self.assertEqual(status.message, error.details())
        info = self.symbol("google.rpc.ErrorInfo")()
        self.assertTrue(status.details[0].Unpack(info))
        return info

    def test_index_and_search(self):
        rng = random.Random(1)
        vectors = {f"python/{i}": [rng.gauss(0, 1) for _ in range(DIM)] for i in range(50)}
        for image_id, values in vectors.items():
            reply = self.index.Index(self.image(image_id, values), timeout=20)
            self.assertEqual((reply.id, reply.revision), (image_id, 1))
        query = [rng.gauss(0, 1) for _ in range(DIM)]

        def cosine(values):
            dot = sum(a * b for a, b in zip(query, values))
            return dot / math.sqrt(sum(a * a for a in query) * sum(b * b for b in values))

        expected = sorted(vectors, key=lambda image_id: -cosine(vectors[image_id]))[:10]
        reply = self.search.Search(self.query(query, top_k=10), timeout=20)
        self.assertEqual([result.id for result in reply.results], expected)
        for rank, result in enumerate(reply.results, 1):
            self.assertEqual(result.rank, rank)
            self.assertAlmostEqual(result.score, cosine(vectors[result.id]), places=5)
        deleted = self.index.DeleteImages(self.message("DeleteImagesRequest", collection="v", ids=list(vectors)), timeout=20)
        self.assertEqual(deleted.deleted, 50)

    def test_index_stream(self):
        requests = [self.message("IndexStreamRequest", request=self.image(f"s{i}", [1, i] + [0] * (DIM - 2), f"r{i}"))
                    for i in range(200)]
        requests[100].request.item.global_descriptor.values.append(1)
        outcomes = {reply.request_id: reply for reply in self.index.IndexStream(iter(requests), timeout=60)}
        self.assertEqual(set(outcomes), {f"r{i}" for i in range(200)})
        failed = [request_id for request_id, reply in outcomes.items() if reply.status.code]
        self.assertEqual(failed, ["r100"])
        self.assertEqual(outcomes["r100"].status.code, grpc.StatusCode.INVALID_ARGUMENT.value[0])
        repeated = self.index.Index(requests[7].request, timeout=20)
        self.assertTrue(repeated.replayed, "the unary call knows the stream's request_ids")
        ids = [f"s{i}" for i in range(200) if i != 100]
        self.assertEqual(self.index.DeleteImages(self.message("DeleteImagesRequest", collection="v", ids=ids),
                                                 timeout=20).deleted, 199)

    def test_errors_are_typed(self):
        cases = collections.OrderedDict([
            ((self.search.Search, "SearchRequest", (("collection", "nowhere"),)), ("INVALID_ARGUMENT", "QUERY_MISSING")),
            ((self.index.GetImage, "GetImageRequest", (("collection", "v"), ("id", "nobody"))),
             ("NOT_FOUND", "IMAGE_NOT_FOUND")),
            ((self.collections.GetCollection, "GetCollectionRequest", (("name", "nowhere"),)),
             ("NOT_FOUND", "COLLECTION_NOT_FOUND")),
            ((self.collections.SetAlias, "SetAliasRequest", ()), ("INVALID_ARGUMENT", "FIELD_MISSING")),
        ])
        for (call, name, fields), (code, reason) in cases.items():
            with self.subTest(name=name, reason=reason), self.assertRaises(grpc.RpcError) as raised:
                call(self.message(name, **dict(fields)), timeout=20)
            self.assertEqual(raised.exception.code().name, code)
            info = self.details(raised.exception)
            self.assertEqual((info.reason, info.domain), (reason, "sightline.dev"))
            self.assertRegex(raised.exception.details(), r"^.+\. .+\.$")

    def test_garbage_bytes_do_not_kill(self):
        rng = random.Random(2)
        for name in ("SearchService/Search", "IndexService/Index", "CollectionService/CreateCollection",
                     "SearchService/Embed", "IndexService/ListImages"):
            call = self.channel.unary_unary(f"/sightline.v1.{name}", lambda x: x, lambda x: x)
            for size in (1, 2, 7, 100, 10_000):
                with self.assertRaises(grpc.RpcError):
                    call(bytes(rng.randrange(256) for _ in range(size)) + b"\xff", timeout=20)
        self.assertIsNone(self.server.process.poll(), self.server.log())
        self.assertTrue(self.info.GetServerInfo(self.message("GetServerInfoRequest"), timeout=20).version)

    def test_health(self):
        health = sightline_server.stub(self.channel, self.symbol, "grpc.health.v1.Health")
        request = self.symbol("grpc.health.v1.HealthCheckRequest")
        for service in ("", "sightline.v1.SearchService", "sightline.v1.IndexService", "sightline.v1.CollectionService",
                        "sightline.v1.ServerService"):
            with self.subTest(service=service):
                self.assertEqual(health.Check(request(service=service), timeout=20).status, 1)
        with self.assertRaises(grpc.RpcError) as raised:
            health.Check(request(service="no.such.Service"), timeout=20)
        self.assertEqual(raised.exception.code(), grpc.StatusCode.NOT_FOUND)
        self.assertIn("no.such.Service", raised.exception.details())

    def test_health_is_told_to_who_waits_for_it(self):
        request = self.symbol("grpc.health.v1.HealthCheckRequest")
        with contextlib.closing(sightline_server.Server()) as server, \
                sightline_server.channel_to(server.address) as channel:
            health = sightline_server.stub(channel, self.symbol, "grpc.health.v1.Health")
            watched = {name: health.Watch(request(service=name), timeout=60)
                       for name in ("", "sightline.v1.SearchService", "no.such.Service")}
            self.assertEqual({name: next(watch).status for name, watch in watched.items()},
                             {"": 1, "sightline.v1.SearchService": 1, "no.such.Service": 3})
            # Many who come and go leave nothing that would be told.
            for _ in range(100):
                health.Watch(request(), timeout=60).cancel()
            told = collections.defaultdict(list)

            def read_on(name):
                try:
                    for reply in watched[name]:
                        told[name].append(reply.status)
                except grpc.RpcError as error:
                    told[name].append(error.code())

            readers = [threading.Thread(target=read_on, args=(name,)) for name in watched]
            for reader in readers:
                reader.start()
            began = time.monotonic()
            self.assertEqual(server.terminate(), 0, server.log())
            self.assertLess(time.monotonic() - began, 15, "who watches holds up nobody")
            for reader in readers:
                reader.join()
            gone = grpc.StatusCode.UNAVAILABLE
            self.assertEqual(told, {"": [2, gone], "sightline.v1.SearchService": [2, gone], "no.such.Service": [gone]})

    def test_a_method_that_is_none_is_named(self):
        for name in ("/sightline.v1.SearchService/Find", "/no.such.Service/Method", "/", "/x" * 500):
            with self.subTest(name=name[:40]), self.assertRaises(grpc.RpcError) as raised:
                self.channel.unary_unary(name, lambda x: x, lambda x: x)(b"", timeout=20)
            self.assertEqual(raised.exception.code(), grpc.StatusCode.UNIMPLEMENTED)
            self.assertIn(name[:40], raised.exception.details())
            self.assertLess(len(raised.exception.details()), 300)

    def test_a_call_without_a_message_is_refused(self):
        for name in ("sightline.v1.SearchService/Search", "sightline.v1.CollectionService/DownloadSnapshot",
                     "grpc.health.v1.Health/Check", "grpc.health.v1.Health/Watch"):
            call = self.channel.stream_stream(f"/{name}", lambda x: x, lambda x: x)
            with self.subTest(name=name), self.assertRaises(grpc.RpcError) as raised:
                list(call(iter([]), timeout=20))
            self.assertEqual(raised.exception.code(), grpc.StatusCode.INVALID_ARGUMENT)
            self.assertIn("before its message had come", raised.exception.details())

    def test_reflection_lists_and_describes_every_service(self):
        reflection = sightline_server.stub(self.channel, self.symbol, "grpc.reflection.v1alpha.ServerReflection")
        request = self.symbol("grpc.reflection.v1alpha.ServerReflectionRequest")
        replies = list(reflection.ServerReflectionInfo(
            iter([request(list_services=""), request(file_containing_symbol="sightline.v1.SearchService")]), timeout=20))
        names = {service.name for service in replies[0].list_services_response.service}
        self.assertLessEqual(
            {f"sightline.v1.{name}Service" for name in ("Search", "Index", "Collection", "Server", "Model", "Operation")} |
            {"grpc.health.v1.Health"}, names)
        self.assertTrue(any(b"SearchRequest" in file
                            for file in replies[1].file_descriptor_response.file_descriptor_proto))

    def test_deadlines(self):
        with self.assertRaises(grpc.RpcError) as raised:
            self.search.Search(self.query([1] * DIM), timeout=-1)
        self.assertEqual(raised.exception.code(), grpc.StatusCode.DEADLINE_EXCEEDED)
        with self.assertRaises(grpc.RpcError) as raised:
            # A stream that is never closed ends at its deadline.
            never = queue.Queue()
            list(self.index.IndexStream(iter(never.get, None), timeout=0.3))
        self.assertEqual(raised.exception.code(), grpc.StatusCode.DEADLINE_EXCEEDED)
        never.put(None)

    def test_cancellation(self):
        pending = queue.Queue()
        stream = self.index.IndexStream(iter(pending.get, None), timeout=60)
        pending.put(self.message("IndexStreamRequest", request=self.image("cancelled", [1] * DIM, "cancel me")))
        self.assertEqual(next(stream).request_id, "cancel me")
        stream.cancel()
        with self.assertRaises(grpc.RpcError) as raised:
            next(stream)
        self.assertEqual(raised.exception.code(), grpc.StatusCode.CANCELLED)
        pending.put(None)
        # What was acknowledged before stays.
        got = self.index.GetImage(self.message("GetImageRequest", collection="v", id="cancelled"), timeout=20)
        self.assertEqual(got.image.id, "cancelled")
        self.index.DeleteImages(self.message("DeleteImagesRequest", collection="v", ids=["cancelled"]), timeout=20)

    def test_a_storm_of_cancelled_searches_leaves_nothing_behind(self):
        calls = []
        for i in range(500):
            calls.append(self.search.Search.future(self.query([1] * DIM), timeout=20))
            if i % 2:
                calls[-1].cancel()
        for call in calls[::2]:
            call.result()
        deadline = time.monotonic() + 20
        while self.metric("sightline_requests_in_flight") != 0:
            self.assertLess(time.monotonic(), deadline, "cancelled requests stay in hand")
            time.sleep(0.05)

    def metric(self, name):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.server.ports['admin']}/metrics", timeout=20) as reply:
            for line in reply.read().decode().splitlines():
                if line.split(" ")[0] == name:
                    return float(line.split(" ")[1])
        raise AssertionError(f"no metric {name}")


if __name__ == "__main__":
    unittest.main(verbosity=2)
