"""LightGCN's training step in PyTorch, as families.ts trains it.

Argument: a folder with manifest.json (sizes, threads, tensors by name: shape and offset in numbers) and tensors.bin
(everything as float32). Prints the loss of the first step, then answers every line "N" on standard input with the
milliseconds that N steps took. Ends with its input.
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
numbers = numpy.fromfile(folder + "/tensors.bin", dtype="float32")
torch.set_num_threads(manifest["threads"])


def tensor(name):
    spec = manifest["tensors"][name]
    return torch.from_numpy(numbers[spec["offset"] : spec["offset"] + math.prod(spec["shape"])].copy()).reshape(spec["shape"])


count, layers, batch = manifest["nodes"], manifest["layers"], manifest["batch"]
users, taken = tensor("users").long(), tensor("taken").long() + manifest["people"]
rows, columns = torch.cat([users, taken]), torch.cat([taken, users])
degree = torch.bincount(rows, minlength=count).float()
shares = (degree[rows] * degree[columns]).rsqrt()
# Compressed rows: the fastest of PyTorch's sparse layouts for this product on the CPU.
propagate = torch.sparse_coo_tensor(torch.stack([rows, columns]), shares, (count, count)).coalesce().to_sparse_csr()
nodes = torch.nn.Parameter(tensor("nodes"))
people, items = tensor("people").long(), tensor("items").long() + manifest["people"]
optimizer = torch.optim.Adam([nodes], lr=1e-3)


class Propagate(torch.autograd.Function):
    """The matrix is symmetric: its product is its own gradient, which compressed rows do not have in every version."""

    @staticmethod
    def forward(context, table):
        return propagate @ table

    @staticmethod
    def backward(context, gradient):
        return propagate @ gradient


def step():
    layer, total = nodes, nodes
    for _ in range(layers):
        layer = Propagate.apply(layer)
        total = total + layer
    vectors = total / (layers + 1)
    wanted, other = items[:batch], items[batch:]
    margin = (vectors[people] * (vectors[wanted] - vectors[other])).sum(1)
    squares = (nodes[people] ** 2).sum() + (nodes[items] ** 2).sum()
    loss = F.softplus(-margin).mean() + manifest["regularization"] * squares / batch
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


print(step(), torch.__version__, flush=True)
for line in sys.stdin:
    started = time.perf_counter()
    for _ in range(int(line)):
        step()
    print((time.perf_counter() - started) * 1000, flush=True)
