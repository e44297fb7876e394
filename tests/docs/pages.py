"""The pages of the documentation, cut into blocks.

A block is what stands between fences, or is indented by four spaces after an empty line. Indented ones are shell. An HTML
comment above a block says what is special about it:

    <!-- not run: it needs root -->        its commands cannot run in a test; the reason is listed
    <!-- help only: it trains for hours -->  its programs are called with --help instead, so that they and their verbs exist
    <!-- ends with 2 -->                   its last command's exit status
"""

import dataclasses
import pathlib
import re

SHELL = ("sh", "bash", "console")
LANGUAGES = SHELL + ("python", "cpp", "json", "text", "ini", "toml", "yaml", "html", "cmake", "proto", "pycon")
MARK = re.compile(r"<!-- (not run|help only|ends with):? ?(.*?) ?-->$")


@dataclasses.dataclass
class Block:
    page: pathlib.Path
    line: int
    language: str
    text: str
    mark: str = ""      # "not run", "help only", "ends with" or nothing.
    reason: str = ""    # What stands behind the mark.

    @property
    def place(self):
        return f"{self.page.name}:{self.line}"

    @property
    def is_shell(self):
        return self.language in SHELL

    def commands(self):
        """What is to be typed: of a console session the lines behind "$ ", else everything."""
        if self.language != "console":
            return self.text
        lines, typed = [], False
        for line in self.text.splitlines():
            typed = line.startswith("$ ") or (typed and lines[-1].endswith("\\"))
            if typed:
                lines.append(line.removeprefix("$ "))
        return "\n".join(lines)

    def shown(self):
        """Of a console session, what it shows as output."""
        lines, typed = [], False
        for line in self.text.splitlines() if self.language == "console" else ():
            continues = typed and previous.endswith("\\")
            typed, previous = line.startswith("$ ") or continues, line
            if not typed:
                lines.append(line)
        return lines


def blocks_of(page):
    """The blocks of one page, in order; ValueError where a page cannot be read as meant."""
    found, mark, fence, begin, lines = [], None, None, 0, []
    previous_empty = True

    def end(language):
        nonlocal mark
        while lines and not lines[-1].strip():
            lines.pop()
        found.append(Block(page, begin, language, "\n".join(lines), *(mark or ("", ""))))
        mark = None
        lines.clear()

    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines() + [""], 1):
        if fence is not None:
            if line.strip() == "```":
                end(fence)
                fence, previous_empty = None, True
            else:
                lines.append(line)
            continue
        indented = line.startswith("    ") and (lines or previous_empty)
        if indented and not line.strip().startswith("|"):
            if not lines:
                begin = number
            lines.append(line[4:])
            continue
        if lines and line.strip():
            end("sh")
        elif lines:
            lines.append("")
            continue
        if line.startswith("```"):
            fence, begin = line[3:].strip(), number
            if fence not in LANGUAGES:
                raise ValueError(f"{page.name}:{number}: a block of the language '{fence}'. Name one: {', '.join(LANGUAGES)}.")
        elif found_mark := MARK.match(line):
            mark = found_mark.groups()
            if not mark[1]:
                raise ValueError(f"{page.name}:{number}: '{mark[0]}' without a reason. Give it one.")
        elif line.strip() and mark is not None:
            raise ValueError(f"{page.name}:{number}: a block is expected under '{mark[0]}'. Put the mark right above it.")
        previous_empty = not line.strip()
    if fence is not None:
        raise ValueError(f"{page.name}:{begin}: the block does not end. Close it with ```.")
    if lines:
        end("sh")
    return found


def pages_of(root):
    return [page for page in [root / "README.md", *sorted((root / "docs").glob("*.md")), root / "client/python/README.md"]
            if page.exists()]
