"""The in-batch softmax step of train-models.ts in PyTorch.

Argument: a folder with manifest.json (sizes, threads, tensors by name: shape and offset in floats) and tensors.bin
(float32). Prints the loss of the first step, then answers every line "N" on standard input with the milliseconds
that N steps took. Ends with its input.
"""
import json
import math
import sys
import time

import numpy
import torch
import torch.nn.functional as F

folder = sys.argv[1]
manifest = json.load(open(folder + "/manifest.json"))
data = numpy.fromfile(folder + "/tensors.bin", dtype="float32")
torch.set_num_threads(manifest["threads"])


def tensor(name):
    spec = manifest["tensors"][name]
    size = math.prod(spec["shape"])
    return torch.from_numpy(data[spec["offset"] : spec["offset"] + size].copy()).reshape(spec["shape"])


names = [name for name in manifest["tensors"] if name not in manifest["batch"]]
weights = {name: torch.nn.Parameter(tensor(name)) for name in names}
persons, texts, log_q = (tensor(name) for name in manifest["batch"])
batch = persons.shape[0]
targets = torch.arange(batch)
matrices = [w for w in weights.values() if w.dim() > 1]
others = [w for w in weights.values() if w.dim() <= 1]
optimizer = torch.optim.AdamW(
    [{"params": matrices, "weight_decay": 0.01}, {"params": others, "weight_decay": 0.0}], lr=1e-3
)


def head(x):
    hidden = F.gelu(x @ weights["item.inner"] + weights["item.innerBias"])
    return F.normalize(x @ weights["item.direct"] + hidden @ weights["item.outer"] + weights["item.outerBias"], dim=-1)


def step():
    logits = head(persons) * weights["logScale"].exp() @ head(texts).T - log_q
    loss = F.cross_entropy(logits, targets)
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(weights.values(), 1.0)
    optimizer.step()
    return loss.item()


print(step(), torch.__version__, flush=True)
for line in sys.stdin:
    started = time.perf_counter()
    for _ in range(int(line)):
        step()
    print((time.perf_counter() - started) * 1000, flush=True)
