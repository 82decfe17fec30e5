import hashlib
import json
import tarfile
import threading
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import filelock
import pytest
from sqlalchemy.orm import Session

from anymask.data_engine import exports, jobs, mask_rows, pictures, queue
from anymask.data_engine.coco_spool import CocoSpool
from anymask.data_engine.exports import Exporter, label_name, sa1b_name
from anymask.data_engine.imports import Importer
from anymask.data_engine.jobs import HeldJob
from anymask.data_engine.tables import ImageRow
from anymask.dataset.read import read_shards
from anymask.errors import LeaseLostError, StoreError
from tests.data_engine.world import MODEL, SIZE_HW, World, check_mask, provenance, rectangle

BOXES = ((0, 0, 20, 20), (5, 5, 10, 10), (30, 0, 40, 40))


def hold(world: World, form: str, **options: Any) -> HeldJob:
    payload = {"format": form, "only_finished": False, "with_proposed": False, "last_image_id": 10**6, **options}
    world.database.write(
        lambda s: jobs.add_job(s, "export", repr(payload), payload, world.clock(), project_id=world.project.id)
    )
    held = world.database.write(lambda session: jobs.take_job(session, ["export"], world.clock()))
    assert held is not None
    return held


def export(world: World, folder: Path, form: str, **options: Any) -> Path:
    held = hold(world, form, **options)
    key = Exporter(world.database, world.blobs, folder)(held)
    world.database.write(lambda session: jobs.finish(session, held, world.clock(), result_key=key))
    path = folder / f"{form}.tar"
    path.write_bytes(world.blobs.read(key))
    return path


def annotate(world: World, image: ImageRow, label: str | None = "cup") -> None:
    made = provenance(predicted_iou=0.5, stability=0.75, prompts=[{"points": [{"x": 3, "y": 4}]}])
    for box in BOXES:
        mask = check_mask(rectangle(*box), SIZE_HW, label=label, provenance=made)
        world.apply(world.ada, image, world.change("create", mask=mask))


def stored(world: World, project_id: int) -> dict[str, list[tuple[str, str | None, Any]]]:
    _, views = world.database.read(lambda s: pictures.list_pictures(s, project_id, MODEL))
    return {
        view.row.sha256: sorted(
            (row.counts, row.label, row.provenance.get("predicted_iou"))
            for row in world.database.read(lambda s, view=view: mask_rows.list_masks(s, view.row.id))
        )
        for view in views
    }


@pytest.mark.parametrize("form", ["coco", "sa1b", "labels"])
def test_what_is_exported_comes_back_exactly(world: World, tmp_path: Path, form: str) -> None:
    for image in world.add_pictures(3)[:2]:
        annotate(world, image)
    path = export(world, tmp_path, form)
    second = world.add_project("again")
    payload = {"format": form, "path": str(path)}
    world.database.write(lambda s: jobs.add_job(s, "import", "x", payload, world.clock(), project_id=second.id))
    held = world.database.write(lambda session: jobs.take_job(session, ["import"], world.clock()))
    assert held is not None
    Importer(world.database, world.blobs, MODEL)(held)
    before, after = stored(world, world.project.id), stored(world, second.id)
    if form == "sa1b":  # its pictures are JPEGs, so others change; masks do not
        assert sorted(map(str, before.values())) != []
        assert [[m[0] for m in masks] for masks in after.values()] == [
            [m[0] for m in masks] for masks in before.values()
        ]
        assert {m[2] for masks in after.values() for m in masks} == {0.5}
    elif form == "coco":
        assert after == before
    else:  # label maps hold masks alone
        assert {k: [m[0] for m in v] for k, v in after.items()} == {k: [m[0] for m in v] for k, v in before.items()}


