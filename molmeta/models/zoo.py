"""Which models are shipped, and what each is."""

from __future__ import annotations

from typing import Any, NamedTuple

from molmeta.models.checkpoints import PRETRAINED, pretrained_names, shipped_config


class ShippedModel(NamedTuple):
    """A model that comes with the package.

    Attributes
    ----------
    name : str
        What `from_pretrained` and `--model-path` take.
    learner, encoder : str
        Registered names; of an encoder that is made of others, all of them.
    learns : str
        `classes`, or `values or classes`.
    megabytes : float
        Size of its folder.
    """

    name: str
    learner: str
    encoder: str
    learns: str
    megabytes: float


def shipped_models() -> list[ShippedModel]:
    """All that are shipped, the default first."""
    return sorted(map(_described, pretrained_names()), key=lambda one: one.name != "default")


def _described(name: str) -> ShippedModel:
    model = shipped_config(name)["experiment"]["model"]
    size = sum(file.stat().st_size for file in (PRETRAINED / name).iterdir())
    learns = "classes" if model["target"]["kind"] == "classification" else "values or classes"
    return ShippedModel(
        name, model["learner"]["name"], " on ".join(_names(model["encoder"])), learns, size / 1e6
    )


def _names(encoder: dict[str, Any]) -> list[str]:
    """The encoder's name, and those of what it stands on."""
    below = encoder.get("network")
    return [encoder["name"], *(_names(below) if isinstance(below, dict) else [])]
