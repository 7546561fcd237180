"""Few-shot learning for molecules: learn from hundreds of assays how to learn a new one.

The public names, imported when first used; `import molmeta` itself loads neither torch nor rdkit.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_PUBLIC = {
    "AdaptedAssay": "models",
    "Assay": "assay",
    "AssayEpisodes": "sampling",
    "Assays": "assay",
    "BaseModel": "models",
    "Classification": "episode",
    "Embedded": "learner",
    "Episode": "episode",
    "Examples": "episode",
    "Experiment": "config",
    "FewShotClassifier": "estimators",
    "FewShotRegressor": "estimators",
    "Images": "images",
    "Learner": "learner",
    "Molecules": "molecules",
    "MolmetaError": "errors",
    "NWayKShot": "image_sampling",
    "Policy": "featurizers.standardise",
    "Regression": "episode",
    "benchmark": "evaluation",
    "demo": "demonstration",
    "embedded_split": "datasets.chembl",
    "from_deepchem": "datasets.deepchem",
    "from_pretrained": "checkpoints",
    "load_assay": "checkpoints",
    "load_digits": "datasets.digits",
    "load_embedded": "datasets.chembl",
    "load_experiment": "config",
    "load_image_folder": "datasets.image_folder",
    "load_miniimagenet": "datasets.miniimagenet",
    "load_omniglot": "datasets.omniglot",
    "meta_train": "training",
    "meta_train_images": "training",
    "read_table": "datasets.table",
    "register": "registry",
    "save_assay": "checkpoints",
    "save_pretrained": "checkpoints",
    "screen": "screening",
    "standardise": "featurizers.standardise",
    "summarise": "evaluation",
    "to_deepchem": "datasets.deepchem",
}

__all__ = [
    "AdaptedAssay",
    "Assay",
    "AssayEpisodes",
    "Assays",
    "BaseModel",
    "Classification",
    "Embedded",
    "Episode",
    "Examples",
    "Experiment",
    "FewShotClassifier",
    "FewShotRegressor",
    "Images",
    "Learner",
    "Molecules",
    "MolmetaError",
    "NWayKShot",
    "Policy",
    "Regression",
    "benchmark",
    "demo",
    "embedded_split",
    "from_deepchem",
    "from_pretrained",
    "load_assay",
    "load_digits",
    "load_embedded",
    "load_experiment",
    "load_image_folder",
    "load_miniimagenet",
    "load_omniglot",
    "meta_train",
    "meta_train_images",
    "read_table",
    "register",
    "save_assay",
    "save_pretrained",
    "screen",
    "standardise",
    "summarise",
    "to_deepchem",
]

if TYPE_CHECKING:
    from molmeta.assay import Assay, Assays
    from molmeta.checkpoints import from_pretrained, load_assay, save_assay, save_pretrained
    from molmeta.config import Experiment, load_experiment
    from molmeta.datasets.chembl import embedded_split, load_embedded
    from molmeta.datasets.deepchem import from_deepchem, to_deepchem
    from molmeta.datasets.digits import load_digits
    from molmeta.datasets.image_folder import load_image_folder
    from molmeta.datasets.miniimagenet import load_miniimagenet
    from molmeta.datasets.omniglot import load_omniglot
    from molmeta.datasets.table import read_table
    from molmeta.demonstration import demo
    from molmeta.episode import Classification, Episode, Examples, Regression
    from molmeta.errors import MolmetaError
    from molmeta.estimators import FewShotClassifier, FewShotRegressor
    from molmeta.evaluation import benchmark, summarise
    from molmeta.featurizers.standardise import Policy, standardise
    from molmeta.image_sampling import NWayKShot
    from molmeta.images import Images
    from molmeta.learner import Embedded, Learner
    from molmeta.models import AdaptedAssay, BaseModel
    from molmeta.molecules import Molecules
    from molmeta.registry import register
    from molmeta.sampling import AssayEpisodes
    from molmeta.screening import screen
    from molmeta.training import meta_train, meta_train_images


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'molmeta' has no attribute '{name}'")
    return getattr(import_module(f"molmeta.{_PUBLIC[name]}"), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
