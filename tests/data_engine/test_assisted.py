import pytest

from anymask.data_engine import journal, mask_rows, queue
from anymask.data_engine.assisted import Answer, Change
from anymask.data_engine.mask_rows import check_mask
from anymask.data_engine.tables import MaskRow
from anymask.errors import LeaseLostError, NotAllowedError, NotThereError
from tests.data_engine.world import World, checked, provenance, rectangle


def outcomes(answer: Answer) -> list[str]:
    return [result.outcome for result in answer.results]


def masks(world: World, image_id: int) -> list[MaskRow]:
    return world.database.read(lambda s: mask_rows.list_masks(s, image_id, with_deleted=True))


def test_the_same_action_sent_ten_times_acts_once(world: World) -> None:
    image = world.add_picture()
    create = world.change("create")
    lease = world.lease(world.ann)
    seen = [outcomes(world.apply(world.ann, image, create, lease=lease)) for _ in range(10)]
    assert seen == [["applied"]] + [["repeated"]] * 9
    assert len(masks(world, image.id)) == 1
    entries = world.database.read(lambda session: journal.read(session, world.project.id, image_id=image.id))
    assert [entry.kind for entry in entries] == ["lease", "create"]


def test_a_key_used_for_something_else_is_refused(world: World) -> None:
    image = world.add_picture()
    first = world.change("create")
    world.apply(world.ada, image, first)
    answer = world.apply(world.ada, image, world.change("create", key=first.key))
    assert outcomes(answer) == ["refused"]
    assert "new key" in str(answer.results[0].message)


def test_the_second_writer_gets_both_versions_and_nothing_is_overwritten(world: World) -> None:
    image = world.add_picture()
    create = world.change("create")
    world.apply(world.ann, image, create, lease=world.lease(world.ann))
    mine, theirs = (
        world.change("replace", create.mask_id, base_version=1, mask=checked(box))
        for box in ((0, 0, 5, 5), (0, 0, 7, 7))
    )
    assert outcomes(world.apply(world.rob, image, theirs)) == ["applied"]
    answer = world.apply(world.ada, image, mine, world.change("create"))
    assert outcomes(answer) == ["conflict", "not_tried"]
    stored = answer.results[0].mask
    assert stored is not None
    assert (stored.version, stored.area_px, stored.changed_by_id) == (2, 49, world.rob.id)
    # Theirs was seen; mine is sent anew on top of it.
    again = world.change("replace", create.mask_id, base_version=2, mask=checked((0, 0, 5, 5)))
    assert outcomes(world.apply(world.ada, image, again)) == ["applied"]
    assert [(row.version, row.area_px) for row in masks(world, image.id)] == [(3, 25)]


def test_what_was_applied_before_a_refusal_stays(world: World) -> None:
    image = world.add_picture()
    bad = world.change("create", problem="the mask is refused: empty", mask=None)
    answer = world.apply(world.ada, image, world.change("create"), bad, world.change("create"))
    assert outcomes(answer) == ["applied", "refused", "not_tried"]
    assert len(masks(world, image.id)) == 1


def test_a_mask_of_another_pictures_size_is_refused(world: World) -> None:
    image = world.add_picture()
    other = check_mask(rectangle(0, 0, 5, 5, (10, 10)), provenance=provenance())
    answer = world.apply(world.ada, image, world.change("create", mask=other))
    assert outcomes(answer) == ["refused"]
    assert "size" in str(answer.results[0].message)


def test_a_mask_goes_through_all_its_states(world: World) -> None:
    image = world.add_picture()
    create = world.change("create")

    def act(kind: str, version: int, **options: object) -> Change:
        return world.change(kind, create.mask_id, base_version=version, **options)

    answer = world.apply(
        world.ada,
        image,
        create,
        act("relabel", 1, label="cup"),
        act("reject", 2),
        act("accept", 3),
        act("delete", 4),
        act("restore", 5),
    )
    assert outcomes(answer) == ["applied"] * 6
    row = masks(world, image.id)[0]
    assert (row.version, row.label, row.state, row.deleted) == (6, "cup", "accepted", False)
    assert outcomes(world.apply(world.ada, image, act("delete", 6))) == ["applied"]
    refused = world.apply(world.ada, image, act("replace", 7))
    assert outcomes(refused) == ["refused"]
    assert "restore it first" in str(refused.results[0].message)


@pytest.mark.parametrize(
    ("kind", "options", "reason"),
    [
        ("create", {"mask": None}, "needs a mask"),
        ("replace", {"base_version": 1, "mask": None}, "needs a mask"),
        ("delete", {"base_version": 1}, "there is no mask"),
    ],
)
def test_an_action_that_lacks_something_says_what(
    world: World, kind: str, options: dict[str, object], reason: str
) -> None:
    image = world.add_picture()
    answer = world.apply(world.ada, image, world.change(kind, **options))
    assert outcomes(answer) == ["refused"]
    assert reason in str(answer.results[0].message)


def test_a_change_without_the_version_it_was_made_on_is_refused(world: World) -> None:
    image = world.add_picture()
    create = world.change("create")
    answer = world.apply(world.ada, image, create, world.change("delete", create.mask_id))
    assert outcomes(answer) == ["applied", "refused"]
    assert "base_version" in str(answer.results[1].message)


def test_annotators_need_the_newest_lease_and_reviewers_none(world: World) -> None:
    image = world.add_picture()
    with pytest.raises(NotAllowedError, match="send the lease"):
        world.apply(world.ann, image, world.change("create"))
    late = world.lease(world.ann)
    world.clock.move(901)
    world.lease(world.bob)
    with pytest.raises(LeaseLostError):
        world.apply(world.ann, image, world.change("create"), lease=late)
    assert outcomes(world.apply(world.rob, image, world.change("create"))) == ["applied"]
    assert len(masks(world, image.id)) == 1


def test_an_id_of_another_pictures_mask_is_neither_changed_nor_shown(world: World) -> None:
    first, second = world.add_pictures(2)
    create = world.change("create")
    world.apply(world.ada, first, create)
    answer = world.apply(world.ada, second, world.change("delete", create.mask_id, base_version=1))
    assert outcomes(answer) == ["refused"]
    assert answer.results[0].mask is None
    first.id = 999
    with pytest.raises(NotThereError):
        world.apply(world.ada, first, world.change("create"))


def test_saving_renews_the_lease_when_a_quarter_is_over(world: World) -> None:
    image = world.add_picture()
    lease = world.lease(world.ann)
    ends = []
    for wait_s in (10, 300):
        world.clock.move(wait_s)
        ends.append(world.apply(world.ann, image, world.change("create"), lease=lease).lease_expires_at)
    assert None not in ends
    assert (ends[1] - ends[0]).total_seconds() == 310
    assert queue.Lease(lease.task_id, lease.token) == lease
