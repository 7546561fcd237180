"""Few-shot learning for molecules: learn from hundreds of assays how to learn a new one.

The public names, imported when first used; `import molmeta` itself loads neither torch nor rdkit.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_PUBLIC = {
    "AdaptedAssay": "models.base",
    "Assay": "tasks.assay",
    "AssayEpisodes": "tasks.sampling",
    "Assays": "tasks.assay",
    "BaseModel": "models.base",
    "Classification": "tasks.episode",
    "Embedded": "learners.base",
    "Episode": "tasks.episode",
    "Examples": "tasks.episode",
    "Experiment": "models.config",
    "FewShotClassifier": "workbench.estimators",
    "FewShotRegressor": "workbench.estimators",
    "Images": "tasks.images",
    "Learner": "learners.base",
    "Molecules": "molecules.blocks",
    "MolmetaError": "errors",
    "NWayKShot": "tasks.image_sampling",
    "Policy": "featurizers.standardisation",
    "Regression": "tasks.episode",
    "benchmark": "evaluation.protocol",
    "demo": "evaluation.demonstration",
    "embedded_split": "datasets.chembl",
    "from_deepchem": "datasets.deepchem",
    "from_pretrained": "models.checkpoints",
    "load_assay": "models.checkpoints",
    "load_digits": "datasets.digits",
    "load_embedded": "datasets.chembl",
    "load_experiment": "models.config",
    "load_image_folder": "datasets.image_folder",
    "load_miniimagenet": "datasets.miniimagenet",
    "load_omniglot": "datasets.omniglot",
    "meta_train": "training.meta_training",
    "meta_train_images": "training.meta_training",
    "read_table": "datasets.table",
    "register": "registry",
    "save_assay": "models.checkpoints",
    "save_pretrained": "models.checkpoints",
    "screen": "screening",
    "standardise": "featurizers.standardisation",
    "summarise": "evaluation.protocol",
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
    from molmeta.datasets.chembl import embedded_split, load_embedded
    from molmeta.datasets.deepchem import from_deepchem, to_deepchem
    from molmeta.datasets.digits import load_digits
    from molmeta.datasets.image_folder import load_image_folder
    from molmeta.datasets.miniimagenet import load_miniimagenet
    from molmeta.datasets.omniglot import load_omniglot
    from molmeta.datasets.table import read_table
    from molmeta.errors import MolmetaError
    from molmeta.evaluation.demonstration import demo
    from molmeta.evaluation.protocol import benchmark, summarise
    from molmeta.featurizers.standardisation import Policy, standardise
    from molmeta.learners.base import Embedded, Learner
    from molmeta.models.base import AdaptedAssay, BaseModel
    from molmeta.models.checkpoints import from_pretrained, load_assay, save_assay, save_pretrained
    from molmeta.models.config import Experiment, load_experiment
    from molmeta.molecules.blocks import Molecules
    from molmeta.registry import register
    from molmeta.screening import screen
    from molmeta.tasks.assay import Assay, Assays
    from molmeta.tasks.episode import Classification, Episode, Examples, Regression
    from molmeta.tasks.image_sampling import NWayKShot
    from molmeta.tasks.images import Images
    from molmeta.tasks.sampling import AssayEpisodes
    from molmeta.training.meta_training import meta_train, meta_train_images
    from molmeta.workbench.estimators import FewShotClassifier, FewShotRegressor


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'molmeta' has no attribute '{name}'")
    return getattr(import_module(f"molmeta.{_PUBLIC[name]}"), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
