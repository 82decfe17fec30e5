"""The same run by a real Ray cluster of several worker processes on this machine."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.data_engine.generation.small_runs import hashes, report_of, run, run_command, write_pictures
from tests.services.processes import environment


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eleven pictures, of which one is cut."""
    folder = write_pictures(tmp_path_factory.mktemp("source") / "photos", 10)
    (folder / "cut.jpg").write_bytes((folder / "00003.jpg").read_bytes()[:-20])
    return folder


@pytest.mark.slow
def test_a_ray_cluster_makes_the_same_bytes_as_one_local_process(
    source: Path, small_model: Path, tmp_path: Path
) -> None:
    run(source, tmp_path / "local", small_model)
    ended = run_command(source, tmp_path / "ray", small_model, "--engine", "ray", "--workers", "2")
    assert ended.returncode == 1, ended.stderr  # 1: the cut picture
    assert hashes(tmp_path / "ray") == hashes(tmp_path / "local")
    assert report_of(tmp_path / "ray")["throughput"]["engine"] == "ray"
    assert report_of(tmp_path / "ray")["throughput"]["workers"] == 2


def test_without_ray_the_extra_is_named() -> None:
    program = (
        "import sys; sys.modules['ray'] = None\n"
        "from anymask.data_engine.generation.cluster import run_ray\n"
        "run_ray(None, [], 1, None, None)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], env=environment(), capture_output=True, text=True, check=False
    )
    assert "anymask[ray]" in ended.stderr
