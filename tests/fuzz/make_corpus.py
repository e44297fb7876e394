#!/usr/bin/python3
"""Writes the seeds of the fuzz targets that do not read images. Run by hand when they change:

    tests/fuzz/make_corpus.py tests/fuzz/corpus

Needs protoc for the requests.
"""
import hashlib
import io
import json
import pathlib
import pickle
import re
import struct
import subprocess
import sys
import zipfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
OUT = pathlib.Path(sys.argv[1])


def write(target, name, content):
    folder = OUT / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())


def safetensors(header, values):
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + values


def tensor(shape, begin, end, dtype="F32"):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def many_of_one_text(state):
    """Pickles whose values name one text of 2,000 bytes again and again, in zips as torch.save writes them."""
    call = state[state.index(b"ctorch._utils"):-2]  # the tensor
    long_text = b"X" + struct.pack("<I", 2000) + b"n" * 2000
    pickles = {
        "long_names": b"\x80\x02}(" + long_text + b"q\x64" + call + b"q\x65" + b"hdhe" * 50 + b"u.",
        "long_meta": b"\x80\x02}(X\x01\x00\x00\x00w" + call + b"X\x04\x00\x00\x00meta](" + long_text + b"q\x64" +
                     b"hd" * 1000 + b"eu.",
    }
    for name, content in pickles.items():
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
            archive.writestr(zipfile.ZipInfo("a/data.pkl"), content)
            archive.writestr(zipfile.ZipInfo("a/data/0"), struct.pack("<2f", 1, 2))
        pickles[name] = packed.getvalue()
    return pickles


def write_weights():
    two = {"a": tensor([2, 2], 0, 16), "b": tensor([3], 16, 22, "F16"), "__metadata__": {"k": "v"}}
    files = {
        "two": safetensors(two, bytes(22)),
        "scalar": safetensors({"a": tensor([], 0, 4)}, bytes(4)),
        "empty": safetensors({}, b""),
        "gap": safetensors({"a": tensor([1], 4, 8)}, bytes(8)),
        "overlap": safetensors({"a": tensor([2], 0, 8), "b": tensor([2], 4, 12)}, bytes(12)),
        "huge_shape": safetensors({"a": tensor([1 << 62, 4], 0, 16)}, bytes(16)),
        "negative": safetensors({"a": tensor([-1], 0, 4)}, bytes(4)),
        "long_header": struct.pack("<Q", (1 << 63) + 5) + b"{}",
        "deep": struct.pack("<Q", 2000) + b"[" * 2000,
        "not_utf8": struct.pack("<Q", 6) + b'{"\xff":',
    }
    for name, content in files.items():
        write("safetensors", name, content)
    write("checkpoint", "safetensors", files["two"])
    # What torch.save writes of {"weight": a tensor of two values}: protocol 2, written by hand.
    state = (b"\x80\x02}q\x00X\x06\x00\x00\x00weightq\x01ctorch._utils\n_rebuild_tensor_v2\nq\x02((X\x07\x00\x00\x00"
             b"storageq\x03ctorch\nFloatStorage\nq\x04X\x01\x00\x00\x000q\x05X\x03\x00\x00\x00cpuq\x06K\x02tq\x07Q"
             b"K\x00K\x02\x85q\x08K\x01\x85q\x09\x89ccollections\nOrderedDict\nq\x0a)Rq\x0btq\x0cRq\x0ds.")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(zipfile.ZipInfo("archive/data.pkl"), state)
        archive.writestr(zipfile.ZipInfo("archive/data/0"), struct.pack("<2f", 1, 2))
        archive.writestr(zipfile.ZipInfo("archive/version"), "3\n")
    write("checkpoint", "zip", packed.getvalue())
    write("checkpoint", "zip_cut", packed.getvalue()[:-30])
    write("checkpoint", "zip_stretched", packed.getvalue().replace(b"K\x00K\x02\x85", b"K\x00K\x7f\x85"))
    legacy = (pickle.dumps(0x1950a86a20f9469cfc6c, 2) + pickle.dumps(1001, 2) +
              pickle.dumps({"protocol_version": 1001, "little_endian": True, "type_sizes": {}}, 2) +
              state.replace(b"K\x02tq\x07", b"K\x02Ntq\x07") + pickle.dumps(["0"], 2) + struct.pack("<q2f", 2, 1, 2))
    write("checkpoint", "legacy", legacy)
    # A table of many tensors that share one long name, and a "meta" of many texts that are one.
    for name, content in many_of_one_text(state).items():
        write("checkpoint", name, content)
    write("checkpoint", "names_a_program", b"\x80\x02cos\nsystem\nX\x02\x00\x00\x00ls\x85R.")
    write("model_json", "dtop", (ROOT / "tests/data/models/dtop_seeded/model.json").read_bytes())
    for name in ("cvt_13", "resnet50_gem", "swin_tiny", "vgg16_netvlad"):
        write("model_json", name, (ROOT / "model/zoo" / name / "model.json").read_bytes())
    write("model_json", "empty", "{}")
    write("model_json", "deep", "[" * 3000)
    write("model_json", "huge_number", '{"name": "x", "image_size": 1e999}')


