from pathlib import Path

import numpy as np
from sqlalchemy import update

from anymask.data_engine.tables import TaskRow
from anymask.data_engine.turns.config import HardestConfig
from anymask.data_engine.turns.hardest import difficulty, order_queue
from anymask.model.sam import Sam
from anymask.model.weights import load
from anymask.predict.predictor import Predictor
from tests.cli.small_model import write_small_model
from tests.data_engine.turns.labelled_world import add_labelled
from tests.data_engine.world import World, draw_picture


def nothing(_done: int, _total: int) -> None:
    pass


def test_a_model_that_is_sure_of_itself_finds_a_picture_easier(model: Sam, tmp_path: Path) -> None:
    unsure = load(write_small_model(tmp_path / "unsure.safetensors", is_sure=False))
    found = []
    for each in (model, unsure):
        predictor = Predictor(each)
        predictor.set_image(draw_picture(0, (64, 64)))
        found.append(difficulty(predictor, 3))
    assert 0 <= found[0] < found[1] <= 1
    assert np.isfinite(found).all()


def test_the_hardest_pictures_come_first_and_skipped_ones_again(world: World, model: Sam) -> None:
    images = [add_labelled(world, seed, done=False) for seed in range(4)]
    skipped = update(TaskRow).where(TaskRow.image_id == images[3].id).values(state="skipped")
    world.database.write(lambda session: session.execute(skipped))
    order = order_queue(world.database, world.blobs, Predictor(model), world.project.id, HardestConfig(grid=2), nothing)
    assert (order.pictures, order.returned) == (4, 1)
    predictor = Predictor(model)
    values = {}
    for image in images:
        predictor.set_image(world.blobs.read(image.pixels_key))
        values[image.id] = difficulty(predictor, 2)
    hardest = sorted(images, key=lambda image: -values[image.id])
    assert [image.file_name for image in hardest] == list(order.hardest)
    came = [world.next_task(person) for person in (world.ann, world.bob, world.rob, world.ada)]
    assert [task.image_id for task in came if task is not None] == [image.id for image in hardest]


def test_only_as_many_are_looked_at_as_configured(world: World, model: Sam) -> None:
    for seed in range(3):
        add_labelled(world, seed, done=False)
    config = HardestConfig(pictures=1, grid=2)
    order = order_queue(world.database, world.blobs, Predictor(model), world.project.id, config, nothing)
    assert order.pictures == 1
