"""The embedded model's recipes."""

from dataclasses import replace

from anymask.model.registry import entry_named
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


def test_later_stages_learn_less_than_the_first() -> None:
    names = ("tiny", "tiny_longer", "tiny_large_views", "tiny_full_size", "tiny_iou")
    assert [recipe(name).learn for name in names] == ["all", "upper", "upper", "upper", "iou"]
