"""Wire types of masks: what a person or a model made, how, and the ordered actions that change them."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from anymask.server.schemas import Count, Id, Lease, LongText, Moment, Name, ReviewState, Sha256, Stage, Wire

MaskId = Annotated[str, Field(pattern="^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$")]
"""A random UUID in small letters, made by whoever makes the mask, so that masks can be made offline."""
Key = Annotated[str, Field(pattern="^[A-Za-z0-9_-]{8,64}$")]
Coordinate = Annotated[float, Field(ge=-1e6, le=1e6)]
Share = Annotated[float, Field(ge=0, le=1)]


class Rle(Wire):
    """A mask as COCO's compressed run lengths, column by column, background first."""

    size: Annotated[list[Annotated[int, Field(ge=1)]], Field(min_length=2, max_length=2)] = Field(
        description="Height and width: the picture's."
    )
    counts: Annotated[str, Field(max_length=2**23)]


class PointPrompt(Wire):
    """One click, in original pixels."""

    x: Coordinate
    y: Coordinate
    foreground: bool = True


class BoxPrompt(Wire):
    """A box in original pixels, right and bottom edges exclusive."""

    x0: Coordinate
    y0: Coordinate
    x1: Coordinate
    y1: Coordinate


class PromptRecord(Wire):
    """One prompt as it was given."""

    points: Annotated[list[PointPrompt], Field(max_length=200)] = Field(default_factory=list)
    box: BoxPrompt | None = None
    used_mask: bool = Field(default=False, description="Whether an earlier answer's logits were part of it.")


class Candidate(Wire):
    """One of the masks a model offered."""

    predicted_iou: float
    chosen: bool


class Tool(StrEnum):
    """What a person worked with; the last one that changed the mask is the mask's own."""

    CLICK = "click"
    BOX = "box"
    HOVER = "hover"
    BRUSH = "brush"
    ERASER = "eraser"
    POLYGON = "polygon"
    FILL_HOLES = "fill_holes"
    REMOVE_ISLANDS = "remove_islands"
    MERGE = "merge"
    SUBTRACT = "subtract"
    DUPLICATE = "duplicate"
    IMPORT = "import"
    EVERYTHING = "everything"
    DETECTOR = "detector"


class Provenance(Wire):
    """How a mask was made."""

    tool: Tool
    tools: Annotated[list[Tool], Field(max_length=200)] = Field(default_factory=list, description="All, in order.")
    prompts: Annotated[list[PromptRecord], Field(max_length=200)] = Field(default_factory=list, description="In order.")
    model_sha256: Sha256 | None = Field(default=None, description="The model that answered them.")
    candidates: Annotated[list[Candidate], Field(max_length=16)] = Field(default_factory=list)
    predicted_iou: float | None = Field(default=None, description="Of the chosen candidate.")
    stability: float | None = None
    detector_sha256: Sha256 | None = Field(default=None, description="The detector that found the object first.")
    detector_score: float | None = Field(default=None, description="Its confidence in the box.")
    clicks: Count = Field(default=0, description="Points and boxes given in all.")
    decoded_on: Literal["browser", "server"] | None = None
    started_at: Moment
    finished_at: Moment
    active_ms: Annotated[int, Field(ge=0, le=10**9)] = Field(description="Working time, longer pauses left out.")


class Origin(StrEnum):
    """Who made a mask first."""

    PERSON = "person"
    MODEL = "model"
    IMPORT = "import"


class MaskState(StrEnum):
    """`proposed`: by a model, nobody said anything yet."""

    PROPOSED = "proposed"
    ACCEPTED = "accepted"
    REJECTED = "rejected"


class MaskIn(Wire):
    """A mask as its maker sends it."""

    rle: Rle
    label: Name | None = None
    provenance: Provenance
    first_answer: Rle | None = Field(
        default=None, description="The model's first answer, from which its IoU with the final mask is measured."
    )


class Mask(Wire):
    """A mask as it is now."""

    id: MaskId
    image_id: Id
    version: Annotated[int, Field(ge=1)] = Field(description="1 when made; every change adds one.")
    state: MaskState
    deleted: bool
    origin: Origin
    author_id: Id | None = Field(description="The person who made it; None for models and imports.")
    changed_by_id: Id | None
    stage: Stage
    order: Annotated[int, Field(ge=1)] = Field(description="Order of creation on its picture, from 1.")
    rle: Rle
    area_px: Count
    box_xyxy: Annotated[list[float], Field(min_length=4, max_length=4)]
    label: str | None
    provenance: Provenance
    first_answer_iou: Share | None
    created_at: Moment
    updated_at: Moment


