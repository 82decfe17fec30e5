import json
from pathlib import Path

import pytest

from anymask.cli.main import main
from anymask.data_engine import deployment
from anymask.data_engine.tables import ModelRow
from anymask.data_engine.turns.config import EngineConfig, write_config
from tests.cli.engine.small_engine import make_place


def test_people_get_the_model_of_before_again(
    tmp_path: Path, migrated_sqlite: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ANYMASK_DATABASE", raising=False)
    world = make_place(tmp_path / "work", migrated_sqlite)
    write_config(
        tmp_path / "e",
        EngineConfig(database=world.database.url, store=str(tmp_path / "work" / "store"), project="cups"),
    )
    for name in "ab":
        row = ModelRow(sha256=name * 64, name=name, facts={}, decoder_key=world.blobs.put(b"d"), weights_key="w")
        world.database.write(lambda session, row=row: session.merge(row))
        deployment.promote(world.database, name * 64, key=name, note="")
    assert main(["engine", "rollback", str(tmp_path / "e")]) == 0
    assert "current is aaaaaaaaaaaa... again, instead of bbbbbbbbbbbb..." in capsys.readouterr().out
    assert main(["engine", "rollback", str(tmp_path / "e"), "--to", "bb", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"before": "a" * 64, "now": "b" * 64}
    assert main(["engine", "rollback", str(tmp_path / "e"), "--to", "cc"]) == 8
    world.database.close()
