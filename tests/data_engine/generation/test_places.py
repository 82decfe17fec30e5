"""Pictures are found in folders, patterns, shards and behind URLs, in one order; nothing outside is read."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from anymask.data_engine.generation.places import Sources
from anymask.errors import AnymaskError, DatasetError
from tests.data_engine.generation.small_runs import write_pictures
from tests.dataset.drawn_pictures import jpeg
from tests.dataset.sa1b_files import sa1b_files, write_folder, write_tar


def names(*given: str, only: tuple[str, ...] = ()) -> list[str]:
    return [place.name for place in Sources(given).places(only)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """b/2.jpg, a.jpg, a shard, and what is no picture."""
    root = tmp_path / "photos"
    write_folder(
        root, {"b/2.jpg": jpeg((8, 8)), "a.jpg": jpeg((8, 8), 1), "notes.txt": b"hello", ".x/c.jpg": b"hidden"}
    )
    write_tar(
        root / "z.tar", {"s/1.webp": b"one", "s/1.png": b"its labels", "s/1__2.png": b"more", "s/3.png": b"three"}
    )
    return root


def test_folders_give_pictures_then_shards_sorted_without_label_maps(folder: Path) -> None:
    sources = Sources([str(folder)])
    places = list(sources.places())
    assert [place.name for place in places] == ["a.jpg", "b/2.jpg", "z.tar/s/1.webp", "z.tar/s/3.png"]
    assert [sources.read(place) for place in places[2:]] == [b"one", b"three"]
    assert sources.read(places[1]) == jpeg((8, 8))


def test_a_pattern_a_file_and_a_choice_of_names(folder: Path) -> None:
    assert names(str(folder / "*" / "*.jpg")) == ["b/2.jpg"]
    assert names(str(folder / "a.jpg")) == ["a.jpg"]
    assert names(str(folder / "z.tar")) == ["z.tar/s/1.webp", "z.tar/s/3.png"]
    assert names(str(folder), only=("*/s/3*", "a*")) == ["a.jpg", "z.tar/s/3.png"]


def test_shards_of_sa1b_give_their_pictures(tmp_path: Path) -> None:
    write_tar(tmp_path / "sa_000000.tar", {f"./{name}": data for name, data in sa1b_files(7).items()})
    assert names(str(tmp_path)) == ["sa_000000.tar/sa_7.jpg"]


def test_several_sources_are_told_apart(folder: Path, tmp_path: Path) -> None:
    other = write_pictures(tmp_path / "more", 1)
    assert names(str(folder / "b"), str(other)) == ["b/2.jpg", "more/00000.jpg"]


def test_a_zip_archive_behind_a_chained_url_is_read(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "p.zip", "w") as archive:
        archive.writestr("in/a.jpg", jpeg((8, 8)))
        archive.writestr("b.png", b"b")
    sources = Sources([f"zip://::file://{tmp_path}/p.zip"])
    places = list(sources.places())
    assert [place.name for place in places] == ["b.png", "in/a.jpg"]
    assert sources.read(places[1]) == jpeg((8, 8))


def test_pictures_in_memory_of_another_file_system_are_read() -> None:
    import fsspec

    system = fsspec.filesystem("memory")
    system.pipe("/bucket/x/a.jpg", b"a")
    try:
        sources = Sources(["memory://bucket"])
        assert [(place.name, sources.read(place)) for place in sources.places()] == [("x/a.jpg", b"a")]
    finally:
        system.rm("/bucket", recursive=True)


def test_links_that_lead_out_are_not_read_and_loops_end(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.jpg").write_bytes(b"secret")
    (folder / "c.jpg").symlink_to(tmp_path / "secret.jpg")
    (folder / "loop").symlink_to(folder)
    sources = Sources([str(folder)])
    places = {place.name: place for place in sources.places()}
    assert "loop/a.jpg" not in places
    with pytest.raises(AnymaskError, match="leads outside"):
        sources.read(places["c.jpg"])


@pytest.mark.parametrize("given", [[], ["gone"], ["/gone/*.jpg"], ["nowhere://x"]])
def test_what_is_not_there_is_refused(given: list[str]) -> None:
    with pytest.raises(DatasetError):
        list(Sources(given).places())


def test_an_unsafe_or_cut_shard_is_refused(folder: Path) -> None:
    shard = folder / "z.tar"
    shard.write_bytes(shard.read_bytes()[:600])
    with pytest.raises(DatasetError):
        names(str(folder))
    shard.unlink()
    write_tar(shard, {"a.jpg": b"", "./a.jpg": b""})
    with pytest.raises(DatasetError, match="there twice"):
        names(str(folder))


def test_a_file_that_went_away_or_shrank_is_named(folder: Path) -> None:
    sources = Sources([str(folder)])
    places = {place.name: place for place in sources.places()}
    (folder / "a.jpg").unlink()
    (folder / "z.tar").write_bytes(b"short")
    for name in ("a.jpg", "z.tar/s/3.png"):
        with pytest.raises(DatasetError, match=r"a\.jpg|s/3\.png"):
            sources.read(places[name])
