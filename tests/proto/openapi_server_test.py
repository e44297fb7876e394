"""A server does what its OpenAPI document says: every operation is called at least once, over every binding, and every
answer, of success and of failure, has the documented status, type and form.

Usage: openapi_server_test.py REPOSITORY_ROOT GENERATED_FOLDER PROGRAMS_FOLDER
"""

import base64
import io
import json
import pathlib
import random
import re
import subprocess
import sys
import tempfile
import time
import unittest

try:
    import jsonschema  # The client needs it.
    from PIL import Image
except ImportError as missing:
    print(f"SKIPPED: {missing}")
    sys.exit(77)

from openapi_client import OpenApiClient

ROOT, GENERATED, PROGRAMS = (pathlib.Path(argument).resolve() for argument in sys.argv[1:4])


def picture(seed):
    """A JPEG of coloured rectangles."""
    dice = random.Random(seed)
    image = Image.new("RGB", (160, 120))
    for _ in range(40):
        x, y = dice.randrange(160), dice.randrange(120)
        image.paste(tuple(dice.randrange(256) for _ in range(3)), (x, y, x + dice.randrange(8, 60), y + dice.randrange(8, 60)))
    out = io.BytesIO()
    image.save(out, "JPEG", quality=90)
    return out.getvalue()


def b64(data):
    return base64.b64encode(data).decode()


