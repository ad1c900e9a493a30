"""What the scripts that torch-process.ts starts have in common: what they are handed, and how they answer.

Argument of such a script: a folder with manifest.json (threads, facts, tensors by name: shape and offset in numbers) and
tensors.bin (everything as float32).
"""

import json
import math
import sys
import time

import numpy
import torch

folder = sys.argv[1]
manifest = json.load(open(folder + "/manifest.json"))
numbers = numpy.fromfile(folder + "/tensors.bin", dtype="float32")
torch.set_num_threads(manifest["threads"])


def tensor(name):
    spec = manifest["tensors"][name]
    size = math.prod(spec["shape"])
    return torch.from_numpy(numbers[spec["offset"] : spec["offset"] + size].copy()).reshape(spec["shape"])


def products():
    """Its library of matrix products: Debian's own is a slow one unless libopenblas0 is installed."""
    libraries = {line.split()[-1] for line in open("/proc/self/maps") if "/lib" in line and "blas" in line}
    return "OpenBLAS" if any("openblas" in path for path in libraries) else "the reference BLAS"


def answer(step):
    """Prints the loss of the first step, PyTorch's version and its library of matrix products, then answers every line
    "N" on standard input with the milliseconds that N steps took. Ends with its input."""
    print(step(), torch.__version__, products(), flush=True)
    for line in sys.stdin:
        started = time.perf_counter()
        for _ in range(int(line)):
            step()
        print((time.perf_counter() - started) * 1000, flush=True)