class MaskList(Wire):
    """The masks of one picture in order of creation."""

    image_id: Id
    masks: list[Mask]


class ActionKind(StrEnum):
    """`create` needs `mask`; `replace` needs `mask` and `base_version`; `relabel` needs `base_version` and takes
    `label`; `delete`, `restore` (of a deleted or rejected one), `accept`, `reject` and `undecide` (a model's mask is
    proposed again, as when a decision is undone) need `base_version`."""

    CREATE = "create"
    REPLACE = "replace"
    RELABEL = "relabel"
    DELETE = "delete"
    RESTORE = "restore"
    ACCEPT = "accept"
    REJECT = "reject"
    UNDECIDE = "undecide"


class Action(Wire):
    """One step of a person's work, sent as often as needed: the same `key` acts once."""

    key: Key
    kind: ActionKind
    mask_id: MaskId
    base_version: Annotated[int, Field(ge=1, le=2**31)] | None = Field(
        default=None, description="The version the change was made on; another one by now is a conflict."
    )
    mask: MaskIn | None = None
    label: Name | None = None
    at: Moment = Field(description="When the person did it, by their clock.")


class ActionBatch(Wire):
    """Actions in order. They are applied until one is refused or conflicts; what was applied before it stays."""

    lease: Lease | None = Field(default=None, description="Needed by annotators; reviewers may work without one.")
    actions: Annotated[list[Action], Field(min_length=1, max_length=500)]


class Outcome(StrEnum):
    """`repeated`: this key was applied before, nothing was done now. `not_tried`: an earlier one stopped the batch."""

    APPLIED = "applied"
    REPEATED = "repeated"
    CONFLICT = "conflict"
    REFUSED = "refused"
    NOT_TRIED = "not_tried"


class Conflict(Wire):
    """Both versions of a mask that two people changed."""

    theirs: Mask = Field(description="What is stored.")
    yours: Action = Field(description="What was sent. Send it anew with a new key and their version to keep it.")


class ActionResult(Wire):
    """What became of one action."""

    key: Key
    outcome: Outcome
    mask: Mask | None = Field(description="The mask as it is now.")
    conflict: Conflict | None = None
    message: str | None = Field(default=None, description="Why it was refused.")


class BatchResult(Wire):
    """One result for each action, in order. Comes with status 200 when all were applied or repeated, else with 409."""

    results: list[ActionResult]
    lease_expires_at: Moment | None = None


class MaskVersion(Wire):
    """A mask as it once was."""

    version: int
    by_id: Id | None
    at: Moment
    mask: Mask


class ReviewIn(Wire):
    """A decision on a picture, or on one of its masks. `fix` of a picture sends it back to the annotators."""

    decision: Literal["accept", "fix", "reject"]
    mask_id: MaskId | None = None
    comment: Annotated[LongText, Field(max_length=2000)] = ""
    lease: Lease | None = Field(default=None, description="Ends this review task when the decision is on the picture.")


class Review(Wire):
    """Such a decision, as it stands."""

    id: Id
    image_id: Id
    mask_id: MaskId | None
    person_id: Id
    decision: ReviewState
    comment: str
    at: Moment


class DecodeIn(Wire):
    """A prompt for the server to answer, for browsers that cannot."""

    prompt: PromptRecord
    mask_logits: Annotated[str, Field(max_length=2**20)] | None = Field(
        default=None,
        description="Base64 of (mask_size, mask_size) float16, little endian: `logits` of an earlier answer.",
    )
    model: Sha256 | None = Field(
        default=None, description="The model of the picture's embedding, as the picture says; None for the current one."
    )
    multimask: bool | None = Field(
        default=None, description="True: all candidates. False: one. None: as the prompt is."
    )


class DecodedMask(Wire):
    """One answer."""

    rle: Rle
    predicted_iou: float
    stability: float
    logits: str = Field(description="Base64 of (mask_size, mask_size) float16, little endian.")


class Decoded(Wire):
    """The answers to one prompt."""

    model_sha256: Sha256
    masks: list[DecodedMask]
    best: int
