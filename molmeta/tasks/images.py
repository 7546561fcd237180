"""Images: labelled pictures of many classes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import sha256
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from molmeta.errors import DataError
from molmeta.registry import nearest

TURNS = ("/rot090", "/rot180", "/rot270")


@dataclass(frozen=True, eq=False)
class Images:
    """Images of one size, each of one class.

    Attributes
    ----------
    pixels : ndarray
        `[n, C, H, W]` uint8.
    labels : ndarray
        `[n]` int64: the class of each image, an index into `names`.
    names : tuple of str
        The classes, such as `Balinese/character01`; all different.
    groups : tuple of str
        What each class belongs to, such as its alphabet; empty strings where there are no groups.
    attributes : ndarray, optional
        `[n_classes, m]` float32: a vector that describes each class, for zero-shot learning.

    Raises
    ------
    DataError
        The arrays do not fit together.
    """

    pixels: np.ndarray
    labels: np.ndarray
    names: tuple[str, ...]
    groups: tuple[str, ...]
    attributes: np.ndarray | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", tuple(self.names))
        object.__setattr__(self, "groups", tuple(self.groups))
        if self.pixels.dtype != np.uint8 or self.pixels.ndim != 4:
            raise DataError(
                f"pixels must be uint8 [n, C, H, W]; found {self.pixels.dtype} "
                f"{list(self.pixels.shape)}"
            )
        if self.labels.dtype != np.int64 or self.labels.shape != (len(self.pixels),):
            raise DataError(
                f"labels must be int64 [{len(self.pixels)}], one for each image; found "
                f"{self.labels.dtype} {list(self.labels.shape)}"
            )
        if len(self.labels) and not 0 <= self.labels.min() <= self.labels.max() < self.n_classes:
            raise DataError(
                f"labels must lie in 0..{self.n_classes - 1}, as there are {self.n_classes} names; "
                f"found {self.labels.min()}..{self.labels.max()}"
            )
        if len(set(self.names)) < self.n_classes:
            twice = next(name for name in self.names if self.names.count(name) > 1)
            raise DataError(f"the class '{twice}' is named twice; names must all be different")
        if len(self.groups) != self.n_classes:
            raise DataError(
                f"{self.n_classes} classes have {len(self.groups)} groups; give one for each class"
            )
        self._check_attributes()

    def _check_attributes(self) -> None:
        found = self.attributes
        if found is None:
            return
        if found.dtype != np.float32 or found.ndim != 2 or len(found) != self.n_classes:
            raise DataError(
                f"attributes must be float32 [{self.n_classes}, m], a row for each class; found "
                f"{found.dtype} {list(found.shape)}"
            )
        if not np.isfinite(found).all():
            row = int(np.flatnonzero(~np.isfinite(found).all(axis=1))[0])
            raise DataError(f"the attributes of class '{self.names[row]}' are not all finite")

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        shape = " × ".join(map(str, self.pixels.shape[1:]))
        return f"Images({len(self)} of {shape}, {self.n_classes} classes)"

    @property
    def n_classes(self) -> int:
        """Number of classes."""
        return len(self.names)

    @property
    def counts(self) -> np.ndarray:
        """Number of images of each class, `[n_classes]`."""
        return np.bincount(self.labels, minlength=self.n_classes)

    @cached_property
    def rows(self) -> list[np.ndarray]:
        """The images of each class: their rows, in order."""
        return np.split(np.argsort(self.labels, kind="stable"), np.cumsum(self.counts)[:-1])

    def tensor(self, index: np.ndarray | None = None) -> Tensor:
        """All images, or some: `[k, C, H, W]` float32 in 0..1."""
        pixels = self.pixels if index is None else self.pixels[index]
        return torch.from_numpy(pixels).float() / 255

    def select(self, classes: Sequence[int] | np.ndarray) -> Images:
        """Only these classes; the i-th of them becomes class i. Images keep their order.

        Raises
        ------
        DataError
            A class is out of range, or listed twice.
        """
        wanted = np.asarray(classes, dtype=np.int64)
        if len(wanted) and not 0 <= wanted.min() <= wanted.max() < self.n_classes:
            raise DataError(
                f"there are {self.n_classes} classes, 0..{self.n_classes - 1}; "
                f"asked for {wanted.min()}..{wanted.max()}"
            )
        if len(np.unique(wanted)) < len(wanted):
            raise DataError(f"{len(wanted)} classes were asked for, some of them twice")
        position = np.full(self.n_classes, -1, dtype=np.int64)
        position[wanted] = np.arange(len(wanted))
        labels = position[self.labels]
        return Images(
            self.pixels[labels >= 0],
            labels[labels >= 0],
            tuple(self.names[i] for i in wanted),
            tuple(self.groups[i] for i in wanted),
            None if self.attributes is None else self.attributes[wanted],
        )

    def of_groups(self, names: Iterable[str]) -> Images:
        """Only the classes of these groups, such as some alphabets.

        Raises
        ------
        DataError
            There is no such group.
        """
        wanted, known = set(names), sorted(set(self.groups))
        for name in sorted(wanted - set(known)):
            raise DataError(f"there is no group '{name}'{nearest(name, known)}")
        return self.select([i for i, group in enumerate(self.groups) if group in wanted])

    def rotated(self) -> Images:
        """Each class four times: as it is, and turned counterclockwise by 90, 180 and 270 degrees.

        A turned class is one of its own, `…/rot090`; its group and attributes stay the same.

        Raises
        ------
        DataError
            Images are not square, or there are turned classes already.
        """
        height, width = self.pixels.shape[2:]
        if height != width:
            raise DataError(f"images of {height} × {width} cannot be turned; load them square")
        if any(name.endswith(TURNS) for name in self.names):
            raise DataError("these classes are rotated already; turned again, some would be equal")
        turned = (np.rot90(self.pixels, k, axes=(2, 3)) for k in range(4))
        return replace(
            self,
            pixels=np.concatenate(list(turned)),
            labels=np.concatenate([self.labels + k * self.n_classes for k in range(4)]),
            names=tuple(name + turn for turn in ("", *TURNS) for name in self.names),
            groups=self.groups * 4,
            attributes=None if self.attributes is None else np.tile(self.attributes, (4, 1)),
        )

    def digest(self) -> str:
        """Checksum (sha256, hex) of the whole content."""
        described = None if self.attributes is None else self.attributes.shape
        header = [self.names, self.groups, self.pixels.shape, described]
        total = sha256(json.dumps(header).encode())
        for array in (self.labels, self.pixels, self.attributes):
            if array is not None:
                total.update(np.ascontiguousarray(array).tobytes())
        return total.hexdigest()


class ImageSplit(NamedTuple):
    """Classes for meta-training, for selection, and for the one look at the end."""

    train: Images
    validation: Images
    test: Images
    name: str = ""
