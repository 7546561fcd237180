"""Views of molecules: any index, laid end to end, computed by one process or by two."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from molmeta import processes
from molmeta.molecules.blocks import ATOM_SIZES, Counts, Dense
from molmeta.molecules.molecules import Molecules

BLOCKS = ("graph", "ecfp4", "descriptors")
INDICES = {
    "slice": slice(3, 20, 4),
    "negative slice": slice(None, None, -1),
    "list": [5, 0, 5],
    "empty list": [],
    "array": np.array([7, 2]),
    "tensor": torch.tensor([4, 1, 9]),
    "boolean array": np.arange(32) % 3 == 0,
    "boolean tensor": torch.arange(32) % 5 == 0,
    "integer": 6,
    "negative integer": -1,
}


def decoded(x: Molecules) -> list:
    """What the blocks of a view say of every molecule, without their encoding."""
    counts, dense = (x.block(name).take(x.index) for name in ("ecfp4", "descriptors"))
    assert isinstance(counts, Counts)
    assert isinstance(dense, Dense)
    graphs = x.block("graph").take(x.index)
    out = []
    for i in range(len(x)):
        atoms = slice(graphs.atom_offsets[i], graphs.atom_offsets[i + 1])
        bonds = slice(graphs.bond_offsets[i], graphs.bond_offsets[i + 1])
        table = graphs.atom_table[graphs.atom_code[atoms]].tolist()
        ends = graphs.bonds[bonds].tolist(), graphs.bond_code[bonds].tolist()
        out.append((x.smiles[i], table, ends, counts.dense()[i].tolist(), dense.values[i].tolist()))
    return out


@pytest.mark.parametrize("index", INDICES.values(), ids=INDICES)
def test_a_view_has_the_molecules_of_its_index(molecules, index):
    key = index.numpy() if isinstance(index, torch.Tensor) else index
    key = slice(0) if isinstance(key, list) and not key else key
    rows = np.atleast_1d(np.arange(len(molecules))[key])
    view = molecules[index]
    assert len(view) == len(rows)
    assert view.smiles == [molecules.smiles[i] for i in rows]
    fresh = Molecules(view.smiles)
    if len(rows):
        assert decoded(view) == decoded(fresh)


def test_a_view_of_a_view_counts_from_the_view(molecules):
    assert molecules[10:20][[3, 1]].smiles == [molecules.smiles[13], molecules.smiles[11]]


def test_a_boolean_mask_of_another_length_is_refused(molecules):
    with pytest.raises(IndexError):
        molecules[np.array([True, False])]


def test_cat_of_views_of_one_store_is_a_view_of_it(molecules):
    joined = Molecules.cat([molecules[:3], molecules[[9, 1]], molecules[0]])
    assert joined.smiles == [molecules.smiles[i] for i in (0, 1, 2, 9, 1, 0)]
    assert decoded(joined) == decoded(Molecules(joined.smiles))
    assert joined.block("graph") is molecules.block("graph")


@pytest.mark.parametrize("computed", [(), ("graph",), BLOCKS], ids=["none", "graph", "all"])
def test_cat_of_different_stores_has_the_same_blocks(smiles, computed):
    first, second = Molecules(smiles[:12]), Molecules(smiles[8:][::-1])
    for part in (first, second):
        part.compute(*computed)
    joined = Molecules.cat([first[2:9], second[::2], first[:1]])
    assert joined.smiles == first.smiles[2:9] + second.smiles[::2] + first.smiles[:1]
    assert set(computed) <= set(joined.computed)
    assert decoded(joined) == decoded(Molecules(joined.smiles))


@pytest.mark.parametrize("workers", [1, 2])
def test_no_molecules_have_blocks_without_rows(workers):
    for none in (Molecules([]), Molecules(parsed=[])):
        found = none.compute(*BLOCKS, workers=workers)
        assert [len(found.block(name)) for name in BLOCKS] == [0] * len(BLOCKS)


def test_two_workers_give_the_same_blocks_as_one(smiles, monkeypatch):
    alone = Molecules(smiles).compute(*BLOCKS)
    monkeypatch.setattr(processes, "CHUNK", 10)  # so that 32 molecules are shared out at all
    shared = Molecules(smiles).compute(*BLOCKS, workers=2)
    assert decoded(shared) == decoded(alone)
    for name in BLOCKS:
        one, two = alone.block(name), shared.block(name)
        for field in dataclasses.fields(one):
            left, right = getattr(one, field.name), getattr(two, field.name)
            np.testing.assert_array_equal(left, right, err_msg=f"{name}.{field.name}")
            assert np.asarray(left).dtype == np.asarray(right).dtype, f"{name}.{field.name}"


def test_pyg_graphs_have_every_bond_in_both_directions(molecules, pyg):
    for data, mol_smiles in zip(molecules.to_pyg_list(), molecules.smiles, strict=True):
        edges = {tuple(edge) for edge in data.edge_index.T.tolist()}
        assert len(edges) == data.edge_index.shape[1] == len(data.edge_attr)
        assert {(b, a) for a, b in edges} == edges
        attributes = {
            tuple(e): row.tolist()
            for e, row in zip(data.edge_index.T.tolist(), data.edge_attr, strict=True)
        }
        assert all(attributes[a, b] == attributes[b, a] for a, b in edges)
        assert data.smiles == mol_smiles
        assert data.x.sum(1).eq(len(ATOM_SIZES)).all()


def test_few_of_a_large_store_do_not_wait_for_the_whole() -> None:
    large = Molecules(["C" * n for n in range(1, 200)])
    assert large[:10].alone_if_few().smiles == large[:10].smiles
    assert len(Molecules.stores([large[:10].alone_if_few()])[0]) == 10
    assert len(Molecules.stores([large[:50].alone_if_few()])[0]) == 199
    large.compute("ecfp4")
    assert len(Molecules.stores([large[:10].alone_if_few()])[0]) == 199
