"""A real server with a small model, some data and calls to make of it, for the tests of what can be watched.

Environment: that of sightline_server.py, and SIGHTLINE_MODEL_ROOT.
"""

import io
import os
import pathlib
import random
import re
import sys
import tempfile
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/e2e/python"))

import sightline_server  # noqa: E402  (the path comes first)

DIM = 16
MODEL = "dtop_seeded"


class WatchedServer:
    """A server with the collection "v" of descriptors, which holds 200 images; a context manager."""

    def __init__(self, *flags):
        self._generated = tempfile.TemporaryDirectory(prefix="sightline-protos.")
        self._get = sightline_server.load_protos(self._generated.name)
        self.server = sightline_server.Server(f"--models={MODEL}", f"--model_root={os.environ['SIGHTLINE_MODEL_ROOT']}",
                                              "--allow_untrained", "--warm_up=none", *flags)
        self._opened = sightline_server.channel_to(self.server.address)
        channel = self._opened.__enter__()
        for name, service in (("search", "SearchService"), ("index", "IndexService"), ("collections", "CollectionService")):
            setattr(self, name, sightline_server.stub(channel, self._get, f"sightline.v1.{service}"))
        self.make_collection("v")
        rng = random.Random(1)
        for i in range(200):
            self.index.Index(self.image(f"i{i}", [rng.gauss(0, 1) for _ in range(DIM)]), timeout=60)

    def message(self, type_name, /, **fields):
        return self._get(f"sightline.v1.{type_name}")(**fields)

    def make_collection(self, name):
        request = self.message("CreateCollectionRequest", name=name, embedding_space="space", descriptor_dim=DIM)
        self.collections.CreateCollection(request, timeout=60)

    def delete_collection(self, name):
        self.collections.DeleteCollection(self.message("DeleteCollectionRequest", name=name), timeout=60)

    def image(self, image_id, values, collection="v", request_id=""):
        request = self.message("IndexRequest", collection=collection, request_id=request_id)
        request.item.id = image_id
        request.item.global_descriptor.values.extend(values)
        request.item.global_descriptor.embedding_space = "space"
        return request

    def query(self, values, collection="v"):
        request = self.message("SearchRequest", collection=collection)
        part = request.query.parts.add()
        part.global_descriptor.values.extend(values)
        part.global_descriptor.embedding_space = "space"
        return request

    def embedding(self, seed):
        """A request for the descriptor of a picture of noise."""
        from PIL import Image
        side = 64
        picture = Image.frombytes("RGB", (side, side), random.Random(seed).randbytes(3 * side * side))
        out = io.BytesIO()
        picture.save(out, "PNG")
        return self.message("EmbedRequest", model=MODEL, image=out.getvalue())

    def get(self, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.server.ports['admin']}{path}", timeout=60) as reply:
            return reply.read().decode()

    def whole_log(self):
        return (self.server.folder / "server.log").read_text(errors="replace")

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._opened.__exit__(None, None, None)
        code = self.server.terminate()
        log = self.server.log()
        self.server.close()
        self._generated.cleanup()
        if code != 0 and error == (None, None, None):
            raise AssertionError(f"the server ended with {code}:\n{log}")


def listed_metrics():
    """docs/metrics.md: {name: (type, labels)}, and the names that not every server has."""
    everywhere, section, listed = True, "", {}
    sometimes = set()
    for line in (ROOT / "docs/metrics.md").read_text().splitlines():
        if line.startswith("## "):
            section = line[3:]
            everywhere = section != "Where it is set up"
        row = re.match(r"\| `(\w+)` \| (counter|gauge|histogram) \| ([\w, ]*) ?\| .+ \|$", line)
        if row:
            name, kind, labels = row.groups()
            assert name not in listed, f"docs/metrics.md lists {name} twice"
            listed[name] = (kind, frozenset(filter(None, (label.strip() for label in labels.split(",")))))
            if not everywhere:
                sometimes.add(name)
        elif line.startswith("| `"):
            raise AssertionError(f"docs/metrics.md has a row that is none: {line}")
    return listed, sometimes


def served_metrics(text):
    """The text of /metrics: {name: (type, labels, number of lines)}."""
    types, labels, lines = {}, {}, {}
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name not in types, f"/metrics has {name} twice"
            types[name], labels[name], lines[name] = kind, set(), 0
        elif not line.startswith("#"):
            sample = re.match(r"(\w+)(?:\{(.*)\})? \S+$", line)
            assert sample, f"/metrics has a line that is none: {line!r}"
            name, pairs = sample.groups()
            family = name if name in types else re.sub(r"_(bucket|sum|count)$", "", name)
            keys = set(re.findall(r'(\w+)="(?:[^"\\]|\\.)*"', pairs or ""))
            labels[family] |= keys - {"le"} if types[family] == "histogram" else keys
            lines[family] += 1
    return {name: (types[name], frozenset(labels[name]), lines[name]) for name in types}
