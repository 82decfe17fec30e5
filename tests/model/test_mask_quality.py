"""The correction of predicted IoU: what it sees of a mask, and that it begins as none."""

import pytest
import torch
from torch import Tensor

from anymask.model.mask_quality import MaskQuality, statistics
from anymask.model.sam import Sam
from anymask.prompts.types import FOREGROUND, PromptBatch
from anymask.training.initial import with_mask_quality
from tests.training.drawn import small_model


def square(side: int, *, logit: float = 20.0, size: int = 32) -> Tensor:
    logits = torch.full((size, size), -20.0)
    logits[4 : 4 + side, 4 : 4 + side] = logit
    return logits


def test_statistics_of_a_sure_square_are_what_arithmetic_says() -> None:
    inside, overlap, unsure, ragged, side, log_area = statistics(square(8)).tolist()
    assert inside == pytest.approx(1, abs=2e-3)
    assert overlap == pytest.approx(1, abs=2e-3)
    assert unsure == pytest.approx(0, abs=1e-3)
    assert ragged == pytest.approx((4 * 8 / 32) / (10 * 8 / 32), rel=2e-3)
    assert side == pytest.approx(8 / 32)
    assert log_area == pytest.approx(1 + torch.log(torch.tensor((8 / 32) ** 2 + 1e-4)).item() / 9.21, abs=1e-4)


def test_an_unsure_square_and_a_ragged_one_are_told_from_a_clean_one() -> None:
    clean, unsure = statistics(square(8)), statistics(square(8, logit=0.2))
    assert unsure[0] < clean[0] - 0.3
    assert unsure[2] > clean[2] + 0.3
    generator = torch.Generator().manual_seed(0)
    ragged = square(16)
    ragged[4:20, 4:20][torch.rand(16, 16, generator=generator) < 0.4] = -20
    assert statistics(ragged)[3] > 2 * statistics(square(16))[3]


@pytest.mark.parametrize("logit", [-50.0, 0.0, 50.0])
def test_empty_and_full_masks_have_finite_statistics(logit: float) -> None:
    assert statistics(torch.full((2, 8, 8), logit)).isfinite().all()


def test_it_begins_as_no_correction_and_each_mask_is_corrected_by_itself() -> None:
    torch.manual_seed(0)
    quality = MaskQuality(4, 8)
    scores, logits = torch.rand(3, 4), torch.randn(3, 4, 16, 16)
    assert torch.equal(quality(scores, logits, slice(None)), scores)
    for parameter in quality.parameters():
        torch.nn.init.normal_(parameter)
    whole = quality(scores, logits, slice(None))
    part = quality(scores[:, 1:], logits[:, 1:], slice(1, None))
    torch.testing.assert_close(whole[:, 1:], part)
    assert not torch.allclose(whole, scores)


def test_masks_get_no_gradient_from_it() -> None:
    quality = MaskQuality(2, 8)
    logits = torch.randn(1, 2, 8, 8, requires_grad=True)
    quality(torch.rand(1, 2), logits, slice(None)).sum().backward()
    assert logits.grad is None
    assert quality.out.bias.grad is not None


def test_a_model_that_gets_it_answers_as_before() -> None:
    torch.manual_seed(0)
    model = Sam(small_model()).eval()
    grown = with_mask_quality(model)
    assert grown.config.mask_decoder.quality_hidden > 0
    assert with_mask_quality(grown) is grown
    images = torch.randn(1, 3, 64, 64)
    prompts = PromptBatch(torch.tensor([[[20.0, 30.0]]]), torch.tensor([[FOREGROUND]]))
    answers = [one.decode_all(one.prepare(one.embed(images)), prompts) for one in (model, grown)]
    assert torch.equal(answers[0].logits, answers[1].logits)
    assert torch.equal(answers[0].iou, answers[1].iou)
