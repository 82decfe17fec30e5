"""Scores by name, and the file that survives a kill."""

from __future__ import annotations

import resource
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from anymask.dataset import Record
from anymask.errors import RunError
from anymask.evaluation.results import (
    BoxScores,
    ClickScores,
    PictureResult,
    ResultFile,
    TargetResult,
    record_hash,
    samples,
)
from anymask.masks.rle import encode

RLE = encode(np.eye(5, 7, dtype=bool))
CLICKS = ClickScores(confident=0.1, oracle=0.2, curve=(0.1, 0.3, 1 / 3), mask=RLE, first_xy=(1.5, 2.5))
BOX = BoxScores(single=0.4, confident=0.5, oracle=0.6, mask=RLE)
FULL = TargetResult(map_index=1, label=300, area_px=70, clicks=CLICKS, box=BOX)
RESULTS = [
    PictureResult(picture="a/1", sha256="00", targets=(FULL, replace(FULL, label=2, box=None))),
    PictureResult(picture="a/é", sha256="01", targets=()),
    PictureResult(picture="b/1", sha256="02", targets=(replace(FULL, clicks=None),)),
]


@pytest.mark.parametrize(
    ("measure", "expected"),
    [
        ("click", 0.1),
        ("click_oracle", 0.2),
        ("box", 0.4),
        ("box_confident", 0.5),
        ("box_oracle", 0.6),
        ("clicks_2", 0.3),
        ("clicks_3", 1 / 3),
        ("clicks_9", None),
    ],
)
def test_a_score_is_found_by_its_name(measure: str, expected: float | None) -> None:
    assert FULL.score(measure) == expected


def test_a_prompt_that_is_not_taken_has_no_score() -> None:
    assert replace(FULL, clicks=None).score("click") is None
    assert replace(FULL, clicks=None).score("clicks_2") is None
    assert replace(FULL, box=None).score("box_oracle") is None


def test_samples_are_per_set_and_leave_out_what_has_no_score() -> None:
    boxes = samples(RESULTS, "box")
    assert list(boxes) == ["a", "b"]
    assert boxes["a"].pictures == ("a/1",)
    clicks = samples(RESULTS[::-1], "click")
    assert list(clicks) == ["a"]
    assert clicks["a"].pictures == ("a/1", "a/1")


def test_results_read_back_are_equal(tmp_path: Path) -> None:
    path = tmp_path / "out" / "x.jsonl"
    file = ResultFile(path, "settings 1")
    for result in RESULTS:
        file.add(result)
    again = ResultFile(path, "settings 1")
    for result in RESULTS:
        assert again.get(result.picture, result.sha256) == file.get(result.picture, result.sha256) == result
    assert again.get("a/none", "00") is None


def test_a_picture_that_changed_is_not_reused_and_its_new_result_is(tmp_path: Path) -> None:
    file = ResultFile(tmp_path / "x.jsonl", "s")
    file.add(RESULTS[0])
    assert ResultFile(file.path, "s").get("a/1", "changed") is None
    file.add(replace(RESULTS[0], sha256="changed", targets=()))
    assert ResultFile(file.path, "s").get("a/1", "changed") == replace(RESULTS[0], sha256="changed", targets=())


def test_a_file_cut_at_any_byte_goes_on_with_its_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    file = ResultFile(path, "s")
    for result in RESULTS:
        file.add(result)
    whole = path.read_bytes()
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        resumed = ResultFile(path, "s")
        for result in RESULTS:
            if resumed.get(result.picture, result.sha256) is None:
                resumed.add(result)
        assert path.read_bytes() == whole


def test_results_of_other_settings_are_refused(tmp_path: Path) -> None:
    ResultFile(tmp_path / "x.jsonl", "seed 0").add(RESULTS[0])
    with pytest.raises(RunError, match=r"other settings \(seed 0; now seed 1\)"):
        ResultFile(tmp_path / "x.jsonl", "seed 1")


@pytest.mark.parametrize("damage", [b"{]", b"[]", b"3", b'{"picture": "a/1"}'])
def test_a_file_damaged_in_its_middle_is_refused(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "x.jsonl"
    ResultFile(path, "s").add(RESULTS[0])
    header, row = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(header + damage + b"\n" + row)
    with pytest.raises(RunError, match="is damaged"):
        ResultFile(path, "s")


def test_a_full_disk_is_said_and_what_was_there_stays(tmp_path: Path) -> None:
    """The size limit of the process stands for the disk: writes beyond it fail after a part, as on a full disk."""
    path = tmp_path / "x.jsonl"
    file = ResultFile(path, "s")
    file.add(RESULTS[0])
    whole = path.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(whole) + 40, hard))
    try:
        with pytest.raises(RunError, match="make room"):
            file.add(RESULTS[2])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes()[: len(whole)] == whole
    resumed = ResultFile(path, "s")
    assert resumed.get("a/1", "00") == RESULTS[0]
    assert resumed.get("b/1", "02") is None
    resumed.add(RESULTS[2])
    assert ResultFile(path, "s").get("b/1", "02") == RESULTS[2]


def test_a_place_that_is_no_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises(RunError, match="cannot be written"):
        ResultFile(tmp_path / "file" / "x.jsonl", "s")


def test_the_hash_of_a_record_changes_with_every_part_of_it() -> None:
    record = Record("1", "a", b"image", (b"m", b"ap"))
    hashes = {
        record_hash(one)
        for one in (
            record,
            replace(record, image_bytes=b"imag"),
            replace(record, maps_bytes=(b"ma", b"p")),
            replace(record, maps_bytes=(b"m",)),
            replace(record, image_bytes=b"imagem", maps_bytes=(b"ap",)),
        )
    }
    assert len(hashes) == 5
