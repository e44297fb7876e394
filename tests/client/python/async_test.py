"""AsyncClient against a real server."""

import asyncio

import support
from support import MODEL, picture

import sightline


class AsyncTest(support.ShopCase):
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


if __name__ == "__main__":
    support.main("async_test")
