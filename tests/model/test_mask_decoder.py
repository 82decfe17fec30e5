import dataclasses

import pytest
import torch
from torch import Tensor

from anymask.errors import ConfigError
from anymask.model import mask_decoder
from anymask.model.embedding import ImageEmbedding
from anymask.model.mask_decoder import MaskDecoder, MaskDecoderConfig, PreparedImage
from anymask.model.prompt_encoder import PromptEncoding

DIM, SIDE = 32, 12
SMALL = MaskDecoderConfig(dim=DIM, heads=4, mlp_dim=64, iou_hidden=16)
SKIPS = dataclasses.replace(SMALL, skip_finer=True, prompt_finer_channels=(6, 4))


def decoder(config: MaskDecoderConfig = SMALL) -> MaskDecoder:
    torch.manual_seed(0)
    model = MaskDecoder(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.1 * torch.randn(parameter.shape)
    return model


def prepared(model: MaskDecoder) -> PreparedImage:
    generator = torch.Generator().manual_seed(1)
    shapes = [(1, DIM, SIDE, SIDE), (1, DIM // 4, 2 * SIDE, 2 * SIDE), (1, DIM // 8, 4 * SIDE, 4 * SIDE)]
    dtype = model.iou_token.weight.dtype
    main, *finer = (torch.randn(shape, generator=generator).to(dtype) for shape in shapes)
    position, no_mask = torch.randn(1, DIM, SIDE, SIDE, generator=generator), torch.ones(1, DIM, 1, 1)
    return model.prepare(ImageEmbedding(main, tuple(finer)), position.to(dtype), no_mask.to(dtype))


def prompts(count: int, *, dense: bool = False) -> PromptEncoding:
    generator = torch.Generator().manual_seed(2)
    sparse = torch.randn(count, 3, DIM, generator=generator)
    if not dense:
        return PromptEncoding(sparse, None)
    shapes = [(count, DIM, SIDE, SIDE), (count, 6, 2 * SIDE, 2 * SIDE), (count, 4, 4 * SIDE, 4 * SIDE)]
    main, *finer = (torch.randn(shape, generator=generator) for shape in shapes)
    return PromptEncoding(sparse, main, tuple(finer))


def assert_same(got: tuple[Tensor, Tensor], expected: tuple[Tensor, Tensor]) -> None:
    for one, other in zip(got, expected, strict=True):
        torch.testing.assert_close(one, other, atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize(("config", "dense"), [(SMALL, False), (SMALL, True), (SKIPS, True)])
@pytest.mark.parametrize("count", [1, 11])
def test_answers_are_the_same_with_and_without_gradients(config: MaskDecoderConfig, dense: bool, count: int) -> None:
    model = decoder(config)
    recorded = model(prepared(model), prompts(count, dense=dense))
    assert recorded[0].requires_grad
    with torch.no_grad():
        image = prepared(model)
        assert image.side is not None
        assert_same(model(image, prompts(count, dense=dense)), recorded)


@pytest.mark.parametrize("gradients", [False, True])
@pytest.mark.parametrize("chosen", [slice(None), slice(0, 1), slice(1, None)])
def test_chosen_masks_are_those_of_all(chosen: slice, gradients: bool) -> None:
    model = decoder()
    with torch.set_grad_enabled(gradients):
        logits, iou = model(prepared(model), prompts(2))
        assert logits.shape == (2, 4, 4 * SIDE, 4 * SIDE)
        assert_same(model(prepared(model), prompts(2), chosen), (logits[:, chosen], iou[:, chosen]))


@pytest.mark.parametrize("pixels", [1, 50, 10_000])
def test_upscaling_in_pieces_changes_nothing(pixels: int, monkeypatch: pytest.MonkeyPatch) -> None:
    model = decoder()
    with torch.no_grad():
        expected = model(prepared(model), prompts(1))
        monkeypatch.setattr(mask_decoder, "PIXELS_AT_ONCE", pixels)
        assert_same(model(prepared(model), prompts(1)), expected)


def test_an_image_prepared_for_inference_can_still_be_trained_on() -> None:
    model = decoder()
    with torch.no_grad():
        image, expected = prepared(model), model(prepared(model), prompts(2))
    got = model(image, prompts(2))
    assert_same(got, expected)
    got[0].sum().backward()
    assert model.transformer.layers[0].self_attn.q_proj.weight.grad is not None


def test_dropout_is_not_lost_when_training_runs_without_gradients() -> None:
    model = decoder(dataclasses.replace(SMALL, dropout=0.5)).train()
    with torch.no_grad():
        image = prepared(model)
        assert not torch.equal(model(image, prompts(1))[0], model(image, prompts(1))[0])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_answers_close_to_float32(dtype: torch.dtype) -> None:
    model = decoder()
    with torch.no_grad():
        image, asked = prepared(model), prompts(3)
        exact, _ = model(image, asked)
        model = model.to(dtype)
        half = model.prepare(image.embedding.to(dtype=dtype), image.position.to(dtype), image.no_mask.to(dtype))
        rough, iou = model(half, PromptEncoding(asked.sparse.to(dtype), None))
    assert rough.dtype == iou.dtype == dtype
    assert (rough.float() - exact).abs().mean() < 0.05 * exact.std()


@pytest.mark.parametrize(
    "change",
    [
        {"dim": 64},
        {"depth": 1},
        {"heads": 2},
        {"mlp_dim": 32},
        {"multimask_outputs": 1},
        {"iou_hidden": 8},
        {"quality_hidden": 8},
        {"norm_eps": 1.0},
        {"skip_finer": True},
        {"skip_finer": True, "prompt_finer_channels": (6, 4)},
    ],
)
def test_every_field_changes_the_model(change: dict[str, object]) -> None:
    plain, changed = decoder(), decoder(dataclasses.replace(SMALL, **change))
    shapes = [{name: value.shape for name, value in model.state_dict().items()} for model in (plain, changed)]
    if shapes[0] == shapes[1]:
        with torch.no_grad():
            answers = [model(prepared(model), prompts(1))[0] for model in (plain, changed)]
        assert not torch.allclose(*answers, atol=1e-3)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"dim": 36}, "dim"),
        ({"heads": 3}, "heads"),
        ({"depth": 0}, "depth"),
        ({"multimask_outputs": -1}, "multimask_outputs"),
        ({"norm_eps": 0.0}, "norm_eps"),
        ({"dropout": 1.0}, "dropout"),
        ({"prompt_finer_channels": (4,)}, "prompt_finer_channels"),
    ],
)
def test_bad_sizes_are_refused_by_name(change: dict[str, object], field: str) -> None:
    with pytest.raises(ConfigError, match=field):
        dataclasses.replace(SMALL, **change)


