from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest
from PIL import Image

from anymask.dataset.index import RecordIndex
from anymask.errors import DatasetError


def _picture(value: int, kind: str) -> bytes:
    buffer = io.BytesIO()
    Image.new("L", (8, 6), value).save(buffer, kind)
    return buffer.getvalue()


def _shard(path: Path, names: list[str]) -> Path:
    with tarfile.open(path, "w") as archive:
        for value, name in enumerate(names):
            for ending, kind in ((".webp", "WEBP"), (".png", "PNG")):
                data = _picture(value, kind)
                info = tarfile.TarInfo(name + ending)
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
    return path


def _folder(path: Path, names: list[str]) -> Path:
    for value, name in enumerate(names):
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / f"{name}.webp").write_bytes(_picture(value, "WEBP"))
        (path / f"{name}.png").write_bytes(_picture(value, "PNG"))
    return path


def test_shards_and_folders_are_one_list_in_any_order_of_access(tmp_path: Path) -> None:
    shard = _shard(tmp_path / "x.tar", ["cups/1", "cups/2", "cats/1"])
    folder = _folder(tmp_path / "folder", ["dogs/1", "dogs/2"])
    index = RecordIndex([shard, str(folder)])
    names = [record.name for record in index]
    assert len(index) == 5
    assert sorted(names) == ["cats/1", "cups/1", "cups/2", "dogs/1", "dogs/2"]
    assert [index[i].name for i in (4, 0, 2)] == [names[i] for i in (4, 0, 2)]
    assert index[names.index("cups/2")].label_maps()[0].max() == 1


def test_order_does_not_change_from_one_reading_to_the_next(tmp_path: Path) -> None:
    shards = [_shard(tmp_path / f"{name}.tar", [f"{name}/1", f"{name}/0"]) for name in "ba"]
    assert [record.name for record in RecordIndex(shards)] == ["b/1", "b/0", "a/1", "a/0"]
    assert [record.name for record in RecordIndex(shards)] == [record.name for record in RecordIndex(shards)]


def test_sets_are_left_out_by_name(tmp_path: Path) -> None:
    shard = _shard(tmp_path / "x.tar", ["cups/1", "cats/1"])
    folder = _folder(tmp_path / "folder", ["dogs/1", "cups/7"])
    assert [record.name for record in RecordIndex([shard, folder], ["cups"])] == ["dogs/1", "cats/1"]


def test_pictures_are_counted_by_set_without_those_left_out(tmp_path: Path) -> None:
    shard = _shard(tmp_path / "x.tar", ["cups/1", "cups/2", "cats/1"])
    folder = _folder(tmp_path / "folder", ["dogs/1", "cups/3"])
    assert RecordIndex([shard, folder], ["cats"]).pictures_of_sets() == {"cups": 3, "dogs": 1}


@pytest.mark.parametrize("second", ["shard", "folder"])
def test_record_that_comes_twice_is_refused(tmp_path: Path, second: str) -> None:
    shard = _shard(tmp_path / "x.tar", ["cups/1"])
    other = _shard(tmp_path / "y.tar", ["cups/1"]) if second == "shard" else _folder(tmp_path / "f", ["cups/1"])
    with pytest.raises(DatasetError, match="cups/1"):
        RecordIndex([shard, other])


def test_data_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"absent\.tar"):
        RecordIndex([tmp_path / "absent.tar"])


def test_shard_that_shrank_after_it_was_indexed_is_refused_when_read(tmp_path: Path) -> None:
    shard = _shard(tmp_path / "x.tar", ["cups/1", "cups/2"])
    index = RecordIndex([shard])
    shard.write_bytes(shard.read_bytes()[:600])
    with pytest.raises(DatasetError, match="ends inside"):
        index[1]


def test_pictures_of_a_folder_are_read_when_they_are_asked_for(tmp_path: Path) -> None:
    folder = _folder(tmp_path / "folder", ["dogs/1", "dogs/2"])
    index = RecordIndex([folder])
    assert index.set_names() == ["dogs", "dogs"]
    (folder / "dogs" / "2.webp").unlink()
    assert index[0].name == "dogs/1"
    with pytest.raises(DatasetError, match=r"2\.webp cannot be read"):
        index[1]
