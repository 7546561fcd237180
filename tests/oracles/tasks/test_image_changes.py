"""Changed images: the same for a class or each for itself, drawn by a seed, and never of a test."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from scipy.ndimage import affine_transform

from molmeta.errors import ConfigError
from molmeta.tasks import ImageChanges, Images, NWayKShot
from molmeta.tasks.image_changes import CLASS, affine, warped

N_WAY, EACH, SIDE = 4, 3, 12


def blots(seed: int) -> torch.Tensor:
    """One smooth image a class, the same `EACH` times over: `[N_WAY, EACH, 1, SIDE, SIDE]`."""
    rng = np.random.default_rng(seed)
    place = np.linspace(-1, 1, SIDE)
    down, right = rng.uniform(-0.4, 0.4, (2, N_WAY, 1, 1))
    far = (place[:, None] - down) ** 2 + (place[None] - right) ** 2
    one = torch.from_numpy(np.exp(-20 * far)).float()
    return one[:, None, None].expand(N_WAY, EACH, 1, SIDE, SIDE).clone()


def changed(changes: ImageChanges, seed: int = 0) -> torch.Tensor:
    return changes.of(blots(1), blots(2), np.random.default_rng(seed))


def test_a_warp_is_scipys() -> None:
    """scipy's grid is of pixels, torch's is two wide: the shift alone has another scale."""
    matrices = affine(N_WAY * EACH, CLASS, np.random.default_rng(3))
    ours = warped(blots(1), matrices).flatten(0, 1).numpy()[:, 0]
    middle = (SIDE - 1) / 2
    for image, matrix, found in zip(blots(1).flatten(0, 1), matrices, ours, strict=True):
        turn = matrix[::-1, 1::-1]  # rows and columns in place of x and y
        offset = middle + matrix[::-1, 2] * SIDE / 2 - turn @ [middle, middle]
        expected = affine_transform(image[0].numpy(), turn, offset, order=1, mode="grid-constant")
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_change_of_a_class_is_that_of_all_its_images() -> None:
    found = changed(ImageChanges(classes=1.0))
    assert_array_equal(found, found[:, :1].expand_as(found))
    assert ((found - blots(1)).abs().amax(dim=(1, 2, 3, 4)) > 0.01).all()


def test_each_drawing_is_changed_by_itself() -> None:
    found = changed(ImageChanges(drawings=True))
    apart = (found[:, 1:] - found[:, :-1]).abs().amax(dim=(2, 3, 4))
    assert (apart > 0.01).all()
    assert (found.sum() / blots(1).sum() - 1).abs() < 0.2  # the ink stays


def test_a_composed_class_has_the_ink_of_two() -> None:
    found = changed(ImageChanges(composed=1.0))
    assert_array_equal(found, found[:, :1].expand_as(found))
    over = torch.maximum(blots(1), blots(2))
    assert (found <= 1).all() and (found.sum(dim=(1, 2, 3, 4)) <= over.sum() + 1).all()
    beside = (found - over).abs().amax(dim=(1, 2, 3, 4)) > 0.01
    assert beside.any()  # not all of them one over the other


def test_shares_are_of_the_classes() -> None:
    draws = [changed(ImageChanges(classes=0.5), seed) for seed in range(60)]
    # an image that is warped by the identity is itself to rounding
    near = torch.stack([(one - blots(1)).abs().flatten(1).amax(dim=1) < 1e-5 for one in draws])
    assert 0.35 < near.double().mean() < 0.65


def test_what_is_drawn_depends_on_the_seed_alone() -> None:
    every = ImageChanges(drawings=True, classes=0.5, composed=0.5)
    assert_array_equal(changed(every, 1), changed(every, 1))
    assert not torch.equal(changed(every, 1), changed(every, 2))
    assert not ImageChanges() and every


@pytest.mark.parametrize("share", [-0.1, 1.5, float("nan")])
def test_what_is_no_share_is_refused(share: float) -> None:
    for changes in ({"classes": share}, {"composed": share}):
        with pytest.raises(ConfigError, match="it is a share, 0 to 1"):
            ImageChanges(**changes)


def test_episodes_of_changed_images_are_episodes() -> None:
    pixels = (255 * blots(1)).to(torch.uint8).flatten(0, 1).numpy()
    names = tuple(f"class {c}" for c in range(N_WAY))
    images = Images(pixels, np.repeat(np.arange(N_WAY), EACH), names, ("",) * N_WAY)
    changes = ImageChanges(classes=1.0)
    (plain,) = NWayKShot(images, 3, [1], 2, 1).meta_batch(5)
    (episode,) = NWayKShot(images, 3, [1], 2, 1, changes=changes).meta_batch(5)
    (again,) = NWayKShot(images, 3, [1], 2, 1, changes=changes).meta_batch(5)
    assert episode.task == plain.task
    assert sorted(episode.query.y.tolist()) == [0, 0, 1, 1, 2, 2]
    for x, y in zip(episode.query.x, episode.query.y, strict=True):
        (support,) = episode.support.x[episode.support.y == y]
        assert torch.equal(x, support)  # classes of one image each: changed alike
    assert torch.equal(again.query.x, episode.query.x)
    assert not torch.equal(plain.query.x.sort(0).values, episode.query.x.sort(0).values)
