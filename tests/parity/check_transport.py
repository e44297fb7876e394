"""Compares what the C++ transport computed with the reference.

Usage: check_transport.py FOLDER, which holds for every case CASE.json: the options, the query and the results (grids of
tokens in float32 or int8, as they are stored), and what was computed of every result (S_struct, mass, rounds, converged;
the sums of the plan's rows and columns). Exits 1 when anything differs by more than 1e-4, 77 when numpy is missing.
"""

import glob
import json
import os
import sys

try:
    import numpy as np
except ImportError:
    print("python3-numpy is not installed")
    sys.exit(77)

import transport_reference as reference

TOLERANCE = 1e-4


def image(facts):
    if facts["scales"]:
        scales = np.array(facts["scales"])[:, None]
        tokens = np.array(facts["values"], dtype=float).reshape(len(scales), -1) * scales
    else:
        tokens = np.array(facts["floats"]).reshape(-1, facts["dim"])
    mask = np.array(facts["mask"]) if facts["mask"] else np.ones(len(tokens))
    return reference.Image(tokens, np.array(facts["centre"]), np.array(facts["importance"]), mask)


def check(path):
    with open(path) as file:
        case = json.load(file)
    query, results = image(case["query"]), [image(result) for result in case["results"]]
    options = case["options"]
    together = alone = reference.match(query, results, **options)
    if options["stop"] == "reference":
        # Scores depend on each other, but an explanation is of one result alone.
        alone = [reference.match(query, [result], **options)[0] for result in results]
    name, failures, worst = os.path.basename(path), 0, 0.0
    for i, (scored, explained, have) in enumerate(zip(together, alone, case["have"])):
        plan, structural, rounds, converged = scored
        explained_plan = explained[0]
        wanted = {
            "structural": structural,
            "mass": plan.sum(),
            "explained": explained[1],
            "row_sums": explained_plan.sum(1),
            "column_sums": explained_plan.sum(0),
        }
        if "plan" in have:
            wanted["plan"] = explained_plan.ravel()
        for what, want in wanted.items():
            got = np.array(have[what])
            error = np.abs(got - want).max() if got.shape == np.shape(want) else np.inf
            worst = max(worst, error)
            if not error <= TOLERANCE:
                print(f"{name}, result {i}: {what} differs by {error:.3g}")
                failures += 1
        # A few rounds sooner or later are rounding, where the rule is just about to hold.
        allowed = 1 + rounds // 5 if options["stop"] == "marginal_error" else 0
        if abs(have["rounds"] - rounds) > allowed or have["converged"] != converged:
            print(f"{name}, result {i}: {have['rounds']} rounds instead of {rounds}")
            failures += 1
    return failures, worst


def main():
    failures, worst = 0, ("nothing", 0.0)
    paths = sorted(glob.glob(os.path.join(sys.argv[1], "*.json")))
    for path in paths:
        failed, error = check(path)
        failures += failed
        worst = max(worst, (os.path.basename(path), error), key=lambda pair: pair[1])
    print(f"{len(paths)} cases, worst {worst[1]:.2g} ({worst[0]})")
    return 1 if failures or not paths else 0


if __name__ == "__main__":
    sys.exit(main())
