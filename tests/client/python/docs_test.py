"""Every Python block of client/python/README.md and docs/python.md runs, in order, against a real server with the
starter model, in a folder with the photos that the texts speak of. A block that shows what it prints ("# prints:")
prints that.
"""

import contextlib
import io
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

from support import ROOT, sightline_server

TEXTS = (ROOT / "client/python/README.md", ROOT / "docs/python.md")
MODEL = "dtop_tiny"


def blocks(text):
    """(line, code) of every Python block."""
    for found in re.finditer(r"^```python\n(.*?)^```", text, re.S | re.M):
        yield text.count("\n", 0, found.start()) + 2, found[1]


def wanted(code):
    """The lines that a block says it prints; "..." stands for anything."""
    found = re.search(r"^# prints:\n((?:^# .*\n)+)", code, re.M)
    return [line[2:] for line in found[1].splitlines()] if found else None


class DocsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory(prefix="sightline-docs.")
        folder = pathlib.Path(cls.temporary.name)
        subprocess.run([
            os.environ["SIGHTLINE_TRAIN"], "scenes", "--out", folder / "scenes", "--instances", "6", "--views", "3",
            "--size", "96"
        ],
                       check=True,
                       stdout=subprocess.DEVNULL)
        shutil.copytree(folder / "scenes/index", folder / "photos")
        shutil.copy(next(iter(sorted((folder / "scenes/query").glob("*.jpg")))), folder / "photo.jpg")
        cls.server = sightline_server.Server(f"--models={MODEL}", f"--model_root={ROOT / 'model/zoo'}",
                                             "--warm_up=none")
        cls.before = os.getcwd()
        os.chdir(folder)
        os.environ["SIGHTLINE_ADDRESS"] = cls.server.address

    @classmethod
    def tearDownClass(cls):
        os.chdir(cls.before)
        cls.server.close()
        cls.temporary.cleanup()

    def test_examples(self):
        count = 0
        for path in TEXTS:
            names = {"__name__": "__main__"}
            for line, code in blocks(path.read_text()):
                with self.subTest(f"{path.name}:{line}"):
                    out = io.StringIO()
                    try:
                        with contextlib.redirect_stdout(out):
                            exec(compile("\n" * (line - 1) + code, path.name, "exec"), names)
                    except Exception as error:
                        raise AssertionError(f"{path.name}:{line} does not run: {error!r}") from error
                    expected = wanted(code)
                    if expected is not None:
                        pattern = "\n".join(".*".join(map(re.escape, one.split("..."))) for one in expected)
                        self.assertRegex(out.getvalue().rstrip("\n"), f"^{pattern}$", f"{path.name}:{line}")
                count += 1
        self.assertGreater(count, 10)

    def test_methods_are_named(self):
        """docs/python.md names every method of the client."""
        import sightline
        import support
        text = TEXTS[1].read_text()
        for name in support.methods(sightline.Client):
            with self.subTest(name):
                self.assertTrue(re.search(rf"\b{name}\b", text), f"docs/python.md does not name {name}")


if __name__ == "__main__":
    unittest.main(verbosity=2)
