"""Images of a real server: written, read, listed, changed and deleted, one by one and as a stream."""

import datetime

import support
from support import picture


class ImagesTest(support.ShopCase):
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


if __name__ == "__main__":
    support.main("images_test")
