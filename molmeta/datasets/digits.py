"""Handwritten digits that come with scikit-learn: images without a download."""

from __future__ import annotations

from functools import cache

import numpy as np
from PIL import Image

from molmeta.datasets.image_files import check_size, pixels
from molmeta.tasks import Images, ImageSplit

# Which bars of a seven-segment display are lit: top, upper left, upper right, middle, lower left,
# lower right, bottom.
SEGMENTS = (
    *("1110111", "0010010", "1011101", "1011011", "0111010"),
    *("1101011", "1101111", "1010010", "1111111", "1111011"),
)
PARTS = {"train": range(4), "validation": range(4, 7), "test": range(7, 10)}


@cache
def load_digits(size: int = 28) -> Images:
    """1,797 digits of 13 people, 8 × 8 pixels of 0..16, enlarged to size × size (BILINEAR).

    Alpaydin, Kaynak: *Optical Recognition of Handwritten Digits* (UCI 1998), CC BY 4.0; the test
    part, as scikit-learn ships it.

    Returns
    -------
    Images
        `[1797, 1, size, size]`, 255 is ink; ten classes `0` to `9`, without groups. Their
        attributes are made ones, to show zero-shot learning on: the bars of a seven-segment
        display that make the digit, `[10, 7]`.
    """
    from sklearn import datasets

    check_size(size, 1)
    small, labels = datasets.load_digits(return_X_y=True)
    grey = np.round(np.asarray(small).reshape(-1, 8, 8) * (255 / 16)).astype(np.uint8)
    enlarged = [pixels(Image.fromarray(g), size, 1, Image.Resampling.BILINEAR) for g in grey]
    names = tuple(str(digit) for digit in range(10))
    bars = np.asarray([[float(bar) for bar in lit] for lit in SEGMENTS], dtype=np.float32)
    labels = np.asarray(labels, dtype=np.int64)
    return Images(np.stack(enlarged), labels, names, ("",) * 10, bars)


def digits_split() -> ImageSplit:
    """Train on 0 to 3, validate on 4 to 6, test on 7 to 9: for 2-way and 3-way tasks.

    A toy to try things on: four classes are few to learn from. They are not rotated, since a 0
    turned by 180 degrees is a 0, and a 6 is a 9.
    """
    digits = load_digits()
    train, validation, test = (digits.select(list(part)) for part in PARTS.values())
    return ImageSplit(train, validation, test, "digits")
