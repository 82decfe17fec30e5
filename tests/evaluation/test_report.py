"""Reports: every number in them is the experiment's, in each form."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from anymask.errors import RunError
from anymask.evaluation.baselines import Felzenszwalb, FelzenszwalbConfig, GrabCut, GrabCutConfig
from anymask.evaluation.metrics import BootstrapConfig, mean_interval
from anymask.evaluation.protocols.points import PointsConfig, PointsResult, run
from anymask.evaluation.report import (
    read_summary,
    summarise,
    tables,
    to_csv,
    to_html,
    to_json,
    to_text,
    write_report,
)
from anymask.evaluation.results import MEAN, samples
from tests.evaluation.small_data import write_small_sets


@pytest.fixture(scope="module")
def data(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    shards = [data_dir / "val-food_plates.tar", data_dir / "val-davis16_val.tar"]
    return [write_small_sets(tmp_path_factory.mktemp("small"), shards, 4)]


@pytest.fixture(scope="module")
def result(data: list[Path]) -> PointsResult:
    coarse = Felzenszwalb(FelzenszwalbConfig(scale=2000), name="coarse")
    config = PointsConfig(clicks=(1, 2), bootstrap=BootstrapConfig(resamples=300))
    return run(config, data, [Felzenszwalb(), coarse, GrabCut(GrabCutConfig(iterations=1))])


def test_scores_are_means_over_masks_then_over_sets(result: PointsResult) -> None:
    summary = summarise(result)
    for column, measure in (("felzenszwalb", "click"), ("coarse", "clicks_2"), ("grabcut", "box")):
        rows = {row.set_name: row for row in summary.scores if (row.column, row.measure) == (column, measure)}
        found = samples(result.columns[column], measure)
        assert list(rows) == ["davis16_val", "food_plates", MEAN]
        for name, sample in found.items():
            assert rows[name].iou == mean_interval(sample, result.config.bootstrap)
            assert (rows[name].pictures, rows[name].masks) == (4, len(sample.values))
        assert rows[MEAN].iou.mean == pytest.approx(np.mean([sample.values.mean() for sample in found.values()]))


def test_the_first_column_is_compared_with_each_other_on_what_both_answer(result: PointsResult) -> None:
    found = {(one.column, one.minus, one.comparison.measure) for one in summarise(result).differences}
    assert found == {("felzenszwalb", "coarse", measure) for measure in ("click", "click_oracle", "clicks_2")}


def test_a_table_has_a_row_for_each_set_and_one_for_their_mean(result: PointsResult) -> None:
    by_title = dict(tables(summarise(result)))
    clicks = by_title["One click, most confident of three masks"]
    assert list(clicks.columns) == ["set", "pictures", "masks", "felzenszwalb", "coarse", "felzenszwalb - coarse"]
    assert [row[0] for row in clicks.rows] == ["davis16_val", "food_plates", MEAN]
    assert list(by_title["Box, single mask"].columns) == ["set", "pictures", "masks", "grabcut"]
    assert "2 clicks" in by_title


def test_a_certain_difference_is_starred_and_a_doubtful_one_is_not(result: PointsResult) -> None:
    summary = summarise(result)
    (one, *_) = summary.differences
    certain, doubtful = (
        replace(one, comparison=replace(one.comparison, mean_of_sets=replace(one.comparison.mean_of_sets, low=low)))
        for low in (0.01, -0.01)
    )
    for difference, star in ((certain, True), (doubtful, False)):
        shown = dict(tables(replace(summary, differences=(difference,))))["One click, most confident of three masks"]
        assert shown.rows[-1][-1].endswith("*") is star


def test_the_text_shows_every_table(result: PointsResult) -> None:
    text = to_text(result, summarise(result))
    for title, table in tables(summarise(result)):
        assert title in text
        for row in table.rows:
            assert all(str(cell) in text for cell in row)


def test_csv_and_json_hold_the_same_numbers(result: PointsResult) -> None:
    summary = summarise(result)
    lines = list(csv.DictReader(io.StringIO(to_csv(summary))))
    plain = json.loads(to_json(result, summary))
    assert plain["columns"] == ["felzenszwalb", "coarse", "grabcut"]
    assert plain["config"]["targets"]["min_area_px"] == 64
    scores = [line for line in lines if not line["minus"]]
    assert len(scores) == len(plain["scores"]) == len(summary.scores)
    for line, row in zip(scores, plain["scores"], strict=True):
        assert (line["column"], line["measure"], line["set"]) == (row["column"], row["measure"], row["set_name"])
        assert [float(line[end]) for end in ("iou", "low", "high")] == [
            row["iou"][end] for end in ("mean", "low", "high")
        ]
    differences = [line for line in lines if line["minus"]]
    assert len(differences) == 3 * len(summary.differences)


def test_the_page_carries_tables_curve_and_pictures_and_asks_for_nothing(
    result: PointsResult, data: list[Path]
) -> None:
    page = to_html(result, summarise(result), data)
    # Scores, then seconds a picture, configuration and machine.
    assert page.count("<table>") == len(tables(summarise(result))) + 4
    assert "More clicks" in page
    assert "targets.per_picture" in page
    assert page.count("data:image/jpeg") == 20  # the worst, median and best of two sets
    deltas = sum(one.comparison.measure == "click" for one in summarise(result).differences)
    assert page.count("data:image/png") == 2 + deltas  # the curve, the times
    assert "http" not in page.replace("http-equiv", "")


def test_what_was_left_out_is_said_and_names_are_inert(result: PointsResult, data: list[Path]) -> None:
    told = replace(result, without_targets=("s/a", "s/b"), bad=(("s/<script>", "cut"),))
    text, page = to_text(told, summarise(told)), to_html(told, summarise(told), data)
    assert "2 pictures have no region" in text
    assert "s/<script> (cut)" in text
    assert "s/&lt;script&gt; (cut)" in page
    assert "<script" not in page
    assert json.loads(to_json(told, summarise(told)))["bad"] == [{"picture": "s/<script>", "reason": "cut"}]


def test_a_report_is_four_files_and_the_same_each_time(result: PointsResult, data: list[Path], tmp_path: Path) -> None:
    names = ["report.csv", "report.html", "report.json", "report.txt"]
    for folder in ("a", "b"):
        write_report(result, data, tmp_path / folder)
        assert sorted(file.name for file in (tmp_path / folder).iterdir()) == names
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_a_report_that_cannot_be_written_is_said(result: PointsResult, data: list[Path], tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises(RunError, match="name another folder"):
        write_report(result, data, tmp_path / "file" / "out")


def test_a_written_report_is_read_back_to_the_same_numbers(
    result: PointsResult, data: list[Path], tmp_path: Path
) -> None:
    summary = write_report(result, data, tmp_path)
    assert read_summary(tmp_path) == summary


@pytest.mark.parametrize("text", ["", "{}", '{"scores": [{}], "differences": []}'])
def test_a_folder_without_a_report_is_refused(text: str, tmp_path: Path) -> None:
    if text:
        (tmp_path / "report.json").write_text(text)
    with pytest.raises(RunError, match="anymask evaluate points"):
        read_summary(tmp_path)
