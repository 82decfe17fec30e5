import json
import subprocess
import sys
from pathlib import Path
from urllib.request import urlopen

import pytest

from anymask.cli.main import main
from tests.cli.servers import Running


def test_a_folder_that_is_not_there_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["annotate", str(tmp_path / "nowhere")]) == 2
    assert "nowhere is not a folder" in capsys.readouterr().err


def test_a_folder_that_cannot_be_written_asks_for_a_workspace(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("in the way")
    assert main(["annotate", str(tmp_path), "--workspace", str(tmp_path / "file")]) == 8
    assert "--workspace" in capsys.readouterr().err


@pytest.mark.slow
def test_one_command_brings_a_folder_to_the_browser_and_goes_on_at_the_next_start(
    small_model: Path, small_decoder: Path, tmp_path: Path, photo_path: Path
) -> None:
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "coffee.jpg").write_bytes(photo_path.read_bytes())
    arguments = ["annotate", str(tmp_path / "pictures"), "--no-browser", "--port", "0", "--model", str(small_model)]
    for start in range(2):
        with Running(arguments, cache=small_decoder) as server:
            assert server.url.startswith("http://127.0.0.1:")
            me = server.browser()
            (project,) = me.data("GET", "/projects")
            image = server.wait_for_embedding(me, project["id"])
            assert image["file_name"] == "coffee.jpg"
            assert image["masks"] == start
            me.act(image["id"])
            assert b"<!doctype html>" in urlopen(server.url).read(20).lower()
    assert (tmp_path / "pictures" / ".anymask" / "secret").stat().st_mode & 0o77 == 0


@pytest.mark.slow
def test_the_worker_ends_with_a_killed_server(small_model: Path, small_decoder: Path, tmp_path: Path) -> None:
    arguments = ["annotate", str(tmp_path), "--no-browser", "--port", "0", "--model", str(small_model)]
    with Running(arguments, cache=small_decoder) as server:
        workers = server.workers()
        assert len(workers) == 1
        server.kill()
        workers[0].wait(60)


def test_help_explains_with_examples() -> None:
    answer = subprocess.run(
        [sys.executable, "-m", "anymask", "annotate", "--help"], check=True, capture_output=True, text=True
    )
    assert "anymask annotate photos" in answer.stdout
    assert json.dumps(answer.stderr) == '""'
