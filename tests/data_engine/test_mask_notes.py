import uuid

from anymask.data_engine.mask_notes import first_version, notes_of
from anymask.data_engine.mask_rows import IMPORT, MODEL, PERSON, PROPOSED, Maker, list_masks, make_mask, replace_mask
from anymask.data_engine.tables import ImageRow, ModelRow
from anymask.dataset.provenance import Notes, stages
from anymask.server.schemas import Stage
from tests.data_engine.world import MODEL as SHA256
from tests.data_engine.world import World, checked


def test_every_stage_of_the_wire_is_one_of_datasets() -> None:
    assert {stage.value for stage in Stage} <= set(stages())


def test_notes_say_of_each_mask_how_it_was_made(world: World) -> None:
    image = world.add_picture()
    ways = [(PERSON, "assisted"), (IMPORT, "assisted"), (MODEL, "automatic"), (MODEL, "automatic")]

    def write(session: object) -> tuple[Notes, str]:
        session.add(ModelRow(sha256=SHA256, name="tiny", facts={}, decoder_key="d" * 64))
        row = session.get_one(ImageRow, image.id)
        for origin, stage in ways:
            maker = Maker(origin=origin, person_id=None, stage=stage, state=PROPOSED)
            made = make_mask(session, row, str(uuid.uuid4()), checked(), maker, world.clock())
        before = made.counts
        replace_mask(session, made, checked((0, 0, 4, 4)), world.ann.id, world.clock())
        session.flush()
        rows = list_masks(session, image.id)
        assert first_version(session, rows[-1], row)["rle"]["counts"] == before
        return notes_of(session, row, rows, Notes(licence="CC0", source="one")), before

    notes, _ = world.database.write(write)
    assert [notes.of_mask(index).stage for index in range(4)] == ["assisted", "imported", "automatic", "corrected"]
    assert {notes.of_mask(index).model for index in range(4)} == {"tiny"}
    assert (notes.licence, notes.source) == ("CC0", "one")
