"""Transformer backbones written from the published equations with plain torch functions, on float64.

Independent of the C++ code: where there is another way to compute something it is taken (windows cell by cell, masks from
where a cell came from, pooling by averaging matrices, rollout over whole attention matrices kept in a list). Every function
takes the weights as a dict of name to tensor and gives its outputs by name.
"""

import math

import torch
import torch.nn.functional as F

from dtop_reference import gelu, resize_axis, stem


def norm(x, weights, name, epsilon):
    centred = x - x.mean(-1, keepdim=True)
    variance = (centred * centred).mean(-1, keepdim=True)
    return centred / (variance + epsilon) ** 0.5 * weights[f"{name}.weight"] + weights[f"{name}.bias"]


def linear(x, weights, name):
    y = x @ weights[f"{name}.weight"].T
    return y + weights[f"{name}.bias"] if f"{name}.bias" in weights else y


def softmax(scores):
    scores = torch.exp(scores - scores.amax(-1, keepdim=True))
    return scores / scores.sum(-1, keepdim=True)


def heads_apart(x, heads):
    """(B, T, C) -> (B, heads, T, C / heads)"""
    return x.reshape(*x.shape[:2], heads, -1).permute(0, 2, 1, 3)


def together(x):
    """(B, heads, T, C / heads) -> (B, T, C)"""
    return x.permute(0, 2, 1, 3).flatten(2)


# Attention rollout


def averaging(n, m):
    """(m, n): the average over m bins of n cells, bins from floor(i n / m) up to ceil((i + 1) n / m)."""
    matrix = torch.zeros(m, n, dtype=torch.float64)
    for i in range(m):
        begin, end = i * n // m, -(-(i + 1) * n // m)
        matrix[i, begin:end] = 1 / (end - begin)
    return matrix


