"""Where weights start."""

import pytest
import torch

from anymask.errors import ConfigError
from anymask.model.sam import tiny_config
from anymask.training.initial import imagenet_tiny
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
