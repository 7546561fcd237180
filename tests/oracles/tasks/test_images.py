"""Images: what belongs together stays together through selections and rotations."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from molmeta.errors import DataError
from molmeta.tasks.images import Images


def made(n_classes: int = 5, each: int = 3, channels: int = 1, side: int = 4) -> Images:
    """Random images whose first pixel is the number of their class."""
    rng = np.random.default_rng(0)
    labels = rng.permutation(np.repeat(np.arange(n_classes), each))
    pixels = rng.integers(0, 256, (len(labels), channels, side, side)).astype(np.uint8)
    pixels[:, 0, 0, 0] = labels
    return Images(
        pixels,
        labels,
        tuple(f"class {i}" for i in range(n_classes)),
        tuple(f"group {i % 2}" for i in range(n_classes)),
        rng.normal(size=(n_classes, 2)).astype(np.float32),
    )


def test_a_tensor_is_pixels_over_255():
    images = made()
    rows = np.array([4, 0])
    tensor = images.tensor(rows)
    assert tensor.dtype == torch.float32
    assert tensor.shape == (2, 1, 4, 4)
    np.testing.assert_allclose(tensor.numpy(), images.pixels[rows] / 255.0, rtol=1e-6)
    assert torch.equal(images.tensor()[rows], tensor)
    white = replace(images, pixels=np.full_like(images.pixels, 255)).tensor()
    assert (white == 1).all()


def test_the_rows_of_a_class_are_its_images():
    images = made()
    assert len(images) == 15
    assert images.counts.tolist() == [3] * 5
    for label, rows in enumerate(images.rows):
        assert rows.tolist() == np.flatnonzero(images.labels == label).tolist()


@settings(max_examples=40, deadline=None, derandomize=True)
@given(classes=st.lists(st.integers(0, 4), unique=True))
def test_selected_classes_keep_images_names_groups_and_attributes(classes):
    images = made()
    chosen = images.select(classes)
    assert chosen.names == tuple(f"class {i}" for i in classes)
    assert chosen.groups == tuple(f"group {i % 2}" for i in classes)
    assert chosen.attributes is not None
    assert images.attributes is not None
    np.testing.assert_array_equal(chosen.attributes, images.attributes[classes])
    assert len(chosen) == 3 * len(classes)
    first_pixel = chosen.pixels[:, 0, 0, 0]
    assert [classes[label] for label in chosen.labels] == first_pixel.tolist()
    for label, old in enumerate(classes):  # every image, in its old order
        np.testing.assert_array_equal(
            chosen.pixels[chosen.rows[label]], images.pixels[images.rows[old]]
        )


def test_groups_are_selected_by_name():
    assert made().of_groups(["group 1"]).names == ("class 1", "class 3")
    assert made().of_groups({"group 1", "group 0"}).digest() == made().digest()
    with pytest.raises(DataError, match="there is no group 'group 2'; did you mean 'group"):
        made().of_groups(["group 2"])


@pytest.mark.parametrize(
    ("classes", "message"),
    [([5], "5 classes, 0..4; asked for 5..5"), ([-1, 0], "asked for -1"), ([2, 2], "twice")],
)
def test_classes_that_are_not_there_are_refused(classes, message):
    with pytest.raises(DataError, match=message):
        made().select(classes)


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (3, "RGB")])
def test_rotations_are_those_of_pillow(channels, mode):
    images = made(channels=channels)
    turned = images.rotated()
    assert turned.n_classes == 20
    assert turned.names[5] == "class 0/rot090"
    assert turned.groups == images.groups * 4
    assert turned.attributes is not None
    np.testing.assert_array_equal(turned.attributes[7], images.attributes[2])  # type: ignore[index]
    for k, name in enumerate(["", "/rot090", "/rot180", "/rot270"]):
        label = turned.names.index("class 3" + name)
        for row, source in zip(turned.rows[label], images.rows[3], strict=True):
            array = images.pixels[source].transpose(1, 2, 0).squeeze()
            expected = Image.fromarray(array, mode=None).rotate(90 * k)  # counterclockwise
            assert expected.mode == mode
            found = turned.pixels[row].transpose(1, 2, 0).squeeze()
            np.testing.assert_array_equal(found, np.asarray(expected))


def test_rotations_that_would_mislead_are_refused():
    with pytest.raises(DataError, match="rotated already"):
        made().rotated().select([0, 6]).rotated()
    wide = replace(made(), pixels=np.zeros((15, 1, 4, 5), np.uint8))
    with pytest.raises(DataError, match="4 × 5 cannot be turned"):
        wide.rotated()


def test_the_checksum_is_that_of_the_whole_content():
    images = made()
    pixels, labels = images.pixels.copy(), images.labels.copy()
    pixels[3, 0, 2, 2] ^= 1
    labels[[0, 1]] = labels[[1, 0]] if labels[0] != labels[1] else (labels[:2] + 1) % 5
    others = [
        replace(images, pixels=pixels),
        replace(images, labels=labels),
        replace(images, names=("other", *images.names[1:])),
        replace(images, groups=("other", *images.groups[1:])),
        replace(images, attributes=images.attributes + 1),  # type: ignore[operator]
        replace(images, attributes=None),
    ]
    digests = {image.digest() for image in [images, *others]}
    assert len(digests) == 7
    assert images.digest() == made().digest()
    assert all(len(digest) == 64 for digest in digests)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pixels": np.zeros((15, 1, 4, 4))}, r"uint8 \[n, C, H, W\]; found float64"),
        ({"pixels": np.zeros((15, 4, 4), np.uint8)}, r"found uint8 \[15, 4, 4\]"),
        ({"labels": np.zeros(14, np.int64)}, r"int64 \[15\].*found int64 \[14\]"),
        ({"labels": np.zeros(15, np.int32)}, "found int32"),
        ({"labels": np.full(15, 5)}, r"lie in 0\.\.4.*found 5\.\.5"),
        ({"labels": np.full(15, -1)}, r"found -1\.\.-1"),
        ({"names": ("a", "b", "c", "d", "a")}, "'a' is named twice"),
        ({"groups": ("a",)}, "5 classes have 1 groups"),
        ({"attributes": np.zeros((4, 2), np.float32)}, r"float32 \[5, m\].*\[4, 2\]"),
        ({"attributes": np.zeros((5, 2))}, "found float64"),
        ({"attributes": np.full((5, 2), np.nan, np.float32)}, "'class 0' are not all finite"),
    ],
)
def test_arrays_that_do_not_fit_together_are_refused(change, message):
    with pytest.raises(DataError, match=message):
        replace(made(), **change)
