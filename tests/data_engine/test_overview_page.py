import numpy as np

from anymask.data_engine.overview import Deployed, Overview, line_of
from anymask.data_engine.overview_page import NOTHING_YET, detectors_table, plots, to_page, to_text, turns_table
from anymask.data_engine.turns.alone import Generated
from anymask.data_engine.turns.detecting import Detected
from tests.data_engine.turn_report import make_report

DEPLOYED = Deployed(model_sha256="b" * 64, name="cups turn 1", kind="promote", note="better", at="2026-05-01T13:00:00")
ALONE = Generated(pictures=4, masks=100, masks_a_picture=25.0)
DETECTED = Detected(recall=0.38, precision=0.77, confidence=0.43, boxes_a_picture=10.7, pictures=56, held_pictures=14)
OVERVIEW = Overview(
    project="<cups>",
    stage="automatic",
    turns=(
        line_of(make_report(detected=DETECTED)),
        line_of(make_report(2, 0.0, stage="semi_automatic", no_detector="there is no mask to measure on")),
        line_of(make_report(3, 0.2, stage="automatic", generated=ALONE)),
    ),
    deployments=(DEPLOYED,),
    waiting=7,
    unfinished=4,
)
EMPTY = Overview(project="cups", stage="assisted", turns=(), deployments=(), waiting=3)


def test_the_text_has_a_row_a_turn_and_every_reason() -> None:
    text = to_text(OVERVIEW)
    assert "7 pictures wait" in text
    assert "turn 4 was begun and has not ended" in text
    assert "turn 2: not promoted: the gain is not certain" in text
    assert "cups turn 1" in text
    rows = [line for line in text.splitlines() if line.startswith(("1 ", "2 ", "3 "))]
    assert [row.split()[-1] for row in rows[:3]] == ["yes", "no", "yes"]


def test_recall_and_precision_of_each_detector_at_the_shown_confidence_are_told() -> None:
    assert detectors_table(OVERVIEW).rows == [[1, "0.43", "0.38", "0.77", "10.7", 56, 14]]
    for shown in (to_text(OVERVIEW), to_page(OVERVIEW)):
        assert "shown from" in shown
        assert "urn 2: no detector: there is no mask to measure on" in shown
    assert "Detectors" not in to_page(EMPTY)
    assert "shown from" not in to_text(EMPTY)


def test_before_the_first_turn_it_says_so() -> None:
    assert NOTHING_YET in to_text(EMPTY)
    assert "current model: none" in to_text(EMPTY)
    assert "No turn has ended yet." in to_page(EMPTY)


def test_the_page_needs_nothing_else_and_names_are_inert() -> None:
    page = to_page(OVERVIEW)
    assert "&lt;cups&gt;" in page
    assert "<cups>" not in page
    assert page.count("data:image/png;base64,") == 1
    assert "http" not in page.split("</style>")[1]


def test_a_refused_candidate_does_not_move_the_curve_of_the_served_model() -> None:
    table = turns_table(OVERVIEW)
    assert [row[0] for row in table.rows] == [1, 2, 3]
    served, without = plots(OVERVIEW), plots(Overview(**{**_fields(OVERVIEW), "turns": OVERVIEW.turns[:1]}))
    assert served.shape == without.shape
    assert not np.array_equal(served, without)


def _fields(overview: Overview) -> dict[str, object]:
    return {name: getattr(overview, name) for name in ("project", "stage", "turns", "deployments", "waiting")}
