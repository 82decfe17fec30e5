import json
import uuid
from pathlib import Path
from typing import Any

import pytest

from anymask.data_engine import imports, jobs, mask_rows, pictures
from anymask.data_engine.imports import Importer, check_import_path
from anymask.data_engine.incoming import Incoming
from anymask.data_engine.jobs import HeldJob
from anymask.dataset.formats.coco import CocoPicture, to_coco
from anymask.errors import InputError, PathError
from anymask.masks import rle
from anymask.masks.sets import set_from_rles
from tests.data_engine.world import MODEL, SIZE_HW, World, draw_picture, rectangle


def run(world: World, payload: dict[str, Any]) -> tuple[HeldJob, list[str], str]:
    job = world.database.write(
        lambda s: jobs.add_job(s, "import", uuid.uuid4().hex, payload, world.clock(), project_id=world.project.id)
    )
    return do(world, job.id)


def do(world: World, job_id: int) -> tuple[HeldJob, list[str], str]:
    held = world.database.write(lambda session: jobs.take_job(session, ["import"], world.clock()))
    assert held is not None
    assert held.id == job_id
    Importer(world.database, world.blobs, MODEL)(held)
    world.database.write(lambda session: jobs.finish(session, held, world.clock()))
    row = world.database.read(lambda session: jobs.get_job(session, job_id))
    return held, row.problems, row.message


def names(world: World) -> list[str]:
    _, views = world.database.read(lambda s: pictures.list_pictures(s, world.project.id, MODEL))
    return [view.row.file_name for view in views]


