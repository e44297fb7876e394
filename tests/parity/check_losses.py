"""Compares the losses and gradients that the C++ code computed with the reference.

Usage: check_losses.py FOLDER, which holds for every case CASE.json (the loss as in a configuration, or {"distill": ...}),
CASE.in.safetensors (outputs, labels, and parameters as parameter.NAME; of distillation student.* and teacher.*) and
CASE.out.safetensors (loss, grad.NAME of what has a gradient). Exits 1 when anything differs by more than 1e-4 of its own
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

import loss_reference as reference
import safetensors_file

TOLERANCE = 1e-4
# Below this a gradient is rounding: those of unit descriptors are of order 1 / B.
LEAST_SCALE = 1e-2


def wanted_of(config, tensors):
    leaves = {name: t.double().requires_grad_() for name, t in tensors.items() if not name.startswith("teacher.")}
    parameters = {n[len("parameter.") :]: t for n, t in leaves.items() if n.startswith("parameter.")}
    wanted = {}
    if "distill" in config:
        student = {n[len("student.") :]: t for n, t in leaves.items() if n.startswith("student.")}
        teacher = {n[len("teacher.") :]: t.double() for n, t in tensors.items() if n.startswith("teacher.")}
        loss = reference.distill(student, teacher, config["distill"])
    else:
        labels = [int(label) for label in tensors["labels"]]
        if "triplets" in tensors:
            parameters["triplets"] = [[int(i) for i in row] for row in tensors["triplets"]]
        loss = reference.LOSSES[config["kind"]](leaves["outputs"], labels, config, parameters)
    loss.backward()
    wanted["loss"] = loss.detach()
    for name, leaf in leaves.items():
        if name not in ("labels", "triplets"):
            wanted[f"grad.{name}"] = torch.zeros_like(leaf) if leaf.grad is None else leaf.grad
    return wanted


def check(path):
    case = path[: -len(".json")]
    name = os.path.basename(case)
    with open(path) as file:
        config = json.load(file)
    want = wanted_of(config, safetensors_file.read(case + ".in.safetensors"))
    have = safetensors_file.read(case + ".out.safetensors")
    failures, worst = 0, ("", 0.0)
    if set(want) != set(have):
        print(f"{name}: results differ: {sorted(set(want) ^ set(have))}")
        failures += 1
    for what in sorted(set(want) & set(have)):
        expected, got = want[what].flatten(), have[what].double().flatten()
        if expected.shape != got.shape:
            print(f"{name} {what}: {tuple(got.shape)} instead of {tuple(expected.shape)}")
            failures += 1
            continue
        difference = (expected - got).abs().max().item()
        error = difference / max(expected.abs().max().item(), LEAST_SCALE)
        worst = max(worst, (what, error), key=lambda pair: pair[1])
        if not error <= TOLERANCE:
            print(f"{name} {what}: differs by {difference:.3g}, {error:.3g} of its scale")
            failures += 1
    print(f"{name}: loss {want['loss'].item():.6g}, {len(want)} results, worst {worst[1]:.2g} ({worst[0]})")
    return failures


def main():
    torch.set_num_threads(1)
    paths = sorted(glob.glob(os.path.join(sys.argv[1], "*.json")))
    if not paths:
        print("no case to check")
        return 1
    return 1 if sum(check(path) for path in paths) else 0


if __name__ == "__main__":
    sys.exit(main())
