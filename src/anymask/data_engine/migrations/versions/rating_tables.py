"""Kinds of projects, and the tables of the rating study, with triggers that keep its ratings append-only."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_MESSAGE = "ratings are append-only"


def upgrade() -> None:
    """From detectors on."""
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.add_column("projects", sa.Column("kind", sa.String(length=20), server_default="annotate", nullable=False))
    op.create_table(
        "rating_studies",
        sa.Column("project_id", number, nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("prompt", sa.String(length=10), nullable=False),
        sa.Column("ratings_per_mask", number, nullable=True),
        sa.Column("order_seed", sa.BigInteger(), nullable=False),
        sa.Column("items", number, nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"]),
        sa.PrimaryKeyConstraint("project_id"),
        sa.UniqueConstraint("digest"),
    )
    op.create_table(
        "rating_items",
        sa.Column("id", number, nullable=False),
        sa.Column("project_id", number, nullable=False),
        sa.Column("image_id", number, nullable=False),
        sa.Column("position", number, nullable=False),
        sa.Column("column_name", sa.String(length=200), nullable=False),
        sa.Column("set_name", sa.String(length=200), nullable=False),
        sa.Column("target", sa.String(length=1200), nullable=False),
        sa.Column("prompt", sa.JSON(), nullable=False),
        sa.Column("counts", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"]),
        sa.ForeignKeyConstraint(["image_id"], ["images.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("project_id", "position"),
    )
    op.create_index(op.f("ix_rating_items_image_id"), "rating_items", ["image_id"], unique=False)
    op.create_table(
        "ratings",
        sa.Column("seq", number, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("project_id", number, nullable=False),
        sa.Column("item_id", number, nullable=False),
        sa.Column("person_id", number, nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("score", number, nullable=True),
        sa.Column("active_ms", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"]),
        sa.ForeignKeyConstraint(["item_id"], ["rating_items.id"]),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"]),
        sa.PrimaryKeyConstraint("seq"),
        sa.UniqueConstraint("key"),
    )
    op.create_index(op.f("ix_ratings_item_id"), "ratings", ["item_id"], unique=False)
    op.create_index("ix_ratings_person", "ratings", ["project_id", "person_id"], unique=False)
    _guard_the_ratings()


def _guard_the_ratings() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for change in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER ratings_{change.lower()} BEFORE {change} ON ratings "
                f"BEGIN SELECT RAISE(ABORT, '{_MESSAGE}'); END"
            )
        return
    op.execute(
        "CREATE FUNCTION refuse_rating_change() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{_MESSAGE}'; END $$"
    )
    op.execute(
        "CREATE TRIGGER ratings_change BEFORE UPDATE OR DELETE OR TRUNCATE ON ratings "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_rating_change()"
    )
