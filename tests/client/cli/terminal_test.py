"""The program `sightline` as a person meets it: in a terminal, in a pipe, completed by a shell, read in man.

Environment: SIGHTLINE_SERVER and SIGHTLINE_CLI, the programs. Shells that are not installed are skipped by name.
"""

import fcntl
import os
import pathlib
import pty
import re
import select
import shutil
import struct
import subprocess
import sys
import tempfile
import termios
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import programs  # noqa: E402

PICTURES = 12
MANY = 150


class Terminal:
    """A program in a pseudo-terminal of its own."""

    def __init__(self, words, env, columns=100, cwd=None):
        self.output = b""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            try:
                # Before the program asks for it.
                fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
                if cwd:
                    os.chdir(cwd)
                os.execve(words[0], words, env)
            finally:
                os._exit(127)

    def read(self, until=None, seconds=60):
        """Reads until `until` was seen or the program has ended."""
        deadline = time.monotonic() + seconds
        while until is None or until not in self.output:
            if not select.select([self.fd], [], [], max(0, deadline - time.monotonic()))[0]:
                raise AssertionError(f"not within {seconds} s: {until!r}; it ends with {self.output[-400:]!r}")
            try:
                piece = os.read(self.fd, 65536)
            except OSError:  # Linux says so when the other end is closed
                piece = b""
            if not piece:
                break
            self.output += piece
        return self.output

    def end(self):
        self.read()
        _, status = os.waitpid(self.pid, 0)
        os.close(self.fd)
        return os.waitstatus_to_exitcode(status), self.output


class TerminalTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory(prefix="sightline-terminal-")
        cls.addClassCleanup(cls.temporary.cleanup)
        cls.folder = pathlib.Path(cls.temporary.name)
        cls.server = programs.Server(cls.folder)
        cls.addClassCleanup(cls.server.stop)
        cls.photos = cls.folder / "photos"
        cls.photos.mkdir()
        for number in range(PICTURES):
            (cls.photos / f"{number:03}.png").write_bytes(programs.picture(number))

    def env(self, **more):
        return programs.environment(self.server.address, **more)

    def piped(self, *words, **more):
        return subprocess.run([programs.CLI, *words], env=self.env(**more), capture_output=True, timeout=120)

    def in_terminal(self, *words, columns=100, **more):
        return Terminal([programs.CLI, *words], self.env(**more), columns)

    def test_a_terminal_has_a_bar_within_its_width(self):
        for columns in (100, 45, 12):
            name = f"width{columns}"
            self.assertEqual(self.piped("collections", "create", name).returncode, 0)
            code, output = self.in_terminal("index", str(self.photos), "-c", name, columns=columns).end()
            self.assertEqual(code, 0, output)
            drawn = [line for line in re.split(rb"[\r\n]+", output) if line.endswith(b"\x1b[K") and len(line) > 3]
            self.assertGreater(len(drawn), 1, output)
            for line in drawn:
                self.assertLess(len(line.replace(b"\x1b[K", b"")), columns, line)
            self.assertEqual(columns == 100, b"[####" in output, output)
            self.assertIn(f"{PICTURES}/{PICTURES}".encode()[:columns - 1], drawn[-1])
            self.assertIn(f"indexed {PICTURES} images".encode(), output)

    def test_a_pipe_has_neither_escapes_nor_a_bar(self):
        self.assertEqual(self.piped("collections", "create", "piped").returncode, 0)
        run = self.piped("index", str(self.photos), "-c", "piped")
        self.assertEqual(run.returncode, 0, run.stderr)
        for words in (["collections"], ["list", "-c", "piped"], ["status"], ["models"], ["serch"],
                      ["get", "none", "-c", "piped"], ["search", str(self.photos / "000.png"), "-c", "piped"]):
            run = self.piped(*words)
            self.assertNotIn(b"\x1b", run.stdout + run.stderr, words)
            self.assertNotIn(b"\r", run.stdout + run.stderr, words)
        rows = [line.split(b"\t") for line in self.piped("list", "-c", "piped").stdout.splitlines()]
        self.assertEqual(len(rows), PICTURES + 1)
        self.assertEqual(min(row[0] for row in rows[1:]), b"000.png")
        self.assertEqual({len(row) for row in rows}, {len(rows[0])})

    def test_colour_is_for_terminals_that_want_it(self):
        code, output = self.in_terminal("collections").end()
        self.assertEqual(code, 0, output)
        self.assertTrue(output.startswith(b"\x1b[1mcollection"), output)
        code, output = self.in_terminal("get", "none", "-c", "none").end()
        self.assertIn(b"\x1b[31msightline:\x1b[0m ", output)
        for more in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
            for words in (["collections"], ["get", "none", "-c", "none"]):
                _, output = self.in_terminal(*words, **more).end()
                self.assertNotIn(b"\x1b", output, more)
        _, output = self.in_terminal("collections", NO_COLOR="").end()
        self.assertIn(b"\x1b[1m", output)

    def test_ctrl_c_ends_cleanly_and_the_next_run_goes_on(self):
        self.assertEqual(self.piped("collections", "create", "stopped").returncode, 0)
        many = self.folder / "many"
        many.mkdir()
        for number in range(MANY):
            (many / f"{number:03}.png").write_bytes(programs.picture(10_000 + number))
        terminal = self.in_terminal("index", str(many), "-c", "stopped", "--in_flight", "2")
        terminal.read(until=b" images/s  ETA ")
        os.write(terminal.fd, b"\x03")
        code, output = terminal.end()
        self.assertEqual(code, 130, output)
        self.assertIn(b" not reached. Run the same command again to go on", output)
        done = int(re.search(rb"indexed (\d+) image", output)[1])
        self.assertLess(done, MANY)
        listed = self.piped("list", "-c", "stopped", "--json").stdout.count(b"\n")
        self.assertEqual(listed, done)
        run = self.piped("index", str(many), "-c", "stopped")
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertIn(f"indexed {MANY - done} image".encode(), run.stdout)
        self.assertIn(f"skipped {done} already indexed".encode(), run.stdout)

    def test_names_cannot_steer_the_terminal(self):
        hostile = self.folder / "hostile"
        hostile.mkdir()
        names = [b"\x1b]0;title\x07.png", b"\x1b[35mpink.png", b"two\nlines.png", b"bad\xff\xfe.png", b"-rf.png",
                 "\u009b35m.png".encode(), b"back\x08space.png", b"good \xc3\xa9.png"]
        for number, name in enumerate(names):
            with open(os.path.join(os.fsencode(hostile), name), "wb") as file:
                file.write(programs.picture(20_000 + number))
        self.assertEqual(self.piped("collections", "create", "hostile").returncode, 0)
        code, output = self.in_terminal("index", str(hostile), "-c", "hostile", columns=400).end()
        self.assertEqual(code, 4, output)
        rest = output.replace(b"\x1b[K", b"").replace(b"\x1b[31msightline:\x1b[0m", b"")
        self.assertEqual(re.findall(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", rest), [], output)
        self.assertNotIn(b"\xc2\x9b", rest)
        self.assertNotIn(b"\xff", rest)
        self.assertIn(b"\\x1b]0;title\\x07.png", rest)
        code, output = self.in_terminal("list", "-c", "hostile").end()
        self.assertIn(b"-rf.png", output)
        self.assertIn("good é.png".encode(), output)
        # A name with a dash in front can be named itself.
        run = subprocess.run([programs.CLI, "index", "-c", "hostile", "--force", "--", "-rf.png"], cwd=hostile,
                             env=self.env(), capture_output=True, timeout=60)
        self.assertEqual(run.returncode, 0, run.stderr)

    def test_a_wrong_verb_gets_a_hint(self):
        for typed, meant in (("serch", "search"), ("indx", "index"), ("snapshts", "snapshots"), ("doctr", "doctor")):
            run = self.piped(typed)
            self.assertEqual(run.returncode, 64)
            self.assertIn(f'unknown verb "{typed}". Did you mean {meant}?', run.stderr.decode())

    # Completion.

    def on_path(self):
        return self.env(PATH=f"{os.path.dirname(programs.CLI)}:{os.environ['PATH']}")

    def completed_by_bash(self, *words):
        script = ('source <("$0" completion bash) || exit 9\n'
                  'COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _sightline; printf "%s\\n" "${COMPREPLY[@]}"')
        run = subprocess.run(["bash", "--norc", "--noprofile", "-c", script, programs.CLI, programs.CLI, *words],
                             env=self.env(), cwd=self.photos, capture_output=True, timeout=60, text=True)
        self.assertEqual((run.returncode, run.stderr), (0, ""))
        return sorted(run.stdout.split())

    def test_bash_completes(self):
        self.assertEqual(self.piped("collections", "create", "completed").returncode, 0)
        self.assertEqual(self.completed_by_bash("sea"), ["search"])
        self.assertIn("index", self.completed_by_bash(""))
        self.assertNotIn("__complete", self.completed_by_bash("_"))
        self.assertEqual(self.completed_by_bash("search", "x.jpg", "--min_c"), ["--min_confidence"])
        self.assertEqual(self.completed_by_bash("get", "--view", "pre"), ["preview"])
        self.assertEqual(self.completed_by_bash("get", "--view", "=", "pre"), ["preview"])
        self.assertEqual(self.completed_by_bash("get", "--view", "="), ["metadata", "original", "preview", "vectors"])
        self.assertEqual(self.completed_by_bash("search", "-c", "complet"), ["completed"])
        self.assertEqual(self.completed_by_bash("optimize", "complet"), ["completed"])
        self.assertEqual(self.completed_by_bash("collections", "de"), ["delete"])
        self.assertEqual(self.completed_by_bash("collections", "delete", "complet"), ["completed"])
        self.assertEqual(self.completed_by_bash("snapshot", "cre"), ["create"])
        self.assertEqual(self.completed_by_bash("reembed", "completed", "--model", "dt"), ["dtop_seeded"])
        self.assertEqual(self.completed_by_bash("search", "00"), [f"00{number}.png" for number in range(10)])
        self.assertEqual(self.completed_by_bash("index", "--attributes", "01"), ["010.png", "011.png"])
        self.assertEqual(self.completed_by_bash("help", "dupl"), ["duplicates"])
        self.assertEqual(self.completed_by_bash("nonsense", ""), [])

    def test_completion_without_a_server_is_short_and_quiet(self):
        run = self.piped("__complete", "--", "search", "-c", "", SIGHTLINE_ADDRESS="127.0.0.1:1")
        self.assertEqual((run.returncode, run.stdout, run.stderr), (0, b"words\n", b""))

    @unittest.skipUnless(shutil.which("zsh"), "zsh is not installed")
    def test_zsh_completes(self):
        terminal = Terminal([shutil.which("zsh"), "-f", "-i"], self.on_path())
        for line in ("PS1='ready> '", "autoload -U compinit; compinit -u -D", "source <(sightline completion zsh)"):
            os.write(terminal.fd, line.encode() + b"\n")
        # What is drawn depends on zsh's pace; what is run does not.
        os.write(terminal.fd, b"sightline versi\t\n")
        terminal.read(until=b"sightline 0.")
        os.write(terminal.fd, b"exit\n")
        terminal.end()

    @unittest.skipUnless(shutil.which("fish"), "fish is not installed")
    def test_fish_completes(self):
        script = "sightline completion fish | source; complete -C 'sightline sear'"
        run = subprocess.run(["fish", "--no-config", "-c", script], env=self.on_path(), capture_output=True, timeout=60, text=True)
        self.assertTrue(run.stdout.startswith("search\tfind the images"), run)

    # The manual page.

    def test_the_manual_page_names_everything(self):
        page = self.piped("help", "--man").stdout.decode()
        for line in self.piped("help").stdout.decode().split("Verbs:\n")[1].split("\n\n")[0].splitlines():
            verb = line.split()[0]
            self.assertIn(f'.SS "sightline {verb}', page)
            for flag in re.findall(r"^  (?:-\w, |    )--(\w+)", self.piped("help", verb).stdout.decode(), re.M):
                self.assertIn(f"\\-\\-{flag}", page, verb)

    @unittest.skipUnless(shutil.which("groff"), "groff is not installed")
    def test_groff_takes_the_manual_page_without_a_warning(self):
        page = self.piped("help", "--man").stdout
        run = subprocess.run(["groff", "-man", "-Tutf8", "-ww", "-rCHECKSTYLE=0"], input=page, capture_output=True, timeout=60)
        self.assertEqual((run.returncode, run.stderr), (0, b""))
        self.assertIn("--collection", re.sub(r"\x1b\[[0-9;]*m|.\x08", "", run.stdout.decode()))

    @unittest.skipUnless(shutil.which("man"), "man is not installed")
    def test_man_shows_it(self):
        page = self.folder / "sightline.1"
        page.write_bytes(self.piped("help", "--man").stdout)
        run = subprocess.run(["man", "--warnings", "-P", "cat", "-l", str(page)], capture_output=True, timeout=60,
                             env={**os.environ, "MANWIDTH": "80", "LC_ALL": "C.UTF-8"})
        self.assertEqual((run.returncode, run.stderr), (0, b""))
        self.assertIn(b"EXIT STATUS", re.sub(rb".\x08", b"", run.stdout))


if __name__ == "__main__":
    unittest.main()
