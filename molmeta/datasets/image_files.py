"""Image files as pixels."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from PIL import Image, UnidentifiedImageError

from molmeta.errors import ConfigError, DataError

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm")
MODES = {1: "L", 3: "RGB"}
READABLE = {"1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr"}  # eight bits a channel
DAMAGED = (OSError, ValueError, SyntaxError, EOFError, IndexError, struct.error, zlib.error)


def check_size(size: int, channels: int) -> None:
    """Raise `ConfigError` for a size below 1, or channels that are neither 1 nor 3."""
    if size < 1 or channels not in MODES:
        raise ConfigError(
            f"images of size {size} with {channels} channels cannot be made; "
            "size must be 1 or more, channels 1 (grey) or 3 (RGB)"
        )


def decode(content: bytes, name: str) -> Image.Image:
    """The image in a file, with eight bits a channel; what is transparent is white.

    Raises
    ------
    DataError
        The content is no image, is damaged, or has more bits a channel; the message has the name.
    """
    try:
        image = Image.open(io.BytesIO(content))
        image.load()
    except UnidentifiedImageError:
        raise DataError(f"{name} is no image, or damaged: its format is not known") from None
    except (*DAMAGED, Image.DecompressionBombError) as error:
        raise DataError(f"{name} cannot be read as an image: {error}") from error
    if image.mode not in READABLE:
        raise DataError(f"{name} has pixels of kind {image.mode}; save it with 8 bits a channel")
    if not image.has_transparency_data:
        return image
    paper = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(paper, image.convert("RGBA"))


def pixels(
    image: Image.Image, size: int, channels: int, resampling: Image.Resampling
) -> np.ndarray:
    """The image stretched to size × size: `[channels, size, size]` uint8."""
    resized = image.convert(MODES[channels]).resize((size, size), resampling)
    array = np.asarray(resized)
    return array[None] if channels == 1 else array.transpose(2, 0, 1)