@pytest.mark.parametrize(("config", "dense"), [(SMALL, False), (SMALL, True), (SKIPS, True)])
def test_training_on_folded_attention_has_the_gradients_of_plain_attention(
    config: MaskDecoderConfig, dense: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    gradients = []
    for share in (100.0, 0.0):  # always folded, never folded
        monkeypatch.setattr(mask_decoder, "FOLDED_SHARE", share)
        model = decoder(config).double().train()
        image, given = prepared(model), prompts(3, dense=dense)
        dense_map = None if given.dense is None else given.dense.double()
        asked = PromptEncoding(given.sparse.double(), dense_map, tuple(finer.double() for finer in given.finer))
        assert image.side is not None
        logits, iou = model(image, asked)
        torch.autograd.backward(logits.sin().sum() + iou.sum())
        gradients.append({name: p.grad for name, p in model.named_parameters() if p.grad is not None})
    folded, plain = gradients
    for name, gradient in plain.items():
        # The bias of keys moves all scores of a token alike: folded away, it has no gradient rather than one of zeros.
        found = folded.get(name, torch.zeros_like(gradient))
        torch.testing.assert_close(found, gradient, atol=1e-9, rtol=1e-7, msg=name)


def test_dropout_keeps_attention_plain_in_training_alone() -> None:
    model = decoder(dataclasses.replace(SMALL, dropout=0.1))
    assert prepared(model).side is not None
    assert prepared(model.train()).side is None
