from pathlib import Path

import pytest

from anymask.cli.engine.opening import database_url, opened, without_password
from anymask.data_engine.turns.config import EngineConfig
from anymask.errors import RunError, ServerConfigError

CONFIG = EngineConfig(database="postgresql://masks@db/masks", store="s", project="p")


def test_passwords_are_not_written_down() -> None:
    assert without_password("postgresql://masks:secret@db/masks") == CONFIG.database
    assert without_password("sqlite:////a/b.db") == "sqlite:////a/b.db"


def test_the_password_comes_from_the_environment_for_the_same_database_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ANYMASK_DATABASE", raising=False)
    assert database_url(CONFIG) == CONFIG.database
    monkeypatch.setenv("ANYMASK_DATABASE", "postgresql://masks:secret@db/masks")
    assert database_url(CONFIG) == "postgresql://masks:secret@db/masks"
    monkeypatch.setenv("ANYMASK_DATABASE", "sqlite:///other.db")
    with pytest.raises(ServerConfigError, match="another database than the engine"):
        database_url(CONFIG)


def test_a_folder_without_an_engine_is_no_engine(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="anymask engine init"), opened(tmp_path):
        pass