def write_tables():
    write("csv", "plain", "path,label\na.jpg,1\nb.jpg,2\n")
    write("csv", "quoted", '\ufeffpath,label\r\n"a, ""b"".jpg",-7\r\n\r\n"",1e3\r\n')
    write("csv", "open_quote", 'a,b\n"x,1\n')
    write("csv", "long", "a,b\n" + "x" * 5000 + ",1\n")
    write("csv", "nul", b"a,b\n\x00,1\n")
    truth = {"imlist": ["a", "b"], "qimlist": ["c"], "gnd": [{"bbx": [1.5, 2, 3, 4], "easy": [0, 1], "hard": []}]}
    for protocol in (0, 2, 4, 5):
        write("plain_pickle", f"protocol_{protocol}", pickle.dumps(truth, protocol))
    write("plain_pickle", "set", pickle.dumps({1, 2, "x", None, True, 1 << 80, b"bytes"}, 4))
    write("plain_pickle", "names_a_program", b"cos\nsystem\n(S'ls'\ntR.")
    write("plain_pickle", "deep", b"\x80\x02" + b"]" * 3000 + b"a" * 2999 + b".")
    write("plain_pickle", "many", b"\x80\x02](" + b"K\x01" * 500 + b"e.")


def write_texts():
    filters = [
        'color = "red"', "price < 20 AND (sold = true OR NOT count >= 3)", 'tags IN ("a", "b")', "EXISTS price",
        'color != "a\\"b\\\\" AND price <= -1.5e3', "NOT NOT NOT sold = false", "(" * 300 + "a = 1" + ")" * 300,
        "a = 99999999999999999999", 'x = "\\u00e9\\n"', "a IN ()", 'a = "', "price < 1e999", "",
    ]
    for i, text in enumerate(filters):
        write("filter", f"filter_{i:02}", text)
    write("filter", "not_utf8", b'color = "\xff\xfe"')
    write("settings", "usual", "# comment\nmax_batch = 16\nmemory_budget = 12G\nmodels = a,b\nwarm_up = one\n")
    write("settings", "wrong", "max_batch = many\ndrain_grace = -1\nlog_level = loud\n")
    write("settings", "no_value", "max_batch\n")
    write("settings", "address", "[::1]:8080")
    write("settings", "port", "127.0.0.1:99999999999999999999")
    write("settings", "nul", b"max_batch = 1\x006\n")


