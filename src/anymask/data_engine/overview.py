"""An engine at a glance: its turns, the people's work, the models' scores, what was promoted and why not.

Beside the paper's own: 34 s a mask at the beginning of its first stage and 14 s at its end, 20 masks a picture at its
beginning, 44 at its end, 72 at the end of the second. Source: arXiv 2304.02643, section 4.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import select
from sqlalchemy.orm import Session

from anymask.data_engine import deployment
from anymask.data_engine.loop import Engine, TurnReport
from anymask.data_engine.simulated_notes import effort
from anymask.data_engine.tables import ModelRow, TurnRow
from anymask.data_engine.turns import stages
from anymask.data_engine.turns.config import ASSISTED, SEMI_AUTOMATIC
from anymask.data_engine.turns.detecting import Detected
from anymask.data_engine.turns.folder import END
from anymask.data_engine.turns.score import BENCHMARK, HELD, ModelScores
from anymask.runs import from_plain

PAPER_SECONDS = (34.0, 14.0)
"""A mask, at the beginning and at the end of the assisted stage."""
PAPER_MASKS = {ASSISTED: (20.0, 44.0), SEMI_AUTOMATIC: (44.0, 72.0)}
"""A picture, at the beginning and at the end of each stage."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TurnLine:
    """One turn in a row of numbers."""

    number: int
    stage: str
    ended_at: str
    pictures: int
    """Learned from."""
    masks: int
    """Learned from, made or accepted by people."""
    masks_alone: int
    """Learned from, made by the model alone."""
    seconds_a_mask: float | None
    """Of people in this stage; of simulated people for this turn, by their configured times."""
    clicks_a_mask: float | None
    """Likewise."""
    masks_a_picture: float | None
    """Likewise; in the last stage of the masks that the model made alone."""
    detector: Detected | None
    """That was trained at the end of the turn, for the next one's people."""
    no_detector: str
    """Why none was, where one was due."""
    measure: str
    """What decided."""
    before: float
    after: float
    low: float
    """Ends of the interval of the rise."""
    high: float
    clicks_to_iou: float | None
    """Clicks that a mask needs on held-out pictures with the candidate."""
    clicks_to_iou_before: float | None
    """The same with the model before."""
    promoted: bool
    reason: str
    model: str
    """Hash of the model that people have after it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Deployed:
    """A model that was current."""

    model_sha256: str
    name: str
    kind: str
    note: str
    at: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Overview:
    """All of it."""

    project: str
    stage: str
    turns: tuple[TurnLine, ...]
    deployments: tuple[Deployed, ...]
    """The first one first; the last one is current."""
    waiting: int
    """Pictures that nobody has finished."""
    unfinished: int | None = None
    """The turn that was begun and not ended, where that is known."""


def of_engine(engine: Engine) -> Overview:
    """The engine's, from its folder."""
    reports = [turn.read(END, TurnReport) for turn in engine.turns.finished()]
    known = [one if one.effort else replace(one, effort=effort(engine.folder, one.number)) for one in reports]
    begun = engine.turns.unfinished()

    def read(session: Session) -> Overview:
        return _overview(session, engine.project_id, engine.config.project, known, begun.number if begun else None)

    return engine.database.read(read)


def of_project(session: Session, project_id: int, name: str) -> Overview:
    """The same from the database alone, as the server knows it."""
    rows = session.scalars(select(TurnRow).where(TurnRow.project_id == project_id).order_by(TurnRow.number))
    reports = [from_plain(TurnReport, row.report) for row in rows]
    return _overview(session, project_id, name, reports, None)


def _overview(
    session: Session, project_id: int, name: str, reports: Sequence[TurnReport], unfinished: int | None
) -> Overview:
    names = {row.sha256: row.name for row in session.scalars(select(ModelRow))}
    deployed = [
        Deployed(
            model_sha256=row.model_sha256,
            name=names[row.model_sha256],
            kind=row.kind,
            note=row.note,
            at=row.created_at.isoformat(timespec="seconds"),
        )
        for row in deployment.list_deployments(session)
    ]
    return Overview(
        project=name,
        stage=stages.stage_of(session, project_id),
        turns=tuple(map(line_of, reports)),
        deployments=tuple(deployed),
        waiting=stages.count_waiting(session, project_id),
        unfinished=unfinished,
    )


def line_of(report: TurnReport) -> TurnLine:
    """A turn's report in one line."""
    work, numbers, verdict = report.effort, report.numbers, report.decision.verdicts[0]
    deciding = BENCHMARK if any(one.data == BENCHMARK for one in report.scores) else HELD
    a_picture = numbers.masks_a_picture if work is None else work.masks_a_picture
    alone = report.generated
    return TurnLine(
        number=report.number,
        stage=report.stage,
        ended_at=report.ended_at,
        pictures=report.version.pictures["train"],
        masks=report.version.masks["train"],
        masks_alone=0 if alone is None else alone.masks,
        seconds_a_mask=numbers.seconds_a_mask if work is None else work.seconds_a_mask,
        clicks_a_mask=numbers.clicks_a_mask if work is None else work.clicks_a_mask,
        masks_a_picture=a_picture if alone is None else alone.masks_a_picture,
        detector=report.detected,
        no_detector=report.no_detector,
        measure=verdict.measure,
        before=verdict.before,
        after=verdict.after,
        low=verdict.low,
        high=verdict.high,
        clicks_to_iou=_clicks(report.scores, report.candidate, deciding),
        clicks_to_iou_before=_clicks(report.scores, report.model_before, deciding),
        promoted=report.decision.promote,
        reason=report.decision.reason,
        model=report.model_after,
    )


def _clicks(scores: Sequence[ModelScores], sha256: str, data: str) -> float | None:
    return next((one.clicks_a_mask for one in scores if (one.model_sha256, one.data) == (sha256, data)), None)
