"""Computing each distinct environment once changes nothing: against plain message passing."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from molmeta.encoders.gin import GIN
from molmeta.encoders.static_hypernetwork import HyperGIN
from molmeta.molecules.blocks import ATOM_SIZES, BOND_SIZES, Graphs, one_hot
from molmeta.molecules.molecules import Molecules

RADIUS = 3
some_molecules = st.lists(st.integers(0, 31), min_size=1, max_size=6)


@pytest.fixture(scope="module")
def x(smiles: list[str]) -> Molecules:
    """25 drugs and seven small molecules."""
    return Molecules(smiles)


def graph_of(x: Molecules, i: int) -> tuple[np.ndarray, list[tuple[int, int, int]]]:
    """One molecule: categories of its atoms, and (atom, atom, code) of each bond, both ways."""
    graphs: Graphs = x.block("graph").take(np.array([i]))
    pairs = [(int(a), int(b)) for a, b in graphs.bonds]
    both = [(a, b, int(c)) for (a, b), c in zip(pairs, graphs.bond_code, strict=True)]
    return graphs.atom_table[graphs.atom_code], both + [(b, a, c) for a, b, c in both]


def plain(encoder: GIN, x: Molecules, index: list[int]) -> Tensor:
    """`GIN`, a molecule at a time, every atom by itself."""
    rows, sizes = [], tuple(BOND_SIZES.values())
    for i in index:
        atoms, bonds = graph_of(x, i)
        h = torch.from_numpy(one_hot(atoms, tuple(ATOM_SIZES.values()))).double()
        h = F.relu(encoder.embed(h))
        pooled = [h.sum(dim=0)]
        for layer, (eps, mlp, norm) in enumerate(
            zip(encoder.eps, encoder.mlps, encoder.norms, strict=True)
        ):
            messages = [torch.zeros_like(h[0])] * len(h)
            for a, b, code in bonds:
                messages[a] = messages[a] + h[b]
                if encoder.bonds:
                    kind = one_hot(np.array([np.unravel_index(code, sizes)]), sizes)
                    messages[a] = messages[a] + encoder.bonds[layer](
                        torch.from_numpy(kind[0]).double()
                    )
            h = F.relu(norm(mlp((1 + eps) * h + torch.stack(messages))))
            pooled.append(h.sum(dim=0))
        rows.append(torch.cat(pooled))
    return torch.log1p(torch.stack(rows))


def second_order(encoder: GIN, rows: Tensor) -> list[Tensor]:
    """Gradients of a function of the gradients of the rows."""
    weights = list(encoder.parameters())
    inner = torch.autograd.grad(
        rows.square().mean(), weights, create_graph=True, materialize_grads=True
    )
    outer = sum((g**3).sum() + g.sum() for g in inner)
    return list(torch.autograd.grad(outer, weights, materialize_grads=True))


ENCODERS = [
    pytest.param(kind, bonds, id=f"{kind.__name__}{', bonds' if bonds else ''}")
    for kind in (GIN, HyperGIN)
    for bonds in (False, True)
]


@pytest.mark.parametrize(("kind", "bonds"), ENCODERS)
@settings(max_examples=15, deadline=None)
@given(index=some_molecules)
def test_vectors_and_second_order_gradients_are_those_of_plain_message_passing(
    x: Molecules, kind: type[GIN], bonds: bool, index: list[int]
) -> None:
    torch.manual_seed(0)
    encoder = kind(width=4, layers=RADIUS, bonds=bonds).double()
    with torch.no_grad():
        for eps in encoder.eps:
            eps.fill_(0.3)
    ours, slow = encoder(x[np.array(index)]), plain(encoder, x, index)
    torch.testing.assert_close(ours, slow, rtol=1e-10, atol=1e-10)
    for a, b in zip(second_order(encoder, ours), second_order(encoder, slow), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-8, atol=1e-10)


def nested(x: Molecules, i: int, typed: bool) -> list[object]:
    """Each atom's environment written out: itself, and its neighbours' in order."""
    atoms, bonds = graph_of(x, i)
    colours: list[object] = [tuple(map(int, row)) for row in atoms]
    for _ in range(RADIUS):
        colours = [
            (own, tuple(sorted((colours[b], code * typed) for a, b, code in bonds if a == atom)))
            for atom, own in enumerate(colours)
        ]
    return colours


@pytest.mark.parametrize("typed", [False, True])
def test_two_atoms_share_an_environment_if_and_only_if_theirs_are_equal(
    x: Molecules, typed: bool
) -> None:
    written = [repr(colour) for i in range(len(x)) for colour in nested(x, i, typed)]
    found = x.environments(RADIUS, typed).atoms.tolist()
    assert len(set(zip(found, written, strict=True))) == len(set(found))
    assert len(set(found)) == len(set(written)) < len(written)


def test_bonds_make_more_environments(x: Molecules) -> None:
    plain, typed = (len(x.environments(RADIUS, typed).rounds[-1].own) for typed in (False, True))
    assert plain < typed


def test_environments_are_found_once_for_all_views(x: Molecules) -> None:
    assert x[2:5].environments(2) is x.environments(2)
