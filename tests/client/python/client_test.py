"""Client and AsyncClient against a real server: every method, errors, and hostile input."""

import asyncio
import datetime
import pathlib
import random
import tempfile
import unittest

import support
from support import MODEL, picture, vector

import sightline


class ClientTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory(prefix="sightline-python.")
        cls.folder = pathlib.Path(cls.temporary.name)
        cls.server = support.start_server()
        cls.client = sightline.Client(cls.server.address, timeout=60)
        cls.client.create_collection("shop", description="for tests")
        for number in range(6):
            cls.client.index(picture(number),
                             collection="shop",
                             id=f"p{number}",
                             attributes={
                                 "number": number,
                                 "even": number % 2 == 0,
                                 "half": number / 2,
                                 "name": f"n{number}",
                                 "tags": ["all", f"t{number}"]
                             },
                             source_uri=f"file:{number}")

    @classmethod
    def tearDownClass(cls):
        cls.client.close()
        code = cls.server.terminate()
        log = cls.server.log()
        cls.server.close()
        cls.temporary.cleanup()
        assert code == 0, f"the server ended with {code}:\n{log}"

    def refused(self, kind, reason, call, *args, **options):
        """The call fails with this class and reason; returns the error."""
        with self.assertRaises(kind) as caught:
            call(*args, **options)
        error = caught.exception
        self.assertEqual(error.reason, reason, error)
        self.assertRegex(str(error), r"\.$")
        self.assertEqual(error.message, str(error))
        return error

    # Searching.

    def test_every_kind_of_image_finds_itself(self):
        import numpy
        from PIL import Image
        encoded = picture(3, kind="PNG")
        path = self.folder / "p3.png"
        path.write_bytes(encoded)
        image = Image.open(path)
        best = self.client.search(encoded, collection="shop", top_k=1)[0]
        for name, source in (("path", path), ("text", str(path)), ("bytes", encoded), ("bytearray", bytearray(encoded)),
                             ("memoryview", memoryview(encoded)), ("PIL", image), ("ndarray", numpy.asarray(image)),
                             ("RGBA", image.convert("RGBA")), ("slices", numpy.asarray(image)[:, ::-1][:, ::-1])):
            with self.subTest(name):
                found = self.client.search(source, collection="shop", top_k=1)[0]
                self.assertEqual(found.id, "p3")
                self.assertAlmostEqual(found.score, best.score, places=5)
        with self.subTest("file"), path.open("rb") as file:
            self.assertEqual(self.client.search(file, collection="shop", top_k=1)[0].id, "p3")
        with self.subTest("palette"):
            self.assertEqual(self.client.search(image.convert("P"), collection="shop", top_k=1)[0].id, "p3")

    def test_an_image_is_upright_as_its_exif_data_says(self):
        import io
        from PIL import Image
        whole = Image.open(io.BytesIO(picture(4, kind="PNG"))).crop((0, 0, 64, 40))
        exif = Image.Exif()
        exif[0x0112] = 6  # turn by 90 degrees to see it
        out = io.BytesIO()
        whole.save(out, "JPEG", exif=exif, quality=95)
        as_file = self.client.embed(out.getvalue())
        self.assertEqual((as_file.width, as_file.height), (40, 64))
        as_image = self.client.embed(Image.open(io.BytesIO(out.getvalue())))
        self.assertEqual((as_image.width, as_image.height), (40, 64))
        for a, b in zip(as_file.global_descriptor.values, as_image.global_descriptor.values):
            self.assertAlmostEqual(a, b, places=3)

    def test_an_answer(self):
        answer = self.client.search(picture(1), collection="shop", explain=True, rerank=True, request_id="mine")
        self.assertEqual(len(answer), 6)
        self.assertEqual([one.rank for one in answer], [1, 2, 3, 4, 5, 6])
        best = answer[0]
        self.assertEqual((best.id, answer.request_id), ("p1", "mine"))
        self.assertEqual(best.attributes, {
            "number": 1,
            "even": False,
            "half": 0.5,
            "name": "n1",
            "tags": ("all", "t1")
        })
        self.assertIs(type(best.attributes["even"]), bool)
        self.assertEqual(best.source_uri, "file:1")
        self.assertTrue(best.preview.startswith(b"\xff\xd8"))
        self.assertGreater(best.score, 0.99)
        self.assertIsNotNone(best.structural_score)
        self.assertIsNone(best.confidence)
        self.assertEqual(answer.stats.images, 6)
        self.assertFalse(answer.degraded, answer.degraded_reasons)
        self.assertTrue(answer.stats.model.untrained)
        self.assertGreaterEqual(answer.timings["total"], answer.timings["embed"])
        self.assertEqual(len(best.patches), 10)
        pair = best.patches[0]
        self.assertGreater(pair.mass, 0)
        self.assertTrue(0 <= pair.query_box.x0 < pair.query_box.x1 <= 1, pair)
        self.assertEqual(best.evidence.query_image, picture(1))
        self.assertEqual(best.evidence.result_image, best.preview)
        self.assertGreater(len(best.evidence.query_heat_map.values), 1)

    def test_options_of_a_search(self):
        search = self.client.search
        self.assertEqual([one.id for one in search(id="p2", collection="shop", top_k=2)][0], "p2")
        self.assertEqual(len(search(id="p2", collection="shop", offset=4)), 2)
        self.assertEqual({one.id for one in search(id="p2", collection="shop", filter="even = true")},
                         {"p0", "p2", "p4"})
        self.assertEqual(len(search(id="p2", collection="shop", min_score=0.9999)), 1)
        grouped = search(id="p2", collection="shop", group_by="even", group_size=1)
        self.assertEqual(sorted(one.attributes["even"] for one in grouped), [False, True])
        plain = search(id="p2", collection="shop", return_attributes=False, return_preview=False)[0]
        self.assertEqual((plain.attributes, plain.preview, plain.source_uri), ({}, b"", ""))
        self.assertEqual(search(id="p2", collection="shop", exact=True).stats.index, "exact")
        off = search(picture(2), collection="shop", rerank=False)
        self.assertIsNone(off[0].structural_score)
        best_two = search(picture(2),
                          collection="shop",
                          rerank=sightline.Rerank(shortlist=2, mass=0.5, epsilon=0.1, marginals="uniform"))
        self.assertEqual(best_two.stats.rerank_requested, 2)
        self.assertIsNotNone(search(id="p2", collection="shop", expansion="average")[0].rerank_score)
        self.assertIsNotNone(
            search(id="p2", collection="shop", expansion=sightline.Expansion("alpha_weighted", neighbours=2,
                                                                             alpha=2.0))[0].rerank_score)
        evidence = [one.evidence for one in search(id="p2", collection="shop", explain=sightline.Explain(3, False, 1))]
        self.assertEqual(len(evidence[0].correspondences), 3)
        self.assertIsNone(evidence[0].query_heat_map)
        self.assertEqual(evidence[1:], [None] * 5)
        self.assertTrue(evidence[0].query_image, "the picture of a query by id is that of the collection")

    def test_crops_are_fractions_or_pixels(self):
        def scores(crop):
            return [round(one.score, 5) for one in self.client.search(picture(5), collection="shop", crop=crop)]

        fractions = scores((0.25, 0.25, 0.75, 0.75))
        self.assertEqual(scores((16, 16, 48, 48)), fractions)
        self.assertEqual(scores([16, 16, 48, 48]), fractions)
        self.assertEqual(scores(sightline.Crop(16, 16, 48, 48, "pixel")), fractions)
        self.assertNotEqual(scores(None), fractions)
        self.assertEqual(scores((0, 0, 1, 1)), scores(None))
        self.assertEqual(scores([(16, 16, 48, 48)]), fractions)
        self.assertNotEqual(scores([(16, 16, 48, 48), (0, 0, 0.5, 0.5)]), fractions)

    def test_a_query_of_parts(self):
        both = self.client.search(parts=[sightline.Part(picture(0)),
                                         sightline.Part(id="p1")],
                                  collection="shop",
                                  top_k=2)
        self.assertEqual({one.id for one in both}, {"p0", "p1"})
        away = self.client.search(parts=[sightline.Part(id="p0"),
                                         sightline.Part(id="p1", weight=-0.5)],
                                  collection="shop")
        scores = {one.id: one.score for one in away}
        self.assertLess(scores["p1"], scores["p0"])

    def test_an_embedding_searches_and_indexes(self):
        embedding = self.client.embed(picture(2), return_tokens=True)
        self.assertEqual((embedding.width, embedding.height, embedding.model.model), (64, 64, MODEL))
        found = self.client.search(descriptor=embedding, collection="shop", rerank=True)[0]
        self.assertEqual(found.id, "p2")
        self.assertIsNotNone(found.structural_score)
        self.client.create_collection("descriptors", model=MODEL)
        self.assertEqual(self.client.index(descriptor=embedding, collection="descriptors", id="d").revision, 1)
        record = self.client.get_image("d", collection="descriptors", view="vectors")
        self.assertEqual(record.tokens.height, embedding.tokens.height)
        self.assertAlmostEqual(record.global_descriptor.values[0], embedding.global_descriptor.values[0], places=5)
        self.assertEqual(self.client.delete_collection("descriptors"), 1)

    def test_explain(self):
        why = self.client.explain(picture(1), result_id="p1", collection="shop", correspondences=4).evidence
        self.assertEqual(len(why.patches), 4)
        self.assertGreater(why.score, 0.99)
        self.assertTrue(why.query_image and why.result_image)
        two = self.client.explain(picture(1), picture(2), query_crop=(0, 0, 0.5, 0.5), heat_maps=False)
        self.assertIsNone(two.evidence.query_heat_map)
        self.assertLess(two.evidence.score, why.score)

    # Images.

    def test_index_get_list_update_delete(self):
        self.client.create_collection("many", keep_image="original")
        for number in range(5):
            reply = self.client.index(picture(number), collection="many", id=f"i{number}", request_id=f"r{number}")
            self.assertEqual((reply.id, reply.revision, reply.replayed), (f"i{number}", 1, False))
        self.assertTrue(self.client.index(picture(0), collection="many", id="i0", request_id="r0").replayed)
        self.assertRegex(self.client.index(picture(9), collection="many").id, ".+")
        record = self.client.get_image("i1", collection="many", view="original")
        self.assertEqual((record.image, record.image_mime_type), (picture(1), "image/jpeg"))
        self.assertEqual((record.width, record.height, record.revision), (64, 64, 1))
        self.assertIsNotNone(record.create_time.tzinfo)
        self.assertLess(abs((datetime.datetime.now(datetime.timezone.utc) - record.create_time).total_seconds()), 600)
        self.assertIsNone(record.crop)
        ids = [one.id for one in self.client.list_images("many", page_size=2)]
        self.assertEqual(ids[:5], ["i0", "i1", "i2", "i3", "i4"])
        self.assertEqual(len(ids), 6)
        changed = self.client.update_attributes("i1", {"a": 1, "b": "x"}, collection="many")
        self.assertEqual(changed.attributes, {"a": 1, "b": "x"})
        changed = self.client.update_attributes("i1", {"c": 2.5}, collection="many", remove=["a"])
        self.assertEqual(changed.attributes, {"b": "x", "c": 2.5})
        changed = self.client.update_attributes("i1", {"d": True}, collection="many", replace=True)
        self.assertEqual(changed.attributes, {"d": True})
        self.assertEqual([one.id for one in self.client.list_images("many", filter="d = true")], ["i1"])
        done = self.client.delete_images(["i0", "nothing"], collection="many")
        self.assertEqual((done.deleted, done.not_found), (1, 1))
        self.assertEqual(self.client.delete_images(collection="many", filter="d = true").deleted, 1)
        crop = self.client.index(picture(7), collection="many", id="cropped", crop=(8, 8, 32, 32))
        self.assertEqual(self.client.get_image(crop.id, collection="many").crop.x0, 8)
        self.client.delete_collection("many")

    # Collections, long work, models.

    def test_collections(self):
        created = self.client.create_collection("space",
                                                embedding_space="space",
                                                descriptor_dim=support.DIM,
                                                index_kind="hnsw",
                                                drop_tokens=True,
                                                description="of descriptors")
        self.assertEqual((created.settings.index_kind, created.settings.drop_tokens, created.images), ("hnsw", True, 0))
        rng = random.Random(support.SEED)
        self.client.index(descriptor=vector(rng), collection="space", id="v", attributes={"kind": "a"})
        self.assertEqual(self.client.get_collection("space").images, 1)
        self.assertIn("space", [one.name for one in self.client.list_collections(page_size=1)])
        values = list(self.client.list_attribute_values("space", "kind"))
        self.assertEqual([(one.value, one.count) for one in values], [("a", 1)])
        for call in (lambda: self.client.update_collection("space", description="other"),
                     lambda: self.client.set_alias("other", "space"), lambda: self.client.delete_alias("other")):
            try:
                call()
            except sightline.UnimplementedError as error:
                self.assertTrue(error.reason, error)
        self.assertEqual(self.client.delete_collection("space"), 1)
        self.refused(sightline.NotFoundError, "COLLECTION_NOT_FOUND", self.client.get_collection, "space")

    def test_snapshots_travel(self):
        steps = []
        snapshot = self.client.create_snapshot("shop").wait(timeout=60, on_progress=steps.append)
        self.assertEqual((snapshot.collection, snapshot.images), ("shop", 6))
        self.assertEqual(steps[-1].state, "succeeded")
        self.assertIn(snapshot.name, [one.name for one in self.client.list_snapshots("shop")])
        path = self.folder / "shop.snapshot"
        # A download that broke left its first bytes.
        self.client.download_snapshot(snapshot.name, path)
        whole = path.read_bytes()
        path.unlink()
        (self.folder / "shop.snapshot.part").write_bytes(whole[:1000])
        self.client.download_snapshot(snapshot.name, path)
        self.assertEqual(path.read_bytes(), whole)
        uploaded = self.client.upload_snapshot(path)
        self.assertEqual((uploaded.sha256, uploaded.images), (snapshot.sha256, 6))
        restored = self.client.restore_snapshot(uploaded.name, "again").wait(60)
        self.assertEqual((restored.name, restored.images), ("again", 6))
        self.client.delete_collection("again")
        for name in (snapshot.name, uploaded.name):
            self.client.delete_snapshot(name)
        self.refused(sightline.NotFoundError, "SNAPSHOT_NOT_FOUND", self.client.delete_snapshot, snapshot.name)

    def test_a_snapshot_that_is_damaged(self):
        snapshot = self.client.create_snapshot("shop").wait(60)
        path = self.folder / "damaged"
        (self.folder / "damaged.part").write_bytes(b"not the begin of a snapshot")
        self.refused(sightline.DataLossError, "SNAPSHOT_DAMAGED", self.client.download_snapshot, snapshot.name, path)
        self.assertFalse(path.exists())
        (self.folder / "damaged.part").unlink(missing_ok=True)
        self.client.download_snapshot(snapshot.name, path)
        data = bytearray(path.read_bytes())
        data[-1] ^= 1
        path.write_bytes(data)
        with self.assertRaises(sightline.SightlineError) as caught:
            self.client.upload_snapshot(path)
        self.assertIn(caught.exception.code, ("DATA_LOSS", "INVALID_ARGUMENT"))
        path.write_bytes(b"text")
        self.refused(sightline.DataLossError, "SNAPSHOT_DAMAGED", self.client.upload_snapshot, path)
        self.refused(sightline.InvalidArgumentError, "FILE_UNREADABLE", self.client.upload_snapshot,
                     self.folder / "none")
        self.client.delete_snapshot(snapshot.name)

    def test_long_work(self):
        operation = self.client.optimize_collection("shop")
        self.assertIsInstance(operation, sightline.Operation)
        self.assertEqual(operation.wait(60).name, "shop")
        again = operation.refresh()
        self.assertEqual((again.state, again.ended, again.kind), ("succeeded", True, "optimize"))
        self.assertEqual(self.client.cancel_operation(operation.name).state, "succeeded")
        self.assertIn(operation.name, [one.name for one in self.client.list_operations("shop", page_size=1)])
        duplicates = self.client.find_duplicates("shop", min_score=0.99, min_structural_score=-1, neighbours=2).wait(60)
        self.assertEqual((duplicates.images, duplicates.total_groups), (6, 0))
        self.client.index(picture(0), collection="shop", id="twin")
        found = self.client.find_duplicates("shop", min_score=0.99, min_structural_score=-1).wait(60)
        self.assertEqual(found.groups[0].ids, ("p0", "twin"))
        self.client.delete_images(["twin"], collection="shop")
        with self.assertRaises(sightline.SightlineError) as caught:
            self.client.fit_confidence("shop", [("p0", "p1", False)]).wait(60)
        self.assertTrue(caught.exception.reason)
        with self.assertRaises(sightline.SightlineError):
            self.client.reembed_collection("shop", model="there-is-none").wait(60)
        with self.assertRaises(sightline.SightlineError):
            self.client.drop_other_space("shop")
        self.refused(sightline.NotFoundError, "OPERATION_NOT_FOUND", self.client.wait_operation, "operations/999999")

    def test_models_and_the_server(self):
        info = self.client.server_info()
        self.assertEqual(info.default_model, MODEL)
        self.assertGreater(info.limits.max_image_bytes, 0)
        self.assertEqual(info.limits.request_id_retention, 86400)
        self.assertTrue(any("untrained" in warning for warning in info.warnings), info.warnings)
        self.assertIn(MODEL, [one.name for one in self.client.list_models()])
        self.assertEqual(self.client.get_model(MODEL).state, "ready")
        self.assertIn("shop", self.client.unload_model(MODEL))
        with self.assertRaises(sightline.FailedPreconditionError):
            self.client.search(picture(1), collection="shop")
        self.assertEqual(self.client.load_model(MODEL).state, "ready")
        self.refused(sightline.NotFoundError, "MODEL_NOT_FOUND", self.client.get_model, "there-is-none")

    # Errors.

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
                               ("FILE_UNREADABLE", str(self.folder)), ("FILE_UNREADABLE", "a\0b"), ("IMAGE_TYPE",
                                                                                                    open(__file__))):
            with self.subTest(f"{reason} {type(source).__name__}"):
                self.refused(sightline.InvalidArgumentError, reason, self.client.search, source, collection="shop")
            if hasattr(source, "close"):
                source.close()
        import io
        from PIL import Image
        cut = Image.open(io.BytesIO(jpeg[:len(jpeg) // 2]))
        self.refused(sightline.InvalidArgumentError, "IMAGE_UNREADABLE", self.client.search, cut, collection="shop")
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
        search, shop = self.client.search, {"collection": "shop"}
        refusals = (
            ("ID_INVALID", search, {
                "id": "x" * 100_000,
                **shop
            }),
            ("FIELD_INVALID", search, {
                "id": "a\ud800",
                **shop
            }),
            ("FIELD_INVALID", search, {
                "id": 5,
                **shop
            }),
            ("FIELD_INVALID", search, {
                "id": "p1",
                "top_k": "5",
                **shop
            }),
            ("FIELD_INVALID", search, {
                "id": "p1",
                "top_k": 2**40,
                **shop
            }),
            ("FIELD_INVALID", search, {
                "id": "p1",
                "top_k": True,
                **shop
            }),
            ("FIELD_INVALID", search, {
                "id": "p1",
                "exact": "yes",
                **shop
            }),
            ("FIELD_INVALID", search, {
                "id": "p1",
                "min_score": "high",
                **shop
            }),
            ("FIELD_INVALID", search, {
                "id": "p1",
                "rerank": 5,
                **shop
            }),
            ("FIELD_INVALID", search, {
                "id": "p1",
                "rerank": "magic",
                **shop
            }),
            ("FIELD_INVALID", search, {
                "id": "p1",
                "explain": "yes",
                **shop
            }),
            ("FIELD_INVALID", search, {
                "id": "p1",
                "expansion": "magic",
                **shop
            }),
            ("FIELD_INVALID", search, {
                "id": "p1",
                "filter": 5,
                **shop
            }),
            ("VALUE_OUT_OF_RANGE", search, {
                "id": "p1",
                "top_k": 100_000,
                **shop
            }),
            ("QUERY_INVALID", search, shop),
            ("QUERY_INVALID", search, {
                "id": "p1",
                "image": b"x",
                **shop
            }),
            ("QUERY_INVALID", search, {
                "id": "p1",
                "parts": [sightline.Part(id="p1")],
                **shop
            }),
            ("QUERY_INVALID", search, {
                "parts": ["p1"],
                **shop
            }),
            ("CROP_INVALID", search, {
                "image": picture(1),
                "crop": (1, 2, 3),
                **shop
            }),
            ("CROP_INVALID", search, {
                "image": picture(1),
                "crop": "0,0,1,1",
                **shop
            }),
            ("CROP_INVALID", search, {
                "image": picture(1),
                "crop": 5,
                **shop
            }),
            ("DESCRIPTOR_INVALID", search, {
                "descriptor": [1.0],
                **shop
            }),
            ("TIMEOUT_INVALID", search, {
                "id": "p1",
                "timeout": 0,
                **shop
            }),
            ("TIMEOUT_INVALID", search, {
                "id": "p1",
                "timeout": float("nan"),
                **shop
            }),
            ("ATTRIBUTES_INVALID", self.client.index, {
                "image": b"x",
                "attributes": [1],
                **shop
            }),
            ("ATTRIBUTE_INVALID", self.client.index, {
                "image": b"x",
                "attributes": {
                    "a": None
                },
                **shop
            }),
            ("ATTRIBUTE_INVALID", self.client.index, {
                "image": b"x",
                "attributes": {
                    "a": 2**63
                },
                **shop
            }),
            ("ATTRIBUTE_INVALID", self.client.index, {
                "image": b"x",
                "attributes": {
                    "a": [1]
                },
                **shop
            }),
            ("ITEM_INVALID", self.client.index, shop),
            ("FIELD_INVALID", self.client.delete_images, {
                "ids": "p1",
                **shop
            }),
            ("FIELD_INVALID", self.client.delete_images, {
                "ids": 5,
                **shop
            }),
            ("FIELD_INVALID", self.client.create_collection, {
                "name": "x",
                "no_such_setting": 1
            }),
            ("FIELD_INVALID", self.client.create_collection, {
                "name": "x",
                "index_kind": "magic"
            }),
            ("FIELD_INVALID", self.client.get_image, {
                "id": "p1",
                "view": "everything",
                **shop
            }),
        )
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

    # The asynchronous twin.

    def test_async(self):
        async def use():
            async with sightline.AsyncClient(self.server.address, timeout=60) as client:
                await client.create_collection("async")
                outcomes = [
                    one
                    async for one in client.index_stream(((f"a{n}", picture(n)) for n in range(4)), collection="async")
                ]
                self.assertEqual(sorted((one.id, one.ok) for one in outcomes), [(f"a{n}", True) for n in range(4)])
                answers = await asyncio.gather(
                    *(client.search(picture(n), collection="async", explain=True) for n in range(4)))
                self.assertEqual([answer[0].id for answer in answers], ["a0", "a1", "a2", "a3"])
                self.assertTrue(answers[0][0].patches)
                why = await client.explain(query_id="a0", result_id="a1", collection="async")
                self.assertTrue(why.evidence.query_image and why.evidence.result_image)
                self.assertEqual((await client.index(picture(4), collection="async", id="a4")).revision, 1)
                self.assertEqual(sorted([one.id async for one in client.list_images("async", page_size=2)]),
                                 [f"a{n}" for n in range(5)])
                self.assertEqual((await client.embed(picture(1))).width, 64)
                self.assertEqual((await client.get_image("a1", collection="async")).id, "a1")
                self.assertEqual((await client.update_attributes("a1", {"x": 1}, collection="async")).attributes,
                                 {"x": 1})
                self.assertEqual([one.count async for one in client.list_attribute_values("async", "x")], [1])
                operation = await client.create_snapshot("async")
                snapshot = await operation.wait(60)
                self.assertEqual((await operation.refresh()).state, "succeeded")
                self.assertEqual((await operation.cancel()).state, "succeeded")
                path = self.folder / "async.snapshot"
                await client.download_snapshot(snapshot.name, path)
                uploaded = await client.upload_snapshot(path)
                restored = await (await client.restore_snapshot(uploaded.name, "async2")).wait(60)
                self.assertEqual(restored.images, 5)
                self.assertEqual(len([one async for one in client.list_snapshots("async")]), 2)
                self.assertTrue([one async for one in client.list_operations("async")])
                for name in (snapshot.name, uploaded.name):
                    await client.delete_snapshot(name)
                found = await (await client.find_duplicates("async", min_score=0.99)).wait(60)
                self.assertEqual(found.images, 5)
                self.assertEqual((await client.delete_images(["a4"], collection="async")).deleted, 1)
                self.assertEqual((await client.get_collection("async")).images, 4)
                self.assertIn("async", [one.name async for one in client.list_collections()])
                self.assertEqual((await client.server_info()).default_model, MODEL)
                self.assertEqual((await client.get_model(MODEL)).name, MODEL)
                self.assertTrue(await client.list_models())
                self.assertEqual(await client.delete_collection("async"), 4)
                await client.delete_collection("async2")
                with self.assertRaises(sightline.NotFoundError):
                    await client.get_collection("async")
                with self.assertRaises(sightline.DeadlineExceededError):
                    await client.search(picture(1), collection="shop", timeout=0.0005)
                with self.assertRaises(sightline.InvalidArgumentError):
                    await client.search(5, collection="shop")
            with self.assertRaises(sightline.FailedPreconditionError):
                await client.server_info()
            async with sightline.AsyncClient("127.0.0.1:1") as nobody:
                with self.assertRaises(sightline.UnavailableError) as caught:
                    await nobody.server_info()
                self.assertEqual(caught.exception.reason, "SERVER_UNREACHABLE")

        asyncio.run(use())

    def test_a_stream_of_images(self):
        self.client.create_collection("stream")
        source = [("good", picture(1)), ("cut", picture(2)[:300]), ("text", b"text"), ("x" * 600, picture(3)),
                  ("late", picture(4))]
        outcomes = {one.item[0]: one for one in self.client.index_stream(source, collection="stream")}
        self.assertEqual({name[:4]: one.ok for name, one in outcomes.items()}, {
            "good": True,
            "cut": False,
            "text": False,
            "xxxx": False,
            "late": True
        })
        self.assertEqual(outcomes["x" * 600].error.reason, "ID_INVALID")
        self.assertEqual(outcomes["good"].response.revision, 1)
        path = self.folder / "stream.jpg"
        path.write_bytes(picture(5))
        outcome, = self.client.index_stream([path], collection="stream")
        self.assertEqual(outcome.id, str(path))
        self.assertEqual(self.client.delete_collection("stream"), 3)
        for one in self.client.index_stream([("a", picture(1))], collection="stream"):
            self.assertEqual(one.error.reason, "COLLECTION_NOT_FOUND")

    def test_what_is_cancelled_is_cancelled(self):
        async def use():
            async with sightline.AsyncClient(self.server.address) as client:
                task = asyncio.ensure_future(client.search(picture(1), collection="shop"))
                await asyncio.sleep(0)
                task.cancel()
                with self.assertRaises(asyncio.CancelledError):
                    await task
                self.assertEqual((await client.get_collection("shop")).name, "shop")

        asyncio.run(use())

    def test_notebooks(self):
        self.client.create_collection("page")
        self.client.index(picture(1), collection="page", id="<script>alert(1)</script>", attributes={"a": "\"><b>"})
        answer = self.client.search(picture(1), collection="page", explain=True)
        page = answer._repr_html_()
        self.assertIn("data:image/jpeg;base64,", page)
        why = answer[0]._repr_html_()
        self.assertEqual(why.count("<line "), len(answer[0].patches))
        self.assertEqual(why.count("<img "), 3, "the result's tile and the two pictures of the evidence")
        for text in (page, why):
            self.assertNotIn("<script", text)
            self.assertNotIn("<b>\"", text)
        self.client.delete_collection("page")


if __name__ == "__main__":
    unittest.main(verbosity=2)
