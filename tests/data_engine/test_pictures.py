import numpy as np
import pytest

from anymask.data_engine import jobs, pictures
from anymask.data_engine.jobs import take_job
from anymask.data_engine.tables import EmbeddingRow
from anymask.errors import NotThereError, PathError, TakenError
from anymask.images.load import load_image
from tests.data_engine.world import MODEL, World, draw_picture


def test_the_kept_file_has_the_same_pixels_and_no_metadata(world: World) -> None:
    from PIL import Image

    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010E] = "a secret note"
    for form in ("PNG", "JPEG", "WEBP"):
        data = draw_picture(form=form, exif=exif, **({"lossless": True} if form == "WEBP" else {}))
        kept = pictures.keep_picture(world.blobs, data)
        stored = world.blobs.read(kept.pixels_key)
        assert b"secret" in data
        assert b"secret" not in stored
        assert load_image(stored).sha256 == kept.sha256
        np.testing.assert_array_equal(load_image(stored).pixels, load_image(data).pixels)
        assert kept.size_hw == (60, 40)
        assert max(load_image(world.blobs.read(kept.thumbnail_key)).size_hw) <= 256


def test_the_same_picture_twice_is_one_and_another_of_that_name_is_refused(world: World) -> None:
    first = world.add_picture("a.png", 1)
    assert world.add_picture("a.png", 1).id == first.id
    with pytest.raises(TakenError, match=r"'a\.png'"):
        world.add_picture("a.png", 2)
    with pytest.raises(PathError):
        world.add_picture("../a.png", 3)
    with pytest.raises(NotThereError):
        world.database.read(lambda session: pictures.get_picture(session, 999))


def test_state_embedding_and_masks_are_listed(world: World) -> None:
    one, two, three = world.add_pictures(3)
    row = EmbeddingRow(image_sha256=one.sha256, model_sha256=MODEL, key="0" * 64, created_at=world.clock())
    world.database.write(lambda session: session.add(row))
    held = world.database.write(lambda session: take_job(session, ["embed"], world.clock()))
    assert held is not None
    for _ in range(2):
        held = world.database.write(lambda session: take_job(session, ["embed"], world.clock()))
        assert held is not None
        last = held
    world.database.write(lambda session: jobs.fail(session, last, world.clock(), "broken", for_good=True))
    world.apply(world.ada, two, world.change("create"))
    total, views = world.database.read(lambda s: pictures.list_pictures(s, world.project.id, MODEL))
    assert total == 3
    assert [(view.row.id, view.state, view.embedding, view.masks) for view in views] == [
        (one.id, "waiting", "ready", 0),
        (two.id, "waiting", "waiting", 1),
        (three.id, "waiting", "failed", 0),
    ]
    total, views = world.database.read(
        lambda s: pictures.list_pictures(s, world.project.id, MODEL, state="done", review="none")
    )
    assert (total, views) == (0, [])
    seen = world.database.read(lambda s: pictures.view(s, [three.id, one.id, 999], MODEL))
    assert [view.row.id for view in seen] == [three.id, one.id]


def test_another_model_gets_its_own_jobs_once(world: World) -> None:
    world.add_pictures(2)
    for expected in (2, 0):
        made = world.database.write(lambda s: pictures.ask_all_embeddings(s, "b" * 64, world.clock()))
        assert made == expected
