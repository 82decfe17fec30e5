"""The whole automatic stage: what comes out, what is set aside, killed and gone on with, by any number of workers."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import filelock
import pytest

from anymask.data_engine.automatic import CrewConfig, GenerateHooks, generate
from anymask.data_engine.generation.config import GenerateConfig
from anymask.dataset.check import check_dataset
from anymask.dataset.index import RecordIndex
from anymask.errors import ConfigError, DatasetError, RunError, WeightsError
from soak import generation
from soak.sizes import CI_CORRUPT_PICTURES, CI_KILL_POINTS
from tests.data_engine.generation.small_runs import (
    command,
    hashes,
    kill_at_random_points,
    report_of,
    run,
    run_command,
    small_config,
    worker_processes,
    write_pictures,
)
from tests.services.processes import environment
from tests.services.small_disk import small_disk


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty pictures, of which one is cut and one is a copy."""
    folder = write_pictures(tmp_path_factory.mktemp("source") / "photos", 18)
    (folder / "cut.jpg").write_bytes((folder / "00003.jpg").read_bytes()[:-20])
    (folder / "sub").mkdir()
    (folder / "sub" / "copy.jpg").write_bytes((folder / "00004.jpg").read_bytes())
    (folder / "notes.txt").write_text("not a picture")
    return folder


