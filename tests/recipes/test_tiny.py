"""The embedded model's recipes."""

from dataclasses import replace

from anymask.model.registry import entry_named
from anymask.model.sam import SamConfig
from anymask.model.tiny_encoder import TinyEncoderConfig
from anymask.recipes import find_recipe, recipe


def test_the_start_of_the_loop_leaves_out_the_loops_pool() -> None:
    assert set(recipe("tiny_loop_start").exclude_sets) == {"car_parts", "facades", "bsds500"}


def test_the_shipped_start_says_that_it_has_not_seen_the_pool() -> None:
    whole, start = (set(entry_named(name).trained_on or ()) for name in ("tiny", "tiny_loop_start"))
    assert whole - start == set(recipe("tiny_loop_start").exclude_sets)
    assert start < whole


def test_the_single_output_ablation_begins_with_the_embedded_model_and_gives_one_mask() -> None:
    assert find_recipe("tiny_single_output").start == "tiny"
    decoder = recipe("tiny_single_output").model.mask_decoder
    assert decoder == replace(recipe("tiny_longer").model.mask_decoder, multimask_outputs=0)


def test_later_stages_on_a_cpu_learn_less_than_the_first() -> None:
    names = ("tiny", "tiny_longer", "tiny_large_views", "tiny_iou")
    assert [recipe(name).learn for name in names] == ["all", "upper", "upper", "iou"]


def test_the_stage_on_a_gpu_makes_the_encoder_deeper_and_keeps_the_rest_of_the_model() -> None:
    before, deeper = recipe("tiny_large_views").model, recipe("tiny_deeper").model
    encoder = before.image_encoder
    assert isinstance(encoder, TinyEncoderConfig)
    assert deeper == replace(before, image_encoder=replace(encoder, context_depth=4, main_depth=3))
    assert recipe("tiny_deeper").learn == "all"


def test_the_last_stage_on_a_gpu_gives_the_encoder_that_the_package_has() -> None:
    before, wider = recipe("tiny_deeper").model, recipe("tiny_wider").model
    encoder = before.image_encoder
    assert isinstance(encoder, TinyEncoderConfig)
    assert wider == replace(before, image_encoder=replace(encoder, wide_depth=5, detail_depth=4))
    assert wider.image_encoder == SamConfig.named("tiny").image_encoder
