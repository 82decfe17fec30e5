from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from anymask.data_engine.generation.attempts import MAX_TRIES
from anymask.data_engine.generation.manifest import FILE, Manifest, open_manifest, write_manifest
from anymask.data_engine.generation.pieces import POISON, Outcome, PieceMaker, piece_path, read_piece
from anymask.errors import RunError
from tests.data_engine.generation.small_runs import small_config, write_pictures


@pytest.fixture
def work(small_model: Path, tmp_path: Path) -> tuple[Path, Manifest]:
    """A work folder with the manifest of four pictures in two pieces."""
    source = write_pictures(tmp_path / "photos", 4)
    for name in ("pieces", "attempts"):
        (tmp_path / "work" / name).mkdir(parents=True)
    write_manifest(tmp_path / "work" / FILE, small_config(small_model, pictures_per_piece=2), [str(source)])
    return tmp_path / "work", open_manifest(tmp_path / "work" / FILE)


def test_a_piece_is_made_once_with_its_outcome_and_no_trace_of_attempts(work: tuple[Path, Manifest]) -> None:
    folder, manifest = work
    maker = PieceMaker(folder, manifest, device="cpu")
    piece = manifest.pieces[1]
    facts = maker.make(piece, "s")
    assert (facts.piece, facts.pictures) == (piece.name, 2)
    assert facts.seconds["model"] > 0
    members, outcome = read_piece(piece_path(folder, piece))
    assert [name for name, _ in members] == ["sa_3.jpg", "sa_3.json", "sa_4.jpg", "sa_4.json"]
    masks = {n: len(json.loads(data)["annotations"]) for n, (_, data) in zip((3, 4), members[1::2], strict=True)}
    assert outcome.pictures == masks
    assert list((folder / "attempts").iterdir()) == []
    before = piece_path(folder, piece).stat().st_mtime_ns
    maker.make(piece, "s")
    assert piece_path(folder, piece).stat().st_mtime_ns == before


def test_a_picture_that_ended_three_workers_alone_is_left_out(work: tuple[Path, Manifest]) -> None:
    folder, manifest = work
    piece = manifest.pieces[0]
    note = {"session": "s", "deaths": 3, "current": "2", "blamed": {"2": MAX_TRIES - 1}}
    (folder / "attempts" / f"{piece.name}.json").write_text(json.dumps(note))
    PieceMaker(folder, manifest, device="cpu").make(piece, "s")
    _, outcome = read_piece(piece_path(folder, piece))
    assert outcome.left_out == {"00001.jpg": POISON}
    assert list(outcome.pictures) == [1]


def test_a_damaged_piece_is_refused(work: tuple[Path, Manifest]) -> None:
    folder, manifest = work
    path = piece_path(folder, manifest.pieces[0])
    path.write_bytes(b"\0" * 10240)
    with pytest.raises(RunError, match="damaged"):
        read_piece(path)


def test_outcomes_add_up_and_come_back_from_json() -> None:
    total = Outcome({1: 5}, {"a": "cut"}, Counter(stability=2))
    total.add(Outcome({2: 7}, {"b": "odd"}, Counter(stability=1, doubles=4)))
    plain = json.loads(json.dumps(total.to_plain()))
    assert (
        Outcome.from_plain(plain)
        == total
        == Outcome({1: 5, 2: 7}, {"a": "cut", "b": "odd"}, Counter(stability=3, doubles=4))
    )
