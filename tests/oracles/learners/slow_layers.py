"""Layers a unit at a time, on lists of numbers."""

from __future__ import annotations

import math

from torch import nn


def linear(layer: nn.Linear, v: list[float]) -> list[float]:
    """One output at a time; a layer without bias has none."""
    bias = [0.0] * layer.out_features if layer.bias is None else layer.bias.tolist()
    return [
        sum(w * one for w, one in zip(row, v, strict=True)) + b
        for row, b in zip(layer.weight.tolist(), bias, strict=True)
    ]


def layer_norm(v: list[float], norm: nn.LayerNorm) -> list[float]:
    """Centre, scale, then the learned weights."""
    mean = sum(v) / len(v)
    spread = math.sqrt(sum((one - mean) ** 2 for one in v) / len(v) + norm.eps)
    pairs = zip(norm.weight.tolist(), norm.bias.tolist(), strict=True)
    return [a * (one - mean) / spread + b for one, (a, b) in zip(v, pairs, strict=True)]
