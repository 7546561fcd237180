"""The gated graph network of Nguyen et al. 2020 against padded matrices and torch's GRU cell."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from rdkit import Chem
from torch import Tensor, nn

from molmeta.encoders.ggnn import GGNN, WIDTH
from molmeta.learners.released_maml import LogitHead
from molmeta.molecules.molecules import Molecules


def plain(encoder: GGNN, x: Molecules) -> Tensor:
    """The encoder, a molecule at a time: (A + I) H W + b, a GRU cell, sum, tanh."""
    rows = []
    block = x.block("atoms75")
    for i, text in enumerate(x.smiles):
        atoms = slice(*block.atom_offsets[x.index[i] : x.index[i] + 2])
        h = torch.from_numpy(block.atom_features()[block.atom_code[atoms]]).double()
        adjacency = Chem.GetAdjacencyMatrix(Chem.MolFromSmiles(text)).astype(np.float64)
        with_loops = torch.from_numpy(adjacency) + torch.eye(len(h), dtype=torch.float64)
        for layer in encoder.layers:
            cell = nn.GRUCell(WIDTH, WIDTH, dtype=torch.float64)
            del cell.weight_ih, cell.weight_hh, cell.bias_ih, cell.bias_hh
            cell.weight_ih, cell.bias_ih = layer.of_message.weight, layer.of_message.bias
            cell.weight_hh, cell.bias_hh = layer.of_state.weight, layer.of_state.bias
            message = F.relu(with_loops @ h @ layer.message.weight.T + layer.message.bias)
            h = cell(message, h)
        rows.append(torch.tanh(encoder.readout(h.sum(dim=0))))
    return torch.stack(rows)


def away_from_zero(encoder: GGNN) -> GGNN:
    """Biases start at zero, where a wrong one would not show."""
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))
    return encoder


def test_values_and_gradients_are_those_of_padded_matrices_and_a_gru_cell(molecules):
    encoder = away_from_zero(GGNN(layers=3, dim=16).double())
    weights = torch.randn(len(molecules), 16, dtype=torch.float64)
    ours, theirs = encoder(molecules), plain(encoder, molecules)
    torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-10)
    parameters = dict(encoder.named_parameters())
    grads = [
        torch.autograd.grad((out * weights).mean(), list(parameters.values()))
        for out in (ours, theirs)
    ]
    for name, mine, other in zip(parameters, *grads, strict=True):
        assert other.abs().max() > 0, name
        torch.testing.assert_close(mine, other, rtol=1e-8, atol=1e-12, msg=name)


def test_with_one_output_it_has_the_parameters_of_the_paper():
    network = nn.Sequential(GGNN(), LogitHead(1024))
    assert sum(p.numel() for p in network.parameters()) == 358_149


@pytest.mark.parametrize(
    ("part", "bound"),
    [
        ("message", math.sqrt(6 / (75 * 75 + 75))),  # torch's fans of a tensor (1, 75, 75)
        ("of_message", 0.2),
        ("of_state", 0.2),
    ],
)
def test_weights_start_as_released(part, bound):
    for layer in GGNN().layers:
        linear = getattr(layer, part)
        reached = float(linear.weight.detach().abs().max())
        assert 0.99 * bound < reached <= bound
        assert linear.bias.abs().max() == 0
    released = nn.init.xavier_uniform_(torch.empty(1, 75, 75))
    assert float(released.abs().max()) <= math.sqrt(6 / (75 * 75 + 75)) < 0.0325


def test_layers_do_not_share_weights():
    first, second = GGNN(layers=2).layers
    assert not torch.equal(first.message.weight, second.message.weight)


def test_dropout_is_off_where_it_is_not_asked_for_and_in_evaluation(molecules):
    torch.testing.assert_close(*[(e := GGNN(2, 8)).train()(molecules), e.eval()(molecules)])
    dropping = GGNN(2, 8, dropout=0.5)
    assert not torch.equal(dropping.train()(molecules), dropping.eval()(molecules))
