from __future__ import annotations

from pathlib import Path

import pytest

from anymask.data_engine.generation.assemble import Assembly
from anymask.data_engine.generation.manifest import FILE, Manifest, open_manifest, write_manifest
from anymask.data_engine.generation.pieces import PieceMaker, piece_path
from anymask.dataset.check import check_dataset
from anymask.errors import RunError
from tests.data_engine.generation.small_runs import small_config, write_pictures


@pytest.fixture
def made(small_model: Path, tmp_path: Path) -> tuple[Path, Path, Manifest]:
    """A run of five pictures in two shards, all of whose pieces are made."""
    work, out = tmp_path / "out" / "work", tmp_path / "out"
    source = write_pictures(tmp_path / "photos", 5)
    for name in ("pieces", "attempts", "shards"):
        (work / name).mkdir(parents=True)
    config = small_config(small_model, pictures_per_piece=2, pictures_per_shard=3)
    write_manifest(work / FILE, config, [str(source)])
    manifest = open_manifest(work / FILE)
    maker = PieceMaker(work, manifest, device="cpu")
    for piece in manifest.pieces:
        maker.make(piece, "s")
    return out, work, manifest


def test_a_shard_is_joined_with_its_last_piece_and_its_pieces_go(made: tuple[Path, Path, Manifest]) -> None:
    out, work, manifest = made
    piece_path(work, manifest.pieces[1]).rename(work / "later.tar")
    assembly = Assembly(out, work, manifest)
    assert assembly.pieces_due() == [manifest.pieces[1]]
    assert assembly.pictures_done() == 4
    assembly.join_ready()
    assert [path.name for path in out.glob("*.tar")] == ["sa_000001.tar"]
    (work / "later.tar").rename(piece_path(work, manifest.pieces[1]))
    assembly.made(manifest.pieces[1])
    assert sorted(path.name for path in out.glob("*.tar")) == ["sa_000000.tar", "sa_000001.tar"]
    assert list((work / "pieces").iterdir()) == []
    assert [shard.facts.pictures for shard in assembly.finished()] == [3, 2]
    assert check_dataset(out).is_sound


def test_a_kill_between_shard_and_facts_joins_again_to_the_same_bytes(made: tuple[Path, Path, Manifest]) -> None:
    out, work, manifest = made
    copies = {path: path.read_bytes() for path in (work / "pieces").iterdir()}
    Assembly(out, work, manifest).join_ready()
    before = (out / "sa_000000.tar").read_bytes()
    (work / "shards" / "000000.json").unlink()
    for path, data in copies.items():
        path.write_bytes(data)
    Assembly(out, work, manifest).join_ready()
    assert (out / "sa_000000.tar").read_bytes() == before


def test_damaged_facts_are_refused(made: tuple[Path, Path, Manifest]) -> None:
    out, work, manifest = made
    assembly = Assembly(out, work, manifest)
    assembly.join_ready()
    (work / "shards" / "000001.json").write_text("{")
    with pytest.raises(RunError, match="damaged"):
        list(assembly.finished())
