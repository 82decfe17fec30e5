from pathlib import Path

import pytest

from anymask.data_engine import deployment
from anymask.data_engine.overview import line_of, of_engine, of_project
from anymask.data_engine.simulated_annotator import MaskNote, PictureNote
from anymask.data_engine.simulated_notes import keep_note
from anymask.data_engine.tables import TurnRow
from anymask.data_engine.turns.alone import Generated
from anymask.model.weights import load, model_hash
from anymask.runs import to_plain
from tests.data_engine.turn_report import make_report
from tests.data_engine.turns.labelled_world import make_engine
from tests.data_engine.world import World


def test_a_turn_is_a_line_of_numbers() -> None:
    line = line_of(make_report())
    assert (line.number, line.stage, line.promoted, line.model) == (1, "assisted", True, "b" * 64)
    assert (line.seconds_a_mask, line.clicks_a_mask, line.masks_a_picture) == (14.0, 2.5, 9.7)
    assert line.after - line.before == pytest.approx(0.1)
    assert line.low <= 0.1 <= line.high
    assert line.clicks_to_iou is not None
    assert line.clicks_to_iou_before is not None
    assert line.clicks_to_iou <= line.clicks_to_iou_before
    refused = line_of(make_report(gain=0.0))
    assert (refused.promoted, refused.model) == (False, "a" * 64)


def test_in_the_last_stage_the_masks_a_picture_are_the_models_own() -> None:
    alone = Generated(pictures=4, masks=100, masks_a_picture=25.0)
    line = line_of(make_report(generated=alone))
    assert (line.masks_alone, line.masks_a_picture) == (100, 25.0)


def test_the_engine_and_the_server_see_the_same_turns(world: World, small_model: Path, tmp_path: Path) -> None:
    engine = make_engine(world, load(small_model), tmp_path / "engine")
    keep_note(engine.folder, 1, PictureNote("a.webp", [MaskNote("clicked", 4.0, 2, 0.9)]))
    report = make_report()
    engine.turns.root.mkdir()
    turn = engine.turns.begin()
    turn.keep("turn", report)
    row = TurnRow(project_id=world.project.id, number=1, report=to_plain(report), created_at=world.clock())
    world.database.write(lambda session: session.merge(row))
    own = of_engine(engine)
    served = world.database.read(lambda session: of_project(session, world.project.id, "cups"))
    assert [line.number for line in own.turns] == [line.number for line in served.turns] == [1]
    # What simulated people did is in the folder alone, when the turn did not tell of it.
    assert (own.turns[0].seconds_a_mask, served.turns[0].seconds_a_mask) == (4.0, 14.0)
    assert [one.kind for one in own.deployments] == [deployment.START]
    assert own.deployments[0].model_sha256 == model_hash(load(small_model))
    assert own.deployments == served.deployments
    assert (own.stage, own.unfinished) == ("assisted", None)
    engine.turns.begin()
    assert of_engine(engine).unfinished == 2