def write_stored():
    # A format byte and zeros, or ones, of every kind; the fuzzer finds the rest.
    for kind in range(14):
        for format_byte in (1, 2):
            write("stored_value", f"kind_{kind:02}_format_{format_byte}", bytes([kind, 0, format_byte]) + bytes(64))
        write("stored_value", f"kind_{kind:02}_ones", bytes([kind, 0, 1]) + b"\xff" * 40)
    def fragment(kind, content):
        return bytes(4) + struct.pack("<HB", len(content), kind) + content

    log = fragment(1, b"whole") + fragment(2, b"first") + fragment(3, b"middle") + fragment(4, b"last")
    for name, tail in (("sound", b""), ("hole", bytes(700)), ("hole_and_more", bytes(700) + fragment(1, b"late")),
                       ("cut", fragment(1, b"cut")[:-2])):
        for one_batch in (0, 2):
            write("stored_value", f"log_{name}_{one_batch}", bytes([12, one_batch]) + log + tail)
    graph = b"SLGRAPH1" + struct.pack("<III", 16, 0, 0)
    write("graph", "empty", graph)
    write("graph", "one", b"SLGRAPH1" + struct.pack("<III", 16, 1, 1) + b"\x00")
    write("graph", "two", b"SLGRAPH1" + struct.pack("<III", 16, 2, 1) + b"\x01" + struct.pack("<I", 1) + b"\x01" +
          struct.pack("<I", 0))
    write("graph", "equal", b"SLGRAPH1" + struct.pack("<III", 16, 2, 1) + b"\x00" + b"\xff" + struct.pack("<I", 0))
    write("graph", "many_rows", b"SLGRAPH1" + struct.pack("<III", 16, 0xffffffff, 1))
    for length in (0, 40, 65535):
        write("snapshot_stream", f"manifest_of_{length}", b"\x20" + struct.pack("<H", length) + b"\x01" * 80)
    write_snapshot_streams()
    write_segment_files()


def write_snapshot_streams():
    def text(value):
        return struct.pack("<I", len(value)) + value

    files = {b"000007.sst": b"rows", b"CURRENT": b"", b"MANIFEST-000004": b"m" * 40}
    manifest = b"\x01" + text(b"shop") + struct.pack("<qqqI", 9, 3, 1, len(files))
    for path, content in sorted(files.items()):
        manifest += text(path) + struct.pack("<q", len(content)) + hashlib.sha256(content).digest()
    content = b"".join(content for _, content in sorted(files.items()))
    for step, tail in ((255, b""), (2, b""), (255, b"more")):
        write("snapshot_stream", f"whole_{step}{'_and_more' if tail else ''}",
              bytes([step]) + struct.pack("<H", len(manifest)) + manifest + content + tail)
    outside = manifest.replace(b"000007.sst", b"../../x.ss")
    write("snapshot_stream", "path_outside", b"\xff" + struct.pack("<H", len(outside)) + outside + content)


def write_segment_files():
    def code(values, scale=0.01, error=0.001):
        return bytes(values) + struct.pack("<ff", scale, error)

    write("segment_file", "centroids", b"\x00" + struct.pack("<II", 8, 2) + code(range(8)) + code(range(100, 108)))
    write("segment_file", "centroids_nan", b"\x00" + struct.pack("<II", 8, 1) + code(range(8), float("nan")))
    write("segment_file", "product", b"\x01" + struct.pack("<QQQQ", 8, 1, 8, 2048) + bytes(8192))
    write("segment_file", "product_huge", b"\x01" + struct.pack("<QQQQ", 1 << 62, 1 << 62, 8, 1 << 62))
    lists = struct.pack("<II", 4, 6) + struct.pack("<6H", 0, 1, 2, 3, 3, 0)
    write("segment_file", "lists", b"\x02" + struct.pack("<Q", len(lists)) + lists)
    write("segment_file", "lists_of_product", b"\x03" + struct.pack("<Q", len(lists)) + lists + bytes(range(6)))
    for name, scale in (("chunk", 0.01), ("chunk_nan", float("nan")), ("chunk_huge", 3e38), ("chunk_negative", -1)):
        rows = 3
        codes = b"".join(bytes(range(i, i + 56)) + struct.pack("<ff", scale, 0.001) for i in range(rows))
        keys = struct.pack("<3Q", 5, 6, 9)
        write("segment_file", name, bytes([4, rows - 1]) + codes + keys + struct.pack("<24f", *[0.35] * 24))


def encode(message, text):
    return subprocess.run(["protoc", "-I", ROOT / "proto", f"--encode=sightline.v1.{message}"] +
                          [f"sightline/v1/{name}_service.proto"
                           for name in ("search", "index", "collection", "model", "operation", "server")],
                          input=text.encode(), capture_output=True, check=True).stdout


