from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from anymask.dataset import ReadLimits
from anymask.dataset.members import read_members
from anymask.errors import DatasetError
from tests.dataset.sa1b_files import write_tar


def test_members_come_in_stored_order_with_the_place_of_their_bytes(tmp_path: Path) -> None:
    shard = write_tar(tmp_path / "x.tar", {"b": b"first", "a/c": b"second one"})
    data = shard.read_bytes()
    found = [(name, data[span.offset : span.offset + span.size]) for name, span in read_members(shard, ReadLimits())]
    assert found == [("b", b"first"), ("a/c", b"second one")]


def test_the_entry_of_the_folder_itself_is_passed_over_and_of_any_other_folder_is_not(tmp_path: Path) -> None:
    for name, refused in (("./", False), ("cups", True)):
        shard = tmp_path / "x.tar"
        with tarfile.open(shard, "w") as archive:
            folder = tarfile.TarInfo(name)
            folder.type = tarfile.DIRTYPE
            archive.addfile(folder)
            info = tarfile.TarInfo("./a")
            info.size = 1
            archive.addfile(info, io.BytesIO(b"x"))
        if refused:
            with pytest.raises(DatasetError, match="not a plain file"):
                list(read_members(shard, ReadLimits()))
        else:
            assert [name for name, _ in read_members(shard, ReadLimits())] == ["./a"]


def test_number_and_size_of_members_are_limited(tmp_path: Path) -> None:
    shard = write_tar(tmp_path / "x.tar", {"a": b"12345", "b": b"1"})
    with pytest.raises(DatasetError, match="more than 1 members"):
        list(read_members(shard, ReadLimits(max_members=1)))
    with pytest.raises(DatasetError, match="'a' has 5 bytes, the limit is 4"):
        list(read_members(shard, ReadLimits(max_member_bytes=4)))


def test_a_cut_shard_is_refused(tmp_path: Path) -> None:
    shard = write_tar(tmp_path / "x.tar", {"a": b"12345", "b": b"1"})
    shard.write_bytes(shard.read_bytes()[:1200])
    with pytest.raises(DatasetError, match=r"damaged or cut off|not a whole"):
        list(read_members(shard, ReadLimits()))
