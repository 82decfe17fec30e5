"""The recipe of distillation."""

import pytest

from anymask.errors import ConfigError
from anymask.recipes import distill_recipe


def test_the_teacher_is_asked_once_a_view() -> None:
    recipe = distill_recipe("distill_tiny")
    assert recipe.embedding_cache_gib > 0
    assert recipe.view.whole_probability == 1


def test_an_unknown_recipe_lists_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="distill_tiny"):
        distill_recipe("large")
