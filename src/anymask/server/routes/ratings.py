"""Ratings of masks, blind: no answer here tells whose a mask is."""

from __future__ import annotations

from sqlalchemy.orm import Session

from anymask.data_engine import ratings
from anymask.data_engine.ratings import Shown, Standing
from anymask.server.deps import Asker, Served
from anymask.server.mask_schemas import BoxPrompt, PointPrompt, Rle
from anymask.server.rating_schemas import RatedMask, RaterProgress, RatingIn, RatingStanding, RatingUndo
from anymask.server.router import Routes
from anymask.server.rules import Access
from anymask.server.schemas import Id
from anymask.server.views import pixels_url

routes = Routes("ratings")


@routes.add("GET", "/projects/{project_id}/rating", Access.MEMBER)
def get_standing(project_id: Id, asker: Asker, served: Served) -> RatingStanding:
    """The mask that the asker is to rate now, in an order of their own, and how far they are."""
    return served.database.read(lambda session: _standing(ratings.standing(session, asker, project_id)))


@routes.add("POST", "/projects/{project_id}/rating", Access.MEMBER, problems=(409,))
def rate(project_id: Id, given: RatingIn, asker: Asker, served: Served) -> RatingStanding:
    """Rate a mask; the answer has the next one. The same key again notes nothing more."""
    now = served.database.clock()

    def write(session: Session) -> RatingStanding:
        ratings.rate(
            session,
            asker,
            project_id,
            item_id=given.mask_id,
            score=given.score,
            active_ms=given.active_ms,
            key=given.key,
            now=now,
        )
        return _standing(ratings.standing(session, asker, project_id))

    return served.database.write(write)


@routes.add("POST", "/projects/{project_id}/rating/undo", Access.MEMBER, problems=(409,))
def undo_rating(project_id: Id, given: RatingUndo, asker: Asker, served: Served) -> RatingStanding:
    """Take back the rating that the asker gave last; that mask comes again."""
    now = served.database.clock()

    def write(session: Session) -> RatingStanding:
        ratings.undo(session, asker, project_id, item_id=given.mask_id, key=given.key, now=now)
        return _standing(ratings.standing(session, asker, project_id))

    return served.database.write(write)


@routes.add("GET", "/projects/{project_id}/rating/progress", Access.REVIEWER)
def rating_progress(project_id: Id, served: Served) -> list[RaterProgress]:
    """How far everybody is who has rated anything; no rating is told."""
    found = served.database.read(lambda session: ratings.progress(session, project_id))
    return [RaterProgress.model_validate(one) for one in found]


def _standing(one: Standing) -> RatingStanding:
    return RatingStanding(
        done=one.done,
        total=one.total,
        mask=None if one.shown is None else _mask(one.shown),
        upcoming=[pixels_url(image) for image in one.upcoming],
        undoable=one.undoable,
    )


def _mask(shown: Shown) -> RatedMask:
    item, image = shown.item, shown.image
    point, box = item.prompt["point_xy"], item.prompt["box_xyxy"]
    return RatedMask(
        id=item.id,
        pixels_url=pixels_url(image),
        width=image.width,
        height=image.height,
        point=None if point is None else PointPrompt(x=point[0], y=point[1]),
        box=None if box is None else BoxPrompt(x0=box[0], y0=box[1], x1=box[2], y1=box[3]),
        rle=Rle(size=[image.height, image.width], counts=item.counts),
    )
