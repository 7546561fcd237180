"""`molmeta reproduce nguyen2020` at the size of a test: tables, figure, resumption, refusals."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd
import pytest
from product_commands import python

from molmeta.cli.main import main
from molmeta.learners.base import Embedded
from molmeta.learners.released_maml import ReleasedMAML
from molmeta.models.checkpoints import from_pretrained
from molmeta.reproduce import SIZES

ROWS = (
    "maml",
    "fomaml",
    "anil",
    "fine_tune_all",
    "fine_tune_top",
    "knn",
    "random_forest",
    "random_forest_with_validation",
)
LAUNCH = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")


def reproduce(folder: Path, *more: str) -> list[str]:
    return ["reproduce", "nguyen2020", "--save-dir", str(folder), "--device", "cpu", *more]


@pytest.fixture(scope="module")
def smoke(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The whole study, a minute: its folder and what the command printed."""
    folder = tmp_path_factory.mktemp("smoke")
    done = python("-m", "molmeta", *reproduce(folder))
    assert done.returncode == 0, done.stderr
    return folder, done.stdout


@pytest.fixture(scope="module")
def scores(smoke: tuple[Path, str]) -> pd.DataFrame:
    return pd.read_csv(smoke[0] / "results.csv")


@pytest.mark.slow
def test_every_method_is_scored_on_the_same_supports(scores: pd.DataFrame) -> None:
    assert tuple(dict.fromkeys(scores["learner"])) == ROWS
    keys = ["task", "support_size", "split_seed", "metric"]
    expected = scores[scores["learner"] == "random_forest"][[*keys, "prevalence"]]
    assert len(expected) == 8 * 2 * 2 * 2
    for name in ROWS:
        found = scores[scores["learner"] == name][[*keys, "prevalence"]]
        pd.testing.assert_frame_equal(
            found.sort_values(keys, ignore_index=True),
            expected.sort_values(keys, ignore_index=True),
        )
    assert scores["value"].between(0, 1).all()
    assert set(scores["group"]) == {"in-distribution", "out-of-distribution"}


@pytest.mark.slow
def test_the_page_says_what_was_run_and_how_it_differs(smoke: tuple[Path, str]) -> None:
    folder, printed = smoke
    page = (folder / "results.md").read_text()
    assert page.endswith(printed.strip() + "\n")
    for text in (
        "A re-creation, on other data.",
        "Made by `molmeta reproduce nguyen2020 --size smoke --data-path embedded --methods maml",
        "8 for k = 16, 8 for k = 32",
        "meta steps 20, where the paper has 60000",
        "RDKit's atom features in place of OpenEye's",
        "[no interval]",  # one assay is out of distribution
        "| random forest, with the stopping set |",
        "in-distribution: AUPRC of MAML − that of each use of the multi-task network",
        "out-of-distribution: MAML's lead there − its lead in distribution",
        "| the paper | here |",
        "AUPRC +26.9 % over multi-task pre-training",
    ):
        assert text in page, text
    assert json.loads((folder / "results.environment.json").read_text())["packages"]["torch"]
    for name in ("results.png", "results-curves.png"):
        assert (folder / name).read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


@pytest.mark.slow
def test_the_curves_are_what_each_training_was_selected_by(smoke: tuple[Path, str]) -> None:
    curves = pd.read_csv(smoke[0] / "results-curves.csv")
    assert set(curves["learner"]) == {"maml", "fomaml", "anil", "multi_task"}
    for kind, part in curves.groupby("learner"):
        history = pd.read_csv(smoke[0] / f"{kind}-seed0" / "history.csv").dropna(subset="score")
        assert part["step"].tolist() == history["step"].tolist()
        assert part["score"].tolist() == history["score"].tolist()


@pytest.mark.slow
def test_the_same_command_takes_what_is_there(
    smoke: tuple[Path, str], capsys: pytest.CaptureFixture[str]
) -> None:
    folder, printed = smoke
    models = {p: p.stat().st_mtime_ns for p in folder.glob("*/scores-*/*.csv")}
    assert len(models) == 8 * 5
    gone = sorted(models)[3]
    content = gone.read_bytes()
    gone.unlink()  # as if the run had been stopped here
    assert main(reproduce(folder, "--workers", "1")) == 0
    assert capsys.readouterr().out.strip() == printed.strip()
    assert gone.read_bytes() == content
    assert all(p.stat().st_mtime_ns == at for p, at in models.items() if p != gone)


