"""Every command of the documentation does what the page says.

Usage: docs_commands_test.py REPOSITORY_ROOT PROGRAMS_FOLDER [PAGE...]

Runs the shell and Python blocks of README.md, docs/*.md and client/python/README.md in order, each page on a machine of its
own (world.py) that has a server, photographs and a collection. pages.py has the marks for blocks that cannot run; they are
listed with their reasons. What a console session shows must come: these lines in this order, up to numbers and spaces, where "..."
stands for anything.
"""

import concurrent.futures
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import traceback

import pages
import world

ROOT, PROGRAMS = (pathlib.Path(argument).resolve() for argument in sys.argv[1:3])
# Pages whose Python is run by a test of the Python package, which has it importable.
PYTHON_ELSEWHERE = ("python.md", "client/python/README.md")


def help_commands(text):
    """The commands of a block that are programs of this project, one a line."""
    joined = text.replace("\\\n", " ")
    for line in joined.splitlines():
        line = re.sub(r"\s#.*$", "", line.strip())
        line = re.sub(r"^([A-Z_]+=\S+ )+", "", line)
        if re.match(r"(\S*/)?sightline(-\w+)? ", line):
            yield line


def masked(line):
    """A line of output without what differs from run to run."""
    return re.sub(r"\s+", " ", re.sub(r"-?\d[\d,.]*", "#", line)).strip()


def check_output(shown, output):
    rest = [masked(line) for line in output.splitlines()]
    for line in shown:
        pattern = ".*".join(map(re.escape, re.split(r" ?\.\.\. ?", masked(line))))
        while rest and not re.fullmatch(pattern, rest[0]):
            rest.pop(0)
        assert rest, f"shows a line that did not come, or not there: {line!r}; what came:\n{output}"
        rest.pop(0)


def run_block(block, machine):
    """True when the block was run as it stands."""
    if block.mark == "not run":
        return False
    if block.mark == "help only":
        commands = list(help_commands(block.text))
        assert commands, "has no program of this project. Mark it 'not run' instead."
        for command in commands:
            machine.run(command, help_only=True)
        return False
    if block.language == "python":
        machine.run(block.text, interpreter=["/usr/bin/python3", "-c"])
        return True
    status = int(block.reason) if block.mark == "ends with" else 0
    check_output(block.shown(), machine.run(block.commands(), status=status))
    return True


def is_run_here(block):
    name = str(block.page.relative_to(ROOT))
    python = block.language == "python" and not name.endswith(PYTHON_ELSEWHERE)
    return block.is_shell or python


def run_page(page, folder, scenes, data):
    """(blocks run, seconds, failures, all blocks) of one page."""
    begin, failures, run = time.monotonic(), [], 0
    blocks = [block for block in pages.blocks_of(page) if is_run_here(block)]
    if any(block.mark != "not run" for block in blocks):
        with world.World(folder, ROOT, PROGRAMS, scenes, data) as machine:
            for block in blocks:
                try:
                    run += run_block(block, machine)
                except AssertionError as error:
                    failures.append(f"{block.place}: {error}\n--- the block:\n{block.text}")
                    break  # What follows may build on it.
    return run, time.monotonic() - begin, failures, blocks


def main():
    chosen = [page for page in pages.pages_of(ROOT) if not sys.argv[3:] or page.name in sys.argv[3:]]
    begin, failed, run, left_out = time.monotonic(), [], 0, []
    with tempfile.TemporaryDirectory(prefix="sightline-docs-") as name:
        scenes = pathlib.Path(name) / "scenes"
        subprocess.run([PROGRAMS / "sightline-train", "scenes", "--out", scenes, "--instances", "4", "--views", "6",
                        "--size", "192"], check=True, timeout=60, stdout=subprocess.DEVNULL)
        with world.World(pathlib.Path(name) / "first", ROOT, PROGRAMS, scenes) as machine:
            data = machine.prepare_data()
        # Two at a time: a page waits for its server's start and end more than it computes.
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            # The long ones first: what comes last runs alone.
            longest_first = sorted(chosen, key=lambda page: page.stat().st_size, reverse=True)
            results = {page: pool.submit(run_page, page, pathlib.Path(name) / str(number), scenes, data)
                       for number, page in enumerate(longest_first)}
            for page, result in ((page, results[page]) for page in chosen):
                try:
                    page_run, seconds, failures, blocks = result.result()
                except Exception:  # A page that cannot be read, a machine that does not start.
                    failed.append(f"{page.name}: {traceback.format_exc(limit=2)}")
                    continue
                run += page_run
                failed += failures
                left_out += [block for block in blocks if block.mark in ("not run", "help only")]
                if page_run:
                    print(f"{page.name}: {page_run} blocks in {seconds:.1f} s")
    print(f"{run} blocks of {len(chosen)} pages in {time.monotonic() - begin:.1f} s; not run as they stand:")
    for block in left_out:
        print(f"  {block.place}: {block.mark}: {block.reason}")
    for failure in failed:
        print(f"FAILED {failure}\n")
    return 1 if failed or not run else 0


if __name__ == "__main__":
    sys.exit(main())
