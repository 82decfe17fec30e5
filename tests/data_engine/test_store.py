from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from anymask.data_engine.store import Database
from anymask.data_engine.tables import PersonRow
from anymask.errors import StoreError
from tests.data_engine.world import World


def test_a_write_that_raises_leaves_nothing(world: World) -> None:
    def write(session: Session) -> None:
        session.add(PersonRow(name="Eve", role="annotator", password_hash=None, active=True, created_at=world.clock()))
        session.flush()
        raise KeyError("stop")

    with pytest.raises(KeyError):
        world.database.write(write)
    names = world.database.read(lambda session: session.execute(text("SELECT name FROM people")).scalars().all())
    assert "Eve" not in names


def test_sqlite_is_durable_and_does_not_block_readers(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'a.db'}")
    pragmas = database.write(
        lambda session: [session.execute(text(f"PRAGMA {name}")).scalar() for name in ("journal_mode", "synchronous")]
    )
    assert pragmas == ["wal", 2]  # 2 is FULL
    database.close()


def test_moments_keep_their_zone(world: World) -> None:
    row = world.database.read(lambda session: session.get(PersonRow, world.ada.id))
    assert row is not None
    assert row.created_at == world.clock()


@pytest.mark.parametrize("url", ["mysql://host/name", "sqlite://", "nonsense", "sqlite:////no/such/folder/a.db"])
def test_an_address_that_cannot_be_used_is_refused_with_the_forms_that_can(url: str) -> None:
    with pytest.raises(StoreError, match=r"sqlite:///FILE or postgresql://|make it first"):
        Database(url)


def test_a_database_that_is_away_is_an_error_that_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("anymask.data_engine.store._RETRY_FOR_S", 0.1)
    database = Database("postgresql://nobody@127.0.0.1:1/none")
    with pytest.raises(StoreError, match="does not answer"):
        database.read(lambda session: session.execute(text("SELECT 1")).scalar())