@pytest.mark.parametrize("form", ["sa1b", "labels"])
def test_an_export_is_a_shard_that_training_reads(world: World, tmp_path: Path, form: str) -> None:
    annotate(world, world.add_picture("cups/one.png"))
    (record,) = read_shards([export(world, tmp_path, form)])
    layers = record.label_maps()
    assert sorted(int(value) for layer in layers for value in set(layer.flat) - {0}) == [1, 2, 3]
    assert record.pixels().shape == (*SIZE_HW, 3)


def test_only_what_is_asked_for_goes_out(world: World, tmp_path: Path) -> None:
    done, open_, rejected = world.add_pictures(3)
    for image in (done, rejected):
        lease = world.lease(world.ann)
        if lease.task_id != image.id:
            lease = world.lease(world.bob)
        world.database.write(lambda s, lease=lease: _finish(s, lease))
    world.database.write(lambda session: setattr(pictures.get_picture(session, rejected.id), "review", "reject"))
    create = world.change("create")
    world.apply(world.ada, done, create, world.change("create"))
    world.apply(world.ada, done, world.change("reject", create.mask_id, base_version=1))
    path = export(world, tmp_path, "coco", only_finished=True)
    with tarfile.open(path) as tar:
        value = json.load(tar.extractfile("annotations.json"))
    shown = [image["file_name"] for image in value["images"]]
    assert done.file_name in shown
    assert rejected.file_name not in shown
    assert len(value["annotations"]) == 1
    assert open_.review == "none"


def _finish(session: Any, lease: queue.Lease) -> None:
    from anymask.data_engine.tables import TaskRow

    task = session.get(TaskRow, lease.task_id)
    task.state = "done"


