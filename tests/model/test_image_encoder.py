import dataclasses

import pytest
import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

from anymask.errors import ConfigError, InputError
from anymask.model.image_encoder import VitConfig, VitEncoder, resize_positions

SMALL = VitConfig(dim=48, depth=3, heads=4, global_blocks=(1,), window=5, out_dim=16, native_size=128)


def encoder(config: VitConfig = SMALL) -> VitEncoder:
    torch.manual_seed(0)
    model = VitEncoder(config).eval()
    for name, parameter in model.named_parameters():
        if "pos" in name or name.endswith("bias"):
            torch.nn.init.normal_(parameter, std=0.3)
    return model


@pytest.mark.parametrize("size_hw", [(128, 128), (64, 64), (176, 176), (96, 208), (16, 16)])
def test_any_size_that_patches_tile_is_embedded_alike_with_and_without_gradients(size_hw: tuple[int, int]) -> None:
    model, images = encoder(), torch.randn(2, 3, *size_hw)
    recorded = model(images).main
    assert recorded.shape == (2, 16, size_hw[0] // 16, size_hw[1] // 16)
    with torch.inference_mode():
        fast = model(images)
    assert fast.finer == ()
    torch.testing.assert_close(fast.main, recorded, atol=2e-5, rtol=1e-4)


def test_a_batch_equals_its_images_one_by_one() -> None:
    model, images = encoder(), torch.randn(3, 3, 112, 112)
    for context in (torch.enable_grad(), torch.no_grad()):
        with context:
            together, alone = model(images).main, torch.cat([model(image).main for image in images.split(1)])
        torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_embeds_close_to_float32(dtype: torch.dtype) -> None:
    model, images = encoder(), torch.randn(1, 3, 112, 112)
    with torch.no_grad():
        exact = model(images).main
        rough = model.to(dtype)(images.to(dtype)).main
    assert rough.dtype == dtype
    assert (rough.float() - exact).abs().mean() < 0.05 * exact.std()


@pytest.mark.parametrize("shape", [(1, 3, 100, 112), (1, 3, 112, 8), (1, 3, 0, 16)])
def test_sides_that_patches_do_not_tile_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="multiples of 16"):
        encoder()(torch.zeros(shape))


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"heads": 5}, "heads"),
        ({"depth": 0, "global_blocks": ()}, "depth"),
        ({"global_blocks": (3,)}, "global_blocks"),
        ({"native_size": 100}, "native_size"),
        ({"window": 0}, "window"),
        ({"drop_path": 1.0}, "drop_path"),
    ],
)
def test_bad_sizes_are_refused_by_name(change: dict[str, object], field: str) -> None:
    with pytest.raises(ConfigError, match=field):
        dataclasses.replace(SMALL, **change)


def test_unknown_names_are_refused() -> None:
    with pytest.raises(ConfigError, match="vit_b, vit_l, vit_h"):
        VitConfig.named("vit_x")


@pytest.mark.parametrize(
    "change", [{"global_blocks": ()}, {"window": 4}, {"mlp_ratio": 2}, {"out_dim": 8}, {"dim": 32}, {"heads": 2}]
)
def test_every_size_of_the_config_changes_the_model(change: dict[str, object]) -> None:
    images = torch.randn(1, 3, 112, 112)
    with torch.no_grad():
        plain = encoder()(images).main
        changed = encoder(dataclasses.replace(SMALL, **change))(images).main
    assert changed.shape != plain.shape or not torch.allclose(changed, plain, atol=1e-3)


def gradients(model: VitEncoder, images: Tensor) -> tuple[list[Tensor], int]:
    """Gradients of all parameters, and how many numbers the forward pass kept for them."""
    kept = 0

    def count(tensor: Tensor) -> Tensor:
        nonlocal kept
        kept += tensor.numel()
        return tensor

    with saved_tensors_hooks(count, lambda tensor: tensor):
        loss = model(images).main.square().sum()
    loss.backward()
    return [parameter.grad for parameter in model.parameters() if parameter.grad is not None], kept


def test_recomputing_keeps_less_and_gives_the_same_gradients() -> None:
    images = torch.randn(1, 3, 112, 112)
    plain, kept = gradients(encoder(), images)
    again, kept_less = gradients(encoder(dataclasses.replace(SMALL, recompute=True)), images)
    assert kept_less < kept / 3
    assert len(plain) == len(list(encoder().parameters()))
    for one, other in zip(plain, again, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)


def test_drop_path_leaves_out_branches_in_training_only_and_keeps_the_mean() -> None:
    model, images = encoder(dataclasses.replace(SMALL, drop_path=0.5)), torch.randn(1, 3, 32, 32)
    with torch.no_grad():
        block = model.blocks[2]
        x = torch.randn(2000, 1, 48)
        assert torch.equal(model(images).main, encoder()(images).main)
        branch = block.train()._drop(x)
    dropped = (branch == 0).all(dim=(1, 2))
    assert 0.4 < dropped.float().mean() < 0.6
    torch.testing.assert_close(branch[~dropped], 2 * x[~dropped])
    assert model.blocks[0].drop_path == 0


def test_memory_of_inference_does_not_grow_with_a_score_matrix_of_the_grid() -> None:
    """2304 tokens: one head's whole score matrix would hold 5.3 million numbers."""
    config = dataclasses.replace(SMALL, depth=1, global_blocks=(0,), native_size=768)
    model, images = encoder(config), torch.randn(1, 3, 768, 768)
    with torch.no_grad(), torch.profiler.profile(profile_memory=True) as profile:
        model(images)
    largest = max((event.self_cpu_memory_usage for event in profile.events()), default=0)
    assert 0 < largest < 2304 * 2304 * 4


def test_tokens_from_anywhere_attend_to_each_other_alike_kept_or_recomputed() -> None:
    tokens = torch.randn(2, 5, 48)
    plain = encoder().transform_plainly(tokens)
    again = encoder(dataclasses.replace(SMALL, recompute=True)).transform_plainly(tokens)
    shuffled = encoder().transform_plainly(tokens[:, [3, 1, 4, 0, 2]])
    assert plain.shape == tokens.shape
    torch.testing.assert_close(again, plain)
    torch.testing.assert_close(shuffled, plain[:, [3, 1, 4, 0, 2]], atol=1e-5, rtol=1e-4)


def test_a_position_table_for_its_own_grid_is_given_as_it_is() -> None:
    table = torch.randn(1, 4, 4, 8)
    assert resize_positions(table, (4, 4)) is table
    assert resize_positions(table, (6, 3)).shape == (1, 6, 3, 8)
    torch.testing.assert_close(resize_positions(torch.ones(1, 4, 4, 8), (7, 7)), torch.ones(1, 7, 7, 8))