def test_one_damaged_picture_is_named_and_the_others_come_in_once(world: World, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for index in range(3):
        (folder / f"{index}.png").write_bytes(draw_picture(index))
    (folder / "1.png").write_bytes(draw_picture(1)[:200])
    payload = {"format": "folder", "path": str(folder)}
    for _ in range(2):
        _, problems, message = run(world, payload)
        assert names(world) == ["0.png", "2.png"]
        assert len(problems) == 1
        assert problems[0].startswith("1.png: ")
        assert "1 left out" in message


def test_masks_come_in_once_however_often_and_with_labels_and_scores(world: World, tmp_path: Path) -> None:
    both = [rle.from_json(rectangle(*box)) for box in ((0, 0, 5, 5), (0, 0, 5, 5), (2, 2, 9, 9))]
    masks = set_from_rles(both, SIZE_HW, predicted_iou=[0.5, 0.5, float("nan")])
    value = to_coco([CocoPicture(image_id=1, file_name="a.png", masks=masks, category_ids=(1, 1, 2))], {1: "x", 2: "y"})
    (tmp_path / "annotations.json").write_text(json.dumps(value))
    (tmp_path / "a.png").write_bytes(draw_picture())
    messages = [run(world, {"format": "coco", "path": str(tmp_path)})[2] for _ in range(2)]
    assert ["3 new masks" in messages[0], "0 new masks" in messages[1]] == [True, True]
    _, views = world.database.read(lambda s: pictures.list_pictures(s, world.project.id, MODEL))
    rows = world.database.read(lambda s: mask_rows.list_masks(s, views[0].row.id))
    assert [(row.label, row.origin, row.counts, row.provenance.get("predicted_iou")) for row in rows] == [
        ("x", "import", both[0].counts.decode(), 0.5),
        ("x", "import", both[0].counts.decode(), 0.5),
        ("y", "import", both[2].counts.decode(), None),
    ]


def test_a_picture_whose_masks_are_refused_comes_in_without_them(world: World, tmp_path: Path) -> None:
    masks = set_from_rles([rle.from_json(rectangle(0, 0, 5, 5))], SIZE_HW)
    value = to_coco([CocoPicture(image_id=i, file_name=f"{i}.png", masks=masks) for i in (1, 2)])
    value["annotations"][0]["segmentation"]["counts"] = "nonsense"
    folder = tmp_path / "coco"
    folder.mkdir()
    (folder / "annotations.json").write_text(json.dumps(value))
    for index in (1, 2):
        (folder / f"{index}.png").write_bytes(draw_picture(index))
    _, problems, message = run(world, {"format": "coco", "path": str(folder)})
    assert message == "2 of 2 pictures, 1 new masks, 1 left out"
    assert problems[0].startswith("1.png: annotation 1: ")
    assert names(world) == ["1.png", "2.png"]


def test_uploaded_masks_go_to_the_picture_of_that_name(world: World) -> None:
    world.add_picture("folder/a.png")
    masks = set_from_rles([rle.from_json(rectangle(0, 0, 5, 5))], SIZE_HW)
    value = to_coco(
        [CocoPicture(image_id=i, file_name=name, masks=masks) for i, name in enumerate(["a.png", "none.png"])]
    )
    key = world.blobs.put(json.dumps(value).encode())
    _, problems, _ = run(world, {"format": "coco", "file_name": "x.json", "key": key})
    assert len(problems) == 1
    assert "no picture called 'none.png'" in problems[0]


def test_a_worker_that_takes_over_goes_on_where_the_last_one_noted(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imports, "_SAVE_EVERY", 2)
    folder = tmp_path / "pictures"
    folder.mkdir()
    for index in range(1, 7):
        (folder / f"{index}.png").write_bytes(draw_picture(index))
    (folder / "0.png").write_bytes(b"no picture")
    payload = {"format": "folder", "path": str(folder)}
    job = world.database.write(
        lambda s: jobs.add_job(s, "import", "x", payload, world.clock(), project_id=world.project.id)
    )
    looked_at: list[str] = []
    real = Importer._bring

    def bring(self: Importer, project_id: int, item: Incoming) -> int:
        looked_at.append(item.file_name)
        if len(looked_at) == 6:
            raise KeyboardInterrupt
        return real(self, project_id, item)

    monkeypatch.setattr(Importer, "_bring", bring)
    held = world.database.write(lambda session: jobs.take_job(session, ["import"], world.clock()))
    assert held is not None
    with pytest.raises(KeyboardInterrupt):
        Importer(world.database, world.blobs, MODEL)(held)
    world.clock.move(31)
    again = world.database.write(lambda session: jobs.take_job(session, ["import"], world.clock()))
    assert again is not None
    Importer(world.database, world.blobs, MODEL)(again)
    assert looked_at == [f"{index}.png" for index in (0, 1, 2, 3, 4, 5, 4, 5, 6)]
    row = world.database.read(lambda session: jobs.get_job(session, job.id))
    assert row.message == "7 of 7 pictures, 0 new masks, 1 left out"
    assert [problem.split(":")[0] for problem in row.problems] == ["0.png"]
    assert names(world) == [f"{index}.png" for index in range(1, 7)]


def test_an_import_that_finds_other_pictures_than_were_counted_begins_anew(world: World, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for index in range(3):
        (folder / f"{index}.png").write_bytes(draw_picture(index))
    held, _, _ = run(world, {"format": "folder", "path": str(folder)})
    (folder / "00.png").write_bytes(draw_picture(9))
    world.database.write(lambda session: setattr(jobs.get_job(session, held.id), "state", "waiting"))
    assert do(world, held.id)[0].progress["pictures"] == 3
    assert sorted(names(world)) == ["0.png", "00.png", "1.png", "2.png"]


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1/x.jpg",
        "https://[::1]/x.jpg",
        "http://169.254.169.254/latest/meta-data",
        "file:///etc/passwd",
        "FILE:/etc/passwd",
        "s3://bucket/x",
    ],
)
def test_addresses_are_refused_with_what_to_do_instead(address: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="upload the pictures, or import a folder"):
        check_import_path(address, [tmp_path])


def test_only_folders_below_a_root_are_imported(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "way_out").symlink_to("/etc")
    root = tmp_path / "root"
    assert check_import_path(str(root / "a"), [root]) == (root / "a").resolve()
    for path in (str(root / ".." / "other"), "/etc", str(root / "way_out"), "\0"):
        with pytest.raises((PathError, InputError)):
            check_import_path(path, [root])
    with pytest.raises(InputError, match="--import-root"):
        check_import_path(str(root), [])
