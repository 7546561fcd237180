"""Sets of images by name: what to train on, select by and test on."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from molmeta.datasets.digits import digits_split
from molmeta.datasets.miniimagenet import load_miniimagenet
from molmeta.datasets.omniglot import alphabet_folds, load_omniglot, omniglot_split
from molmeta.errors import ConfigError
from molmeta.registry import nearest
from molmeta.tasks import ImageSplit

LOADERS: dict[tuple[str, int], Callable[..., list[ImageSplit]]] = {
    ("digits", 0): lambda: [digits_split()],
    ("omniglot", 1): lambda path: alphabet_folds(load_omniglot(path)),
    ("omniglot", 2): lambda known, new: [omniglot_split(known, new, rotations=True)],
    ("miniimagenet", 1): lambda path: [load_miniimagenet(path)],
}
IMAGES = tuple(dict.fromkeys(name for name, _ in LOADERS))


@cache
def load_image_splits(name: str, paths: tuple[str, ...] = ()) -> list[ImageSplit]:
    """The splits of a data set; several where every part of it is tested once.

    Parameters
    ----------
    name : str
        `digits`; `omniglot`, from the zip file or folder of one set (`alphabet_folds`), or of the
        background and the evaluation set (`omniglot_split`, with rotated classes);
        `miniimagenet`, from its folder.
    paths : tuple of str
        Where the files are.

    Raises
    ------
    ConfigError
        There is no such data set, or it takes another number of paths.
    DataError
        The files cannot be read.
    """
    if name not in IMAGES:
        raise ConfigError(f"there is no image data set '{name}'{nearest(name, IMAGES)}")
    if (name, len(paths)) not in LOADERS:
        able = " or ".join(str(count) for known, count in LOADERS if known == name)
        raise ConfigError(f"{name} is read from {able} paths; found {len(paths)}")
    return LOADERS[name, len(paths)](*paths)
