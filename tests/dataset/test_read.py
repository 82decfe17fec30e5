"""Shards and folders: what comes out, and what is refused, with real tar files."""

from __future__ import annotations

import io
import tarfile
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from anymask.dataset import ReadLimits, Record, index_shards, read_entry, read_folder, read_shards, read_source
from anymask.errors import DatasetError
from tests.training.drawn import draw_set


def file_bytes(seed: int, kind: str) -> bytes:
    rng = np.random.default_rng(seed)
    shape = (12, 16) if kind == "PNG" else (12, 16, 3)
    buffer = io.BytesIO()
    Image.fromarray(rng.integers(0, 5, shape, dtype=np.uint8)).save(buffer, kind)
    return buffer.getvalue()


PICTURE, MAP, MAP_2 = file_bytes(0, "WEBP"), file_bytes(1, "PNG"), file_bytes(2, "PNG")

FILES = {
    "b/one.webp": PICTURE,
    "b/one.png": MAP,
    "b/two__x.webp": PICTURE,
    "b/two__x__10.png": MAP_2,
    "b/two__x__2.png": MAP,
    "a/bare.jpg": file_bytes(0, "JPEG"),
}


def write_tar(path: Path, members: list[tuple[str, bytes]], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as archive:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def write_folder(root: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    return root


@pytest.fixture
def shard(tmp_path: Path) -> Path:
    return write_tar(tmp_path / "x.tar", list(FILES.items()))


def test_records_come_in_stored_order_with_maps_in_number_order(shard: Path) -> None:
    records = list(read_shards([shard]))
    assert [record.name for record in records] == ["b/one", "b/two__x", "a/bare"]
    assert records[0] == Record("one", "b", PICTURE, (MAP,))
    assert records[1].maps_bytes == (MAP, MAP_2)
    assert records[2].maps_bytes == ()


def test_an_index_read_in_any_order_gives_the_streamed_records(shard: Path) -> None:
    streamed = list(read_shards([shard]))
    entries = index_shards([str(shard)])
    assert [read_entry(entry) for entry in reversed(entries)] == streamed[::-1]
    assert [entry.name for entry in entries] == [record.name for record in streamed]


def test_a_folder_gives_the_records_of_its_shard_sorted(shard: Path, tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "folder", FILES)
    (folder / "README.md").write_text("beside the sets")
    (folder / "b" / ".DS_Store").write_bytes(b"x")
    in_order = sorted(read_shards([shard]), key=lambda record: record.name)
    assert list(read_folder(folder)) == in_order
    assert list(read_source(folder)) == in_order
    assert list(read_source(str(shard))) == list(read_shards([shard]))


def test_nothing_is_written_while_reading(shard: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    list(read_shards([shard]))
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_every_tar_dialect_is_read(tmp_path: Path, form: int) -> None:
    path = tmp_path / "x.tar"
    stem = "n" * 90 if form == tarfile.USTAR_FORMAT else "é" * 120
    with tarfile.open(path, "w", format=form) as archive:
        for name, data in ((f"s/{stem}.webp", PICTURE), (f"s/{stem}__0.png", MAP)):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    assert list(read_shards([path])) == [Record(stem, "s", PICTURE, (MAP,))]


BAD_NAMES = [
    "../s/a.webp",
    "s/../a.webp",
    "s/..",
    "/s/a.webp",
    "/a.webp",
    "s//a.webp",
    "./a.webp",
    "a.webp",
    "s/t/a.webp",
    "s\\..\\/a.webp",
    "s/a\n.webp",
    "s/.webp",
    "s/.a.webp",
    "C:\\s/a.webp",
    "s/a.exe",
    "s/a",
    "s/a.webp.gz",
]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_an_unsafe_or_unknown_member_name_is_refused(tmp_path: Path, name: str) -> None:
    path = write_tar(tmp_path / "x.tar", [("s/first.webp", PICTURE), (name, PICTURE)])
    with pytest.raises(DatasetError, match=r"x\.tar"):
        index_shards([path])
    with pytest.raises(DatasetError, match=r"x\.tar"):
        list(read_shards([path]))


def test_a_name_with_nul_in_a_pax_header_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.tar"
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as archive:
        info = tarfile.TarInfo("s/a.webp")
        info.size, info.pax_headers = len(PICTURE), {"path": "s/a.webp\0.png"}
        archive.addfile(info, io.BytesIO(PICTURE))
    with pytest.raises(DatasetError, match="unsafe or unknown member name"):
        index_shards([path])


@pytest.mark.parametrize(
    "kind",
    [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE, b"Q"],
)
def test_a_member_that_is_not_a_plain_file_is_refused(tmp_path: Path, kind: bytes) -> None:
    path = tmp_path / "x.tar"
    with tarfile.open(path, "w") as archive:
        info = tarfile.TarInfo("s/a.webp")
        info.type, info.linkname = kind, "/etc/passwd"
        archive.addfile(info)
    with pytest.raises(DatasetError, match="not a plain file"):
        index_shards([path])


def test_a_sparse_member_is_refused(tmp_path: Path) -> None:
    """A sparse member of a few hundred bytes may claim terabytes."""
    path = tmp_path / "x.tar"
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as archive:
        info = tarfile.TarInfo("s/a.webp")
        body = b"1\n0\n512\n".ljust(512, b"\0") + bytes(512)
        info.size = len(body)
        info.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "1000000000000"}
        archive.addfile(info, io.BytesIO(body))
    with pytest.raises(DatasetError, match=r"plain file|limit"):
        index_shards([path])


def test_a_name_stored_twice_is_refused(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "x.tar", [("s/a.webp", PICTURE), ("s/a.png", MAP), ("s/a.png", MAP_2)])
    with pytest.raises(DatasetError, match="there twice"):
        index_shards([path])


def test_two_pictures_of_one_id_are_refused(tmp_path: Path) -> None:
    files = {"s/a.webp": PICTURE, "s/a.jpg": PICTURE}
    with pytest.raises(DatasetError, match="there twice"):
        index_shards([write_tar(tmp_path / "x.tar", list(files.items()))])
    with pytest.raises(DatasetError, match="two pictures of one id"):
        list(read_folder(write_folder(tmp_path / "f", files)))


def test_one_picture_in_two_shards_is_refused(shard: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.tar"
    copy.write_bytes(shard.read_bytes())
    with pytest.raises(DatasetError, match="give each picture once"):
        index_shards([shard, copy])
    with pytest.raises(DatasetError, match="give each picture once"):
        list(read_shards([shard, copy]))


def test_one_shard_given_twice_is_refused(shard: Path) -> None:
    with pytest.raises(DatasetError, match="give each picture once"):
        index_shards([shard, shard])


def test_too_many_members_are_refused(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "x.tar", [(f"s/{i}.webp", b"x") for i in range(51)])
    assert len(index_shards([path], ReadLimits(max_members=51))) == 51
    with pytest.raises(DatasetError, match="more than 50 members"):
        index_shards([path], ReadLimits(max_members=50))


def test_a_header_that_claims_a_huge_name_is_refused_without_reading_it(tmp_path: Path) -> None:
    """A gigabyte of name in a sparse file: reading it at once would fill the memory."""
    info = tarfile.TarInfo("s/a.webp")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 2**30
    path = tmp_path / "x.tar"
    with path.open("wb") as stream:
        stream.write(info.tobuf(tarfile.GNU_FORMAT))
        stream.truncate(2**30 + 4096)
    tracemalloc.start()
    with pytest.raises(DatasetError, match="claims 1073741824 bytes"):
        index_shards([path])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**24


def test_a_member_over_the_size_limit_is_refused(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "x.tar", [("s/a.webp", bytes(1001))])
    with pytest.raises(DatasetError, match="1001 bytes, the limit is 1000"):
        index_shards([path], ReadLimits(max_member_bytes=1000))
    folder = write_folder(tmp_path / "f", {"s/a.webp": bytes(1001)})
    with pytest.raises(DatasetError, match="larger than 1000 bytes"):
        list(read_folder(folder, ReadLimits(max_member_bytes=1000)))


@pytest.mark.parametrize(
    "members", [["s/a.png"], ["s/a.webp", "s/b.png"], ["s/a.webp", "t/a.png"], ["s/a.png", "s/a.webp"]]
)
def test_a_map_that_does_not_follow_its_picture_is_refused(tmp_path: Path, members: list[str]) -> None:
    path = write_tar(tmp_path / "x.tar", [(name, MAP) for name in members])
    with pytest.raises(DatasetError, match="does not follow its picture"):
        index_shards([path])


@pytest.mark.parametrize("mode", ["w:gz", "w:bz2", "w:xz"])
def test_a_compressed_shard_is_refused(tmp_path: Path, mode: str) -> None:
    path = write_tar(tmp_path / "x.tar", [("s/a.webp", bytes(10**6))], mode)
    with pytest.raises(DatasetError, match="uncompressed"):
        index_shards([path])


@pytest.mark.parametrize("content", [b"", b"<html>", b"<html>" * 1000, bytes(511)])
def test_a_file_that_is_no_tar_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.tar"
    path.write_bytes(content)
    with pytest.raises(DatasetError, match=r"x\.tar"):
        index_shards([path])


def test_a_shard_cut_anywhere_is_refused(shard: Path, tmp_path: Path) -> None:
    whole = shard.read_bytes()
    end = max(index_shards([shard])[-1].image.offset, 0) + len(FILES["a/bare.jpg"])
    cut = tmp_path / "cut.tar"
    for length in range(0, end + 1, 97):
        cut.write_bytes(whole[:length])
        with pytest.raises(DatasetError):
            index_shards([cut])


def test_a_shard_with_a_damaged_header_is_refused_and_not_quietly_shortened(shard: Path, tmp_path: Path) -> None:
    whole = bytearray(shard.read_bytes())
    third = index_shards([shard])[1].image.offset - 512
    whole[third] ^= 0xFF
    damaged = tmp_path / "damaged.tar"
    damaged.write_bytes(whole)
    with tarfile.open(damaged) as archive:
        assert len(archive.getmembers()) == 2  # the library itself ends here without a word
    with pytest.raises(DatasetError, match="damaged or cut off"):
        index_shards([damaged])


def test_random_bytes_in_headers_never_do_worse_than_a_refusal(shard: Path, tmp_path: Path) -> None:
    whole = np.frombuffer(shard.read_bytes(), np.uint8)
    headers = [entry.image.offset - 512 for entry in index_shards([shard])]
    rng = np.random.default_rng(0)
    path, refused = tmp_path / "fuzz.tar", 0
    for _ in range(300):
        changed = whole.copy()
        start = int(rng.choice(headers))
        block = changed[start : start + 512]
        block[rng.integers(0, 512, rng.integers(1, 12))] = rng.integers(0, 256)
        block[148:156] = 32  # a right checksum, so that the change itself is met
        block[148:156] = np.frombuffer(b"%06o\0 " % int(block.sum()), np.uint8)
        path.write_bytes(changed.tobytes())
        try:
            for entry in index_shards([path]):
                read_entry(entry)
        except DatasetError:
            refused += 1
    assert refused > 50


@pytest.mark.parametrize("size", [-512, -1024, -(2**40), 2**62])
@pytest.mark.parametrize("kind", [tarfile.REGTYPE, tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME])
def test_a_header_with_an_impossible_size_is_refused(tmp_path: Path, size: int, kind: bytes) -> None:
    """A negative size walks backwards: the library would read the same header for ever (CVE-2025-8194)."""
    good = tarfile.TarInfo("s/a.webp")
    bad = tarfile.TarInfo("s/b.webp")
    bad.type = kind
    header = bytearray(bad.tobuf(tarfile.GNU_FORMAT))
    header[124:136] = (b"\xff" if size < 0 else b"\x80") + (size % 256**11).to_bytes(11, "big")
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    path = tmp_path / "x.tar"
    path.write_bytes(good.tobuf() + bytes(header) + bytes(10240))
    with pytest.raises(DatasetError):
        index_shards([path])


def test_an_entry_of_a_shard_that_shrank_or_went_is_refused(shard: Path) -> None:
    entry = index_shards([shard])[1]
    shard.write_bytes(shard.read_bytes()[: entry.image.offset + 3])
    with pytest.raises(DatasetError, match="ends inside b/two__x"):
        read_entry(entry)
    shard.unlink()
    with pytest.raises(DatasetError, match="cannot be read"):
        read_entry(entry)


def test_a_missing_shard_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="does not exist"):
        list(read_source(tmp_path / "none.tar"))
    with pytest.raises(DatasetError, match="is not a folder"):
        list(read_folder(tmp_path / "none"))


def test_an_empty_folder_is_refused_with_the_form_it_should_have(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing to learn from")
    with pytest.raises(DatasetError, match="sub-folder"):
        list(read_folder(tmp_path))


@pytest.mark.parametrize("extra", ["s/a.txt", "s/b.png", "s/sub/a.webp", "s/a__0__1.png"])
def test_a_folder_with_what_is_no_record_is_refused(tmp_path: Path, extra: str) -> None:
    write_folder(tmp_path, {"s/a.webp": PICTURE, extra: MAP})
    with pytest.raises(DatasetError):
        list(read_folder(tmp_path))


@pytest.mark.parametrize("target", ["file", "folder"])
def test_a_link_in_a_folder_is_refused(tmp_path: Path, target: str) -> None:
    outside = write_folder(tmp_path / "outside", {"s/a.webp": PICTURE})
    root = write_folder(tmp_path / "root", {"t/b.webp": PICTURE})
    link, to = (root / "t/a.webp", outside / "s/a.webp") if target == "file" else (root / "s", outside / "s")
    link.symlink_to(to)
    with pytest.raises(DatasetError, match=r"link|plain file"):
        list(read_folder(root))


def test_real_shards_hold_what_their_statistics_say(data_dir: Path) -> None:
    records = list(read_shards([data_dir / "val-food_plates.tar"]))
    assert len(records) == 91
    assert sum(len(record.maps_bytes) for record in records) == 187
    for record in records[::10]:
        pixels, maps = record.pixels(), record.label_maps()
        assert pixels.dtype == np.uint8
        assert all(labels.shape == pixels.shape[:2] for labels in maps)
        assert any(labels.max() > 0 for labels in maps)


def test_a_folder_of_pictures_without_set_folders_is_one_set(tmp_path: Path) -> None:
    draw_set(tmp_path / "holiday", 0, 2)
    assert [record.name for record in read_folder(tmp_path / "holiday")] == ["holiday/0", "holiday/1"]