def rollout(attentions, grid, out):
    """`attentions`: for every block (scores (B, heads, Tq, Tk), prefix, query grid, key grid). (B, out cells)."""
    images = []
    for b in range(attentions[0][0].shape[0]):
        blocks = []
        for scores, prefix, queries, keys in attentions:
            least = scores[b].min(0).values.clone()
            flat = least.flatten()
            flat[flat.argsort()[: int(flat.numel() * 0.1)]] = 0
            least = flat.reshape(least.shape)[prefix:, prefix:]
            of_keys = torch.kron(averaging(keys[0], grid[0]), averaging(keys[1], grid[1]))
            of_queries = torch.kron(averaging(queries[0], grid[0]), averaging(queries[1], grid[1]))
            block = of_queries @ least @ of_keys.T + torch.eye(grid[0] * grid[1], dtype=torch.float64)
            blocks.append(block / block.sum(1, keepdim=True))
        product = blocks[-1]
        for block in reversed(blocks[:-1]):
            product = product @ block
        w = product.mean(0).clamp(min=0)
        w = (w / (w.sum() + 1e-5)).reshape(grid)
        rows = [y * grid[0] // out[0] for y in range(out[0])]
        columns = [x * grid[1] // out[1] for x in range(out[1])]
        images.append(w[rows][:, columns].flatten())
    return torch.stack(images)


# ViT


def cubic_axis(grid, size, axis):
    """Cubic convolution with a = -0.75 along one axis, align_corners = false, clamped at the borders."""
    n, a = grid.shape[axis], -0.75
    near = lambda t: (a + 2) * t**3 - (a + 3) * t**2 + 1
    far = lambda t: a * t**3 - 5 * a * t**2 + 8 * a * t - 4 * a
    matrix = torch.zeros(size, n, dtype=grid.dtype)
    for i in range(size):
        position = (i + 0.5) * n / size - 0.5
        low = math.floor(position)
        t = position - low
        for offset, share in ((-1, far(t + 1)), (0, near(t)), (1, near(1 - t)), (2, far(2 - t))):
            matrix[i, min(max(low + offset, 0), n - 1)] += share
    return torch.movedim(torch.tensordot(matrix, grid, dims=([1], [axis])), 0, axis)


def vit_tokens(grid_map, weights, config):
    """Tokens in front of the grid, then the grid, with positions."""
    b, d, h, w = grid_map.shape
    patches = grid_map.permute(0, 2, 3, 1).reshape(b, h * w, d)
    front = [weights["cls_token"]]
    if config.get("distilled"):
        front.append(weights["dist_token"])
    rows_of = {"all": 99, "class": len(front), "patches": 0}[config.get("position_rows", "all")]
    if config.get("registers"):
        front += list(weights["reg_token"].split(1, 1))
    front = [token.reshape(d) for token in front]
    position = config.get("position", "bilinear")
    if position in ("bilinear", "bicubic"):
        embedding = weights["pos_embed"][0]
        rows = min(rows_of, len(front))
        front = [t + embedding[i] if i < rows else t for i, t in enumerate(front)]
        g = math.isqrt(embedding.shape[0] - rows)
        assert g * g == embedding.shape[0] - rows
        resize = resize_axis if position == "bilinear" else cubic_axis
        grid = resize(resize(embedding[rows:].reshape(g, g, d), h, 0), w, 1)
        patches = patches + grid.reshape(1, h * w, d)
    return torch.cat([torch.stack(front).expand(b, -1, -1), patches], 1), len(front), (h, w)


def vit(images, weights, config, layers):
    if config["type"] == "hybrid_vit":
        features = stem(images, weights, config, "patch_embed.backbone")
        grid_map = F.conv2d(features, weights["patch_embed.proj.weight"], weights["patch_embed.proj.bias"])
    else:
        p = config["patch"]
        h, w = images.shape[2] // p, images.shape[3] // p
        pixels = images.reshape(images.shape[0], 3, h, p, w, p).permute(0, 2, 4, 1, 3, 5).reshape(-1, h, w, 3 * p * p)
        grid_map = pixels @ weights["patch_embed.proj.weight"].flatten(1).T + weights["patch_embed.proj.bias"]
        grid_map = grid_map.permute(0, 3, 1, 2)
    x, prefix, grid = vit_tokens(grid_map, weights, config)
    epsilon, heads = config.get("norm_epsilon", 1e-6), config["heads"]
    collected, attentions = [], []
    for i in range(config["depth"]):
        name = f"blocks.{i}"
        qkv = linear(norm(x, weights, f"{name}.norm1", epsilon), weights, f"{name}.attn.qkv")
        q, k, v = (heads_apart(part, heads) for part in qkv.chunk(3, -1))
        scores = softmax(q @ k.transpose(2, 3) / math.sqrt(q.shape[3]))
        attentions.append((scores, prefix, grid, grid))
        y = linear(together(scores @ v), weights, f"{name}.attn.proj")
        x = x + (y * weights[f"{name}.ls1.gamma"] if config.get("layer_scale") else y)
        y = gelu(linear(norm(x, weights, f"{name}.norm2", epsilon), weights, f"{name}.mlp.fc1"))
        y = linear(y, weights, f"{name}.mlp.fc2")
        x = x + (y * weights[f"{name}.ls2.gamma"] if config.get("layer_scale") else y)
        if i == 0 and config.get("position") == "cpe":
            cells = x[:, prefix:].transpose(1, 2).reshape(x.shape[0], -1, *grid)
            columns = F.unfold(cells, 3, padding=1).reshape(x.shape[0], x.shape[2], 9, -1)
            encoding = torch.einsum("bdkm,dk->bmd", columns, weights["pos_conv.weight"].flatten(1))
            x = torch.cat([x[:, :prefix], x[:, prefix:] + encoding + weights["pos_conv.bias"]], 1)
        collected.append(norm(x, weights, "norm", epsilon))
    out = {f"layer.{i}": layer for i, layer in enumerate(collected[-layers:])}
    out["cls_attention"] = scores[:, :, 0, prefix:].mean(1)
    out["rollout"] = rollout(attentions, grid, grid)
    return out


# Swin


def swin_attention(x, weights, name, heads, window, shift):
    """Attention of one block over a map (B, h, w, C), window by window, before the residual sum."""
    b, h, w, c = x.shape
    height, width = -(-h // window) * window, -(-w // window) * window
    padded = torch.zeros(b, height, width, c, dtype=x.dtype)
    padded[:, :h, :w] = x
    down, right = (shift if size > window else 0 for size in (height, width))
    qkv = linear(padded, weights, f"{name}.qkv")
    result = torch.zeros(b, height, width, c, dtype=x.dtype)
    table = weights[f"{name}.relative_position_bias_table"]
    inside = [(dy, dx) for dy in range(window) for dx in range(window)]
    rows = [(my - ny + window - 1) * (2 * window - 1) + mx - nx + window - 1 for my, mx in inside for ny, nx in inside]
    bias = table[rows].reshape(window**2, window**2, heads).permute(2, 0, 1)
    # Cells of the window at (i, j) of the rolled map, by where they stand in the unrolled one.
    for i in range(0, height, window):
        for j in range(0, width, window):
            cells = [((i + dy + down) % height, (j + dx + right) % width) for dy, dx in inside]
            wrapped = [(i + dy + down >= height, j + dx + right >= width) for dy, dx in inside]
            ys, xs = [y for y, _ in cells], [x_ for _, x_ in cells]
            q, k, v = (heads_apart(part, heads) for part in qkv[:, ys, xs].chunk(3, -1))
            foreign = torch.tensor([[-100.0 if m != n else 0.0 for n in wrapped] for m in wrapped], dtype=x.dtype)
            scores = q @ k.transpose(2, 3) / math.sqrt(c // heads) + bias + foreign
            result[:, ys, xs] = together(softmax(scores) @ v)
    return linear(result[:, :h, :w], weights, f"{name}.proj")


def swin(images, weights, config):
    p, window = config["patch"], config["window"]
    images = F.pad(images, (0, -images.shape[3] % p, 0, -images.shape[2] % p))
    x = F.conv2d(images, weights["patch_embed.proj.weight"], weights["patch_embed.proj.bias"], stride=p)
    x = norm(x.permute(0, 2, 3, 1), weights, "patch_embed.norm", 1e-5)
    for s, depth in enumerate(config["depths"]):
        for i in range(depth):
            name = f"layers.{s}.blocks.{i}"
            y = norm(x, weights, f"{name}.norm1", 1e-5)
            shift = window // 2 if i % 2 else 0
            x = x + swin_attention(y, weights, f"{name}.attn", config["heads"][s], window, shift)
            y = gelu(linear(norm(x, weights, f"{name}.norm2", 1e-5), weights, f"{name}.mlp.fc1"))
            x = x + linear(y, weights, f"{name}.mlp.fc2")
        if s + 1 < len(config["depths"]):
            x = F.pad(x, (0, 0, 0, x.shape[2] % 2, 0, x.shape[1] % 2))
            parts = [x[:, 0::2, 0::2], x[:, 1::2, 0::2], x[:, 0::2, 1::2], x[:, 1::2, 1::2]]
            x = norm(torch.cat(parts, -1), weights, f"layers.{s}.downsample.norm", 1e-5)
            x = linear(x, weights, f"layers.{s}.downsample.reduction")
    return {"map.0": norm(x, weights, "norm", 1e-5).permute(0, 3, 1, 2)}


# CvT


def cvt_projection(x, weights, name, which, stride, prefix, grid):
    """Depthwise convolution and batch norm over the grid, the tokens in front as they are, then the linear map."""
    b, _, c = x.shape
    cells = F.pad(x[:, prefix:].transpose(1, 2).reshape(b, c, *grid), (1, 1, 1, 1))
    kernel = weights[f"{name}.conv_proj_{which}.conv.weight"]
    h, w = -(-grid[0] // stride), -(-grid[1] // stride)
    y = torch.zeros(b, c, h, w, dtype=x.dtype)
    for dy in range(3):
        for dx in range(3):
            y += cells[:, :, dy :: stride, dx :: stride][:, :, :h, :w] * kernel[:, 0, dy, dx][:, None, None]
    bn = lambda part: weights[f"{name}.conv_proj_{which}.bn.{part}"][:, None, None]
    y = (y - bn("running_mean")) / (bn("running_var") + 1e-5) ** 0.5 * bn("weight") + bn("bias")
    tokens = torch.cat([x[:, :prefix], y.flatten(2).transpose(1, 2)], 1)
    return linear(tokens, weights, f"{name}.proj_{which}"), (h, w)


def cvt(images, weights, config, layers):
    x = F.pad(images, (0, max(3 - images.shape[3], 0), 0, max(3 - images.shape[2], 0)))
    collected, attentions = [], []
    for s, (c, depth, heads) in enumerate(zip(config["dims"], config["depths"], config["heads"])):
        embed = f"stage{s}.patch_embed"
        stride, padding = (4, 2) if s == 0 else (2, 1)
        x = F.conv2d(x, weights[f"{embed}.proj.weight"], weights[f"{embed}.proj.bias"], stride, padding)
        grid = tuple(x.shape[2:])
        x = norm(x.flatten(2).transpose(1, 2), weights, f"{embed}.norm", 1e-5)
        prefix = 1 if s + 1 == len(config["dims"]) else 0
        if prefix:
            x = torch.cat([weights[f"stage{s}.cls_token"].expand(x.shape[0], 1, c), x], 1)
        for i in range(depth):
            name = f"stage{s}.blocks.{i}"
            y = norm(x, weights, f"{name}.norm1", 1e-5)
            q, _ = cvt_projection(y, weights, f"{name}.attn", "q", 1, prefix, grid)
            k, keys = cvt_projection(y, weights, f"{name}.attn", "k", 2, prefix, grid)
            v, _ = cvt_projection(y, weights, f"{name}.attn", "v", 2, prefix, grid)
            q, k, v = (heads_apart(part, heads) for part in (q, k, v))
            scores = softmax(q @ k.transpose(2, 3) * c**-0.5)
            attentions.append((scores, prefix, grid, keys))
            x = x + linear(together(scores @ v), weights, f"{name}.attn.proj")
            y = linear(norm(x, weights, f"{name}.norm2", 1e-5), weights, f"{name}.mlp.fc1")
            x = x + linear(y / (1 + torch.exp(-1.702 * y)), weights, f"{name}.mlp.fc2")
            collected.append(x)
        if not prefix:
            x = x.transpose(1, 2).reshape(x.shape[0], c, *grid)
    out = {f"layer.{i}": norm(layer, weights, "norm", 1e-5) for i, layer in enumerate(collected[-layers:])}
    attention = scores[:, :, 0, 1:].mean(1).reshape(-1, *keys)
    rows = [y * keys[0] // grid[0] for y in range(grid[0])]
    columns = [x_ * keys[1] // grid[1] for x_ in range(grid[1])]
    out["cls_attention"] = attention[:, rows][:, :, columns].flatten(1)
    out["rollout"] = rollout(attentions, keys, grid)
    return out
