"""The package as pip installs it: built without a network, on Debian's own grpcio and protobuf, and on the newest that
can be had. And what it is like inside: mypy --strict and flake8.

What is absent is skipped by name: a package index (the newest versions), mypy, flake8.
"""

import importlib.util
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest
import zipfile

from support import ROOT, sightline_server

PACKAGE = ROOT / "client/python"
# Every kind of call: unary both ways, a stream of many, a listing, an error.
USE = """
import asyncio, json, sys
import google.protobuf, grpc, sightline

async def twice(address):
    async with sightline.AsyncClient(address) as client:
        outcomes = [one async for one in client.index_stream(items("b"), collection="c")]
        best = (await client.search(id="b1", collection="c", filter="NOT n = 0 AND n < 5"))[:2]
        return all(one.ok for one in outcomes), sorted(one.id for one in best)

def items(prefix):
    for n in range(20):
        values = [1.0 if place == n % 16 else 0.1 * n for place in range(16)]
        yield sightline.Item(descriptor=sightline.Descriptor(values, "space"), id=f"{prefix}{n}", attributes={"n": n})

with sightline.Client(sys.argv[1]) as client:
    client.create_collection("c", embedding_space="space", descriptor_dim=16, index_kind="exact")
    stored = sum(one.ok for one in client.index_stream(items("a"), collection="c"))
    found = client.search(id="a3", collection="c", filter="n >= 3", top_k=3)
    second = asyncio.run(twice(sys.argv[1]))
    listed = len(list(client.list_images("c", page_size=7)))
    snapshot = client.create_snapshot("c").wait(60)
    try:
        client.get_collection("none")
    except sightline.NotFoundError as error:
        reason = error.reason
    client.delete_snapshot(snapshot.name)
    client.delete_collection("c")
print(json.dumps({"versions": [grpc.__version__, google.protobuf.__version__], "stored": stored, "best": found[0].id,
                  "attributes": found[0].attributes, "listed": listed, "second": second, "images": snapshot.images,
                  "reason": reason, "file": sightline.__file__}))
"""
# What a front end other than pip does, with nothing but the backend.
BUILD = """
import sys
sys.path.insert(0, "build_backend")
import sightline_build
out = sys.argv[1]  # setuptools changes sys.argv
assert sightline_build.get_requires_for_build_wheel() == []
sightline_build.build_wheel(out)
sightline_build.build_sdist(out)
"""
WANTED = {
    "stored": 20,
    "best": "a3",
    "attributes": {
        "n": 3
    },
    "listed": 40,
    "second": [True, ["a1", "b1"]],
    "images": 40,
    "reason": "COLLECTION_NOT_FOUND"
}


def environment():
    """Without the package of the build folder."""
    return {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "SIGHTLINE_PYTHON")}


