"""Every RPC of the API carries a code table: code, cause, what the caller does.

Usage: code_table_test.py REPOSITORY_ROOT. Prints what is wrong, file and line first, and exits 1.
"""

import pathlib
import re
import sys

CODES = {
    "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE",
    "DATA_LOSS", "UNAUTHENTICATED"
}
HEADER = ["| code | cause | what the caller does |", "|---|---|---|"]


def problems_of(comment):
    """What is wrong with the comment lines above an RPC."""
    table = [line for line in comment if line.startswith("|")]
    if not table:
        return ["has no code table"]
    if len(comment) < len(table) + 2:
        return ["has no words before its code table"]
    if comment[-len(table):] != table or comment[-len(table) - 1] != "":
        return ["has text inside or after its code table, or no empty line before it"]
    if table[:2] != HEADER:
        return ["starts its code table with another header than " + HEADER[0]]
    found = []
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table[2:]]
    for row in rows:
        if len(row) != 3 or not all(row):
            found.append(f"has a row that is not code, cause and action: {row}")
        elif row[0] not in CODES:
            found.append(f"names a code that gRPC does not have: {row[0]}")
    if len({tuple(row) for row in rows}) != len(rows):
        found.append("has a row twice")
    for code, cause in (("UNAVAILABLE", "is draining"), ("RESOURCE_EXHAUSTED", "has too much in hand"),
                        ("UNAUTHENTICATED", "does not know the caller"), ("PERMISSION_DENIED", "refuses the caller's key")):
        if code not in {row[0] for row in rows}:
            found.append(f"does not say what to do when the server {cause} ({code})")
    return found


def check(path):
    """Problems of one file, and how many RPCs it has."""
    problems, rpcs, comment = [], 0, []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        text = line.strip()
        rpc = re.match(r"rpc (\w+)\(", text)
        if text.startswith("//"):
            comment.append(text[2:].strip())
            continue
        if rpc:
            rpcs += 1
            problems += [f"{path}:{number}: rpc {rpc[1]} {problem}" for problem in problems_of(comment)]
        comment = []
    return problems, rpcs


def check_itself():
    """A comment that is right passes, and each way to spoil it is noticed."""
    rows = [f"| {code} | cause | action |" for code in ("UNAVAILABLE", "RESOURCE_EXHAUSTED", "UNAUTHENTICATED", "PERMISSION_DENIED")]
    table = HEADER + rows
    assert not problems_of(["Words.", "", *table])
    for spoilt in ([], ["Words."], table, ["", *table], ["Words.", *table], ["Words.", "", *table, "More."], ["Words.", "", *rows],
                   ["Words.", "", *table[:-1]], ["Words.", "", *table, rows[0]], ["Words.", "", *table, "| NO_SUCH | a | b |"],
                   ["Words.", "", *table, "| ABORTED | a |"], ["Words.", "", *table, "| ABORTED | | b |"]):
        assert problems_of(spoilt), f"nothing is wrong with {spoilt}"


def main():
    check_itself()
    problems, rpcs = [], 0
    for path in sorted(pathlib.Path(sys.argv[1], "proto", "sightline").rglob("*.proto")):
        found, count = check(path)
        problems += found
        rpcs += count
    if rpcs == 0:
        problems.append("no rpc found: is this the root of the repository?")
    print("\n".join(problems) if problems else f"{rpcs} RPCs, each with its code table")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
