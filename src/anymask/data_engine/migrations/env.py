"""What Alembic runs for every step; the connection is `upgrading.upgrade`'s."""

from __future__ import annotations

from alembic import context

from anymask.data_engine.tables import Base

# The caller's transaction holds all steps: what is due is done whole, or nothing of it.
context.configure(connection=context.config.attributes["connection"], target_metadata=Base.metadata)
with context.begin_transaction():
    context.run_migrations()
