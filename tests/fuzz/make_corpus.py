#!/usr/bin/python3
"""Writes the seeds of the fuzz targets that do not read images. Run by hand when they change:

    tests/fuzz/make_corpus.py tests/fuzz/corpus

Needs protoc for the requests.
"""
import io
import json
import pathlib
import pickle
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
        archive.writestr("archive/data.pkl", state)
        archive.writestr("archive/data/0", struct.pack("<2f", 1, 2))
        archive.writestr("archive/version", "3\n")
    write("checkpoint", "zip", packed.getvalue())
    write("checkpoint", "zip_cut", packed.getvalue()[:-30])
    write("checkpoint", "zip_stretched", packed.getvalue().replace(b"K\x00K\x02\x85", b"K\x00K\x7f\x85"))
    legacy = (pickle.dumps(0x1950a86a20f9469cfc6c, 2) + pickle.dumps(1001, 2) +
              pickle.dumps({"protocol_version": 1001, "little_endian": True, "type_sizes": {}}, 2) +
              state.replace(b"K\x02tq\x07", b"K\x02Ntq\x07") + pickle.dumps(["0"], 2) + struct.pack("<q2f", 2, 1, 2))
    write("checkpoint", "legacy", legacy)
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
    graph = b"SLGRAPH1" + struct.pack("<III", 16, 0, 0)
    write("graph", "empty", graph)
    write("graph", "one", b"SLGRAPH1" + struct.pack("<III", 16, 1, 1) + b"\x00")
    write("graph", "two", b"SLGRAPH1" + struct.pack("<III", 16, 2, 1) + b"\x01" + struct.pack("<I", 1) + b"\x01" +
          struct.pack("<I", 0))
    write("graph", "equal", b"SLGRAPH1" + struct.pack("<III", 16, 2, 1) + b"\x00" + b"\xff" + struct.pack("<I", 0))
    write("graph", "many_rows", b"SLGRAPH1" + struct.pack("<III", 16, 0xffffffff, 1))
    for length in (0, 40, 65535):
        write("snapshot_stream", f"manifest_of_{length}", b"\x20" + struct.pack("<H", length) + b"\x01" * 80)


def encode(message, text):
    return subprocess.run(["protoc", "-I", ROOT / "proto", f"--encode=sightline.v1.{message}",
                           "sightline/v1/search_service.proto", "sightline/v1/index_service.proto",
                           "sightline/v1/collection_service.proto"],
                          input=text.encode(), capture_output=True, check=True).stdout


def write_requests():
    part = 'query { parts { global_descriptor { values: 1 values: 0 values: nan values: inf embedding_space: "s" } } }'
    write("request", "search", b"\x00" + encode("SearchRequest", 'collection: "shop" top_k: 5 ' + part))
    write("request", "search_filter", b"\x00" + encode("SearchRequest", 'collection: "shop" filter: "a = 1" offset: -1'))
    write("request", "search_no_parts", b"\x00" + encode("SearchRequest", 'collection: "shop" query { }'))
    item = ('collection: "shop" request_id: "r" item { id: "a" attributes { key: "k" value { int64_value: 5 } } '
            'global_descriptor { values: 1 values: 2 values: 3 values: 4 embedding_space: "s" } tokens { token_space: "t" '
            'height: 1 width: 2 dim: 2 precision: PRECISION_INT8 values: "abcd" scales: 1 scales: 2 importance: 0.5 '
            'importance: 0.5 centre: 1 centre: 0 } }')
    write("request", "index", b"\x01" + encode("IndexRequest", item))
    write("request", "index_huge_grid",
          b"\x01" + encode("IndexRequest", item.replace("height: 1", "height: 2147483647")))
    write("request", "create", b"\x02" + encode("CreateCollectionRequest", 'name: "../shop" descriptor_dim: -1'))
    write("request", "list", b"\x03" + encode("ListImagesRequest", 'collection: "shop" page_size: 5 page_token: "x"'))
    write("request", "update",
          b"\x04" + encode("UpdateAttributesRequest", 'id: "a" set { key: "" value { } } remove: "k"'))
    write("request", "operations", b"\x05" + bytes(40))


write_weights()
write_tables()
write_texts()
write_stored()
write_requests()
