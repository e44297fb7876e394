"""The program `sightline` as a user runs it: real files, a real server with an untrained model, exit codes, pipes, a
pseudo-terminal and Ctrl-C.

Environment beside that of sightline_server.py: SIGHTLINE_CLI, SIGHTLINE_TRAIN, SIGHTLINE_MODEL_ROOT.
"""

import base64
import hashlib
import html.parser
import json
import math
import os
import pathlib
import pty
import shutil
import signal
import struct
import subprocess
import tempfile
import unittest

import sightline_server
import slow_way

CLI = os.environ["SIGHTLINE_CLI"]


class Page(html.parser.HTMLParser):
    """What a page consists of."""

    ALLOWED = set("html head meta title style body main h1 h2 p b bdi code section figure figcaption div img svg rect span "
                  "label input output details summary table caption thead tbody tr th td pre script noscript".split())
    EMPTY = {"meta", "img", "input", "rect"}

    def __init__(self):
        super().__init__()
        self.tags = []
        self.open = []
        self.bodies = {"style": [], "script": []}
        self.text = ""

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in self.EMPTY:
            self.open.append(tag)
        if tag in self.bodies:
            self.bodies[tag].append((dict(attributes), ""))

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, (self.open, tag)
        self.open.pop()

    def handle_data(self, data):
        if self.open and self.open[-1] in self.bodies:
            attributes, body = self.bodies[self.open[-1]][-1]
            self.bodies[self.open[-1]][-1] = (attributes, body + data)
        else:
            self.text += data


