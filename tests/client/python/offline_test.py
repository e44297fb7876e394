"""What the package does without a server: that both clients offer the same and the whole API, values, errors, pages,
and what hostile bytes do.
"""

import dataclasses
import html.parser
import inspect
import os
import pathlib
import pickle
import random
import re
import struct
import subprocess
import sys
import tempfile
import unittest
import zlib

import support

import sightline
from sightline import _connection, _convert, _images, _picture, _requests, _schema, _snapshot_file, errors, types

LIMIT = 16 << 20
# RPCs that methods of another name stand for.
RENAMED = {"GetServerInfo": "server_info"}
EVIDENCE = types.Evidence((), None, None, 0.5, 0.25, 1.0, 0.75, 0.9, None, 0, 0)
BOX = types.Box(0.25, 0.25, 0.5, 0.5, "fraction")
PIXEL = (b"\x89PNG\r\n\x1a\n" + b"\0\0\0\rIHDR" + struct.pack(">II", 4, 2) + b"\x08\x02\0\0\0")


def snake(name):
    return re.sub(r"(?<!^)([A-Z])", r"_\1", name).lower()


class ApiTest(unittest.TestCase):
    def test_every_rpc_has_its_method(self):
        offered = support.methods(sightline.Client)
        for rpc in _schema.METHODS:
            name = rpc.partition("/")[2]
            with self.subTest(rpc):
                self.assertIn(RENAMED.get(name, snake(name)), offered)

    def test_both_clients_are_alike(self):
        one, other = support.methods(sightline.Client), support.methods(sightline.AsyncClient)
        self.assertEqual(set(one), set(other))
        for name, method in one.items():
            with self.subTest(name):
                self.assertEqual(
                    [(p.name, p.kind, p.default) for p in inspect.signature(method).parameters.values()],
                    [(p.name, p.kind, p.default) for p in inspect.signature(other[name]).parameters.values()])
                self.assertTrue(method.__doc__)
                self.assertEqual(method.__doc__, other[name].__doc__)

    def test_values_have_every_field_of_their_message(self):
        for name, kind in _convert._VALUES.items():
            message = _schema.message_class(f"sightline.v1.{name}")
            with self.subTest(name):
                there = {field.name for field in dataclasses.fields(kind)} - {"query_image", "result_image"}
                self.assertEqual(there, set(message.DESCRIPTOR.fields_by_name))
                made = _convert.convert(message(), kind)  # of an empty message
                self.assertIsInstance(made, kind)

    def test_options_are_fields_of_the_request(self):
        request = _schema.message_class("sightline.v1.SearchRequest").DESCRIPTOR
        parameters = set(inspect.signature(sightline.Client.search).parameters)
        self.assertLessEqual(set(request.fields_by_name) - {"query"}, parameters)
        for kind, name in ((sightline.Rerank, "RerankOptions"), (sightline.Expansion, "QueryExpansion")):
            self.assertEqual({field.name for field in dataclasses.fields(kind)},
                             set(_schema.message_class(f"sightline.v1.{name}").DESCRIPTOR.fields_by_name))

    def test_the_build_lists_every_file(self):
        folder = support.ROOT / "client/python"
        listed = re.search(r"set\(sources\n(.*?)\)", (folder / "CMakeLists.txt").read_text(), re.S)[1].split()
        self.assertEqual(
            listed, sorted(path.name for path in (folder / "sightline").iterdir() if path.suffix in (".py", ".typed")))

    def test_a_package_that_is_not_built_says_so(self):
        with tempfile.TemporaryDirectory() as folder:
            os.symlink(support.ROOT / "client/python/sightline/_schema.py", pathlib.Path(folder) / "_schema.py")
            done = subprocess.run([sys.executable, "-B", "-c", "import _schema"],
                                  cwd=folder,
                                  capture_output=True,
                                  text=True)
        self.assertIn("ImportError: the package sightline is not built", done.stderr)

    def test_neither_numpy_nor_pil_is_imported(self):
        code = ("import sys; sys.modules['numpy'] = sys.modules['PIL'] = None; import sightline; "
                "sightline._images.encode(memoryview(bytes(12)).cast('B', (2, 2, 3)), 1000)")
        subprocess.run([sys.executable, "-B", "-c", code],
                       check=True,
                       env={
                           **os.environ, "PYTHONPATH": str(pathlib.Path(sightline.__file__).parents[1])
                       })

    def test_other_protos_of_the_same_names_do_not_collide(self):
        code = ("from google.protobuf import descriptor_pb2, descriptor_pool\n"
                "file = descriptor_pb2.FileDescriptorProto(name='google/rpc/status.proto', package='google.rpc')\n"
                "file.message_type.add(name='Status')\n"
                "descriptor_pool.Default().AddSerializedFile(file.SerializeToString())\n"
                "import sightline\n")
        subprocess.run([sys.executable, "-B", "-c", code],
                       check=True,
                       env={
                           **os.environ, "PYTHONPATH": str(pathlib.Path(sightline.__file__).parents[1])
                       })