TOKENS = ('tokens { token_space: "tokens" height: 1 width: 2 dim: 4 precision: PRECISION_INT8 values: "abcdefgh" scales: 1 '
          'scales: 2 importance: 0.5 importance: 0.5 centre: 1 centre: 0 centre: 0 centre: 0 }')
VECTOR = 'global_descriptor { values: 1 values: 2 values: 3 values: 4 embedding_space: "fake-space" }'
PART = f"parts {{ {VECTOR} {TOKENS} }}"
ITEM = f'collection: "shop" request_id: "r" item {{ id: "a" attributes {{ key: "k" value {{ int64_value: 5 }} }} {VECTOR}'

# Method: name of the seed, request.
REQUESTS = {
    "SearchService/Search": {
        "vector": f'collection: "shop" top_k: 5 query {{ parts {{ {VECTOR} }} }}',
        "rerank": f'collection: "shop" top_k: 3 query {{ {PART} }} rerank {{ method: METHOD_OPTIMAL_TRANSPORT }}',
        "explain": f'collection: "shop" query {{ {PART} parts {{ id: "c" weight: -0.5 }} }} explain {{ enabled: true '
                   'heat_maps: true correspondences: 3 results: 2 } return_attributes: true return_preview: true',
        "marginals": f'collection: "shop" query {{ {PART} }} rerank {{ method: METHOD_OPTIMAL_TRANSPORT mass: 0.5 '
                     'epsilon: 0.001 marginals: MARGINALS_IMPORTANCE temperature: 1000 query_cells: 1 result_cells: 3 }',
        "filter": 'collection: "shop" filter: "color = \\"red\\" AND price < 3" offset: 2 query { parts { id: "a" } }',
        "expansion": f'collection: "shop" query {{ parts {{ {VECTOR} }} }} expansion {{ method: METHOD_K_RECIPROCAL '
                     'neighbours: 4 }',
        "groups": f'collection: "shop" group_by: "color" group_size: 1 min_score: 0.1 min_confidence: 0.5 exact: true '
                  f'query {{ parts {{ {VECTOR} }} }}',
        "not_a_number": 'collection: "shop" query { parts { global_descriptor { values: nan values: inf values: 0 '
                        'values: 1 embedding_space: "fake-space" } weight: nan } }',
        "weights_cancel": f'collection: "shop" query {{ parts {{ {VECTOR} weight: 1e38 }} parts {{ {VECTOR} weight: -1e38 }} }}',
        "no_parts": 'collection: "shop" query { }',
        "no_image": 'collection: "shop" query { parts { image: "no image" crops { x1: 1 y1: 1 } } }',
    },
    "SearchService/SearchStream": {
        "item": f'request {{ request_id: "1" collection: "shop" query {{ parts {{ {VECTOR} }} }} }} timeout {{ seconds: 1 }}',
    },
    "SearchService/Embed": {"no_image": 'image: "no image" crop { x0: 0.5 x1: 0.1 } return_tokens: true'},
    "SearchService/Explain": {
        "ids": 'collection: "shop" query { id: "a" } result { id: "b" } options { heat_maps: true }',
        "without_tokens": 'collection: "shop" query { id: "d" } result { id: "a" }',
        "image": 'collection: "shop" query { image: "x" crop { x1: 1 y1: 1 } } result { id: "a" }',
    },
    "IndexService/Index": {
        "descriptor": f"{ITEM} {TOKENS} }}",
        "huge_grid": f"{ITEM} {TOKENS.replace('height: 1', 'height: 2147483647')} }}",
        "half_tokens": f"{ITEM} {TOKENS.replace('PRECISION_INT8', 'PRECISION_FLOAT16')} }}",
        "image": 'collection: "shop" item { id: "b" image: "no image" crop { x1: 1 y1: 1 } source_uri: "file:///x" }',
        "again": f"{ITEM} }} model: \"fake\"",
    },
    "IndexService/IndexStream": {"item": f"request {{ {ITEM} }} }}"},
    "IndexService/GetImage": {"vectors": 'collection: "shop" id: "a" view: IMAGE_VIEW_VECTORS',
                              "gone": 'collection: "shop" id: "zz" view: IMAGE_VIEW_PREVIEW'},
    "IndexService/ListImages": {
        "page": 'collection: "shop" page_size: 5 filter: "EXISTS tags" view: IMAGE_VIEW_VECTORS',
        "token": 'collection: "shop" page_size: -1 page_token: "000000000000000100000000"'},
    "IndexService/DeleteImages": {"ids": 'collection: "shop" ids: "a" ids: "zz"',
                                  "filter": 'collection: "shop" filter: "NOT (price >= 1)"'},
    "IndexService/UpdateAttributes": {
        "set": 'collection: "shop" id: "a" set { key: "k" value { string_list { values: "v" } } } remove: "color"',
        "no_value": 'collection: "shop" id: "a" set { key: "" value { } } remove: "k"'},
    "CollectionService/CreateCollection": {
        "space": 'name: "new" embedding_space: "s" descriptor_dim: 4 settings { hnsw_m: 8 description: "d" }',
        "model": 'name: "new" model: "fake" settings { keep_image: KEEP_IMAGE_ORIGINAL index_kind: INDEX_KIND_IVF }',
        "outside": 'name: "../shop" descriptor_dim: -1'},
    "CollectionService/GetCollection": {"one": 'name: "shop"'},
    "CollectionService/ListCollections": {"page": 'page_size: 1 page_token: "after:a"'},
    "CollectionService/UpdateCollection": {"any": 'name: "shop"'},
    "CollectionService/DeleteCollection": {"one": 'name: "shop"'},
    "CollectionService/OptimizeCollection": {"augment": 'name: "shop" augment_neighbours: 5 augment_alpha: nan'},
    "CollectionService/CreateSnapshot": {"one": 'collection: "shop"'},
    "CollectionService/ListSnapshots": {"page": 'collection: "shop" page_size: 1 page_token: "before:3"'},
    "CollectionService/RestoreSnapshot": {"one": 'snapshot: "snapshots/1" collection: "new"'},
    "CollectionService/DeleteSnapshot": {"one": 'name: "snapshots/1"'},
    "CollectionService/DownloadSnapshot": {"part": 'name: "snapshots/1" offset: 1'},
    "CollectionService/UploadSnapshot": {"piece": f'sha256: "{"ab" * 32}" data: "bytes"'},
    "CollectionService/ReembedCollection": {"model": 'name: "shop" model: "fake" keep_old_hours: 1',
                                            "back": 'name: "shop" rollback: true'},
    "CollectionService/DropOtherSpace": {"one": 'name: "shop"'},
    "CollectionService/FindDuplicates": {
        "scores": 'collection: "shop" min_score: 0.5 filter: "color = \\"red\\"" neighbours: 5',
        "confidence": 'collection: "shop" min_confidence: 0.5'},
    "CollectionService/FitConfidence": {
        "label": 'collection: "shop" label_attribute: "color" rerank { mass: 0.5 }',
        "pairs": 'collection: "shop" ' + 'pairs { first_id: "a" second_id: "b" same: true } ' * 20 +
                 'pairs { first_id: "a" second_id: "c" } ' * 20},
    "CollectionService/ListAttributeValues": {
        "page": 'collection: "shop" key: "color" filter: "price > 1" page_size: 1 page_token: "x"'},
    "CollectionService/SetAlias": {"one": 'alias: "a" collection: "shop"'},
    "CollectionService/DeleteAlias": {"one": 'alias: "a"'},
    "ModelService/ListModels": {"all": ""},
    "ModelService/GetModel": {"one": 'name: "fake"'},
    "ModelService/LoadModel": {"again": 'name: "fake"', "outside": 'name: "../fake"'},
    "ModelService/UnloadModel": {"one": 'name: "fake"'},
    "OperationService/GetOperation": {"one": 'name: "operations/1"'},
    "OperationService/ListOperations": {"page": 'page_size: 1 page_token: "before:9" collection: "shop"'},
    "OperationService/CancelOperation": {"one": 'name: "operations/1"'},
    "ServerService/GetServerInfo": {"all": ""},
}