class CliTest(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory(prefix="sightline-cli.")
        cls.folder = pathlib.Path(cls.temporary.name)
        cls.samples = cls.folder / "samples"
        subprocess.run([os.environ["SIGHTLINE_TRAIN"], "scenes", "--out", cls.samples, "--instances", "3", "--views", "3",
                        "--size", "64"], check=True, stdout=subprocess.DEVNULL)
        models = cls.folder / "models"
        seeded = pathlib.Path(os.environ["SIGHTLINE_MODEL_ROOT"]) / "dtop_seeded"
        for name in ("dtop_seeded", "spare"):
            shutil.copytree(seeded, models / name)
        cls.server = sightline_server.Server("--models=dtop_seeded", "--allow_untrained", f"--model_root={models}")
        cls.environment = dict(os.environ, SIGHTLINE_ADDRESS=cls.server.address)
        cls.environment.pop("SIGHTLINE_MODEL_ROOT")
        done = cls.run_cli("index", cls.samples / "index", "--collection", "shop", "--create")
        assert done.returncode == 0, done.stderr
        cls.first_run = done

    @classmethod
    def tearDownClass(cls):
        code = cls.server.terminate()
        log = cls.server.log()
        cls.server.close()
        cls.temporary.cleanup()
        assert code == 0, f"the server ended with {code}:\n{log}"

    @classmethod
    def run_cli(cls, *words, **options):
        return subprocess.run([CLI, *map(str, words)], env=cls.environment, capture_output=True, text=True, timeout=120,
                              **options)

    def images(self):
        return sorted((self.samples / "index").glob("*.jpg"))

    def test_every_program_says_what_it_is(self):
        server = pathlib.Path(os.environ["SIGHTLINE_SERVER"])
        programs = [server, server.with_name("sightline-decoder"), CLI, os.environ["SIGHTLINE_TRAIN"]]
        said = set()
        for program in map(pathlib.Path, programs):
            done = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=60)
            name, _, version = done.stdout.partition(" ")
            self.assertEqual((done.returncode, name), (0, program.name), done.stderr)
            self.assertRegex(version, r"^\d+\.\d+\.\d+( \([0-9a-f]{12}(-dirty)?\))?\n$")
            said.add(version)
        self.assertEqual(len(said), 1, said)
        stated = json.loads(self.run_cli("version", "--json").stdout)
        self.assertEqual(set(stated), {"version", "commit"})
        self.assertTrue(said.pop().startswith(stated["version"]))

    def test_index_says_what_it_did(self):
        self.assertRegex(self.first_run.stdout, r"^indexed 6 images in [0-9.]+ s \([0-9.]+ images/s\)\n$")
        self.assertIn("created collection shop with model dtop_seeded", self.first_run.stderr)
        self.assertIn("UNTRAINED".lower(), self.first_run.stderr)
        self.assertNotIn("\r", self.first_run.stderr, "no bar in a pipe")

    def test_index_again_skips_all(self):
        done = self.run_cli("index", self.samples / "index", "-c", "shop")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout, r"^indexed 0 images in .*\nskipped 6 already indexed\n$")

    def test_search_finds_an_indexed_image_first(self):
        for path in self.images():
            done = self.run_cli("search", path, "-c", "shop", "-k", "3")
            self.assertEqual(done.returncode, 0, done.stderr)
            lines = done.stdout.splitlines()
            # Nobody has trained the model: it does not re-rank unless it is asked to.
            self.assertEqual(lines[0].split(), ["rank", "id", "score"])
            self.assertEqual(lines[1].split()[:2], ["1", path.name])
            self.assertGreater(float(lines[1].split()[2]), 0.999)
            self.assertRegex(lines[-1], r"^searched 6 images \(exact\): .*embed [0-9.]+ ms.*total|search")
            self.assertIn("untrained", done.stderr)
        done = self.run_cli("search", self.images()[0], "-c", "shop", "--rerank", "ot")
        self.assertEqual(done.stdout.splitlines()[0].split(), ["rank", "id", "score", "rerank", "was"])

    def test_search_json_and_id(self):
        path = self.images()[0]
        done = self.run_cli("search", "--id", path.name, "-c", "shop", "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        reply = json.loads(done.stdout)
        self.assertEqual(reply["results"][0]["id"], path.name)
        self.assertEqual(reply["stats"]["index"], "exact")
        self.assertEqual(self.run_cli("search", "--id", path.name, "-c", "shop", "--offset", "100").returncode, 2)

    def test_search_crops(self):
        path = self.images()[0]
        self.assertEqual(self.run_cli("search", path, "-c", "shop", "--crop", "8,8,60,60").returncode, 0)
        done = self.run_cli("search", path, "-c", "shop", "--crop", "900,900,950,950")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"^sightline: crop box .*\n$")

    def test_broken_files_are_listed_and_the_rest_is_indexed(self):
        folder = self.folder / "broken"
        folder.mkdir()
        shutil.copy(self.images()[0], folder / "good.jpg")
        (folder / "cut.jpg").write_bytes(self.images()[0].read_bytes()[:700])
        (folder / "empty.png").write_bytes(b"")
        (folder / "text.jpg").write_text("no image")
        with open(folder / "huge.jpg", "wb") as huge:
            huge.truncate(1 << 40)
        (folder / "secret.jpg").symlink_to("/proc/1/mem")
        os.mkfifo(folder / "pipe.jpg")
        done = self.run_cli("index", folder, "-c", "broken", "--create")
        self.assertEqual(done.returncode, 4, done.stderr)
        self.assertTrue(done.stdout.startswith("indexed 1 image in "), done.stdout)
        for name in ("cut.jpg", "empty.png", "text.jpg", "huge.jpg"):
            self.assertRegex(done.stderr, rf"\n  \S+/{name}: .+\. .+\.\n")

    def test_export_is_a_safetensors_file(self):
        path = self.folder / "shop.safetensors"
        done = self.run_cli("export", "shop", path)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout, r"^exported 6 images of shop to .*\n$")
        content = path.read_bytes()
        begin = 8 + int.from_bytes(content[:8], "little")
        header = json.loads(content[8:begin])
        metadata = header.pop("__metadata__")
        self.assertEqual(metadata["sightline_export"], "1")
        self.assertEqual(metadata["images"], "6")
        ends = {}
        for name, tensor in header.items():
            first, end = tensor["data_offsets"]
            size = {"F32": 4, "I32": 4, "I8": 1, "U8": 1}[tensor["dtype"]]
            self.assertEqual(end - first, size * math.prod(tensor["shape"]), name)
            ends[first] = end
        at = 0
        while at in ends and ends[at] != at:
            at = ends[at]
        self.assertEqual(begin + at, len(content), "the tensors fill the file without gaps")

        def floats(name):
            first, end = header[name]["data_offsets"]
            return struct.unpack(f"<{(end - first) // 4}f", content[begin + first:begin + end])

        first, end = header["records"]["data_offsets"]
        rows = [json.loads(line) for line in content[begin + first:begin + end].splitlines()]
        self.assertEqual(sorted(row["id"] for row in rows), [image.name for image in self.images()])
        dim = int(metadata["descriptor_dim"])
        self.assertEqual(header["descriptors"]["shape"], [6, dim])
        values = floats("descriptors")
        for i, row in enumerate(rows):
            done = self.run_cli("get", row["id"], "-c", "shop", "--view", "vectors", "--json")
            self.assertEqual(done.returncode, 0, done.stderr)
            image = json.loads(done.stdout)
            for ours, theirs in zip(values[i * dim:(i + 1) * dim], image["global_descriptor"]["values"]):
                self.assertAlmostEqual(ours, theirs, places=6)
            self.assertEqual(row["sha256"], image["sha256"])
        tokens = header["token_values"]["shape"][0]
        self.assertEqual(header["token_scales"]["shape"], [tokens])
        first, end = header["token_grids"]["data_offsets"]
        grids = struct.unpack("<12i", content[begin + first:begin + end])
        self.assertEqual(sum(h * w for h, w in zip(grids[::2], grids[1::2])), tokens)
        self.assertAlmostEqual(sum(floats("token_importance")), 6, delta=6 * 5e-4)

        done = self.run_cli("export", "shop", path)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"is there already\. ")
        self.assertEqual(list(self.folder.glob("shop.safetensors.*")), [], "nothing is left beside it")
        self.assertEqual(self.run_cli("export", "nowhere", self.folder / "x").returncode, 1)
        self.assertFalse((self.folder / "x").exists())

    def read_page(self, text):
        """The page's tags, after checking that it asks for nothing, runs its own script alone and has no handlers."""
        page = Page()
        page.feed(text)
        self.assertEqual(page.open, [], "every element is closed")
        for tag, attributes in page.tags:
            self.assertIn(tag, Page.ALLOWED)
            for name, value in attributes.items():
                self.assertFalse(name.startswith("on") or name in ("style", "href", "srcdoc"), (tag, name))
                if name == "src":
                    self.assertRegex(value, r"^data:image/(jpeg|png|webp);base64,")
        policy = next(a["content"] for t, a in page.tags if a.get("http-equiv") == "Content-Security-Policy")
        for tag in ("style", "script"):
            own = [body for attributes, body in page.bodies[tag] if "type" not in attributes]
            self.assertEqual(len(own), 1)
            digest = base64.b64encode(hashlib.sha256(own[0].encode()).digest()).decode()
            self.assertIn(f"{tag}-src 'sha256-{digest}'", policy)
        page.numbers = [json.loads(body) for attributes, body in page.bodies["script"] if "type" in attributes]
        page.pictures = [base64.b64decode(attributes["src"].partition(",")[2])
                         for tag, attributes in page.tags if tag == "img" and "src" in attributes]
        return page

    def test_explain_a_file_and_an_id(self):
        image, other = self.images()[:2]
        words = ("explain", image, f"id:{other.name}", "-c", "shop", "--mass", "0.6")
        target = self.folder / "why.html"
        done = self.run_cli(*words, "--html", target)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("untrained", done.stderr)
        self.assertRegex(done.stdout, r"rerank score +[-0-9.]+ = cosine [-0-9.]+ \+ ")
        done = self.run_cli(*words, "--correspondences", "40", "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        evidence = json.loads(done.stdout)["evidence"]
        self.assertAlmostEqual(evidence["mass"], 0.6, places=2)

        page = self.read_page(target.read_text())
        self.assertEqual(page.pictures[0], image.read_bytes(), "the file as it is")
        self.assertEqual(page.pictures[1][:3], b"\xff\xd8\xff", "the preview")
        numbers, = page.numbers
        self.assertEqual([pair["mass"] for pair in numbers["pairs"]],
                         [pair["mass"] for pair in evidence["correspondences"]])
        self.assertGreater(len(numbers["pairs"]), 0)
        for pair in numbers["pairs"]:
            for box in (pair["query"], pair["result"]):
                self.assertTrue(0 <= box[0] < box[2] <= 1 + 1e-9 and 0 <= box[1] < box[3] <= 1 + 1e-9, box)
        for heat in (numbers["query_heat"], numbers["result_heat"]):
            self.assertAlmostEqual(sum(heat["values"]), evidence["mass"], places=4)
            self.assertEqual(len(heat["region"]), 4)

    def test_explain_two_files_and_a_crop(self):
        first, second = self.images()[:2]
        done = self.run_cli("explain", first, second, "--crop", "0.5,0.5,1,1", "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        evidence = json.loads(done.stdout)["evidence"]
        for pair in evidence["correspondences"]:
            self.assertGreaterEqual(pair["query_box"]["x0"], 0.5 - 1e-9)
        self.assertGreaterEqual(evidence["query_heat_map"]["region"]["y0"], 0.5 - 1e-9)
        done = self.run_cli("explain", first, "id:nobody", "-c", "shop")
        self.assertEqual(done.returncode, 2, done.stderr)
        done = self.run_cli("explain", first, self.folder / "absent.jpg")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"^sightline: .*absent\.jpg.*\. .*\.\n$")
        self.assertEqual(self.run_cli("explain", first, second, "--mass", "1.5").returncode, 1)

    def test_a_search_explains_itself_whatever_its_ids_are(self):
        folder = self.folder / "hostile"
        folder.mkdir()
        names = ["<script>alert(1)<", "\"><img src=x onerror=alert(1)>", "' onload='alert(1)", "\u2028</title>", "a&lt;b"]
        for i, name in enumerate(names):
            # A folder cannot hold what follows a slash; an id can.
            path = folder / f"{name.replace('/', '')}.jpg"
            shutil.copy(self.images()[i], path)
        done = self.run_cli("index", folder, "-c", "hostile", "--create", "--id_prefix", "</script><svg onload=alert(1)>/")
        self.assertEqual(done.returncode, 0, done.stderr)
        target = self.folder / "results.html"
        done = self.run_cli("search", self.images()[0], "-c", "hostile", "--rerank", "ot", "--explain", target)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stdout.split()[:5], ["rank", "id", "score", "rerank", "was"])
        page = self.read_page(target.read_text())
        self.assertEqual(len(page.numbers), 5)
        self.assertEqual(len(page.pictures), 1 + 5, "the query once")
        self.assertIn("</script><svg onload=alert(1)>/<script>alert(1)<.jpg", page.text)
        done = self.run_cli("search", self.images()[0], "-c", "hostile", "--rerank", "ot", "--mass", "7")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"^sightline: .*mass is 7.*\n$")

    def test_duplicates_and_confidence(self):
        folder = self.folder / "copies"
        for copy in range(4):
            (folder / str(copy)).mkdir(parents=True)
            for image in self.images():
                shutil.copy(image, folder / str(copy) / image.name)
        # The sample's name begins with the number of what it shows.
        for instance in sorted({image.name.rpartition("_view_")[0] for image in self.images()}):
            files = [str(path) for path in folder.glob(f"*/{instance}_view_*.jpg")]
            done = self.run_cli("index", *files, "-c", "copies", "--create", "--keep_duplicates", "--attribute",
                                f"object={instance}")
            self.assertEqual(done.returncode, 0, done.stderr)

        done = self.run_cli("duplicates", "-c", "copies", "--min_score", "0.9999", "--min_structural_score", "0", "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        groups = [set(group["ids"]) for group in json.loads(done.stdout)["result"]["value"]["groups"]]
        for image in self.images():
            alike = {str(folder / str(copy) / image.name) for copy in range(4)}
            self.assertTrue(any(alike <= group for group in groups), (image.name, groups))
        done = self.run_cli("duplicates", "-c", "shop", "--min_score", "1", "--min_structural_score", "1",
                            "--filter", "object = 'none'")
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn("no duplicates", done.stdout)

        self.assertEqual(self.run_cli("confidence", "show", "-c", "copies").returncode, 2)
        done = self.run_cli("confidence", "fit", "-c", "copies", "--label", "object")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout, r"confidence +1 / \(1 \+ exp")
        done = self.run_cli("confidence", "show", "-c", "copies", "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertGreaterEqual(json.loads(done.stdout)["pairs"], 40)
        done = self.run_cli("search", self.images()[0], "-c", "copies", "--rerank", "ot")
        self.assertIn("confidence", done.stdout.splitlines()[0])
        few = self.folder / "few.csv"
        few.write_text("first_id,second_id,same\n" + f'"{folder}/0/{self.images()[0].name}",nobody,true\n')
        self.assertEqual(self.run_cli("confidence", "fit", "-c", "copies", "--pairs", few).returncode, 1)

    def test_models(self):
        done = self.run_cli("models")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout, r"(?m)^dtop_seeded\tready\t")
        self.assertRegex(done.stdout, r"(?m)^spare\tavailable")
        self.assertEqual(self.run_cli("models", "load", "../zoo").returncode, 1)
        self.assertEqual(self.run_cli("models", "lod", "x").returncode, 64)

    def test_get_writes_the_preview(self):
        target = self.folder / "preview.jpg"
        done = self.run_cli("get", self.images()[0].name, "-c", "shop", "--view", "preview", "--output", target)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(target.read_bytes()[:3], b"\xff\xd8\xff")
        self.assertEqual(self.run_cli("get", "nobody", "-c", "shop").returncode, 2)

    def test_status_and_doctor(self):
        done = self.run_cli("status")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("dtop_seeded", done.stdout)
        self.assertIn("UNTRAINED", done.stdout)
        done = self.run_cli("doctor", "--json")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        checks = {check["check"]: check for check in map(json.loads, done.stdout.splitlines())}
        self.assertEqual(checks["serving"]["verdict"], "ok")
        self.assertEqual(checks["version"]["verdict"], "ok")
        self.assertEqual(checks["model dtop_seeded"]["verdict"], "warn")
        self.assertTrue(checks["model dtop_seeded"]["next_step"])

    def test_snapshots(self):
        done = self.run_cli("snapshot", "create", "shop", "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        snapshot = json.loads(done.stdout)
        self.assertEqual(snapshot["images"], json.loads(self.run_cli("collections", "get", "shop", "--json").stdout)
                         ["stats"]["images"])
        number = snapshot["name"].removeprefix("snapshots/")
        self.assertIn(snapshot["name"], self.run_cli("snapshot").stdout)
        self.assertEqual(self.run_cli("snapshot", "list", "nobody").returncode, 1)

        file = self.folder / "shop.snapshot"
        done = self.run_cli("snapshot", "download", number, file)
        self.assertEqual(done.returncode, 0, done.stderr)
        content = file.read_bytes()
        self.assertEqual(self.run_cli("snapshot", "download", number, file).returncode, 1, "it is there already")
        # A broken download goes on; one that went wrong is begun again.
        half = content[:len(content) // 2]
        part = pathlib.Path(f"{file}.part")
        for start in (half, half[:-1] + bytes([half[-1] ^ 1]), b"something else", b""):
            file.unlink(missing_ok=True)
            part.write_bytes(start)
            done = self.run_cli("snapshot", "download", number, file)
            if done.returncode != 0:
                self.assertIn("SHA-256", done.stderr)
                done = self.run_cli("snapshot", "download", number, file)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(file.read_bytes(), content)
            self.assertFalse(part.exists())

        damaged = self.folder / "damaged.snapshot"
        damaged.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        done = self.run_cli("snapshot", "upload", damaged)
        self.assertEqual(done.returncode, 1)
        self.assertIn("is not a whole snapshot", done.stderr)
        done = self.run_cli("snapshot", "upload", file, "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        uploaded = json.loads(done.stdout)
        self.assertEqual(uploaded["sha256"], snapshot["sha256"])

        done = self.run_cli("snapshot", "restore", uploaded["name"], "shop-copy")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("restored", done.stdout)
        path = self.images()[0]
        self.assertIn(path.name, self.run_cli("search", path, "-c", "shop-copy", "-k", "1").stdout)
        self.assertEqual(self.run_cli("snapshot", "restore", number, "shop").returncode, 1)
        self.assertEqual(self.run_cli("snapshot", "restore", number).returncode, 64)
        self.assertEqual(self.run_cli("snapshot", "delete", number).returncode, 64, "--yes is missing")
        for name in (number, uploaded["name"]):
            self.assertEqual(self.run_cli("snapshot", "delete", name, "--yes").returncode, 0)
        self.assertEqual(self.run_cli("snapshot", "delete", number, "--yes").returncode, 1)
        self.assertEqual(self.run_cli("collections", "delete", "shop-copy", "--yes").returncode, 0)

    def test_aliases_and_settings(self):
        done = self.run_cli("aliases", "set", "live", "shop")
        self.assertEqual((done.returncode, done.stdout), (0, "live stands for shop\n"), done.stderr)
        listed = json.loads(self.run_cli("aliases", "--json").stdout)
        self.assertEqual(listed, {"alias": "live", "collection": "shop"})
        self.assertRegex(self.run_cli("aliases", "list").stdout, r"live +shop\n")
        self.assertIn("aliases            live", self.run_cli("collections", "get", "live").stdout)
        done = self.run_cli("collections", "update", "live", "--description", "spring", "--json")
        self.assertEqual(json.loads(done.stdout)["settings"]["description"], "spring", done.stderr)
        for words, code in ((("collections", "update", "live"), 64),
                            (("collections", "update", "live", "--hnsw_m", "8"), 64),
                            (("collections", "update", "live", "--keep_image", "all"), 64),
                            (("collections", "update", "nowhere", "--description", "x"), 1),
                            (("aliases", "set", "live"), 64), (("aliases", "unset", "live"), 64),
                            (("aliases", "set", "shop", "shop"), 1), (("aliases", "delete", "nobody"), 1)):
            with self.subTest(words=words):
                self.assertEqual(self.run_cli(*words).returncode, code)
        self.assertEqual(self.run_cli("aliases", "delete", "live").stdout, "deleted the alias live\n")
        self.assertIn("no aliases", self.run_cli("aliases").stdout)

    def test_an_absent_server(self):
        done = self.run_cli("doctor", "--address", "127.0.0.1:1")
        self.assertEqual(done.returncode, 1)
        self.assertIn("no server answers at 127.0.0.1:1", done.stdout)
        self.assertNotIn("-> \n", done.stdout)
        self.assertEqual(self.run_cli("status", "--address", "127.0.0.1:1").returncode, 1)

    def test_a_server_that_answers_late_is_there(self):
        with slow_way.SlowWay(self.server.address, seconds=1.5) as address:
            done = self.run_cli("collections", "--address", address)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("shop", done.stdout)

    def test_a_closed_pipe_ends_a_listing_quietly(self):
        process = subprocess.Popen([CLI, "list", "-c", "shop", "--json"], env=self.environment, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE)
        process.stdout.close()
        error = process.stderr.read()
        process.stderr.close()
        self.assertEqual(process.wait(60), 0)
        self.assertEqual(error, b"")

    def test_a_terminal_gets_a_bar(self):
        reader, writer = pty.openpty()
        process = subprocess.Popen([CLI, "index", self.samples / "index", "-c", "bar", "--create"], env=self.environment,
                                   stdout=subprocess.PIPE, stderr=writer)
        os.close(writer)
        seen = b""
        while True:
            try:
                chunk = os.read(reader, 4096)
            except OSError:
                break
            if not chunk:
                break
            seen += chunk
        os.close(reader)
        process.stdout.close()
        self.assertEqual(process.wait(60), 0)
        self.assertIn(b"\r[########################] 6/6  100%", seen)

    def test_interrupted_and_resumed(self):
        folder = self.folder / "many"
        folder.mkdir()
        for i in range(120):
            shutil.copy(self.images()[i % 6], folder / f"{i:03}.jpg")
        process = subprocess.Popen([CLI, "index", folder, "-c", "many", "--create", "--keep_duplicates", "--in_flight", "2", "--json"],
                                   env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        first = json.loads(process.stdout.readline())
        self.assertEqual(first["event"], "indexed")
        process.send_signal(signal.SIGINT)
        rest = [json.loads(line) for line in process.stdout]
        process.stdout.close()
        self.assertEqual(process.wait(60), 130)
        summary = rest[-1]
        self.assertEqual(summary["event"], "summary")
        self.assertTrue(summary["interrupted"])
        self.assertEqual(summary["indexed"] + summary["remaining"], 120)
        self.assertGreater(summary["remaining"], 0)
        done = self.run_cli("index", folder, "-c", "many", "--keep_duplicates", "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        resumed = json.loads(done.stdout.splitlines()[-1])
        self.assertEqual((resumed["skipped"], resumed["indexed"]), (summary["indexed"], summary["remaining"]))


if __name__ == "__main__":
    unittest.main(verbosity=2)
