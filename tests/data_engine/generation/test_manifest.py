from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from anymask.data_engine.generation.config import GenerateConfig
from anymask.data_engine.generation.manifest import check_same, open_for_work, open_manifest, write_manifest
from anymask.errors import DatasetError, RunError
from tests.data_engine.generation.small_runs import write_pictures


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_pictures(tmp_path / "photos", 7, side=8)


def manifest_of(source: Path, path: Path, **changes: int) -> list[list[int]]:
    config = GenerateConfig(pictures_per_piece=3, pictures_per_shard=5, **changes)
    write_manifest(path, config, [str(source)])
    manifest = open_manifest(path)
    return [[item.number for item in manifest.items(piece)] for piece in manifest.pieces]


def test_pieces_do_not_reach_over_shards_and_hold_every_picture_once(source: Path, tmp_path: Path) -> None:
    assert manifest_of(source, tmp_path / "m") == [[1, 2, 3], [4, 5], [6, 7]]
    assert manifest_of(source, tmp_path / "n", first_number=10)[0] == [10, 11, 12]
    manifest = open_manifest(tmp_path / "m")
    assert [piece.shard for piece in manifest.pieces] == [0, 0, 1]
    assert manifest.pictures == 7
    assert {shard: len(pieces) for shard, pieces in manifest.pieces_of_shard().items()} == {0: 2, 1: 1}


def test_a_worker_reads_the_head_and_the_lines_of_its_piece_alone(source: Path, tmp_path: Path) -> None:
    manifest_of(source, tmp_path / "m")
    whole = open_manifest(tmp_path / "m")
    lines = (tmp_path / "m").read_bytes().splitlines(keepends=True)
    (tmp_path / "m").write_bytes(b"".join(lines[:-1]) + b"{cut")
    work = open_for_work(tmp_path / "m")
    assert (work.config, work.sources, work.pieces) == (whole.config, whole.sources, ())
    assert [item.number for item in work.items(whole.pieces[1])] == [4, 5]
    with pytest.raises(RunError, match="damaged"):
        open_manifest(tmp_path / "m")


def test_pieces_are_named_by_what_is_in_them(source: Path, tmp_path: Path) -> None:
    def names(**changes: object) -> list[str]:
        write_manifest(tmp_path / "m", GenerateConfig(pictures_per_piece=3, **changes), [str(source)])
        return [piece.name for piece in open_manifest(tmp_path / "m").pieces]

    before = names()
    assert names() == before
    assert set(names(points_per_side=5)).isdisjoint(before)
    (source / "00004.jpg").write_bytes(b"another picture")
    assert [one == other for one, other in zip(names(), before, strict=True)] == [True, False, True]


def test_every_picture_is_hashed_and_doubles_and_unreadable_ones_are_set_aside(source: Path, tmp_path: Path) -> None:
    (source / "x.jpg").write_bytes((source / "00002.jpg").read_bytes())
    (source / "y.jpg").symlink_to("/etc/hostname")
    seen: list[int] = []
    write_manifest(tmp_path / "m", GenerateConfig(), [str(source)], update=seen.append)
    manifest = open_manifest(tmp_path / "m")
    items = {item.place.name: item for item in manifest.items(manifest.pieces[0])}
    assert items["00002.jpg"].sha256 == hashlib.sha256((source / "00002.jpg").read_bytes()).hexdigest()
    assert items["x.jpg"].problem == "it is the same file as 00002.jpg"
    assert "leads outside" in items["y.jpg"].problem
    assert items["00001.jpg"].problem == ""
    assert seen == list(range(1, 10))


def test_what_differs_from_the_run_that_was_begun_is_named(source: Path, tmp_path: Path) -> None:
    config = GenerateConfig()
    write_manifest(tmp_path / "m", config, [str(source)], ["0*"])
    manifest = open_manifest(tmp_path / "m")
    check_same(manifest, config, [str(source)], ["0*"])
    for other, given, only, words in (
        (GenerateConfig(licence="x"), [str(source)], ["0*"], "another licence"),
        (config, [str(source / "b")], ["0*"], "another source"),
        (config, [str(source)], [], "another only"),
    ):
        with pytest.raises(RunError, match=words):
            check_same(manifest, other, given, only)


def test_nothing_that_fits_writes_nothing(source: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"fits \*\.gif"):
        write_manifest(tmp_path / "m", GenerateConfig(), [str(source)], ["*.gif"])
    assert not (tmp_path / "m").exists()


@pytest.mark.parametrize("damage", ["", "{}\n", '{"config": 3}\n', None])
def test_a_damaged_manifest_is_refused(source: Path, tmp_path: Path, damage: str | None) -> None:
    write_manifest(tmp_path / "m", GenerateConfig(), [str(source)])
    text = (tmp_path / "m").read_text()
    (tmp_path / "m").write_text(text[:-40] if damage is None else damage)
    with pytest.raises(RunError, match="begin again"):
        open_manifest(tmp_path / "m")


def test_the_head_is_plain_json(source: Path, tmp_path: Path) -> None:
    write_manifest(tmp_path / "m", GenerateConfig(), [str(source)])
    head = json.loads((tmp_path / "m").read_text().splitlines()[0])
    assert head["sources"] == [str(source)]
