from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path

import pytest

from anymask.cli.generate import describe_rate
from anymask.cli.main import main
from tests.data_engine.generation.small_runs import command, report_of, run_command, write_pictures
from tests.services.processes import environment


@pytest.mark.slow
def test_a_dataset_is_made_stopped_and_gone_on_with_by_the_same_command(tmp_path: Path, small_model: Path) -> None:
    source = write_pictures(tmp_path / "photos", 12)
    out = tmp_path / "out"
    process = subprocess.Popen(
        command(source, out, small_model), env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    while process.poll() is None and not list((out / "work" / "pieces").glob("[!.]*.tar")):
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    said, warned = process.communicate(timeout=60)
    if process.returncode != 0:  # it was not faster than the signal
        assert process.returncode == 128 + signal.SIGTERM, warned
        assert "the same command goes on" in said
        assert "what is finished is kept" in warned
    ended = run_command(source, out, small_model, "--json")
    assert ended.returncode == 0, ended.stderr
    value = json.loads(ended.stdout)
    assert value["finished"]
    assert value["pictures"] == 12 == report_of(out)["pictures"]


def test_a_source_without_a_folder_to_write_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["generate", "photos"]) == 2
    assert "then the folder OUT" in capsys.readouterr().err


def test_a_folder_of_nothing_is_told_as_json_too(
    tmp_path: Path, small_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    code = main(["generate", str(tmp_path / "empty"), str(tmp_path / "out"), "--model", str(small_model), "--json"])
    assert code == 4
    assert "holds no picture" in json.loads(capsys.readouterr().out)["error"]["message"]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["work"]


def test_rates_are_told_a_minute_with_the_time_left() -> None:
    assert describe_rate(90, 30, 60) == "90.0 a minute, 0 min left"
    assert describe_rate(0, 30, 0) == "0.0 a minute"
