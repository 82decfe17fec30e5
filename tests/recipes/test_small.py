"""The small model has the paper's parts; tests/recipes/test_tiny.py lets its recipe take two steps."""

from anymask.model.image_encoder import VitConfig
from anymask.recipes.small import small_encoder, small_vit


def test_the_encoder_has_windows_and_global_blocks_on_a_grid_that_windows_tile() -> None:
    config = small_vit().model
    encoder = config.image_encoder
    assert isinstance(encoder, VitConfig)
    assert encoder == small_encoder()
    assert 0 < len(encoder.global_blocks) < encoder.depth
    assert config.input_size == encoder.native_size
    assert (encoder.native_size // 16) % encoder.window == 0
    assert encoder.out_dim == config.mask_decoder.dim
