import json
import tarfile
from pathlib import Path

import pytest

from anymask.data_engine.exports import put_member
from anymask.data_engine.incoming import Incoming, open_annotations, open_source
from anymask.dataset.entries import ReadLimits
from anymask.dataset.formats.coco import CocoPicture, to_coco
from anymask.dataset.formats.png import to_png
from anymask.dataset.formats.sa1b import to_sa1b
from anymask.errors import DatasetError, MaskError, PathError
from anymask.masks import rle
from anymask.masks.sets import set_from_rles
from anymask.masks.types import MaskSet
from tests.data_engine.world import SIZE_HW, draw_picture, rectangle

BOXES = ((0, 0, 5, 5), (10, 10, 30, 20))


def masks() -> MaskSet:
    return set_from_rles([rle.from_json(rectangle(*box)) for box in BOXES], SIZE_HW, predicted_iou=[0.5, 0.75])


def counts(item: Incoming) -> list[bytes]:
    assert item.masks is not None
    return [one.counts for found, _ in item.masks() for one in found.rles]


EXPECTED = [one.counts for one in masks().rles]


def test_a_folder_gives_its_pictures_by_name_and_names_what_it_leaves_out(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "b.PNG").write_bytes(draw_picture())
    (tmp_path / "a.jpg").write_bytes(b"looked at later")
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / ".anymask").mkdir()
    (tmp_path / ".anymask" / "c.png").write_bytes(b"own files")
    (tmp_path / "link.png").symlink_to("/etc/passwd")
    source = open_source("folder", tmp_path)
    assert [item.file_name for item in source.items] == ["a.jpg", "sub/b.PNG"]
    assert source.items[1].picture is not None
    assert source.items[1].picture() == draw_picture()
    assert [problem.split(":")[0] for problem in source.problems] == ["link.png", "notes.txt"]


@pytest.mark.parametrize("where", ["", "images"])
def test_coco_gives_masks_with_their_labels_and_pictures_beside_it(tmp_path: Path, where: str) -> None:
    value = to_coco(
        [CocoPicture(image_id=7, file_name="a.png", masks=masks(), category_ids=(2, 1))], {1: "cup", 2: "dog"}
    )
    (tmp_path / "annotations.json").write_text(json.dumps(value))
    (tmp_path / where).mkdir(exist_ok=True)
    (tmp_path / where / "a.png").write_bytes(draw_picture())
    for path in (tmp_path, tmp_path / "annotations.json"):
        (item,) = open_source("coco", path).items
        assert item.masks is not None
        assert item.picture is not None
        assert counts(item) == EXPECTED
        assert item.masks()[0][1] == ["dog", "cup"]


def test_a_picture_that_climbs_out_of_its_folder_is_refused(tmp_path: Path) -> None:
    value = to_coco([CocoPicture(image_id=7, file_name="../../etc/passwd", masks=masks())])
    (tmp_path / "annotations.json").write_text(json.dumps(value))
    with pytest.raises(PathError):
        open_source("coco", tmp_path)


def test_label_maps_and_sa1b_are_read_as_datasets_are(tmp_path: Path) -> None:
    (tmp_path / "labels" / "cups").mkdir(parents=True)
    picture = draw_picture(form="WEBP", lossless=True)
    (tmp_path / "labels" / "cups" / "one.webp").write_bytes(picture)
    (tmp_path / "labels" / "cups" / "one.png").write_bytes(to_png(masks()))
    (item,) = open_source("labels", tmp_path / "labels").items
    assert item.file_name == "cups/one.webp"
    assert counts(item) == EXPECTED
    (tmp_path / "sa1b").mkdir()
    (tmp_path / "sa1b" / "sa_1.jpg").write_bytes(draw_picture(form="JPEG"))
    (tmp_path / "sa1b" / "sa_1.json").write_text(json.dumps(to_sa1b(masks(), 1, "sa_1.jpg")))
    (item,) = open_source("sa1b", tmp_path / "sa1b").items
    assert item.file_name == "sa_1.jpg"
    assert counts(item) == EXPECTED


def test_uploaded_masks_say_which_picture_they_are_of() -> None:
    coco = json.dumps(to_coco([CocoPicture(image_id=1, file_name="a.png", masks=masks())])).encode()
    sa1b = json.dumps(to_sa1b(masks(), 1, "b.jpg")).encode()
    names = []
    for form, file_name, data in (
        ("coco", "x.json", coco),
        ("sa1b", "y.json", sa1b),
        ("labels", "c.png", to_png(masks())),
    ):
        (item,) = open_annotations(form, file_name, data).items
        assert counts(item) == EXPECTED
        assert item.picture is None
        names.append(item.file_name)
    assert names == ["a.png", "b.jpg", "c"]


@pytest.mark.parametrize(
    ("form", "content"),
    [("coco", b"not json"), ("coco", b"[]"), ("coco", b'{"images": 3}'), ("sa1b", b"{}"), ("labels", b"GIF89a")],
)
def test_what_is_not_of_the_form_is_refused(form: str, content: bytes) -> None:
    def read() -> list[list[bytes]]:
        return [counts(item) for item in open_annotations(form, "file", content).items]

    with pytest.raises((DatasetError, MaskError)):
        read()


def test_a_path_that_is_not_there_is_named(tmp_path: Path) -> None:
    for form in ("folder", "coco", "labels", "sa1b"):
        with pytest.raises(DatasetError, match="nowhere"):
            open_source(form, tmp_path / "nowhere")
    with pytest.raises(DatasetError, match="annotations"):
        open_source("coco", tmp_path)


def test_one_refused_mask_costs_its_picture_and_not_the_file() -> None:
    pictures = [CocoPicture(image_id=number, file_name=f"{number}.png", masks=masks()) for number in (1, 2)]
    value = to_coco(pictures)
    value["annotations"][0]["segmentation"]["counts"] = "nonsense"
    bad, good = open_annotations("coco", "x.json", json.dumps(value).encode()).items
    assert counts(good) == EXPECTED
    with pytest.raises(MaskError, match="annotation 1"):
        counts(bad)


def test_the_annotations_of_a_tar_may_be_larger_than_a_picture_may(tmp_path: Path) -> None:
    value = json.dumps(to_coco([CocoPicture(image_id=1, file_name="a.png", masks=masks())])).encode()
    limits = ReadLimits(max_member_bytes=len(draw_picture()))
    for name, extra in (("small", 0), ("large", 1)):
        path = tmp_path / f"{name}.tar"
        with tarfile.open(path, "w") as tar:
            put_member(tar, "images/a.png", draw_picture() + bytes(extra))
            put_member(tar, "annotations.json", value + b" " * len(draw_picture()))
        if extra:
            with pytest.raises(DatasetError, match=r"a\.png has \d+ bytes, the limit is"):
                open_source("coco", path, limits)
        else:
            (item,) = open_source("coco", path, limits).items
            assert counts(item) == EXPECTED
