"""Prompt tokens, dense maps and drawn prompts."""

import math

import pytest
import torch

from anymask.errors import ConfigError
from anymask.model.prompt_encoder import PositionEncoding, PromptEncoder, PromptEncoderConfig, draw_prompts
from anymask.prompts.types import BOX_BOTTOM_RIGHT, BOX_TOP_LEFT, PromptBatch


def batch(points: list[list[float]], labels: list[int], logits: torch.Tensor | None = None) -> PromptBatch:
    return PromptBatch(torch.tensor([points]), torch.tensor([labels]), logits)


def test_position_is_sine_and_cosine_of_the_gaussian_projection() -> None:
    encoding = PositionEncoding(8)
    matrix = encoding.positional_encoding_gaussian_matrix
    angle = 2 * math.pi * (torch.tensor([2 * 0.25 - 1, 2 * 0.75 - 1]) @ matrix)
    expected = torch.cat((angle.sin(), angle.cos()))
    torch.testing.assert_close(encoding(torch.tensor([0.25, 0.75])), expected)


def test_the_grid_encodes_cell_centres() -> None:
    encoding = PositionEncoding(8)
    torch.testing.assert_close(encoding.grid(4, 8)[:, 1, 2], encoding(torch.tensor([2.5 / 8, 1.5 / 4])))


def test_a_padding_token_has_no_position() -> None:
    encoder = PromptEncoder(PromptEncoderConfig(dim=16))
    tokens = encoder(batch([[3.0, 4.0], [9.0, 9.0]], [1, -1]), 64).sparse
    torch.testing.assert_close(tokens[0, 1], encoder.not_a_point_embed.weight[0])
    moved = encoder(batch([[3.0, 4.0], [1.0, 2.0]], [1, -1]), 64).sparse
    torch.testing.assert_close(tokens, moved)


def test_every_label_has_its_own_embedding() -> None:
    encoder = PromptEncoder(PromptEncoderConfig(dim=16))
    tokens = [encoder(batch([[3.0, 4.0]], [label]), 64).sparse for label in (-1, 0, 1, 2, 3)]
    assert all(not torch.allclose(a, b) for i, a in enumerate(tokens) for b in tokens[:i])


def test_without_a_mask_there_is_no_dense_map_and_with_one_it_has_the_grids_size() -> None:
    encoder = PromptEncoder(PromptEncoderConfig(dim=16))
    assert encoder(batch([[3.0, 4.0]], [1]), 64).dense is None
    dense = encoder(batch([[3.0, 4.0]], [1], torch.randn(1, 1, 16, 16)), 64).dense
    assert dense is not None
    assert dense.shape == (1, 16, 4, 4)


def test_a_drawn_click_peaks_where_it_is_and_a_box_covers_its_cells() -> None:
    clicks = draw_prompts(batch([[41.5, 21.5], [5.5, 50.5]], [1, 0]), 64)[0]
    assert divmod(int(clicks[1].argmax()), 16) == (5, 10)
    assert divmod(int(clicks[2].argmax()), 16) == (12, 1)
    assert not clicks[0].any()
    assert not clicks[3].any()
    box = draw_prompts(batch([[7.5, 11.5], [31.5, 21.5]], [BOX_TOP_LEFT, BOX_BOTTOM_RIGHT]), 64)[0, 3]
    expected = torch.zeros(16, 16)
    expected[3:5, 2:8] = 1
    expected[5, 2:8] = 0.5  # the box ends at 22 of 20..24
    torch.testing.assert_close(box, expected)


def test_drawn_prompts_hand_finer_maps_to_the_decoder() -> None:
    encoder = PromptEncoder(PromptEncoderConfig(dim=16, mask_channels=32, draw_prompts=True))
    encoding = encoder(batch([[3.0, 4.0]], [1]), 64)
    assert [tuple(one.shape) for one in encoding.finer] == [(1, 8, 8, 8), (1, 4, 16, 16)]
    assert tuple(one.shape[1] for one in encoding.finer) == encoder.finer_channels


@pytest.mark.parametrize("field", [{"dim": 3}, {"mask_channels": 6}])
def test_bad_fields_are_refused_by_name(field: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match=next(iter(field))):
        PromptEncoderConfig(**field)
