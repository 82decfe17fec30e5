"""The export graphs in PyTorch, against the ordinary way of asking."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from anymask.images.frames import Frame
from anymask.masks.boxes import masks_to_boxes
from anymask.model.image_encoder import VitConfig
from anymask.model.sam import Sam, SamConfig, tiny_config
from anymask.predict.agreement import embedding_like
from anymask.predict.graphs import BrowserGraph, DecoderGraph, EncoderGraph, WholeGraph, best_mask, mask_box
from anymask.prompts.types import PromptBatch

SMALL_VIT = SamConfig(
    image_encoder=VitConfig(dim=64, depth=2, heads=2, global_blocks=(1,), native_size=320), input_size=320
)


@pytest.fixture(scope="module", params=["tiny", "vit"])
def model(request: pytest.FixtureRequest) -> Sam:
    torch.manual_seed(0)
    return Sam(tiny_config(dim=32, input_size=128) if request.param == "tiny" else SMALL_VIT).eval()


def prompts(model: Sam, labels: tuple[int, ...], count: int = 3) -> tuple[Tensor, Tensor, Tensor]:
    """Random points, `labels` for each prompt, and random mask logits."""
    generator = torch.Generator().manual_seed(1)
    points = torch.rand(count, len(labels), 2, generator=generator) * model.input_size
    mask = torch.randn(count, 1, model.mask_size, model.mask_size, generator=generator) * 3
    return points, torch.tensor(labels).expand(count, -1), mask


@pytest.mark.parametrize("labels", [(1, -1), (0, 1, -1), (2, 3), (1, 0, 2, 3)], ids=str)
@torch.no_grad()
def test_decoder_graph_answers_as_the_model_with_and_without_masks(model: Sam, labels: tuple[int, ...]) -> None:
    points, kinds, mask = prompts(model, labels)
    embedding = embedding_like(model)
    maps = [embedding.main, *embedding.finer]
    logits, iou = DecoderGraph(model)(maps, points, kinds.float(), mask, torch.tensor([0.0, 1.0, 0.0]))
    prepared = model.prepare(embedding)
    for row, given in enumerate((None, mask[1:2], None)):
        batch = PromptBatch(points[row : row + 1], kinds[row : row + 1], given)
        single, several = (model.decode(prepared, batch, multimask=multimask) for multimask in (False, True))
        expected = torch.cat((single.logits, several.logits), dim=1)
        torch.testing.assert_close(logits[row : row + 1], expected, rtol=0, atol=1e-5)
        torch.testing.assert_close(iou[row], torch.cat((single.iou, several.iou), dim=1)[0], rtol=0, atol=1e-5)


@torch.no_grad()
def test_encoder_graph_takes_the_resized_picture_as_it_is(model: Sam) -> None:
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (96, model.input_size, 3), generator=generator, dtype=torch.uint8)
    embedding = model.embed(model.preprocess(pixels.permute(2, 0, 1)[None]))
    for got, expected in zip(EncoderGraph(model)(pixels), (embedding.main, *embedding.finer), strict=True):
        assert torch.equal(got, expected)


@torch.no_grad()
def test_whole_graph_is_its_two_parts_in_a_row(model: Sam) -> None:
    points, kinds, mask = prompts(model, (1, -1))
    pixels = torch.full((64, model.input_size, 3), 90, dtype=torch.uint8)
    asked = (points, kinds.float(), mask, torch.zeros(3), torch.tensor([300.0, 600.0]))
    parts = BrowserGraph(model)(list(EncoderGraph(model)(pixels)), *asked)
    for got, expected in zip(WholeGraph(model)(pixels, *asked), parts, strict=True):
        assert torch.equal(got, expected)


@torch.no_grad()
def test_only_best_is_the_row_that_best_names(model: Sam) -> None:
    embedding = embedding_like(model)
    maps, size = [embedding.main, *embedding.finer], torch.tensor([100.0, 100.0])
    for labels in ((1, -1), (2, 3)):
        points, kinds, mask = prompts(model, labels)
        asked = (maps, points, kinds.float(), mask, torch.zeros(3), size)
        logits, iou, best, box = BrowserGraph(model)(*asked)
        few, few_iou, few_best, few_box = BrowserGraph(model, only_best=True)(*asked)
        rows = torch.arange(3)
        assert torch.equal(few[:, 0], logits[rows, best.long()])
        assert torch.equal(few_iou[:, 0], iou[rows, best.long()])
        assert torch.equal(few_best, best)
        assert torch.equal(few_box, box)
        assert best.dtype == torch.int32


@pytest.mark.parametrize(
    ("labels", "has_mask", "expected"),
    [
        ((1, -1), 0, 3),
        ((0, -1), 0, 3),
        ((1, -1, -1), 0, 3),
        ((1, -1), 1, 0),
        ((1, 1, -1), 0, 0),
        ((1, 0, -1), 0, 0),
        ((2, 3), 0, 0),
        ((1, 2, 3), 0, 0),
        ((-1, -1), 1, 0),
    ],
)
def test_lone_point_is_ambiguous_and_nothing_else(labels: tuple[int, ...], has_mask: int, expected: int) -> None:
    iou = torch.tensor([[0.9, 0.1, 0.2, 0.8]])
    assert best_mask(iou, torch.tensor([labels]).float(), torch.tensor([float(has_mask)])).tolist() == [expected]


def blobs(side: int, generator: torch.Generator) -> Tensor:
    """(4, side, side) smooth logits, positive in some places."""
    coarse = torch.randn(4, 1, 7, 7, generator=generator)
    return F.interpolate(coarse, size=side, mode="bicubic", align_corners=False)[:, 0] - 1


@pytest.mark.parametrize("original_hw", [(128, 128), (300, 700), (700, 300), (50, 31), (2000, 1999)])
def test_box_is_that_of_the_upsampled_mask(original_hw: tuple[int, int]) -> None:
    logits = blobs(32, torch.Generator().manual_seed(sum(original_hw)))
    frame = Frame.fit(original_hw, 128)
    full = F.interpolate(logits[:, None], size=128, mode="bilinear", align_corners=False)[:, 0]
    shown = full[:, : frame.resized_hw[0], : frame.resized_hw[1]] > 0
    expected = torch.as_tensor(frame.to_original_xy(masks_to_boxes(shown).reshape(-1, 2))).reshape(4, 4)
    got = mask_box(logits, torch.tensor(original_hw, dtype=torch.float32), 128)
    pixel = max(original_hw) / 128
    assert (got - expected).abs().max() <= 2.01 * pixel, "within two pixels of the input, half a cell"
    assert ((got - expected).abs() < 1e-2).float().mean() > 0.6, "and mostly exact"


def test_empty_mask_has_a_box_of_zeros() -> None:
    logits = torch.full((2, 32, 32), -1.0)
    logits[1, 30:, 4:8] = 1  # only in the padding below a wide picture
    assert mask_box(logits, torch.tensor([64.0, 128.0]), 128).tolist() == [[0, 0, 0, 0]] * 2


def test_full_mask_has_the_box_of_the_picture() -> None:
    box = mask_box(torch.ones(1, 32, 32), torch.tensor([333.0, 500.0]), 128)
    torch.testing.assert_close(box, torch.tensor([[0.0, 0.0, 500.0, 333.0]]))
