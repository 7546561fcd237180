"""scikit-learn's models as learners."""

from __future__ import annotations

from abc import abstractmethod
from collections import OrderedDict
from hashlib import sha256
from typing import Any

import numpy as np
import torch
from torch import Tensor

from molmeta.learners import Learner, State, canonical_order
from molmeta.tasks import Classification, Examples, Regression

FLOOR = 1e-4  # the least probability, so that its logarithm is finite
CACHED = 64


class Fitted(Learner):
    """A model of scikit-learn that is fitted to the support alone.

    The state is the support set in canonical row order; the model is fitted from it when first
    needed (at once, after loading), always to the same, and kept in a small cache, so that no chunk
    of a screen fits it again.

    State
    -----
    x, y : Tensor
        `[n, d]` and `[n]`.
    n_way : Tensor
        Number of classes; 0 for a regression.
    """

    targets = (Classification, Regression)
    class_symmetric = False
    serves_all_targets = True

    def __init__(self) -> None:
        super().__init__()
        self._fitted: OrderedDict[bytes, Any] = OrderedDict()

    @abstractmethod
    def fit(self, x: np.ndarray, y: np.ndarray, n_way: int) -> Any:
        """The model of rows `x [n, d]` with labels `y [n]`: classes, or values where n_way is 0."""

    @abstractmethod
    def predict_values(self, model: Any, x: np.ndarray) -> np.ndarray:
        """Mean and log-variance `[n, 2]` of a fitted regression."""

    def adapt(self, support: Examples) -> State:
        """Keep the support, rows sorted."""
        self.check(support)
        order = canonical_order(support.x, support.y)
        n_way = torch.tensor(getattr(support.target, "n_way", 0))
        return {"x": support.x.flatten(1)[order], "y": support.y[order], "n_way": n_way}

    def forward(self, x: Tensor, state: State) -> Tensor:
        """Log-probabilities `[n, n_way]`; or mean and log-variance `[n, 2]`."""
        model, rows = self._model(state), x.flatten(1).cpu().numpy()
        if int(state["n_way"]):
            outputs = np.log(np.maximum(np.asarray(model.predict_proba(rows)), FLOOR))
        else:
            outputs = self.predict_values(model, rows)
        return torch.from_numpy(outputs).float().to(x.device)

    def _model(self, state: State) -> Any:
        x, y = state["x"].cpu().numpy(), state["y"].cpu().numpy()
        key = sha256(np.ascontiguousarray(x).tobytes() + y.tobytes()).digest()
        if key not in self._fitted:
            self._fitted[key] = self.fit(x, y, int(state["n_way"]))
            if len(self._fitted) > CACHED:
                self._fitted.popitem(last=False)
        return self._fitted[key]
