"""The report of the edge experiment: scores beside the paper's, curves, pictures, headings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from anymask.evaluation.edge_baselines import SobelEdges
from anymask.evaluation.edge_finders import MapFolder
from anymask.evaluation.edges_report import curves, example, examples, heading, make_experiment, scores
from anymask.evaluation.experiment import to_html, to_plain_experiment, to_text
from anymask.evaluation.metrics import BootstrapConfig
from anymask.evaluation.protocols.edges import EdgeBenchmarkConfig, EdgesResult, run
from anymask.figures import Heading, Picture
from tests.evaluation.line_data import write_archive, write_maps
from tests.evaluation.test_edge_finders import shard_picture

CONFIG = EdgeBenchmarkConfig(levels=9, tolerance=0.0139, bootstrap=BootstrapConfig(resamples=20))


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_archive(tmp_path_factory.mktemp("archive"), 7)


@pytest.fixture(scope="module")
def maps(tmp_path_factory: pytest.TempPathFactory) -> MapFolder:
    return MapFolder(write_maps(tmp_path_factory.mktemp("maps") / "mine", 7), "mine")


@pytest.fixture(scope="module")
def result(root: Path, maps: MapFolder) -> EdgesResult:
    return run(CONFIG, [root], [maps, SobelEdges()])


def test_every_column_has_the_benchmarks_figures_and_annotators_an_f(result: EdgesResult) -> None:
    by_column: dict[str, dict[str, float]] = {}
    for one in scores(result):
        by_column.setdefault(one.column, {})[one.measure] = one.value.mean
    assert list(by_column) == ["mine", "sobel", "annotators"]
    assert list(by_column["mine"]) == ["ODS", "OIS", "AP", "R50", "precision at ODS", "recall at ODS"]
    assert list(by_column["annotators"]) == ["ODS", "precision at ODS", "recall at ODS"]
    assert by_column["mine"]["ODS"] == 1


def test_the_report_shows_the_papers_figures_beside(result: EdgesResult, root: Path) -> None:
    experiment = make_experiment(result, [root], [], with_pictures=False)
    text = to_text(experiment)
    assert "SAM ViT-H (paper)" in text
    assert "0.768" in text
    assert "F .80" in text
    plain = to_plain_experiment(experiment)
    assert plain["facts"]["pictures"] == 7
    assert len(plain["facts"]["curves"]["sobel"]["recall"]) == 9
    assert plain["seconds_a_picture"]["sobel"]["scoring"] > 0


def test_the_page_has_the_plot_and_the_first_columns_pictures(result: EdgesResult, root: Path, maps: MapFolder) -> None:
    page = to_html(make_experiment(result, [root], [maps, SobelEdges()], with_pictures=True))
    assert "Precision over recall" in page
    for title in ("Best", "Median", "Worst"):
        assert f"{title}: picture, annotators, mine" in page
    assert "Worst: picture, annotators, sobel" not in page
    kinds = [type(block) for block in examples(result, [root], [maps])]
    assert kinds == [Heading, Picture, Picture] * 3


def test_a_heading_says_what_the_model_has_seen(result: EdgesResult) -> None:
    from dataclasses import replace

    noted = replace(result, notes={"mine": "trained on these pictures"})
    assert heading(noted, "mine") == "mine (trained on these pictures)"
    assert scores(noted)[0].column == "mine (trained on these pictures)"
    assert "mine: trained on these pictures." in make_experiment(noted, [], [], with_pictures=False).remarks


def test_curves_are_sums_over_pictures(result: EdgesResult) -> None:
    rows = result.columns["mine"]
    matched = sum(row.counts.matched_predicted for row in rows)
    predicted = sum(row.counts.predicted for row in rows)
    assert curves(result)["mine"]["precision"] == pytest.approx((matched / np.maximum(predicted, 1)).tolist())


def test_an_example_is_picture_annotators_and_edges_side_by_side() -> None:
    shown = example(SobelEdges(), shard_picture(1), 9)
    assert shown.shape == (40, 3 * 60 + 2 * 6, 3)
    truth = shown[:, 66:126, 0]
    assert {0, 255} >= set(np.unique(truth)) - {128, 127}
    assert shown[:, 132:].min() < 255
