"""Random forest."""

from __future__ import annotations

from collections import OrderedDict
from hashlib import sha256

import numpy as np
import torch
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from torch import Tensor, nn

from molmeta.episode import Classification, Examples, Regression, Target
from molmeta.functional import canonical_order
from molmeta.learner import Embedded, Learner, State

FLOOR = 1e-4  # the least probability, so that its logarithm is finite
CACHED = 64


class RandomForest(Learner):
    """scikit-learn's random forest, fitted to the support alone.

    Breiman: *Random Forests* (Machine Learning 2001). The state is the support set in canonical
    row order; the forest is fitted from it when first needed (at once, after loading), always to
    the same trees, and kept in a small cache, so that no chunk of a screen fits it again.

    State
    -----
    x, y : Tensor
        `[n, d]` and `[n]`.
    n_way : Tensor
        Number of classes; 0 for a regression.

    Parameters
    ----------
    n_trees : int
        Number of trees; all other settings are scikit-learn's.
    """

    targets = (Classification, Regression)
    class_symmetric = False

    def __init__(self, n_trees: int = 100) -> None:
        super().__init__()
        self.n_trees = n_trees
        self._fitted: OrderedDict[bytes, RandomForestClassifier | RandomForestRegressor] = (
            OrderedDict()
        )

    def adapt(self, support: Examples) -> State:
        """Keep the support, rows sorted."""
        self.check(support)
        order = canonical_order(support.x, support.y)
        n_way = torch.tensor(getattr(support.target, "n_way", 0))
        return {"x": support.x.flatten(1)[order], "y": support.y[order], "n_way": n_way}

    def forward(self, x: Tensor, state: State) -> Tensor:
        """Log of the mean vote of the trees, `[n, n_way]`; or mean and log-variance over trees."""
        forest = self._forest(state)
        rows = x.flatten(1).cpu().numpy()
        if isinstance(forest, RandomForestClassifier):
            votes = np.asarray(forest.predict_proba(rows))
            return torch.from_numpy(np.log(np.maximum(votes, FLOOR))).float().to(x.device)
        trees = np.stack([tree.predict(rows) for tree in forest.estimators_])
        outputs = [trees.mean(axis=0), np.log(trees.var(axis=0) + FLOOR)]
        return torch.from_numpy(np.stack(outputs, axis=1)).float().to(x.device)

    def _forest(self, state: State) -> RandomForestClassifier | RandomForestRegressor:
        x, y = state["x"].cpu().numpy(), state["y"].cpu().numpy()
        key = sha256(np.ascontiguousarray(x).tobytes() + y.tobytes()).digest()
        if key not in self._fitted:
            kind = RandomForestClassifier if int(state["n_way"]) else RandomForestRegressor
            self._fitted[key] = kind(self.n_trees, random_state=0).fit(x, y)
            if len(self._fitted) > CACHED:
                self._fitted.popitem(last=False)
        return self._fitted[key]


def random_forest(encoder: nn.Module, target: Target, **options: int) -> Embedded:
    """`RandomForest` on the features of an encoder."""
    return Embedded(encoder, RandomForest(**options))
