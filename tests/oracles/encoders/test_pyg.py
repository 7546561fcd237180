"""torch_geometric's own models as encoders."""

from __future__ import annotations

import pytest
import torch

from molmeta.encoders.pyg import ATOM_DIM, PyG
from molmeta.errors import ConfigError
from molmeta.learners.base import Embedded
from molmeta.learners.prototypical import Prototypical
from molmeta.molecules.blocks import ATOM_SIZES
from molmeta.molecules.molecules import Molecules
from molmeta.tasks.episode import Examples
from molmeta.tasks.targets import Classification

SMALL = {"hidden_channels": 8, "num_layers": 2}
MODELS = {
    "GAT": SMALL,
    "GIN": SMALL,
    "PNA": SMALL
    | {"aggregators": ["mean", "max"], "scalers": ["identity"], "deg": [0, 40, 60, 30, 4]},
    "AttentiveFP": SMALL | {"num_timesteps": 2},
}
pytestmark = pytest.mark.usefixtures("pyg")


@pytest.fixture(params=MODELS)
def encoder(request) -> PyG:
    """A small model of each kind."""
    torch.manual_seed(0)
    return PyG(request.param, dim=6, **MODELS[request.param]).eval()


def test_rows_do_not_depend_on_the_batch(encoder, molecules):
    with torch.no_grad():
        together = encoder(molecules)
        alone = torch.cat([encoder(molecules[[i]]) for i in range(len(molecules))])
        backwards = encoder(molecules[::-1]).flip(0)
    assert together.shape == (len(molecules), encoder.dim)
    assert torch.isfinite(together).all()
    torch.testing.assert_close(alone, together, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(backwards, together, rtol=1e-5, atol=1e-5)


def test_it_is_the_model_itself_pooled_over_atoms(encoder, drugs, pyg):
    data = drugs.to_pyg()
    kind = type(encoder.model).__name__
    with torch.no_grad():
        if kind == "AttentiveFP":
            expected = encoder.model(data.x, data.edge_index, data.edge_attr, data.batch)
        else:
            bonds = {} if kind == "GIN" else {"edge_attr": data.edge_attr}
            atoms = encoder.model(data.x, data.edge_index, **bonds)
            expected = pyg.nn.global_mean_pool(atoms, data.batch)
        torch.testing.assert_close(encoder(drugs), expected, rtol=1e-5, atol=1e-5)


def test_every_weight_gets_a_gradient_through_a_learner(encoder, drugs):
    learner = Embedded(encoder, Prototypical(encoder.dim))
    support = Examples(drugs[::2], torch.arange(13) % 2, Classification(2))
    outputs = learner(drugs[1::2], learner.adapt(support))
    support.target.loss(outputs, torch.arange(12) % 2).backward()
    assert [name for name, p in learner.named_parameters() if p.grad is None] == []


def test_bonds_are_read_where_the_model_can(encoder):
    if type(encoder.model).__name__ == "GIN":  # it has no place for them
        return
    with torch.no_grad():
        z, e = encoder(Molecules(["C/C=C\\C"])), encoder(Molecules(["C/C=C/C"]))
    assert not torch.allclose(z, e, rtol=1e-4, atol=1e-6)


def test_a_module_of_ones_own_works(drugs, pyg):
    model = pyg.nn.models.GAT(ATOM_DIM, 8, num_layers=1, out_channels=5)
    rows = PyG(model, dim=5)(drugs)
    assert sum(ATOM_SIZES.values()) == ATOM_DIM
    assert rows.shape == (len(drugs), 5)


def test_an_unknown_model_or_option_is_refused():
    with pytest.raises(ConfigError, match="did you mean 'AttentiveFP'"):
        PyG("AtentiveFP")
    with pytest.raises(ConfigError, match="AttentiveFP cannot be built"):
        PyG("AttentiveFP", dim=4)