def write_requests():
    table = (ROOT / "tests/fuzz/request_fuzz.cc").read_text()
    numbers = {method: int(number) for number, method in re.findall(r'\{(\d+), "(\w+/\w+)"', table)}
    assert numbers.keys() == REQUESTS.keys(), numbers.keys() ^ REQUESTS.keys()
    for method, seeds in REQUESTS.items():
        name = method.split("/")[1]
        for seed, text in seeds.items():
            write("request", f"{name}_{seed}", bytes([numbers[method]]) + encode(f"{name}Request", text))
    operation = encode("Operation", 'name: "operations/1" kind: "optimize" collection: "shop" state: STATE_FAILED')
    body = struct.pack("<Q", 2) + bytes([len(operation)]) + operation + b"\x00"
    write("operations", "one", b"\x00" + body)
    write("operations", "out_of_order", b"\x00" + body + body[8:])
    write("operations", "cut", b"\x00" + body[:-3])
    write("operations", "raw", b"\x01SLTOPERA" + bytes(40))


def form(*parts):
    """The body of a form whose boundary is `b`."""
    shown = "".join(f'--b\r\nContent-Disposition: form-data; name="{name}"; filename="f"\r\n\r\n{content}\r\n'
                    for name, content in parts)
    return shown + "--b--\r\n"


