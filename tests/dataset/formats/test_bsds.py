"""The Berkeley layout: pictures with the MATLAB files of their annotators, as the archive has them."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from scipy.io import savemat

from anymask.dataset.entries import ReadLimits
from anymask.dataset.formats.bsds import BsdsPicture, decode_predictions, is_bsds_folder, read_bsds
from anymask.errors import DatasetError, ImageError
from anymask.masks.borders import label_borders

SIZE = (24, 36)


def segmentation(seed: int) -> npt.NDArray[np.uint16]:
    """Three upright stripes whose places depend on the seed."""
    cuts = np.sort(np.random.default_rng(seed).choice(np.arange(2, 34), 2, replace=False))
    return np.broadcast_to(1 + np.searchsorted(cuts, np.arange(36), side="right"), SIZE).astype(np.uint16)


def mat(**values: Any) -> bytes:
    """A MATLAB file."""
    file = io.BytesIO()
    savemat(file, values, do_compression=True)
    return file.getvalue()


def cell(items: list[Any]) -> npt.NDArray[np.object_]:
    """A MATLAB cell of one row."""
    found = np.empty((1, len(items)), object)
    for index, item in enumerate(items):
        found[0, index] = item
    return found


def truth(seeds: list[int]) -> bytes:
    """A ground truth file of as many annotators."""
    maps = [segmentation(seed) for seed in seeds]
    return mat(
        groundTruth=cell([{"Segmentation": one, "Boundaries": label_borders(one).astype(np.uint8)} for one in maps])
    )


def write_archive(root: Path, ids: list[str], split: str = "test") -> Path:
    """An archive with those pictures, picture N having annotators N and N + 1."""
    for folder in ("images", "groundTruth"):
        (root / folder / split).mkdir(parents=True)
    (root / "images" / split / "Thumbs.txt").write_text("not a picture")
    for index, name in enumerate(ids):
        pixels = np.full((*SIZE, 3), 40 * index, np.uint8)
        Image.fromarray(pixels).save(root / "images" / split / f"{name}.jpg")
        (root / "groundTruth" / split / f"{name}.mat").write_bytes(truth([index, index + 1]))
    return root


def test_pictures_come_with_each_annotators_lines(tmp_path: Path) -> None:
    root = write_archive(tmp_path / "BSR" / "BSDS500" / "data", ["2018", "3063"])
    for place in (root, tmp_path / "BSR" / "BSDS500", tmp_path / "BSR", tmp_path):
        found = list(read_bsds(place))
        assert [one.name for one in found] == ["bsds500_test/2018", "bsds500_test/3063"]
    assert found[1].pixels().shape == (*SIZE, 3)
    lines = found[1].lines()
    assert [one.dtype for one in lines] == [np.bool_, np.bool_]
    assert all(np.array_equal(one, label_borders(segmentation(seed))) for one, seed in zip(lines, (1, 2), strict=True))


def test_a_folder_of_another_form_is_none(tmp_path: Path) -> None:
    assert not is_bsds_folder(tmp_path)
    assert is_bsds_folder(write_archive(tmp_path / "data", ["1"]).parent)
    with pytest.raises(DatasetError, match="has no BSDS500 split 'test'"):
        list(read_bsds(tmp_path / "data" / "images"))
    with pytest.raises(DatasetError, match="one of train, val, test"):
        list(read_bsds(tmp_path, "minival"))


def test_a_picture_without_its_truth_is_named_and_so_is_an_empty_split(tmp_path: Path) -> None:
    root = write_archive(tmp_path, ["1", "2"])
    (root / "groundTruth" / "test" / "2.mat").unlink()
    with pytest.raises(DatasetError, match=r"1 of split test .* first \['2'\]"):
        list(read_bsds(root))
    with pytest.raises(DatasetError, match="0 pictures are there"):
        list(read_bsds(root, "val"))


def test_a_file_over_the_limit_is_refused(tmp_path: Path) -> None:
    root = write_archive(tmp_path, ["1"])
    with pytest.raises(DatasetError, match="larger than 100 bytes"):
        list(read_bsds(root, limits=ReadLimits(max_member_bytes=100)))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is no MATLAB file"),
        (b"<html>not found</html>" * 20, "is no MATLAB file"),
        (truth([1])[:-40], "is no MATLAB file"),
        (b"MATLAB 7.3 MAT-file, Platform" + bytes(200), "version 7.3; save it again with -v7"),
        (mat(other=np.ones(3)), "holds no groundTruth"),
        (mat(groundTruth=cell([{"Segmentation": segmentation(1)}])), "holds no groundTruth with Boundaries"),
        (
            mat(groundTruth=cell([{"Boundaries": np.ones((2, 3))}, {"Boundaries": np.ones((3, 2))}])),
            r"maps of sizes \[\(2, 3\), \(3, 2\)\]",
        ),
    ],
)
def test_a_damaged_truth_is_refused_with_the_pictures_name(tmp_path: Path, data: bytes, message: str) -> None:
    root = write_archive(tmp_path, ["7"])
    (root / "groundTruth" / "test" / "7.mat").write_bytes(data)
    (found,) = read_bsds(root)
    with pytest.raises(DatasetError, match=f"ground truth of bsds500_test/7.*{message}"):
        found.lines()


def test_a_truth_with_any_byte_flipped_is_read_or_refused_and_nothing_else() -> None:
    whole, rng, refused = truth([1, 2]), np.random.default_rng(0), 0
    for _ in range(300):
        damaged = bytearray(whole)
        damaged[rng.integers(len(damaged))] ^= 1 << int(rng.integers(8))
        try:
            BsdsPicture("7", "test", b"", bytes(damaged)).lines()
        except DatasetError:
            refused += 1
    assert refused > 50


def test_a_damaged_picture_is_named(tmp_path: Path) -> None:
    root = write_archive(tmp_path, ["7"])
    (root / "images" / "test" / "7.jpg").write_bytes(b"\xff\xd8\xff\xe0 cut")
    (found,) = read_bsds(root)
    with pytest.raises(ImageError, match="the picture of bsds500_test/7"):
        found.pixels()


def test_segmentations_and_contour_maps_of_others_are_read() -> None:
    maps = [segmentation(seed) for seed in range(3)]
    found = decode_predictions(mat(segs=cell([one.astype(np.float64) for one in maps])), "7.mat")
    assert isinstance(found, list)
    assert all(np.array_equal(one, given) for one, given in zip(found, maps, strict=True))
    doubled = np.random.default_rng(0).random((2 * 24 + 1, 2 * 36 + 1))
    contour = decode_predictions(mat(ucm2=doubled), "7.mat")
    assert np.array_equal(contour, doubled[2::2, 2::2])
    with pytest.raises(DatasetError, match=r"7.mat holds \['other'\], expected segs"):
        decode_predictions(mat(other=np.ones(2)), "7.mat")
