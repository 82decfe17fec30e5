"""Two evaluations compared, of each experiment."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from anymask.cli.main import main
from anymask.errors import ConfigError, RunError
from anymask.evaluation.comparing import compare_runs, to_page, to_table
from anymask.evaluation.metrics import BootstrapConfig
from anymask.evaluation.results import MEAN
from tests.evaluation.annotated_data import write_annotated, write_results
from tests.evaluation.line_data import write_archive, write_maps
from tests.evaluation.protocols.colours import write_colours
from tests.evaluation.rating.drawn_study import write_set

QUICK = BootstrapConfig(resamples=50)


def value(folder: Path, column: str, measure: str) -> float:
    report = json.loads((folder / "report.json").read_text())
    rows = [row for row in report["scores"] if row["column"] == column and row["measure"] == measure]
    return rows[-1]["value"] if "value" in rows[-1] else rows[-1]["iou"]["mean"]


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    root = tmp_path_factory.mktemp("drawn")
    annotations, folder, parsed = write_annotated(root, lvis=True, seed=3, pictures=5)
    files = {name: write_results(root / f"{name}.json", parsed, seed) for name, seed in (("a", 1), ("b", 2))}
    results = [f"--results={name}={file}" for name, file in files.items()]
    return root, ["--annotations", str(annotations), "--pictures", str(folder), *results]


@pytest.mark.parametrize("protocol", ["proposals", "instances"])
def test_differences_are_those_of_the_scores_and_none_of_a_column_to_itself(
    drawn: tuple[Path, list[str]], protocol: str
) -> None:
    root, arguments = drawn
    out = root / protocol
    more = ["--resamples", "10"] if protocol == "instances" else []
    assert main(["evaluate", protocol, *arguments, *more, "--out", str(out)]) == 0
    found = compare_runs(out, out, QUICK, ("a", "b"))
    assert len(found.deltas) >= 9
    for one in found.deltas:
        expected = value(out, "a", one.measure) - value(out, "b", one.measure)
        assert one.value.mean == pytest.approx(expected, abs=1e-9)
        assert one.value.low <= one.value.mean <= one.value.high
    same = compare_runs(out, out, QUICK)
    assert {(one.value.mean, one.value.low, one.value.high) for one in same.deltas} == {(0.0, 0.0, 0.0)}


def test_points_are_compared_set_by_set(tmp_path: Path, small_model: Path) -> None:
    annotations, folder, _ = write_annotated(tmp_path, seed=4, pictures=4)
    (tmp_path / "whole.py").write_text(
        "import numpy as np\n\n\nclass Whole:\n    def set_image(self, pixels):\n"
        "        self.shape = pixels.shape[:2]\n\n"
        "    def predict(self, prompt):\n        return np.ones(self.shape, bool)\n\n\n"
        "def make_segmenter():\n    return Whole()\n"
    )
    command = ["evaluate", "points", "--annotations", str(annotations), "--pictures", str(folder), "--clicks", "1,2"]
    columns = ["--model", str(small_model), "--baselines", "felzenszwalb", "--adapter", str(tmp_path / "whole.py")]
    assert main([*command, *columns, "--max-pictures", "2", "--out", str(tmp_path / "out")]) == 0
    found = compare_runs(tmp_path / "out", tmp_path / "out", QUICK, ("felzenszwalb", "whole"))
    assert {one.measure for one in found.deltas} == {"click", "click_oracle", "clicks_2"}
    (mean,) = (one.value.mean for one in found.deltas if one.measure == "click" and one.set_name == MEAN)
    assert mean == pytest.approx(
        value(tmp_path / "out", "felzenszwalb", "click") - value(tmp_path / "out", "whole", "click")
    )
    assert list(to_table(found).columns) == ["measure", "set", "difference"]
    page = to_page(found)
    assert "felzenszwalb" in page
    assert page.count("data:image/png") == 1


def test_text_is_compared_phrase_by_phrase(tmp_path: Path) -> None:
    annotations, folder = write_colours(tmp_path / "data")
    adapter = (
        "from tests.evaluation.protocols.colours import ColourSegmenter\n\n\nclass Colours:\n"
        "    takes_boxes = False\n\n"
        "    def __init__(self):\n        self.inner = ColourSegmenter()\n\n"
        "    def set_image(self, pixels):\n        self.inner.set_image(pixels)\n\n"
        "    def predict(self, prompt):\n        mask = self.inner.predict(prompt, multimask=True).masks[0]\n"
        "        return SIGN mask\n\n\ndef make_segmenter():\n    return Colours()\n"
    )
    for name, sign in (("right", ""), ("wrong", "~")):
        (tmp_path / f"{name}.py").write_text(adapter.replace("SIGN ", sign))
        command = ["evaluate", "text", "--annotations", str(annotations), "--pictures", str(folder)]
        assert main([*command, "--adapter", str(tmp_path / f"{name}.py"), "--out", str(tmp_path / name)]) == 0
    found = compare_runs(tmp_path / "right", tmp_path / "wrong", QUICK)
    assert all(one.value.mean > 0 for one in found.deltas)
    assert len(found.deltas) == 5


def test_what_cannot_be_compared_is_said(drawn: tuple[Path, list[str]], tmp_path: Path) -> None:
    root, arguments = drawn
    for name, most in (("few", "2"), ("more", "3")):
        command = ["evaluate", "proposals", *arguments, "--max-pictures", most, "--out", str(tmp_path / name)]
        assert main(command) == 0
    with pytest.raises(ConfigError, match="not of the same pictures"):
        compare_runs(tmp_path / "few", tmp_path / "more", QUICK)
    with pytest.raises(ConfigError, match="no column 'c'; it has a, b"):
        compare_runs(tmp_path / "few", tmp_path / "few", QUICK, ("c", None))
    with pytest.raises(RunError, match="is no report"):
        compare_runs(root, tmp_path / "few", QUICK)
    report = json.loads((tmp_path / "few" / "report.json").read_text())
    for protocol, message in (("instances", "give two of one"), ("rating", "give two of one")):
        (tmp_path / "more" / "report.json").write_text(json.dumps({**report, "protocol": protocol}))
        with pytest.raises(ConfigError, match=message):
            compare_runs(tmp_path / "few", tmp_path / "more", QUICK)
    with pytest.raises(ConfigError, match="of rating cannot be compared this way"):
        compare_runs(tmp_path / "more", tmp_path / "more", QUICK)


def test_edges_are_compared_by_the_benchmarks_figures(tmp_path: Path) -> None:
    archive, maps = write_archive(tmp_path / "BSR", 6), write_maps(tmp_path / "mine", 6)
    out = tmp_path / "edges"
    asked = ["--data", str(archive), "--maps", str(maps), "--baselines", "sobel", "--levels", "9", "--out", str(out)]
    assert main(["evaluate", "edges", *asked]) == 0
    found = compare_runs(out, out, QUICK, ("mine", "sobel"))
    assert [one.measure for one in found.deltas] == ["ODS", "OIS", "AP", "R50"]
    for one in found.deltas[:3]:
        assert one.value.mean == pytest.approx(value(out, "mine", one.measure) - value(out, "sobel", one.measure))
    same = compare_runs(out, out, QUICK)
    assert {(one.value.mean, one.value.low, one.value.high) for one in same.deltas[:3]} == {(0.0, 0.0, 0.0)}


def test_ambiguity_is_compared_set_by_set(
    tmp_path: Path, small_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = write_set(tmp_path / "data", 2)
    for name in ("a", "b"):
        said = ["--data", str(data), "--model", str(small_model), "--out", str(tmp_path / name)]
        assert main(["evaluate", "ambiguity", *said]) == 0
    capsys.readouterr()
    assert main(["evaluate", "compare", str(tmp_path / "a"), str(tmp_path / "b"), "--resamples", "20"]) == 0
    assert "Spearman" in capsys.readouterr().out
    found = compare_runs(tmp_path / "a", tmp_path / "b", QUICK)
    assert found.protocol == "ambiguity"
    assert {one.set_name for one in found.deltas} == {"bars"}
    assert {one.value.mean for one in found.deltas} == {0.0}
    plain = json.loads((tmp_path / "b" / "report.json").read_text())
    plain["config"]["targets"]["seed"] = 5
    (tmp_path / "b" / "report.json").write_text(json.dumps(plain))
    with pytest.raises(ConfigError, match="other settings"):
        compare_runs(tmp_path / "a", tmp_path / "b", QUICK)
