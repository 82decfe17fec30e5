"""Wire types of the engine: turns, what they learned from, how models compare, which one was current when."""

from __future__ import annotations

from pydantic import Field

from anymask.server.schemas import Count, Sha256, Stage, Wire


class Detector(Wire):
    """How good a detector is on pictures it did not learn from, at the confidence from which its boxes are shown."""

    confidence: float
    recall: float
    precision: float
    boxes_a_picture: float
    pictures: Count = Field(description="Learned from.")
    held_pictures: Count = Field(description="Measured on.")


class EngineTurn(Wire):
    """One turn that has ended."""

    number: int
    stage: Stage
    ended_at: str
    pictures: Count = Field(description="Learned from.")
    masks: Count = Field(description="Learned from, made or accepted by people.")
    masks_alone: Count = Field(description="Learned from, made by the model alone.")
    seconds_a_mask: float | None = Field(description="Of the people of this turn.")
    clicks_a_mask: float | None
    masks_a_picture: float | None
    detector: Detector | None = Field(description="Trained at its end, for the next one's people.")
    no_detector: str = Field(description="Why none was trained, where one was due.")
    measure: str = Field(description="The mean IoU that decided.")
    before: float
    after: float
    low: float = Field(description="Lower end of the interval of the rise.")
    high: float
    clicks_to_iou: float | None = Field(
        description="Clicks that a mask needs on held-out pictures, with the candidate."
    )
    clicks_to_iou_before: float | None
    promoted: bool
    reason: str
    model: Sha256 = Field(description="Current after it.")


class Deployment(Wire):
    """A model that became current."""

    model_sha256: Sha256
    name: str
    kind: str = Field(description="`start`, `promote` or `rollback`.")
    note: str
    at: str


class PaperCurves(Wire):
    """The paper's own figures, to compare with."""

    seconds: list[float] = Field(description="A mask, at the beginning and the end of the first stage.")
    masks: dict[str, list[float]] = Field(description="A picture, at the beginning and the end of each stage.")


class EngineView(Wire):
    """The engine of a project at a glance."""

    stage: Stage
    waiting: Count = Field(description="Pictures that nobody has finished.")
    turns: list[EngineTurn]
    deployments: list[Deployment] = Field(description="The first one first; the last one is current.")
    paper: PaperCurves
