"""The machine that the documentation speaks of, in a folder: programs, photographs, a running server.

Every page starts with the same things, so that its commands can be typed as they stand:

* the current folder looks like the root of a clone that is built: build/release/bin, model/zoo, proto, docs, deploy, ...
* `photos/` and `~/Pictures` with a folder for each object, `shoe.jpg`, `photo.jpg` and `some-photo.jpg`, which show them again
* a server, where the page says 127.0.0.1:50051 (or `localhost`, `host`), 8080 and 9464
* its data in `/var/lib/sightline`, with the collections `shop` (the photos, with the attributes brand, price, season and
  product) and `archive` (empty)
* `other:50051`, a second server without collections, on the other machine of the page
* the models `dtop_tiny` and `new_model`, in `models/` and `model/zoo/`; `labels.csv` and `pairs.csv` about the photos
* `deploy/quickstart.sh --keep` does what the real one leaves behind, with fewer pictures and without building

`sightline-server` typed in a page starts a server, waits until it is ready, and the rest of the page speaks to that one. Before that,
the first command that asks a server starts one.
"""

import itertools
import json
import os
import re
import shutil
import signal
import subprocess

PROGRAMS = ("sightline", "sightline-bench", "sightline-train")
# Links into the repository. What a page may write to is not among them.
ROOMS = ("client", "docker", "docs", "index", "proto", "tests", "CMakeLists.txt", "CMakePresets.json", "cmake", "base",
         "server", "README.md", "LICENSE")
PORTS = {"50051": "grpc", "50052": "admin_grpc", "8080": "http", "9464": "admin"}
HOSTS = r"127\.0\.0\.1|localhost|0\.0\.0\.0|host"
# What starts a server of its own, and what asks one.
STARTS = re.compile(r"(?<![\w-])sightline-server\b(?!\s+--(?:help|doctor|version))|\bquickstart\.sh\b")
ASKS = re.compile(rf"(?<![\w./-])sightline (?!help|version|keys|completion)|\bcurl\b|\bPID\b|\b(?:{HOSTS}):")
FOLDERS = ("/etc/sightline", "/var/lib/sightline", "/var/log/sightline", "/backup")
BRANDS, SEASONS = ("acme", "zenith"), ("2022", "2023", "2024")

PROGRAM_WRAPPER = """#!/bin/sh
exec "{real}" "$@" $DOCS_HELP
"""

# An answer that says no is a failure here too.
CURL_WRAPPER = """#!/bin/sh
exec "{real}" --fail-with-body --silent --show-error "$@"
"""

# The server goes on behind the command that started it, and the one before it ends: they may want the same data.
SERVER_WRAPPER = """#!/bin/bash
for argument; do
  case $argument in --help | --doctor | --version) exec "{real}" "$@" ;; esac
done
if [[ -n $DOCS_HELP ]]; then exec "{real}" --help; fi
[[ -n $DOCS_OTHER ]] || "{world}/stop-server"
admin=()
for argument; do
  case $argument in --admin_grpc_listen*) admin=(--admin_grpc_listen=127.0.0.1:0) ;; esac
done
"{real}" "$@" "${{admin[@]}}" --listen=127.0.0.1:0 --http_listen=127.0.0.1:0 --admin_listen=127.0.0.1:0 \\
  --warm_up=none --port_file="{world}/ports$DOCS_OTHER.json" >"{world}/server$DOCS_OTHER.log" 2>&1 </dev/null &
server=$!
echo $server >"{world}/server$DOCS_OTHER.pid"
# It ends with the test, however that ends.
(while kill -0 "$DOCS_TEST" && kill -0 $server; do sleep 1; done; kill $server) >/dev/null 2>&1 </dev/null &
for ((i = 0; i < 600; ++i)); do
  [[ -e "{world}/ports$DOCS_OTHER.json" ]] && exit 0
  kill -0 $server 2>/dev/null || break
  sleep 0.05
done
tail -n 3 "{world}/server$DOCS_OTHER.log" >&2
exit 1
"""

STOP_WRAPPER = """#!/bin/bash
rm -f "{world}/ports$DOCS_OTHER.json"
[[ -e "{world}/server$DOCS_OTHER.pid" ]] || exit 0
server=$(<"{world}/server$DOCS_OTHER.pid")
rm -f "{world}/server$DOCS_OTHER.pid"
kill -TERM "$server" 2>/dev/null
for ((i = 0; i < 400; ++i)); do kill -0 "$server" 2>/dev/null || exit 0; sleep 0.05; done
kill -KILL "$server"
"""

