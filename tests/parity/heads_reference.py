"""The heads, written from their published equations with plain torch functions, on float64.

Independent of the C++ code: regions, attention matrices and residuals are spelt out in full where the C++ code finds a
shorter way to the same number. Every function takes a Features and the weights as a dict of name to tensor, without the
head's prefix.
"""

import math
from fractions import Fraction

import torch
import torch.nn.functional as F

import dtop_reference

batch_norm = dtop_reference.batch_norm


class Features:
    """Maps (B, C, h, w) or token sequences (B, prefix + h * w, D), oldest first."""

    def __init__(self, maps, layers, prefix, height, width):
        self.maps, self.layers, self.prefix, self.height, self.width = maps, layers, prefix, height, width

    def map(self):
        if self.maps:
            return self.maps[-1]
        last = self.layers[-1]
        b, _, d = last.shape
        return last[:, self.prefix :].permute(0, 2, 1).reshape(b, d, self.height, self.width)

    def centre(self):
        return self.layers[-1][:, 0] if self.prefix else self.map().flatten(2).mean(2)


def l2_plus(x):
    return x / (x.pow(2).sum(-1, keepdim=True).sqrt() + 1e-6)


def l2(x, dim):
    return x / x.pow(2).sum(dim, keepdim=True).sqrt().clamp(min=1e-12)


def conv(x, weights, name, padding=0, dilation=1):
    return F.conv2d(x, weights[f"{name}.weight"], weights.get(f"{name}.bias"), padding=padding, dilation=dilation)


def gem(x, p):
    return x.clamp(min=1e-6).pow(p).flatten(2).mean(2).pow(1 / p)


def fc_stage(x, weights, fc):
    if fc is None:
        return x
    x = l2_plus(x) if fc["l2_before"] else x
    x = x @ weights["fc.weight"].T
    if fc["bias"]:
        x = x + weights["fc.bias"]
    return batch_norm(x, weights, "bn") if fc["bn"] else x


def spoc(x):
    h, w = x.shape[2:]
    sigma = min(h, w) / 2 / 3
    total = 0
    result = torch.zeros_like(x[:, :, 0, 0])
    for i in range(h):
        for j in range(w):
            distance = (i + 0.5 - h / 2) ** 2 + (j + 0.5 - w / 2) ** 2
            weight = math.exp(-distance / (2 * sigma**2))
            total += weight
            result += weight * x[:, :, i, j]
    return result / total


def crow(x):
    x = x.clamp(min=0)
    result = []
    for image in x:
        s = image.sum(0)
        norm = s.pow(2).sum().sqrt()
        spatial = (s / norm).sqrt() if norm > 0 else torch.zeros_like(s)
        q = (image > 0).double().flatten(1).mean(1)
        weight = torch.tensor([math.log(q.sum() / value) if value > 0 else 0.0 for value in q], dtype=x.dtype)
        result.append((image * spatial).flatten(1).sum(1) * weight)
    return torch.stack(result)


def rmac_regions(height, width, levels):
    """(top, left, side) of every region, as the published equations give them with exact fractions.

    The published code computes in float32, where a start that is a whole number can come out one cell early; that takes
    a map of 5:1.
    """
    w = min(height, width)
    extra = 0
    if height != width:
        candidates = [abs((w * w - w * (max(height, width) - w) / (s - 1)) / (w * w) - 0.4) for s in range(2, 8)]
        extra = candidates.index(min(candidates)) + 1
    regions = []
    for level in range(1, levels + 1):
        side = math.floor(2 * w / (level + 1))
        if side == 0:
            continue
        half = math.floor(side / 2 - 1)

        def starts(length, count):
            step = Fraction(0) if count == 1 else Fraction(length - side, count - 1)
            return [math.floor(half + j * step) - half for j in range(count)]

        rows = starts(height, level + (extra if height > width else 0))
        columns = starts(width, level + (extra if width > height else 0))
        regions += [(top, left, side) for top in rows for left in columns]
    return regions


def rmac(x, levels):
    v = l2_plus(x.flatten(2).max(2).values)
    for top, left, side in rmac_regions(x.shape[2], x.shape[3], levels):
        v = v + l2_plus(x[:, :, top : top + side, left : left + side].flatten(2).max(2).values)
    return v


def pooled(features, weights, config):
    x, kind = features.map(), config["type"]
    if kind == "gap" or (kind == "spoc" and not config["centre_prior"]):
        v = x.flatten(2).mean(2)
    elif kind == "spoc":
        v = spoc(x)
    elif kind == "mac":
        v = x.flatten(2).max(2).values
    elif kind == "crow":
        v = crow(x)
    elif kind == "rmac":
        v = rmac(x, config["levels"])
    else:
        v = gem(x, config["p"] if "p" in config else weights["pool.p"].item())
    return fc_stage(v, weights, config.get("fc"))


def delg(features, weights, config):
    p = weights["pool.p"].item() if config["learned_p"] else 3
    return gem(features.map(), p) @ weights["fc.weight"].T + weights["fc.bias"]


def solar(features, weights, config):
    return l2_plus(gem(features.map(), weights["pool.p"].item())) @ weights["fc.weight"].T + weights["fc.bias"]


def class_token(features, weights, config):
    return fc_stage(features.layers[-1][:, 0], weights, config.get("fc"))


def linear(features, weights, config):
    return features.centre() @ weights["fc.weight"].T + weights["fc.bias"]


def diml(features, weights, config):
    return conv(features.map(), weights, "last_linear").flatten(2).mean(2)


