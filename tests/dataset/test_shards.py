from __future__ import annotations

import subprocess
import tarfile
from pathlib import Path

import pytest

from anymask.dataset.shards import add_member, new_shard, remove_leftovers, write_members
from anymask.errors import DatasetError
from tests.services.small_disk import small_disk

MEMBERS = [("sa_1.jpg", b"picture"), ("sa_1.json", b"{}" * 600)]


def test_a_shard_is_a_plain_tar_of_the_same_bytes_each_time(tmp_path: Path) -> None:
    for name in ("a.tar", "b.tar"):
        write_members(tmp_path / name, MEMBERS)
    assert (tmp_path / "a.tar").read_bytes() == (tmp_path / "b.tar").read_bytes()
    with tarfile.open(tmp_path / "a.tar") as shard:
        assert [(m.name, m.mtime, m.uid, m.uname) for m in shard] == [("sa_1.jpg", 0, 0, ""), ("sa_1.json", 0, 0, "")]
        assert shard.extractfile("sa_1.json").read() == MEMBERS[1][1]


def test_the_place_of_a_members_first_byte_is_told(tmp_path: Path) -> None:
    with new_shard(tmp_path / "a.tar") as shard:
        places = [add_member(shard, name, data) for name, data in MEMBERS]
    data = (tmp_path / "a.tar").read_bytes()
    for place, (_, content) in zip(places, MEMBERS, strict=True):
        assert data[place : place + len(content)] == content


def test_an_error_in_between_leaves_what_was_there(tmp_path: Path) -> None:
    write_members(tmp_path / "a.tar", MEMBERS)
    before = (tmp_path / "a.tar").read_bytes()

    def broken() -> object:
        yield MEMBERS[0]
        raise ValueError("a bug")

    with pytest.raises(ValueError, match="a bug"):
        write_members(tmp_path / "a.tar", broken())
    assert (tmp_path / "a.tar").read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["a.tar"]


@pytest.mark.slow
@pytest.mark.parametrize("option", ["full", "ro"])
def test_a_full_or_read_only_disk_is_one_sentence_and_the_old_shard_is_whole(tmp_path: Path, option: str) -> None:
    """Fault 11, on a real file system."""
    with small_disk(tmp_path / "disk", "64k") as disk:
        write_members(disk / "a.tar", MEMBERS)
        before = (disk / "a.tar").read_bytes()
        if option == "ro":
            subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        with pytest.raises(DatasetError, match="what was there before is whole"):
            write_members(disk / "a.tar", [("sa_1.jpg", b"x" * 200_000)])
        assert (disk / "a.tar").read_bytes() == before
        assert [file.name for file in disk.iterdir()] == ["a.tar"]


def test_leftovers_of_killed_writers_are_removed_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / ".a.tar.123.tmp").write_bytes(b"half")
    (tmp_path / "a.tar").write_bytes(b"whole")
    remove_leftovers(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["a.tar"]
