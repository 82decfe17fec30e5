import pytest
from sqlalchemy import inspect, text

from anymask.data_engine.migrations.upgrading import newest_version, upgrade, version_of
from anymask.data_engine.store import Database
from anymask.errors import StoreError


def test_an_empty_database_is_brought_to_the_newest_version_and_a_second_time_changes_nothing(
    database_url: str,
) -> None:
    database = Database(database_url)
    assert version_of(database) is None
    upgrade(database)
    upgrade(database)
    assert version_of(database) == newest_version()
    database.close()


@pytest.mark.parametrize("table", ["tasks", "turns"])
def test_a_step_that_fails_leaves_the_database_as_it_was(database_url: str, table: str) -> None:
    database = Database(database_url)
    # A table of that name is in the way of the first step, or of the last one.
    database.write(lambda session: session.execute(text(f"CREATE TABLE {table} (id INTEGER)")))
    with pytest.raises(StoreError, match="nothing was lost"):
        upgrade(database)
    assert version_of(database) is None
    assert inspect(database.reader).get_table_names() == [table]
    database.write(lambda session: session.execute(text(f"DROP TABLE {table}")))
    upgrade(database)
    assert version_of(database) == newest_version()
    database.close()


def test_a_database_of_a_newer_package_is_refused(database_url: str) -> None:
    database = Database(database_url)
    upgrade(database)
    database.write(lambda session: session.execute(text("UPDATE alembic_version SET version_num = '9999'")))
    with pytest.raises(StoreError, match="newer"):
        upgrade(database)
    database.close()
