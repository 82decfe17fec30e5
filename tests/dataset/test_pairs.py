"""SA-1B's shards and folders, with real files: what comes out, and what is refused."""

from __future__ import annotations

from itertools import chain
from pathlib import Path

import numpy as np
import pytest

from anymask.dataset import index_shards, read_entry, read_folder, read_shards, read_source
from anymask.dataset.index import RecordIndex
from anymask.errors import DatasetError
from tests.dataset.sa1b_files import nested_masks, sa1b_files, write_folder, write_tar

FILES = sa1b_files(1) | sa1b_files(22)
LABELLED = {"cups/1.webp": b"RIFF", "cups/1.png": b"PNG"}


@pytest.mark.parametrize("prefix", ["", "./"])
@pytest.mark.parametrize("order", [1, -1])
def test_a_shard_is_recognised_in_any_order_of_its_members(tmp_path: Path, prefix: str, order: int) -> None:
    shard = write_tar(tmp_path / "sa_000000.tar", {prefix + name: FILES[name] for name in sorted(FILES)[::order]})
    records = sorted(read_shards([shard]), key=lambda record: record.name)
    assert [(record.name, record.form) for record in records] == [("sa1b/sa_1", "sa1b"), ("sa1b/sa_22", "sa1b")]
    assert records[1].image_bytes == FILES["sa_22.jpg"]
    assert sorted(map(read_entry, index_shards([shard])), key=lambda record: record.name) == records


def test_a_picture_whose_masks_are_stored_far_behind_it_finds_them(tmp_path: Path) -> None:
    pictures = {name: data for name, data in FILES.items() if name.endswith(".jpg")}
    (first, second) = read_shards([write_tar(tmp_path / "x.tar", pictures | FILES)])
    assert (first.maps_bytes, second.maps_bytes) == ((FILES["sa_1.json"],), (FILES["sa_22.json"],))


@pytest.mark.parametrize("under", ["", "sa_000020/"])
def test_a_folder_gives_the_records_of_its_shard(tmp_path: Path, under: str) -> None:
    folder = write_folder(tmp_path / "folder", {under + name: data for name, data in FILES.items()})
    shard = write_tar(tmp_path / "x.tar", FILES)
    assert list(read_source(folder)) == list(read_source(shard))


def test_overlapping_masks_come_back_whole(tmp_path: Path) -> None:
    (record,) = read_shards([write_tar(tmp_path / "x.tar", sa1b_files(7))])
    layers = record.label_maps()
    assert [sorted(np.unique(layer)) for layer in layers] == [[0, 1, 3], [0, 2]]
    for index, mask in enumerate(nested_masks()):
        holder = layers[1] if index == 1 else layers[0]
        np.testing.assert_array_equal(holder == index + 1, mask)


def test_both_forms_stand_beside_each_other_in_one_index_and_are_left_out_by_set(tmp_path: Path) -> None:
    shard, folder = write_tar(tmp_path / "x.tar", FILES), write_folder(tmp_path / "f", LABELLED)
    index = RecordIndex([shard, folder])
    assert index.set_names() == ["cups", "sa1b", "sa1b"]
    assert [record.form for record in index] == ["png", "sa1b", "sa1b"]
    assert len(RecordIndex([shard, folder], ["sa1b"])) == 1
    with pytest.raises(DatasetError, match="sa1b/sa_1 comes twice"):
        RecordIndex([shard, write_folder(tmp_path / "same", FILES)])


def without(name: str) -> dict[str, bytes]:
    return {other: data for other, data in FILES.items() if other != name}


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        (FILES | LABELLED, "one form"),
        (LABELLED | FILES, "one form"),
        (FILES | {"sa_1.png": b"PNG"}, "one form"),
        (FILES | {"sa_3.txt": b""}, "one form"),
        (FILES | {"../sa_3.jpg": b""}, "one form|unsafe"),
        (without("sa_22.json"), r"sa_22\.jpg has no \.json beside it"),
        (without("sa_1.jpg"), r"sa_1\.json has no \.jpg beside it"),
        (FILES | {"./sa_1.jpg": b"again"}, "there twice"),
    ],
    ids=["labels behind", "labels before", "label map", "text", "outside", "no masks", "no picture", "twice"],
)
def test_a_mixed_or_incomplete_shard_is_refused_with_what_to_do(
    tmp_path: Path, files: dict[str, bytes], reason: str
) -> None:
    shard = write_tar(tmp_path / "x.tar", files)
    with pytest.raises(DatasetError, match=rf"x\.tar: .*({reason})"):
        index_shards([shard])


@pytest.mark.parametrize(
    ("extra", "reason"),
    [
        ({"cups/1.webp": b"RIFF"}, "not a plain file"),
        ({"sa_3.jpg": b"x"}, r"sa_3\.jpg has no \.json"),
        ({"README.md": b"x"}, "one form"),
    ],
)
def test_a_mixed_or_incomplete_folder_is_refused(tmp_path: Path, extra: dict[str, bytes], reason: str) -> None:
    with pytest.raises(DatasetError, match=reason):
        list(read_folder(write_folder(tmp_path / "top", FILES | extra)))
    if "cups" not in next(iter(extra)):
        inside = {f"set/{name}": data for name, data in chain(FILES.items(), extra.items())}
        with pytest.raises(DatasetError, match=reason):
            list(read_folder(write_folder(tmp_path / "sets", inside)))
