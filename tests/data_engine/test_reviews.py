import pytest

from anymask.data_engine import mask_rows, queue, reviews
from anymask.data_engine.pictures import get_picture
from anymask.data_engine.queue import Lease
from anymask.errors import InputError, LeaseLostError, NotThereError
from tests.data_engine.world import World


def review(world: World, image_id: int, decision: reviews.Decision, **options: object) -> None:
    world.database.write(lambda s: reviews.review(s, world.rob, image_id, decision, world.clock(), **options))


def test_a_picture_that_needs_work_goes_back_with_the_comment(world: World) -> None:
    image = world.add_picture()
    lease = world.lease(world.ann)
    world.database.write(lambda session: queue.finish(session, world.ann, lease, world.clock()))
    review(world, image.id, "fix", comment="the handle is missing")
    task = world.next_task(world.bob)
    assert task is not None
    assert task.comment == "the handle is missing"
    assert world.database.read(lambda session: get_picture(session, image.id)).review == "fix"
    said = world.database.read(lambda session: reviews.list_reviews(session, image.id))
    assert [(row.decision, row.person_id) for row in said] == [("fix", world.rob.id)]


def test_a_decision_on_the_picture_ends_the_review_task(world: World) -> None:
    image = world.add_picture()
    task = world.database.write(
        lambda s: queue.open_task(s, world.rob, get_picture(s, image.id), world.project, world.clock(), kind="review")
    )
    lease = Lease(task.id, task.token)
    review(world, image.id, "accept", lease=lease)
    with pytest.raises(LeaseLostError):
        review(world, image.id, "reject", lease=lease)
    assert world.database.read(lambda session: get_picture(session, image.id)).review == "accept"


def test_one_mask_is_rejected_and_accepted_again_and_nothing_is_lost(world: World) -> None:
    image = world.add_picture()
    create = world.change("create")
    world.apply(world.ada, image, create)
    review(world, image.id, "reject", mask_id=create.mask_id)
    states = [world.database.read(lambda s: mask_rows.list_masks(s, image.id))[0].state]
    review(world, image.id, "accept", mask_id=create.mask_id)
    states.append(world.database.read(lambda s: mask_rows.list_masks(s, image.id))[0].state)
    assert states == ["rejected", "accepted"]
    assert len(world.database.read(lambda s: mask_rows.list_versions(s, create.mask_id))) == 3
    with pytest.raises(InputError, match="send the picture back"):
        review(world, image.id, "fix", mask_id=create.mask_id)


def test_what_is_not_there_cannot_be_reviewed(world: World) -> None:
    image = world.add_picture()
    with pytest.raises(NotThereError):
        review(world, 999, "accept")
    with pytest.raises(NotThereError):
        review(world, image.id, "accept", mask_id="no-such-mask")
