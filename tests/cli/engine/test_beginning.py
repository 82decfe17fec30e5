import json
from pathlib import Path

import pytest

from anymask.cli.main import main
from anymask.data_engine import deployment
from anymask.data_engine.tables import ImageRow, MaskRow, ModelRow
from anymask.data_engine.turns.config import read_config
from anymask.data_engine.turns.freeze import choose_masks, freeze
from anymask.model.weights import load, model_hash
from tests.cli.engine.small_engine import add_labelled, keep_decoder, make_place


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, small_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANYMASK_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("ANYMASK_DATABASE", raising=False)
    keep_decoder(tmp_path / "cache", load(small_model))


def test_an_engine_is_made_for_a_project_with_its_model_in_the_store(
    tmp_path: Path, migrated_sqlite: Path, small_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world = make_place(tmp_path / "work", migrated_sqlite)
    (tmp_path / "held.tar").write_bytes(b"")
    (tmp_path / "c.json").write_text(json.dumps({"held_share": 0.3, "score": {"clicks": 6}}))
    words = ["engine", "init", str(tmp_path / "e"), "--project", "cups", "--workspace", str(tmp_path / "work")]
    more = [
        "--model",
        str(small_model),
        "--benchmark",
        str(tmp_path / "held.tar"),
        "--config",
        str(tmp_path / "c.json"),
    ]
    assert main([*words, *more]) == 0
    assert "an engine for 'cups'" in capsys.readouterr().out
    config = read_config(tmp_path / "e")
    assert (config.held_share, config.score.clicks) == (0.3, 6)
    assert config.score.benchmark == (str(tmp_path / "held.tar"),)
    row = world.database.read(deployment.current)
    assert row is not None
    assert row.model_sha256 == model_hash(load(small_model))
    assert world.database.read(lambda session: session.get_one(ModelRow, row.model_sha256)).weights_key is not None
    assert main([*words, *more]) == 5
    world.database.close()


def test_pictures_come_in_without_their_masks_and_the_project_with_them(
    tmp_path: Path, migrated_sqlite: Path, small_model: Path
) -> None:
    other = make_place(tmp_path / "other", migrated_sqlite)
    for seed in range(3):
        add_labelled(other, seed)
    choices = other.database.read(lambda session: choose_masks(session, other.project.id))
    freeze(other.database, other.blobs, choices, tmp_path / "d", held_share=0.01, seed=0)
    other.database.close()
    world = make_place(tmp_path / "work", migrated_sqlite)
    words = ["engine", "init", str(tmp_path / "e"), "--project", "pool", "--workspace", str(tmp_path / "work")]
    shard = str(tmp_path / "d" / "train.tar")
    assert main([*words, "--model", str(small_model), "--pictures", shard]) == 0
    names = world.database.read(lambda session: [row.file_name for row in session.query(ImageRow)])
    assert sorted(names) == [f"shapes/{seed:03d}.webp" for seed in range(3)]
    assert world.database.read(lambda session: session.query(MaskRow).count()) == 0
    world.database.close()


def test_mistakes_are_named(
    tmp_path: Path, migrated_sqlite: Path, small_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_place(tmp_path / "work", migrated_sqlite).database.close()
    words = ["engine", "init", str(tmp_path / "e"), "--workspace", str(tmp_path / "work")]
    assert main([*words, "--project", "plates", "--model", str(small_model)]) == 8
    assert "no project called 'plates' (there are: 'cups')" in capsys.readouterr().err
    (tmp_path / "c.json").write_text("{")
    assert main([*words, "--project", "cups", "--config", str(tmp_path / "c.json")]) == 2
    assert "cannot be read as JSON" in capsys.readouterr().err


def test_an_engine_begun_with_paths_of_a_folder_is_taken_up_from_another(
    tmp_path: Path,
    migrated_sqlite: Path,
    small_model: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    make_place(tmp_path / "team", migrated_sqlite).database.close()
    for name in ("held.tar", "also.tar", "mix.tar", "more.tar"):
        (tmp_path / name).write_bytes(b"")
    plain = {"score": {"benchmark": ["held.tar"]}, "mix": ["mix.tar"], "project": "another", "store": "elsewhere"}
    (tmp_path / "c.json").write_text(json.dumps(plain))
    monkeypatch.chdir(tmp_path)
    where = ["--database", "sqlite:///team/anymask.db", "--store", "team/store", "--workspace", "team"]
    given = ["--config", "c.json", "--benchmark", "more.tar", "--also", "also.tar", "--model", str(small_model)]
    assert main(["engine", "init", "e", "--project", "cups", *where, *given]) == 0
    config = read_config(tmp_path / "e")
    assert config.database == f"sqlite:///{tmp_path / 'team' / 'anymask.db'}"
    assert config.store == str(tmp_path / "team" / "store")
    assert config.score.benchmark == (str(tmp_path / "held.tar"), str(tmp_path / "more.tar"))
    assert config.score.also == (str(tmp_path / "also.tar"),)
    assert config.mix == (str(tmp_path / "mix.tar"),)
    assert config.project == "cups"
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    assert main(["engine", "status", str(tmp_path / "e")]) == 0
    assert "project 'cups'" in capsys.readouterr().out
    assert not (tmp_path / "other" / "team").exists()


def test_the_configuration_says_where_the_server_is_unless_an_option_does(
    tmp_path: Path, migrated_sqlite: Path, small_model: Path
) -> None:
    make_place(tmp_path / "team", migrated_sqlite).database.close()
    url, store = f"sqlite:///{tmp_path / 'team' / 'anymask.db'}", str(tmp_path / "team" / "store")
    (tmp_path / "c.json").write_text(json.dumps({"database": url, "store": store}))
    words = ["engine", "init", str(tmp_path / "e"), "--project", "cups", "--model", str(small_model)]
    assert main([*words, "--config", str(tmp_path / "c.json")]) == 0
    config = read_config(tmp_path / "e")
    assert (config.database, config.store) == (url, store)
