import pytest

from anymask.data_engine.turns import stages
from anymask.data_engine.turns.config import StageTarget
from anymask.data_engine.turns.stages import StageNumbers, is_met
from tests.data_engine.turns.labelled_world import add_labelled
from tests.data_engine.world import World


def test_the_numbers_are_of_the_stage_alone(world: World) -> None:
    for seed in range(3):
        add_labelled(world, seed)
    add_labelled(world, 3, stage="semi_automatic")
    numbers = world.database.read(lambda session: stages.measure(session, world.project.id, "assisted"))
    assert (numbers.masks, numbers.pictures, numbers.masks_a_picture) == (6, 3, 2.0)
    assert (numbers.seconds_a_mask, numbers.clicks_a_mask, numbers.by_model) == (9.0, 1.0, 0)
    empty = world.database.read(lambda session: stages.measure(session, world.project.id, "automatic"))
    assert empty == StageNumbers(stage="automatic")


def test_the_stage_of_a_project_is_set_beside_its_other_settings(world: World) -> None:
    assert world.database.read(lambda session: stages.stage_of(session, world.project.id)) == "assisted"
    world.database.write(lambda session: stages.set_stage(session, world.project.id, "semi_automatic"))
    assert world.database.read(lambda session: stages.stage_of(session, world.project.id)) == "semi_automatic"


def test_waiting_pictures_are_counted(world: World) -> None:
    add_labelled(world, 0)
    add_labelled(world, 1, done=False)
    assert world.database.read(lambda session: stages.count_waiting(session, world.project.id)) == 1


NUMBERS = StageNumbers(stage="assisted", masks=50, pictures=10, seconds_a_mask=14.0, masks_a_picture=5.0)


@pytest.mark.parametrize(
    ("target", "met"),
    [
        (StageTarget(), False),
        (StageTarget(masks=50), True),
        (StageTarget(masks=51), False),
        (StageTarget(seconds_a_mask=14.0), True),
        (StageTarget(seconds_a_mask=13.0), False),
        (StageTarget(masks_a_picture=5.0), True),
        (StageTarget(masks_a_picture=6.0), False),
        (StageTarget(turns=2), True),
        (StageTarget(turns=3), False),
        (StageTarget(masks=50, turns=3), False),
    ],
)
def test_a_stage_ends_when_all_that_is_stated_holds(target: StageTarget, met: bool) -> None:
    assert is_met(target, NUMBERS, turns=2) is met


def test_the_last_stage_stays() -> None:
    assert [stages.next_stage(name) for name in ("assisted", "semi_automatic", "automatic")] == [
        "semi_automatic",
        "automatic",
        "automatic",
    ]
