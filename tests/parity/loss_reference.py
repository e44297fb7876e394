"""The losses of training, written from their published equations as loops over images, on float64.

Independent of the C++ code: every pair and triple is spelt out where the C++ code multiplies matrices. Every function
takes `x`, the outputs (B, N), and returns a scalar tensor, whose gradients are autograd's.
"""

import math

import torch


def unit(x):
    return x / x.pow(2).sum().sqrt()


def units(x):
    return [unit(row) for row in x]


def squared(a, b):
    return (a - b).pow(2).sum()


def distance(a, b):
    return (squared(a, b) + 1e-8).sqrt()


def relu(value):
    return torch.clamp(value, min=0)


def zero(x):
    return (x * 0).sum()


def total(values, x):
    return torch.stack(values).sum() if values else zero(x)


def mean(values, x):
    return torch.stack(values).mean() if values else zero(x)


def smooth_l1(difference):
    size = difference.abs()
    return 0.5 * size * size if size < 1 else size - 0.5


def partners(labels, i):
    same = [j for j in range(len(labels)) if j != i and labels[j] == labels[i]]
    other = [j for j in range(len(labels)) if labels[j] != labels[i]]
    return same, other


def arcface(x, labels, config, parameters):
    weight, centres = parameters["weight"], config["sub_centres"]
    margin, scale = config["margin"], config["scale"]
    losses = []
    for row, label in zip(units(x), labels):
        logits = []
        for c in range(len(weight) // centres):
            cosine = max((row @ unit(weight[c * centres + k]) for k in range(centres)), key=lambda value: value.item())
            if c == label:
                if cosine > math.cos(math.pi - margin):
                    cosine = torch.cos(torch.acos(cosine) + margin)
                else:
                    cosine = cosine - margin * math.sin(math.pi - margin)
            logits.append(scale * cosine)
        losses.append(torch.logsumexp(torch.stack(logits), 0) - logits[label])
    return mean(losses, x)


def contrastive(x, labels, config, parameters):
    rows, positive, negative = units(x), [], []
    for i in range(len(rows)):
        for j in range(i):
            d = distance(rows[i], rows[j])
            if labels[i] == labels[j]:
                positive.append(0.5 * squared(rows[i], rows[j]))
            elif d < config["margin"]:
                negative.append(0.5 * (config["margin"] - d) ** 2)
    return mean(positive, x) + mean(negative, x)


def triplet_sos(x, labels, config, parameters):
    rows, losses = units(x), []
    for i, row in enumerate(rows):
        same, other = partners(labels, i)
        if not same or not other:
            continue
        positive = max(same, key=lambda j: squared(row, rows[j]).item())
        negatives = sorted(other, key=lambda j: squared(row, rows[j]).item())[:5]
        hinges = [relu(squared(row, rows[positive]) - squared(row, rows[n]) + config["margin"]) for n in negatives]
        orders = [(squared(row, rows[n]) - squared(rows[positive], rows[n])) ** 2 for n in negatives]
        losses.append(total(hinges, x) + config["sos_weight"] * total(orders, x).sqrt())
    return mean(losses, x)


def margin(x, labels, config, parameters):
    rows, beta, terms = units(x), parameters["beta"], []
    for a, p, n in parameters["triplets"]:
        boundary = beta[labels[a]]
        terms.append(relu(distance(rows[a], rows[p]) - boundary + config["margin"]))
        terms.append(relu(boundary - distance(rows[a], rows[n]) + config["margin"]))
    return mean([term for term in terms if term > 0], x)


def multi_similarity(x, labels, config, parameters):
    rows, losses = units(x), []
    for i, row in enumerate(rows):
        same, other = partners(labels, i)
        losses.append(zero(x))
        if not same or not other:
            continue
        least = min((row @ rows[j]).item() for j in same)
        most = max((row @ rows[j]).item() for j in other)
        pull = [torch.exp(-config["alpha"] * (row @ rows[j] - config["base"])) for j in same]
        push = [torch.exp(config["beta"] * (row @ rows[j] - config["base"])) for j in other]
        pull = [e for e, j in zip(pull, same) if (row @ rows[j]).item() < most + config["epsilon"]]
        push = [e for e, j in zip(push, other) if (row @ rows[j]).item() > least - config["epsilon"]]
        losses[-1] = torch.log(1 + total(pull, x)) / config["alpha"] + torch.log(1 + total(push, x)) / config["beta"]
    return mean(losses, x)


def none(x, labels, config, parameters):
    return zero(x)


LOSSES = {
    "arcface": arcface,
    "contrastive": contrastive,
    "triplet_sos": triplet_sos,
    "margin": margin,
    "multi_similarity": multi_similarity,
    "none": none,
}


def compare(metric, ours, theirs):
    """Of two lists of vectors: the mean over values, or over vectors for the cosine."""
    if metric == "cosine":
        return mean([1 - a @ b / (a.norm() * b.norm()) for a, b in zip(ours, theirs)], ours[0])
    measure = smooth_l1 if metric == "smooth_l1" else lambda x: x * x
    return mean([measure(a - b) for x, y in zip(ours, theirs) for a, b in zip(x.flatten(), y.flatten())], ours[0])


def cosines(x):
    rows = units(x)
    return torch.stack([rows[i] @ rows[j] for i in range(len(rows)) for j in range(len(rows)) if i != j])


def relative_distances(x):
    rows = units(x)
    pairs = [(rows[i] - rows[j]).norm() for i in range(len(rows)) for j in range(len(rows)) if i != j]
    return torch.stack(pairs) / torch.stack(pairs).mean()


def angles(x):
    """Of all triplets; where two of three are the same there is no angle, and both models have the same value."""
    rows, count = units(x), len(x)
    values = []
    for j in range(count):
        for i in range(count):
            for k in range(count):
                if i == j or j == k or i == k:
                    values.append(0 * rows[i].sum())
                    continue
                a, b = rows[i] - rows[j], rows[k] - rows[j]
                values.append(a @ b / (a.norm() * b.norm()))
    return torch.stack(values)


def distill(student, teacher, target):
    """`student`, `teacher`: dicts of descriptors (B, N) and tokens (layers, B, T, D)."""
    kind, metric = target["kind"], target["metric"]
    x, t = student["descriptors"], teacher["descriptors"]
    if kind in ("tokens", "layers"):
        count = target["layers"]
        pairs = list(zip(student["tokens"], teacher["tokens"]))[-count:]
        return sum(compare(metric, ours.flatten(0, 1), theirs.flatten(0, 1)) for ours, theirs in pairs) / count
    if kind == "descriptor":
        return compare(metric, units(x), units(t))
    if len(x) < 2:
        return 0 * x.sum()
    relation = {"similarity": cosines, "distances": relative_distances, "angles": angles}[kind]
    return compare(metric, [relation(x)], [relation(t)])
