"""What the pages say is there: links lead somewhere, reasons of errors are explained, flags exist, pages are found.

Usage: docs_pages_test.py REPOSITORY_ROOT PROGRAMS_FOLDER
"""

import concurrent.futures
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

import pages

ROOT, PROGRAMS = (pathlib.Path(argument).resolve() for argument in sys.argv[1:3])
PAGES = pages.pages_of(ROOT)
ROOMS = ("base", "index", "model", "server", "client")
# In the sources in capitals, and no reason: names of codes, of SIMD levels, of enum values, of operands, of variables.
NO_REASONS = re.compile(
    r"(ALREADY_EXISTS|DATA_LOSS|FAILED_PRECONDITION|INVALID_ARGUMENT|NOT_FOUND|PERMISSION_DENIED|RESOURCE_EXHAUSTED"
    r"|GROUND_TRUTH|NO_COLOR|AVX\w+|ATEN_CPU_CAPABILITY|KEEP_IMAGE_\w+|SIGHTLINE_\w+|GRPC_\w+)$")
# Flags of programs that are not ours.
FOREIGN_FLAGS = {
    "--addext", "--build", "--build-arg", "--cap-drop", "--cascade", "--component", "--config.file", "--data-binary",
    "--entrypoint", "--folder", "--help", "--install", "--installed", "--name", "--network", "--no-deps", "--now", "--prefix",
    "--preset", "--python_out", "--read-only", "--rm", "--security-opt", "--short", "--stop-timeout",
    "--storage.tsdb.path", "--strict", "--system-site-packages", "--target", "--tmpfs", "--user", "--version",
    "--web.listen-address"
}


def text_outside_blocks(page):
    return re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)


def anchors_of(page):
    found = set()
    for heading in re.findall(r"^#+ (.+)$", text_outside_blocks(page), re.M):
        plain = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading)
        anchor = re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")
        while anchor in found:
            anchor += "-1"
        found.add(anchor)
    return found


def reasons_of_sources():
    """{reason: file and line} of every reason in the sources."""
    literal = re.compile(r'"([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)"')
    # Of one word: only where an error is made, for other words in capitals are not rare.
    made = re.compile(r'(?:Error|InvalidArgument|NotFound|FailedPrecondition)\(\s*(?:[\w:]+,\s*)?"([A-Z][A-Z0-9]+)"')
    found = {}
    python = re.compile(r'(?:invalid\(\s*|reason=)"([A-Z][A-Z0-9_]+)"')
    for path in sorted((ROOT / "client/python/sightline").glob("*.py")):
        for match in python.finditer(path.read_text(encoding="utf-8")):
            found.setdefault(match[1], str(path.relative_to(ROOT)))
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*")):
            if path.suffix not in (".cc", ".h"):
                continue
            text = path.read_text(encoding="utf-8")
            for match in [*literal.finditer(text), *made.finditer(text)]:
                if not NO_REASONS.match(match[1]):
                    line = text.count("\n", 0, match.start(1)) + 1
                    found.setdefault(match[1], f"{path.relative_to(ROOT)}:{line}")
    return found


def flags_of_programs():
    """Every flag that one of the programs names in its help."""
    calls = [["sightline-server", "--help"], ["sightline-bench", "--help"], ["sightline", "--help"]]
    for program in ("sightline", "sightline-train"):
        text = subprocess.run([PROGRAMS / program, "--help"], capture_output=True, text=True, timeout=60, check=False).stdout
        calls += [[program, verb, "--help"] for verb in re.findall(r"^  ([a-z-]+)  +\S", text, re.M)]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        texts = pool.map(lambda call: subprocess.run([PROGRAMS / call[0], *call[1:]], capture_output=True, text=True, timeout=60,
                                                     check=False).stdout, calls)
    return set(re.findall(r"--[a-z][\w-]*", " ".join(texts)))


