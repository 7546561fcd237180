"""Several processes that train one learner, each on its share of every meta-batch.

Alone, which is the usual case, every function here does nothing: the share is the whole, a sum is
the number itself.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import nn

Item = TypeVar("Item")


@contextmanager
def processes() -> Iterator[None]:
    """Join the processes that `torchrun` started, if it started more than this one.

    Gradients travel by nccl between GPUs and by gloo between CPUs, numbers always by gloo.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield
        return
    # what this module holds as a default is the group that there is at its import, by whomever: a
    # group that is held keeps gloo's threads after it, and they could abort the process as it ends
    import torch.distributed.nn

    nccl = torch.cuda.is_available() and dist.is_nccl_available()
    dist.init_process_group("cpu:gloo,cuda:nccl" if nccl else "gloo")
    yield
    # not after an error: leaving would wait for processes that wait for this one, and torchrun
    # ends those when this one ends
    dist.destroy_process_group()


def world_size() -> int:
    """Number of processes."""
    return dist.get_world_size() if _joined() else 1


def rank() -> int:
    """Number of this process, from 0; process 0 scores, prints and writes."""
    return dist.get_rank() if _joined() else 0


def share(items: Sequence[Item]) -> Sequence[Item]:
    """Every `world_size()`-th item, from that of this process's number on."""
    return items[rank() :: world_size()]


def sum_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Replace each gradient by its sum over the processes, in one message.

    A parameter without a gradient in this process counts as zero; one that has none in any
    process keeps none, so that an optimiser passes it over as it would alone.
    """
    if world_size() == 1:
        return
    parameters = list(parameters)
    gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
    exist = torch.tensor([float(p.grad is not None) for p in parameters])
    message = torch.cat([*(g.flatten() for g in gradients), exist.to(gradients[0].device)])
    dist.all_reduce(message)
    *sums, exist = message.split([*(p.numel() for p in parameters), len(parameters)])
    for parameter, total, exists in zip(parameters, sums, exist.tolist(), strict=True):
        if exists:
            parameter.grad = total.view_as(parameter).to(parameter.dtype)


def sum_number(value: float) -> float:
    """Sum of a number over the processes."""
    if world_size() == 1:
        return value
    tensor = torch.tensor(value, dtype=torch.float64)
    dist.all_reduce(tensor)
    return tensor.item()


def broadcast(value: float) -> float:
    """The number that process 0 has."""
    if world_size() == 1:
        return value
    tensor = torch.tensor(value, dtype=torch.float64)
    dist.broadcast(tensor, 0)
    return tensor.item()


def same_as_first(text: str) -> bool:
    """Whether process 0 has the same text, by its checksum."""
    checksum = int(sha256(text.encode()).hexdigest()[:12], 16)  # 48 bits, exact in a float64
    return broadcast(checksum) == checksum


def _joined() -> bool:
    return dist.is_available() and dist.is_initialized()
