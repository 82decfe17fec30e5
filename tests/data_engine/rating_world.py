"""A rating study of drawn pictures in a world's database."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import select

from anymask.data_engine import projects, ratings
from anymask.data_engine.people import Identity
from anymask.data_engine.rating_intake import StudySettings, add_study
from anymask.data_engine.ratings import Standing
from anymask.data_engine.tables import RatingItemRow
from anymask.evaluation.rating.making import make_study
from anymask.evaluation.rating.study import RatingConfig, Study
from tests.data_engine.world import World
from tests.evaluation.rating.drawn_study import Square, write_set


def make(folder: Path, pictures: int = 3) -> Study:
    """Two masks a picture, three columns."""
    data = write_set(folder / "data", pictures)
    return make_study(RatingConfig(), [data], [Square("alpha"), Square("beta", 5)], folder / "study")


class RatingWorld:
    """A study that Ann and Bob rate."""

    def __init__(self, world: World, folder: Path, pictures: int = 3, **settings: Any) -> None:
        self.world, self.study = world, make(folder, pictures)
        chosen = StudySettings(name="masks", **settings)
        self.project_id = add_study(world.database, world.blobs, self.study, chosen, world.ada.id)
        for person in (world.ann, world.bob):
            self.join(person)
        self.keys = 0

    def join(self, person: Identity) -> None:
        self.world.database.write(lambda session: projects.add_member(session, self.project_id, person.id))

    def items(self) -> list[RatingItemRow]:
        query = select(RatingItemRow).where(RatingItemRow.project_id == self.project_id).order_by(RatingItemRow.id)
        return self.world.database.read(lambda session: list(session.scalars(query)))

    def standing(self, asker: Identity) -> Standing:
        return self.world.database.read(lambda session: ratings.standing(session, asker, self.project_id))

    def rate(self, asker: Identity, score: int, item_id: int | None = None, key: str | None = None) -> int:
        """Rate what comes next, or that item; which it was."""
        shown = self.standing(asker).shown
        item_id = item_id or (0 if shown is None else shown.item.id)
        key = key or self.new_key()
        self.world.database.write(
            lambda session: ratings.rate(
                session,
                asker,
                self.project_id,
                item_id=item_id,
                score=score,
                active_ms=1500,
                key=key,
                now=self.world.clock(),
            )
        )
        return item_id

    def undo(self, asker: Identity, item_id: int, key: str | None = None) -> None:
        key = key or self.new_key()
        self.world.database.write(
            lambda session: ratings.undo(
                session, asker, self.project_id, item_id=item_id, key=key, now=self.world.clock()
            )
        )

    def new_key(self) -> str:
        self.keys += 1
        return f"key-of-{self.keys:06d}"
