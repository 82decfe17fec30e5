"""Damage of every kind is found and named, and nothing else is."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from anymask.dataset.check import check_dataset
from anymask.dataset.write import WriteConfig, write_dataset
from tests.dataset.drawn_pictures import drawn_picture, jpeg
from tests.dataset.sa1b_files import sa1b_files, write_tar


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    folder = tmp_path / "dataset"
    write_dataset(folder, (drawn_picture(n) for n in range(1, 7)), WriteConfig(pictures_per_shard=3))
    return folder


def test_a_whole_dataset_is_sound(dataset: Path) -> None:
    seen: list[int] = []
    found = check_dataset(dataset, update=seen.append)
    assert found.is_sound
    assert (found.pictures, found.masks) == (6, 24)
    assert seen == [1, 2, 3, 4, 5, 6]


def rewrite(shard: Path, change: Callable[[dict[str, bytes]], None]) -> None:
    with tarfile.open(shard) as tar:
        files = {member.name: tar.extractfile(member).read() for member in tar}
    change(files)
    write_tar(shard, files)


def cut_picture(files: dict[str, bytes]) -> None:
    files["sa_2.jpg"] = files["sa_2.jpg"][:-30]


def other_size(files: dict[str, bytes]) -> None:
    files["sa_2.jpg"] = jpeg((21, 30))


def wrong_area(files: dict[str, bytes]) -> None:
    record = json.loads(files["sa_2.json"])
    record["annotations"][0]["area"] += 1
    files["sa_2.json"] = json.dumps(record).encode()


def broken_rle(files: dict[str, bytes]) -> None:
    record = json.loads(files["sa_2.json"])
    record["annotations"][0]["segmentation"]["counts"] += "oooo"
    files["sa_2.json"] = json.dumps(record).encode()


def broken_json(files: dict[str, bytes]) -> None:
    files["sa_2.json"] = files["sa_2.json"][:-5]


def later_schema(files: dict[str, bytes]) -> None:
    record = json.loads(files["sa_2.json"])
    record["anymask"]["schema"] = 99
    files["sa_2.json"] = json.dumps(record).encode()


@pytest.mark.parametrize("damage", [cut_picture, other_size, wrong_area, broken_rle, broken_json, later_schema])
def test_a_damaged_picture_is_named_and_the_others_are_checked(
    dataset: Path, damage: Callable[[dict[str, bytes]], None]
) -> None:
    rewrite(dataset / "sa_000000.tar", damage)
    found = check_dataset(dataset)
    assert set(found.bad) == {"sa1b/sa_2", "sa_000000.tar"}  # the picture, and the hash of its shard
    assert found.pictures == 5


def test_a_cut_shard_a_missing_one_and_a_strange_one_are_named(dataset: Path) -> None:
    first = dataset / "sa_000000.tar"
    first.write_bytes(first.read_bytes()[:-3000])
    (dataset / "sa_000001.tar").rename(dataset / "sa_000007.tar")
    found = check_dataset(dataset)
    assert set(found.bad) == {"sa_000000.tar", "sa_000001.tar", "sa_000007.tar"}
    assert "the card names it" in found.bad["sa_000001.tar"]
    assert "does not name it" in found.bad["sa_000007.tar"]


def test_unsafe_members_are_found_and_not_read(tmp_path: Path) -> None:
    files = sa1b_files(1) | {"../sa_2.jpg": jpeg((20, 30))}
    found = check_dataset(write_tar(tmp_path / "x.tar", files))
    assert list(found.bad) == ["x.tar"]
    assert not (tmp_path.parent / "sa_2.jpg").exists()


def test_a_number_that_comes_twice_is_found(tmp_path: Path) -> None:
    for name in ("a.tar", "b.tar"):
        write_tar(tmp_path / name, sa1b_files(1))
    found = check_dataset(tmp_path)
    assert "there twice" in found.bad["sa1b/sa_1"]


def test_nothing_there_and_unknown_forms_are_findings(tmp_path: Path) -> None:
    assert not check_dataset(tmp_path / "gone.tar").is_sound
    (tmp_path / "letter.txt").write_text("hello")
    assert "no dataset that is read here" in check_dataset(tmp_path / "letter.txt").bad[str(tmp_path / "letter.txt")]
