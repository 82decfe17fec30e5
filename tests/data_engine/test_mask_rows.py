import math

import pytest

from anymask.data_engine import mask_rows
from anymask.data_engine.mask_rows import check_mask
from anymask.errors import MaskError, NotThereError
from tests.data_engine.world import SIZE_HW, World, checked, provenance, rectangle


def test_a_checked_mask_is_measured() -> None:
    mask = checked((2, 3, 10, 12), label="cup")
    assert (mask.area_px, mask.box_xyxy, mask.label) == (72, [2.0, 3.0, 10.0, 12.0], "cup")


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (rectangle(0, 0, 0, 0), "empty"),
        (rectangle(0, 0, 2, 2, (10, 10)), "size"),
        ({"size": list(SIZE_HW), "counts": "nonsense"}, "RLE"),
    ],
)
def test_a_mask_that_cannot_be_is_refused(value: object, reason: str) -> None:
    with pytest.raises(MaskError, match=reason):
        check_mask(value, SIZE_HW, provenance=provenance())


def test_order_versions_and_the_first_answer_are_kept(world: World) -> None:
    image = world.add_picture()
    first = rectangle(0, 0, 10, 10)
    made = check_mask(first, SIZE_HW, provenance=provenance(), first_answer=first)
    create = world.change("create", mask=made)
    world.apply(world.ada, image, create, world.change("create"))
    later = check_mask(rectangle(0, 0, 10, 20), SIZE_HW, provenance=provenance(tool="brush"))
    world.apply(world.rob, image, world.change("replace", create.mask_id, base_version=1, mask=later))
    rows = world.database.read(lambda session: mask_rows.list_masks(session, image.id))
    assert [row.order for row in rows] == [1, 2]
    row = rows[0]
    assert (row.version, row.author_id, row.changed_by_id) == (2, world.ada.id, world.rob.id)
    assert row.first_answer_iou == 0.5
    versions = world.database.read(lambda session: mask_rows.list_versions(session, create.mask_id))
    assert [(each["version"], each["by_id"]) for each in versions] == [(1, world.ada.id), (2, world.rob.id)]
    assert versions[0]["mask"]["rle"] == first
    assert versions[0]["mask"]["first_answer_iou"] == 1.0
    assert versions[1]["mask"]["provenance"]["tool"] == "brush"
    with pytest.raises(NotThereError):
        world.database.read(lambda session: mask_rows.list_versions(session, "none"))


def test_masks_no_model_helped_with_have_no_first_answer(world: World) -> None:
    image = world.add_picture()
    world.apply(world.ada, image, world.change("create"))
    row = world.database.read(lambda session: mask_rows.list_masks(session, image.id))[0]
    assert row.first_answer_iou is None
    assert math.isclose(row.active_ms, 2000)
    assert mask_rows.to_rle(row, image).size_hw == SIZE_HW
