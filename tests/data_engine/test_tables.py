from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from anymask.data_engine.store import Database
from anymask.data_engine.tables import Base


def test_the_migrations_make_exactly_these_tables(database: Database) -> None:
    with database.reader.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
