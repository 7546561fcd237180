"""Omniglot: 1,623 characters of 50 alphabets, each drawn by 20 people."""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from molmeta.datasets.image_files import check_size, decode, pixels
from molmeta.errors import DataError
from molmeta.seeds import generator
from molmeta.tasks import Images, ImageSplit

SIDE = 105  # of a drawing as it is published
LAYOUT = re.compile(
    r"(?:(?P<root>\w[\w .-]*)/)?"
    r"(?P<alphabet>\w[\w ().-]*)/(?P<character>character\d+)/(?P<drawing>\d+_\d+\.png)"
)
LARGEST = 1_000_000  # bytes of a drawing's file; they have some 300
Reader = Callable[[], bytes]


def load_omniglot(path: str | Path, *, size: int = 28, rotations: bool = False) -> Images:
    """One of Omniglot's sets, from its zip file or from a folder with the same files.

    Lake, Salakhutdinov, Tenenbaum: *Human-level concept learning through probabilistic program
    induction* (Science 2015); https://github.com/brendenlake/omniglot, MIT licence, folder
    `python`: `images_background.zip` (30 alphabets), `images_evaluation.zip` (20), or
    `images_background_small1.zip` (5). A zip file is read in place; nothing is unpacked.

    Parameters
    ----------
    path : str or Path
        With files `[set/]alphabet/characterNN/NNNN_NN.png`; hidden files are passed over.
    size : int
        Drawings are resized to size × size; a pixel is the mean of what it covers (Pillow's BOX).
    rotations : bool
        With `Images.rotated`, as extra classes.

    Returns
    -------
    Images
        `[n, 1, size, size]`: 255 is ink and 0 is paper, the reverse of the files. A class is a
        character, `Balinese/character01`; its group is the alphabet.

    Raises
    ------
    DataError
        The path is neither, or has a file that is damaged or does not belong to Omniglot.
    """
    path = Path(path)
    check_size(size, 1)
    drawings: dict[str, dict[str, np.ndarray]] = {}
    roots: set[str] = set()
    for name, read in _files(path):
        found = LAYOUT.fullmatch(name)
        if found is None:
            raise DataError(
                f"{path}: {name} is no drawing of Omniglot (alphabet/character01/0001_01.png); "
                "take it out, or use load_image_folder for a folder of other images"
            )
        roots.add(found["root"] or "")
        if len(roots) > 1:
            raise DataError(
                f"{path} has several sets, {' and '.join(sorted(roots))}; load one at a time"
            )
        character = drawings.setdefault(f"{found['alphabet']}/{found['character']}", {})
        if found["drawing"] in character:
            raise DataError(f"{path} has {name} twice")
        character[found["drawing"]] = _ink(read, f"{path}: {name}", size)
    if not drawings:
        raise DataError(f"{path} has no drawings; give a zip file of Omniglot or its folder")
    names = tuple(sorted(drawings))
    images = Images(
        np.stack([drawings[name][drawing] for name in names for drawing in sorted(drawings[name])]),
        np.repeat(np.arange(len(names)), [len(drawings[name]) for name in names]),
        names,
        tuple(name.split("/")[0] for name in names),
    )
    return images.rotated() if rotations else images


def omniglot_split(
    background: str | Path, evaluation: str | Path, *, size: int = 28, rotations: bool = False
) -> ImageSplit:
    """The official split: tested on the characters of the evaluation set.

    Validation is a sixth of the background's alphabets (5 of 30), training the others: names are
    sorted, then shuffled by the fixed seed `omniglot validation`, and the first are taken.

    Parameters
    ----------
    background, evaluation : str or Path
        For `load_omniglot`: `images_background.zip` and `images_evaluation.zip`.
    size : int
        Of the images.
    rotations : bool
        Rotated characters as extra classes, in all three parts (as Snell et al. 2017 do).

    Raises
    ------
    DataError
        A set cannot be read; an alphabet is in both; the background has fewer than 2.
    """
    known, new = (load_omniglot(path, size=size) for path in (background, evaluation))
    alphabets = sorted(set(known.groups))
    for name in sorted(set(alphabets) & set(new.groups)):
        raise DataError(
            f"the alphabet {name} is in {background} and in {evaluation}; "
            "give the background set and the evaluation set"
        )
    if len(alphabets) < 2:
        raise DataError(f"{background} has one alphabet; a validation part needs at least 2")
    shuffled = generator("omniglot validation").permutation(np.asarray(alphabets)).tolist()
    held_out = max(1, round(len(alphabets) / 6))
    parts = (known.of_groups(shuffled[held_out:]), known.of_groups(shuffled[:held_out]), new)
    train, validation, test = (part.rotated() if rotations else part for part in parts)
    return ImageSplit(train, validation, test, "official")


def alphabet_folds(images: Images) -> list[ImageSplit]:
    """Every alphabet is tested once: for small sets, in place of the official split.

    Fold i tests alphabet i (in the order of their names), validates on alphabet i + 1 and trains
    on the rest, with rotated characters as extra classes in training alone. A fold has the name of
    its test alphabet. The images of a fold are copies: n alphabets take 4 n times the memory.

    Raises
    ------
    DataError
        There are fewer than 3 alphabets, or images are rotated already.
    """
    alphabets = sorted(set(images.groups))
    if len(alphabets) < 3:
        raise DataError(f"there are {len(alphabets)} alphabets; folds need at least 3")
    folds = []
    for i, tested in enumerate(alphabets):
        validated = alphabets[(i + 1) % len(alphabets)]
        train = images.of_groups(set(alphabets) - {tested, validated}).rotated()
        parts = (images.of_groups([name]) for name in (validated, tested))
        folds.append(ImageSplit(train, *parts, name=tested))
    return folds


def _files(path: Path) -> Iterator[tuple[str, Reader]]:
    """Names relative to the set, and what reads their content; hidden files are passed over."""
    if path.is_dir():
        for file in sorted(path.rglob("*")):
            name = file.relative_to(path).as_posix()
            if file.is_file() and not _hidden(name):
                yield name, file.read_bytes
        return
    if not path.is_file():
        raise DataError(f"there is no zip file or folder {path}")
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read as a zip file: {error}") from error
    with archive:
        for member in archive.infolist():
            if member.is_dir() or _hidden(member.filename):
                continue
            if member.file_size > LARGEST:
                raise DataError(f"{path}: {member.filename} is too large for a drawing")
            yield member.filename, lambda member=member: archive.read(member)


def _hidden(name: str) -> bool:
    parts = name.split("/")
    return "__MACOSX" in parts or any(re.match(r"\.[^./]", part) for part in parts)


def _ink(read: Reader, name: str, size: int) -> np.ndarray:
    """`[1, size, size]` uint8 of a drawing's file."""
    try:
        content = read()
    except (zipfile.BadZipFile, zlib.error, OSError, RuntimeError, EOFError) as error:
        raise DataError(f"{name} is damaged: {error}") from error
    image = decode(content, name)
    if image.format != "PNG" or image.size != (SIDE, SIDE):
        raise DataError(
            f"{name} is a {image.format} of {image.width} × {image.height}; drawings of Omniglot "
            f"are PNG of {SIDE} × {SIDE} (for other images there is load_image_folder)"
        )
    return pixels(ImageOps.invert(image.convert("L")), size, 1, Image.Resampling.BOX)
