"""What is released: blurred, smaller, without metadata, with a report; and what must not be, is not."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from anymask.data_engine.privacy import CenterFace, Detector
from anymask.data_engine.release import NO_PLATES, ReleaseConfig, make_detectors, release_dataset
from anymask.dataset.check import check_dataset
from anymask.dataset.labelled_picture import LabelledPicture
from anymask.dataset.provenance import Notes
from anymask.dataset.sources import read_labelled
from anymask.dataset.write import WriteConfig, write_dataset
from anymask.errors import ChecksumError, ConfigError, DatasetError, RunError
from anymask.images.load import load_image
from anymask.masks.sets import set_from_masks
from tests.dataset.drawn_pictures import drawn_picture

GPS = 0x8825


@pytest.fixture
def dataset(tmp_path: Path, repository: Path) -> Path:
    """The astronaut, and five drawn pictures, in three shards."""
    picture = Image.open(repository / "demo" / "astronaut.jpg")
    exif = Image.Exif()
    exif.get_ifd(GPS)[1] = "N"
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", exif=exif)
    masks = np.zeros((2, 512, 512), np.bool_)
    masks[0, 60:180, 180:272] = True
    masks[1, 7, 9] = True
    astronaut = LabelledPicture(
        name="sa_1", masks=set_from_masks(masks), notes=Notes(licence="public domain"), read_image=buffer.getvalue
    )
    pictures = [astronaut, *(drawn_picture(number) for number in range(2, 7))]
    write_dataset(tmp_path / "dataset", pictures, WriteConfig(name="people", pictures_per_shard=2))
    return tmp_path / "dataset"


def test_faces_are_blurred_and_everything_is_said(dataset: Path, tmp_path: Path) -> None:
    card, report = release_dataset(dataset, tmp_path / "out")
    assert (card.name, card.pictures, card.masks) == ("people", 6, 22)
    assert list(report["found"]) == ["sa1b/sa_1"]
    assert report["finds"] == len(report["found"]["sa1b/sa_1"]["faces"]) == 1
    assert NO_PLATES in card.notes
    assert report["plates"] == NO_PLATES
    assert (tmp_path / "out" / "blurred.jpg").is_file()
    written = b"".join(file.read_bytes() for file in (tmp_path / "out").rglob("*") if file.is_file())
    assert str(tmp_path).encode() not in written  # where it was made
    assert check_dataset(tmp_path / "out").is_sound
    before, after = (next(read_labelled(folder)) for folder in (dataset, tmp_path / "out"))
    assert after.masks.rles == before.masks.rles
    assert after.notes.licence == "public domain"
    assert after.notes.blurred.startswith("faces (CenterFace")
    assert not Image.open(io.BytesIO(after.image_bytes())).getexif()
    assert len(CenterFace().find(load_image(after.image_bytes()).pixels)) == 0


def test_pictures_where_nothing_is_found_keep_every_pixel(dataset: Path, tmp_path: Path) -> None:
    release_dataset(dataset, tmp_path / "out")
    for before, after in zip(list(read_labelled(dataset))[1:], list(read_labelled(tmp_path / "out"))[1:], strict=True):
        assert after.image_bytes() == before.image_bytes()
        assert after.masks.rles == before.masks.rles
        assert replace(after.notes, blurred="") == before.notes


def test_pictures_and_masks_are_made_smaller_together(dataset: Path, tmp_path: Path) -> None:
    _, report = release_dataset(dataset, tmp_path / "out", ReleaseConfig(shortest_side=128))
    first = next(read_labelled(tmp_path / "out"))
    assert first.masks.size_hw == load_image(first.image_bytes()).size_hw == (128, 128)
    assert len(first.masks) == 1  # the one-pixel mask is gone, and counted
    assert (report["made_smaller"], report["masks_vanished"]) == (1, 1)
    assert first.masks.area_px[0] == 30 * 23


class FailsOnWide:
    """A detector that breaks on pictures of drawn blocks."""

    kind, name = "faces", "fails on wide pictures"

    def find(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        if pixels.shape[1] > pixels.shape[0]:
            raise ValueError("out of memory, say")
        return np.zeros((0, 5), np.float32)


def failing(_config: ReleaseConfig) -> Sequence[Detector]:
    return [FailsOnWide()]


class Plates:
    """A plate detector of a user: everything in the first corner."""

    kind, name = "plates", "corner 1"

    def find(self, _pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        return np.array([[0, 0, 8, 8, 1]], np.float32)


def with_plates(config: ReleaseConfig) -> Sequence[Detector]:
    return [*make_detectors(config), Plates()]


def test_a_picture_on_which_the_detector_fails_is_not_released(dataset: Path, tmp_path: Path) -> None:
    """Fault 31."""
    card, report = release_dataset(dataset, tmp_path / "out", detectors=failing)
    assert card.pictures == 1
    assert set(report["left_out"]) == {f"sa1b/sa_{number}" for number in range(2, 7)}
    assert all(why == "ValueError: out of memory, say" for why in report["left_out"].values())
    assert [picture.name for picture in read_labelled(tmp_path / "out")] == ["sa1b/sa_1"]


def test_without_the_detector_nothing_is_written(dataset: Path, tmp_path: Path) -> None:
    (tmp_path / "x.onnx").write_bytes(b"damaged")
    with pytest.raises(ChecksumError):
        release_dataset(dataset, tmp_path / "out", ReleaseConfig(face_weights=str(tmp_path / "x.onnx")))
    assert not (tmp_path / "out").exists()


def test_plates_are_refused_unless_somebody_brings_a_detector(dataset: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no detector for licence plates"):
        ReleaseConfig(blur=("faces", "plates"))
    card, report = release_dataset(dataset, tmp_path / "out", detectors=with_plates)
    assert report["plates"] is None
    assert report["finds"] == 7
    assert "plates (corner 1)" in card.notes[0]
    assert NO_PLATES not in card.notes


def test_nothing_blurred_is_said_on_the_card(dataset: Path, tmp_path: Path) -> None:
    card, report = release_dataset(dataset, tmp_path / "out", ReleaseConfig(blur=()))
    assert report["blurred"] is None
    assert card.notes == ("nothing was looked for or blurred", NO_PLATES)


def test_a_stopped_release_goes_on_to_the_same_bytes(dataset: Path, tmp_path: Path) -> None:
    whole, _ = release_dataset(dataset, tmp_path / "whole")

    def stop(done: int, _total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        release_dataset(dataset, tmp_path / "out", update=stop)
    seen: list[int] = []
    card, _ = release_dataset(dataset, tmp_path / "out", update=lambda done, _total: seen.append(done))
    assert seen == [3]
    assert card == whole
    with pytest.raises(RunError, match="made in another way"):
        release_dataset(dataset, tmp_path / "out", ReleaseConfig(padding=0.5))


@pytest.mark.slow
def test_several_processes_release_the_same_bytes(dataset: Path, tmp_path: Path) -> None:
    assert release_dataset(dataset, tmp_path / "a", workers=2)[0] == release_dataset(dataset, tmp_path / "b")[0]


def test_other_folders_and_forms_are_refused(dataset: Path, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter.txt").write_text("mine")
    with pytest.raises(DatasetError, match="not empty"):
        release_dataset(dataset, tmp_path / "full")
    with pytest.raises(DatasetError, match="no tar shard"):
        release_dataset(tmp_path / "full", tmp_path / "out")
    with pytest.raises(ConfigError, match="shortest_side"):
        ReleaseConfig(shortest_side=0)
