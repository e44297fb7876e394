"""What is made of the protos: docs/api.md is what the tool writes now, and the OpenAPI document is whole and true.

Usage: reference_test.py REPOSITORY_ROOT GENERATED_FOLDER REFERENCE_PROGRAM PROTOC. The protos are read here a second time, by
regular expressions, so that what the tool leaves out is noticed; and the schemas are held against random messages as
protobuf itself prints them.
"""

import base64
import json
import os
import pathlib
import random
import re
import subprocess
import sys
import tempfile
import unittest

from google.protobuf import descriptor_pb2, descriptor_pool, json_format
from google.protobuf.descriptor import FieldDescriptor as Field

try:  # The factory of messages has changed its name between versions of protobuf.
    from google.protobuf.message_factory import GetMessageClass
except ImportError:
    from google.protobuf.message_factory import MessageFactory
    GetMessageClass = MessageFactory().GetPrototype

import openapi_form

try:
    import jsonschema
except ImportError:
    jsonschema = None

ROOT, GENERATED, PROGRAM, PROTOC = map(pathlib.Path, sys.argv[1:5])
STATUS = {"INVALID_ARGUMENT": 400, "FAILED_PRECONDITION": 400, "OUT_OF_RANGE": 400, "UNAUTHENTICATED": 401,
          "PERMISSION_DENIED": 403, "NOT_FOUND": 404, "ALREADY_EXISTS": 409, "ABORTED": 409, "RESOURCE_EXHAUSTED": 429,
          "CANCELLED": 499, "INTERNAL": 500, "UNKNOWN": 500, "DATA_LOSS": 500, "UNIMPLEMENTED": 501, "UNAVAILABLE": 503,
          "DEADLINE_EXCEEDED": 504}
SEED = int(os.environ.get("SIGHTLINE_SEED", random.randrange(1 << 32)))


def rpcs():
    """(service, method, [(verb, path)], {code}) of every RPC, read from the text of the protos."""
    for path in sorted(ROOT.glob("proto/sightline/v1/*_service.proto")):
        service, codes = None, set()
        lines = iter(path.read_text().splitlines())
        for line in lines:
            if found := re.match(r"service (\w+)", line):
                service = found[1]
            elif found := re.match(r"\s*// \| ([A-Z_]+) \|", line):
                codes.add(found[1])
            elif found := re.match(r"\s*rpc (\w+)\(", line):
                option = ""
                while not re.match(r"  \}", line := next(lines)):
                    option += line
                yield service, found[1], re.findall(r'\b(get|put|post|delete|patch): "([^"]+)"', option), codes
                codes = set()


def operations(document):
    for path, item in document["paths"].items():
        for verb, operation in item.items():
            yield path, verb, operation


def walk(value):
    yield value
    for child in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from walk(child)


class Page(unittest.TestCase):
    def setUp(self):
        self.page = (ROOT / "docs/api.md").read_text()

    def test_is_what_the_protos_say_now(self):
        self.assertTrue(self.page == (GENERATED / "api.md").read_text(),
                        "docs/api.md is not what the protos give. Renew it: "
                        "cmake --build --preset release --target sightline_api_page")

    def test_every_link_inside_it_leads_somewhere(self):
        anchors = [re.sub(r"[^a-z0-9_ -]", "", heading.lower()).replace(" ", "-")
                   for heading in re.findall(r"^#+ (.+)$", self.page, re.M)]
        self.assertEqual(len(anchors), len(set(anchors)), "two headings share an anchor")
        self.assertEqual(set(re.findall(r"\]\(#([^)]*)\)", self.page)) - set(anchors), set())

    def test_every_rpc_is_there_with_its_codes(self):
        for service, method, bindings, codes in rpcs():
            section = re.search(rf"^### {method}\n(.*?)(?=^##)", self.page, re.M | re.S)
            self.assertIsNotNone(section, f"{service}.{method} is missing")
            for code in codes - {"UNAUTHENTICATED", "PERMISSION_DENIED", "UNAVAILABLE"}:
                self.assertIn(f"| {code} | {STATUS[code]} |", section[1], method)

    def test_tables_have_as_many_cells_as_their_head(self):
        width = None
        for number, line in enumerate(self.page.splitlines(), 1):
            cells = len(re.findall(r"(?<!\\)\|", line)) if line.startswith("|") else None
            self.assertNotIn("|  |", line, f"docs/api.md:{number}: a cell says nothing; is a comment missing in the proto?")
            self.assertTrue(cells is None or width in (None, cells), f"docs/api.md:{number}: {line}")
            width = cells


