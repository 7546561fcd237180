"""Omniglot as a user has it: zip files and folders, whole and damaged."""

from __future__ import annotations

import re
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from image_makers import Files, encoded, written
from PIL import Image

from molmeta import Images, load_omniglot
from molmeta.datasets.omniglot import alphabet_folds, omniglot_split
from molmeta.errors import ConfigError, DataError
from molmeta.tasks.image_sampling import evaluation_images

OMNIGLOT = Path(__file__).parents[4] / "shared" / "data" / "omniglot_images_background_small1.zip"
ALPHABETS = ("Greek", "Malay_(Jawi_-_Arabic)", "N_Ko")


def drawing(row: int, side: int = 105) -> bytes:
    """White paper with a line of ink across one row of blocks of 15 × 15."""
    array = np.ones((side, side), dtype=bool)
    array[15 * row : 15 * (row + 1)] = False
    return encoded(Image.fromarray(array))


def drawings(alphabets: tuple[str, ...] = ALPHABETS, root: str = "images_background/") -> Files:
    """Two characters an alphabet, three drawings a character: ink in row c + drawing."""
    return {
        f"{root}{alphabet}/character{c:02d}/{10 * a + c:04d}_{d:02d}.png": drawing(c + d)
        for a, alphabet in enumerate(alphabets)
        for c in (1, 2)
        for d in (1, 2, 3)
    }


def zipped(path: Path, files: Files) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in reversed(files.items()):  # the order in the file is not to matter
            archive.writestr(name, content)
    return path


@pytest.fixture
def omniglot(tmp_path) -> Path:
    return zipped(tmp_path / "images_background.zip", drawings())


def same(one: Images, other: Images) -> bool:
    return one.digest() == other.digest()


def test_omniglot_from_a_zip_file(omniglot):
    images = load_omniglot(omniglot, size=7)
    assert images.names[:2] == ("Greek/character01", "Greek/character02")
    assert images.groups == tuple(name for name in ALPHABETS for _ in (1, 2))
    assert images.pixels.shape == (18, 1, 7, 7)
    assert images.counts.tolist() == [3] * 6
    for label, (character, alphabet) in enumerate(zip(images.names, images.groups, strict=True)):
        assert character.startswith(alphabet + "/")
        for d, row in enumerate(images.rows[label], start=1):
            expected = np.zeros((7, 7), np.uint8)  # 105 is 7 × 15: a block of ink is a pixel
            expected[int(character[-2:]) + d] = 255
            np.testing.assert_array_equal(images.pixels[row, 0], expected)


def test_a_pixel_is_the_mean_of_what_it_covers(omniglot):
    coarse, fine = (load_omniglot(omniglot, size=size).pixels for size in (5, 105))
    blocks = fine.reshape(18, 1, 5, 21, 5, 21).mean(axis=(3, 5))
    np.testing.assert_allclose(coarse, blocks, atol=0.51)


def test_a_folder_gives_the_same_as_its_zip_file(omniglot, tmp_path):
    expected = load_omniglot(omniglot)
    outer = written(tmp_path / "unpacked", drawings())
    (outer / ".DS_Store").write_bytes(b"hidden")
    assert same(load_omniglot(outer), expected)
    assert same(load_omniglot(str(outer / "images_background")), expected)
    bare = zipped(tmp_path / "bare.zip", drawings(root="") | {"__MACOSX/._x.png": b""})
    assert same(load_omniglot(bare), expected)


def test_rotations_are_extra_classes(omniglot):
    plain, rotated = load_omniglot(omniglot), load_omniglot(omniglot, rotations=True)
    assert rotated.n_classes == 4 * plain.n_classes
    assert same(rotated, plain.rotated())


def damaged(content: bytes) -> bytes:
    at = content.index(b"IDAT") + 8
    return content[:at] + bytes([content[at] ^ 255]) + content[at + 1 :]


def declares(side: int) -> bytes:
    """A PNG file whose header speaks of side × side pixels."""
    chunks = {b"IHDR": struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0), b"IDAT": b"x"}
    content = b"\x89PNG\r\n\x1a\n"
    for kind, data in chunks.items():
        content += struct.pack(">I", len(data)) + kind + data
        content += struct.pack(">I", zlib.crc32(kind + data))
    return content


ODD = "images_background/Greek/character01/0001_09.png"
BAD_FILES = {
    "text": ({ODD: b"not an image"}, f"{ODD} is no image, or damaged"),
    "empty": ({ODD: b""}, f"{ODD} is no image"),
    "cut": ({ODD: drawing(1)[:60]}, f"{ODD} cannot be read as an image"),
    "overwritten": ({ODD: damaged(drawing(1))}, f"{ODD} cannot be read as an image"),
    "bomb": ({ODD: declares(100_000)}, f"{ODD} cannot be read as an image: .*bomb"),
    "other size": ({ODD: drawing(1, side=90)}, f"{ODD} is a PNG of 90 × 90"),
    "other format": (
        {ODD: encoded(Image.new("L", (105, 105)), "JPEG")},
        f"{ODD} is a JPEG of 105 × 105",
    ),
    "other file": ({"images_background/Greek/notes.txt": b"x"}, "Greek/notes.txt is no drawing"),
    "other name": ({"images_background/Greek/a/0001_01.png": drawing(1)}, "a/0001_01.png is no"),
    "two sets": (
        {"images_evaluation/Latin/character01/0001_01.png": drawing(1)},
        "images_background and images_evaluation; load one",
    ),
}


