"""Compares what the C++ transformer backbones computed with the reference, and the reference with torchvision.

Usage: check_transformers.py FOLDER, which holds for every case CASE.json (the backbone as in model.json, and "layers", the
token sequences asked for), CASE.in.safetensors (weights and "image") and CASE.out.safetensors (outputs of the C++, every
name once under "planned." and once under "plain."). Exits 1 when anything differs by more than 1e-4 of its own scale, 77
when torch is missing.
"""

import glob
import json
import os
import sys

try:
    import torch
    import torchvision
except ImportError:
    print("python3-torch or python3-torchvision is not installed")
    sys.exit(77)

import safetensors_file
import transformer_reference as reference

TOLERANCE = 1e-4


def torchvision_swin(images, weights, config):
    """The same from torchvision, on sides that are multiples of a patch: it cuts off what is more."""
    p, window = config["patch"], config["window"]
    model = torchvision.models.swin_transformer.SwinTransformer(
        [p, p], config["dim"], config["depths"], config["heads"], [window, window], config["mlp_ratio"]
    )
    names = {"patch_embed.proj": "features.0.0", "patch_embed.norm": "features.0.2", "norm": "norm"}
    for s, depth in enumerate(config["depths"]):
        for i in range(depth):
            names[f"layers.{s}.blocks.{i}"] = f"features.{2 * s + 1}.{i}"
        names[f"layers.{s}.downsample"] = f"features.{2 * s + 2}"
    state = {name: value for name, value in model.state_dict().items() if name.startswith("head.")}
    state |= {name: value for name, value in model.state_dict().items() if name.endswith("relative_position_index")}
    for name, value in weights.items():
        prefix = max((key for key in names if name.startswith(key + ".")), key=len)
        rest = name[len(prefix) :].replace(".mlp.fc1.", ".mlp.0.").replace(".mlp.fc2.", ".mlp.3.")
        state[names[prefix] + rest] = value
    model.load_state_dict(state)
    model.double().eval()
    x = model.norm(model.features(images))
    return {"map.0": x.permute(0, 3, 1, 2)}


def torchvision_vit(images, weights, config):
    """The last layer from torchvision, for a plain ViT on its own grid."""
    side = config["patch"] * config["grid"]
    model = torchvision.models.VisionTransformer(
        side, config["patch"], config["depth"], config["heads"], config["dim"], config["dim"] * config["mlp_ratio"]
    )
    parts = {"attn.qkv.weight": "self_attention.in_proj_weight", "attn.qkv.bias": "self_attention.in_proj_bias"}
    parts |= {f"attn.proj.{p}": f"self_attention.out_proj.{p}" for p in ("weight", "bias")}
    for ours, theirs in (("norm1", "ln_1"), ("norm2", "ln_2"), ("mlp.fc1", "mlp.0"), ("mlp.fc2", "mlp.3")):
        parts |= {f"{ours}.{p}": f"{theirs}.{p}" for p in ("weight", "bias")}
    names = {"cls_token": "class_token", "pos_embed": "encoder.pos_embedding"}
    for p in ("weight", "bias"):
        names |= {f"patch_embed.proj.{p}": f"conv_proj.{p}", f"norm.{p}": f"encoder.ln.{p}"}
    state = {name: value for name, value in model.state_dict().items() if name.startswith("heads.")}
    for name, value in weights.items():
        if name in names:
            state[names[name]] = value
        else:
            _, block, part = name.split(".", 2)
            state[f"encoder.layers.encoder_layer_{block}.{parts[part]}"] = value
    model.load_state_dict(state)
    model.double().eval()
    x = model._process_input(images)
    x = model.encoder(torch.cat([model.class_token.expand(x.shape[0], -1, -1), x], 1))
    return {"layer.0": x}


def differences(label, want, have):
    """Prints what differs; the number of faults and the worst error."""
    faults, worst = 0, 0.0
    for name in sorted(want):
        if name not in have or want[name].shape != have[name].shape:
            shape = tuple(have[name].shape) if name in have else "missing"
            print(f"{label} {name}: {shape} instead of {tuple(want[name].shape)}")
            faults += 1
            continue
        scale = max(want[name].abs().max().item(), 1e-12)
        error = (want[name] - have[name].double()).abs().max().item() / scale
        worst = max(worst, error)
        if not error <= TOLERANCE or scale < 1e-6:
            print(f"{label} {name}: differs by {error:.3g} of its scale {scale:.3g}")
            faults += 1
    return faults, worst


def check(path):
    case = path[: -len(".json")]
    label = os.path.basename(case)
    with open(path) as file:
        description = json.load(file)
    config, layers = description["backbone"], description["layers"]
    tensors = {name: value.double() for name, value in safetensors_file.read(case + ".in.safetensors").items()}
    images = tensors.pop("image")
    have = safetensors_file.read(case + ".out.safetensors")
    kind = config["type"]
    if kind == "swin":
        want = reference.swin(images, tensors, config)
    elif kind == "cvt":
        want = reference.cvt(images, tensors, config, layers)
    else:
        want = reference.vit(images, tensors, config, layers)
    faults, worsts = 0, []
    for way in ("planned.", "plain."):
        got = {name[len(way) :]: value for name, value in have.items() if name.startswith(way)}
        if set(got) != set(want):
            print(f"{label}: outputs differ: {sorted(set(want) ^ set(got))}")
            faults += 1
        found, worst = differences(f"{label} {way}", want, got)
        faults += found
        worsts.append(worst)
    if description.get("torchvision"):
        public = (torchvision_swin if kind == "swin" else torchvision_vit)(images, tensors, config)
        found, worst = differences(f"{label} against torchvision", public, {**want, "layer.0": want.get(f"layer.{layers - 1}")})
        faults += found
        worsts.append(worst)
    print(f"{label}: {len(want)} outputs, worst " + ", ".join(f"{worst:.2g}" for worst in worsts))
    return faults


def main():
    torch.set_grad_enabled(False)
    torch.set_num_threads(2)
    paths = sorted(glob.glob(os.path.join(sys.argv[1], "*.json")))
    if not paths:
        print("no case to check")
        return 1
    return 1 if sum(check(path) for path in paths) else 0


if __name__ == "__main__":
    sys.exit(main())
