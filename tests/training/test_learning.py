"""What learns, by name."""

from collections.abc import Callable
from itertools import pairwise

import pytest

from anymask.model.image_encoder import VitConfig
from anymask.model.sam import Sam, SamConfig
from anymask.training.learning import Learn, choose_learning
from tests.training.drawn import small_model


def small_vit() -> Sam:
    return Sam(SamConfig(image_encoder=VitConfig(dim=32, depth=4, heads=2, global_blocks=(3,), native_size=64)))


def learning(model: Sam, learn: Learn) -> set[str]:
    choose_learning(model, learn)
    return {name for name, parameter in model.named_parameters() if parameter.requires_grad}


@pytest.mark.parametrize("make", [small_vit, lambda: Sam(small_model())], ids=["vit", "tiny"])
def test_each_choice_learns_part_of_what_the_one_before_learns(make: Callable[[], Sam]) -> None:
    model = make()
    sets = [learning(model, learn) for learn in ("all", "upper", "neck", "decoder", "iou")]
    assert sets[0] == {name for name, _ in model.named_parameters()}
    for more, less in pairwise(sets):
        assert less < more


def test_the_decoder_alone_learns_without_the_encoder() -> None:
    found = learning(Sam(small_model()), "decoder")
    assert found
    assert not any(name.startswith("image_encoder.") for name in found)


def test_the_upper_half_of_a_vit_is_its_later_blocks_and_the_neck() -> None:
    inside = {name.removeprefix("image_encoder.") for name in learning(small_vit(), "upper") if "image_encoder" in name}
    found = {".".join(name.split(".")[:2]) for name in inside}
    assert {name for name in found if name.startswith("blocks")} == {"blocks.2", "blocks.3"}
    assert any(name.startswith("neck") for name in found)
    assert not any(name.startswith(("patch_embed", "pos_embed")) for name in found)


def test_what_was_frozen_before_learns_again_when_asked() -> None:
    model = Sam(small_model())
    learning(model, "iou")
    assert learning(model, "all") == {name for name, _ in model.named_parameters()}
