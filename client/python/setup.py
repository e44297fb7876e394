"""Compiles the API's protos into the descriptors that the package reads, sightline/api.binpb. All else is in
pyproject.toml."""

import pathlib
import shutil
import subprocess
import tempfile

from setuptools import setup
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist

HERE = pathlib.Path(__file__).resolve().parent
# In the repository, or in a source distribution, which carries the descriptors instead.
PROTO = HERE.parents[1] / "proto" if len(HERE.parents) > 1 else HERE
CARRIED = HERE / "sightline" / "api.binpb"


def compile_protos(target):
    """Writes the descriptors, without comments."""
    if not (PROTO / "sightline").is_dir():
        if not CARRIED.exists():
            raise SystemExit(
                f"sightline: {PROTO}/sightline is missing. Build in a checkout of the repository, or from its source "
                "distribution.")
        if target != CARRIED:
            shutil.copyfile(CARRIED, target)
        return
    # Not grpc/, which a program may have from its own package: protobuf takes no two.
    files = sorted(str(path.relative_to(PROTO)) for folder in ("google", "sightline")
                   for path in (PROTO / folder).rglob("*.proto"))
    target.parent.mkdir(parents=True, exist_ok=True)
    arguments = ["-I", str(PROTO), f"--descriptor_set_out={target}", *files]
    if shutil.which("protoc") is not None:
        subprocess.run(["protoc", *arguments], check=True)
    else:
        try:
            from grpc_tools import protoc
        except ImportError:
            raise SystemExit("sightline: protoc is missing. Install Debian's protobuf-compiler and libprotobuf-dev, or "
                             "grpcio-tools.") from None
        own = pathlib.Path(protoc.__file__).with_name("_proto")
        if protoc.main(["protoc", "-I", str(own), *arguments]) != 0:
            raise SystemExit("sightline: the protos could not be compiled; grpcio-tools has said why.")


class BuildPy(build_py):
    def run(self):
        super().run()
        # An editable installation reads the source tree itself.
        compile_protos(CARRIED if self.editable_mode else pathlib.Path(self.build_lib) / "sightline" / "api.binpb")


class Sdist(sdist):
    def run(self):
        compile_protos(CARRIED)
        super().run()


# Not in the source tree: what an earlier build left there would be packed with the rest.
with tempfile.TemporaryDirectory(prefix="sightline-build.") as folder:
    setup(cmdclass={"build_py": BuildPy, "sdist": Sdist}, options={"build": {"build_base": folder}})