# What deploy/quickstart.sh --keep leaves: the pictures, the server on its own data, the collection.
QUICKSTART_WRAPPER = """#!/bin/bash -e
mkdir -p build/quickstart
cp -r "{scenes}" build/quickstart/scenes
sightline-server --data_dir build/quickstart/data --model_root model/zoo --models dtop_tiny
SIGHTLINE_ADDRESS=127.0.0.1:$(sed -n 's/.*"grpc": \\([0-9]*\\).*/\\1/p' "{world}/ports.json") \\
  sightline index build/quickstart/scenes/index --collection quickstart --create
"""


class World:
    """One page's machine. Usage: `with World(folder, repository, programs, scenes, data) as world: world.run(text)`.

    `data` is a data directory that `prepare_data` has made; its server starts when something is run that needs it.
    """

    def __init__(self, folder, repository, programs, scenes, data=None):
        self.folder, self.repository, self.programs, self.scenes, self.data = folder, repository, programs, scenes, data
        self.root, self.home = folder / "clone", folder / "home"
        self.started = False

    def __enter__(self):
        self.home.mkdir(parents=True)
        for room in ROOMS:
            (self.root / room).parent.mkdir(parents=True, exist_ok=True)
            (self.root / room).symlink_to(self.repository / room)
        for part in ("deploy", "model", "model/zoo"):
            (self.root / part).mkdir()
            for entry in (self.repository / part).iterdir():
                if entry.name != "zoo":
                    (self.root / part / entry.name).symlink_to(entry)
        (self.root / "deploy/quickstart.sh").unlink()
        for path in FOLDERS:
            (self.folder / path[1:]).mkdir(parents=True)
        binaries = self.root / "build/release/bin"
        binaries.mkdir(parents=True)
        for program in PROGRAMS:
            self._script(binaries / program, PROGRAM_WRAPPER, real=self.programs / program)
        self._script(binaries / "curl", CURL_WRAPPER, real=shutil.which("curl"))
        self._script(binaries / "sightline-server", SERVER_WRAPPER, real=self.programs / "sightline-server")
        self._script(self.folder / "stop-server", STOP_WRAPPER)
        self._script(self.root / "deploy/quickstart.sh", QUICKSTART_WRAPPER)
        self._lay_out_photos()
        self._lay_out_models()
        if self.data is not None:
            shutil.copytree(self.data, self.folder / "var/lib/sightline", dirs_exist_ok=True)
        return self

    def __exit__(self, *_):
        for which in ("", "-other"):
            subprocess.run([self.folder / "stop-server"], env=os.environ | {"DOCS_OTHER": which}, timeout=60, check=False)

    def _script(self, path, text, real=""):
        path.write_text(text.format(real=real, world=self.folder, scenes=self.scenes))
        path.chmod(0o755)

    def _lay_out_photos(self):
        for target in (self.root / "photos", self.home / "Pictures"):
            for image in sorted((self.scenes / "index").glob("*.jpg")):
                folder = target / image.name.split("_view_")[0]
                folder.mkdir(parents=True, exist_ok=True)
                shutil.copy(image, folder)
        queries = sorted((self.scenes / "query").glob("*.jpg"))
        for name, image in zip(("shoe.jpg", "photo.jpg", "some-photo.jpg"), queries):
            shutil.copy(image, self.root / name)
        ids = [str(path.relative_to(self.root / "photos")) for path in sorted((self.root / "photos").glob("*/*"))]
        labels = [f"{name},{name.split('/')[0]}" for name in ids]
        (self.root / "labels.csv").write_text("\n".join(["path,label", *labels]) + "\n")
        pairs = [f"{a},{b},{'true' if a.split('/')[0] == b.split('/')[0] else 'false'}"
                 for a, b in itertools.combinations(ids, 2)]
        (self.root / "pairs.csv").write_text("\n".join(["first_id,second_id,same", *pairs]) + "\n")

    def _lay_out_models(self):
        """Beside the starter model the same for smaller pictures, which is another embedding space."""
        starter = self.repository / "model/zoo/dtop_tiny"
        description = json.loads((starter / "model.json").read_text())
        description["preprocess"]["image_size"] = 224
        (self.root / "models").mkdir()
        (self.root / "models/dtop_tiny").mkdir()
        for entry in starter.iterdir():
            (self.root / "models/dtop_tiny" / entry.name).symlink_to(entry)
        for place in ("models", "model/zoo"):
            folder = self.root / place / "new_model"
            folder.mkdir()
            (folder / "weights.safetensors").symlink_to(starter / "weights.safetensors")
            (folder / "model.json").write_text(json.dumps(description))

    def _needs_server(self, text):
        """Whether `text` asks a server before it has started one."""
        starts, asks = STARTS.search(text), ASKS.search(text)
        if starts and (not asks or starts.start() < asks.start()):
            self.started = True
            return False
        return asks is not None

    def _start(self):
        self.started = True
        self.run("sightline-server --data_dir /var/lib/sightline --model_root models --models dtop_tiny")

    def prepare_data(self):
        """Makes the collections of every page, and returns their data directory; the server has ended then."""
        commands = ["sightline collections create archive", "sightline collections create shop --keep_image original"]
        for i, folder in enumerate(sorted((self.root / "photos").iterdir())):
            commands.append(f"sightline index photos/{folder.name} --collection shop --id_prefix {folder.name}/ "
                            f"--attribute product={folder.name} --attribute brand={BRANDS[i % 2]} "
                            f"--attribute price:double={20 + 15 * i} --attribute season={SEASONS[i % 3]}")
        self.run("\n".join(commands))
        self.__exit__()
        return self.folder / "var/lib/sightline"

    def _other(self):
        """The port of the second server, which is started when a page first speaks of it."""
        if not (self.folder / "ports-other.json").exists():
            self.run("DOCS_OTHER=-other sightline-server --data_dir other-data --model_root models --models dtop_tiny")
        return json.loads((self.folder / "ports-other.json").read_text())["grpc"]

    @property
    def ports(self):
        file = self.folder / "ports.json"
        return json.loads(file.read_text()) if file.exists() else {}

    def _here(self, text):
        """What a page says, with the addresses and folders of this machine."""
        ports = self.ports
        text = re.sub(r"\bother:50051\b", lambda _: f"127.0.0.1:{self._other()}", text)
        text = re.sub(rf"\b({HOSTS}):({'|'.join(PORTS)})\b", lambda m: f"127.0.0.1:{ports.get(PORTS[m[2]], 0)}", text)
        for path in FOLDERS:
            text = re.sub(rf"(?<![\w/.-]){path}\b", str(self.folder) + path, text)
        pid = self.folder / "server.pid"
        return re.sub(r"\bPID\b", pid.read_text().strip() if pid.exists() else "PID", text)

    def run(self, text, *, status=0, help_only=False, timeout=200, interpreter=None):
        """Runs what a page says and returns its output; AssertionError when it ends with another status."""
        if not help_only and not self.started and (interpreter is not None or self._needs_server(text)):
            self._start()
        environment = {name: value for name, value in os.environ.items()
                       if not name.startswith("SIGHTLINE_") or name == "SIGHTLINE_SHARED_DATA"}
        environment |= {"HOME": str(self.home), "PATH": f"{self.root}/build/release/bin:{environment['PATH']}",
                        "DOCS_TEST": str(os.getpid()), "DOCS_HELP": "--help" if help_only else ""}
        if "grpc" in self.ports:
            environment["SIGHTLINE_ADDRESS"] = f"127.0.0.1:{self.ports['grpc']}"
        if interpreter is None:
            # What one block sets the next one has, as in a terminal.
            kept = self.folder / "exported"
            kept.touch()
            text = f"set -a -e -o pipefail; . {kept}\n{text}\nexport -p | grep -v -e DOCS_ -e SIGHTLINE_ADDRESS= >{kept}\n"
            interpreter = ["bash", "-c"]
        started = subprocess.Popen([*interpreter, self._here(text)], cwd=self.root, env=environment, text=True,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                   start_new_session=True)
        try:
            output, _ = started.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            os.killpg(started.pid, signal.SIGKILL)
            raise AssertionError(f"did not end within {timeout} s") from None
        assert started.returncode == status, f"ended with {started.returncode} instead of {status}:\n{output[-2000:]}"
        return output
