"""Image benchmarks as a user runs them: digits on a fresh machine, Omniglot from its zip file."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from image_makers import encoded, written
from PIL import Image

from molmeta import from_pretrained, load_experiment
from molmeta.cli.main import main
from molmeta.datasets.digits import digits_split
from molmeta.datasets.image_splits import load_image_splits
from molmeta.errors import ConfigError, MolmetaError
from molmeta.evaluation.image_benchmark import (
    published_size,
    run_image_benchmark,
    trained_together,
)
from molmeta.evaluation.image_results import image_markdown, kinds
from molmeta.evaluation.protocol import COLUMNS, ImageProtocol
from molmeta.learners.functional import tanimoto
from molmeta.models.config import experiment_names
from molmeta.tasks.image_changes import ImageChanges
from molmeta.tasks.image_sampling import evaluation_images
from molmeta.training.meta_training import meta_train, meta_train_images
from molmeta.training.scoring import score_images

OMNIGLOT = Path(__file__).parents[4] / "shared" / "data" / "omniglot_images_background_small1.zip"
EXPERIMENT = """
[model.learner]
name = "prototypical"

[model.encoder]
name = "conv4"
width = 4

[episodes]
shots = [1, 2]
query_shots = 2
meta_batch_classes = 4

[training]
steps = 4
evaluate_every = 2
validation_draws = 2
"""
TINY = ImageProtocol(n_ways=(2,), shots=(1,), query_shots=2, draws=2)


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An experiment that trains in a second."""
    path = tmp_path_factory.mktemp("images") / "tiny.toml"
    path.write_text(EXPERIMENT)
    return path


def test_digits_are_benchmarked_on_a_fresh_machine(config, tmp_path, capsys):
    out = tmp_path / "digits.csv"
    told = tmp_path / "zero_shot.toml"
    described = 'name = "zero_shot"\ndescription = "attributes"\nwidth = 7'
    text = EXPERIMENT.replace('name = "prototypical"', described)
    told.write_text(text.replace("shots = [1, 2]", "shots = [0]"))
    command = [
        *("benchmark", "--images", "digits", "--learners", str(config), str(told)),
        *("--n-way", "2", "3", "--shots", "1", "5", "--draws", "3"),
        *("--save-dir", str(tmp_path / "runs"), "--output", str(out)),
    ]
    assert main(command) == 0
    scores = pd.read_csv(out)
    assert list(scores.columns) == COLUMNS
    assert set(scores["learner"]) == {"tiny", "zero_shot", "nearest_neighbours"}
    assert set(scores["metric"]) == {"accuracy"} and scores["value"].between(0, 1).all()
    assert kinds(scores) == [(2, 1), (2, 5), (3, 1), (3, 5)]
    assert len(scores) == 3 * 4 * 3
    summary = out.with_suffix(".md").read_text()
    assert "| tiny |" in summary and "looked at once" in summary and "parameters" in summary
    assert "--n-way 2 3 --shots 1 5 --draws 3 --seed 0" in summary
    assert json.loads((tmp_path / "digits.environment.json").read_text())["packages"]["torch"]
    assert summary.split("\n\n", 2)[2] in capsys.readouterr().out

    assert not (tmp_path / "runs" / "2-way").exists()  # prototypes serve any number of classes
    (trained,) = (tmp_path / "runs" / "3-way").glob("*/tiny")
    assert from_pretrained(trained).experiment.model.target["n_way"] == 3
    assert json.loads((trained / "environment.json").read_text())["training_seconds"] > 0
    assert "classes of images" in (trained / "README.md").read_text()

    went = pd.read_csv(tmp_path / "digits-training.csv")
    assert list(went.columns) == ["learner", "n_way", "split", "step", "loss", "score"]
    assert set(went["learner"]) == {"tiny", "zero_shot"} and set(went["n_way"]) == {3}
    assert list(went.loc[went["learner"] == "tiny", "step"]) == [2, 4]
    assert (tmp_path / "digits-training.png").read_bytes()[1:4] == b"PNG"

    first = scores
    assert main([*command, "--overwrite"]) == 0  # runs that are there are not trained again
    pd.testing.assert_frame_equal(pd.read_csv(out), first)


