"""What goes wrong against a real server, and hostile input."""

import io

import support
from support import picture

import slow_way

import sightline


class ErrorsTest(support.ShopCase):
    def test_a_server_that_answers_late_is_there(self):
        with slow_way.SlowWay(self.server.address, seconds=1.5) as address, sightline.Client(address) as client:
            self.assertTrue(client.server_info().version)

    def test_hostile_images(self):
        jpeg = picture(1)
        for name, source in (("truncated", jpeg[:len(jpeg) // 2]), ("text", b"hello"), ("header", jpeg[:20]),
                             ("zeros", bytes(100))):
            with self.subTest(name), self.assertRaises(sightline.InvalidArgumentError) as caught:
                self.client.search(source, collection="shop")
            self.assertTrue(caught.exception.reason)
        import numpy
        for reason, source in (("IMAGE_EMPTY", b""), ("IMAGE_TYPE", 5), ("IMAGE_TYPE", [1, 2]),
                               ("IMAGE_TYPE", object()), ("IMAGE_TYPE", numpy.zeros(
                                   (4, 4, 3))), ("IMAGE_SHAPE", numpy.zeros(
                                       (4, 4, 2), "uint8")), ("IMAGE_SHAPE", numpy.zeros(
                                           (0, 4, 3), "uint8")), ("IMAGE_SHAPE", numpy.zeros(12, "uint8")),
                               ("IMAGE_TYPE", numpy.array([[object()]])), ("FILE_UNREADABLE", "/there/is/none.jpg"),
                               ("FILE_UNREADABLE", str(self.folder)), ("FILE_UNREADABLE", "a\0b"),
                               ("FILE_UNREADABLE", "a\ud800"), ("IMAGE_TYPE", open(__file__))):
            with self.subTest(f"{reason} {type(source).__name__}"):
                self.refused(sightline.InvalidArgumentError, reason, self.client.search, source, collection="shop")
            if hasattr(source, "close"):
                source.close()
        from PIL import Image
        cut = Image.open(io.BytesIO(jpeg[:-100]))
        self.refused(sightline.InvalidArgumentError, "IMAGE_UNREADABLE", self.client.search, cut, collection="shop")
        deep = Image.new("I;16", (8, 8), 40_000)
        self.refused(sightline.InvalidArgumentError, "IMAGE_TYPE", self.client.search, deep, collection="shop")
        gone = io.BytesIO(jpeg)
        gone.close()
        self.refused(sightline.InvalidArgumentError, "FILE_UNREADABLE", self.client.search, gone, collection="shop")
        large = self.folder / "large.jpg"
        with large.open("wb") as file:
            file.truncate((16 << 20) + 1)
        error = self.refused(sightline.InvalidArgumentError,
                             "IMAGE_TOO_LARGE",
                             self.client.search,
                             large,
                             collection="shop")
        self.assertEqual(error.metadata["limit"], str(16 << 20))
        with sightline.Client(self.server.address, max_image_bytes=40 << 20) as large_client:
            self.refused(sightline.InvalidArgumentError,
                         "IMAGE_TOO_LARGE",
                         large_client.search,
                         large,
                         collection="shop")

    def test_hostile_values(self):
        client, shop = self.client, {"collection": "shop"}
        known = {"id": "p1", **shop}
        refusals = [
            ("ID_INVALID", client.search, {**shop, "id": "x" * 100_000}),
            ("FIELD_INVALID", client.search, {**shop, "id": "a\ud800"}),
            ("FIELD_INVALID", client.search, {**shop, "id": 5}),
            ("VALUE_OUT_OF_RANGE", client.search, {**known, "top_k": 100_000}),
            ("QUERY_INVALID", client.search, shop),
            ("QUERY_INVALID", client.search, {**known, "image": b"x"}),
            ("QUERY_INVALID", client.search, {**known, "parts": [sightline.Part(id="p1")]}),
            ("QUERY_INVALID", client.search, {**shop, "parts": ["p1"]}),
            ("FIELD_INVALID", client.search, {**shop, "parts": 5}),
            ("DESCRIPTOR_INVALID", client.search, {**shop, "descriptor": [1.0]}),
            ("ATTRIBUTES_INVALID", client.index, {**shop, "image": b"x", "attributes": [1]}),
            ("ITEM_INVALID", client.index, shop),
            ("FIELD_INVALID", client.delete_images, {**shop, "ids": "p1"}),
            ("FIELD_INVALID", client.delete_images, {**shop, "ids": 5}),
            ("FIELD_INVALID", client.create_collection, {"name": "x", "no_such_setting": 1}),
            ("FIELD_INVALID", client.create_collection, {"name": "x", "index_kind": "magic"}),
            ("FIELD_INVALID", client.get_image, {**known, "view": "everything"}),
            ("FIELD_INVALID", client.fit_confidence, {**shop, "pairs": 5}),
            ("FIELD_INVALID", client.wait_operation, {"operation": 5}),
            ("FIELD_INVALID", client.download_snapshot, {"name": "snapshots/1", "path": 5}),
        ]
        for name, value in (("top_k", "5"), ("top_k", 2**40), ("top_k", True), ("exact", "yes"), ("min_score", "high"),
                            ("rerank", 5), ("rerank", "magic"), ("explain", "yes"), ("expansion", "magic"),
                            ("filter", 5)):
            refusals.append(("FIELD_INVALID", client.search, {**known, name: value}))
        for seconds in (0, -1, "5", float("nan"), float("inf")):
            refusals.append(("TIMEOUT_INVALID", client.search, {**known, "timeout": seconds}))
        for crop in ((1, 2, 3), "0,0,1,1", 5):
            refusals.append(("CROP_INVALID", client.search, {**shop, "image": picture(1), "crop": crop}))
        for attribute in (None, 2**63, [1]):
            options = {**shop, "image": b"x", "attributes": {"a": attribute}}
            refusals.append(("ATTRIBUTE_INVALID", client.index, options))
        for reason, call, options in refusals:
            with self.subTest(f"{reason} {({key: str(value)[:40] for key, value in options.items()})}"):
                self.refused(sightline.InvalidArgumentError, reason, call, **options)

    def test_errors_are_those_of_the_server(self):
        error = self.refused(sightline.NotFoundError,
                             "COLLECTION_NOT_FOUND",
                             self.client.search,
                             id="p1",
                             collection="none")
        self.assertEqual((error.code, error.metadata["collection"], error.retry_after), ("NOT_FOUND", "none", None))
        self.assertIsInstance(error, LookupError)
        self.refused(sightline.NotFoundError, "IMAGE_NOT_FOUND", self.client.get_image, "none", collection="shop")
        self.refused(sightline.AlreadyExistsError, "COLLECTION_EXISTS", self.client.create_collection, "shop")
        with self.assertRaises(sightline.InvalidArgumentError) as caught:
            self.client.search(id="p1", collection="shop", filter="even = = 1")
        self.assertIsInstance(caught.exception, ValueError)

    def test_a_server_that_is_not_there(self):
        with sightline.Client("127.0.0.1:1") as client:
            error = self.refused(sightline.UnavailableError, "SERVER_UNREACHABLE", client.server_info)
            self.assertIn("127.0.0.1:1", str(error))
            self.assertIn("Start sightline-server", str(error))
            self.assertIsInstance(error, ConnectionError)

    def test_a_server_of_another_kind(self):
        for what, address, tls, words in (("HTTP", f"127.0.0.1:{self.server.ports['http']}", None, "HTTP address"),
                                          ("no TLS", self.server.address, True, "no tls=")):
            with self.subTest(what), sightline.Client(address, tls=tls) as client:
                error = self.refused(sightline.UnavailableError, "SERVER_UNREACHABLE", client.server_info, timeout=10)
                self.assertIn(words, str(error))

    def test_a_deadline(self):
        with self.assertRaises(sightline.DeadlineExceededError) as caught:
            self.client.search(picture(1), collection="shop", timeout=0.0005)
        error = caught.exception
        # It ends here or, when the server reads it in time, there: no model is that fast.
        self.assertIn(error.reason, ("DEADLINE_EXCEEDED", "DEADLINE_TOO_SHORT"))
        self.assertIsInstance(error, TimeoutError)

    def test_a_closed_client(self):
        client = sightline.Client(self.server.address)
        client.close()
        self.refused(sightline.FailedPreconditionError, "CLIENT_CLOSED", client.server_info)


if __name__ == "__main__":
    support.main("errors_test")
