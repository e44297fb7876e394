"""index_stream against a real server that is killed and stopped in the midst."""

import asyncio
import random
import unittest

import support
from support import DIM, sightline_server, vector

import sightline


class RealTest(unittest.TestCase):
    """The server is killed in the midst, then stopped in the midst, and each time started again on its data."""

    COUNT = 300

    def run_with_kills(self, stream):
        """`stream(client-address, source, on_outcome)` indexes; the server falls after a third and after two."""
        server = sightline_server.Server()
        port = server.ports["grpc"]
        folder = server.folder
        try:
            with sightline.Client(server.address) as client:
                client.create_collection("c", embedding_space="space", descriptor_dim=DIM)
            rng = random.Random(support.SEED)
            print("seed", support.SEED)
            outcomes, kills = [], [self.COUNT // 3, 2 * self.COUNT // 3]
            holder = {"server": server}

            def on_outcome(one):
                outcomes.append(one)
                if kills and len(outcomes) == kills[0]:
                    kills.pop(0)
                    fallen = holder["server"]
                    if kills:
                        fallen.process.kill()
                    else:
                        fallen.process.terminate()
                    fallen.process.wait()
                    if fallen is not server:
                        fallen.close()
                    holder["server"] = sightline_server.Server(f"--listen=127.0.0.1:{port}", folder=folder)

            source = [sightline.Item(descriptor=vector(rng), id=f"i{n}") for n in range(self.COUNT)]
            stream(server.address, source, on_outcome)
            self.assertEqual(kills, [])
            self.assertEqual([one.error for one in outcomes if not one.ok], [])
            names = [f"i{n}" for n in range(self.COUNT)]
            self.assertEqual(sorted(one.id for one in outcomes), sorted(names), "one outcome an item")
            with sightline.Client(holder["server"].address) as client:
                stored = {one.id: one.revision for one in client.list_images("c", page_size=1000)}
                self.assertEqual(stored, {name: 1 for name in names}, "stored once each")
            self.assertGreater(max(one.attempts for one in outcomes), 1, "the kill met nothing")
        finally:
            if holder["server"] is not server:
                holder["server"].close()
            server.close()

    def test_sync(self):
        def stream(address, source, on_outcome):
            with sightline.Client(address) as client:
                for one in client.index_stream(source, collection="c"):
                    on_outcome(one)

        self.run_with_kills(stream)

    def test_async(self):
        def stream(address, source, on_outcome):
            async def use():
                async with sightline.AsyncClient(address) as client:
                    async for one in client.index_stream(source, collection="c"):
                        on_outcome(one)

            asyncio.run(use())

        self.run_with_kills(stream)


if __name__ == "__main__":
    unittest.main(verbosity=2)
