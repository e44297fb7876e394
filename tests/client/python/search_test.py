"""Searching: every kind of query against a real server, its options, and what comes back."""

import io

import asyncio

import support
from support import MODEL, picture

import sightline


class SearchTest(support.ShopCase):
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

    def test_a_stream_of_searches(self):
        path = self.folder / "stream.png"
        path.write_bytes(picture(3, kind="PNG"))
        queries = [picture(1), path, sightline.Part(id="p2"), sightline.Part(picture(4), crop=(0, 0, 1, 1)),
                   [sightline.Part(id="p0"), sightline.Part(id="p5", weight=0.1)], b"text", sightline.Part(id="none"),
                   "/there/is/none.jpg", 5, sightline.Part()]
        wanted = ["p1", "p3", "p2", "p4", "p0", "TEXT", "IMAGE_NOT_FOUND", "FILE_UNREADABLE", "IMAGE_TYPE",
                  "QUERY_INVALID"]

        def check(outcomes):
            # Each comes back with the very object that asked.
            found = {id(one.query): one for one in outcomes}
            self.assertEqual(len(outcomes), len(queries))
            for query, name in zip(queries, wanted):
                one = found[id(query)]
                with self.subTest(name):
                    self.assertEqual(one.ok, one.response is not None)
                    if name == "TEXT":
                        self.assertTrue(one.error.reason)
                    else:
                        self.assertEqual(one.response[0].id if one.ok else one.error.reason, name)
            best = found[id(queries[0])].response[0]
            self.assertEqual(best.evidence.query_image, queries[0])

        options = {"collection": "shop", "top_k": 1, "explain": True, "rerank": True}
        check(list(self.client.search_stream(queries, **options)))

        async def use():
            async with sightline.AsyncClient(self.server.address, timeout=60) as client:
                return [one async for one in client.search_stream(queries, timeout=60, **options)]

        check(asyncio.run(use()))
        with self.assertRaises(sightline.InvalidArgumentError):
            self.client.search_stream("photo.jpg", collection="shop")

    def test_explain(self):
        why = self.client.explain(picture(1), result_id="p1", collection="shop", correspondences=4).evidence
        self.assertEqual(len(why.patches), 4)
        self.assertGreater(why.score, 0.99)
        self.assertTrue(why.query_image and why.result_image)
        two = self.client.explain(picture(1), picture(2), query_crop=(0, 0, 0.5, 0.5), heat_maps=False)
        self.assertIsNone(two.evidence.query_heat_map)
        self.assertLess(two.evidence.score, why.score)

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
    support.main("search_test")
