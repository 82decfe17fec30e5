import pytest

from anymask.data_engine import statistics
from anymask.data_engine.mask_rows import check_mask
from anymask.data_engine.statistics import Spread
from tests.data_engine.world import MODEL, SIZE_HW, World, provenance, rectangle


def test_statistics_are_those_counted_by_hand(world: World) -> None:
    one, two = world.add_pictures(2)

    def create(box: tuple[int, int, int, int], first: tuple[int, int, int, int] | None, **made: object) -> object:
        mask = check_mask(
            rectangle(*box),
            SIZE_HW,
            provenance=provenance(**made),
            first_answer=None if first is None else rectangle(*first),
        )
        return world.change("create", mask=mask)

    square, half = (0, 0, 10, 10), (0, 0, 10, 5)
    changes = [
        create(square, square, model_sha256=MODEL, active_ms=2000, clicks=1),
        create(square, half, model_sha256=MODEL, active_ms=6000, clicks=3),
        create(square, None, tool="brush", active_ms=10_000, clicks=0),
    ]
    world.apply(world.ada, one, *changes)
    world.apply(world.rob, two, create(half, half, model_sha256=MODEL, active_ms=4000))
    deleted = create(half, half)
    world.apply(world.rob, two, deleted)
    world.apply(world.rob, two, world.change("delete", deleted.mask_id, base_version=1))
    found = world.database.read(lambda session: statistics.compute(session, world.project.id))
    assert (found.all.masks, found.all.images) == (4, 2)
    assert found.all.masks_per_image == Spread(2, 2.0, 1.5, 2.5, 2.0)
    assert found.all.seconds_per_mask == Spread(4, 5.0, 3.5, 7.0, 5.5)
    assert found.all.clicks_per_mask.mean == 1.25
    assert found.all.as_given == pytest.approx(2 / 3)
    assert found.all.first_answer_iou.median == 1.0
    assert {group.group: group.masks for group in found.by_person} == {"Ada": 3, "Rob": 1}
    assert {group.group: group.masks for group in found.by_model} == {MODEL: 3, statistics.NO_MODEL: 1}
    assert [group.group for group in found.by_stage] == ["assisted"]


def test_an_empty_project_has_no_numbers_and_no_fault(world: World) -> None:
    found = world.database.read(lambda session: statistics.compute(session, world.project.id))
    assert (found.all.masks, found.all.as_given, found.all.seconds_per_mask) == (0, None, Spread(0))
    assert (found.by_person, found.skipped, found.reviews) == ([], 0, {})