def write_gateway():
    text = "".join(path.read_text() for path in sorted((ROOT / "proto/sightline/v1").glob("*_service.proto")))
    typed = "Content-Type: application/json\n\n"
    for rpc in re.split(r"\n  rpc ", text)[1:]:
        name = rpc[:rpc.index("(")]
        path = re.search(r'post: "([^"]+)"', rpc).group(1)
        path = re.sub(r"\{\w+=(\w+)/\*\}", r"\1/7", re.sub(r"\{\w+\}", "shop", path))
        write("gateway", name, f"POST {path}\n{typed}{{}}")
    search = {"topK": 5, "minScore": 0.5, "rerank": {"method": "METHOD_OPTIMAL_TRANSPORT", "mass": "NaN"},
              "query": {"parts": [{"image": "/9j/4A==", "weight": -1, "crops": [{"x0": 0.5}]}, {"id": "\u00e9\ud83d\ude00"}]}}
    lines = "\n".join(json.dumps({"request": {"requestId": str(i), **search}, "timeout": "1.5s"}) for i in range(2))
    formed = "Content-Type: multipart/form-data; boundary=b\nX-Requested-With: x\n\n"
    seeds = {
        "search": f"POST /v1/collections/shop:search\nX-Request-Id: r\nGrpc-Timeout: 5S\n{typed}{json.dumps(search)}",
        "attributes": "POST /v1/collections/shop/images/a:updateAttributes\n" + typed +
                      '{"set": {"k": {"int64Value": "5"}, "l": {"stringList": {"values": ["v"]}}}, "remove": ["c"]}',
        "mask": f"PATCH /v1/collections/shop\n{typed}"
                '{"settings": {"keepImage": 2, "dropTokens": true}, "updateMask": "keepImage,dropTokens"}',
        "conflict": f'POST /v1/collections/shop:search\n{typed}{{"collection": "other"}}',
        "deep": f"POST /v1/collections/shop:search\n{typed}" + '{"query":{"parts":[' * 30,
        "twice": f'POST /v1/collections/shop:search\n{typed}{{"topK": 1, "top_k": 2, "topK": 3}}',
        "numbers": f'POST /v1/collections\n{typed}{{"name": "a", "descriptorDim": 4e0, "settings": {{"hnswM": -0}}}}',
        "form": "POST /v1/collections/shop/images\n" + formed +
                form(("request", '{"item": {"id": "a"}}'), ("item.image", "\u00ff\u00d8")),
        "form_of_parts": "POST /v1/collections/shop:search\n" + formed +
                         form(("query.parts[0].image", "x"), ("query.parts[1].image", "y")),
        "form_cut": "POST /v1/collections/shop/images\n" + formed + form(("item.image", "x"))[:-9],
        "stream": f"POST /v1/searches:stream\nContent-Type: application/x-ndjson\n\n{lines}\n",
        "events": f"POST /v1/searches:stream\nAccept: text/event-stream\nContent-Type: application/x-ndjson\n\n\r\n{lines}\n{{",
        "writes": "POST /v1/images:indexStream\nContent-Type: application/x-ndjson\n\n"
                  '{"request": {"collection": "shop", "item": {"id": "a", "image": "eA"}}}\n',
        "upload": f"POST /v1/snapshots:upload?sha256={'ab' * 32}\nContent-Type: application/octet-stream\n\nbytes",
        "download": "GET /v1/snapshots/1?offset=3\n\n",
        "page": "GET /v1/collections/shop/images?page_size=5&view=IMAGE_VIEW_VECTORS&filter=a%20%3D+1&view=2\n\n",
        "fields": "GET /v1/operations?collection=%C3%A9&pageSize=x&a.b[0].c=1\n\n",
        "image": "GET /v1/collections/shop/images/a%2Fb:c\nAuthorization: Bearer key\n\n",
        "preview": 'GET /v1/collections/image%2Fpng/images/a/preview\nIf-None-Match: "p0-0a"\n\n',
        "original": "HEAD /v1/collections/text%2Fhtml/images/%3Cscript%3E/original\n\n",
        "delete": "DELETE /v1/collections/shop?name=other\n\n",
        "verb": "PUT /v1/collections\n\n",
        "escape": "GET /v1/collections/%FF%zz?%=%C0%AF\n\n",
        "headers": "GET /v1/collections\ntraceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\n"
                   "tracestate: a=b\nX-Request-Id: \u00e9\nGrpc-Timeout: 99999999999H\n\n",
        "origin": f"POST /v1/collections:list\nOrigin: https://example.org\nSec-Fetch-Site: cross-site\n{typed}{{}}",
    }
    for name, seed in seeds.items():
        write("gateway", name, seed)


