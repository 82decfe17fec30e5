"""`SamOnnxModel` gives what the public one gives, as a module and as an exported graph."""

from __future__ import annotations

import importlib
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch

from anymask.compat.utils.onnx import SamOnnxModel
from anymask.errors import InputError
from anymask.model.sam import Sam, tiny_config
from tests.compat.conftest import Pair, assert_alike
from tests.public_sam import import_public_sam

import_public_sam()
PublicOnnxModel = importlib.import_module("segment_anything.utils.onnx").SamOnnxModel

NAMES = ("image_embeddings", "point_coords", "point_labels", "mask_input", "has_mask_input", "orig_im_size")
OPTIONS: list[dict[str, bool]] = [
    {"return_single_mask": False},
    {"return_single_mask": True},
    {"return_single_mask": False, "use_stability_score": True},
    {"return_single_mask": True, "return_extra_metrics": True},
]


def inputs(*, points: int = 1, box: bool = False, mask: bool = False, size: tuple[int, int] = (150, 230)) -> list[Any]:
    generator = torch.Generator().manual_seed(0)
    coordinates = torch.rand(1, points + (2 if box else 1), 2, generator=generator) * 200
    labels = torch.tensor([[*([1.0] * points), *((2.0, 3.0) if box else (-1.0,))]])
    return [
        torch.randn(1, 64, 16, 16, generator=generator) * 0.1,
        coordinates,
        labels,
        torch.randn(1, 1, 64, 64, generator=generator) * 3,
        torch.tensor([1.0 if mask else 0.0]),
        torch.tensor(size, dtype=torch.float32),
    ]


CASES: list[dict[str, Any]] = [{}, {"points": 3}, {"points": 2, "box": True}, {"mask": True}, {"size": (333, 200)}]


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("case", CASES)
def test_the_module_gives_the_same(pair: Pair, options: dict[str, bool], case: dict[str, Any]) -> None:
    ours, theirs = SamOnnxModel(pair.our_model, **options), PublicOnnxModel(pair.public_model, **options)
    found, due = ours(*inputs(**case)), theirs(*inputs(**case))
    if options.get("return_extra_metrics"):
        assert torch.allclose(found[3].float(), due[3].float(), atol=3)  # areas of logits that are zero to rounding
        found, due = found[:3] + found[4:], due[:3] + due[4:]
    assert_alike(found, due)


@pytest.mark.slow
def test_the_exported_graph_gives_the_same(pair: Pair, tmp_path: Path) -> None:
    model = SamOnnxModel(pair.our_model, return_single_mask=True)
    path = str(tmp_path / "decoder.onnx")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's, on the tracing exporter that public scripts call
        torch.onnx.export(
            model,
            tuple(inputs()),
            path,
            dynamo=False,
            opset_version=17,
            do_constant_folding=True,
            input_names=list(NAMES),
            output_names=["masks", "iou_predictions", "low_res_masks"],
            dynamic_axes={"point_coords": {1: "num_points"}, "point_labels": {1: "num_points"}},
        )
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    for case in CASES:
        given = inputs(**case)
        found = session.run(None, {name: tensor.numpy() for name, tensor in zip(NAMES, given, strict=True)})
        for one, due in zip(found, model(*given), strict=True):
            assert one.shape == tuple(due.shape)
            assert np.abs(one - due.numpy()).max() < 1e-3


def test_a_model_with_finer_maps_is_refused() -> None:
    with pytest.raises(InputError, match="anymask export"):
        SamOnnxModel(Sam(tiny_config(dim=32, input_size=64)), return_single_mask=True)
