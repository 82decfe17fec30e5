"""The embedded model's recipes."""

from dataclasses import replace

from anymask.model.registry import entry_named
from anymask.recipes import recipe
from anymask.recipes.tiny import tiny, tiny_single_output


def test_the_start_of_the_loop_leaves_out_the_loops_pool() -> None:
    assert set(recipe("tiny_loop_start").exclude_sets) == {"car_parts", "facades", "bsds500"}


def test_the_shipped_start_says_that_it_has_not_seen_the_pool() -> None:
    whole, start = (set(entry_named(name).trained_on or ()) for name in ("tiny", "tiny_loop_start"))
    assert whole - start == set(recipe("tiny_loop_start").exclude_sets)
    assert start < whole


def test_the_single_output_ablation_differs_in_the_number_of_masks_alone() -> None:
    one, three = tiny_single_output(400), tiny(400)
    assert one.model.mask_decoder.multimask_outputs == 0
    decoder = replace(one.model.mask_decoder, multimask_outputs=three.model.mask_decoder.multimask_outputs)
    assert replace(one, model=replace(one.model, mask_decoder=decoder)) == three


def test_later_stages_learn_less_than_the_first() -> None:
    names = ("tiny", "tiny_longer", "tiny_large_views", "tiny_full_size", "tiny_iou")
    assert [recipe(name).learn for name in names] == ["all", "upper", "upper", "upper", "iou"]
