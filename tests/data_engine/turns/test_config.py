import json
from pathlib import Path

import pytest

from anymask.data_engine.promote import GateConfig
from anymask.data_engine.turns.config import (
    AutomaticConfig,
    EngineConfig,
    HardestConfig,
    ScoreConfig,
    StageConfig,
    StageTarget,
    read_config,
    write_config,
)
from anymask.errors import ConfigError, RunError
from anymask.runs import to_plain

CONFIG = EngineConfig(database="sqlite:///a.db", store="store", project="cups")


def test_what_is_written_is_read(tmp_path: Path) -> None:
    write_config(tmp_path / "engine", CONFIG)
    assert read_config(tmp_path / "engine") == CONFIG
    with pytest.raises(RunError, match="holds an engine already"):
        write_config(tmp_path / "engine", CONFIG)


def test_a_folder_without_an_engine_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="anymask engine init"):
        read_config(tmp_path)


def test_unknown_fields_are_errors(tmp_path: Path) -> None:
    (tmp_path / "engine.json").write_text(json.dumps(to_plain(CONFIG) | {"speed": 3}))
    with pytest.raises(ConfigError, match="no field \\['speed'\\]"):
        read_config(tmp_path)


def test_a_stage_is_found_by_its_name() -> None:
    own = StageConfig(recipe="finetune_decoder")
    config = EngineConfig(database="d", store="s", project="p", semi_automatic=own)
    assert config.stage("semi_automatic") is own
    assert config.stage("assisted") is config.assisted


def test_a_target_of_nothing_never_ends_a_stage() -> None:
    assert StageTarget().is_open
    assert not StageTarget(turns=1).is_open


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: StageConfig(new_masks=0), "new_masks"),
        (lambda: StageConfig(lr=0.0), "StageConfig.lr"),
        (lambda: ScoreConfig(clicks=0), "clicks"),
        (lambda: ScoreConfig(until_iou=2.0), "until_iou"),
        (lambda: HardestConfig(grid=0), "grid"),
        (lambda: AutomaticConfig(pictures=0), "pictures"),
        (lambda: EngineConfig(database="d", store="s", project="p", held_share=1.0), "held_share"),
        (lambda: EngineConfig(database="d", store="s", project="p", processes=0), "processes"),
        (
            lambda: EngineConfig(database="d", store="s", project="p", score=ScoreConfig(clicks=3)),
            r"asks for clicks_5, but score.clicks is 3",
        ),
        (
            lambda: EngineConfig(database="d", store="s", project="p", gate=GateConfig(measure="clicks_0")),
            "asks for clicks_0",
        ),
    ],
)
def test_values_that_make_no_sense_are_named(make: object, named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        make()
