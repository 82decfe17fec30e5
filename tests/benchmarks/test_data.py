import time
from pathlib import Path

from anymask.dataset.index import RecordIndex
from anymask.training.batches import DataConfig
from benchmarks.data import walk
from tests.dataset.sa1b_files import sa1b_files, write_tar


def test_waiting_is_a_part_of_the_time_and_computing_is_not_waiting(tmp_path: Path) -> None:
    records = RecordIndex([write_tar(tmp_path / "x.tar", sa1b_files(1) | sa1b_files(2))])
    begun = time.perf_counter()
    total, waited = walk(records, DataConfig(), pictures=2, steps=4, compute_s=0.02)
    assert 4 * 0.02 <= total <= time.perf_counter() - begun
    assert 0 < waited <= total - 4 * 0.02