class Document(unittest.TestCase):
    def setUp(self):
        self.text = (GENERATED / "openapi.json").read_text()
        self.document = json.loads(self.text)

    @unittest.skipIf(jsonschema is None, "python3-jsonschema is not installed")
    def test_has_the_form_of_openapi(self):
        validator = jsonschema.Draft7Validator(openapi_form.DOCUMENT)
        errors = [f"{'/'.join(map(str, e.absolute_path))}: {e.message[:300]}" for e in validator.iter_errors(self.document)]
        self.assertEqual(errors, [])

    def test_every_reference_resolves_and_every_schema_is_used(self):
        used = {value["$ref"] for value in walk(self.document) if isinstance(value, dict) and "$ref" in value}
        defined = {f"#/components/schemas/{name}" for name in self.document["components"]["schemas"]}
        self.assertEqual(used - defined, set())
        # Held by Any alone: results of operations, details of errors. And what travels as raw bytes.
        alone = {"FindDuplicatesResult", "ReembedCollectionResult", "google.rpc.ErrorInfo", "google.rpc.RetryInfo",
                 "DownloadSnapshotResponse"}
        self.assertEqual({name.rsplit("/", 1)[1] for name in defined - used} - alone, set())

    def test_no_operation_shares_its_id_or_its_path(self):
        ids = [operation["operationId"] for _, _, operation in operations(self.document)]
        self.assertEqual(len(ids), len(set(ids)))
        shapes = [re.sub(r"\{[^}]*\}", "{}", path) for path in self.document["paths"]]
        # OpenAPI tells paths apart by their shape, whatever the names in braces.
        self.assertEqual(len(shapes), len(set(shapes)), sorted(s for s in shapes if shapes.count(s) > 1))

    def test_every_binding_of_every_rpc_is_there_and_no_other(self):
        expected = {("/v1/openapi.json", "get"), ("/v1/collections/{collection}/images/{id}/preview", "get"),
                    ("/v1/collections/{collection}/images/{id}/original", "get")}
        count = 0
        for service, method, bindings, codes in rpcs():
            count += 1
            self.assertTrue(bindings, f"{method} has no HTTP binding")
            for verb, path in bindings:
                path = re.sub(r"\{(\w+)=(\w+)/\*\}", r"\2/{\1}", path)
                expected.add((path, verb))
                operation = self.document["paths"][path][verb]
                self.assertIn(f"{service}_{method}", operation["operationId"])
                responses = operation["responses"]
                self.assertEqual({str(STATUS[code]) for code in codes} | {"200", "default"}, set(responses), method)
                for code in codes:
                    self.assertIn(f"{code}: ", responses[str(STATUS[code])]["description"])
        self.assertGreater(count, 30)
        self.assertEqual({(path, verb) for path, verb, _ in operations(self.document)}, expected)

    def test_parameters_are_those_of_the_path(self):
        for path, verb, operation in operations(self.document):
            parameters = operation.get("parameters", [])
            self.assertEqual(re.findall(r"\{([^}]*)\}", path), [p["name"] for p in parameters if p["in"] == "path"], path)
            self.assertTrue(all(p.get("required") for p in parameters if p["in"] == "path"), path)
            self.assertEqual("requestBody" in operation, verb in ("post", "put", "patch"), f"{verb} {path}")

    def test_images_go_as_files_and_streams_as_lines(self):
        post = {path: item["post"]["requestBody"]["content"] for path, item in self.document["paths"].items()
                if "post" in item}
        files = post["/v1/collections/{collection}:search"]["multipart/form-data"]["schema"]["properties"]
        self.assertLessEqual({"request", "query.parts[0].image"}, set(files))
        self.assertIn("item.image",
                      post["/v1/collections/{collection}/images"]["multipart/form-data"]["schema"]["properties"])
        self.assertNotIn("multipart/form-data", post["/v1/collections"])
        self.assertEqual(set(post["/v1/images:indexStream"]), {"application/x-ndjson"})
        self.assertIn("application/octet-stream", post["/v1/snapshots:upload"])

    def test_it_is_small_and_speaks_to_no_one(self):
        self.assertLess(len(self.text), 500_000)
        addresses = set(re.findall(r"https?://[^\s\"]+", self.text)) - {"https://www.apache.org/licenses/LICENSE-2.0"}
        self.assertEqual(addresses, set())


