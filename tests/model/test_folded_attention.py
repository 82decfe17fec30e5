import pytest
import torch
from torch import Tensor

from anymask.model.folded_attention import ImageSide, first_tokens, later_tokens, project_image, transform
from anymask.model.two_way_transformer import TwoWayTransformer

DIM, CELLS = 32, 60


def transformer(depth: int = 2, heads: int = 4) -> TwoWayTransformer:
    torch.manual_seed(depth + heads)
    model = TwoWayTransformer(dim=DIM, depth=depth, heads=heads, mlp_dim=64).eval().requires_grad_(False)
    for parameter in model.parameters():
        parameter += 0.3 * torch.randn(parameter.shape)
    return model


def inputs(prompts: int, tokens: int) -> tuple[Tensor, Tensor, Tensor]:
    return torch.randn(prompts, tokens, DIM), torch.randn(1, CELLS, DIM), torch.randn(1, CELLS, DIM)


def assert_same(got: tuple[Tensor, Tensor], expected: tuple[Tensor, Tensor]) -> None:
    for one, other in zip(got, expected, strict=True):
        torch.testing.assert_close(one, other, atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize(("depth", "heads"), [(1, 4), (2, 2), (2, 4), (3, 8)])
@pytest.mark.parametrize(("prompts", "tokens"), [(1, 7), (3, 6), (2, 40)])
def test_folding_changes_nothing_for_prompts_on_one_image(depth: int, heads: int, prompts: int, tokens: int) -> None:
    model, (queries, image, position) = transformer(depth, heads), inputs(prompts, tokens)
    side = project_image(model, image, position)
    assert_same(transform(model, queries, side), model(queries, image, position))


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_folding_changes_nothing_for_prompts_with_masks(depth: int) -> None:
    model, (queries, image, position) = transformer(depth), inputs(3, 7)
    images = image + torch.randn(3, CELLS, DIM)
    side = project_image(model, image, position)
    assert_same(transform(model, queries, side, images), model(queries, images, position))


def test_prompts_together_equal_prompts_one_by_one() -> None:
    model, (queries, image, position) = transformer(), inputs(5, 7)
    side = project_image(model, image, position)
    alone = [transform(model, query, side) for query in queries.split(1)]
    together = transform(model, queries, side)
    assert_same(together, (torch.cat([tokens for tokens, _ in alone]), torch.cat([image for _, image in alone])))


def test_the_first_layer_makes_nothing_of_the_image_for_a_prompt_without_a_mask() -> None:
    model, (queries, image, position) = transformer(), inputs(2, 7)
    side = project_image(model, image, position)
    # With the image itself out of reach, its projections must do.
    nothing = torch.empty(1, 0, DIM)
    begun = first_tokens(model, queries, ImageSide(nothing, side.first, side.positions, side.last_keys))
    assert_same(later_tokens(model, queries, begun, side), model(queries, image, position))
