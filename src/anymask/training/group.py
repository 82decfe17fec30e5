"""Several processes on one run: each takes its share of every step, gradients are summed, weights stay equal.

What a step sees and draws is a function of seed, step and place in the batch, not of the process that computes it, so a
run may go on with another number of processes: only which pictures are computed together, and the order of summation,
change.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class Group:
    """This process and how many there are; one alone unless `joined_group` says otherwise."""

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process writes files and speaks for all."""
        return self.rank == 0

    def share(self, items: int) -> range:
        """The places of a batch of `items` that this process computes."""
        return range(self.rank, items, self.size)

    def wait(self) -> None:
        """Until every process is here."""
        if self.size > 1:
            dist.barrier()

    def any(self, value: bool) -> bool:
        """Whether it is true in any process."""
        if self.size == 1:
            return value
        found = torch.tensor([float(value)])
        dist.all_reduce(found)
        return bool(found.item() > 0)

    def gather(self, value: Any) -> list[Any]:
        """The value of every process, by rank."""
        if self.size == 1:
            return [value]
        found: list[Any] = [None] * self.size
        dist.all_gather_object(found, value)
        return found

    @torch.no_grad()
    def sum_gradients(self, parameters: Sequence[nn.Parameter], samples: int) -> int:
        """Add up every process's gradients in place; returns the samples they came from in all."""
        if self.size == 1:
            return samples
        gradients = [_gradient(parameter) for parameter in parameters]
        sizes = [gradient.numel() for gradient in gradients]
        flat = torch.cat([*(gradient.flatten() for gradient in gradients), gradients[0].new_tensor([samples])])
        summed = flat.cpu()  # gloo adds up in the machine's memory
        dist.all_reduce(summed)
        total = round(summed[-1].item())
        parts = torch.split(summed.to(flat.device)[:-1], sizes)
        for gradient, part in zip(gradients, parts, strict=True):
            gradient.copy_(part.view_as(gradient))
        return total


def _gradient(parameter: nn.Parameter) -> Tensor:
    if parameter.grad is None:
        parameter.grad = torch.zeros_like(parameter)
    return parameter.grad


@contextmanager
def joined_group() -> Iterator[Group]:
    """The group that `torchrun` started this process in (gloo), or a group of one."""
    if not dist.is_torchelastic_launched():
        yield Group()
        return
    dist.init_process_group("gloo")
    try:
        yield Group(dist.get_rank(), dist.get_world_size())
    finally:
        dist.destroy_process_group()