@unittest.skipIf(jsonschema is None, "python3-jsonschema is not installed")
class Schemas(unittest.TestCase):
    """Messages as protobuf prints them satisfy the schemas; what protobuf refuses does not."""

    @classmethod
    def setUpClass(cls):
        cls.document = json.loads((GENERATED / "openapi.json").read_text())
        files = descriptor_pb2.FileDescriptorSet.FromString((GENERATED / "sightline.descriptors").read_bytes())
        cls.pool = descriptor_pool.DescriptorPool()
        for file in files.file:
            cls.pool.Add(file)
        cls.messages = [name for name in cls.document["components"]["schemas"] if name != "Error"]

    def setUp(self):
        self.random = random.Random(SEED)
        print(f"seed {SEED}", file=sys.stderr)
        # Unknown names are refused by the server, so here too.
        self.components = json.loads(json.dumps(self.document["components"]))
        for schema in self.components["schemas"].values():
            if schema.get("type") == "object":
                schema.setdefault("additionalProperties", False)

    def descriptor_of(self, name):
        try:
            return self.pool.FindMessageTypeByName(name if name.startswith("google.") else f"sightline.v1.{name}")
        except KeyError:
            return None  # An enum.

    def problems(self, name, value):
        schema = {"$ref": f"#/components/schemas/{name}", "components": self.components}
        return [error.message for error in jsonschema.Draft4Validator(schema).iter_errors(value)]

    def fill(self, message, depth=0):
        """Sets random fields, a oneof's among them, to random values."""
        for field in message.DESCRIPTOR.fields:
            if depth > 4 or self.random.random() < 0.3:
                continue
            if field.message_type and field.message_type.GetOptions().map_entry:
                value = field.message_type.fields_by_name["value"]
                for _ in range(self.random.randrange(3)):
                    key = "k%d" % self.random.randrange(9)
                    if value.message_type:
                        self.fill(getattr(message, field.name)[key], depth + 1)
                    else:
                        getattr(message, field.name)[key] = self.scalar(value)
            elif field.message_type:
                for _ in range(self.random.randrange(3) if field.label == Field.LABEL_REPEATED else 1):
                    child = (getattr(message, field.name).add() if field.label == Field.LABEL_REPEATED
                             else getattr(message, field.name))
                    self.fill_message(child, depth)
            elif field.label == Field.LABEL_REPEATED:
                getattr(message, field.name).extend(self.scalar(field) for _ in range(self.random.randrange(4)))
            else:
                setattr(message, field.name, self.scalar(field))

    def fill_message(self, child, depth):
        name = child.DESCRIPTOR.full_name
        if name == "google.protobuf.Timestamp":
            child.FromSeconds(self.random.randrange(1 << 33))
            child.nanos = self.random.choice([0, 5_000_000, 123_456_789])
        elif name == "google.protobuf.Duration":
            child.FromNanoseconds(self.random.randrange(-10**12, 10**12))
        elif name == "google.protobuf.FieldMask":
            child.paths.extend(["description", "keep_image"])
        elif name == "google.protobuf.Any":
            info = GetMessageClass(self.pool.FindMessageTypeByName("google.rpc.ErrorInfo"))(reason="NOT_HERE")
            child.Pack(info)
        else:
            child.SetInParent()
            self.fill(child, depth + 1)

    def scalar(self, field):
        if field.type == Field.TYPE_ENUM:
            return self.random.choice(field.enum_type.values).number
        if field.type in (Field.TYPE_INT32, Field.TYPE_SINT32):
            return self.random.choice([0, 1, -1, 2**31 - 1, -2**31, self.random.randrange(1000)])
        if field.type == Field.TYPE_INT64:
            return self.random.choice([0, 2**63 - 1, -2**63, self.random.randrange(10**15)])
        if field.type in (Field.TYPE_DOUBLE, Field.TYPE_FLOAT):
            return self.random.choice([0.0, -1.5, 0.1, 1e30, 1e-30, self.random.random()])
        if field.type == Field.TYPE_BOOL:
            return self.random.random() < 0.5
        if field.type == Field.TYPE_BYTES:
            return self.random.randbytes(self.random.randrange(9))
        return self.random.choice(["", "a", "ü\u2028\"\\", "x" * 100])

    def test_what_protobuf_prints_satisfies_them(self):
        for name in self.messages:
            descriptor = self.descriptor_of(name)
            if descriptor is None:
                continue
            for _ in range(6):
                message = GetMessageClass(descriptor)()
                self.fill(message)
                for defaults in (False, True):
                    value = json.loads(json_format.MessageToJson(message, descriptor_pool=self.pool,
                                                                 including_default_value_fields=defaults))
                    self.assertEqual(self.problems(name, value), [], f"seed {SEED}, {name}: {value}")

    def test_what_protobuf_would_not_print_does_not(self):
        image = base64.b64encode(b"x").decode()
        for name, wrong in [("SearchRequest", {"topK": "ten"}), ("SearchRequest", {"top_k_": 3}),
                            ("QueryPart", {"image": image, "id": "a"}), ("QueryPart", {"weight": True}),
                            ("ListImagesRequest", {"view": "IMAGE_VIEW_NONSENSE"}),
                            ("AttributeValue", {"int64Value": "1.5"}), ("AttributeValue", {"stringValue": "a", "boolValue": True}),
                            ("Limits", {"maxBatchDelay": "soon"}), ("SearchStreamRequest", {"timeout": 3}),
                            ("ImageItem", {"attributes": {"a": "plain"}}), ("HeatMap", {"values": "1,2"}),
                            ("Error", {"error": "text"}), ("Error", {"code": 404})]:
            self.assertNotEqual(self.problems(name, wrong), [], f"{name} takes {wrong}")
        right = {"query": {"parts": [{"image": image, "weight": 0.5}]}, "topK": 3, "filter": "a = 1"}
        self.assertEqual(self.problems("SearchRequest", right), [])


