from pathlib import Path

import numpy as np

from anymask.data_engine import queue
from anymask.data_engine.tables import TaskRow
from anymask.data_engine.turns.config import HardestConfig
from anymask.data_engine.turns.hardest import difficulty, find_skipped, order_queue, return_skipped
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


def test_the_hardest_pictures_come_first(world: World, model: Sam) -> None:
    images = [add_labelled(world, seed, done=False) for seed in range(4)]
    order = order_queue(world.database, world.blobs, Predictor(model), world.project.id, HardestConfig(grid=2), nothing)
    assert order.pictures == 4
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


def test_what_everybody_skipped_comes_again_save_what_somebody_has_opened_since(world: World) -> None:
    first, second, third = (add_labelled(world, seed, done=False) for seed in range(3))
    team = (world.ann, world.bob, world.rob, world.ada)
    for image in (first, second):
        for person in team:
            task = world.database.write(
                lambda s, who=person, image=image: queue.open_task(s, who, image, world.project, world.clock())
            )
            lease = queue.Lease(task.id, task.token)
            world.database.write(lambda s, who=person, lease=lease: queue.skip(s, who, lease, world.clock()))
    skipped = world.database.read(lambda session: find_skipped(session, world.project.id))
    assert len(skipped.tasks) == 2
    came = world.next_task(world.ann)
    assert came is not None
    assert came.image_id == third.id
    world.database.write(lambda s: queue.open_task(s, world.ada, second, world.project, world.clock()))
    for _ in range(2):  # a turn that was killed does it again
        world.database.write(lambda session: return_skipped(session, skipped))
    states = world.database.read(lambda s: {row.image_id: row.state for row in s.query(TaskRow)})
    assert (states[first.id], states[second.id]) == ("waiting", "leased")
    came = world.next_task(world.bob)
    assert came is not None
    assert came.image_id == first.id
