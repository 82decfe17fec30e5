"""Where weights start."""

from dataclasses import replace

import pytest
import torch

from anymask.errors import ConfigError
from anymask.model.image_encoder import VitConfig
from anymask.model.sam import Sam, tiny_config
from anymask.training.initial import imagenet_tiny, with_training_options
from tests.model.test_sam import small_vit


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
