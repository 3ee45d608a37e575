"""Makes pytorch_model.bin: weights as older models have them, which src/local/weights.rs reads in its tests.

    env/bin/python weights.py pytorch_model.bin    # torch 2.15.0
"""

from __future__ import annotations

import sys

import torch


def main(path: str) -> None:
    # Old names, a prefix, another type, and a matrix whose numbers do not lie one row after the other.
    weights = {
        "bert.embeddings.LayerNorm.gamma": torch.tensor([1.0, 2.0, 3.0]),
        "bert.embeddings.LayerNorm.beta": torch.tensor([0.5, -0.5, 0.25], dtype=torch.float16),
        "bert.pooler.dense.weight": torch.arange(6, dtype=torch.float32).reshape(3, 2).t(),
    }
    torch.save(weights, path)


if __name__ == "__main__":
    main(sys.argv[1])
