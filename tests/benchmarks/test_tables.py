import json
from pathlib import Path

from benchmarks.tables import BEGIN, END, PAGE, RESULTS, tables, with_tables

REPORT = {
    "name": "encoder",
    "peer": "segment-anything 1.0",
    "machine": "A Processor 2 cores",
    "threads": 2,
    "matrix_product_gflops": 200.0,
    "rows": [{"case": "ViT-B", "ours_s": 5.0, "peer_s": 0.0125, "ratio": 2.5, "turns": 5, "note": "equal"}],
    "ours_peak_mb": 400,
    "peer_peak_mb": 1000,
    "memory_ratio": 0.4,
    "gflop": 800.0,
}


def test_every_figure_of_a_report_is_in_its_table(tmp_path: Path) -> None:
    folder = tmp_path / "a-processor-2-cores"
    folder.mkdir()
    (folder / "encoder.json").write_text(json.dumps(REPORT))
    text = tables(tmp_path)
    assert "### A Processor 2 cores" in text
    assert "| ViT-B | 5.00 s | 12.5 ms | **2.50** | equal |" in text
    assert "Peak memory 400 MB beside 1000 MB: **0.40** of it" in text
    assert "160 GFLOP/s, **80%** of that" in text


def test_rates_of_workers_stand_beside_the_public_generators_with_as_many_threads(tmp_path: Path) -> None:
    report = {
        "machine": "M",
        "busy": "nothing",
        "picture_hw": [480, 640],
        "points_per_side": 16,
        "pictures_a_minute": {"1 worker": 3.0, "2 workers": 5.7, "public, 1 thread": 0.75, "public, 2 threads": 1.4},
        "times_faster": {"1": 4.0, "2": 4.07},
        "two_workers_beside_one": 1.9,
        "overhead_of_the_cpu": 0.0123,
        "overhead_by_the_clock": -0.002,
        "one_worker": {"wall_s": 20.0, "cpu_s": 19.5, "model waits s": 0.0012},
        "two_workers": {"wall_s": 21.0, "cpu_s": 20.25},
        "bare_model": {"wall_s": 20.04, "cpu_s": 19.26},
    }
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "generation-vit_b.json").write_text(json.dumps(report))
    text = tables(tmp_path)
    assert "| 1 worker | 3.0 | **4.0** |" in text
    assert "| 2 workers | 5.7 | **4.07** |" in text
    assert "| public, 2 threads | 1.4 |  |" in text
    assert "one worker takes 19.50 s of" in text
    assert "**+1.2%** (-0.2% by the clock)" in text


def test_samples_a_second_and_the_time_waited_are_in_their_table(tmp_path: Path) -> None:
    rows = [{"workers": 2, "pictures_per_s": 40.5, "waiting_share": 0.125}]
    report = {"machine": "M", "size": 512, "pictures": 4, "ahead": 2, "step_s": 0.2, "rows": rows}
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "data.json").write_text(json.dumps(report))
    text = tables(tmp_path)
    assert "a trainer of 0.2 s a step waits" in text
    assert "| 2 | 40.5 | 12.5% |" in text


def test_only_what_stands_between_the_marks_is_replaced() -> None:
    page = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    new = with_tables(page, "new\n")
    assert new == f"before\n{BEGIN}\n\nnew\n\n{END}\nafter\n"
    assert with_tables(new, "new\n") == new


def test_the_page_shows_the_results_that_are_kept() -> None:
    page = PAGE.read_text()
    assert page == with_tables(page, tables(RESULTS)), "run: python -m benchmarks.tables"
