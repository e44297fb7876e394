"""Compares the maps and gradients of the C++ ResNets and VGGs with torchvision and with the reference.

Usage: check_convolutional.py FOLDER, which holds for every case CASE.json (the backbone as in model.json, the torchvision
function that builds the same network if there is one, whether a training step was made), CASE.in.safetensors (weights,
and image.0, image.1, ...) and CASE.out.safetensors (what the C++ computed). Exits 1 when anything differs by more than
1e-4 (gradients: 1e-3) of its own scale, 77 when torch or torchvision is missing.
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

import convolutional_reference as reference
import safetensors_file

TOLERANCE = 1e-4
# Of gradients: those through the batch norms of a training step are differences of large numbers.
GRADIENT_TOLERANCE = 1e-3
VGG_ENDS = {"conv": 29, "relu": 30, "pool": 31}  # layers of VGG-16 that are kept


def torchvision_resnet(name, weights, config):
    network = getattr(torchvision.models, name)()
    missing, unexpected = network.load_state_dict(weights, strict=False)
    assert not unexpected, unexpected
    assert all(key.startswith("fc.") or key.endswith("num_batches_tracked") for key in missing), missing

    def forward(images, train):
        network.double().train(train)
        x = images.flip(1) if config["channel_order"] == "bgr" else images
        x = network.maxpool(network.relu(network.bn1(network.conv1(x))))
        maps = []
        for layer in (network.layer1, network.layer2, network.layer3, network.layer4):
            x = layer(x)
            maps.append(x)
        return maps

    return forward


def torchvision_vgg(name, weights, config):
    if name:
        layers = getattr(torchvision.models, name)().features[: VGG_ENDS[config["end"]]]
    else:
        plan = []
        for stage, convs in enumerate(config["convs"]):
            plan += [config["width"] * 2 ** min(stage, 3)] * convs + ["M"]
        layers = torchvision.models.vgg.make_layers(plan)
        layers = layers[: len(layers) - {"conv": 2, "relu": 1, "pool": 0}[config["end"]]]
    layers.load_state_dict({key[len("features.") :]: value for key, value in weights.items()})
    # Not in place: the gradients of a training step go through every map.
    for layer in layers:
        if isinstance(layer, torch.nn.ReLU):
            layer.inplace = False
    pools = sum(isinstance(layer, torch.nn.MaxPool2d) for layer in layers)

    def forward(images, train):
        layers.double()
        cell = 2**pools
        padded = torch.zeros(*images.shape[:2], max(images.shape[2], cell), max(images.shape[3], cell)).double()
        padded[:, :, : images.shape[2], : images.shape[3]] = images
        return [layers(padded)]

    return forward, layers


def expected(case, tensors):
    config = case["backbone"]
    weights = {name: value.double() for name, value in tensors.items() if not name.startswith("image.")}
    if config["type"] == "vgg":
        forward, layers = torchvision_vgg(case["torchvision"], weights, config)
        trained = {f"features.{name}": value for name, value in layers.named_parameters()}
    elif case["torchvision"]:
        forward = torchvision_resnet(case["torchvision"], weights, config)
        trained = {}
    else:
        trained = {name: value for name, value in weights.items() if "running_" not in name}
        forward = lambda images, train: reference.resnet(images, weights, config, train)
    result = {}
    for i in range(sum(name.startswith("image.") for name in tensors)):
        with torch.no_grad():
            maps = forward(tensors[f"image.{i}"].double(), False)
        for m, value in enumerate(maps):
            result[f"plain.{i}.map.{m}"] = result[f"planned.{i}.map.{m}"] = value
    if case["train"]:
        for value in trained.values():
            value.requires_grad_(True)
        maps = forward(tensors["image.0"].double(), True)
        sum((value**2).mean() for value in maps).backward()
        for m, value in enumerate(maps):
            result[f"train.0.map.{m}"] = value.detach()
        for name, value in trained.items():
            result[f"train.grad.{name}"] = value.grad
    return result


def check(path):
    base = path[: -len(".json")]
    name = os.path.basename(base)
    with open(path) as file:
        case = json.load(file)
    want = expected(case, safetensors_file.read(base + ".in.safetensors"))
    have = safetensors_file.read(base + ".out.safetensors")
    failures = 0
    if set(want) != set(have):
        print(f"{name}: outputs differ: {sorted(set(want) ^ set(have))}")
        failures += 1
    worst = ("", 0.0)
    # Some gradients are zero but for rounding, that of a bias in front of a batch norm for one.
    gradients = [value.abs().max().item() for output, value in want.items() if output.startswith("train.grad.")]
    least = {True: 1e-2 * max(gradients, default=0.0), False: 1e-6}
    for output in sorted(set(want) & set(have)):
        if want[output].shape != have[output].shape:
            print(f"{name} {output}: {tuple(have[output].shape)} instead of {tuple(want[output].shape)}")
            failures += 1
            continue
        scale = want[output].abs().max().item()
        error = (want[output] - have[output].double()).abs().max().item()
        gradient = output.startswith("train.grad.")
        error /= max(scale, least[gradient])
        worst = max(worst, (output, error), key=lambda pair: pair[1])
        if not error <= (GRADIENT_TOLERANCE if gradient else TOLERANCE):
            print(f"{name} {output}: differs by {error:.3g} of its scale of {scale:.3g}")
            failures += 1
    print(f"{name}: {len(want)} outputs, worst {worst[1]:.2g} ({worst[0]})")
    return failures


def main():
    paths = sorted(glob.glob(os.path.join(sys.argv[1], "*.json")))
    if not paths:
        print("no case to check")
        return 1
    return 1 if sum(check(path) for path in paths) else 0


if __name__ == "__main__":
    sys.exit(main())
