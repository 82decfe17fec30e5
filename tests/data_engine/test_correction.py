from __future__ import annotations

import uuid
from pathlib import Path

import numpy as np
import pytest

from anymask.data_engine import correction, projects, queue
from anymask.data_engine.correction import INSTRUCTIONS, Drawn, Work
from anymask.data_engine.mask_rows import list_masks
from anymask.data_engine.quality import QualityConfig, pair_masks, summarise
from anymask.data_engine.tables import ImageRow, MaskRow, ProjectRow
from anymask.dataset.labelled_picture import LabelledPicture
from anymask.dataset.sources import read_labelled
from anymask.dataset.write import write_dataset
from anymask.errors import MaskError, NotThereError, TakenError
from anymask.evaluation.metrics import BootstrapConfig
from anymask.masks.sets import set_from_masks
from tests.data_engine.automatic_pictures import automatic
from tests.data_engine.world import MODEL, World, checked

DRAWN = Drawn(dataset="shards", pictures=4, seed=0)


class Correcting:
    """A study that Ann works on."""

    def __init__(self, world: World, pictures: int = 4) -> None:
        self.world = world
        self.project_id = self.begin()
        world.database.write(lambda session: projects.add_member(session, self.project_id, world.ann.id))
        self.pictures = [automatic(number) for number in range(1, pictures + 1)]
        for picture in self.pictures:
            assert correction.add(world.database, world.blobs, self.project_id, picture) == 4
        self.world.project = world.database.read(lambda session: session.get_one(ProjectRow, self.project_id))

    def begin(self, name: str = "Correction", drawn: Drawn = DRAWN) -> int:
        database, ada = self.world.database, self.world.ada
        return database.write(lambda session: correction.begin(session, name, drawn, {}, ada.id, database))

    def masks(self, image_id: int) -> list[MaskRow]:
        return self.world.database.read(lambda session: list_masks(session, image_id, with_deleted=True))

    def finish(self, lease: queue.Lease) -> None:
        world = self.world
        world.database.write(lambda session: queue.finish(session, world.ann, lease, world.clock()))

    def work(self) -> ImageRow:
        """Change the first mask, delete the second, accept the third, leave the fourth, add one, finish."""
        world = self.world
        task = world.next_task(world.ann)
        assert task is not None
        lease = queue.Lease(task.id, task.token)
        first, second, third, _ = self.masks(task.image_id)
        image = world.database.read(lambda session: session.get_one(ImageRow, task.image_id))
        answer = world.apply(
            world.ann,
            image,
            world.change("replace", first.id, base_version=1, mask=checked((0, 0, 20, 6))),
            world.change("delete", second.id, base_version=1),
            world.change("accept", third.id, base_version=1),
            world.change("create", str(uuid.uuid4()), mask=checked((50, 30, 58, 38))),
            lease=lease,
        )
        assert {result.outcome for result in answer.results} == {"applied"}
        self.finish(lease)
        return image

    def collect(self) -> tuple[correction.Pairs, Work]:
        return self.world.database.read(lambda session: correction.collect(session, self.project_id))


@pytest.fixture
def study(world: World) -> Correcting:
    return Correcting(world)


def test_automatic_masks_come_as_proposals_with_all_that_is_known_of_them(study: Correcting) -> None:
    task = study.world.next_task(study.world.ann)
    assert task is not None
    rows = study.masks(task.image_id)
    assert [(row.state, row.origin, row.stage, row.version) for row in rows] == [
        ("proposed", "model", "automatic", 1)
    ] * 4
    assert [round(row.provenance["predicted_iou"], 2) for row in rows] == [0.95, 0.9, 0.85, 0.7]
    assert {row.model_sha256 for row in rows} == {MODEL}
    project = study.world.project
    assert (project.kind, project.instructions) == ("correct", INSTRUCTIONS)


def test_nothing_is_brought_in_twice_and_another_draw_is_refused(study: Correcting) -> None:
    assert study.begin() == study.project_id
    for picture in study.pictures:
        assert correction.add(study.world.database, study.world.blobs, study.project_id, picture) == 0
    with pytest.raises(TakenError, match="begun with"):
        study.begin(drawn=Drawn(dataset="shards", pictures=4, seed=1))
    with pytest.raises(TakenError, match="no correction"):
        study.begin("cups")