def write_server():
    write("http", "get", "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
    write("http", "old", "GET /metrics HTTP/1.0\r\n\r\n")
    write("http", "head", "HEAD /readyz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    write("http", "two", "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n" * 2)
    write("http", "post", "POST /v1/search HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
                          "Content-Length: 13\r\n\r\n{\"top_k\": 10}")
    write("http", "chunks", "POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
    write("http", "expect", "PUT /x HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n")
    write("http", "query", "GET /healthz?a=%2e%2E&b=%00 HTTP/1.1\r\nHost: a\r\nCookie: a=b\r\n\r\n")
    write("http", "outside", "GET /../../etc/passwd HTTP/1.1\r\nHost: a\r\n\r\n")
    write("http", "long", "GET /" + "a" * 5000 + " HTTP/1.1\r\n" + "X: y\r\n" * 300 + "\r\n")
    write("http", "cut", "GET /healthz HTT")
    write("http", "not_http", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
    write_gateway()
    key = {"name": "ci", "sha256": "ab" * 32, "scope": "write", "collections": ["shop", "a-*"],
           "expires": "2027-01-31T00:00:00Z", "rate": {"per_second": 50, "burst": 100}, "max_in_flight": 4}
    write("key_file", "one", json.dumps({"keys": [key]}))
    write("key_file", "certificate", '{"keys": [{"name": "a", "certificate": "a.example", "scope": "admin"}]}')
    write("key_file", "twice", '{"keys": [{"name": "a", "name": "b", "scope": "read", "scope": "admin"}]}')
    write("key_file", "deep", "[" * 3000)
    write("key_file", "numbers", '{"keys": [{"name": "a", "scope": "read", "rate": {"per_second": 1e999}}]}')
    write("call_header", "trace", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
    write("call_header", "later_version", "42-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more")
    write("call_header", "request_id", "job-7/part:3")


write_weights()
write_tables()
write_texts()
write_stored()
write_requests()
write_server()
