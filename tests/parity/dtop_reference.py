"""DToP and its backbones, written from the published equations with plain torch functions, on float64.

Independent of the C++ code: no module of it is used, and every step is spelt out another way where there is one (unfold
instead of convolution for standardised filters, explicit interpolation for the position embedding, softmax by hand).
Every function takes the weights as a dict of name to tensor.
"""

import math

import torch
import torch.nn.functional as F


def same_pad(x, kernel, stride, value=0.0):
    """Pads so that the output has ceil(n / stride) positions; the odd pixel goes to the bottom and the right."""
    pads = []
    for n in (x.shape[3], x.shape[2]):
        total = max((math.ceil(n / stride) - 1) * stride + kernel - n, 0)
        pads += [total // 2, total - total // 2]
    return F.pad(x, pads, value=value)


def std_conv(x, weight, stride):
    out, cin, k, _ = weight.shape
    flat = weight.reshape(out, -1)
    mean = flat.sum(1, keepdim=True) / flat.shape[1]
    variance = ((flat - mean) ** 2).sum(1, keepdim=True) / flat.shape[1]
    filters = (flat - mean) / (variance + 1e-8) ** 0.5
    padded = same_pad(x, k, stride)
    height, width = math.ceil(x.shape[2] / stride), math.ceil(x.shape[3] / stride)
    columns = F.unfold(padded, k, stride=stride)
    return (filters @ columns).reshape(x.shape[0], out, height, width)


def group_norm(x, weight, bias, groups):
    b, c, h, w = x.shape
    parts = x.reshape(b, groups, -1)
    mean = parts.mean(2, keepdim=True)
    variance = ((parts - mean) ** 2).mean(2, keepdim=True)
    parts = (parts - mean) / (variance + 1e-5) ** 0.5
    return parts.reshape(b, c, h, w) * weight[None, :, None, None] + bias[None, :, None, None]


def layer_norm(x, weight, bias):
    mean = x.mean(-1, keepdim=True)
    variance = ((x - mean) ** 2).mean(-1, keepdim=True)
    return (x - mean) / (variance + 1e-6) ** 0.5 * weight + bias


def batch_norm(x, weights, name):
    shape = (1, -1) + (1,) * (x.dim() - 2)
    get = lambda part: weights[f"{name}.{part}"].reshape(shape)
    return (x - get("running_mean")) / (get("running_var") + 1e-5) ** 0.5 * get("weight") + get("bias")


def gelu(x):
    return 0.5 * x * (1 + torch.erf(x / math.sqrt(2)))


def linear(x, weights, name):
    return x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]


def stem(images, weights, config, prefix):
    """The convolutional stages: 7x7/2, max pool, post-activation bottlenecks."""
    groups = config["groups"]
    norm = lambda x, name: group_norm(x, weights[f"{name}.weight"], weights[f"{name}.bias"], groups)
    x = std_conv(images, weights[f"{prefix}.stem.conv.weight"], 2)
    x = torch.relu(norm(x, f"{prefix}.stem.norm"))
    x = F.max_pool2d(same_pad(x, 3, 2, -math.inf), 3, 2)
    for s, stage in enumerate(config["stages"]):
        for b in range(stage["blocks"]):
            name = f"{prefix}.stages.{s}.blocks.{b}"
            stride = stage["stride"] if b == 0 else 1
            y = torch.relu(norm(std_conv(x, weights[f"{name}.conv1.weight"], 1), f"{name}.norm1"))
            y = torch.relu(norm(std_conv(y, weights[f"{name}.conv2.weight"], stride), f"{name}.norm2"))
            y = norm(std_conv(y, weights[f"{name}.conv3.weight"], 1), f"{name}.norm3")
            if b == 0:
                x = norm(std_conv(x, weights[f"{name}.downsample.conv.weight"], stride), f"{name}.downsample.norm")
            x = torch.relu(x + y)
    return x


def resize_axis(grid, size, axis):
    """Linear interpolation along one axis, align_corners = false, clamped at the borders."""
    n = grid.shape[axis]
    position = ((torch.arange(size, dtype=grid.dtype) + 0.5) * n / size - 0.5).clamp(min=0)
    low = position.floor().long().clamp(max=n - 1)
    high = (low + 1).clamp(max=n - 1)
    shape = [1] * grid.dim()
    shape[axis] = size
    share = (position - low).reshape(shape)
    return grid.index_select(axis, low) * (1 - share) + grid.index_select(axis, high) * share


def position_embedding(embedding, height, width):
    cls, cells = embedding[:, :1], embedding[:, 1:]
    g = math.isqrt(cells.shape[1])
    grid = cells.reshape(g, g, -1)
    grid = resize_axis(resize_axis(grid, height, 0), width, 1)
    return torch.cat([cls, grid.reshape(1, height * width, -1)], 1)


