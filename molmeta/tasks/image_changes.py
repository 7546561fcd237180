"""Changed images, to learn from more than there are: small changes of each, and new classes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from molmeta.errors import ConfigError

GRID = 4  # × 4 places whose displacements an elastic change interpolates
DRAWING = {"turn": 15.0, "scale": 0.15, "shear": 0.15, "shift": 0.1}  # of an image
CLASS = {"turn": 25.0, "scale": 0.3, "shear": 0.35, "shift": 0.05}  # of all images of a class
BEND = 0.08  # standard deviation of elastic displacements; the image is 2 wide


@dataclass(frozen=True)
class ImageChanges:
    """What of a training episode's images is changed; test episodes are drawn without.

    Small affine and elastic changes are those of Simard, Steinkraus, Platt: *Best Practices for
    Convolutional Neural Networks* (ICDAR 2003); turns by 90 degrees are `Images.rotated`.

    Attributes
    ----------
    drawings : bool
        Each image is turned (by 15 degrees at most), scaled, sheared, shifted and bent a little.
    classes : float
        Share of the classes that a larger change of all their images makes new ones: a mirror
        image, and an affine change.
    composed : float
        Share of the classes whose images are made of those of two: side by side, one above the
        other, or one over the other.

    Raises
    ------
    ConfigError
        A share is none.
    """

    drawings: bool = False
    classes: float = 0.0
    composed: float = 0.0

    def __post_init__(self) -> None:
        for name, share in (("classes", self.classes), ("composed", self.composed)):
            if not 0 <= share <= 1:
                raise ConfigError(f"changed images: {name} is {share}; it is a share, 0 to 1")

    def __bool__(self) -> bool:
        return self.drawings or self.classes > 0 or self.composed > 0

    def of(self, x: Tensor, others: Tensor, rng: np.random.Generator) -> Tensor:
        """Changed images of an episode's classes.

        Parameters
        ----------
        x, others : Tensor
            `[n_way, k, C, H, W]`: images of each class, and of another that it may be composed
            with.
        rng : Generator
            All that is drawn.
        """
        n_way, k = x.shape[:2]
        if self.composed:
            x = composed(x, others, rng.random(n_way) < self.composed, rng)
        if self.classes:
            matrices = affine(n_way, CLASS, rng)
            matrices[rng.random(n_way) < 0.5, :, 0] *= -1  # mirrored
            matrices[rng.random(n_way) >= self.classes] = np.eye(2, 3)
            x = warped(x, np.repeat(matrices, k, axis=0))
        if self.drawings:
            bent = BEND * rng.standard_normal((n_way * k, 2, GRID, GRID))
            x = warped(x, affine(n_way * k, DRAWING, rng), bent)
        return x


UNCHANGED = ImageChanges()


def affine(n: int, most: dict[str, float], rng: np.random.Generator) -> np.ndarray:
    """Matrices `[n, 2, 3]` of turns, scales, shears and shifts, uniform up to the most."""

    def drawn(name: str) -> np.ndarray:
        return rng.uniform(-most[name], most[name], n)

    angle = np.radians(drawn("turn"))
    cos, sin, shear = np.cos(angle), np.sin(angle), drawn("shear")
    wide, high = np.exp(drawn("scale")), np.exp(drawn("scale"))
    rows = [
        [cos * wide, (cos * shear - sin) * high, drawn("shift")],
        [sin * wide, (sin * shear + cos) * high, drawn("shift")],
    ]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=1)


def warped(x: Tensor, matrices: np.ndarray, bent: np.ndarray | None = None) -> Tensor:
    """Images `[…, C, H, W]` seen through affine `[n, 2, 3]` and elastic `[n, 2, g, g]` changes."""
    flat = x.flatten(0, -4)
    theta = torch.from_numpy(matrices).to(x)
    grid = F.affine_grid(theta, list(flat.shape), align_corners=False)
    if bent is not None:
        size = flat.shape[-2:]
        moved = torch.from_numpy(bent).to(x)
        grid = grid + F.interpolate(moved, size=size, mode="bicubic", align_corners=True).permute(
            0, 2, 3, 1
        )
    return F.grid_sample(flat, grid, align_corners=False).view_as(x)


def composed(x: Tensor, others: Tensor, chosen: np.ndarray, rng: np.random.Generator) -> Tensor:
    """Classes that are chosen get images of two: `[n_way, k, C, H, W]`."""
    n_way, k = x.shape[:2]
    places = rng.integers(3, size=n_way)  # side by side, one above the other, one over the other
    first, second = (np.tile(np.eye(2, 3), (n_way, 1, 1)) for _ in range(2))
    for matrices, sign in ((first, 1.0), (second, -1.0)):
        for axis in (0, 1):
            beside = places == axis
            matrices[beside, axis, axis], matrices[beside, axis, 2] = 1.7, 0.8 * sign
    both = torch.maximum(
        warped(x, np.repeat(first, k, axis=0)), warped(others, np.repeat(second, k, axis=0))
    )
    where = torch.from_numpy(chosen).to(x.device).view(-1, *[1] * (x.dim() - 1))
    return torch.where(where, both, x)
