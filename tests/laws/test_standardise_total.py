"""Standardising takes any text: an answer for each, always, and one that stays as it is.

Texts are real molecules with mutations, and SMILES that a small grammar writes. A process of its
own standardises them, so that a crash or a molecule without end is a failure with a name.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from molmeta.assay import Assays
from molmeta.featurizers.standardise import Policy, Status

WORKER = Path(__file__).with_name("standardise_lines.py")
PIECE = 5_000  # texts that one process standardises
PIECES = 21
POLICIES = [
    Policy(),
    Policy(fragments="keep", neutralise=False),
    Policy(fragments="keep"),
    Policy(fragments="refuse", radicals="refuse", elements=("C", "N", "O", "S", "F", "Cl")),
    Policy(max_atoms=20, neutralise=False),
]
TOKENS = {
    "atoms": ["C", "N", "O", "c", "n", "o", "s", "P", "S", "Cl", "Br", "*", "[se]", "[Si]", "B"],
    "metals": ["[Na]", "[Na+]", "[Fe+2]", "[Pt]", "[Hg]", "[Li]C", "[Mg+2]", "[U]", "->[Cu]"],
    "brackets": ["[", "]", "[]", "[C", "H]", "[nH]", "[CH3]", "[NH4+]", "[#6]", "[[C]]", "(", ")"],
    "charges": ["+", "-", "[O-]", "[N+]", "[NH3+]", "[C-]#[O+]", "[S+3]", "[C+99]", "++", "--"],
    "radicals": ["[CH2]", "[C]", "[N]", "[O]", "[CH]", "[NH]"],
    "dots": [".", "..", ".Cl", ".[Na+]", ".[Cl-]", ".O", ".c1ccccc1", "[H+].", ".C1.C1"],
    "rings": list("0123456789") + ["%10", "%99", "%(100)", "%(1000)", "%", "11", "C1CC1"],
    "bonds": ["-", "=", "#", "$", ":", "/", "\\", "->", "<-", "==", ">>", "/C=C/", "/C=C\\"],
    "stereo": ["@", "@@", "[C@H]", "[C@@H]", "[C@](F)(Cl)", "[S@]", "[P@@]", "[C@TH9]"],
    "isotopes": ["[13CH3]", "[2H]", "[0C]", "[999C]", "[99999C]", "[H]", "[3H+]", "[13c]"],
    "atom maps": ["[CH3:1]", "[OH:2]", "[c:03]", ":1]", "[C:99999]", "[*:1]", "[C@H:7]", "[H:1]"],
    "unicode": ["é", "μ", "Ⅽ", "\u200b", "\ufeff", "\u2212", "\U0001f9ea", "\ud800", "\udcff", "５"],
    "control": ["\0", "\x01", "\x7f", "\x1b[0m", "\n", "\r", "\t", " ", "\xa0", "\x85", "\u2028"],
    "extensions": [" |$R1$|", "|^1:0|", " name", "{", "}", "&1", "'", '"', ",", ";", "!", "?", "\\"],
}


def delete(rng: random.Random, text: str, other: str) -> str:
    start = rng.randrange(len(text) + 1)
    return text[:start] + text[start + rng.choice([1, 1, 1, 2, 5]) :]


def replace(rng: random.Random, text: str, other: str) -> str:
    start, end = rng.randrange(len(text) + 1), rng.randrange(len(other) + 1)
    return text[:start] + other[end : end + 1] + text[start + 1 :]


def duplicate(rng: random.Random, text: str, other: str) -> str:
    start = rng.randrange(len(text) + 1)
    end = start + rng.choice([1, 1, 2, 5, 20])
    return text[:end] + text[start:end] + text[end:]


def splice(rng: random.Random, text: str, other: str) -> str:
    return text[: rng.randrange(len(text) + 1)] + other[rng.randrange(len(other) + 1) :]


def lengthen(rng: random.Random, text: str, other: str) -> str:
    return text * rng.choice([2, 2, 3, 3, 10, 100]) if rng.random() < 0.05 else text


def insert(tokens: list[str]) -> Callable[[random.Random, str, str], str]:
    def one(rng: random.Random, text: str, other: str) -> str:
        start = rng.randrange(len(text) + 1)
        return text[:start] + rng.choice(tokens) + text[start:]

    return one


MUTATIONS = {"delete": delete, "replace": replace, "duplicate": duplicate, "splice": splice}
MUTATIONS |= {"lengthen": lengthen} | {name: insert(tokens) for name, tokens in TOKENS.items()}


def written(rng: random.Random, atoms: list[str], depth: int = 3) -> str:
    """A SMILES with branches and rings, mostly of legal syntax."""
    text, rings = "", []
    for _ in range(rng.randint(1, 8)):
        text += rng.choice(["", "", "", "", "=", "/", "\\", "#", ":"]) if text else ""
        text += rng.choice(atoms)
        if rng.random() < 0.2:
            ring = rng.choice("123456789")
            text += ring
            rings += [ring]
        if depth and rng.random() < 0.3:
            text += f"({rng.choice(['', '', '=', '/'])}{written(rng, atoms, depth - 1)})"
    odd = [ring for ring in sorted(set(rings)) if rings.count(ring) % 2]
    return text + "".join(f"C{ring}" for ring in odd)