@pytest.mark.parametrize("form", ["coco", "sa1b", "labels"])
def test_a_worker_that_takes_over_goes_on_where_the_file_is_good(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    monkeypatch.setattr(exports, "_SAVE_EVERY", 2)
    for index, image in enumerate(world.add_pictures(5)):
        annotate(world, image, f"cup {index}")
    whole = export(world, tmp_path, form)
    held = hold(world, form, again=True)
    real, calls = Exporter._add, []

    def dies(self: Exporter, tar: tarfile.TarFile, held: HeldJob, image_id: int, spool: CocoSpool | None) -> None:
        calls.append(image_id)
        if len(calls) == 4:
            tar.fileobj.write(b"half a picture")
            if spool is not None:
                spool._streams["annotations"].write(b"half a mask")
            raise KeyboardInterrupt
        real(self, tar, held, image_id, spool)

    monkeypatch.setattr(Exporter, "_add", dies)
    with pytest.raises(KeyboardInterrupt):
        Exporter(world.database, world.blobs, tmp_path)(held)
    world.clock.move(31)
    again = world.database.write(lambda session: jobs.take_job(session, ["export"], world.clock()))
    assert again is not None
    assert again.progress["images"] == 2
    monkeypatch.setattr(Exporter, "_add", lambda *a: (calls.append(a[3]), real(*a))[1])
    key = Exporter(world.database, world.blobs, tmp_path)(again)
    assert len(calls) == 4 + 3
    assert key == hashlib.sha256(whole.read_bytes()).hexdigest()
    assert [file.name for file in tmp_path.iterdir() if file.name.startswith("export")] == []


def test_two_workers_never_write_one_export_at_once(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for image in world.add_pictures(2):
        annotate(world, image)
    whole = export(world, tmp_path, "coco")
    old = hold(world, "coco", again=True)
    real, begun, goes_on = Exporter._add, threading.Event(), threading.Event()
    written: list[int] = []

    def add(self: Exporter, tar: tarfile.TarFile, held: HeldJob, image_id: int, spool: CocoSpool | None) -> None:
        written.append(held.token)
        if held.token == old.token:
            begun.set()
            assert goes_on.wait(60)
        real(self, tar, held, image_id, spool)

    def again(session: Session) -> HeldJob | None:
        jobs.cancel(session, old.id, world.clock())
        jobs.retry(session, old.id, world.clock())
        return jobs.take_job(session, ["export"], world.clock())

    monkeypatch.setattr(Exporter, "_add", add)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(Exporter(world.database, world.blobs, tmp_path), old)
        assert begun.wait(60)
        new = world.database.write(again)
        assert new is not None
        assert new.id == old.id
        second = pool.submit(Exporter(world.database, world.blobs, tmp_path), new)
        _, waiting = wait([second], timeout=0.5)
        goes_on.set()
        assert waiting == {second}
        with pytest.raises(LeaseLostError):
            first.result()
        assert second.result() == hashlib.sha256(whole.read_bytes()).hexdigest()
    assert written == [old.token] * 2 + [new.token] * 2


def test_a_worker_that_waited_too_long_or_lost_the_job_meanwhile_writes_nothing(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "_WAIT_S", 0.1)
    annotate(world, world.add_pictures(1)[0])
    held = hold(world, "coco")
    (tmp_path / "locks").mkdir()
    with (
        filelock.FileLock(tmp_path / "locks" / f"export-{held.id}", thread_local=False),
        ThreadPoolExecutor(1) as pool,
        pytest.raises(StoreError, match=f"another worker still writes export {held.id}"),
    ):
        pool.submit(Exporter(world.database, world.blobs, tmp_path), held).result()
    world.database.write(lambda session: jobs.cancel(session, held.id, world.clock()))
    with pytest.raises(LeaseLostError):
        Exporter(world.database, world.blobs, tmp_path)(held)
    assert list(tmp_path.glob("export*")) == []


def test_an_export_whose_begun_file_is_elsewhere_begins_anew(world: World, tmp_path: Path) -> None:
    for image in world.add_pictures(3):
        annotate(world, image)
    whole = export(world, tmp_path, "coco")
    held = hold(world, "coco", again=True)
    held.progress.update(images=2, offset=10**6, coco={"images": 100, "annotations": 100, "annotation_count": 6})
    key = Exporter(world.database, world.blobs, tmp_path)(held)
    assert key == hashlib.sha256(whole.read_bytes()).hexdigest()


def test_what_a_cancelled_export_left_is_removed_by_the_next_one(world: World, tmp_path: Path) -> None:
    annotate(world, world.add_picture())
    gone, kept = hold(world, "coco", first=True), hold(world, "coco", second=True)
    world.database.write(lambda session: jobs.cancel(session, gone.id, world.clock()))
    for held in (gone, kept):
        for suffix in ("part", "images", "annotations"):
            (tmp_path / f"export-{held.id}.tar.{suffix}").write_bytes(b"begun")
    (tmp_path / "export-of-mine.tar").write_bytes(b"another's")
    export(world, tmp_path, "labels")
    assert sorted(file.name for file in tmp_path.glob("export-*")) == [
        *(f"export-{kept.id}.tar.{suffix}" for suffix in ("annotations", "images", "part")),
        "export-of-mine.tar",
    ]


def test_an_export_says_that_it_lives_while_its_file_is_stored(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "_ALIVE_S", 0.0)
    annotate(world, world.add_picture())
    said: list[str] = []
    real = jobs.report

    def report(*arguments: Any, **named: Any) -> None:
        said.append(named["message"])
        real(*arguments, **named)

    monkeypatch.setattr(jobs, "report", report)
    export(world, tmp_path, "coco")
    assert said.count("1 pictures, the file is being stored") >= 2
    assert said[-1] == "1 of 1 pictures"


@pytest.mark.parametrize(
    ("name", "sa1b", "label"),
    [
        ("sa_7.jpg", "sa_7", "pictures/sa_7"),
        ("cups/one.png", "sa_p5", "cups/one"),
        ("a b/c/d.png", "sa_p5", "a_b_c/d_5"),
        ("..hidden.jpg", "sa_p5", "pictures/hidden_5"),
    ],
)
def test_names_are_those_that_shards_take(name: str, sa1b: str, label: str) -> None:
    row = ImageRow(id=5, file_name=name)
    assert (sa1b_name(row), label_name(row)) == (sa1b, label)
