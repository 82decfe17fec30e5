"""Run folders and configs as plain values."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

from anymask.errors import ConfigError, RunError
from anymask.recipes import RECIPES, recipe
from anymask.runs import RunFolder, from_plain, to_plain, write_atomically
from anymask.training.promptable import TrainConfig


@dataclass(frozen=True, kw_only=True, slots=True)
class Inner:
    """A part."""

    size_hw: tuple[int, int] = (1, 2)
    kind: Literal["a", "b"] = "a"


@dataclass(frozen=True, kw_only=True, slots=True)
class Other:
    """Another part."""

    name: str = "x"


@dataclass(frozen=True, kw_only=True, slots=True)
class Outer:
    """A whole."""

    part: Inner | Other
    rate: float = 0.5
    path: Path | None = None
    names: tuple[str, ...] = ()


@pytest.mark.parametrize("part", [Inner(kind="b"), Other(name="y")])
def test_a_config_round_trips_through_json(part: Inner | Other) -> None:
    config = Outer(part=part, rate=1, path=Path("a/b"), names=("p", "q"))
    assert from_plain(Outer, json.loads(json.dumps(to_plain(config)))) == config


@pytest.mark.parametrize(
    ("plain", "part"),
    [
        ({"kind": "b"}, Inner(kind="b")),  # written before there was a size_hw
        ({"size_hw": [3, 4]}, Inner(size_hw=(3, 4))),
        ({"name": "y"}, Other(name="y")),
    ],
)
def test_a_file_of_before_a_field_was_added_is_understood(plain: object, part: Inner | Other) -> None:
    assert from_plain(Outer, {"part": plain}) == Outer(part=part)


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_every_recipe_round_trips_through_json(name: str) -> None:
    config = recipe(name)
    assert from_plain(TrainConfig, json.loads(json.dumps(to_plain(config)))) == config


@pytest.mark.parametrize(
    ("plain", "words"),
    [
        ({"part": {"name": "x"}, "speed": 1}, "no field .*speed"),
        ({}, "part"),
        ({"part": {"name": "x"}, "rate": "fast"}, r"Outer\.rate"),
        ({"part": {"nom": "x"}}, r"Outer\.part"),
        ({"part": {}}, r"Outer\.part"),
        ({"part": {"size_hw": [1], "kind": "a"}}, "2 entries"),
        ({"part": {"size_hw": [1, 2], "kind": "c"}}, "one of"),
        ({"part": {"name": "x"}, "names": "p"}, "must be a list"),
        ([], "must be an object"),
    ],
)
def test_bad_plain_values_are_refused_by_name(plain: object, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        from_plain(Outer, plain)


def test_metrics_survive_a_cut_line_and_forget_what_came_after(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path / "run", Other())
    for step in (1, 2, 3):
        run.log(step, loss=step / 2)
    with (run.path / "metrics.jsonl").open("a") as stream:
        stream.write('{"step": 4, "lo')
    assert [line["step"] for line in run.metrics()] == [1, 2, 3]
    run.forget_after(2)
    assert [line["step"] for line in run.metrics()] == [1, 2]


def test_a_run_says_what_it_ran_with(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path / "run", Other(name="z"))
    assert run.config() == {"name": "z"}
    assert json.loads((run.path / "versions.json").read_text())["torch"]


def test_every_start_is_kept_with_its_machine_and_leaves_the_configuration_alone(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path / "run", Other())
    assert list(run.starts()) == []  # as in a folder of before there were any
    run.log_start(0, {"processes": 2, "data": (Path("a.tar"),)})
    run.log_start(7, {"processes": 1})
    first, second = run.starts()
    assert (first["step"], first["processes"], first["data"]) == (0, 2, ["a.tar"])
    assert (second["step"], second["processes"]) == (7, 1)
    assert first["at"].endswith("+00:00")
    assert first["machine"]["processor"]
    assert first["machine"]["cores"] >= 1
    assert first["versions"]["torch"]
    assert RunFolder.create(tmp_path / "run", Other()).config() == {"name": "x"}


def test_a_folder_that_is_not_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="not a run folder"):
        RunFolder(tmp_path).config()


def test_a_failed_write_leaves_the_old_file_and_no_litter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    write_atomically(path, b"old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
