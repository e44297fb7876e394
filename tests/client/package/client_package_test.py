"""The C++ client from outside: installed, found by CMake, built into the example, and run against a server.

Environment: SIGHTLINE_SERVER and SIGHTLINE_CLI, the programs; SIGHTLINE_BUILD, the build folder to install from; CXX, the
compiler.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import programs  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
BUILD = os.environ["SIGHTLINE_BUILD"]


def run(*words, cwd=None, env=None, timeout=300):
    done = subprocess.run([str(word) for word in words], cwd=cwd, env=env, capture_output=True, text=True, timeout=timeout)
    if done.returncode != 0:
        raise AssertionError(f"{words}: {done.stdout[-3000:]}\n{done.stderr[-3000:]}")
    return done.stdout


class ClientPackageTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        temporary = tempfile.TemporaryDirectory(prefix="sightline-package-")
        cls.addClassCleanup(temporary.cleanup)
        cls.folder = pathlib.Path(temporary.name)
        cls.prefix = cls.folder / "prefix"
        run("cmake", "--install", BUILD, "--prefix", cls.prefix, "--component", "client")

    def test_what_is_installed_stands_alone(self):
        files = [file for file in self.prefix.rglob("*") if file.is_file()]
        headers = self.prefix / "include/sightline-client"
        self.assertTrue((headers / "client/cpp/client.h").exists())
        self.assertTrue((headers / "sightline/v1/search_service.pb.h").exists())
        for file in files:
            if file.suffix in (".h", ".cmake"):
                text = file.read_text()
                self.assertNotIn(str(programs.ROOT), text, file)
                # Every header that a header names is there, or is a library's.
                for name in re.findall(r'#include "((?:base|client|sightline|google/(?:api|rpc))/[^"]+)"', text):
                    self.assertTrue((headers / name).exists(), f"{file} includes {name}")
        self.assertEqual([file.name for file in files if file.suffix == ".a"], ["libsightline_client.a"])

    def test_the_manual_shows_the_example(self):
        example = (programs.ROOT / "client/cpp/example.cc").read_text().split("\n", 1)[1]
        self.assertIn(f"```cpp\n{example}```", (programs.ROOT / "docs/cpp.md").read_text())

    def test_the_example_builds_from_it_and_finds(self):
        app = self.folder / "app"
        app.mkdir()
        # Nothing but the two files of a user: no header of the source tree can be found by chance.
        shutil.copy(HERE / "app/CMakeLists.txt", app)
        shutil.copy(programs.ROOT / "client/cpp/example.cc", app)
        run("cmake", "-S", app, "-B", app / "build", f"-DCMAKE_PREFIX_PATH={self.prefix}", "-DEXAMPLE=example.cc",
            f"-DCMAKE_CXX_COMPILER={os.environ.get('CXX', 'c++')}")
        run("cmake", "--build", app / "build")
        photos = self.folder / "photos"
        photos.mkdir()
        for number in range(5):
            (photos / f"{number}.png").write_bytes(programs.picture(number))
        # What an image is called does not matter: the server looks at its bytes.
        (self.folder / "shoe.jpg").write_bytes(programs.picture(3))
        server = programs.Server(self.folder)
        try:
            env = programs.environment(server.address)
            run(programs.CLI, "index", photos, "-c", "shop", "--create", "--timeout", "2m", env=env)
            found = run(app / "build/app", server.address, cwd=self.folder)
        finally:
            server.stop()
        lines = found.splitlines()
        self.assertEqual(len(lines), 5)
        self.assertRegex(lines[0], r"^1  (1\.000|0\.99\d)  3\.png$")
        refused = subprocess.run([app / "build/app", "127.0.0.1:1"], cwd=self.folder, capture_output=True, text=True, timeout=60)
        self.assertEqual(refused.returncode, 1)
        self.assertIn("no server answers at 127.0.0.1:1", refused.stderr)


if __name__ == "__main__":
    unittest.main()