@pytest.mark.slow
def test_an_unfinished_training_goes_on_to_the_same_weights(
    smoke: tuple[Path, str], tmp_path: Path
) -> None:
    """The checkpoint of the first of two looks, and the same command again."""
    whole = smoke[0] / "anil-seed0"
    command = reproduce(tmp_path, "--methods", "anil", "--workers", "1")
    done = python("-c", STOPPED, *command)
    assert "stopped here" in done.stderr, done.stderr
    assert (tmp_path / "anil-seed0" / "checkpoint.safetensors").exists()
    assert not (tmp_path / "anil-seed0" / "model.safetensors").exists()
    again = python("-m", "molmeta", *command)
    assert again.returncode == 0, again.stderr
    for name in ("model.safetensors", "history.csv", "config.json"):
        assert (tmp_path / "anil-seed0" / name).read_bytes() == (whole / name).read_bytes()


STOPPED = """
import sys
from molmeta.training import trainer
from molmeta.cli.main import main
save = trainer.MetaTrainer.save
def stop(self, path):
    save(self, path)
    raise SystemExit("stopped here")
trainer.MetaTrainer.save = stop
main(sys.argv[1:])
"""


@pytest.mark.slow
def test_as_released_anil_is_maml_and_weights_actives(tmp_path: Path) -> None:
    done = python(
        *("-m", "molmeta", *reproduce(tmp_path, "--compat", "gsk2020", "--methods", "anil")),
        *("multi_task", "--split-seeds", "1"),
    )
    assert done.returncode == 0, done.stderr
    assert "corrected:" not in done.stdout
    learner = from_pretrained(tmp_path / "anil-seed0").learner
    assert isinstance(learner, ReleasedMAML) and 0.4 < learner.positive_weight < 0.6
    assert "--compat gsk2020" in (tmp_path / "results.md").read_text()


@pytest.mark.slow
def test_two_processes_train_one_model(smoke: tuple[Path, str], tmp_path: Path) -> None:
    command = reproduce(tmp_path, "--methods", "anil", "multi_task", "random_forest")
    done = python(*LAUNCH, "-m", "molmeta", *command)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("A re-creation, on other data.") == 1
    history, known = (
        pd.read_csv(place / "anil-seed0" / "history.csv") for place in (tmp_path, smoke[0])
    )
    pd.testing.assert_frame_equal(history[["step", "loss"]], known[["step", "loss"]], rtol=1e-3)
    found = pd.read_csv(tmp_path / "results.csv")
    assert set(found["learner"]) == {*ROWS[2:]}


@pytest.mark.slow
def test_anil_is_true_anil_where_it_is_corrected(smoke: tuple[Path, str]) -> None:
    learner = from_pretrained(smoke[0] / "anil-seed0").learner
    assert isinstance(learner, Embedded)
    assert {name for name, _ in learner.learner.named_parameters()} == {
        *("network.linear.weight", "network.linear.bias")
    }


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--methods", "mamll"], r"no method 'mamll'; did you mean 'maml'\?"),
        (["--model-seeds", "0"], "--model-seeds is 0; 1 is the least"),
        (["--data-path", "nowhere.csv"], "nowhere.csv"),
        (["--protocol", "molecule-halves"], "is for a table that is divided; give --data-path"),
    ],
)
def test_what_cannot_be_run_is_refused_in_one_line(
    more: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(reproduce(tmp_path / "runs", *more)) == 2
    found = capsys.readouterr().err
    assert re.search(message, found) and found.count("\n") == 1, found
    assert not (tmp_path / "runs").exists()


def test_results_that_are_there_are_not_replaced_unasked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "kept.csv"
    output.write_text("mine")
    assert main(reproduce(tmp_path / "runs", "--output", str(output))) == 2
    assert "--overwrite" in capsys.readouterr().err and output.read_text() == "mine"


def test_a_night_is_a_sixteenth_of_the_published_training() -> None:
    night, paper = SIZES["night"], SIZES["paper"]
    tasks = [size.meta_steps * size.meta_batch_size for size in (night, paper)]
    assert 16 * tasks[0] == tasks[1] and night.support_sizes == paper.support_sizes
    assert night.model_seeds >= 3 and not {"maml", "multi_task"} & set(night.once)
