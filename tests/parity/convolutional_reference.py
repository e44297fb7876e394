"""Residual networks, written from the published equations with plain torch functions.

Independent of the C++ code and of torchvision: one function over the members of model.json and a dict of weights, so that
it covers what torchvision has no builder for (widths, strides on the first 1x1, trunks, second-order attention).
"""

import torch
import torch.nn.functional as F


def batch_norm(x, weights, name, train):
    """Over (B, C, H, W), with the batch's own statistics (biased variance) while training."""
    if train:
        mean = x.mean((0, 2, 3))
        variance = ((x - mean[:, None, None]) ** 2).mean((0, 2, 3))
    else:
        mean, variance = weights[f"{name}.running_mean"], weights[f"{name}.running_var"]
    column = lambda values: values.reshape(1, -1, 1, 1)
    normal = (x - column(mean)) / (column(variance) + 1e-5) ** 0.5
    return normal * column(weights[f"{name}.weight"]) + column(weights[f"{name}.bias"])


def block(x, weights, name, kind, stride, stride_on, train):
    conv = lambda y, i, stride, pad: batch_norm(
        F.conv2d(y, weights[f"{name}.conv{i}.weight"], stride=stride, padding=pad), weights, f"{name}.bn{i}", train
    )
    if kind == "basic":
        y = torch.relu(conv(x, 1, stride, 1))
        y = conv(y, 2, 1, 1)
    else:
        first, second = (stride, 1) if stride_on == "1x1" else (1, stride)
        y = torch.relu(conv(x, 1, first, 0))
        y = torch.relu(conv(y, 2, second, 1))
        y = conv(y, 3, 1, 0)
    if f"{name}.downsample.0.weight" in weights:
        shortcut = F.conv2d(x, weights[f"{name}.downsample.0.weight"], stride=stride)
        x = batch_norm(shortcut, weights, f"{name}.downsample.1", train)
    return torch.relu(x + y)


def second_order_attention(x, weights, name, train):
    """x + v(h A^T) with A = softmax(f^T g / sqrt(m)), positions of the map as columns."""
    b, c, height, width = x.shape

    def conv1x1(y, key):
        matrix = weights[f"{key}.weight"].flatten(1)
        return torch.einsum("oc,bcn->bon", matrix, y.flatten(2)) + weights[f"{key}.bias"][:, None]

    def with_norm(key):
        y = conv1x1(x, f"{key}.0").reshape(b, -1, height, width)
        return torch.relu(batch_norm(y, weights, f"{key}.1", train)).flatten(2)

    f, g, h = with_norm(f"{name}.f"), with_norm(f"{name}.g"), conv1x1(x, f"{name}.h")
    scores = torch.einsum("bmi,bmj->bij", f, g) / f.shape[1] ** 0.5
    scores = (scores - scores.max(2, keepdim=True).values).exp()
    attention = scores / scores.sum(2, keepdim=True)
    mixed = torch.einsum("bmj,bij->bmi", h, attention)
    return x + conv1x1(mixed, f"{name}.v").reshape(x.shape)


def resnet(images, weights, config, train):
    """The map behind every stage."""
    x = images[:, [2, 1, 0]] if config["channel_order"] == "bgr" else images
    x = F.conv2d(x, weights["conv1.weight"], stride=2, padding=3)
    x = F.max_pool2d(torch.relu(batch_norm(x, weights, "bn1", train)), 3, 2, 1)
    maps = []
    for s, blocks in enumerate(config["blocks"]):
        stride = (1, 2, 2, config["last_stride"])[s]
        for b in range(blocks):
            name = f"layer{s + 1}.{b}"
            x = block(x, weights, name, config["block"], stride if b == 0 else 1, config["stride_on"], train)
        if f"soa{s + 2}.v.weight" in weights:
            x = second_order_attention(x, weights, f"soa{s + 2}", train)
        maps.append(x)
    return maps
