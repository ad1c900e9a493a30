"""The training steps of train-models.ts in PyTorch: see torch_steps.py. The manifest says which model."""

import math

import torch
import torch.nn.functional as F

from torch_steps import answer, manifest, tensor

weights = {name: torch.nn.Parameter(tensor(name)) for name in manifest["parameters"]}
given = {name: tensor(name) for name in manifest["tensors"] if name not in weights}
for name in ("events", "targets", "segments", "positions"):
    if name in given:
        given[name] = given[name].long()
matrices = [w for w in weights.values() if w.dim() > 1]
others = [w for w in weights.values() if w.dim() <= 1]
optimizer = torch.optim.AdamW(
    [{"params": matrices, "weight_decay": 0.01}, {"params": others, "weight_decay": 0.0}], lr=1e-3
)


def dense(name, x):
    return x @ weights[name + ".weight"] + weights[name + ".bias"]


def norm(name, x):
    return F.layer_norm(x, x.shape[-1:], weights[name + ".scale"], weights[name + ".bias"])


def head(x, dropout=lambda value: value, ids=0.0):
    hidden = dropout(F.gelu(x @ weights["item.inner"] + weights["item.innerBias"]))
    vectors = x @ weights["item.direct"] + hidden @ weights["item.outer"] + weights["item.outerBias"]
    return F.normalize(vectors + ids, dim=-1)


def in_batch():
    logits = head(given["persons"]) * weights["logScale"].exp() @ head(given["texts"]).T - given["logQ"]
    return F.cross_entropy(logits, targets)


def attention(name, x, visible, dropout):
    rows, _, length, _ = visible.shape
    dim, heads = x.shape[1], manifest["heads"]

    def split(part):
        return dense(f"{name}.{part}", x).view(rows, length, heads, dim // heads).transpose(1, 2)

    scores = split("query") @ split("key").transpose(-1, -2) / math.sqrt(dim // heads)
    shares = dropout(torch.softmax(scores.masked_fill(~visible, -1e9), -1))
    return dense(f"{name}.mix", (shares @ split("value")).transpose(1, 2).reshape(rows * length, dim))


def sequence():
    uses = iter(range(1000))

    def dropout(x):
        # The same masks: PyTorch's own would be drawn anew, and the losses could not be compared.
        start = int(given[f"dropout{next(uses)}"])
        return x * given["pool"][start : start + x.numel()].view(x.shape)

    items = head(given["texts"], dropout, weights["item.ids"] * given["idMask"])
    dim = items.shape[1]
    places = weights["person.positions"][given["positions"].flatten()]
    x = dropout(items[given["events"]] * math.sqrt(dim) + places)
    for layer in range(manifest["layers"]):
        name = f"person.{layer}"
        x = x + dropout(attention(name, norm(f"{name}.norm1", x), visible, dropout))
        inner = dense(f"{name}.inner", norm(f"{name}.norm2", x))
        x = x + dropout(dense(f"{name}.outer", dropout(F.gelu(inner))))
    persons = F.normalize(norm("person.norm", x), dim=-1)
    losses = F.cross_entropy(persons * weights["logScale"].exp() @ items.T, given["targets"], reduction="none")
    return (losses * given["weights"].flatten()).sum() / given["weights"].sum()


if manifest["model"] == "sequence":
    segments = given["segments"]
    past = torch.ones(segments.shape[1], segments.shape[1]).tril().bool()
    visible = ((segments[:, :, None] == segments[:, None, :]) & past)[:, None]
    loss_of = sequence
else:
    targets = torch.arange(given["persons"].shape[0])
    loss_of = in_batch


def step():
    loss = loss_of()
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(weights.values(), 1.0)
    optimizer.step()
    return loss.item()


answer(step)
