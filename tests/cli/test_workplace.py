from pathlib import Path

import pytest

from anymask.cli.workplace import Workplace
from anymask.data_engine import people
from anymask.data_engine.migrations.upgrading import newest_version, version_of


def test_a_workspace_is_made_with_a_database_of_this_version(tmp_path: Path) -> None:
    place = Workplace(tmp_path / "new" / "place")
    with place.opened() as (database, blobs):
        assert version_of(database) == newest_version()
        assert blobs.read(blobs.put(b"file")) == b"file"
    assert place.database_shown == str(tmp_path / "new" / "place" / "anymask.db")


def test_the_owner_is_the_first_admin_or_the_person_alone(tmp_path: Path) -> None:
    place = Workplace(tmp_path)
    with place.opened() as (database, _):
        me = place.owner(database)
        assert place.owner(database) == me
        assert database.read(lambda session: people.get_person(session, me).name) == people.ALONE
    team = Workplace(tmp_path / "team")
    with team.opened() as (database, _):
        now = database.clock()
        ada = database.write(lambda session: people.add_person(session, "Ada", "admin", None, now).id)
        assert team.owner(database) == ada


def test_the_address_may_come_from_the_environment_and_its_password_is_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANYMASK_DATABASE", "postgresql://masks:secret@db/masks")
    place = Workplace(tmp_path)
    assert place.database_url == "postgresql://masks:secret@db/masks"
    assert place.database_shown == "postgresql://masks@db/masks"
    hidden = Workplace(tmp_path, "postgresql://db/masks?user=masks&password=secret").database_shown
    assert hidden == "postgresql://db/masks?user=masks"
    assert Workplace(tmp_path, "sqlite:////x.db").database_url == "sqlite:////x.db"
