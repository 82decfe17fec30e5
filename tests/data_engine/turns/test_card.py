from anymask.data_engine.promote import GateConfig, decide
from anymask.data_engine.turns.card import CardFacts, to_markdown
from anymask.data_engine.turns.config import ScoreConfig
from anymask.data_engine.turns.freeze import DatasetVersion
from anymask.data_engine.turns.score import BENCHMARK, summarise
from anymask.data_engine.turns.stages import StageNumbers
from anymask.dataset.licences import KNOWN_LICENCES
from tests.data_engine.scored import results

OLD, NEW = "a" * 64, "b" * 64


def card(numbers: StageNumbers) -> str:
    before, after = results([0.3, 0.4] * 10), results([0.4, 0.5] * 10)
    config = ScoreConfig(clicks=5)
    return to_markdown(
        CardFacts(
            number=2,
            stage="semi_automatic",
            start_sha256=OLD,
            candidate_sha256=NEW,
            version=DatasetVersion(
                content_sha256="c" * 64,
                pictures={"train": 9, "held": 1},
                masks={"train": 1200, "held": 7},
                sets={"facades": 8, "mine": 1},
            ),
            generated_masks=5,
            numbers=numbers,
            scores=[summarise(before, OLD, BENCHMARK, config), summarise(after, NEW, BENCHMARK, config)],
            decision=decide(after, before, GateConfig()),
            licences=KNOWN_LICENCES,
        )
    )


def test_the_card_says_what_was_learned_from_how_it_compares_and_what_was_decided() -> None:
    numbers = StageNumbers(
        stage="semi_automatic",
        masks=40,
        pictures=4,
        by_model=30,
        seconds_a_mask=14.0,
        clicks_a_mask=2.5,
        masks_a_picture=10.0,
    )
    text = card(numbers)
    for part in (
        "**Promoted: click 0.350 -> 0.450",
        "1,200 accepted masks on 9 pictures, and 5 masks that the model made alone",
        "c" * 64,
        "| facades | 8 | CC BY 4.0 |",
        "| mine | 1 | not stated",
        "14.0 s a mask (median) and 2.5 clicks",
        "30 of 40 first proposed",
        "| bbbbbbbbbbbb | benchmark | 20 | 0.450 |",
        "- clicks_5",
    ):
        assert part in text, part


def test_a_stage_in_which_nobody_worked_says_so() -> None:
    assert "Nobody worked on masks in this stage." in card(StageNumbers(stage="automatic"))
