"""The whole model: one interface for every encoder, one image's work shared by all of its prompts."""

import pytest
import torch

from anymask.errors import ConfigError
from anymask.model.image_encoder import VitConfig
from anymask.model.mask_decoder import MaskDecoderConfig
from anymask.model.prompt_encoder import PromptEncoderConfig
from anymask.model.sam import Sam, SamConfig
from anymask.prompts.types import PromptBatch
from tests.training.drawn import small_model


def small_vit() -> SamConfig:
    encoder = VitConfig(dim=32, depth=2, heads=2, global_blocks=(1,), window=2, out_dim=32, native_size=64)
    return SamConfig(
        image_encoder=encoder,
        prompt_encoder=PromptEncoderConfig(dim=32),
        mask_decoder=MaskDecoderConfig(dim=32, heads=2, mlp_dim=64),
        input_size=64,
    )


def prompts(count: int = 5, masks: bool = False) -> PromptBatch:
    generator = torch.Generator().manual_seed(1)
    points = torch.rand(count, 2, 2, generator=generator) * 60
    logits = torch.randn(count, 1, 16, 16, generator=generator) if masks else None
    return PromptBatch(points, torch.tensor([[1, -1]] * count), logits)


@pytest.fixture(params=["tiny", "vit"])
def model(request: pytest.FixtureRequest) -> Sam:
    torch.manual_seed(0)
    return Sam(small_model() if request.param == "tiny" else small_vit()).eval()


@pytest.mark.parametrize("masks", [False, True])
def test_many_prompts_at_once_equal_one_at_a_time(model: Sam, masks: bool) -> None:
    with torch.no_grad():
        prepared = model.prepare(model.embed(torch.randn(1, 3, 64, 64)))
        together = model.decode(prepared, prompts(masks=masks), multimask=True)
        alone = [model.decode(prepared, one, multimask=True) for one in prompts(masks=masks).chunks(1)]
    assert together.logits.shape == (5, 3, 16, 16)
    torch.testing.assert_close(together.logits, torch.cat([one.logits for one in alone]), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(together.iou, torch.cat([one.iou for one in alone]), atol=1e-5, rtol=1e-4)


def test_what_is_trained_is_what_is_used(model: Sam) -> None:
    """The path with gradients and the one without give the same numbers."""
    images = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        fast = model.decode(model.prepare(model.embed(images)), prompts(), multimask=True)
    slow = model.decode_all(model.prepare(model.embed(images)), prompts())
    torch.testing.assert_close(fast.logits, slow.logits[:, 1:].detach(), atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(fast.iou, slow.iou[:, 1:].detach(), atol=1e-4, rtol=1e-3)


def test_one_mask_is_the_single_mask_tokens(model: Sam) -> None:
    with torch.no_grad():
        prepared = model.prepare(model.embed(torch.randn(1, 3, 64, 64)))
        every, one = model.decode_all(prepared, prompts()), model.decode(prepared, prompts(), multimask=False)
    torch.testing.assert_close(one.logits, every.logits[:, :1], atol=1e-5, rtol=1e-4)


def test_every_parameter_learns(model: Sam) -> None:
    model.train()
    prepared = model.prepare(model.embed(torch.randn(1, 3, 64, 64)))
    labels = torch.tensor([[1, 0, -1], [2, 3, 1]])
    for logits in (None, torch.randn(2, 1, 16, 16)):
        answer = model.decode_all(prepared, PromptBatch(torch.rand(2, 3, 2) * 60, labels, logits))
        (answer.logits.square().mean() + answer.iou.square().mean()).backward(retain_graph=True)
    missing = [name for name, value in model.named_parameters() if value.grad is None or not value.grad.any()]
    # A key's bias moves every score of a softmax alike, so its gradient is zero but for rounding.
    assert [name for name in missing if not name.endswith("k_proj.bias")] == []


def test_preprocessing_pads_with_zeros_after_normalising(model: Sam) -> None:
    images = model.preprocess(torch.full((1, 3, 40, 64), 200.0))
    assert images.shape == (1, 3, 64, 64)
    assert not images[:, :, 40:].any()
    expected = (200 - model.pixel_mean) / model.pixel_std
    torch.testing.assert_close(images[0, :, :40], expected.expand(3, 40, 64))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_answers_in_half_precision(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    model = Sam(small_model()).eval()
    images = model.preprocess(torch.rand(1, 3, 64, 64) * 255)
    with torch.no_grad():
        full = model.decode(model.prepare(model.embed(images)), prompts(), multimask=True)
        model.to(dtype)
        half = model.decode(model.prepare(model.embed(images.to(dtype))), prompts(), multimask=True)
    assert half.logits.dtype == dtype
    assert (half.logits.float() - full.logits).abs().max() < 0.1 * full.logits.abs().max()


def test_named_sizes_are_the_papers() -> None:
    sizes = {}
    for name in ("vit_b", "vit_l", "vit_h"):
        with torch.device("meta"):
            model = Sam(SamConfig.named(name))
        sizes[name] = sum(parameter.numel() for parameter in model.parameters()) / 1e6
    assert sizes == pytest.approx({"vit_b": 93.7, "vit_l": 312.3, "vit_h": 641.1}, abs=0.1)


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="tiny, vit_b, vit_l, vit_h"):
        Sam.from_name("vit_x")


def test_bad_fields_are_refused_by_name() -> None:
    with pytest.raises(ConfigError, match="input_size"):
        SamConfig(image_encoder=VitConfig(), input_size=100)
    with pytest.raises(ConfigError, match=r"mask_decoder\.dim"):
        SamConfig(image_encoder=VitConfig(), mask_decoder=MaskDecoderConfig(dim=128))


def test_pictures_padded_before_are_normalised_as_those_padded_after() -> None:
    torch.manual_seed(0)
    model = Sam(small_vit()).eval()
    pixels = torch.randint(0, 256, (1, 3, 40, 64)).float()
    padded = torch.nn.functional.pad(pixels, (0, 0, 0, 24))
    assert torch.equal(model.normalise_padded(padded, [(40, 64)]), model.preprocess(pixels))