def test_learners_are_trained_once_where_they_take_any_number_of_classes():
    for name in experiment_names("images"):
        together = trained_together(load_experiment(name), (2, 3))
        learner = name.removeprefix("images/").removesuffix("_hyper")
        own = {"anil", "few_shot_gnn", "fomaml", "maml", "mann", "meta_networks", "reptile"}
        assert together == ([(2,), (3,)] if learner in own else [(2, 3)]), name


def test_the_pixel_neighbour_is_the_most_similar_image():
    split, n_way = digits_split(), 3
    results = run_image_benchmark(
        [], "digits", (), replace(TINY, n_ways=(n_way,), draws=5), Path("-")
    )
    for draw, value in zip(range(5), results.scores["value"], strict=True):
        episode = evaluation_images(split.test, n_way, 1, 2, draw)
        flat = [part.x.flatten(1).double() for part in (episode.query, episode.support)]
        guess = episode.support.y[tanimoto(*flat).argmax(dim=1)]
        assert float((guess == episode.query.y).double().mean()) == pytest.approx(value)


def test_every_image_experiment_trains_and_scores_on_digits():
    split = digits_split()
    for name in experiment_names("images"):
        experiment = load_experiment(name)
        assert experiment.name == name.removeprefix("images/")
        if experiment.training.steps:
            training = replace(
                experiment.training, steps=1, validation_draws=1, encoder_from="", encoder_lr=None
            )
            experiment = replace(experiment, training=training)
            learner = meta_train_images(experiment, *split[:2], n_way=2, progress=False).learner
            (score,) = score_images(learner, split.test, "digits", 2, [1], 2, draws=1)
            assert score.support_size == 2 and score.prevalence == 0.5


def test_the_published_size_changes_no_picture_and_begins_at_random():
    for name in experiment_names("images"):
        experiment = load_experiment(name)
        if not experiment.training.steps:
            continue
        found = published_size(experiment)
        assert found.training.steps == 40_000
        assert found.training.encoder_from == "" and found.training.encoder_lr is None
        assert found.episodes.changes == ImageChanges()


def test_zero_shot_is_asked_the_same_queries():
    digits = digits_split().test
    shown, told = (
        evaluation_images(digits, 3, 5, 2, 0, described=described) for described in (False, True)
    )
    np.testing.assert_array_equal(shown.query.x, told.query.x)
    np.testing.assert_array_equal(shown.query.y, told.query.y)
    assert digits.attributes is not None
    assert told.support.x.shape == (3, 7)
    names = [digits.names[i] for i in range(3)]
    for row, name in zip(told.support.x, shown.task.split(", "), strict=True):
        np.testing.assert_array_equal(row, digits.attributes[names.index(name)])


def test_an_encoder_can_begin_with_a_trained_one_and_be_held_fast(config, tmp_path):
    follower = tmp_path / "follower.toml"
    text = EXPERIMENT.replace('"prototypical"', '"siamese"')
    follower.write_text(text + f'encoder_lr = 0.0\nencoder_from = "{config}"\n')
    split = digits_split()
    models = [
        meta_train_images(
            str(path), *split[:2], n_way=2, save_dir=tmp_path / path.stem, progress=False
        )
        for path in (config, follower)
    ]
    first, second = (model.learner.state_dict() for model in models)
    shared = [name for name in first if name.startswith("encoder.")]
    assert shared and all(first[name].equal(second[name]) for name in shared)
    assert all(p.requires_grad for p in models[1].learner.parameters())
    began = from_pretrained(tmp_path / "follower" / "encoders" / config.stem).learner.state_dict()
    assert all(first[name].equal(began[name]) for name in shared)

    follower.write_text(text.replace("width = 4", "width = 8") + f'encoder_from = "{config}"\n')
    with pytest.raises(ConfigError, match="give both the same"):
        meta_train_images(str(follower), split.train, n_way=2, progress=False)


