"""Any folder of images, sorted into classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from molmeta.datasets.image_files import SUFFIXES, check_size, decode, pixels
from molmeta.errors import DataError
from molmeta.tasks import Images


def load_image_folder(path: str | Path, *, size: int, channels: int = 3) -> Images:
    """A folder with a folder for each class, or for each group with a folder for each class.

    Parameters
    ----------
    path : str or Path
        With files `class/image.png` or `group/class/image.png` in any format of
        `molmeta.datasets.image_files.SUFFIXES`. Hidden files are passed over, and so are other
        files beside the folders, such as a README.
    size : int
        Images are stretched to size × size, with Pillow's LANCZOS.
    channels : int
        1 for grey, 3 for RGB.

    Returns
    -------
    Images
        `[n, channels, size, size]`. Classes are named `class`, or `group/class`, and stand in the
        order of their names; images in that of their files.

    Raises
    ------
    DataError
        There is no such folder or no image in it; a file is damaged, no image, or in no class
        folder; classes stand at different depths.
    """
    path = Path(path)
    check_size(size, channels)
    if not path.is_dir():
        raise DataError(f"there is no folder {path}")
    files = _files(path)
    names = sorted({file.parent.relative_to(path).as_posix() for file in files})
    files.sort(key=lambda file: (file.parent.relative_to(path).as_posix(), file.name))
    groups = tuple(name.split("/")[0] if "/" in name else "" for name in names)
    index = {name: i for i, name in enumerate(names)}
    labels = [index[file.parent.relative_to(path).as_posix()] for file in files]
    return Images(
        read_files(files, size, channels), np.asarray(labels, np.int64), tuple(names), groups
    )


def read_files(files: list[Path], size: int, channels: int) -> np.ndarray:
    """Image files as one array `[n, channels, size, size]`."""
    array = np.empty((len(files), channels, size, size), dtype=np.uint8)
    for row, file in enumerate(files):
        image = decode(file.read_bytes(), str(file))
        array[row] = pixels(image, size, channels, Image.Resampling.LANCZOS)
    return array


def _files(path: Path) -> list[Path]:
    found = []
    for file in sorted(path.rglob("*")):
        parts = file.relative_to(path).parts
        if not file.is_file() or any(part.startswith(".") for part in parts):
            continue
        image = file.suffix.lower() in SUFFIXES
        if image and len(parts) in (2, 3):
            found.append(file)
        elif image:
            raise DataError(
                f"{file} is in no class folder; images stand in {path}/class or {path}/group/class"
            )
        elif len(parts) > 1:
            raise DataError(f"{file} is no image ({', '.join(SUFFIXES)}); take it out")
    if not found:
        raise DataError(f"{path} has no images in folders, one for each class")
    if len({len(file.parts) for file in found}) > 1:
        first, last = (depth(found, key=lambda file: len(file.parts)) for depth in (min, max))
        raise DataError(
            f"{first} is in a class folder and {last} in a group's; put all classes into groups, "
            "or none"
        )
    return found
