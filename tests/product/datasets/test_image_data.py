"""Folders of images, miniImageNet and the digits, as a user has them: whole and damaged."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pytest
from image_makers import encoded, written
from PIL import Image

from molmeta import load_digits, load_image_folder, load_miniimagenet
from molmeta.datasets.digits import digits_split
from molmeta.errors import ConfigError, DataError
from molmeta.tasks.image_sampling import evaluation_images
from molmeta.tasks.images import ImageSplit


def photograph(seed: int, mode: str = "RGB") -> Image.Image:
    array = np.random.default_rng(seed).integers(0, 256, (10, 14, 3)).astype(np.uint8)
    return Image.fromarray(array).convert(mode)


def folder_of(tmp_path: Path, names: list[str]) -> Path:
    kinds = {".png": "PNG", ".jpg": "JPEG", ".GIF": "GIF"}
    files = {name: encoded(photograph(i), kinds[Path(name).suffix]) for i, name in enumerate(names)}
    return written(tmp_path / "images", files)


def test_a_folder_of_classes(tmp_path):
    folder = folder_of(tmp_path, ["dog/b.png", "dog/a.png", "cat/c.jpg", "cat/d.GIF"])
    written(folder, {"README.md": b"beside the folders", "dog/.hidden": b"x"})
    images = load_image_folder(folder, size=12)
    assert images.names == ("cat", "dog")
    assert images.groups == ("", "")
    assert images.labels.tolist() == [0, 0, 1, 1]
    assert images.pixels.shape == (4, 3, 12, 12)
    resized = photograph(1).resize((12, 12), Image.Resampling.LANCZOS)  # dog/a.png
    np.testing.assert_array_equal(images.pixels[2].transpose(1, 2, 0), np.asarray(resized))
    assert load_image_folder(folder, size=12, channels=1).pixels.shape == (4, 1, 12, 12)


def test_a_folder_of_groups_of_classes(tmp_path):
    folder = folder_of(tmp_path, ["wild/cat/a.png", "tame/dog/a.png", "tame/cat/a.png"])
    images = load_image_folder(str(folder), size=8)
    assert images.names == ("tame/cat", "tame/dog", "wild/cat")
    assert images.groups == ("tame", "tame", "wild")
    assert images.of_groups(["wild"]).names == ("wild/cat",)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK"])
def test_kinds_of_pixels(tmp_path, mode):
    kind = "TIFF" if mode == "CMYK" else "PNG"
    written(tmp_path, {f"a/a.{kind.lower()}": encoded(photograph(0, mode), kind)})
    images = load_image_folder(tmp_path, size=14, channels=3)
    expected = photograph(0, mode).convert("RGB").resize((14, 14), Image.Resampling.LANCZOS)
    np.testing.assert_array_equal(images.pixels[0].transpose(1, 2, 0), np.asarray(expected))


def test_what_is_transparent_is_white(tmp_path):
    black = Image.new("RGBA", (4, 4), (0, 0, 0, 0))
    palette = Image.new("P", (4, 4))
    palette.putpalette([0, 0, 0, 9, 9, 9])
    content = io.BytesIO()
    palette.save(content, "PNG", transparency=b"\x00\xff")
    written(tmp_path, {"a/a.png": encoded(black), "a/b.png": content.getvalue()})
    assert (load_image_folder(tmp_path, size=4).pixels == 255).all()


PAGE = encoded(Image.new("L", (20, 20)))
DEEP = encoded(Image.fromarray(np.full((4, 4), 40_000, np.uint16)))
BAD_FOLDERS = {
    "nothing": ({}, "has no images in folders"),
    "no class": ({"a.png": PAGE}, "a.png is in no class folder"),
    "too deep": ({"a/b/c/d.png": PAGE}, "d.png is in no class folder"),
    "mixed": ({"a/b/c.png": PAGE, "d/e.png": PAGE}, "e.png is in a class folder and"),
    "other file": ({"a/a.png": PAGE, "a/b.txt": b""}, "b.txt is no image"),
    "damaged": ({"a/a.png": PAGE[:50]}, "a.png cannot be read as an image"),
    "not an image": ({"a/a.jpg": b"x"}, "a.jpg is no image"),
    "16 bits": ({"a/a.png": DEEP}, "I;16; save it with 8 bits"),
}


@pytest.mark.parametrize(("files", "message"), BAD_FOLDERS.values(), ids=BAD_FOLDERS)
def test_a_folder_that_cannot_be_read_is_told_why(tmp_path, files, message):
    with pytest.raises(DataError, match=message):
        load_image_folder(written(tmp_path, files), size=8)


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(DataError, match=r"no folder .*nowhere"):
        load_image_folder(tmp_path / "nowhere", size=8)
    with pytest.raises(ConfigError, match="2 channels"):
        load_image_folder(tmp_path, size=8, channels=2)


def miniimagenet(folder: Path, rows: dict[str, list[tuple[str, str]]]) -> Path:
    """A miniature with these (filename, label) of each part; every file is there."""
    for part, listed in rows.items():
        folder.mkdir(exist_ok=True)
        with (folder / f"{part}.csv").open("w", newline="") as file:
            csv.writer(file).writerows([("filename", "label"), *listed])
        files = {f"images/{name}": encoded(photograph(len(name)), "JPEG") for name, _ in listed}
        written(folder, files)
    return folder


def rows() -> dict[str, list[tuple[str, str]]]:
    return {
        part: [(f"{label}{i}.jpg", label) for label in labels for i in (2, 1)]
        for part, labels in {
            "train": ("n02", "n01", "n03"),
            "val": ("n10",),
            "test": ("n20", "n21"),
        }.items()
    }


def test_miniimagenet(tmp_path):
    split = load_miniimagenet(miniimagenet(tmp_path / "mini", rows()))
    assert isinstance(split, ImageSplit)
    assert [part.names for part in split[:3]] == [("n01", "n02", "n03"), ("n10",), ("n20", "n21")]
    assert split.train.groups == ("train",) * 3
    assert split.train.pixels.shape == (6, 3, 84, 84)
    assert split.train.labels.tolist() == [0, 0, 1, 1, 2, 2]
    file = Image.open(tmp_path / "mini" / "images" / "n011.jpg")
    expected = np.asarray(file.resize((84, 84), Image.Resampling.LANCZOS)).transpose(2, 0, 1)
    np.testing.assert_array_equal(split.train.pixels[0], expected)


def test_missing_photographs_are_counted_and_named(tmp_path):
    folder = miniimagenet(tmp_path / "mini", rows())
    for name in ("n011.jpg", "n022.jpg", "n201.jpg", "n211.jpg"):
        (folder / "images" / name).unlink()
    with pytest.raises(DataError, match=r"4 of 12 files are missing in .*: .*n011.jpg.*, …"):
        load_miniimagenet(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"val": [("n10.jpg", "n01")]}, "class n01 is in train.csv and val.csv"),
        ({"val": [("n101.jpg", "n10"), ("n101.jpg", "n10")]}, "n101.jpg is listed twice"),
        ({"val": [("../n10.jpg", "n10")]}, "'../n10.jpg' is no name of a file"),
        ({"val": []}, "val.csv has a header but no rows"),
    ],
)
def test_tables_that_cannot_be_right_are_refused(tmp_path, change, message):
    with pytest.raises(DataError, match=message):
        load_miniimagenet(miniimagenet(tmp_path / "mini", rows() | change))


def test_missing_and_other_tables(tmp_path):
    with pytest.raises(DataError, match=r"there is no .*train\.csv"):
        load_miniimagenet(tmp_path)
    folder = miniimagenet(tmp_path / "mini", rows())
    (folder / "val.csv").write_text("file,class\na.jpg,n10\n")
    with pytest.raises(DataError, match="columns file, class; it needs filename and label"):
        load_miniimagenet(folder)
    (folder / "val.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match=r"val.csv is not in utf-16"):
        load_miniimagenet(folder)


def test_digits():
    digits = load_digits()
    assert len(digits) == 1797
    assert digits.names == tuple("0123456789")
    assert digits.pixels.shape == (1797, 1, 28, 28)
    assert digits.counts.min() == 174
    assert 0.1 < digits.tensor().mean() < 0.5
    from sklearn import datasets

    small, labels = datasets.load_digits(return_X_y=True)
    np.testing.assert_array_equal(
        load_digits(8).pixels.reshape(1797, 64), np.round(small * 255 / 16)
    )
    np.testing.assert_array_equal(digits.labels, labels)


def test_the_digits_are_split_by_class():
    split = digits_split()
    assert [part.names for part in split[:3]] == [tuple("0123"), tuple("456"), tuple("789")]
    assert sum(len(part) for part in split[:3]) == 1797
    assert evaluation_images(split.test, 3, 5, 5, 0).support.x.shape == (15, 1, 28, 28)
