"""The generator's functions give what the public ones give."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import pytest
import torch

from anymask.compat.utils import amg
from tests.compat.conftest import assert_alike
from tests.public_sam import import_public_sam

import_public_sam()
public = importlib.import_module("segment_anything.utils.amg")

MASKS = torch.from_numpy(np.random.default_rng(0).random((4, 30, 40)) < np.linspace(0, 1, 4)[:, None, None])
LOGITS = torch.from_numpy(np.random.default_rng(1).standard_normal((2, 3, 30, 40)).astype(np.float32))


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("build_point_grid", (7,)),
        ("build_all_layer_point_grids", (16, 2, 2)),
        ("generate_crop_boxes", ((150, 230), 2, 512 / 1500)),
        ("calculate_stability_score", (LOGITS, 0.0, 0.5)),
        ("batched_mask_to_box", (MASKS,)),
        ("batched_mask_to_box", (MASKS.view(2, 2, 30, 40),)),
        ("batched_mask_to_box", (MASKS[1],)),
        ("box_xyxy_to_xywh", (torch.tensor([3, 4, 9, 8]),)),
        ("mask_to_rle_pytorch", (MASKS,)),
        ("remove_small_regions", (MASKS[1].numpy(), 5, "holes")),
        ("remove_small_regions", (MASKS[1].numpy(), 5, "islands")),
    ],
)
def test_it_gives_the_same(name: str, arguments: tuple[Any, ...]) -> None:
    assert_alike(getattr(amg, name)(*arguments), getattr(public, name)(*arguments))


def test_run_lengths_go_there_and_back() -> None:
    for one, mask in zip(public.mask_to_rle_pytorch(MASKS), MASKS.numpy(), strict=True):
        assert np.array_equal(amg.rle_to_mask(one), mask)
        assert amg.area_from_rle(one) == mask.sum()
        assert np.array_equal(amg.rle_to_mask(amg.coco_encode_rle(one)), mask)


def test_batches_cover_all_and_refuse_unequal_lengths() -> None:
    values = (list(range(7)), list("abcdefg"))
    assert list(amg.batch_iterator(3, *values)) == list(public.batch_iterator(3, *values))
    with pytest.raises(AssertionError, match="same size"):
        list(amg.batch_iterator(3, [1], [1, 2]))
