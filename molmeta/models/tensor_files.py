"""Named tensors with a header of texts in one file, with checksums of both; nothing runs code."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from molmeta.errors import CheckpointError
from molmeta.files import checked_header, parse_json, with_checksum, write_atomic


def tensors_sha256(tensors: dict[str, Tensor]) -> str:
    """Checksum of named tensors: names, types, shapes and bytes."""
    digest = sha256()
    for name in sorted(tensors):
        array = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name} {array.dtype} {tuple(array.shape)}\n".encode())
        digest.update(array.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def write_tensors(path: Path, tensors: dict[str, Tensor], header: dict[str, str]) -> None:
    """Write tensors and a header, with checksums of both, for `checked_tensors`."""
    header = with_checksum({**header, "state_sha256": tensors_sha256(tensors)})
    write_atomic(path, save_tensors(tensors, metadata=header))


def read_safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors and text header of a safetensors file, unchecked.

    Raises
    ------
    CheckpointError
        The file is missing, or truncated or damaged.
    """
    if not path.is_file():
        raise CheckpointError(f"there is no file {path}")
    content = path.read_bytes()
    try:
        tensors = load_tensors(content)
    except (SafetensorError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise CheckpointError(
            f"{path} is not a whole safetensors file ({error}); copy or make it again"
        ) from None
    length = int.from_bytes(content[:8], "little")
    header = parse_json(content[8 : 8 + length], path, CheckpointError)
    return tensors, header.get("__metadata__") or {}


def checked_tensors(
    path: Path, tensors: dict[str, Tensor], found: dict[str, str], advice: str
) -> dict[str, str]:
    """The header that `write_tensors` was given, if all that was read is what it wrote.

    Raises
    ------
    CheckpointError
        It is not; the message ends in the advice.
    """
    header = checked_header(found, path, advice)
    if header.pop("state_sha256", None) != tensors_sha256(tensors):
        raise CheckpointError(f"{path} is damaged: the checksum of its tensors is wrong; {advice}")
    return header


def are_numbers(tensors: dict[str, Tensor]) -> bool:
    """Whether all are real and finite."""
    return not any(
        tensor.is_complex() or not bool(torch.isfinite(tensor.double()).all())
        for tensor in tensors.values()
    )