@pytest.mark.parametrize("packed", [True, False], ids=["zip", "folder"])
@pytest.mark.parametrize(("extra", "message"), BAD_FILES.values(), ids=BAD_FILES)
def test_a_file_that_does_not_belong_is_named(tmp_path, packed, extra, message):
    files = drawings() | extra
    path = zipped(tmp_path / "set.zip", files) if packed else written(tmp_path / "set", files)
    with pytest.raises(DataError, match=message) as error:
        load_omniglot(path)
    assert str(path) in str(error.value)
    assert "0x" not in str(error.value)


OUTSIDE = ["../evil.png", "../Greek/character01/0001_09.png", "/Greek/character01/0001_09.png"]


@pytest.mark.parametrize("name", OUTSIDE)
def test_a_name_that_leads_out_of_the_zip_file_is_refused_and_nothing_written(tmp_path, name):
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    path = zipped(inner / "set.zip", drawings() | {name: drawing(1)})
    with pytest.raises(DataError, match=f"{re.escape(name)} is no drawing"):
        load_omniglot(path)
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == [path]


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_drawing_that_is_there_twice_is_refused(omniglot):
    with zipfile.ZipFile(omniglot, "a") as archive:
        archive.writestr("images_background/Greek/character01/0001_01.png", drawing(1))
    with pytest.raises(DataError, match=r"0001_01.png twice"):
        load_omniglot(omniglot)


def test_a_damaged_zip_file_is_named(omniglot, tmp_path):
    content = omniglot.read_bytes()
    cut = tmp_path / "cut.zip"
    cut.write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match=r"cut.zip cannot be read as a zip file"):
        load_omniglot(cut)
    flipped = tmp_path / "flipped.zip"
    at = content.index(b"IDAT") if b"IDAT" in content else 120
    flipped.write_bytes(content[:at] + bytes([content[at] ^ 255]) + content[at + 1 :])
    with pytest.raises(DataError, match=r"flipped.zip: .*\.png is damaged"):
        load_omniglot(flipped)


def test_a_large_member_is_not_unpacked(tmp_path):
    path = zipped(tmp_path / "set.zip", {ODD: bytes(2_000_000)})
    assert path.stat().st_size < 10_000
    with pytest.raises(DataError, match=r"0001_09.png is too large"):
        load_omniglot(path)


def test_a_path_without_drawings_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"there is no zip file or folder .*nowhere"):
        load_omniglot(tmp_path / "nowhere.zip")
    with pytest.raises(DataError, match="has no drawings"):
        load_omniglot(tmp_path)
    with pytest.raises(DataError, match="has no drawings"):
        load_omniglot(zipped(tmp_path / "empty.zip", {}))
    with pytest.raises(ConfigError, match="size 0"):
        load_omniglot(tmp_path, size=0)


def test_the_official_split_is_disjoint_by_alphabet(tmp_path):
    names = tuple(f"Alphabet{i:02d}" for i in range(12))
    background = zipped(tmp_path / "background.zip", drawings(names))
    evaluation = zipped(tmp_path / "evaluation.zip", drawings(("Tengwar", "Keble")))
    split = omniglot_split(background, evaluation, size=7)
    groups = [set(part.groups) for part in (split.train, split.validation, split.test)]
    assert [len(g) for g in groups] == [10, 2, 2]
    assert groups[0] | groups[1] == set(names)
    assert groups[2] == {"Tengwar", "Keble"}
    assert groups[1] == {"Alphabet01", "Alphabet02"}  # the committed choice
    rotated = omniglot_split(background, evaluation, size=7, rotations=True)
    for part, plain in zip(rotated[:3], split[:3], strict=True):
        assert same(part, plain.rotated())
    with pytest.raises(DataError, match=r"Alphabet00 is in .*background.zip and in"):
        omniglot_split(background, background)
    one = zipped(tmp_path / "one.zip", drawings(("Greek",)))
    with pytest.raises(DataError, match="one alphabet"):
        omniglot_split(one, evaluation)


def test_every_alphabet_is_tested_once(omniglot):
    images = load_omniglot(omniglot, size=7)
    folds = alphabet_folds(images)
    assert [fold.name for fold in folds] == list(ALPHABETS)
    for i, (train, validation, test, _) in enumerate(folds):
        assert set(test.groups) == {ALPHABETS[i]}
        assert set(validation.groups) == {ALPHABETS[(i + 1) % 3]}
        assert set(train.groups) == {ALPHABETS[(i + 2) % 3]}
        assert same(train, images.of_groups([ALPHABETS[(i + 2) % 3]]).rotated())
        assert same(test, images.of_groups([ALPHABETS[i]]))
        assert same(validation, images.of_groups([ALPHABETS[(i + 1) % 3]]))
    with pytest.raises(DataError, match="2 alphabets"):
        alphabet_folds(images.of_groups(ALPHABETS[:2]))


@pytest.mark.skipif(
    not OMNIGLOT.exists(), reason=f"no ../shared/data/{OMNIGLOT.name} beside the checkout"
)
def test_the_real_omniglot() -> None:
    images = load_omniglot(OMNIGLOT)
    assert sorted(set(images.groups)) == ["Balinese", "Early_Aramaic", "Greek", "Korean", "Latin"]
    assert images.n_classes == 136
    assert images.counts.tolist() == [20] * 136
    assert images.pixels.shape == (2720, 1, 28, 28)
    assert 0.02 < images.tensor().mean() < 0.15  # ink on paper, not the reverse
    assert images.names[0] == "Balinese/character01"
    assert len(alphabet_folds(images)) == 5
    episode = evaluation_images(images, 20, 1, 5, 0)
    assert episode.support.x.shape == (20, 1, 28, 28)
