import pytest

from anymask.evaluation.rating.guide import HIGHEST, LOWEST, PromptKind, guide


@pytest.mark.parametrize(("prompt", "word"), [("point", "green dot"), ("box", "white box")])
def test_the_guide_names_what_was_given_and_every_rating(prompt: PromptKind, word: str) -> None:
    text = guide(prompt)
    assert word in text
    told = {int(number) for line in text.splitlines() for number in line.split("  ")[0].split(", ") if number.isdigit()}
    assert told == set(range(LOWEST, HIGHEST + 1))
