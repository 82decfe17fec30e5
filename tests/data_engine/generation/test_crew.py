"""Real worker processes that die in different ways."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from anymask.data_engine.generation.crew import Job, prepare_process, run_local
from anymask.data_engine.generation.manifest import FILE, Piece, open_manifest, write_manifest
from anymask.data_engine.generation.pieces import PieceFacts
from anymask.errors import AnymaskError, RunError, WeightsError
from tests.data_engine.generation.small_runs import small_config, write_pictures


def prepare(tmp_path: Path, model: Path, **changes: object) -> tuple[Job, tuple[Piece, ...]]:
    source = write_pictures(tmp_path / "photos", 4)
    for name in ("pieces", "attempts"):
        (tmp_path / "work" / name).mkdir(parents=True)
    write_manifest(tmp_path / "work" / FILE, small_config(model, pictures_per_piece=2, **changes), [str(source)])
    job = Job(work=tmp_path / "work", session="s", device="cpu", threads=1)
    return job, open_manifest(tmp_path / "work" / FILE).pieces


@pytest.mark.slow
def test_every_piece_is_made_once_and_told(tmp_path: Path, small_model: Path) -> None:
    job, pieces = prepare(tmp_path, small_model)
    made: list[tuple[Piece, PieceFacts]] = []
    run_local(job, pieces, 2, lambda piece, facts: made.append((piece, facts)), print, lambda: False)
    assert sorted(piece.start for piece, _ in made) == [piece.start for piece in pieces]
    assert all(piece.name == facts.piece for piece, facts in made)
    assert len(list((job.work / "pieces").glob("*.tar"))) == 2


@pytest.mark.slow
def test_the_next_piece_is_being_made_while_the_last_one_is_joined(tmp_path: Path, small_model: Path) -> None:
    job, pieces = prepare(tmp_path, small_model)
    until = time.monotonic() + 120

    def wait_for_all(_piece: Piece, _facts: PieceFacts) -> None:
        while len(list((job.work / "pieces").glob("*.tar"))) < len(pieces):
            assert time.monotonic() < until, "the only worker waits for this, and this for the worker"
            time.sleep(0.05)

    run_local(job, pieces, 1, wait_for_all, print, lambda: False)


@pytest.mark.slow
def test_an_error_of_ours_in_a_worker_ends_the_run_with_its_words(tmp_path: Path, small_model: Path) -> None:
    job, pieces = prepare(tmp_path, small_model, model_sha256="0" * 64)
    with pytest.raises(WeightsError, match="the run was begun with 000000000000"):
        run_local(job, pieces, 1, lambda *_: None, print, lambda: False)


@pytest.mark.slow
def test_a_device_that_cannot_be_used_is_told_at_once(tmp_path: Path, small_model: Path) -> None:
    job, pieces = prepare(tmp_path, small_model)
    with pytest.raises(AnymaskError, match="no such device"):
        run_local(replace(job, device="no such device"), pieces, 1, lambda *_: None, print, lambda: False)


DIES_AT_ONCE = """
import os, signal, sys
if "--multiprocessing-fork" in sys.orig_argv:
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_workers_that_die_at_their_start_end_the_run(
    tmp_path: Path, small_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(DIES_AT_ONCE)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))
    job, pieces = prepare(tmp_path, small_model)
    with pytest.raises(RunError, match=r"3 workers in a row died at their start \(signal SIGKILL\)"):
        run_local(job, pieces, 2, lambda *_: None, print, lambda: False)


def test_a_process_computes_with_the_threads_it_was_given() -> None:
    before = torch.get_num_threads()
    try:
        prepare_process(1)
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)
        torch.set_flush_denormal(False)
