"""Files of images, made for a test."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image

Files = dict[str, bytes]


def encoded(image: Image.Image, kind: str = "PNG") -> bytes:
    """The content of an image file."""
    file = io.BytesIO()
    image.save(file, kind)
    return file.getvalue()


def written(folder: Path, files: Files) -> Path:
    """The folder, with these files in it."""
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder
