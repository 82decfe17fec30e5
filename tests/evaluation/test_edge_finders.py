"""What the benchmark takes: pictures of both layouts, models, edge maps, contour maps and segmentations of others."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from anymask.dataset.formats.bsds import read_bsds
from anymask.dataset.formats.png import encode_labels
from anymask.dataset.record import Record
from anymask.errors import DatasetError
from anymask.evaluation.boundaries.matching import above_thresholds
from anymask.evaluation.edge_finders import EdgePicture, MapFolder, ModelEdges
from anymask.evaluation.seen import TRAINED, UNKNOWN
from anymask.images.edges import edge_nms
from anymask.masks.borders import label_borders
from anymask.model.weights import load
from anymask.predict.predictor import Predictor
from anymask.predict.tasks.edges import EdgesConfig, find_edges
from tests.evaluation.line_data import cell, mat, painted, stripes, write_archive, write_maps


def shard_picture(seed: int) -> EdgePicture:
    """As in a shard: the picture with a label map of each annotator."""
    maps = tuple(encode_labels(stripes(seed, shift)) for shift in (0, 1))
    return EdgePicture(Record(str(seed), "lines", png_bytes(painted(seed)), maps))


def png_bytes(pixels: np.ndarray) -> bytes:
    """The PNG file of a picture."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def archive_picture(tmp_path: Path, seed: int = 1) -> EdgePicture:
    """The picture of that number in an archive."""
    return [EdgePicture(one) for one in read_bsds(write_archive(tmp_path / "archive", seed))][seed - 1]


def test_both_layouts_give_the_same_picture_and_lines(tmp_path: Path) -> None:
    ours, theirs = shard_picture(1), archive_picture(tmp_path)
    assert (ours.name, theirs.name) == ("lines/1", "bsds500_test/1")
    assert np.array_equal(ours.pixels(), theirs.pixels())
    assert [line.tolist() for line in ours.lines()] == [line.tolist() for line in theirs.lines()]
    assert np.array_equal(ours.lines()[0], label_borders(stripes(1)))


def test_the_hash_changes_with_picture_and_truth() -> None:
    assert shard_picture(1).sha256() == shard_picture(1).sha256()
    assert shard_picture(1).sha256() != shard_picture(2).sha256()


def test_the_hash_of_an_archives_picture_changes_with_either_file(tmp_path: Path) -> None:
    root = write_archive(tmp_path, 2)
    first, second = (EdgePicture(one) for one in read_bsds(root))
    (root / "groundTruth" / "test" / "1.mat").write_bytes((root / "groundTruth" / "test" / "2.mat").read_bytes())
    changed = EdgePicture(next(iter(read_bsds(root))))
    assert len({one.sha256() for one in (first, second, changed)}) == 3


def test_a_picture_without_label_maps_is_refused() -> None:
    with pytest.raises(DatasetError, match="lines/1 has no label map"):
        EdgePicture(Record("1", "lines", png_bytes(painted(1)))).lines()


def test_a_model_gives_its_edges_at_every_threshold(small_model: Path) -> None:
    predictor, config = Predictor(load(small_model)), EdgesConfig(points_per_side=3)
    finder = ModelEdges(predictor, "small", frozenset({"ccp"}), config)
    levels = finder.find(shard_picture(1), 9)
    expected = above_thresholds(find_edges(predictor, painted(1), config), 9)
    assert len(levels) == 9
    assert all(np.array_equal(one, other) for one, other in zip(levels, expected, strict=True))
    assert predictor.model_sha256() in finder.fingerprint
    assert finder.fingerprint != ModelEdges(predictor, "small", None, EdgesConfig()).fingerprint


def test_a_model_is_headed_by_what_it_has_seen(small_model: Path) -> None:
    predictor = Predictor(load(small_model))
    assert ModelEdges(predictor, "a", frozenset({"bsds500"})).note(["bsds500"]) == TRAINED
    assert ModelEdges(predictor, "a", frozenset({"bsds500"})).note(["bsds500_test"]) == ""
    assert ModelEdges(predictor, "a", None).note(["bsds500_test"]) == UNKNOWN


def test_a_png_is_cut_as_it_is_or_suppressed_first(tmp_path: Path) -> None:
    folder, picture = write_maps(tmp_path / "maps", 2), shard_picture(2)
    levels = MapFolder(folder, "maps").find(picture, 99)
    strength = np.asarray(Image.open(folder / "2.png")) / 255
    assert all(np.array_equal(one, strength >= (k + 1) / 100) for k, one in enumerate(levels) if k != 79)
    suppressed = MapFolder(folder, "maps", suppress=True).find(picture, 99)
    expected = above_thresholds(edge_nms(strength, fade_px=5), 99)
    assert all(np.array_equal(one, other) for one, other in zip(suppressed, expected, strict=True))


def test_segmentations_and_contour_maps_are_read_from_matlab_files(tmp_path: Path) -> None:
    tmp_path.joinpath("1.mat").write_bytes(mat(segs=cell([stripes(1), stripes(1, 2)])))
    doubled = np.random.default_rng(0).random((81, 121))
    tmp_path.joinpath("2.mat").write_bytes(mat(ucm2=doubled))
    finder = MapFolder(tmp_path, "maps")
    found = finder.find(shard_picture(1), 99)
    assert [one.tolist() for one in found] == [label_borders(stripes(1, shift)).tolist() for shift in (0, 2)]
    contours = finder.find(shard_picture(2), 3)
    assert [int(one.sum()) for one in contours] == [int((doubled[2::2, 2::2] >= t).sum()) for t in (0.25, 0.5, 0.75)]


def test_segmentations_are_read_from_one_label_map_or_from_several(tmp_path: Path) -> None:
    (tmp_path / "1.png").write_bytes(encode_labels(stripes(1)))
    for number in range(3):
        (tmp_path / f"2__{number}.png").write_bytes(encode_labels(stripes(2, number)))
    finder = MapFolder(tmp_path, "regions", segmentations=True)
    assert [one.tolist() for one in finder.find(shard_picture(1), 99)] == [label_borders(stripes(1)).tolist()]
    expected = [label_borders(stripes(2, number)).tolist() for number in range(3)]
    assert [one.tolist() for one in finder.find(shard_picture(2), 99)] == expected
    (tmp_path / "1.png").write_bytes(b"no picture")
    with pytest.raises(DatasetError, match=r"1.png: the label map cannot be read"):
        finder.find(shard_picture(1), 99)


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    finder = MapFolder(write_maps(tmp_path / "maps", 2), "maps")
    assert finder.missing(["1", "2", "3"]) == ["3"]
    with pytest.raises(DatasetError, match="has no map of 3"):
        finder.find(shard_picture(3), 99)


def test_the_fingerprint_changes_when_a_map_is_written_or_settings_do(tmp_path: Path) -> None:
    folder = write_maps(tmp_path / "maps", 1)
    finder = MapFolder(folder, "maps")
    first = finder.fingerprint
    assert finder.fingerprint == first
    assert MapFolder(folder, "maps", suppress=True).fingerprint != first
    (folder / "2.png").write_bytes((folder / "1.png").read_bytes())
    assert finder.fingerprint != first
