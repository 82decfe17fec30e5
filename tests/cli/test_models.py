from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from anymask.cli.main import main
from anymask.cli.models import describe
from anymask.model.registry import entry_named, registry


def test_every_registered_model_is_listed_with_all_that_is_known(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["models", "--cache-dir", str(tmp_path), "--json"]) == 0
    out, err = capsys.readouterr()
    listed = json.loads(out)
    assert err == ""
    assert listed["cache_directory"] == str(tmp_path)
    assert [row["name"] for row in listed["models"]] == [entry.name for entry in registry()]
    for row, entry in zip(listed["models"], registry(), strict=True):
        if not entry.is_embedded:
            assert row["state"] == "absent"
            assert row["path"] == str(tmp_path / entry.file_name)
            assert (row["size_bytes"], row["sha256"]) == (entry.size_bytes, entry.sha256)
        assert row["licence"] == entry.licence


def test_table_shows_name_size_licence_state_and_place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "--cache-dir", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "vit_b                375 MB  absent          Apache-2.0" in lines
    assert f"        path: {tmp_path}/sam_vit_b_01ec64.pth" in lines
    assert lines[-1] == f"cache folder: {tmp_path}"


def test_cache_folder_comes_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ANYMASK_CACHE", str(tmp_path / "elsewhere"))
    assert main(["models", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["cache_directory"] == str(tmp_path / "elsewhere")


def test_state_follows_the_file(tmp_path: Path) -> None:
    content = b"weights" * 100
    digest = hashlib.sha256(content).hexdigest()
    entry = replace(entry_named("vit_b"), file_name="few.pth", size_bytes=len(content), sha256=digest)
    path = tmp_path / "few.pth"

    def state(*, verify: bool = False) -> str:
        return str(describe(entry, tmp_path, verify=verify)["state"])

    assert state() == "absent"
    (tmp_path / "few.pth.part").write_bytes(content[:9])
    assert state() == "part of it"
    path.write_bytes(content[:-1])
    assert (state(), state(verify=True)) == ("damaged", "damaged")
    path.write_bytes(content)
    assert (state(), state(verify=True)) == ("present", "verified")
    path.write_bytes(content[:-1] + b"?")
    assert (state(), state(verify=True)) == ("present", "damaged")
