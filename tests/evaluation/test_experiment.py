"""Reports of an experiment."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import pytest

from anymask.errors import RunError
from anymask.evaluation.experiment import Experiment, time_bars, to_csv, to_html, to_text, write_experiment
from anymask.evaluation.metrics import BootstrapConfig, Interval
from anymask.evaluation.published import published
from anymask.evaluation.scores import Score


def example() -> Experiment:
    nan = float("nan")
    return Experiment(
        protocol="proposals",
        title="Proposals <of> something",
        method="How & why.",
        config={"bootstrap": BootstrapConfig(seed=7)},
        data=["a.tar"],
        columns=["tiny", "other"],
        scores=[
            Score(column="tiny", measure="AR@1000", value=Interval(0.5, 0.4, 0.6)),
            Score(column="other", measure="AR@1000", value=Interval(0.3, 0.2, 0.4)),
            Score(column="tiny", measure="AR@1000 rare", value=Interval(nan, nan, nan)),
            Score.plain("tiny", "proposals a picture", 812.5),
        ],
        published=published("proposals"),
        remarks=["Trained on these pictures."],
        times={"tiny": (1.25, 0.5), "other": (0.25, 0.5)},
        bad=[("a/1", "cut off")],
    )


def test_text_has_our_columns_and_the_papers_beside() -> None:
    text = to_text(example())
    header = text.splitlines()[0]
    assert all(name in header for name in ("tiny", "other", "SAM ViT-H (paper)", "ViTDet-H (paper)"))
    row = next(line for line in text.splitlines() if line.startswith("AR@1000 rare"))
    assert "0.658" in row
    assert "Trained on these pictures." in text
    assert "a/1 (cut off)" in text
    assert "1.2500" in text


def test_a_table_of_many_columns_is_turned() -> None:
    columns = ["tiny", "other", "a", "b"]
    scores = [Score(column=name, measure="AR@1000", value=Interval(0.5, 0.4, 0.6)) for name in columns]
    lines = to_text(replace(example(), columns=columns, scores=scores)).splitlines()
    names = [row.method for row in published("proposals")]
    assert lines[0].split() == ["column", "AR@1000"]
    assert [line.rsplit("  ", 1)[0].strip() for line in lines[1 : 1 + len(columns) + len(names)]] == [*columns, *names]
    assert "0.500 [0.400, 0.600]" in lines[1]


def test_the_page_is_one_file_with_configuration_machine_and_plots() -> None:
    page = to_html(example())
    assert "Proposals &lt;of&gt; something" in page
    for expected in ("bootstrap.seed", "processor", "torch", "a.tar", "Time a picture"):
        assert expected in page
    assert page.count("data:image/png") == 2
    assert "http" not in page.split("</style>")[1].replace("http-equiv", "")


def test_json_and_csv_hold_the_same_numbers_and_the_source_of_the_papers(tmp_path: Path) -> None:
    write_experiment(example(), tmp_path / "out")
    plain = json.loads((tmp_path / "out" / "report.json").read_text())
    assert plain["config"] == {"bootstrap": {"resamples": 10000, "level": 0.95, "seed": 7}}
    assert plain["published"][0]["source"] == "arXiv 2304.02643, table 4"
    assert plain["seconds_a_picture"]["tiny"] == {"own": 1.25, "scoring": 0.5}
    assert set(plain["machine"]) >= {"processor", "cores"}
    rows = list(csv.DictReader(io.StringIO(to_csv(example()))))
    assert rows[0] == {"column": "tiny", "measure": "AR@1000", "value": "0.5", "low": "0.4", "high": "0.6"}
    assert rows[2]["value"] == ""
    assert sum(row["column"] == "ViTDet-H (paper)" for row in rows) == 7
    assert {file.name for file in (tmp_path / "out").iterdir()} == {
        f"report.{kind}" for kind in ("html", "json", "csv", "txt")
    }


def test_a_place_that_is_no_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(RunError, match="name another folder"):
        write_experiment(example(), tmp_path / "file" / "out")


def test_times_of_several_protocols_stand_beside_each_other() -> None:
    picture = time_bars({"points": {"tiny": (0.1, 0.2)}, "proposals": {"tiny": (1.0, 0.1)}})
    assert picture.pixels.ndim == 3
    assert "scoring" in picture.caption
