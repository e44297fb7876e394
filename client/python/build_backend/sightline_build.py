"""Builds the package: setuptools, and what is needed for it without asking the network for anything that is installed.

pip builds in an environment of its own, which sees no installed package, and fetches what a build wants. Without a
network that fails although setuptools is there. This backend takes the installed one, and asks for another only where
there is none; the same with what compiles the descriptors (setup.py), protoc or grpcio-tools.
"""

import importlib.util
import os
import shutil
import sys
import sysconfig


def _add_installed():
    """Lets this process see the packages of the interpreter, after those of the build's own environment."""
    folders = [sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]
    base = {"base": sys.base_prefix, "platbase": sys.base_prefix, "installed_base": sys.base_prefix}
    folders += [
        sysconfig.get_path("purelib", vars=base),
        os.path.join(sys.base_prefix, "lib", "python3", "dist-packages")
    ]
    for folder in folders:
        if folder not in sys.path and os.path.isdir(folder):
            sys.path.append(folder)


def _missing():
    _add_installed()
    wanted = [name for name in ("setuptools", "wheel") if importlib.util.find_spec(name) is None]
    # Debian's grpc_tools brings no protos of protobuf's own; its protoc comes with them.
    if shutil.which("protoc") is None and importlib.util.find_spec("grpc_tools") is None:
        wanted.append("grpcio-tools")
    return [{"setuptools": "setuptools>=61"}.get(name, name) for name in wanted]


def get_requires_for_build_wheel(config_settings=None):
    return _missing()


def get_requires_for_build_sdist(config_settings=None):
    return _missing()


def get_requires_for_build_editable(config_settings=None):
    return _missing()


def _setuptools():
    _add_installed()
    from setuptools import build_meta
    return build_meta


def prepare_metadata_for_build_wheel(metadata_directory, config_settings=None):
    return _setuptools().prepare_metadata_for_build_wheel(metadata_directory, config_settings)


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    return _setuptools().build_wheel(wheel_directory, config_settings, metadata_directory)


def build_sdist(sdist_directory, config_settings=None):
    return _setuptools().build_sdist(sdist_directory, config_settings)


def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    return _setuptools().build_editable(wheel_directory, config_settings, metadata_directory)
