"""Wire types of sign-in, people, projects, pictures, the queue and jobs. Masks are in `mask_schemas.py`.

Names, units and frames are those of the library: boxes are (x0, y0, x1, y1) and points (x, y) in original pixels, the
upright picture's. Times are ISO 8601 with a time zone. Unknown fields are refused.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

LARGEST_ID = 2**53 - 1
"""The largest whole number that JavaScript keeps exact."""


def _clean(text: str) -> str:
    if "\x00" in text:
        raise ValueError("text must not contain the character NUL")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError("text is not valid Unicode") from error
    return text


Id = Annotated[int, Field(ge=1, le=LARGEST_ID)]
Count = Annotated[int, Field(ge=0, le=LARGEST_ID)]
Text = Annotated[str, AfterValidator(_clean)]
Name = Annotated[str, AfterValidator(_clean), Field(min_length=1, max_length=200)]
LongText = Annotated[str, AfterValidator(_clean), Field(max_length=20_000)]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Moment = AwareDatetime


class Wire(BaseModel):
    """Base of every wire type: unknown fields refused, no NaN or infinity."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, from_attributes=True)


class Problem(Wire):
    """The body of every answer that is not a success."""

    kind: str = Field(description="Stable name of the mistake, for programs: `not_found`, `csrf`, `lease_lost`, ...")
    message: str = Field(description="One sentence for a person: what was given, what was expected, what to do next.")


class Role(StrEnum):
    """What a person may do; each may all that the one before may."""

    ANNOTATOR = "annotator"
    REVIEWER = "reviewer"
    ADMIN = "admin"


class Person(Wire):
    """Somebody who works here."""

    id: Id
    name: Name
    role: Role
    active: bool
    created_at: Moment


class PersonIn(Wire):
    """A new person."""

    name: Name
    role: Role
    password: Annotated[str, Field(min_length=10, max_length=200)]


class PersonChange(Wire):
    """What to change of a person; what is left out stays. A new password, or inactivity, ends their sessions."""

    role: Role | None = None
    password: Annotated[str, Field(min_length=10, max_length=200)] | None = None
    active: bool | None = None


class SignIn(Wire):
    """Name and password."""

    name: Name
    password: Annotated[str, Field(max_length=200)]


class Session(Wire):
    """Who is asking. Send `csrf_token` as header `X-CSRF-Token` with every request that changes something."""

    person: Person | None = Field(description="None when nobody is signed in.")
    csrf_token: str | None
    mode: Literal["alone", "team"] = Field(description="alone: one person on this machine, no sign-in.")


class EmbeddingMap(Wire):
    """One tensor of an embedding file, and the decoder's input that takes it."""

    tensor: str = Field(description="Name in the safetensors file: `main`, `finer.0`, ...")
    input: str = Field(description="Name of the decoder's input: `image_embeddings`, `finer_0`, ...")
    shape: list[int]


class Model(Wire):
    """The model that embeds pictures and answers prompts, and its decoder for the browser.

    The decoder is ONNX with inputs as `maps` say, and `point_coords` (P, N, 2) float32 input pixels, `point_labels`
    (P, N) float32 (1 foreground, 0 background, 2 and 3 the corners of a box, -1 one padding point after the points of a
    prompt without a box), `mask_input` (P, 1, mask_size, mask_size) float32 logits, `has_mask_input` (P,) float32,
    `orig_im_size` (2,) float32 height, width. Outputs: `low_res_masks` (P, K, mask_size, mask_size), `iou_predictions`
    (P, K), `best_index` (P,) int32, `best_box` (P, 4). Of the K masks the first is for prompts of more than one token,
    the others are the candidates of an ambiguous one.
    """

    sha256: Sha256
    name: str
    input_size: int = Field(
        description="Side of the padded square input: input = original * input_size / longest side."
    )
    mask_size: int = Field(description="Side of the low-res logits, which cover the padded input.")
    mask_threshold: float = Field(description="Logits above it are mask.")
    candidates: int = Field(description="Masks for an ambiguous prompt.")
    maps: list[EmbeddingMap]
    decoder_url: str = Field(description="Immutable; relative to the server.")
    decoder_sha256: Sha256
    decoder_bytes: int