class ValueTest(unittest.TestCase):
    def test_pixels_become_a_png(self):
        from PIL import Image
        import io
        for mode, channels in (("L", 1), ("RGB", 3), ("RGBA", 4)):
            with self.subTest(mode):
                pixels = random.Random(support.SEED).randbytes(5 * 3 * channels)
                shape = (3, 5) if channels == 1 else (3, 5, channels)
                encoded = _images.encode(memoryview(pixels).cast("B", shape), LIMIT)
                image = Image.open(io.BytesIO(encoded))
                self.assertEqual((image.mode, image.size, image.tobytes()), (mode, (5, 3), pixels))

    def test_large_pictures_become_a_jpeg(self):
        from PIL import Image
        import io
        pixels = random.Random(support.SEED).randbytes(100) * (1500 * 1400 * 3 // 100)
        for mode, size, kind in (("RGB", (1500, 1400), "JPEG"), ("L", (1500, 1400), "JPEG"),
                                 ("RGBA", (1500, 1400), "PNG"), ("RGB", (1000, 1000), "PNG")):
            image = Image.frombytes("RGB", (1500, 1400), pixels).resize(size).convert(mode)
            packed = Image.open(io.BytesIO(_images.encode(image, LIMIT)))
            self.assertEqual((packed.format, packed.size, packed.mode), (kind, size, mode))

    def test_attributes_travel_both_ways(self):
        import numpy
        record = _schema.message("ImageRecord")
        given = {"text": "ü", "whole": -2**63, "number": 0.5, "true": True, "list": ["b", "a"], "none": []}
        _convert.set_attributes(record.attributes, given)
        self.assertEqual(
            _convert.convert(record, types.ImageRecord).attributes, {
                "text": "ü",
                "whole": -2**63,
                "number": 0.5,
                "true": True,
                "list": ("b", "a"),
                "none": ()
            })
        given = {"a": numpy.int32(7), "b": numpy.float32(0.5), "c": {"y", "x"}, "d": numpy.bool_(True)}
        _convert.set_attributes(record.attributes, given)
        self.assertEqual([_convert.attribute(record.attributes[key]) for key in "abcd"], [7, 0.5, ("x", "y"), True])
        self.assertIs(type(_convert.attribute(record.attributes["d"])), bool)

    def test_evidence_is_asked_for_in_numbers_too(self):
        for asked, results in ((None, None), (False, None), (0, None), (True, 0), (3, 3), (sightline.Explain(), 0)):
            with self.subTest(str(asked)):
                made = _requests.explain_options(asked)
                self.assertEqual(None if made is None else made.results, results)

    def test_crops(self):
        for crop, unit in (((0, 0, 1, 1), 1), ((0.1, 0.2, 0.3, 0.4), 1), ((0, 0, 1, 2), 2), ((10, 20, 30, 40), 2),
                           ([0, 0, 2, 2], 2), (types.Box(0, 0, 1, 1, "pixel"), 2), (sightline.Crop(0, 0, 1, 1), 1)):
            with self.subTest(str(crop)):
                self.assertEqual(_requests.crop_box(crop).unit, unit)

    def test_enums_and_times_read_as_in_python(self):
        collection = _schema.message("Collection")
        collection.settings.index_kind = 3
        collection.create_time.seconds, collection.create_time.nanos = 1, 500_000_000
        made = _convert.convert(collection, sightline.Collection)
        self.assertEqual((made.settings.index_kind, made.create_time.isoformat()),
                         ("hnsw", "1970-01-01T00:00:01.500000+00:00"))
        collection.settings.index_kind = 99  # of a newer server
        self.assertEqual(_convert.convert(collection, sightline.Collection).settings.index_kind, "99")

    def test_results_of_a_newer_server_are_none(self):
        operation = _schema.message("Operation", name="operations/1", state=3)
        operation.result.type_url = "type.googleapis.com/sightline.v1.NotThoughtOfYet"
        self.assertIsNone(_convert.convert(operation, sightline.OperationState).result)

    def test_errors_travel_between_processes(self):
        error = sightline.NotFoundError("no such thing. Look elsewhere.",
                                        reason="X",
                                        metadata={"a": "b"},
                                        retry_after=1.5)
        again = pickle.loads(pickle.dumps(error))
        self.assertEqual((type(again), str(again), again.reason, again.metadata, again.retry_after),
                         (type(error), str(error), "X", {
                             "a": "b"
                         }, 1.5))

    def test_every_code_has_its_class(self):
        self.assertEqual(sorted(errors._BY_NUMBER), list(range(1, 17)))
        for number, kind in errors._BY_NUMBER.items():
            made = errors.from_call(number, "words", (), "127.0.0.1:1", 5.0)
            # What gRPC itself says of a dropped call is that the server is away.
            self.assertIsInstance(made, sightline.UnavailableError if number == 1 else kind)
            self.assertIn(kind.__name__, sightline.__all__)
        self.assertIs(type(errors.from_call(77, None, None, "a:1", None)), sightline.UnknownError)

    def test_waits_grow_and_honour_the_server(self):
        soon = sightline.UnavailableError("x")
        late = sightline.ResourceExhaustedError("x", retry_after=7.0)
        for attempt in range(1, 2000, 50):
            self.assertLessEqual(_connection.backoff(attempt, soon), 5.0)
            self.assertEqual(_connection.backoff(attempt, late), 7.0)
        self.assertTrue(_connection.is_retryable(late))
        self.assertFalse(_connection.is_retryable(sightline.ResourceExhaustedError("x")))
        self.assertFalse(_connection.is_retryable(sightline.InvalidArgumentError("x")))
        self.assertIsNone(_connection.wait_before_retry(soon, 1, 60))
        self.assertEqual(_connection.wait_before_retry(late, 1, 60), 7.0)
        self.assertIsNone(_connection.wait_before_retry(late, 1, 6))

    def test_where_the_server_is(self):
        names = ("SIGHTLINE_ADDRESS", "SIGHTLINE_API_KEY")
        before = {name: os.environ.pop(name, None) for name in names}
        try:
            self.assertEqual(_connection.settings(None, None, None, None, None, None).address, "127.0.0.1:50051")
            os.environ.update(SIGHTLINE_ADDRESS="there:1", SIGHTLINE_API_KEY="key\n")
            made = _connection.settings(None, None, None, None, None, None)
            self.assertEqual((made.address, made.metadata), ("there:1", (("authorization", "Bearer key"),)))
            self.assertNotIn("key", repr(made).replace("api_key", ""))
            made = _connection.settings("other:2", "", None, None, None, None)
            self.assertEqual((made.address, made.metadata), ("other:2", ()))
        finally:
            for name, value in before.items():
                os.environ.pop(name, None)
                if value is not None:
                    os.environ[name] = value

    def test_connections_that_cannot_be(self):
        wrong = [("INVALID_ADDRESS", "address", value)
                 for value in ("nowhere", 5, "host:", ":1", "host:none", "host:0", "host:65536", "::1:5", "a b:1",
                               "http://127.0.0.1:8080")]
        wrong += [("KEY_INVALID", "api_key", value) for value in ("a b", "ü", 5)]
        wrong += [("TLS_INVALID", "tls", value) for value in (5, __file__)]
        wrong += [("FILE_UNREADABLE", "tls", value) for value in ("/there/is/none.pem", "a\0b", "\ud800")]
        wrong += [("TLS_PAIR_INCOMPLETE", "tls", sightline.Tls(certificate=b"x"))]
        wrong += [("TIMEOUT_INVALID", "timeout", value) for value in (-1, "5", float("nan"))]
        wrong += [("FIELD_INVALID", name, value) for name in ("max_image_bytes", "max_message_bytes")
                  for value in (0, -1, "5", 1 << 31, True)]
        for reason, name, value in wrong:
            for kind in (sightline.Client, sightline.AsyncClient):
                with self.subTest(f"{kind.__name__} {name}={value!r}"):
                    with self.assertRaises(sightline.InvalidArgumentError) as caught:
                        kind(**{name: value})
                    self.assertEqual(caught.exception.reason, reason)
        for address in ("host:1", "[::1]:65535", "unix:/a/b", "dns:///host:5"):
            sightline.Client(address).close()


class WrongValueTest(unittest.TestCase):
    """Whatever is given for a parameter of whatever method: the error is one of the package's, and a sentence."""

    VALUES = (None, True, -1, 2**70, 1.5, float("nan"), float("inf"), "", "x", "\ud800", "a\0b", b"x", [], [1], (1, ),
              {}, {1: 2}, object(), "/nonexistent")
    # What methods need to get as far as to the value.
    NEEDED = {"collection": "c", "id": "i", "name": "n", "key": "k", "snapshot": "snapshots/9", "alias": "a",
              "image": PIXEL, "query": PIXEL, "result": PIXEL, "items": [], "queries": [], "path": "/nonexistent/x",
              "operation": "operations/1"}
    ALONE = {"search": {"image"}, "explain": {"query", "result"}, "index": {"image"}}

    def test_all(self):
        # Nobody is there: what passes as a value fails as a call.
        with sightline.Client("127.0.0.1:1", timeout=5) as client:
            for name, method in support.methods(client).items():
                for parameter in inspect.signature(method).parameters.values():
                    # A callback is the caller's own code, and so is how long a server is awaited.
                    if parameter.name in ("on_progress", "patience") or parameter.kind is parameter.VAR_KEYWORD:
                        continue
                    for value in self.VALUES:
                        self.check(client, name, method, parameter.name, value)

    def check(self, client, name, method, parameter, value):
        given = {one.name: self.NEEDED[one.name] for one in inspect.signature(method).parameters.values()
                 if one.name in self.NEEDED and (one.default is one.empty or one.name in self.ALONE.get(name, ()))}
        given[parameter] = value
        if name == "wait_operation":
            given.setdefault("timeout", 0.01)
            if parameter == "timeout" and value in (None, 1.5, float("inf")):
                return
        if name == "close":
            return
        try:
            made = method(**given)
            if not isinstance(made, (int, str, type(None))):
                list(made)
        except sightline.SightlineError as error:
            self.assertRegex(str(error), r"[.!]$", f"{name}({parameter}={value!r})")
        except Exception as error:
            self.fail(f"{name}({parameter}={value!r}) raises {error!r}")


class Tags(html.parser.HTMLParser):
    """Fails on tags that do not fit."""

    EMPTY = {"img", "rect", "line"}

    def __init__(self, text):
        super().__init__()
        self.open, self.seen = [], []
        self.feed(text)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag, attributes):
        self.seen.append((tag, dict(attributes)))
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.seen.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, (self.open, tag)
        self.open.pop()


