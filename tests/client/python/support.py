"""A real server with a small untrained model, pictures, and the package under test, for the tests of client/python.

Environment: that of tests/e2e/python/sightline_server.py, SIGHTLINE_MODEL_ROOT, and SIGHTLINE_PYTHON: the folder that
holds the package.
"""

import io
import os
import pathlib
import random
import sys

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
