"""Any torch_geometric model as an encoder."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch import Tensor, nn

from molmeta.encoders.base import Encoder
from molmeta.errors import ConfigError
from molmeta.molecules import ATOM_SIZES, BOND_SIZES, Molecules
from molmeta.registry import nearest

ATOM_DIM = sum(ATOM_SIZES.values())
BOND_DIM = sum(BOND_SIZES.values())


class PyG(Encoder):
    """A torch_geometric model (GAT, PNA, AttentiveFP, …) on the graph block.

    Parameters
    ----------
    model : nn.Module or str
        A module, or the name of a class of `torch_geometric.nn.models`, built with one-hot atoms
        as its input (and bonds, where it has an `edge_dim`). It is called with those of `x`,
        `edge_index`, `edge_attr` and `batch` that its `forward` names.
    dim : int
        Width of the output; for a named model also its `out_channels`.
    options
        Passed to a named model; lists become tensors for PNA's `deg`.

    Returns
    -------
    Tensor
        `[n, dim]`: what the model gives a molecule, or the mean over atoms where it gives a row
        an atom.

    Notes
    -----
    A model with BatchNorm makes a molecule's vector depend on its batch: build it with
    `norm="layer_norm"` or none.
    """

    blocks = ("graph",)

    def __init__(self, model: nn.Module | str, dim: int = 128, **options: Any) -> None:
        super().__init__()
        self.dim = dim
        self.model = _named(model, dim, options) if isinstance(model, str) else model
        self._accepted = set(inspect.signature(self.model.forward).parameters)

    def forward(self, x: Molecules) -> Tensor:
        """Encode molecules: `[n, dim]`."""
        from torch_geometric.nn import global_mean_pool

        if "pyg batch" not in x.memo:
            x.memo["pyg batch"] = x.to_pyg()
        kept: Any = x.memo["pyg batch"]
        data = kept.to(self.device)
        given = {key: data[key] for key in ("x", "edge_index", "edge_attr", "batch")}
        out = self.model(**{key: value for key, value in given.items() if key in self._accepted})
        per_atom = len(out) == len(data.x) and len(out) != len(x)
        return global_mean_pool(out, data.batch, size=len(x)) if per_atom else out


def _named(name: str, dim: int, options: dict[str, Any]) -> nn.Module:
    from torch_geometric.nn import models

    known = [key for key in dir(models) if isinstance(getattr(models, key), type)]
    if name not in known:
        raise ConfigError(f"torch_geometric.nn.models has no '{name}'{nearest(name, known)}")
    options = {key: torch.tensor(v) if key == "deg" else v for key, v in options.items()}
    build = getattr(models, name)
    takes_bonds = getattr(build, "supports_edge_attr", False)
    if takes_bonds or "edge_dim" in inspect.signature(build.__init__).parameters:
        options.setdefault("edge_dim", BOND_DIM)
    try:
        return build(in_channels=ATOM_DIM, out_channels=dim, **options)
    except TypeError as error:
        raise ConfigError(f"torch_geometric's {name} cannot be built: {error}") from error