class PageTest(unittest.TestCase):
    def result(self, **fields):
        return types.Result(
            **{
                **dict(id="a",
                       rank=1,
                       score=0.5,
                       structural_score=None,
                       rerank_score=None,
                       rank_before_rerank=3,
                       confidence=0.7,
                       attributes={},
                       source_uri="",
                       preview=b"",
                       evidence=None),
                **fields
            })

    def answer(self, *results, **fields):
        stats = types.SearchStats(
            **{
                **dict(stages=(types.StageTime("embed", 12.5, 1),),
                       embedding_space="",
                       model=None,
                       images=9,
                       compared=9,
                       index="exact",
                       rerank_requested=0,
                       rerank_completed=0,
                       degraded=False,
                       degraded_reasons=(),
                       matching=9),
                **fields
            })
        return types.SearchResponse(results, stats, "")

    def test_texts_are_escaped(self):
        bad = "<script>alert('x')</script>\"&"
        page = self.answer(self.result(id=bad, attributes={
            bad: bad,
            "list": (bad,)
        }),
                           degraded=True,
                           degraded_reasons=(bad,),
                           index=bad,
                           stages=(types.StageTime(bad, 1.0, 0),))._repr_html_()
        self.assertNotIn("<script", page)
        self.assertEqual({tag for tag, _ in Tags(page).seen}, {"div", "p", "figure", "figcaption", "b", "bdi"})

    def test_only_pictures_are_shown(self):
        shown = Tags(self.answer(self.result(preview=PIXEL))._repr_html_()).seen
        image, = [attributes for tag, attributes in shown if tag == "img"]
        self.assertTrue(image["src"].startswith("data:image/png;base64,"))
        for preview in (b"<svg onload='alert(1)'/>", b"GIF89a", PIXEL[:20], b"\xff\xd8"):
            self.assertNotIn("<img", self.answer(self.result(preview=preview))._repr_html_())

    def test_evidence_is_drawn_where_it_is(self):
        pair = types.Correspondence(BOX, BOX, 0.5, 0.9)
        heat = types.HeatMap(2, 2, (0.0, 1.0, 0.5, 0.0), None)
        why = dataclasses.replace(EVIDENCE,
                                  correspondences=(pair, dataclasses.replace(pair, mass=0.25)),
                                  query_heat_map=heat,
                                  query_image=PIXEL,
                                  result_image=PIXEL)
        tags = Tags(why._repr_html_()).seen
        first, second = [attributes for tag, attributes in tags if tag == "line"]
        # A picture of 4 x 2 is shown as 320 x 160; the middle of the box is at 3/8 of it.
        self.assertEqual([float(second[key]) for key in ("x1", "y1", "x2", "y2")], [120, 60, 320 + 40 + 120, 60])
        self.assertGreater(float(second["stroke-width"]), float(first["stroke-width"]))
        self.assertEqual(sum(tag == "rect" for tag, _ in tags), 4 + 2,
                         "two boxes a pair, and the cells above the least")
        self.assertEqual(why.patches, why.correspondences)

    def test_numbers_that_are_none_are_left_out(self):
        nan, inf = float("nan"), float("inf")
        pairs = (types.Correspondence(dataclasses.replace(BOX, x0=nan), BOX, 0.5,
                                      0.9), types.Correspondence(BOX, None, 0.5,
                                                                 0.9), types.Correspondence(BOX, BOX, inf, 0.9),
                 types.Correspondence(dataclasses.replace(BOX, x0=-5.0, x1=9.0), BOX, 0.1, 7))
        heats = (types.HeatMap(2, 2, (1.0,), None), types.HeatMap(-1, -4, (1.0,) * 4, None),
                 types.HeatMap(1, 2, (nan, 1.0), None), types.HeatMap(1, 2, (0.0, 0.0), None))
        for heat in heats:
            page = dataclasses.replace(EVIDENCE, correspondences=pairs, query_heat_map=heat)._repr_html_()
            self.assertEqual(sum(tag == "line" for tag, _ in Tags(page).seen), 1)
            for word in ("nan", "inf"):
                self.assertNotIn(f'"{word}', page)
        self.assertIn("Nothing was found", self.answer()._repr_html_())


