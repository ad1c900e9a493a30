"""LightGCN's training step in PyTorch, as families.ts trains it: see torch_steps.py. The manifest has its sizes."""

import torch
import torch.nn.functional as F

from torch_steps import answer, manifest, tensor

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


answer(step)
