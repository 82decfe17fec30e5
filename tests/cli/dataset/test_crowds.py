from __future__ import annotations

import json
from pathlib import Path

import pytest

from anymask.cli.main import main
from anymask.dataset.index import RecordIndex


def test_crowds_are_written_as_a_shard_to_train_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shard = tmp_path / "crowds.tar"
    assert main(["dataset", "crowds", str(shard), "--pictures", "3", "--seed", "1", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said == {"shard": str(shard), "pictures": 3, "seed": 1, "bytes": shard.stat().st_size}
    assert len(RecordIndex([shard])) == 3


def test_a_place_that_cannot_be_written_is_an_error_with_advice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["dataset", "crowds", str(tmp_path / "no" / "crowds.tar"), "--pictures", "1"]) > 1
    assert "name another file" in capsys.readouterr().err