class HostileTest(unittest.TestCase):
    def test_sizes_of_pictures(self):
        from PIL import Image
        import io
        for kind, mime, options in (("PNG", "png", {}), ("JPEG", "jpeg", {}), ("WEBP", "webp", {}), ("WEBP", "webp", {
                "lossless": True
        })):
            for exif in (None, 6):
                out = io.BytesIO()
                extra = dict(options)
                if exif and kind == "JPEG":
                    extra["exif"] = Image.Exif()
                    extra["exif"][0x0112] = exif
                Image.new("RGB", (40, 30)).save(out, kind, **extra)
                size = (30, 40) if "exif" in extra else (40, 30)
                self.assertEqual(_picture.picture(out.getvalue()), (f"image/{mime}", *size))
        out = io.BytesIO()
        Image.new("RGBA", (40, 30)).save(out, "WEBP", exif=Image.Exif())
        self.assertEqual(_picture.picture(out.getvalue()), ("image/webp", 40, 30))

    def test_damaged_pictures_are_none_or_some(self):
        rng = random.Random(support.SEED)
        print("seed", support.SEED)
        good = [support.picture(1), support.picture(2, kind="PNG"), support.picture(3, kind="WEBP")]
        for _ in range(3000):
            data = bytearray(rng.choice(good)[:rng.randrange(400)])
            for _ in range(rng.randrange(6)):
                if data:
                    data[rng.randrange(len(data))] = rng.randrange(256)
            _picture.picture(bytes(data))  # returns, and raises nothing

    def snapshot(self, parts):
        """A file as the server streams it, and the bytes of its head."""
        manifest = b"SLSNAP\r\n\x01" + struct.pack("<I", 4) + b"shop" + bytes(24) + struct.pack("<I", len(parts))
        for name, data in parts:
            import hashlib
            manifest += struct.pack("<I", len(name)) + name + struct.pack("<Q",
                                                                          len(data)) + hashlib.sha256(data).digest()
        manifest += struct.pack("<I", zlib.crc32(manifest))
        return b"SLSTREAM" + struct.pack("<II", 1, len(manifest)) + manifest + b"".join(data for _, data in parts)

    def test_damaged_snapshots_are_told(self):
        rng = random.Random(support.SEED)
        print("seed", support.SEED)
        whole = self.snapshot([(b"a", rng.randbytes(50)), (b"b", b""), (b"c", rng.randbytes(7))])
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "file"
            path.write_bytes(whole)
            self.assertEqual([name for name, _, _ in _snapshot_file.verify(path).parts], ["a", "b", "c"])
            for size in range(len(whole)):
                path.write_bytes(whole[:size])
                with self.assertRaises(sightline.DataLossError):
                    _snapshot_file.verify(path)
            path.write_bytes(whole + b"x")
            with self.assertRaises(sightline.DataLossError):
                _snapshot_file.verify(path)
            for _ in range(500):
                data = bytearray(whole)
                data[rng.randrange(len(data))] ^= rng.randrange(1, 256)
                path.write_bytes(data)
                try:
                    _snapshot_file.verify(
                        path)  # names, times and the checksum of the manifest are the server's to check
                except (sightline.DataLossError, sightline.FailedPreconditionError) as error:
                    self.assertIn(str(path), str(error))
            for version, kind in ((b"\x02\0\0\0", sightline.FailedPreconditionError), (b"\x01\0\0\0\xff\xff\xff\xff",
                                                                                       sightline.DataLossError)):
                path.write_bytes(whole[:8] + version + whole[8 + len(version):])
                with self.assertRaises(kind):
                    _snapshot_file.verify(path)

    def test_details_of_errors_may_be_anything(self):
        rng = random.Random(support.SEED)
        status = _schema.message_class("google.rpc.Status")(code=5, message="not here. Look there.")
        status.details.add(type_url="type.googleapis.com/google.rpc.ErrorInfo", value=b"\x0a\x01X")
        good = status.SerializeToString()
        for _ in range(500):
            data = bytearray(good)
            data[rng.randrange(len(data))] = rng.randrange(256)
            made = errors.from_call(5, "words", [("grpc-status-details-bin", bytes(data))], "a:1", 1.0)
            self.assertIsInstance(made, sightline.SightlineError)


if __name__ == "__main__":
    unittest.main(verbosity=2)
