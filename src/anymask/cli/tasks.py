"""`anymask segment --task`: other tasks solved by prompts, as words of the command line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from anymask.cli.prompting import PromptArguments, make_prompts
from anymask.errors import ConfigError, PromptError

if TYPE_CHECKING:
    from anymask.dataset.formats.coco_results import Detections
    from anymask.images.load import LoadedImage
    from anymask.masks.types import MaskSet
    from anymask.predict.predictor import Predictor
    from anymask.prompts.types import Prompt


class Task(StrEnum):
    """What is asked of a picture instead of single prompts."""

    PROPOSALS = "proposals"
    INSTANCES = "instances"
    EDGES = "edges"


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskOptions:
    """What a task is asked with."""

    task: Task
    """Which one."""
    points_per_side: int | None = None
    """Side of the grid of clicks of proposals or edges; the paper's 64 or 16 when None."""
    detections: Path | None = None
    """A detector's results file, whose boxes instances start from."""
    min_score: float = 0.05
    """Boxes of a lower score are left out."""


@dataclass(frozen=True, slots=True, eq=False)
class TaskQuestion:
    """A task, ready to be asked of any picture."""

    options: TaskOptions
    boxes: tuple[Prompt, ...] = ()
    """The boxes of `--box`, the same for every picture."""
    detections: Mapping[int | str, Detections] = field(default_factory=dict)
    """What a detector found, by picture."""


def read_task(options: TaskOptions, given: PromptArguments) -> TaskQuestion:
    """The task with what it needs.

    Raises: PromptError for prompts that do not belong to it; ConfigError for instances without boxes, or options of the
    other task; DatasetError for a results file that cannot be used.
    """
    if options.task is not Task.INSTANCES:
        if not given.is_empty or options.detections is not None:
            raise PromptError(
                f"--task {options.task} asks its own clicks; leave out --point, --box, --mask and --detections"
            )
        return TaskQuestion(options)
    if options.points_per_side is not None:
        raise ConfigError("--points-per-side belongs to --everything and to --task proposals and edges")
    if given.points or given.mask is not None:
        raise PromptError("--task instances starts from boxes; leave out --point and --mask")
    if (options.detections is None) == (not given.boxes):
        raise ConfigError("--task instances needs boxes: --box X0,Y0,X1,Y1 or --detections FILE, one of the two")
    if options.detections is None:
        return TaskQuestion(options, boxes=tuple(make_prompts(given)))
    from anymask.dataset.formats.coco_results import read_detections

    return TaskQuestion(options, detections=read_detections(options.detections))


def answer_task(
    predictor: Predictor,
    question: TaskQuestion,
    loaded: LoadedImage,
    picture: Path,
    update: Callable[[int, int], None],
) -> MaskSet:
    """The masks that the task finds in one picture: proposals the best first, instances in the order of their boxes.

    Raises: PromptError for a box outside the picture, or when the results file has none for it.
    """
    import numpy as np

    from anymask.predict.tasks.instances import segment_boxes
    from anymask.predict.tasks.proposals import ProposalConfig, propose

    if question.options.task is Task.PROPOSALS:
        side = question.options.points_per_side or ProposalConfig().points_per_side
        return propose(predictor, loaded, ProposalConfig(points_per_side=side), update).masks
    if question.boxes:
        boxes = np.array([prompt.box_xyxy for prompt in question.boxes])
    else:
        found = detections_of(question.detections, picture)
        boxes = found.boxes_xyxy[found.scores >= question.options.min_score]
    predictor.set_image(loaded)
    return segment_boxes(predictor, boxes)


def detections_of(detections: Mapping[int | str, Detections], picture: Path) -> Detections:
    """What the results file says of `picture`: its `image_id` is the file's name, its stem, or the number that is its
    stem (000000000139.jpg is 139).

    Raises: PromptError when it says nothing.
    """
    keys: list[int | str] = [picture.name, picture.stem]
    if picture.stem.isdecimal():
        keys.append(int(picture.stem))
    for key in keys:
        if key in detections:
            return detections[key]
    raise PromptError(f"'{picture}': the file of --detections has nothing for it; its image_id must be one of {keys}")
