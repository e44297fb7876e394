"""The peers of `sightline-bench rerank`: transport between patches in PyTorch, float32.

Usage: rerank_reference.py THREADS. One JSON object per line on standard input, one answer per line on standard output:

  {"load": FOLDER, "candidates": N, "query": R1, "result": R2, "dim": C, "mass": P}  reads float32 files of unit vectors:
      query (R1, C), query_centre (C), results (N, R2, C), centres (N, C). Answers {"methods": {NAME: "2 threads", ...}}
      after trying both methods with one thread and with as many as it may use.
  {"run": NAME, "rounds": K}  "reference" or "batched"; K rounds, or 0 for the stop rule of the reference. Answers
      {"milliseconds": T, "rounds": K, "scores": [...]}.

`reference` is what the authors' code computes, step by step, on tensors over all candidates at once (METHODS.md 3.1 to
3.4): similarities, weights by cross-correlation, K, the loop with a transposed copy of K in every round and its test of
all candidates together, and the sum over the plan. `batched` is the same as fast as PyTorch does it: matrix products without transposed copies, every step in
place, the plan never made.
"""

import json
import os
import sys
import time

# The best kernels this build has; Debian's picks AVX2 by itself.
os.environ.setdefault("ATEN_CPU_CAPABILITY", "avx512")

import torch  # noqa: E402

EPSILON = 0.05
MOST_ROUNDS = 100
STEP = 0.1


class Shortlist:
    def __init__(self, ask):
        def read(name, *shape):
            size = os.path.getsize(os.path.join(ask["load"], name)) // 4
            values = torch.from_file(os.path.join(ask["load"], name), shared=False, size=size, dtype=torch.float32)
            return values.clone().reshape(shape)

        n, c = ask["candidates"], ask["dim"]
        self.query = read("query", ask["query"], c)
        self.query_centre = read("query_centre", c)
        self.results = read("results", n, ask["result"], c)
        self.centres = read("centres", n, c)
        self.mass = ask["mass"]
        # As the authors' code has them: channels before positions.
        self.query_map = self.query.t().contiguous()
        self.result_maps = self.results.transpose(1, 2).contiguous()


def reference(data, rounds):
    similarity = torch.einsum("ncs,cm->nsm", data.result_maps, data.query_map)
    u = torch.relu(torch.einsum("c,ncs->ns", data.query_centre, data.result_maps))
    v = torch.relu(torch.einsum("nc,cm->nm", data.centres, data.query_map))
    u = u / (u.sum(dim=1, keepdim=True) + 1e-5)
    v = v / (v.sum(dim=1, keepdim=True) + 1e-5)
    k = torch.exp(-(1 - similarity) / EPSILON)
    n, rows, columns = k.shape
    if data.mass < 0.999:
        rest = 1 - data.mass
        k = torch.cat([k, torch.full((n, rows, 1), rest)], dim=2)
        k = torch.cat([k, torch.full((n, 1, columns + 1), rest)], dim=1)
        k[:, -1, -1] = 0
        u = torch.cat([u, torch.full((n, 1), rest)], dim=1)
        v = torch.cat([v, torch.full((n, 1), rest)], dim=1)
    r = torch.ones_like(u)
    c = torch.ones_like(v)
    for done in range(1, (rounds or MOST_ROUNDS) + 1):
        r0 = r
        r = u / torch.matmul(k, c.unsqueeze(-1)).squeeze(-1)
        c = v / torch.matmul(k.permute(0, 2, 1).contiguous(), r.unsqueeze(-1)).squeeze(-1)
        change = (r - r0).abs().mean().item()
        if rounds == 0 and change < STEP:
            break
    plan = r.unsqueeze(-1) * k * c.unsqueeze(-2)
    return (plan[:, :rows, :columns] * similarity).sum(dim=(1, 2)), done


def batched(data, rounds):
    n, rows, dim = data.results.shape
    columns = data.query.shape[0]
    similarity = torch.mm(data.results.view(n * rows, dim), data.query_map).view(n, rows, columns)
    u = torch.mv(data.results.view(n * rows, dim), data.query_centre).view(n, rows).relu_()
    v = torch.mm(data.centres, data.query_map).relu_()
    u.div_(u.sum(dim=1, keepdim=True).add_(1e-5))
    v.div_(v.sum(dim=1, keepdim=True).add_(1e-5))
    k = torch.sub(similarity, 1).mul_(1 / EPSILON).exp_()
    rest = 1 - data.mass if data.mass < 0.999 else 0
    r = torch.ones(n, rows, 1)
    c = torch.ones(n, columns, 1)
    r0 = torch.empty_like(r)
    dummy_r, dummy_c = torch.ones(n, 1, 1), torch.ones(n, 1, 1)
    for done in range(1, (rounds or MOST_ROUNDS) + 1):
        if rounds == 0:
            r0.copy_(r)
        torch.bmm(k, c, out=r)
        if rest:
            r.add_(dummy_c * rest)
            dummy_r = 1 / c.sum(dim=1, keepdim=True)
        torch.div(u.unsqueeze(-1), r, out=r)
        torch.bmm(r.transpose(1, 2), k, out=c.transpose(1, 2))
        if rest:
            c.add_(dummy_r * rest)
            dummy_c = 1 / r.sum(dim=1, keepdim=True)
        torch.div(v.unsqueeze(-1), c, out=c)
        if rounds == 0 and r0.sub_(r).abs_().mean().item() < STEP:
            break
    k.mul_(similarity)
    return torch.bmm(r.transpose(1, 2), torch.bmm(k, c)).view(n), done


METHODS = {"reference": reference, "batched": batched}


def timed(name, data, rounds, threads):
    torch.set_num_threads(threads)
    start = time.perf_counter()
    scores, done = METHODS[name](data, rounds)
    return (time.perf_counter() - start) * 1000, done, scores


def main():
    most = int(sys.argv[1])
    torch.set_grad_enabled(False)
    out = os.fdopen(os.dup(1), "w")

    def answer(values):
        out.write(json.dumps(values) + "\n")
        out.flush()

    answer({"torch": torch.__version__, "capability": os.environ["ATEN_CPU_CAPABILITY"].upper()})
    data, threads = None, {}
    for line in sys.stdin:
        ask = json.loads(line)
        if "load" in ask:
            data = Shortlist(ask)
            for name in METHODS:
                took = {}
                for count in sorted({1, most}):
                    timed(name, data, 3, count)
                    took[count] = min(timed(name, data, 3, count)[0] for _ in range(2))
                threads[name] = min(took, key=took.get)
            answer({"methods": {name: f"{count} threads" for name, count in threads.items()}})
        else:
            timed(ask["run"], data, ask["rounds"], threads[ask["run"]])  # caches as warm as ours
            took, done, scores = timed(ask["run"], data, ask["rounds"], threads[ask["run"]])
            answer({"milliseconds": took, "rounds": done, "scores": scores.tolist()})


if __name__ == "__main__":
    main()
