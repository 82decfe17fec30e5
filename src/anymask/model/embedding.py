"""What an image encoder gives: the main map and zero or more finer maps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True, eq=False)
class ImageEmbedding:
    """Feature maps of B images in the padded input frame.

    `main` is (B, C, S/16, S/16); `finer` goes from coarse to fine, for example (B, C8, S/8, S/8) and (B, C4, S/4, S/4).
    ViT encoders have no finer maps.
    """

    main: Tensor
    finer: tuple[Tensor, ...] = ()

    def __len__(self) -> int:
        return int(self.main.shape[0])

    def __getitem__(self, index: int) -> ImageEmbedding:
        """The embedding of one image, batch axis kept (B = 1)."""
        return self.map(lambda tensor: tensor[index : index + 1])

    def map(self, change: Callable[[Tensor], Tensor]) -> ImageEmbedding:
        """The embedding with `change` applied to every map."""
        return ImageEmbedding(change(self.main), tuple(change(tensor) for tensor in self.finer))

    @staticmethod
    def stack(each: Sequence[ImageEmbedding]) -> ImageEmbedding:
        """One embedding of all images of `each`, in order."""
        finer = zip(*(one.finer for one in each), strict=True)
        return ImageEmbedding(torch.cat([one.main for one in each]), tuple(torch.cat(maps) for maps in finer))

    def to(self, device: torch.device | str | None = None, dtype: torch.dtype | None = None) -> ImageEmbedding:
        """The same embedding on another device or in another dtype."""
        return self.map(lambda tensor: tensor.to(device=device, dtype=dtype))