@pytest.mark.parametrize("name", ["maml", "fomaml", "reptile"])
def test_a_network_that_moves_as_a_whole_begins_with_a_trained_encoder(name, config, tmp_path):
    follower = tmp_path / "follower.toml"
    text = EXPERIMENT.replace('"prototypical"', f'"{name}"')
    follower.write_text(text + f'lr = 1e-30\nencoder_from = "{config}"\n')
    split = digits_split()
    first = meta_train_images(str(config), *split[:2], n_way=2, progress=False).learner
    second = meta_train_images(str(follower), *split[:2], n_way=2, progress=False).learner
    moved = second.network[0].state_dict()
    assert moved and all(first.encoder.state_dict()[key].equal(moved[key]) for key in moved)


def test_learners_of_a_benchmark_share_the_encoder_that_they_begin_with(config, tmp_path):
    names = []
    for learner in ("siamese", "matching"):
        path = tmp_path / f"{learner}.toml"
        text = EXPERIMENT.replace('"prototypical"', f'"{learner}"')
        path.write_text(text + f'encoder_lr = 0.0\nencoder_from = "{config}"\n')
        names.append(str(path))
    runs = tmp_path / "runs"
    results = run_image_benchmark(names, "digits", (), TINY, runs, workers=1)
    assert set(results.scores["learner"]) == {"siamese", "matching", "nearest_neighbours"}
    most = runs / f"{max(TINY.n_ways)}-way"
    (begun,) = most.glob(f"*/{config.stem}/model.safetensors")
    assert not list(runs.rglob("encoders"))
    first = from_pretrained(begun.parent).learner.state_dict()
    for learner in ("siamese", "matching"):
        for folder in runs.glob(f"*/*/{learner}"):
            weights = from_pretrained(folder).learner.state_dict()
            shared = [name for name in first if name.startswith("encoder.")]
            assert shared and all(first[name].equal(weights[name]) for name in shared)


def test_molecules_and_images_are_not_mixed_up(config):
    split = digits_split()
    with pytest.raises(ConfigError, match=r"'prototypical' is for molecules.*images/prototypical"):
        meta_train_images("prototypical", split.train)
    with pytest.raises(ConfigError, match="'maml' is for images"):
        meta_train("images/maml", {})  # type: ignore[arg-type]
    with pytest.raises(MolmetaError, match="class 0 is in both"):
        meta_train_images(str(config), split.train, split.train)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--images", "cats"], "there is no image data set 'cats'"),
        (["--images", "digits", "--data-path", "x.zip"], "digits is read from 0 paths; found 1"),
        (["--images", "omniglot"], "omniglot is read from 1 or 2 paths; found 0"),
        (["--images", "omniglot", "--data-path", "none.zip"], "no zip file or folder none.zip"),
        (["--images", "digits", "--n-way", "4"], "there are 3 classes of images"),
        (["--query-shots", "1"], "--query-shots and --published-size are of images"),
        (["--n-way", "5"], "--n-way is of images"),
        (["--data-path", "a.csv", "embedded"], "has 'embedded' beside other assays"),
    ],
)
def test_what_cannot_be_done_is_refused(arguments, said, tmp_path, capsys):
    command = ["benchmark", "--learners", "prototypical", "--output", str(tmp_path / "out.csv")]
    assert main([*command, *arguments]) == 2
    assert said in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_training_on_images_by_command(config, tmp_path, capsys):
    command = ["train", "--config", str(config), "--images", "digits", "--n-way", "3"]
    assert main([*command, "--save-dir", str(tmp_path / "run"), "--device", "cpu"]) == 0
    said = capsys.readouterr().err
    assert "4 classes to learn from, 3 to select by, 3 left for the test" in said
    assert from_pretrained(tmp_path / "run").experiment.model.target["n_way"] == 3


