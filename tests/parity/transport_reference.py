"""Re-ranking by optimal transport between patches, as METHODS.md 3.1 to 3.4 has it, in numpy and double precision.

Shapes: tokens (cells, dim), similarities (rows, columns) with rows of the result and columns of the query, weights one
per patch. Where METHODS.md marks a choice of ours (the fallback to uniform weights, masks, fewer cells, a stop rule pair
by pair), that is said beside it.
"""

import numpy as np

GUARD = 1e-5
FULL_MASS = 0.999


def unit(vectors):
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)


def weights(mode, a, importance, temperature=1.0):
    """3.2, for the patches given. Ours: weights that are all 0 become uniform."""
    relu = np.maximum(a, 0)
    w = {
        "uniform": lambda: np.ones_like(a),
        "cross_correlation": lambda: relu,
        "inverse": lambda: np.exp(-relu / temperature),
        "minus": lambda: 1 - relu,
        "softmax": lambda: np.exp(a / temperature) / np.exp(a / temperature).sum(),
        "importance": lambda: np.array(importance),
    }[mode]()
    if mode == "uniform" or not w.any():
        return np.full(len(a), 1 / len(a))
    return w / w.sum() if mode == "importance" else w / (w.sum() + GUARD)


def choose(mode, a, importance, mask, most, temperature):
    """Ours: which cells take part, and their weights as though there were no others."""
    cells = np.flatnonzero(mask)
    if len(cells) and most:
        first = weights(mode, a[cells], importance[cells], temperature)
        strongest = np.argsort(-first, kind="stable")[:most]
        cells = cells[np.sort(strongest[first[strongest] > 0])]
    if not len(cells):
        return cells, np.zeros(0)
    return cells, weights(mode, a[cells], importance[cells], temperature)


class Scalings:
    """3.3 on r and c."""

    def __init__(self, kernel_logarithm, u, v, start):
        self.k, self.u, self.v = np.exp(kernel_logarithm), u, v
        self.r, self.c = np.ones(len(u)), start

    def round(self):
        """Returns |r - r before|."""
        before = self.r
        sums = self.k @ self.c
        self.r = np.divide(self.u, sums, out=np.zeros_like(sums), where=self.u > 0)
        sums = self.k.T @ self.r
        self.c = np.divide(self.v, sums, out=np.zeros_like(sums), where=self.v > 0)
        return np.abs(self.r - before)

    def plan(self):
        return self.r[:, None] * self.k * self.c[None, :]


def log_sum(terms, axis):
    greatest = terms.max(axis=axis, keepdims=True)
    greatest = np.where(np.isfinite(greatest), greatest, 0)
    return np.log(np.exp(terms - greatest).sum(axis=axis)) + greatest.squeeze(axis)


class Logarithms:
    """3.3 on the logarithms of r and c, for an epsilon whose K a double cannot hold."""

    def __init__(self, kernel_logarithm, u, v, start):
        self.k, self.u, self.v = kernel_logarithm, np.log(u), np.log(v)
        self.r, self.c = np.zeros(len(u)), np.log(start)

    def round(self):
        before = self.r
        self.r = self.u - log_sum(self.k + self.c[None, :], 1)
        self.c = self.v - log_sum(self.k + self.r[:, None], 0)
        return np.abs(np.exp(self.r) - np.exp(before))

    def plan(self):
        return np.exp(self.r[:, None] + self.k + self.c[None, :])


def extended(similarities, u, v, epsilon, mass):
    """log K, u and v, with the dummies of 3.4 where mass is below 1."""
    kernel = -(1 - similarities) / epsilon
    if mass < FULL_MASS:
        rest = 1 - mass
        kernel = np.pad(kernel, ((0, 1), (0, 1)), constant_values=np.log(rest))
        kernel[-1, -1] = -np.inf
        u, v = np.append(u, rest), np.append(v, rest)
    return kernel, u, v


def transport(pairs, epsilon=0.05, mass=1.0, stop="marginal_error", rounds=100, tolerance=1e-3):
    """pairs: of (similarities, u, v). Returns (plan, S_struct, rounds, converged) of each.

    Pairs without weight transport nothing and do not count."""
    states, with_weight = [], [i for i, (_, u, v) in enumerate(pairs) if u.sum() > 0 and v.sum() > 0]
    for i in with_weight:
        kernel, u, v = extended(*pairs[i], epsilon, mass)
        # Ours: a patch without weight has no say in the first round either.
        start = np.ones(len(v)) if stop == "reference" else (v > 0).astype(float)
        states.append((Scalings if epsilon > 0.01 else Logarithms)(kernel, u, v, start))
    counts, converged = [0] * len(states), [False] * len(states)
    with np.errstate(divide="ignore"):
        if stop == "reference":
            for done in range(1, rounds + 1):
                steps = np.concatenate([state.round() for state in states]) if states else np.zeros(1)
                counts = [done] * len(states)
                if steps.mean() < 0.1:
                    converged = [True] * len(states)
                    break
        else:
            for i, state in enumerate(states):
                _, u, v = extended(*pairs[with_weight[i]], epsilon, mass)
                while counts[i] < rounds and not converged[i]:
                    state.round()
                    counts[i] += 1
                    if stop == "fixed":
                        continue
                    # Ours: total variation between what the rows carry and u, each as shares of its sum.
                    carried = state.plan().sum(1)
                    error = 0.5 * np.abs(carried / v.sum() - u / u.sum()).sum()
                    converged[i] = error <= tolerance
        plans = [state.plan() for state in states]
    answers = [(np.zeros_like(s), 0.0, 0, True) for s, _, _ in pairs]
    for i, plan, count, held in zip(with_weight, plans, counts, converged):
        s = pairs[i][0]
        plan = plan[: s.shape[0], : s.shape[1]]
        answers[i] = (plan, float((plan * s).sum()), count, held)
    return answers


class Image:
    """Tokens (cells, dim), centre (dim), importance (cells), mask (cells; 1: takes part)."""

    def __init__(self, tokens, centre, importance, mask):
        self.tokens, self.centre = unit(tokens), unit(centre)
        self.importance, self.mask = importance, mask


def match(query, results, marginals, temperature=1.0, query_cells=0, result_cells=0, **options):
    """Returns for each result (plan over the whole grids, S_struct, rounds, converged)."""
    pairs, cells = [], []
    for result in results:
        rows, u = choose(
            marginals, result.tokens @ query.centre, result.importance, result.mask, result_cells, temperature
        )
        columns, v = choose(
            marginals, query.tokens @ result.centre, query.importance, query.mask, query_cells, temperature
        )
        pairs.append((result.tokens[rows] @ query.tokens[columns].T, u, v))
        cells.append((rows, columns))
    answers = []
    for result, (rows, columns), (plan, structural, rounds, converged) in zip(
        results, cells, transport(pairs, **options)
    ):
        whole = np.zeros((len(result.tokens), len(query.tokens)))
        whole[np.ix_(rows, columns)] = plan
        answers.append((whole, structural, rounds, converged))
    return answers
