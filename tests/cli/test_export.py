from __future__ import annotations

import json
from pathlib import Path

import onnxruntime
import pytest

from anymask.cli.main import main
from tests.cli.small_model import write_small_model


@pytest.fixture(scope="module")
def modest_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model whose logits are of the order of one, as those of a trained one."""
    return write_small_model(tmp_path_factory.mktemp("modest") / "small.safetensors", is_sure=False)


@pytest.mark.slow
def test_every_part_is_written_runs_and_agrees(
    tmp_path: Path, modest_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "new" / "onnx"
    assert main(["export", "--model", str(modest_model), "--out", str(out), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert [file["part"] for file in answer["files"]] == ["encoder", "decoder", "browser", "whole"]
    for file in answer["files"]:
        session = onnxruntime.InferenceSession(file["path"])
        assert [value.name for value in session.get_inputs()] == file["inputs"]
        assert [value.name for value in session.get_outputs()] == file["outputs"]
        assert file["size_bytes"] == sum(Path(path).stat().st_size for path in file["files"])
        assert 0 <= max(file["differences"].values()) < 1e-3
    assert sorted(path.name for path in out.iterdir()) == [
        "browser.onnx",
        "decoder.onnx",
        "encoder.onnx",
        "whole.onnx",
    ]


@pytest.mark.slow
def test_one_part_is_written_and_told_in_a_line(
    tmp_path: Path, modest_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--part", "encoder", "--part", "encoder", "--out", str(tmp_path)]
    assert main(["export", "--model", str(modest_model), *options]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(f"{tmp_path}/encoder.onnx: ")
    assert "differs from PyTorch by at most" in line
    assert [path.name for path in tmp_path.iterdir()] == ["encoder.onnx"]


def test_folder_that_cannot_be_made_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert main(["export", "--out", str(tmp_path / "file" / "onnx")]) == 6
    assert "cannot be made" in capsys.readouterr().err
