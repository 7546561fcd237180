"""Models and assays whose checksums are right and whose content is not: refused, or they work."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from molmeta.datasets import read_table
from molmeta.errors import CheckpointError, ConfigError, MolmetaError
from molmeta.files import json_sha256
from molmeta.models.base import BaseModel
from molmeta.models.checkpoints import PRETRAINED, from_pretrained, load_assay
from molmeta.models.tensor_files import read_safetensors, tensors_sha256, write_tensors
from molmeta.molecules import Molecules
from molmeta.tasks import Assay

WRONG = [
    *(None, True, "text", "a\nb", "", [], ["a", 1], {}, {"name": "gin"}, {"a": {"b": [{}]}}),
    *(0, -1, 2.5, 10**12, 10**30, math.nan, math.inf, -math.inf, [[[[[[[[]]]]]]]]),
]
PROBES = Molecules(["CCO", "c1ccccc1"])
GONE = object()


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where each part of tables and lists stands."""
    inside = value.items() if isinstance(value, dict) else enumerate(value)
    for key, part in inside:
        yield (*at, key)
        if isinstance(part, dict | list):
            yield from places(part, (*at, key))


def changed(value: Any, place: tuple[Any, ...], new: Any) -> Any:
    """A copy with another part, or without it."""
    copy = json.loads(json.dumps(value))
    holder = copy
    for key in place[:-1]:
        holder = holder[key]
    if new is GONE:
        del holder[place[-1]]
    else:
        holder[place[-1]] = new
    return copy


def write_config(folder: Path, experiment: Any) -> None:
    path = folder / "config.json"
    config = {**json.loads(path.read_text()), "experiment": experiment}
    path.write_text(json.dumps({**config, "experiment_sha256": json_sha256(experiment)}))


@pytest.fixture(scope="module")
def measured(new_assay: Path) -> Assay:
    return next(iter(read_table(new_assay).assays.binarise().values()))


@pytest.mark.filterwarnings("ignore:Initializing zero-element tensors")
@pytest.mark.parametrize("name", ["small", "graph", "default", "maml"])
def test_a_configuration_of_wrong_values_is_refused_or_works(
    name: str, model: Path, measured: Assay, tmp_path: Path
) -> None:
    source = model if name == "small" else PRETRAINED / name
    folder = Path(shutil.copytree(source, tmp_path / "model"))
    experiment = json.loads((folder / "config.json").read_text())["experiment"]
    few, refused, worked = measured.take(list(range(8))), 0, 0  # type: ignore[arg-type]
    for place in places(experiment):
        wrong = [GONE, *WRONG] if name == "small" else [GONE, "text", -1, 10**12, [1]]
        for new in wrong:
            write_config(folder, changed(experiment, place, new))
            try:
                from_pretrained(folder).adapt(few)
                worked += 1
            except MolmetaError as error:
                refused += 1
                assert len(str(error)) < 3000
    assert refused > worked > 0


@pytest.mark.parametrize("spec", [None, 3, "text", [], {}, {"model": 3}, {"model": {}}])
def test_a_configuration_that_is_no_experiment_is_refused(
    spec: Any, model: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(model, tmp_path / "model"))
    write_config(folder, spec)
    with pytest.raises(MolmetaError):
        from_pretrained(folder)