def attention(x, weights, name, heads):
    b, t, d = x.shape
    qkv = linear(x, weights, f"{name}.qkv")
    q, k, v = (part.reshape(b, t, heads, d // heads) for part in qkv.split(d, -1))
    scores = torch.einsum("bqhc,bkhc->bhqk", q, k) / math.sqrt(d // heads)
    scores = torch.exp(scores - scores.amax(-1, keepdim=True))
    scores = scores / scores.sum(-1, keepdim=True)
    mixed = torch.einsum("bhqk,bkhc->bqhc", scores, v).reshape(b, t, d)
    return linear(mixed, weights, f"{name}.proj"), scores


def linear_patches(images, weights, name):
    """One linear map of squares of pixels, the image padded by zeros to whole ones."""
    p = weights[f"{name}.weight"].shape[2]
    padded = same_pad(images, p, p)
    grid = weights[f"{name}.weight"].flatten(1) @ F.unfold(padded, p, stride=p)
    shape = (images.shape[0], -1, padded.shape[2] // p, padded.shape[3] // p)
    return grid.reshape(shape) + weights[f"{name}.bias"][None, :, None, None]


def backbone(images, weights, config, layers, prefix="backbone"):
    """The last `layers` token sequences after the final norm, the grid, and the class token's attention."""
    projection = weights[f"{prefix}.patch_embed.proj.weight"]
    bias = weights[f"{prefix}.patch_embed.proj.bias"]
    if config["type"] == "hybrid_vit":
        features = stem(images, weights, config, f"{prefix}.patch_embed.backbone")
        grid = torch.einsum("bchw,dc->bdhw", features, projection[:, :, 0, 0])
        if config.get("linear_patches"):
            grid = grid + linear_patches(images, weights, f"{prefix}.patch_embed.patches")
    else:
        p = config["patch"]
        grid = F.unfold(images, p, stride=p)
        grid = (projection.flatten(1) @ grid).reshape(
            images.shape[0], -1, images.shape[2] // p, images.shape[3] // p
        )
    b, d, h, w = grid.shape
    tokens = (grid + bias[None, :, None, None]).permute(0, 2, 3, 1).reshape(b, h * w, d)
    x = torch.cat([weights[f"{prefix}.cls_token"].expand(b, 1, d), tokens], 1)
    x = x + position_embedding(weights[f"{prefix}.pos_embed"], h, w)
    norm = lambda y, name: layer_norm(y, weights[f"{name}.weight"], weights[f"{name}.bias"])
    collected, scores = [], None
    for i in range(config["depth"]):
        name = f"{prefix}.blocks.{i}"
        mixed, scores = attention(norm(x, f"{name}.norm1"), weights, f"{name}.attn", config["heads"])
        x = x + mixed
        hidden = gelu(linear(norm(x, f"{name}.norm2"), weights, f"{name}.mlp.fc1"))
        x = x + linear(hidden, weights, f"{name}.mlp.fc2")
        collected.append(norm(x, f"{prefix}.norm"))
    return collected[-layers:], (h, w), scores[:, :, 0, 1:].mean(1)


def conv_bn(x, weights, name, dilation=1, groups=1):
    weight = weights[f"{name}.conv.weight"]
    padding = dilation * (weight.shape[2] // 2)
    return batch_norm(F.conv2d(x, weight, padding=padding, dilation=dilation, groups=groups), weights, f"{name}.bn")


def elm(y, weights, name):
    relu6 = lambda x: x.clamp(0, 6)
    x = relu6(conv_bn(y, weights, f"{name}.irb.expand"))
    x = relu6(conv_bn(x, weights, f"{name}.irb.dw", groups=x.shape[1]))
    x = conv_bn(x, weights, f"{name}.irb.project")
    maps = [torch.relu(conv_bn(x, weights, f"{name}.aspp.branch0"))]
    for i, dilation in enumerate((6, 12, 18), start=1):
        maps.append(torch.relu(conv_bn(x, weights, f"{name}.aspp.branch{i}", dilation=dilation)))
    mean = x.flatten(2).mean(2)[:, :, None, None]
    mean = torch.relu(conv_bn(mean, weights, f"{name}.aspp.pool"))
    maps.append(F.interpolate(mean, size=x.shape[2:], mode="bilinear", align_corners=False))
    merged = torch.relu(conv_bn(torch.cat(maps, 1), weights, f"{name}.aspp.merge"))
    return F.conv2d(merged, weights[f"{name}.aspp.out.weight"], weights[f"{name}.aspp.out.bias"])


def fuse(y, e, weights, kind, name):
    if kind == "sum":
        return y + e
    a = weights[f"{name}.w"]
    if kind == "fast_norm":
        w1, w2 = max(a[0].item(), 0), max(a[1].item(), 0)
        return (w1 * y + w2 * e) / (w1 + w2 + 1e-4)
    share = torch.exp(a) / torch.exp(a).sum()
    return share[0] * y + share[1] * e


def dtop(layers, grid, weights, config, name="dtop"):
    """Every stage of the head by name."""
    b, _, d = layers[0].shape
    h, w = grid
    u_c = linear(torch.cat([layer[:, 0] for layer in layers], 1), weights, f"{name}.global_fc")
    maps = [layer[:, 1:].transpose(1, 2).reshape(b, d, h, w) for layer in layers]
    y = F.conv2d(torch.cat(maps, 1), weights[f"{name}.local_conv.weight"], weights[f"{name}.local_conv.bias"])
    e = elm(y, weights, f"{name}.elm")
    fused = fuse(y, e, weights, config["fuse"], f"{name}.fuse")
    u_p = linear(fused.flatten(2).mean(2), weights, f"{name}.local_fc")
    u = batch_norm(linear(torch.cat([u_c, u_p], 1), weights, f"{name}.final_fc"), weights, f"{name}.bn")
    return {"u_c": u_c, "y": y, "elm": e, "fused": fused, "u_p": u_p, "u": u}


def descriptor(scales):
    """L2(mean over scales of L2(u_scale))."""
    unit = lambda x: x / (x * x).sum(1, keepdim=True) ** 0.5
    return unit(sum(unit(u) for u in scales) / len(scales))