def test_figures_of_the_table():
    rows = [
        ("nearest_neighbours", "A", 5, 0, "accuracy", 0.5, 0.2),
        ("nearest_neighbours", "B", 5, 0, "accuracy", 0.7, 0.2),
        ("maml", "A", 5, 0, "accuracy", 0.75, 0.2),
        ("maml", "B", 5, 0, "accuracy", 0.75, 0.2),
    ]
    table = image_markdown(pd.DataFrame(rows, columns=COLUMNS))
    assert "| learner | 5-way 1-shot |" in table
    assert "| nearest_neighbours | 60.0 |" in table
    assert "| maml | 75.0 (+15.0 [+5.0, +25.0]) |" in table


@pytest.mark.skipif(not OMNIGLOT.exists(), reason="needs the shared Omniglot set")
def test_omniglot_tests_every_alphabet_once(tmp_path):
    protocol = replace(TINY, n_ways=(5,), shots=(1, 5), draws=20)
    results = run_image_benchmark([], "omniglot", [str(OMNIGLOT)], protocol, tmp_path)
    assert results.scores["task"].nunique() == 5
    accuracy = results.scores.groupby("support_size")["value"].mean()
    assert 0.3 < accuracy[5] < accuracy[25] < 0.9  # far above chance, far below a learner
    with pytest.raises(ConfigError, match="reads attributes"):
        run_image_benchmark(["zero_shot"], "omniglot", [str(OMNIGLOT)], protocol, tmp_path)
    assert len(load_image_splits("omniglot", (str(OMNIGLOT),))) == 5


def test_the_official_split_of_omniglot_and_miniimagenet_by_one_command(tmp_path, capsys):
    """Made drawings and photographs, in the layouts of the real files."""
    parts = {"background": ("Greek", "Latin", "N_Ko"), "evaluation": ("Atlantean", "Tengwar")}
    for part, alphabets in parts.items():
        root = tmp_path / f"images_{part}"
        for alphabet in alphabets:
            for c, d in np.ndindex(2, 4):
                ink = Image.fromarray(np.arange(105 * 105).reshape(105, 105) % (c + d + 2) > 0)
                name = f"{alphabet}/character{c + 1:02d}/000{c}_{d + 1:02d}.png"
                written(root, {name: encoded(ink)})
    photographs = tmp_path / "mini"
    for k, part in enumerate(("train", "val", "test")):
        rows = [(f"{part}{c}{i}.png", f"{part}{c}") for c in range(2) for i in range(4)]
        for i, (name, _) in enumerate(rows):
            photo = Image.new("RGB", (20, 20), (40 * k, 30 * i, 7))
            written(photographs / "images", {name: encoded(photo)})
        pd.DataFrame(rows, columns=["filename", "label"]).to_csv(
            photographs / f"{part}.csv", index=False
        )
    config = tmp_path / "tiny.toml"
    config.write_text(EXPERIMENT.replace("steps = 4", "steps = 2"))
    background, evaluation = (str(tmp_path / f"images_{part}") for part in parts)
    for name, paths in (("omniglot", [background, evaluation]), ("miniimagenet", [photographs])):
        out = tmp_path / f"{name}.csv"
        command = [
            *("benchmark", "--images", name, "--data-path", *map(str, paths)),
            *("--learners", str(config), "--n-way", "2", "--shots", "1", "--draws", "2"),
            *("--save-dir", str(tmp_path / "runs" / name), "--output", str(out)),
        ]
        # 5 queries a class are more than these classes have
        assert main(command) == 2
        assert "classes have fewer than the 6 images" in capsys.readouterr().err
        assert main([*command, "--query-shots", "2"]) == 0
        scores = pd.read_csv(out)
        assert set(scores["learner"]) == {"tiny", "nearest_neighbours"}
        assert scores["task"].unique().tolist() == [
            load_image_splits(name, tuple(map(str, paths)))[0].name
        ]