class Tool(unittest.TestCase):
    """What it cannot express it refuses by name, and it writes nothing then."""

    HEAD = ('syntax = "proto3"; package sightline.v1; import "google/api/annotations.proto"; '
            'message A { string name = 1; int32 n = 2; B b = 3; } message B { string x = 1; } ')

    def run_on(self, text, arguments=("--include_imports", "--include_source_info")):
        with tempfile.TemporaryDirectory() as folder:
            (pathlib.Path(folder) / "test.proto").write_text(self.HEAD + text)
            subprocess.run([PROTOC, "-I", folder, "-I", ROOT / "proto", f"--descriptor_set_out={folder}/set", *arguments,
                            "test.proto", "google/rpc/error_details.proto", "google/rpc/status.proto"],
                           check=True, timeout=30)
            return self.run_tool(pathlib.Path(folder), "set")

    def run_tool(self, folder, name):
        done = subprocess.run([PROGRAM, folder / name, "1.2.3", folder / "o.json", folder / "p.md"], capture_output=True,
                              text=True, timeout=30, check=False)
        self.assertEqual((folder / "o.json").exists(), done.returncode == 0)
        self.assertLess(len(done.stderr.splitlines()), 2)
        return done.returncode, done.stderr

    def rpc(self, option, name="Do"):
        return f"rpc {name}(A) returns (B) {{ {option} }}"

    def http(self, rule):
        return f"option (google.api.http) = {{ {rule} }};"

    def service(self, *methods):
        return "service S { " + " ".join(methods) + " }"

    def test_a_good_one_passes(self):
        self.assertEqual(self.run_on(self.service(self.rpc(self.http('post: "/v1/{name=as/*}:do" body: "*"')))), (0, ""))

    def test_refusals(self):
        for methods, words in [
                ([self.rpc("")], "has no google.api.http option"),
                ([self.rpc(self.http('body: "*"'))], "has no path"),
                ([self.rpc(self.http('post: "/v1/a" body: "b"'))], "its HTTP body is 'b'"),
                ([self.rpc(self.http('post: "/v1/{name" body: "*"'))], "a '{' without its '}'"),
                ([self.rpc(self.http('post: "/v1/{name=**}" body: "*"'))], "a pattern other than"),
                ([self.rpc(self.http('post: "/v1/{nobody}" body: "*"'))], "names 'nobody'"),
                ([self.rpc(self.http('post: "/v1/{n}" body: "*"'))], "names 'n'"),
                ([self.rpc(self.http('get: "/v1/{name}"'))], "b is a message and would have to be a query parameter"),
                ([self.rpc(self.http('post: "/v1/a" body: "*"')), self.rpc(self.http('post: "/v1/a" body: "*"'), "Redo")],
                 "another method has post /v1/a too"),
        ]:
            code, error = self.run_on(self.service(*methods))
            self.assertEqual(code, 1, error)
            self.assertIn(words, error)
        code, error = self.run_on('import "google/protobuf/struct.proto"; message C { google.protobuf.Struct s = 1; }' +
                                  self.service(self.rpc(self.http('post: "/v1/a" body: "*"'))))
        self.assertEqual(code, 1)
        self.assertIn("google.protobuf.Struct is not described", error)

    def test_what_is_no_set_of_descriptors(self):
        self.assertIn("has no service", self.run_on("")[1])
        self.assertIn("--include_imports", self.run_on(self.service(self.rpc("")), ())[1])
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            whole = (GENERATED / "sightline.descriptors").read_bytes()
            for damaged in (b"", b"\xff" * 100, whole[:len(whole) // 2], whole[1:]):
                (folder / "damaged").write_bytes(damaged)
                code, error = self.run_tool(folder, "damaged")
                self.assertEqual(code, 1, error)
            self.assertIn("is not a descriptor set", self.run_tool(folder, "absent")[1])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=1)