class Server(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="sightline-openapi-")
        root = pathlib.Path(cls.folder.name)
        ports = root / "ports.json"
        cls.log = open(root / "log", "w+", encoding="utf-8")
        cls.server = subprocess.Popen(
            [PROGRAMS / "sightline-server", f"--data_dir={root}/data", f"--model_root={ROOT}/model/zoo", "--models=dtop_tiny",
             "--warm_up=none", "--listen=127.0.0.1:0", "--http_listen=127.0.0.1:0", "--admin_listen=127.0.0.1:0",
             f"--port_file={ports}"], stderr=cls.log)
        cls.addClassCleanup(cls.stop)
        for _ in range(600):
            if ports.exists() or cls.server.poll() is not None:
                break
            time.sleep(0.05)
        if not ports.exists():
            cls.log.seek(0)
            raise AssertionError(f"the server did not start: {cls.log.read()[-2000:]}")
        cls.client = OpenApiClient(json.loads((GENERATED / "openapi.json").read_text()),
                                   json.loads(ports.read_text())["http"])

    @classmethod
    def stop(cls):
        cls.server.terminate()
        try:
            ended = cls.server.wait(60)
        except subprocess.TimeoutExpired:
            cls.server.kill()
            ended = cls.server.wait()
        cls.log.close()
        cls.folder.cleanup()
        assert ended == 0, f"the server ended with {ended}"

    def call(self, name, /, **arguments):
        return self.client.call(name, **arguments)

    def ended(self, reply):
        """Waits until the operation of a reply has ended; returns it."""
        name = reply["operation"]["name"].split("/")[1]
        for _ in range(400):
            operation = self.call("OperationService_GetOperation_2", name=name)["operation"]
            if operation["state"] not in ("STATE_PENDING", "STATE_RUNNING"):
                return operation
            time.sleep(0.05)
        self.fail(f"operations/{name} does not end")

    def test_every_operation(self):
        self.check_document()
        self.check_collections()
        self.check_images()
        self.check_searches()
        self.check_streams()
        self.check_long_work()
        self.check_snapshots()
        self.check_models()
        self.check_end()
        self.assertEqual(sorted(set(self.client.operations) - self.client.called), [], "never called")

    def check_document(self):
        self.assertEqual(self.call("GetOpenApi"), self.client.document, "another document is served")
        self.call("ServerService_GetServerInfo")
        self.call("ServerService_GetServerInfo_2")
        # The page shows an error as it comes.
        shown = re.search(r"```json\n(.*?)```", (ROOT / "docs/api.md").read_text(), re.S)[1]
        self.assertEqual(self.call("CollectionService_GetCollection_2", name="shop", status=404), json.loads(shown))

    def check_collections(self):
        self.call("CollectionService_CreateCollection", name="shop", settings={"keepImage": "KEEP_IMAGE_ORIGINAL"})
        self.call("CollectionService_CreateCollection", name="shop", status=409)
        self.call("CollectionService_CreateCollection", name="No Name", status=400)
        self.call("CollectionService_GetCollection", name="shop")
        self.call("CollectionService_GetCollection_2", name="shop")
        self.call("CollectionService_GetCollection_2", name="nobody", status=404)
        self.assertEqual(len(self.call("CollectionService_ListCollections", pageSize=5)["collections"]), 1)
        self.call("CollectionService_ListCollections_2", pageSize=5)
        self.call("CollectionService_ListCollections_2", pageSize=-1, status=400)
        for name in ("CollectionService_UpdateCollection", "CollectionService_UpdateCollection_2"):
            self.call(name, name="shop", settings={"description": "shoes"}, updateMask="description")
        for number in ("", "_2"):
            self.call(f"CollectionService_SetAlias{number}", alias="store", collection="shop")
            self.call(f"CollectionService_DeleteAlias{number}", alias="store")
            self.call(f"CollectionService_DeleteAlias{number}", alias="store", status=404)

    def check_images(self):
        for i in range(4):
            attributes = {"brand": {"stringValue": "acme"}, "price": {"doubleValue": 9.5 + i}, "stock": {"int64Value": str(i)},
                          "new": {"boolValue": True}, "tags": {"stringList": {"values": ["red", "blue"]}}}
            self.call("IndexService_Index", collection="shop", requestId=f"r{i}",
                      item={"id": f"a/{i}", "image": b64(picture(i)), "attributes": attributes})
        body, kind = self.client.form({"item": {"id": "form"}}, **{"item.image": picture(9)})
        self.call("IndexService_Index", collection="shop", body=body, content_type="multipart/form-data",
                  headers={"Content-Type": kind})
        self.call("IndexService_Index", collection="shop", item={"id": "bad", "image": b64(b"no image")}, status=400)
        for view in ("METADATA", "PREVIEW", "ORIGINAL", "VECTORS"):
            self.call("IndexService_GetImage", collection="shop", id="a/1", view=f"IMAGE_VIEW_{view}",
                      status=400 if view == "PREVIEW" else 200)
        self.call("IndexService_GetImage_2", collection="shop", id="a/1", view="IMAGE_VIEW_VECTORS")
        self.call("IndexService_GetImage_2", collection="shop", id="a/77", status=404)
        self.call("IndexService_ListImages", collection="shop", pageSize=2)
        self.assertEqual(len(self.call("IndexService_ListImages_2", collection="shop", pageSize=2, filter="stock >= 1",
                                       view="IMAGE_VIEW_METADATA")["images"]), 2)
        self.call("IndexService_ListImages_2", collection="shop", filter="stock >=", status=400)
        self.assertEqual(self.call("GetOriginal", collection="shop", id="a/1"), picture(1))
        self.call("GetPreview", collection="shop", id="a/1", status=(200, 400, 404))
        self.call("IndexService_UpdateAttributes", collection="shop", id="a/1", set={"size": {"int64Value": "42"}},
                  remove=["new"])
        self.call("CollectionService_ListAttributeValues", collection="shop", key="brand")
        self.call("CollectionService_ListAttributeValues_2", collection="shop", key="tags", pageSize=5)

    def check_searches(self):
        query = {"parts": [{"image": b64(picture(1)), "weight": 1, "crops": [{"x0": 0, "y0": 0, "x1": 1, "y1": 0.9}]}]}
        found = self.call("SearchService_Search", collection="shop", query=query, topK=3, returnAttributes=True,
                          returnPreview=True, explain={"enabled": True, "heatMaps": True},
                          rerank={"method": "METHOD_OPTIMAL_TRANSPORT", "mass": 0.6}, expansion={"method": "METHOD_AVERAGE"})
        self.assertEqual(found["results"][0]["id"], "a/1")
        body, kind = self.client.form({"topK": 1, "query": {"parts": [{}]}}, **{"query.parts[0].image": picture(2)})
        found = self.call("SearchService_Search", collection="shop", body=body, content_type="multipart/form-data",
                          headers={"Content-Type": kind})
        self.assertEqual(found["results"][0]["id"], "a/2")
        self.call("SearchService_Search", collection="shop", query={"parts": []}, status=400)
        self.call("SearchService_Search", collection="nobody", query=query, status=404)
        self.call("SearchService_Search", collection="shop", body='{"topk": 3}', status=400)
        self.call("SearchService_Search", collection="shop", body='{"query": ', status=400)
        self.call("SearchService_Search", collection="shop", body="{}", content_type="application/json",
                  headers={"Content-Type": "image/jpeg"}, status=(400, 415))
        self.call("SearchService_Embed", model="dtop_tiny", image=b64(picture(1)), returnTokens=True)
        self.call("SearchService_Embed_2", image=b64(picture(1)))
        for name in ("SearchService_Explain", "SearchService_Explain_2"):
            self.call(name, collection="shop", query={"image": b64(picture(1))}, result={"id": "a/2"},
                      options={"enabled": True, "heatMaps": True, "correspondences": 5})

    def check_streams(self):
        lines = [{"request": {"collection": "shop", "requestId": str(i), "topK": 1,
                              "query": {"parts": [{"id": name}]}}} for i, name in enumerate(["a/1", "nobody"])]
        answers = self.call("SearchService_SearchStream", content_type="application/x-ndjson",
                            body="\n".join(map(json.dumps, lines)) + "\n")
        self.assertEqual({line["requestId"] for line in answers}, {"0", "1"})
        lines = [{"request": {"collection": "shop", "requestId": f"s{i}", "item": {"id": f"s{i}", "image": b64(picture(20 + i))}}}
                 for i in range(2)]
        answers = self.call("IndexService_IndexStream", content_type="application/x-ndjson",
                            body="\n".join(map(json.dumps, lines)) + "\n")
        self.assertEqual(len(answers), 2)
        self.assertEqual(self.call("IndexService_DeleteImages", collection="shop", ids=["s0", "s1", "none"]),
                         {"deleted": "2", "notFound": "1"})

    def check_long_work(self):
        self.assertEqual(self.ended(self.call("CollectionService_OptimizeCollection", name="shop"))["state"], "STATE_SUCCEEDED")
        self.ended(self.call("CollectionService_FindDuplicates", collection="shop", minScore=0.5, minStructuralScore=0.1))
        self.call("CollectionService_FitConfidence", collection="shop", labelAttribute="brand", status=(200, 400))
        self.call("CollectionService_ReembedCollection", name="shop", model="dtop_tiny", status=400)
        self.call("CollectionService_DropOtherSpace", name="shop", status=400)
        operations = self.call("OperationService_ListOperations", pageSize=10)["operations"]
        self.call("OperationService_ListOperations_2", pageSize=1)
        name = operations[-1]["name"].split("/")[1]
        self.call("OperationService_GetOperation", name=name)
        self.call("OperationService_GetOperation_2", name="77777", status=404)
        self.call("OperationService_CancelOperation", name=name)

    def check_snapshots(self):
        self.assertEqual(self.ended(self.call("CollectionService_CreateSnapshot", collection="shop"))["state"], "STATE_SUCCEEDED")
        snapshot = self.call("CollectionService_ListSnapshots")["snapshots"][0]
        self.call("CollectionService_ListSnapshots_2", pageSize=1)
        self.call("CollectionService_ListSnapshots_3", collection="shop")
        number = snapshot["name"].split("/")[1]
        whole = self.call("CollectionService_DownloadSnapshot_2", name=number)
        self.assertEqual(self.call("CollectionService_DownloadSnapshot", name=number, offset="100"), whole[100:])
        taken = self.call("CollectionService_UploadSnapshot", sha256=snapshot["sha256"], body=whole,
                          content_type="application/octet-stream")["snapshot"]
        self.call("CollectionService_UploadSnapshot", sha256=snapshot["sha256"], body=whole[:-1],
                  content_type="application/octet-stream", status=(400, 500))
        restored = self.call("CollectionService_RestoreSnapshot", snapshot=number, collection="copy")
        self.assertEqual(self.ended(restored)["state"], "STATE_SUCCEEDED")
        self.call("CollectionService_DeleteSnapshot", name=number)
        self.call("CollectionService_DeleteSnapshot_2", name=taken["name"].split("/")[1])
        self.call("CollectionService_DeleteSnapshot_2", name="77", status=404)

    def check_models(self):
        self.call("ModelService_ListModels")
        self.call("ModelService_ListModels_2")
        self.call("ModelService_GetModel", name="dtop_tiny")
        self.call("ModelService_GetModel_2", name="dtop_tiny")
        self.call("ModelService_GetModel_2", name="nobody", status=404)
        self.call("ModelService_LoadModel", name="dtop_tiny")
        self.call("ModelService_LoadModel", name="vit_base_patch16_224", status=400)
        self.call("ModelService_UnloadModel", name="dtop_tiny")
        self.call("SearchService_Embed_2", image=b64(picture(1)), status=400)

    def check_end(self):
        self.call("CollectionService_DeleteCollection", name="copy")
        self.call("CollectionService_DeleteCollection_2", name="shop")
        self.call("CollectionService_DeleteCollection_2", name="shop", status=404)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=1)