class Pages(unittest.TestCase):
    def test_blocks_can_be_read(self):
        for page in PAGES:
            for block in pages.blocks_of(page):
                self.assertTrue(block.mark != "ends with" or block.reason.isdigit(), block.place)

    def test_links_lead_somewhere(self):
        for page in [*PAGES, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"]:
            for target in re.findall(r"\]\(([^)\s]+)\)", text_outside_blocks(page)):
                if re.match(r"https?:", target):
                    continue
                name, _, anchor = target.partition("#")
                path = (page.parent / name).resolve() if name else page
                with self.subTest(f"{page.relative_to(ROOT)}: {target}"):
                    self.assertTrue(path.exists(), "there is no such file")
                    self.assertTrue(not anchor or anchor in anchors_of(path), "there is no such heading")

    def test_every_page_is_in_the_index(self):
        index = (ROOT / "docs/README.md").read_text()
        for page in ROOT.glob("docs/*.md"):
            if page.name != "README.md":
                self.assertIn(f"({page.name})", index)


class Reading(unittest.TestCase):
    """Pages are cut into blocks as pages.py says, and what cannot be meant is refused."""

    def blocks(self, text):
        with tempfile.TemporaryDirectory() as folder:
            page = pathlib.Path(folder) / "page.md"
            page.write_text(text)
            return [(b.line, b.language, b.mark, b.reason, b.text) for b in pages.blocks_of(page)]

    def test_blocks(self):
        self.assertEqual(self.blocks("a\n\n    one \\\n      more\n\n    two\nb\n"), [(3, "sh", "", "", "one \\\n  more\n\ntwo")])
        self.assertEqual(self.blocks("a\n    no block\n"), [])
        self.assertEqual(self.blocks("<!-- not run: root -->\n\n```python\nx\n```\n"), [(3, "python", "not run", "root", "x")])
        self.assertEqual(self.blocks("<!-- ends with 2 -->\n\n    x\n\n    y\n"), [(3, "sh", "ends with", "2", "x\n\ny")])

    def test_refusals(self):
        for text, words in [("```\nx\n```\n", "language"), ("```sh\nx\n", "does not end"), ("<!-- not run: -->\n\n    x\n", "reason"),
                            ("<!-- not run: root -->\ntext\n", "expected under")]:
            with self.assertRaisesRegex(ValueError, words):
                self.blocks(text)

    def test_console(self):
        block = pages.Block(ROOT, 1, "console", "$ a \\\n  b\nout 1\n\n$ c\nend ... here")
        self.assertEqual(block.commands(), "a \\\n  b\nc")
        self.assertEqual(block.shown(), ["out 1", "", "end ... here"])


class Reasons(unittest.TestCase):
    def test_every_reason_is_explained_and_no_other(self):
        text = (ROOT / "docs/troubleshooting.md").read_text().partition("\n## Reasons\n")[2]
        rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()
                if re.match(r"\| [A-Z]", line)]
        names = [row[0] for row in rows]
        self.assertEqual([row for row in rows if len(row) != 3 or not all(row)], [], "rows that do not say it all")
        self.assertEqual(sorted({name for name in names if names.count(name) > 1}), [], "explained twice")
        sources = reasons_of_sources()
        self.assertGreater(len(sources), 200)
        self.assertEqual({name: place for name, place in sources.items() if name not in names}, {},
                         "not explained in docs/troubleshooting.md")
        self.assertEqual(sorted(set(names) - set(sources)), [], "explained, and no longer in the sources")


class Flags(unittest.TestCase):
    def test_every_flag_named_exists(self):
        # A flag may be written with '-' where its name has '_'.
        known = {flag.replace("-", "_") for flag in flags_of_programs() | FOREIGN_FLAGS}
        self.assertGreater(len(known), 150)
        unknown = set()
        for page in PAGES:
            text = page.read_text(encoding="utf-8")
            for flag in re.findall(r"(?<![\w-])--[a-z][\w.-]*[a-z0-9]", text):
                if flag.replace("-", "_") not in known:
                    unknown.add(f"{page.name}: {flag}")
        self.assertEqual(sorted(unknown), [])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=1)
