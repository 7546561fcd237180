"""Which assays of a table are learned from, and which a run is selected by."""

from __future__ import annotations

from collections.abc import Sequence

from molmeta.datasets import Table
from molmeta.errors import MolmetaError, TooFewMeasurements
from molmeta.models import Experiment
from molmeta.seeds import generator
from molmeta.tasks import LEAST_QUERY, Assays, large_enough


def split_for_training(
    table: Table,
    experiment: Experiment,
    validation_names: Sequence[str] | None = None,
    threshold: float | str = "median",
) -> tuple[Assays, Assays, list[str]]:
    """Assays to learn from and to select by, and the names of those with one class alone.

    No molecule of the validation assays is in the others. Without `validation_names`, a tenth of
    the assays that are large enough (one at least) is drawn by the experiment's seed.

    Raises
    ------
    TooFewMeasurements
        Fewer than two assays are large enough for an episode.
    """
    assays, one_class = table.assays, []
    if experiment.model.target["kind"] == "classification":
        assays, one_class = assays.binarise_where_possible(threshold)
    episodes = experiment.from_assays
    query_size = getattr(episodes, "query_size", LEAST_QUERY)
    kept, _ = large_enough(assays.values(), episodes.support_sizes, query_size)
    if len(kept) < 2:
        raise TooFewMeasurements(
            f"{len(kept)} of the {len(assays)} assays have the {max(episodes.support_sizes)} + "
            f"{query_size} measurements of an episode; meta-training needs 2 assays at "
            "least: bring more, or lower support_sizes and query_size in the configuration"
        )
    if validation_names is None:
        count = max(1, len(kept) // 10)
        order = generator("validation", experiment.training.seed).permutation(len(kept))
        validation_names = [kept[i].name for i in order[:count]]
    validation = assays.select(validation_names)
    train = Assays(assay for name, assay in assays.items() if name not in validation)
    if not train:
        raise MolmetaError("all assays are for validation; leave some to learn from")
    return train.without(validation.smiles()), validation, one_class
