"""Collections, snapshots, long work and models of a real server."""

import random

import support
from support import MODEL, picture, vector

import sightline


class CollectionsTest(support.ShopCase):
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
        self.assertEqual(self.client.update_collection("space", description="other").settings.description, "other")
        self.assertEqual(created.settings.device, "auto")
        self.assertEqual(self.client.update_collection("space", device="cpu").settings.device, "cpu")
        self.assertEqual(self.client.get_collection("space").stats.card_images, 0)
        self.assertEqual(self.client.set_alias("nickname", "space").aliases, ("nickname",))
        self.assertEqual(self.client.get_collection("nickname").name, "space")
        self.client.delete_alias("nickname")
        self.refused(sightline.NotFoundError, "COLLECTION_NOT_FOUND", self.client.get_collection, "nickname")
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
        # What another download has left is no begin of this one.
        for left in (b"not the begin of a snapshot", b""):
            (self.folder / "damaged.part").write_bytes(left)
            self.client.download_snapshot(snapshot.name, path)
            self.assertFalse((self.folder / "damaged.part").exists())
        whole = path.read_bytes()
        # What has grown wrong goes away, so that the next attempt begins anew.
        (self.folder / "damaged.part").write_bytes(whole[:-10] + bytes(5))
        self.refused(sightline.DataLossError, "SNAPSHOT_DAMAGED", self.client.download_snapshot, snapshot.name, path)
        self.client.download_snapshot(snapshot.name, path)
        self.assertEqual(path.read_bytes(), whole)
        self.refused(sightline.InternalError, "FILE_ERROR", self.client.download_snapshot, snapshot.name,
                     self.folder / "none/there")
        self.refused(sightline.NotFoundError, "SNAPSHOT_NOT_FOUND", self.client.download_snapshot, "snapshots/999",
                     self.folder / "unknown")
        self.assertFalse((self.folder / "unknown.part").exists())
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


if __name__ == "__main__":
    support.main("collections_test")
