"""Compares what the C++ model computed with the reference.

Usage: check_dtop.py FOLDER, which holds for every case CASE.json (backbone and head as in model.json), CASE.in.safetensors
(weights, and image.0, image.1, ... one per scale) and CASE.out.safetensors (what the C++ computed). Exits 1 when anything
differs by more than 1e-4 of its own scale, 77 when torch is missing.
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

import dtop_reference as reference
import safetensors_file

TOLERANCE = 1e-4


def expected(config, tensors):
    weights = {name: value.double() for name, value in tensors.items() if not name.startswith("image.")}
    result, merged = {}, []
    for scale in range(sum(name.startswith("image.") for name in tensors)):
        images = tensors[f"image.{scale}"].double()
        layers, grid, attention = reference.backbone(images, weights, config["backbone"], config["head"]["layers"])
        parts = reference.dtop(layers, grid, weights, config["head"])
        for i, layer in enumerate(layers):
            result[f"{scale}.layer.{i}"] = layer
        result[f"{scale}.cls_attention"] = attention
        if config["backbone"]["type"] == "hybrid_vit":
            stem = reference.stem(images, weights, config["backbone"], "backbone.patch_embed.backbone")
            result[f"{scale}.stem"] = stem
        for name, value in parts.items():
            result[f"{scale}.{name}"] = value
        merged.append(parts["u"])
    result["descriptor"] = reference.descriptor(merged)
    return result


def check(path):
    case = path[: -len(".json")]
    with open(path) as file:
        config = json.load(file)
    want = expected(config, safetensors_file.read(case + ".in.safetensors"))
    have = safetensors_file.read(case + ".out.safetensors")
    failures = 0
    if set(want) != set(have):
        print(f"{os.path.basename(case)}: outputs differ: {sorted(set(want) ^ set(have))}")
        failures += 1
    worst = ("", 0.0)
    for name in sorted(set(want) & set(have)):
        if want[name].shape != have[name].shape:
            print(f"{os.path.basename(case)} {name}: {tuple(have[name].shape)} instead of {tuple(want[name].shape)}")
            failures += 1
            continue
        scale = max(want[name].abs().max().item(), 1e-12)
        difference = (want[name] - have[name].double()).abs().max().item()
        # Activations of tens are held to the same relative precision as those of 1; small ones absolutely.
        error = difference / max(scale, 1.0)
        worst = max(worst, (name, error), key=lambda pair: pair[1])
        if not error <= TOLERANCE or scale < 1e-6:
            print(f"{os.path.basename(case)} {name}: differs by {difference:.3g} at a scale of {scale:.3g}")
            failures += 1
    print(f"{os.path.basename(case)}: {len(want)} outputs, worst {worst[1]:.2g} ({worst[0]})")
    return failures


def main():
    torch.manual_seed(0)
    torch.set_grad_enabled(False)
    paths = sorted(glob.glob(os.path.join(sys.argv[1], "*.json")))
    if not paths:
        print("no case to check")
        return 1
    return 1 if sum(check(path) for path in paths) else 0


if __name__ == "__main__":
    sys.exit(main())
