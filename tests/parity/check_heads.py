"""Compares what the C++ heads computed with the reference.

Usage: check_heads.py FOLDER, which holds for every head CASE.json (the head as in model.json, and the features by name
with prefix, height and width), CASE.in.safetensors (weights as weight.NAME; features as NAME.map.I or NAME.layer.I) and
CASE.out.safetensors (NAME.plain, NAME.planned, NAME.tokens). Exits 1 when anything differs by more than 1e-4 of its own
scale, 77 when torch is missing.
"""

import glob
import json
import os
import sys

try:
    import torch
except ImportError:
    print("python3-torch is not installed")
    sys.exit(77)

import heads_reference as reference
import safetensors_file

TOLERANCE = 1e-4


def sequence(tensors, prefix):
    count = sum(name.startswith(prefix) for name in tensors)
    return [tensors[f"{prefix}{i}"].double() for i in range(count)]


def check(path):
    case = path[: -len(".json")]
    with open(path) as file:
        config = json.load(file)
    tensors = safetensors_file.read(case + ".in.safetensors")
    have = safetensors_file.read(case + ".out.safetensors")
    weights = {n[len("weight.") :]: t.double() for n, t in tensors.items() if n.startswith("weight.")}
    want = {}
    for name, facts in config["features"].items():
        maps, layers = sequence(tensors, f"{name}.map."), sequence(tensors, f"{name}.layer.")
        features = reference.Features(maps, layers, facts["prefix"], facts["height"], facts["width"])
        vector = reference.descriptor(features, weights, config["head"])
        want[f"{name}.plain"] = want[f"{name}.planned"] = vector
        tokens = reference.tokens(features, weights, config["head"])
        if tokens is not None:
            want[f"{name}.tokens"] = tokens

    failures, worst = 0, ("", 0.0)
    if set(want) != set(have):
        print(f"{os.path.basename(case)}: outputs differ: {sorted(set(want) ^ set(have))}")
        failures += 1
    for name in sorted(set(want) & set(have)):
        if want[name].shape != have[name].shape:
            print(f"{os.path.basename(case)} {name}: {tuple(have[name].shape)} instead of {tuple(want[name].shape)}")
            failures += 1
            continue
        scale = want[name].abs().max().item()
        difference = (want[name] - have[name].double()).abs().max().item()
        error = difference / max(scale, 1e-3)
        worst = max(worst, (name, error), key=lambda pair: pair[1])
        if not error <= TOLERANCE:
            print(f"{os.path.basename(case)} {name}: differs by {difference:.3g} at a scale of {scale:.3g}")
            failures += 1
    print(f"{os.path.basename(case)}: {len(want)} outputs, worst {worst[1]:.2g} ({worst[0]})")
    return failures


def check_regions(path):
    """REGIONS: the regions of R-MAC for many sizes, one line each: height width levels, then top left side of each."""
    failures = 0
    with open(path) as file:
        for line in file:
            numbers = [int(word) for word in line.split()]
            have = [tuple(numbers[i : i + 3]) for i in range(3, len(numbers), 3)]
            want = reference.rmac_regions(*numbers[:3])
            if have != want:
                print(f"regions of {numbers[:3]}: {have} instead of {want}")
                failures += 1
    return failures


def main():
    torch.set_grad_enabled(False)
    torch.set_num_threads(1)
    paths = sorted(glob.glob(os.path.join(sys.argv[1], "*.json")))
    if not paths:
        print("no case to check")
        return 1
    failures = sum(check(path) for path in paths) + check_regions(os.path.join(sys.argv[1], "regions.txt"))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