class Info(Wire):
    """What this server is."""

    version: str
    mode: Literal["alone", "team"]
    model: Model | None = Field(description="None for those who are not signed in.")
    import_formats: list[str]
    export_formats: list[str]
    max_upload_bytes: int
    can_import_folders: bool = Field(description="Whether folders of the server's machine may be imported by path.")


class Stage(StrEnum):
    """Of the data engine: human with the model's help, model first and human adds, model alone."""

    ASSISTED = "assisted"
    SEMI_AUTOMATIC = "semi_automatic"
    AUTOMATIC = "automatic"


class ProjectSettings(Wire):
    """How people work in one project."""

    suggest_next_after_s: Annotated[float, Field(gt=0, le=86_400)] = Field(
        default=30.0, description="On to the next picture is suggested when a mask takes longer."
    )
    idle_after_s: Annotated[float, Field(gt=0, le=3600)] = Field(
        default=15.0, description="A pause longer than this does not count as active time."
    )
    lease_s: Annotated[int, Field(ge=30, le=86_400)] = Field(
        default=900, description="How long a picture stays somebody's without a sign of life."
    )
    stage: Stage = Field(default=Stage.ASSISTED, description="Written into every new mask.")
    labels: Annotated[list[Name], Field(max_length=1000)] = Field(
        default_factory=list, description="Labels to offer; others may be typed, none is needed."
    )
    review: bool = Field(default=False, description="Whether finished pictures go to a reviewer.")


class ProjectKind(StrEnum):
    """`annotate`: masks are made. `correct`: a model's masks are put right, none is added. `rate`: masks are rated by
    people who do not know whose they are; such projects are made by `anymask evaluate rating serve`."""

    ANNOTATE = "annotate"
    CORRECT = "correct"
    RATE = "rate"


class ProjectIn(Wire):
    """A new project."""

    name: Name
    instructions: LongText | None = Field(default=None, description="Plain text; None takes the default.")
    settings: ProjectSettings = Field(default_factory=ProjectSettings)


class ProjectChange(Wire):
    """What to change of a project; what is left out stays."""

    name: Name | None = None
    instructions: LongText | None = None
    settings: ProjectSettings | None = None


class ProjectCounts(Wire):
    """How far a project is."""

    images: Count
    waiting: Count
    leased: Count
    done: Count
    skipped: Count
    to_review: Count
    masks: Count


class Project(Wire):
    """Pictures, the people who work on them, and how."""

    id: Id
    name: Name
    kind: ProjectKind
    instructions: str
    settings: ProjectSettings
    counts: ProjectCounts
    created_at: Moment


class TaskState(StrEnum):
    """Where a picture is in the queue."""

    WAITING = "waiting"
    LEASED = "leased"
    DONE = "done"
    SKIPPED = "skipped"


class ReviewState(StrEnum):
    """What reviewers said of a picture last."""

    NONE = "none"
    ACCEPT = "accept"
    FIX = "fix"
    REJECT = "reject"


class EmbeddingState(StrEnum):
    """Whether an embedding is there; `failed`: three tries did not make it."""

    READY = "ready"
    WAITING = "waiting"
    FAILED = "failed"


class Image(Wire):
    """One picture of a project. Its pixels are upright and carry no metadata."""

    id: Id
    project_id: Id
    file_name: str
    width: int
    height: int
    sha256: Sha256 = Field(description="Of size and pixels; the `image_sha256` inside its embedding.")
    state: TaskState
    review: ReviewState
    embedding: EmbeddingState
    model_sha256: Sha256 = Field(
        description="Of the embedding: the current model, or for a while after a new one came the one before it. Its "
        "decoder belongs to it."
    )
    masks: Count = Field(description="Accepted masks; what is proposed does not count.")
    pixels_url: str = Field(description="The picture; immutable.")
    thumbnail_url: str = Field(description="At most 256 px a side, WebP; immutable.")
    embedding_url: str = Field(description="The embedding; immutable.")
    created_at: Moment