def glam(features, weights, config):
    f = features.map()
    b, c, h, w = f.shape
    gap = f.flatten(2).mean(2)

    def conv1d(name):
        return F.conv1d(gap[:, None], weights[f"{name}.weight"], padding=1)

    local = f
    if config["local_channel"]:
        local = f * torch.sigmoid(conv1d("lc.conv")).reshape(b, c, 1, 1) + f
    if config["local_spatial"]:
        reduced = conv(f, weights, "ls.reduce")
        maps = [conv(reduced, weights, "ls.b0")]
        maps += [conv(reduced, weights, f"ls.b{i}", padding=i, dilation=i) for i in (1, 2, 3)]
        local = local * conv(torch.cat(maps, 1), weights, "ls.out") + local

    overall = f
    if config["global_channel"]:
        q, k = torch.sigmoid(conv1d("gc.q")), torch.sigmoid(conv1d("gc.k"))
        attention = torch.softmax(k.transpose(1, 2) @ q, dim=1)  # (B, c, c), over the contracted index
        overall = f * (f.flatten(2).transpose(1, 2) @ attention).transpose(1, 2).reshape(b, c, h, w)
    if config["global_spatial"]:
        q, k, v = (conv(f, weights, f"gs.{name}").flatten(2) for name in "qkv")
        attention = torch.softmax(k.transpose(1, 2) @ q, dim=1)
        g = conv((v @ attention).reshape(b, -1, h, w), weights, "gs.out")
        overall = overall * g + overall

    parts = []
    if config["local_channel"] or config["local_spatial"]:
        parts.append(local)
    if config["global_channel"] or config["global_spatial"]:
        parts.append(overall)
    if parts:
        parts.append(f)
        share = torch.softmax(weights["fuse"], 0)
        f = sum(s * part for s, part in zip(share, parts))
    v = gem(f, weights["pool.p"].item())
    return batch_norm(v @ weights["fc.weight"].T + weights["fc.bias"], weights, "bn")


def netvlad(features, weights, config):
    x = l2(features.map(), 1)
    a = torch.softmax(conv(x, weights, "pool.conv"), 1).flatten(2)  # (B, K, hw)
    x, centroids = x.flatten(2), weights["pool.centroids"]
    rows = []
    for k in range(centroids.shape[0]):
        rows.append(((x - centroids[k][None, :, None]) * a[:, k : k + 1]).sum(2))
    v = l2(l2(torch.stack(rows, 1), 2).flatten(1), 1)
    if "wpca" in config:
        v = v @ weights["WPCA.0.weight"].flatten(1).T + weights["WPCA.0.bias"]
    return v


def dolg(features, weights, config):
    f3, f4 = features.maps[-2:]
    f_g = gem(f4, weights["pool_g.p"].item()) @ weights["fc_t.weight"].T + weights["fc_t.bias"]
    aspp = "localmodel.aspp"
    mean = torch.relu(conv(f3.mean((2, 3), keepdim=True), weights, f"{aspp}.im_pool.1"))
    maps = [F.interpolate(mean, size=f3.shape[2:], mode="bilinear", align_corners=False)]
    maps.append(conv(f3, weights, f"{aspp}.aspp.0"))
    for i, dilation in enumerate((6, 12, 18), start=1):
        maps.append(conv(f3, weights, f"{aspp}.aspp.{i}", padding=dilation, dilation=dilation))
    x = torch.relu(conv(torch.cat(maps, 1), weights, f"{aspp}.conv_after.0"))
    x = batch_norm(conv(x, weights, "localmodel.conv1"), weights, "localmodel.bn")
    f_l = l2(x, 1) * torch.log1p(torch.exp(conv(torch.relu(x), weights, "localmodel.conv2")))
    along = torch.einsum("bchw,bc->bhw", f_l, f_g) / f_g.pow(2).sum(1)[:, None, None]
    orthogonal = f_l - torch.einsum("bhw,bc->bchw", along, f_g)
    v = torch.cat([f_g, orthogonal.flatten(2).mean(2)], 1)
    return v @ weights["fc.weight"].T + weights["fc.bias"]


def dtop(features, weights, config):
    on = lambda name: config.get(name, True)
    if not on("global") and not on("local"):
        return features.layers[-1][:, 0]
    linear_of = lambda x, name: x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]
    layers, vectors = features.layers[-config["layers"] :], []
    if on("global"):
        vectors.append(linear_of(torch.cat([layer[:, 0] for layer in layers], 1), "global_fc"))
    if on("local"):
        b, _, d = layers[0].shape
        maps = [
            layer[:, features.prefix :].transpose(1, 2).reshape(b, d, features.height, features.width)
            for layer in layers
        ]
        y = conv(torch.cat(maps, 1), weights, "local_conv")
        if on("elm"):
            y = dtop_reference.fuse(y, dtop_reference.elm(y, weights, "elm"), weights, config["fuse"], "fuse")
        vectors.append(linear_of(y.flatten(2).mean(2), "local_fc"))
    return batch_norm(linear_of(torch.cat(vectors, 1), "final_fc"), weights, "bn")


HEADS = {
    "cls": class_token,
    "irt": class_token,
    "linear": linear,
    "diml": diml,
    "delg": delg,
    "solar": solar,
    "glam": glam,
    "netvlad": netvlad,
    "dolg": dolg,
    "dtop": dtop,
}


def descriptor(features, weights, config):
    return HEADS.get(config["type"], pooled)(features, weights, config)


def tokens(features, weights, config):
    """What the head makes of every position: (B, h * w, Ct), or nothing for a head without such a map."""
    x = features.map().flatten(2).transpose(1, 2)
    if config["type"] == "linear":
        return x @ weights["fc.weight"].T + weights["fc.bias"]
    if config["type"] == "diml":
        return conv(features.map(), weights, "last_linear").flatten(2).transpose(1, 2)
    return None
