"""A real server with a small untrained model, pictures, and the package under test, for the tests of client/python.

Environment: that of tests/e2e/python/sightline_server.py, SIGHTLINE_MODEL_ROOT, and SIGHTLINE_PYTHON: the folder that
holds the package.
"""

import contextlib
import io
import os
import pathlib
import random
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests/e2e/python"))
sys.path.insert(0, os.environ.get("SIGHTLINE_PYTHON", str(ROOT / "build/release/python")))

import sightline_server  # noqa: E402  (the path comes first)

import sightline  # noqa: E402

SEED = int(os.environ.get("SIGHTLINE_TEST_SEED", "20240607"))
MODEL = "dtop_seeded"
DIM = 16


def start_server(*flags, **options):
    """A server on free ports; a context manager."""
    return sightline_server.Server(f"--models={MODEL}", f"--model_root={os.environ['SIGHTLINE_MODEL_ROOT']}",
                                   "--allow_untrained", "--warm_up=none", *flags, **options)


def picture(seed, side=64, kind="JPEG"):
    """An encoded picture that is like no other: coloured squares."""
    from PIL import Image
    rng = random.Random(seed)
    image = Image.new("RGB", (4, 4))
    image.putdata([tuple(rng.randrange(256) for _ in range(3)) for _ in range(16)])
    out = io.BytesIO()
    image.resize((side, side), Image.Resampling.BICUBIC).save(out, kind)
    return out.getvalue()


def vector(rng):
    """A descriptor for collections that take descriptors."""
    return sightline.Descriptor(tuple(rng.gauss(0, 1) for _ in range(DIM)), "space")


def methods(kind):
    """The public methods of a class."""
    return {
        name: getattr(kind, name) for name in dir(kind) if not name.startswith("_") and callable(getattr(kind, name))
    }


class ShopCase(unittest.TestCase):
    """A test on a server with the collection "shop", which main() has started."""

    #: The server, a folder for files, and a client of it.
    server = folder = client = None

    def refused(self, kind, reason, call, *args, **options):
        """The call fails with this class and reason; returns the error."""
        with self.assertRaises(kind) as caught:
            call(*args, **options)
        error = caught.exception
        self.assertEqual(error.reason, reason, error)
        self.assertRegex(str(error), r"\.$")
        self.assertEqual(error.message, str(error))
        return error


@contextlib.contextmanager
def _shop():
    """The server of all ShopCases; it must end well."""
    with tempfile.TemporaryDirectory(prefix="sightline-python.") as name, start_server() as server:
        client = sightline.Client(server.address, timeout=60)
        client.create_collection("shop", description="for tests")
        for number in range(6):
            attributes = {
                "number": number,
                "even": number % 2 == 0,
                "half": number / 2,
                "name": f"n{number}",
                "tags": ["all", f"t{number}"]
            }
            client.index(picture(number),
                         collection="shop",
                         id=f"p{number}",
                         attributes=attributes,
                         source_uri=f"file:{number}")
        ShopCase.server, ShopCase.folder, ShopCase.client = server, pathlib.Path(name), client
        yield
        client.close()
        code = server.terminate()
        if code != 0:
            sys.exit(f"the server ended with {code}:\n{server.log()}")


def main(*modules):
    """Runs the tests of these modules on one server."""
    suite = unittest.defaultTestLoader.loadTestsFromNames(modules)
    with _shop():
        result = unittest.TextTestRunner(verbosity=2).run(suite)
    sys.exit(0 if result.wasSuccessful() else 1)