class ImagePage(Wire):
    """Some of the pictures, in the order they came."""

    total: Count
    images: list[Image]


class TaskKind(StrEnum):
    """What is asked of a person."""

    ANNOTATE = "annotate"
    REVIEW = "review"


class Lease(Wire):
    """A picture is one person's for a while. A later lease of the same task has a higher token; older are refused."""

    task_id: Id
    token: Annotated[int, Field(ge=1, le=LARGEST_ID)]


class LeaseUntil(Lease):
    """A lease with its end, which every heartbeat and every saved action moves on."""

    expires_at: Moment
    lease_s: int


class Task(Wire):
    """One picture to work on."""

    id: Id
    kind: TaskKind
    state: TaskState
    lease: LeaseUntil
    image: Image
    comment: str | None = Field(description="What the reviewer wrote who sent it back.")
    upcoming: list[Image] = Field(description="The next pictures of the queue, to fetch ahead.")


class NextTask(Wire):
    """Which kind of task is asked for."""

    kind: TaskKind = TaskKind.ANNOTATE
    resume: bool = Field(default=True, description="Give back the task this person holds already, if any.")


class OpenTask(Wire):
    """A task for one picture, out of order."""

    kind: TaskKind = TaskKind.ANNOTATE


class Token(Wire):
    """The lease's token."""

    token: Annotated[int, Field(ge=1, le=LARGEST_ID)]


class Skip(Token):
    """Why this picture is left to others."""

    reason: Annotated[LongText, Field(max_length=2000)] = ""


class TaskEnd(Wire):
    """What became of a task."""

    id: Id
    state: TaskState


class JobKind(StrEnum):
    """Work that the server does by itself."""

    EMBED = "embed"
    PROPOSE = "propose"
    IMPORT = "import"
    EXPORT = "export"


class JobState(StrEnum):
    """`set_aside`: tried three times in vain."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    SET_ASIDE = "set_aside"
    CANCELLED = "cancelled"


class Job(Wire):
    """One piece of such work, with how far it is."""

    id: Id
    project_id: Id | None
    kind: JobKind
    state: JobState
    done: Count
    total: Count | None = Field(description="None while it is not known.")
    seconds_left: float | None
    message: str
    problems: list[str] = Field(description="What was left out, one sentence each; at most 200.")
    download_url: str | None = Field(description="The file of a finished export.")
    created_at: Moment
    updated_at: Moment


class Format(StrEnum):
    """Forms of pictures and masks on disk."""

    FOLDER = "folder"
    COCO = "coco"
    SA1B = "sa1b"
    LABELS = "labels"


class ImportIn(Wire):
    """Something on the server's machine. `folder`: pictures. `coco`: a JSON file with the pictures beside it or in
    `images/`. `labels`, `sa1b`: a folder or tar shard. There is no import from addresses."""

    format: Format
    path: Annotated[Text, Field(min_length=1, max_length=4000)]


class ExportFormat(StrEnum):
    """Forms that can be written; each is one tar file with the pictures in it."""

    COCO = "coco"
    SA1B = "sa1b"
    LABELS = "labels"


class ExportIn(Wire):
    """What to write."""

    format: ExportFormat
    only_finished: bool = Field(default=True, description="Only pictures whose task is done (and not rejected).")
    with_proposed: bool = Field(default=False, description="Masks that nobody has accepted, too.")


class JournalEntry(Wire):
    """One thing somebody did; entries are never changed or removed."""

    seq: Id
    at: Moment
    person_id: Id | None
    kind: str
    image_id: Id | None
    mask_id: str | None
    version: int | None
    details: dict[str, Any]


class JournalPage(Wire):
    """Entries after a number, in order."""

    entries: list[JournalEntry]
    last_seq: Count
