"""Fine-tuning recipes: each learns more than the one before, and starts from a trained model."""

from anymask.recipes import RECIPES, recipe


def test_what_learns_grows_from_recipe_to_recipe() -> None:
    found = [(recipe(name).learn, recipe(name).lora_rank) for name in ("finetune_decoder", "finetune_neck")]
    assert found == [("decoder", 0), ("neck", 0)]
    assert (recipe("finetune_lora").learn, recipe("finetune_lora").lora_rank) == ("neck", 8)
    assert recipe("finetune_all").learn == "all"


def test_an_encoder_that_stays_is_asked_once_a_view() -> None:
    assert recipe("finetune_decoder").embedding_cache_gib > 0
    view = recipe("finetune_decoder").data.view
    assert view.whole_probability == 1
    assert view.colour == 0


def test_all_begin_at_a_trained_model() -> None:
    assert {found.start for name, found in RECIPES.items() if name.startswith("finetune_")} == {"tiny"}