@pytest.mark.parametrize(
    ("place", "new", "said"),
    [
        (("name",), "../elsewhere", "must do for a folder"),
        (("model", "encoder", "width"), "8", "gin.width is '8'; it must be int"),
        (("model", "encoder", "width"), 10**6, "more weights than the file has"),
        (("model", "encoder", "layers"), 10**6, "more weights than the file has"),
        (("model", "encoder", "layers"), 10**9, "1000000 is the most"),
        (("model", "encoder", "width"), True, "must be int"),
        (("model", "encoder", "name"), ["gin"], "has no name"),
        (("model", "target", "n_way"), "2", "n_way = '2'"),
        (("model", "target", "kind"), "ranking", "kind"),
        (("training", "lr"), math.nan, "training.lr is nan; it must be float"),
        (("training", "lr"), -1.0, "0 is the least"),
        (("training", "evaluate_every"), 0, "1 is the least"),
        (("training", "seed"), 10**30, "training.seed"),
        (("episodes", "support_sizes"), [], "support_sizes"),
        (("episodes", "support_sizes"), ["8"], "support_sizes"),
        (("episodes", "support_sizes"), 8, "support_sizes"),
    ],
)
def test_what_is_wrong_with_a_configuration_is_said(
    place: tuple[str, ...], new: Any, said: str, model: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(model, tmp_path / "model"))
    experiment = json.loads((folder / "config.json").read_text())["experiment"]
    write_config(folder, changed(experiment, place, new))
    with pytest.raises((ConfigError, CheckpointError)) as caught:
        from_pretrained(folder)
    assert said in str(caught.value)


def test_weights_that_are_no_numbers_are_refused(model: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(model, tmp_path / "model"))
    weights, _ = read_safetensors(folder / "model.safetensors")
    name = max(name for name, tensor in weights.items() if tensor.is_floating_point())
    weights[name] = weights[name].clone().fill_(math.nan)
    save_file(weights, folder / "model.safetensors")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "sha256": tensors_sha256(weights)}))
    with pytest.raises(CheckpointError, match="not finite"):
        from_pretrained(folder)


@pytest.fixture(scope="module")
def base(model: Path) -> BaseModel:
    return from_pretrained(model)


def header_of(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    state, header = read_safetensors(path)
    return state, {k: v for k, v in header.items() if k not in ("header_sha256", "state_sha256")}


def test_a_header_of_wrong_values_is_refused_or_works(
    base: BaseModel, assay: Path, tmp_path: Path
) -> None:
    state, header = header_of(assay)
    path, refused = tmp_path / "forged.safetensors", 0
    plain = {key: json.loads(header[key]) for key in ("target", "counts", "info")}
    forged = [{k: v for k, v in header.items() if k != key} for key in header]
    forged += [{**header, key: text} for key in header for text in ("", "[" * 10**5, "{", "\x00")]
    forged += [
        {**header, key: json.dumps(changed(plain[key], place, new))}
        for key in plain
        for place in places(plain[key])
        for new in (GONE, *WRONG)
    ]
    forged += [{**header, key: json.dumps(new)} for key in plain for new in WRONG]
    for one in forged:
        write_tensors(path, state, one)
        try:
            found = load_assay(path, base)
            assert found.predict(PROBES).shape == (2,)
        except MolmetaError:
            refused += 1
    assert refused > len(forged) / 2


def test_a_state_that_is_not_the_models_is_refused(
    base: BaseModel, assay: Path, tmp_path: Path
) -> None:
    state, header = header_of(assay)
    path = tmp_path / "forged.safetensors"
    for name, tensor in state.items():
        for new in (
            None,
            tensor[..., :-1],
            torch.full_like(tensor, math.nan),
            torch.full_like(tensor, math.inf),
            torch.zeros(3, 5, 7),
            torch.zeros(0),
            tensor.double(),
            tensor.to(torch.complex64),
            torch.ones(tensor.shape, dtype=torch.bool),
        ):
            rest = {key: one for key, one in state.items() if key != name}
            write_tensors(path, rest if new is None else {**rest, name: new.contiguous()}, header)
            try:
                assert load_assay(path, base).predict(PROBES).shape == (2,)
            except CheckpointError as error:
                assert "adapt the assay again" in str(error)
            else:
                assert new is not None and bool(torch.isfinite(new).all())
                assert new.shape == tensor.shape


@pytest.mark.parametrize("header", [b"[]", b"3", b'{"__metadata__": null}', b"[" * 10_000, b"{}"])
def test_a_header_that_is_no_table_is_refused(
    header: bytes, base: BaseModel, tmp_path: Path
) -> None:
    path = tmp_path / "forged.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    with pytest.raises(CheckpointError):
        load_assay(path, base)