def offline():
    """The same, for a pip that may not look anywhere."""
    return {**environment(), "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}


def run(*command, env=None, check=True, **options):
    """Runs to its end; what it said is in the error."""
    done = subprocess.run(list(map(str, command)),
                          env=env or environment(),
                          stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT,
                          text=True,
                          **options)
    if check and done.returncode != 0:
        raise AssertionError(f"{command} ended with {done.returncode}:\n{done.stdout}")
    return done


class InstallTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory(prefix="sightline-install.")
        cls.folder = pathlib.Path(cls.temporary.name)
        # The build may leave notes in the source tree, and this may be somebody's checkout.
        tree = cls.folder / "tree"
        notes = shutil.ignore_patterns("*.egg-info", "__pycache__", "api.binpb", ".mypy_cache")
        shutil.copytree(PACKAGE, tree / "client/python", ignore=notes)
        shutil.copytree(ROOT / "proto", tree / "proto")
        cls.package = tree / "client/python"
        cls.system = cls.folder / "system"
        run("/usr/bin/python3", "-m", "venv", "--system-site-packages", "--without-pip", cls.system)

    @classmethod
    def tearDownClass(cls):
        cls.temporary.cleanup()

    def pip(self, venv, *arguments, env=None, check=True):
        """Debian's pip, working on another environment; a copy in each would take seconds."""
        return run("/usr/bin/python3", "-m", "pip", "--python", venv / "bin/python", *arguments, env=env, check=check)

    def use(self, venv):
        """Uses the package as it is installed there; returns the versions of grpcio and protobuf."""
        with sightline_server.Server() as server:
            done = run(venv / "bin/python", "-B", "-c", USE, server.address, cwd=self.folder)
        got = json.loads(done.stdout.splitlines()[-1])
        self.assertTrue(got.pop("file").startswith(str(venv)))
        versions = got.pop("versions")
        self.assertEqual(got, WANTED)
        return versions

    @unittest.skipUnless(importlib.util.find_spec("pip"), "Debian's python3-pip is not installed")
    def test_offline_on_debians_own(self):
        self.pip(self.system, "install", self.package, env=offline())
        versions = self.use(self.system)
        print("installed on grpcio {} and protobuf {}".format(*versions))

    @unittest.skipUnless(importlib.util.find_spec("pip"), "Debian's python3-pip is not installed")
    def test_a_wheel_and_a_source_distribution(self):
        out = self.folder / "dist"
        run(self.system / "bin/python", "-c", BUILD, out, cwd=self.package, env=offline())
        wheel, = out.glob("*.whl")
        self.assertTrue(wheel.name.endswith("-py3-none-any.whl"), wheel.name)
        with zipfile.ZipFile(wheel) as file:
            names = {name for name in file.namelist() if not name.split("/")[0].endswith(".dist-info")}
        files = (PACKAGE / "sightline").iterdir()
        sources = {f"sightline/{path.name}" for path in files if path.suffix in (".py", ".typed")}
        self.assertEqual(names, sources | {"sightline/api.binpb"})
        # A source distribution is complete: it is built far from the protos.
        archive, = out.glob("*.tar.gz")
        shutil.unpack_archive(archive, self.folder / "unpacked")
        unpacked, = (self.folder / "unpacked").iterdir()
        target = self.folder / "from-sdist"
        self.pip(self.system, "install", "--no-deps", "--target", target, unpacked, env=offline())
        with zipfile.ZipFile(wheel) as file:
            self.assertEqual((target / "sightline/api.binpb").read_bytes(), file.read("sightline/api.binpb"))

    @unittest.skipUnless(importlib.util.find_spec("pip"), "Debian's python3-pip is not installed")
    def test_on_the_newest_grpcio(self):
        venv = self.folder / "newest"
        run("/usr/bin/python3", "-m", "venv", "--without-pip", venv)
        quick = {**environment(), "PIP_RETRIES": "0", "PIP_TIMEOUT": "10", "PIP_DEFAULT_TIMEOUT": "10"}
        done = self.pip(venv,
                        "install",
                        "--only-binary=:all:",
                        "--upgrade",
                        "grpcio",
                        "protobuf",
                        env=quick,
                        check=False)
        if done.returncode != 0:
            self.skipTest("no package index (and no PIP_FIND_LINKS) has grpcio: " +
                          done.stdout.strip().splitlines()[-1])
        self.pip(venv, "install", "--no-deps", self.package, env=quick)
        versions = self.use(venv)
        print("installed on grpcio {} and protobuf {}".format(*versions))

    def test_types(self):
        if shutil.which("mypy") is None:
            self.skipTest("mypy is not installed")
        tree = self.folder / "types"
        shutil.copytree(PACKAGE, tree, ignore=shutil.ignore_patterns("*.egg-info", "__pycache__"))
        (tree / "user.py").write_text("import sightline\n\n\n"
                                      "def best(client: sightline.Client) -> str:\n"
                                      "    answer = client.search('a.jpg', collection='c', crop=(0, 0, 1, 1))\n"
                                      "    return answer[0].id\n\n\n"
                                      "def images(client: sightline.Client) -> int:\n"
                                      "    return client.restore_snapshot('a', 'b').wait().images\n\n\n"
                                      "def wrong(client: sightline.Client) -> int:\n"
                                      "    return client.search('a.jpg', collection='c')[0].id\n")
        done = run("mypy",
                   "--config-file",
                   "pyproject.toml",
                   "--cache-dir",
                   self.folder / "mypy",
                   "sightline",
                   "user.py",
                   cwd=tree,
                   check=False)
        self.assertEqual(
            done.stdout.splitlines()[0],
            'user.py:14: error: Incompatible return value type (got "str", expected "int")  [return-value]')
        self.assertIn("Found 1 error", done.stdout)

    def test_style(self):
        if importlib.util.find_spec("flake8") is None:
            self.skipTest("Debian's python3-flake8 is not installed")
        run(sys.executable, "-B", "-m", "flake8", "--max-line-length=120", PACKAGE, ROOT / "tests/client/python")


if __name__ == "__main__":
    unittest.main(verbosity=2)