def test_what_became_of_every_mask_is_counted_and_unfinished_pictures_are_not(study: Correcting) -> None:
    study.work()
    world = study.world
    task = world.next_task(world.ann)
    assert task is not None
    (row, *_) = study.masks(task.image_id)
    image = world.database.read(lambda session: session.get_one(ImageRow, task.image_id))
    lease = queue.Lease(task.id, task.token)
    world.apply(world.ann, image, world.change("delete", row.id, base_version=1), lease=lease)  # not finished
    pairs, work = study.collect()
    assert work == Work(finished=1, unfinished=3, left=2, fixed=1, deleted=1, added=1)
    # 20 x 8 became 20 x 6.
    assert sorted(zip(pairs.iou.round(4), pairs.score.round(2), strict=True)) == [(0.75, 0.95), (1, 0.7), (1, 0.85)]
    assert (pairs.compared, pairs.removed, pairs.added, set(pairs.pictures)) == (1, 1, 1, {"sa1b/sa_1.jpg"})
    study.finish(lease)
    _, work = study.collect()
    assert work == Work(finished=2, unfinished=2, left=5, fixed=1, deleted=2, added=1)


def test_a_mask_that_was_changed_and_changed_back_is_as_it_was(study: Correcting) -> None:
    world = study.world
    task = world.next_task(world.ann)
    assert task is not None
    first = study.masks(task.image_id)[0]
    image = world.database.read(lambda session: session.get_one(ImageRow, task.image_id))
    lease = queue.Lease(task.id, task.token)
    there, back = checked((0, 0, 5, 5)), checked((0, 0, 20, 8))
    world.apply(world.ann, image, world.change("replace", first.id, base_version=1, mask=there), lease=lease)
    world.apply(world.ann, image, world.change("replace", first.id, base_version=2, mask=back), lease=lease)
    study.finish(lease)
    assert study.collect()[1] == Work(finished=1, unfinished=3, left=4, fixed=0, deleted=0, added=0)


def test_a_picture_that_a_reviewer_refused_does_not_count(study: Correcting) -> None:
    image = study.work()
    world = study.world
    world.database.write(lambda session: setattr(session.get_one(ImageRow, image.id), "review", "reject"))
    assert study.collect()[1].finished == 0


def test_the_corrected_set_is_written_with_the_way_of_every_mask_and_studies_alike(
    study: Correcting, tmp_path: Path
) -> None:
    study.work()
    world = study.world
    write_dataset(tmp_path / "out", correction.corrected(world.database, world.blobs, study.project_id))
    (picture,) = read_labelled(tmp_path / "out")
    assert (picture.notes.licence, picture.notes.source) == ("CC0", "photo 1.png")
    stages = [picture.notes.of_mask(index).stage for index in range(len(picture.masks))]
    assert stages == ["corrected", "automatic", "automatic", "assisted"]
    assert picture.notes.of_mask(1).model_sha256 == MODEL
    assert picture.masks.predicted_iou[:3].tolist() == pytest.approx([0.95, 0.85, 0.7])
    # The same figures as by pairing the two sets by overlap.
    config = QualityConfig(bootstrap=BootstrapConfig(resamples=50))
    by_overlap = pair_masks(study.pictures, [picture], config)
    pairs, _ = study.collect()
    assert sorted(by_overlap.iou) == pytest.approx(sorted(pairs.iou))
    assert (by_overlap.removed, by_overlap.added) == (1, 1)
    assert summarise(pairs, config)["every_pair"]["above .9"]["mean"] == pytest.approx(2 / 3)


def test_the_only_correction_is_found_without_its_name(study: Correcting) -> None:
    world = study.world
    assert world.database.read(lambda session: correction.find(session)).id == study.project_id
    with pytest.raises(NotThereError, match="no such correction"):
        world.database.read(lambda session: correction.find(session, "cups"))
    study.begin("Another")
    with pytest.raises(NotThereError, match="several"):
        world.database.read(lambda session: correction.find(session))


def test_masks_of_another_size_are_refused(study: Correcting) -> None:
    wrong = LabelledPicture(
        name="sa_9", masks=set_from_masks(np.ones((1, 5, 5), np.bool_)), read_image=automatic(9).read_image
    )
    with pytest.raises(MaskError, match="height, width"):
        correction.add(study.world.database, study.world.blobs, study.project_id, wrong)