@pytest.fixture(scope="module")
def whole(source: Path, small_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What an uninterrupted run of one worker makes."""
    out = tmp_path_factory.mktemp("whole") / "out"
    report = run(source, out, small_model)
    assert report.finished
    return out


def test_every_picture_is_in_the_dataset_or_named_with_its_reason(whole: Path) -> None:
    report = report_of(whole)
    assert report["pictures"] == 18
    assert set(report["left_out"]) == {"cut.jpg", "sub/copy.jpg"}
    assert "same file as 00004.jpg" in report["left_out"]["sub/copy.jpg"]
    assert report["masks"] >= 18
    assert report["answers_rejected_by"]["doubles"] > 0
    assert report["throughput"]["seconds_a_picture"]["model"] > 0
    findings = check_dataset(whole)
    assert findings.bad == {}
    assert (findings.pictures, findings.masks) == (18, report["masks"])


def test_the_shards_are_read_by_index_with_licence_and_provenance(whole: Path) -> None:
    records = RecordIndex([whole])
    assert [record.id for record in (records[0], records[17])] == ["sa_1", "sa_18"]
    notes = records[17].notes()
    assert notes.source == "00017.jpg"
    assert notes.of_mask(0).stage == "automatic"
    assert len(notes.of_mask(0).model_sha256) == 64


@pytest.mark.slow
def test_more_workers_and_another_cut_of_the_work_give_the_same_bytes(
    source: Path, small_model: Path, whole: Path, tmp_path: Path
) -> None:
    run(source, tmp_path / "out", small_model, workers=3, pictures_per_piece=5)
    assert hashes(tmp_path / "out") == hashes(whole)


def test_a_finished_run_is_only_reported(source: Path, small_model: Path, whole: Path) -> None:
    before = hashes(whole)
    assert run(source, whole, small_model).report == report_of(whole)
    assert hashes(whole) == before


@pytest.mark.slow
def test_a_run_that_is_asked_to_stop_goes_on_to_the_same_bytes(
    source: Path, small_model: Path, whole: Path, tmp_path: Path
) -> None:
    seen: list[tuple[int, int]] = []
    hooks = GenerateHooks(progress=lambda done, total: seen.append((done, total)), should_stop=lambda: len(seen) > 2)
    assert not run(source, tmp_path / "out", small_model, hooks=hooks).finished
    assert 0 < seen[-1][0] < seen[-1][1] == 20
    assert run(source, tmp_path / "out", small_model).finished
    assert hashes(tmp_path / "out") == hashes(whole)


@pytest.mark.slow
def test_a_run_killed_at_random_points_ends_with_the_same_bytes(
    source: Path, small_model: Path, whole: Path, tmp_path: Path
) -> None:
    """Fault 12: the whole process group is killed, again and again, with 2 to 8 workers."""
    kill_at_random_points(source, tmp_path / "out", small_model, points=CI_KILL_POINTS)
    assert hashes(tmp_path / "out") == hashes(whole)


@pytest.mark.slow
def test_one_damaged_picture_in_a_hundred_is_named_and_the_run_ends() -> None:
    """Fault 10 at CI size: 200 pictures."""
    assert generation.corrupt(CI_CORRUPT_PICTURES, workers=1)


@pytest.mark.slow
def test_a_killed_worker_is_replaced_and_its_pictures_are_given_out_again(
    source: Path, small_model: Path, whole: Path, tmp_path: Path
) -> None:
    """Fault 13, first half. Supervisor and other workers live on."""
    out, told, killed = tmp_path / "out", [], []

    def kill_one(done: int, total: int) -> None:
        if 0 < done < total and not killed:
            victim = worker_processes()[0]
            killed.append(victim.pid)
            victim.kill()

    hooks = GenerateHooks(progress=kill_one, tell=told.append)
    report = run(source, out, small_model, workers=2, hooks=hooks)
    assert killed
    assert report.finished
    assert hashes(out) == hashes(whole)


@pytest.mark.slow
def test_a_picture_that_kills_every_worker_is_set_aside_after_three_tries(small_model: Path, tmp_path: Path) -> None:
    """Fault 13, second half: a decoder that crashes on one picture, as native code does."""
    source = write_pictures(tmp_path / "photos", 7)
    (tmp_path / "site").mkdir()
    poison = (source / "00004.jpg").read_bytes()
    (tmp_path / "site" / "sitecustomize.py").write_text(CRASH.format(size=len(poison)))
    env = environment()
    env["PYTHONPATH"] = f"{tmp_path / 'site'}{os.pathsep}{env['PYTHONPATH']}"
    out = tmp_path / "out"
    ended = subprocess.run(
        command(source, out, small_model, "--workers", "2"), env=env, check=False, capture_output=True, text=True,
        timeout=300,
    )  # fmt: skip
    assert ended.returncode == 1
    assert ended.stderr.count("SIGSEGV") == 4  # once in company, three times alone
    assert report_of(out)["left_out"] == {"00004.jpg": "each of 3 workers that were alone with it died"}
    assert report_of(out)["pictures"] == 6


CRASH = """
import os, signal
import simplejpeg
_decode = simplejpeg.decode_jpeg_header
def decode(data, *more, **options):
    if abs(len(data) - {size}) < 1:
        os.kill(os.getpid(), signal.SIGSEGV)
    return _decode(data, *more, **options)
simplejpeg.decode_jpeg_header = decode
"""


@pytest.mark.slow
def test_a_full_disk_ends_the_run_with_one_sentence_and_it_goes_on_later(
    source: Path, small_model: Path, whole: Path, tmp_path: Path
) -> None:
    """Fault 11, for real: a file system of 100 KB."""
    with small_disk(tmp_path / "small_disk", "100k") as out:
        full = run_command(source, out / "out", small_model)
        assert full.returncode == DatasetError.exit_code, full.stderr
        assert "No space left on device" in full.stderr
        assert "Traceback" not in full.stderr
        subprocess.run(["mount", "-o", "remount,size=50m", str(out)], check=True)
        assert run_command(source, out / "out", small_model).returncode == 1
        assert hashes(out / "out") == hashes(whole)


def test_another_setting_or_source_is_refused_by_name(source: Path, small_model: Path, whole: Path) -> None:
    with pytest.raises(RunError, match="another points_per_side"):
        run(source, whole, small_model, points_per_side=4)
    with pytest.raises(RunError, match="another source"):
        run(source / "sub", whole, small_model)


def test_two_processes_do_not_work_on_one_folder(source: Path, small_model: Path, whole: Path) -> None:
    with filelock.FileLock(whole / "work" / "lock"), pytest.raises(RunError, match="another process works on"):
        run(source, whole, small_model)


def test_a_folder_of_other_things_is_not_written_to(source: Path, small_model: Path, tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("mine")
    with pytest.raises(DatasetError, match="not empty"):
        run(source, tmp_path, small_model)


def test_weights_that_were_exchanged_are_refused(source: Path, small_model: Path, tmp_path: Path) -> None:
    config = small_config(small_model, model_sha256="0" * 64)
    with pytest.raises(WeightsError, match="the run was begun with 000000000000"):
        generate([str(source)], tmp_path / "out", config)


@pytest.mark.slow
def test_a_picture_changed_after_the_run_began_is_set_aside(small_model: Path, tmp_path: Path) -> None:
    source = write_pictures(tmp_path / "photos", 2)
    stop = GenerateHooks(should_stop=lambda: True)
    assert not run(source, tmp_path / "out", small_model, hooks=stop).finished
    (source / "00001.jpg").write_bytes((source / "00000.jpg").read_bytes())
    report = run(source, tmp_path / "out", small_model)
    assert "changed after the run began" in report.failed["00001.jpg"]


@pytest.mark.parametrize(
    ("kind", "changes", "words"),
    [
        (CrewConfig, {"workers": 0}, "workers"),
        (CrewConfig, {"ray_address": "auto"}, "ray_address"),
        (GenerateConfig, {"pictures_per_piece": 0}, "pictures_per_piece"),
        (GenerateConfig, {"first_number": -1}, "first_number"),
    ],
)
def test_bad_settings_are_named(kind: type, changes: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        kind(**changes)


def test_the_card_names_what_is_not_in_the_dataset(whole: Path) -> None:
    card = json.loads((whole / "dataset.json").read_bytes())
    assert [name for name, _ in card["left_out"]] == ["cut.jpg", "sub/copy.jpg"]
    assert "not looked for" in " ".join(card["notes"])
