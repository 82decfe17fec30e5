from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from anymask.cli.main import main
from anymask.runs import RunFolder
from tests.evaluation.progress.short_runs import train_short_run
from tests.training.drawn import draw_set


@dataclass(frozen=True)
class _Config:
    steps: int


def _run(path: Path, losses: list[float], scores: dict[int, float]) -> Path:
    run = RunFolder.create(path, _Config(steps=9))
    for step, loss in enumerate(losses, start=1):
        run.log(step, loss=loss, point_iou=0.25 * step)
        if step in scores:
            run.log(step, val_score=scores[step])
    return path


def test_runs_of_a_folder_are_told_in_order_with_their_latest_values(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _run(tmp_path / "b", [0.9, 0.5], {})
    _run(tmp_path / "a", [0.7, 0.6, 0.4], {1: 0.8, 3: 0.3})
    (tmp_path / "notes").mkdir()
    assert main(["runs", str(tmp_path)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{tmp_path}/a: step 3 of 9, loss 0.400, click IoU 0.750, best score 0.800",
        f"{tmp_path}/b: step 2 of 9, loss 0.500, click IoU 0.500",
    ]


def test_json_holds_configuration_and_values_and_no_nan(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = _run(tmp_path / "a", [0.7, float("nan")], {2: 0.5})
    assert main(["runs", str(run), "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["runs"]
    assert row["path"] == str(run)
    assert (row["step"], row["steps"], row["best_score"]) == (2, 9, 0.5)
    assert row["latest"] == {"point_iou": 0.5, "val_score": 0.5}
    assert row["config"] == {"steps": 9}


def test_run_named_alone_is_told_in_full(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = _run(tmp_path / "a", [0.9, 0.5], {1: 0.25})
    for arguments in (["runs", str(path)], ["runs", "show", str(path)]):
        assert main(arguments) == 0
        lines = capsys.readouterr().out.splitlines()
        assert lines[0].split() == ["run", str(path)]
        assert lines[1].split(maxsplit=1) == ["at", "step 2 of 9, 0 s of steps so far"]
        assert "loss 0.700, click IoU 0.375 (means of the last 50 steps)" in lines[2]
        assert lines[3].split(maxsplit=1) == ["best", "score 0.250, at step 1"]


def test_run_without_a_step_yet_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _run(tmp_path / "a", [], {})
    assert main(["runs", str(tmp_path)]) == 0
    assert capsys.readouterr().out == f"{tmp_path}/a: step 0 of 9\n"
    assert main(["runs", "show", str(tmp_path / "a")]) == 0
    assert "step 0 of 9" in capsys.readouterr().out


def test_page_of_a_run_is_written_and_of_several_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, page = _run(tmp_path / "a", [0.9, 0.5], {}), tmp_path / "page.html"
    assert main(["runs", "show", str(path), "--html", str(page)]) == 0
    assert capsys.readouterr().out.endswith(f"page -> {page}\n")
    assert "data:image/png" in page.read_text()
    _run(tmp_path / "b", [0.9], {})
    assert main(["runs", "show", str(tmp_path), "--html", str(page)]) == 2
    assert "use `anymask runs compare`" in capsys.readouterr().err
    assert main(["runs", "show", str(path), "--html", str(tmp_path / "absent" / "page.html")]) == 5
    assert "name another file" in capsys.readouterr().err


def test_runs_are_compared_by_what_differs_and_their_scores(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a, b = (str(_run(tmp_path / name, losses, {})) for name, losses in (("a", [0.9, 0.5]), ("b", [0.4])))
    page = tmp_path / "page.html"
    assert main(["runs", "compare", a, b, "--html", str(page)]) == 0
    out = capsys.readouterr().out
    assert "the configurations are the same" in out
    (row,) = [line.split() for line in out.splitlines() if line.startswith("at step 1: loss")]
    assert row[-2:] == ["0.9000", "0.4000"]
    assert "data:image/png" in page.read_text()
    assert main(["runs", "compare", a, b, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["step"] == 1
    assert answer["scores"][0] == {"name": "loss", "same_step": {a: 0.9, b: 0.4}, "end": {a: 0.7, b: 0.4}}
    assert main(["runs", "compare", a]) == 5
    assert "name two or more" in capsys.readouterr().err


def test_differing_fields_are_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a = _run(tmp_path / "a", [0.5], {})
    b = RunFolder.create(tmp_path / "b", _Config(steps=7)).path
    assert main(["runs", "compare", str(a), str(b)]) == 0
    head, row, *_ = capsys.readouterr().out.splitlines()
    assert head.split() == ["differs", str(a), str(b)]
    assert row.split() == ["steps", "9", "7"]


def test_card_is_written_again_with_licences_and_scores(
    tmp_path: Path, repository: Path, small_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    draw_set(tmp_path / "data" / "mine", 0, 2)
    run = train_short_run(tmp_path / "run", tmp_path / "data", small_model)
    assert "not stated: state it yourself" in (run / "model_card.md").read_text()
    evaluate = ["evaluate", "points", "--data", f"{tmp_path}/data", "--model", f"{run}/model.safetensors"]
    assert main([*evaluate, "--baselines", "none", "--clicks", "1,2", "--out", f"{tmp_path}/points"]) == 0
    terms = tmp_path / "terms.json"
    terms.write_text('{"mine": {"licence": "CC0", "research_only": false}}')
    capsys.readouterr()
    assert main(["runs", "card", str(run), "--data-card", str(terms), "--scores", f"{tmp_path}/points"]) == 0
    assert capsys.readouterr().out == f"card -> {run}/model_card.md\n"
    card = (run / "model_card.md").read_text()
    assert "| mine | 2 | CC0 |" in card
    assert "Box, single mask\n\n| set | pictures | masks | model |" in card
    assert "0 non finite steps" in card
    assert main(["train", "--resume", str(run)]) == 0
    assert (run / "model_card.md").read_text() == card  # what was added is not lost when the run is told again
    assert main(["runs", "card", str(run), "--scores", str(repository), "--json"]) == 5


@pytest.mark.parametrize("arguments", [[], ["absent"], ["a", "absent"]])
def test_folder_without_a_run_is_refused(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    _run(Path("a"), [0.5], {})
    assert main(["runs", *arguments]) == 5
    assert "there is no run in" in capsys.readouterr().err
