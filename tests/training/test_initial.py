"""Where weights start."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from anymask.errors import ConfigError, WeightsError
from anymask.model.encoder_weights import save_encoder
from anymask.model.image_encoder import VitConfig, VitEncoder
from anymask.model.sam import Sam, tiny_config
from anymask.model.tiny_encoder import TinyEncoderConfig
from anymask.model.weights import load
from anymask.training.initial import (
    imagenet_tiny,
    sam_from_mae,
    with_encoder_depth,
    with_single_output,
    with_training_options,
)
from tests.model.test_sam import small_vit
from tests.training import drawn


def test_the_backbone_is_imagenets_and_the_rest_follows_the_seed() -> None:
    first, same, other = (imagenet_tiny(tiny_config(), seed) for seed in (1, 1, 2))
    stem, token = "image_encoder.stem.conv.weight", "mask_decoder.mask_tokens.weight"
    assert torch.equal(first.state_dict()[stem], other.state_dict()[stem])
    assert torch.equal(first.state_dict()[token], same.state_dict()[token])
    assert not torch.equal(first.state_dict()[token], other.state_dict()[token])


def test_a_model_without_that_backbone_is_refused() -> None:
    with pytest.raises(ConfigError, match="TinyEncoderConfig"):
        imagenet_tiny(small_vit())


def test_weights_get_what_a_recipe_says_of_training_alone() -> None:
    model = Sam(small_vit())
    asked = replace(
        model.config,
        image_encoder=replace(VitConfig.named("vit_b"), drop_path=0.3, recompute=True),
        mask_decoder=replace(model.config.mask_decoder, dropout=0.1),
    )
    ready = with_training_options(model, asked)
    encoder = ready.config.image_encoder
    assert isinstance(encoder, VitConfig)
    assert (encoder.drop_path, encoder.recompute, ready.config.mask_decoder.dropout) == (0.3, True, 0.1)
    assert encoder.dim == small_vit().image_encoder.dim
    assert all(torch.equal(value, ready.state_dict()[name]) for name, value in model.state_dict().items())
    assert with_training_options(ready, asked) is ready


def pretrained(path: Path, **changes: object) -> VitEncoder:
    """The encoder of `small_vit` (native size 64) as pre-training leaves it, at another size."""
    torch.manual_seed(5)
    fields: dict[str, object] = {"dim": 32, "depth": 2, "heads": 2, "global_blocks": (), "native_size": 96}
    encoder = VitEncoder(VitConfig(**(fields | changes)))
    save_encoder(encoder, path)
    return encoder


def test_a_model_starts_with_the_pretrained_encoder_and_the_rest_follows_the_seed(tmp_path: Path) -> None:
    encoder = pretrained(tmp_path / "mae.safetensors")
    first, same, other = (sam_from_mae(tmp_path / "mae.safetensors", small_vit(), seed) for seed in (1, 1, 2))
    learned, given = encoder.state_dict(), first.image_encoder.state_dict()
    for name in ("patch_embed.proj.weight", "blocks.1.attn.qkv.bias", "blocks.0.mlp.lin2.weight"):
        assert torch.equal(given[name], learned[name])
    assert not any(given[name].any() for name in given if "rel_pos" in name)
    for name in ("image_encoder.neck.0.weight", "mask_decoder.mask_tokens.weight"):
        assert torch.equal(first.state_dict()[name], same.state_dict()[name])
        assert not torch.equal(first.state_dict()[name], other.state_dict()[name])
    assert first.config == small_vit()


def test_the_position_table_is_interpolated_to_the_models_grid(tmp_path: Path) -> None:
    encoder = pretrained(tmp_path / "mae.safetensors")
    positions = sam_from_mae(tmp_path / "mae.safetensors", small_vit()).state_dict()["image_encoder.pos_embed"]
    expected = F.interpolate(encoder.pos_embed.permute(0, 3, 1, 2), (4, 4), mode="bicubic", align_corners=False)
    torch.testing.assert_close(positions, expected.permute(0, 2, 3, 1))


def test_where_blocks_are_global_the_model_embeds_as_the_plain_transformer_did(tmp_path: Path) -> None:
    encoder = pretrained(tmp_path / "mae.safetensors", native_size=64)
    config = small_vit()
    assert isinstance(config.image_encoder, VitConfig)
    plain = replace(config, image_encoder=replace(config.image_encoder, global_blocks=(0, 1)))
    model = sam_from_mae(tmp_path / "mae.safetensors", plain)
    assert isinstance(model.image_encoder, VitEncoder)
    images = torch.randn(1, 3, 64, 64)
    tokens = encoder.transform_plainly((encoder.patch_embed(images) + encoder.pos_embed).flatten(1, 2))
    expected = model.image_encoder.neck(tokens.transpose(1, 2).reshape(1, 32, 4, 4))
    torch.testing.assert_close(model.image_encoder(images).main, expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("change", [{"depth": 3}, {"dim": 48}, {"heads": 4}, {"mlp_ratio": 2}])
def test_an_encoder_of_another_size_is_refused_naming_both(tmp_path: Path, change: dict[str, int]) -> None:
    pretrained(tmp_path / "mae.safetensors", **change)
    said = {"depth": 2, "dim": 32, "heads": 2, "mlp_ratio": 4} | change
    held = f"{said['depth']} blocks of {said['dim']} channels, {said['heads']} heads, MLP ratio {said['mlp_ratio']}"
    with pytest.raises(WeightsError, match=f"{held}; .* 2 blocks of 32 channels, 2 heads, MLP ratio 4: choose"):
        sam_from_mae(tmp_path / "mae.safetensors", small_vit())


def test_a_model_without_a_vision_transformer_is_refused(tmp_path: Path) -> None:
    pretrained(tmp_path / "mae.safetensors")
    with pytest.raises(ConfigError, match="TinyEncoderConfig"):
        sam_from_mae(tmp_path / "mae.safetensors", tiny_config())


def test_a_single_output_begins_as_the_single_mask_token_of_the_model(small_model: Path) -> None:
    model = load(small_model)
    cut = with_single_output(model)
    assert cut.config == replace(model.config, mask_decoder=replace(model.config.mask_decoder, multimask_outputs=0))
    whole, kept = model.state_dict(), cut.state_dict()
    assert torch.equal(kept["mask_decoder.mask_tokens.weight"], whole["mask_decoder.mask_tokens.weight"][:1])
    last = "mask_decoder.iou_prediction_head.layers.2.bias"
    assert torch.equal(kept[last], whole[last][:1])
    same = [name for name in kept if kept[name].shape == whole[name].shape]
    assert all(torch.equal(kept[name], whole[name]) for name in same)
    assert {name for name in whole if name not in kept} == {
        name for name in whole if any(f"hypernetworks_mlps.{index}." in name for index in (1, 2, 3))
    }
    assert with_single_output(cut) is cut


def test_a_deeper_encoder_begins_as_the_one_it_grew_from_and_can_learn() -> None:
    torch.manual_seed(0)
    model = Sam(drawn.small_model())
    encoder = model.config.image_encoder
    assert isinstance(encoder, TinyEncoderConfig)
    wanted = replace(model.config, image_encoder=replace(encoder, context_depth=3, main_depth=2))
    deeper = with_encoder_depth(model, wanted)
    assert deeper.config == wanted
    image = torch.randn(1, 3, 64, 64)
    for given, own in zip((model.embed(image).main, *model.embed(image).finer), _maps(deeper, image), strict=True):
        torch.testing.assert_close(own, given)
    deeper.embed(image).main.square().mean().backward()
    gradients = {name: parameter.grad for name, parameter in deeper.named_parameters() if ".mix16." in name}
    assert len(gradients) == 2 * 12
    moved = {name.rsplit(".", 2)[-2] for name, grad in gradients.items() if grad is not None and grad.any()}
    assert moved == {"out", "lin2"}  # the others follow, once these are not zero any more
    assert with_encoder_depth(deeper, model.config) is deeper


def test_wide_blocks_and_details_begin_as_nothing_and_can_learn() -> None:
    torch.manual_seed(0)
    model = Sam(drawn.small_model())
    encoder = model.config.image_encoder
    assert isinstance(encoder, TinyEncoderConfig)
    wanted = replace(model.config, image_encoder=replace(encoder, wide_dim=64, wide_depth=2, detail_depth=1))
    wider = with_encoder_depth(model, wanted)
    assert wider.config == wanted
    image = torch.randn(1, 3, 64, 64)
    for given, own in zip(_maps(model, image), _maps(wider, image), strict=True):
        torch.testing.assert_close(own, given)
    for _ in range(3):  # what leaves the new parts is nothing at first, then what leaves their blocks
        wider.zero_grad()
        torch.stack([((one - 1) ** 2).mean() for one in _maps(wider, image)]).sum().backward()
        moved = {name for name, one in wider.named_parameters() if one.grad is not None and one.grad.any()}
        torch.optim.SGD(wider.parameters(), lr=0.1).step()
    new = {name for name, _ in wider.named_parameters() if ".wide." in name or ".detail." in name}
    assert len(new) > 40
    assert new <= moved
    assert with_encoder_depth(wider, model.config) is wider
    longer = replace(wanted, image_encoder=replace(encoder, wide_dim=64, wide_depth=4, detail_depth=1))
    for given, own in zip(_maps(wider, image), _maps(with_encoder_depth(wider, longer), image), strict=True):
        torch.testing.assert_close(own, given)
    with pytest.raises(ConfigError, match="64 channels, 96"):
        with_encoder_depth(wider, replace(model.config, image_encoder=replace(encoder, wide_dim=96, wide_depth=3)))
    unused = replace(model.config, image_encoder=replace(encoder, wide_dim=96))
    assert with_encoder_depth(model, unused) is model


def _maps(model: Sam, image: torch.Tensor) -> tuple[torch.Tensor, ...]:
    embedding = model.embed(image)
    return (embedding.main, *embedding.finer)


def test_another_encoder_gets_no_deeper() -> None:
    model = Sam(small_vit())
    assert with_encoder_depth(model, tiny_config()) is model
