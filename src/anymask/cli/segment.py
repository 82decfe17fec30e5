"""`anymask segment`: pictures and prompts in, masks out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from anymask.cli import console
from anymask.cli.answers import AnswerFolder, Format, describe_masks, unique_stems
from anymask.cli.edge_maps import edges_config, write_edges
from anymask.cli.options import DEVICE, DTYPE, JSON, MODEL, Dtype, load_model
from anymask.cli.prompting import PromptArguments, check_fit, make_prompts, to_plain
from anymask.cli.tasks import Task, TaskOptions, TaskQuestion, answer_task, read_task
from anymask.errors import AnymaskError, ConfigError, PromptError

if TYPE_CHECKING:
    from anymask.images.load import LoadedImage
    from anymask.masks.types import MaskSet
    from anymask.predict.automatic import AutomaticConfig
    from anymask.predict.predictor import Predictor
    from anymask.prompts.types import Prompt

_SOME_FAILED = 1


class Preset(StrEnum):
    """Settings of everything-mode."""

    DEFAULT = "default"
    PAPER = "paper"
    TINY = "tiny"


@dataclass(frozen=True, kw_only=True, slots=True)
class EverythingOptions:
    """What everything-mode is asked for."""

    preset: Preset | None = None
    """The settings that the others change; `default` when None."""
    points_per_side: int | None = None
    """Side of the grid of clicks, when not the preset's."""
    tree: bool = False
    """Say of each mask which smallest other one contains it."""


@dataclass(frozen=True, slots=True, eq=False)
class _Question:
    """What is asked about each picture: prompts, or (when there are none) a task or everything."""

    prompts: tuple[Prompt, ...]
    config: AutomaticConfig | None
    multimask: bool
    task: TaskQuestion | None = None


def segment(
    pictures: Annotated[list[Path], typer.Argument(metavar="PICTURE...", help="JPEG, PNG, WebP or GIF files.")],
    point: Annotated[
        list[str] | None,
        typer.Option(metavar="X,Y[,0]", help="A click on what is meant; with ,0 on what is not.", show_default=False),
    ] = None,
    box: Annotated[
        list[str] | None,
        typer.Option(metavar="X0,Y0,X1,Y1", help="A box around what is meant.", show_default=False),
    ] = None,
    mask: Annotated[
        Path | None,
        typer.Option(help="A rough mask: a PNG of the picture's size, 0 is background.", show_default=False),
    ] = None,
    everything: Annotated[bool, typer.Option("--everything", help="Find every object instead.")] = False,
    task: Annotated[
        Task | None,
        typer.Option(
            help="Solve another task by prompts: object proposals, instances from boxes, or edges.", show_default=False
        ),
    ] = None,
    detections: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="With --task instances: a detector's boxes, COCO results JSON.", show_default=False
        ),
    ] = None,
    min_score: Annotated[float, typer.Option(help="With --detections: leave out boxes of a lower score.")] = 0.05,
    preset: Annotated[
        Preset | None,
        typer.Option(
            help="Settings of --everything: the public generator's, the paper's, or for small models.",
            show_default="tiny with the model tiny, else default",
        ),
    ] = None,
    points_per_side: Annotated[
        int | None,
        typer.Option(
            help="Side of the grid of --everything, of proposals or of edges.",
            show_default="32, 64 for proposals, 16 for edges",
            min=1,
            max=512,
        ),
    ] = None,
    tree: Annotated[bool, typer.Option("--tree", help="With --everything: name the parent of each mask.")] = False,
    multimask: Annotated[
        bool, typer.Option("--multimask", help="Three masks a prompt (part, whole, ...) instead of the best one.")
    ] = False,
    model: MODEL = "tiny",
    out: Annotated[
        Path | None, typer.Option(help="Folder for the answers.", show_default="anymask_out, none with --json")
    ] = None,
    formats: Annotated[
        list[Format] | None,
        typer.Option("--format", help="What to write; may be repeated.", show_default="sa1b and overlay"),
    ] = None,
    device: DEVICE = "cpu",
    dtype: DTYPE = Dtype.FLOAT32,
    max_pixels: Annotated[
        int, typer.Option(help="Refuse pictures of more pixels, before they are decoded.", min=1)
    ] = 200_000_000,
    json: JSON = False,
) -> None:
    """Segment what is pointed at in each PICTURE, or everything in it.

    All `--point`s, the `--mask` and one `--box` are **one** prompt and give one mask. Several boxes are **several**
    prompts and give a mask each; points do not go with them. Coordinates are pixels of the picture as it is seen, from
    the top left; the same prompts are asked of every picture.

    `--task proposals` gives up to 1,000 masks that cover whatever may be an object; `--task instances` a mask for each
    `--box`, or each box of a results file, asked twice (the second time with its own first answer); `--task edges` no
    mask but an edge map, `cup_edges.png`: white where masks of a grid of clicks end most surely.

    Files written to the folder, for a picture `cup.jpg`: `cup.json` (sa1b), `cup_labels.png` (png: a 16-bit label map,
    smaller masks on top, nothing overlaps), `cup_overlay.png` (overlay), and one `coco.json` for all pictures (coco).
    With several pictures a damaged one is named, the others are done, and the exit code is 1.

    **Examples**

    ```
    anymask segment cup.jpg --point 300,180
    anymask segment cup.jpg --point 300,180 --point 150,220,0 --multimask
    anymask segment cup.jpg --box 170,15,430,325 --box 320,60,430,335
    anymask segment cup.jpg --everything --format png --out masks
    anymask segment *.jpg --everything --preset paper --format coco
    anymask segment cup.jpg --task proposals --format coco
    anymask segment *.jpg --task instances --detections boxes.json
    anymask segment cup.jpg --task edges --out edges
    anymask segment cup.jpg --point 300,180 --json
    ```
    """
    given = PromptArguments(points=tuple(point or ()), boxes=tuple(box or ()), mask=mask)
    if everything and preset is None and model == "tiny":
        preset = Preset.TINY
    options = EverythingOptions(preset=preset, points_per_side=points_per_side, tree=tree)
    if task is None:
        if detections is not None:
            raise ConfigError("--detections belongs to --task instances; add it")
        question = _read_question(given, options, everything=everything, multimask=multimask)
    else:
        if everything or multimask or preset is not None or tree:
            raise PromptError(f"--task {task} goes without --everything, --multimask, --preset and --tree")
        asked = TaskOptions(task=task, points_per_side=points_per_side, detections=detections, min_score=min_score)
        found = read_task(asked, given)
        question = _Question(found.boxes, None, multimask, found)
    finds_edges = task is Task.EDGES
    if finds_edges and formats:
        raise ConfigError("--task edges writes an edge map and no masks; leave out --format")
    folder = _open_folder(out, formats, as_json=json and not finds_edges)
    predictor = _make_predictor(model, device, dtype, max_pixels)
    if finds_edges and folder is not None:
        outcomes = write_edges(predictor, edges_config(points_per_side), pictures, folder)
    else:
        outcomes = _answer_all(predictor, question, pictures, folder)
    done: list[dict[str, Any]] = []
    failed: list[dict[str, Any]] = []
    for outcome in outcomes:
        (failed if "error" in outcome else done).append(outcome)
        if not json and "error" not in outcome:
            _say_outcome(outcome)
    coco = folder.finish() if folder is not None and done and not finds_edges else None
    if json:
        files = {} if coco is None else {"coco": coco}
        console.say_json({"model": model, "pictures": done, "failed": failed, "files": files})
    elif coco is not None:
        console.say(f"all pictures -> {coco}")
    if failed:
        console.warn(f"{len(failed)} of {len(pictures)} pictures failed")
        raise typer.Exit(_SOME_FAILED)


def _read_question(
    given: PromptArguments, options: EverythingOptions, *, everything: bool, multimask: bool
) -> _Question:
    if everything:
        if not given.is_empty or multimask:
            raise PromptError("--everything asks its own clicks; leave out --point, --box, --mask and --multimask")
        return _Question((), _automatic_config(options), multimask)
    if options != EverythingOptions():
        raise ConfigError("--preset, --points-per-side and --tree belong to --everything; add it")
    if given.is_empty:
        raise PromptError("nothing was asked for; give --point X,Y, --box X0,Y0,X1,Y1, --mask FILE or --everything")
    return _Question(tuple(make_prompts(given)), None, multimask)


def _automatic_config(options: EverythingOptions) -> AutomaticConfig:
    from dataclasses import replace

    from anymask.predict.automatic import AutomaticConfig

    config = AutomaticConfig.named((options.preset or Preset.DEFAULT).value)
    side = options.points_per_side or config.points_per_side
    return replace(config, points_per_side=side, tree=options.tree)


def _open_folder(out: Path | None, formats: Sequence[Format] | None, *, as_json: bool) -> AnswerFolder | None:
    """The folder for files; None when only JSON on standard output is wanted."""
    if out is None and formats is None and as_json:
        return None
    return AnswerFolder(out or Path("anymask_out"), formats or (Format.SA1B, Format.OVERLAY))


def _make_predictor(model: str, device: str, dtype: Dtype, max_pixels: int) -> Predictor:
    from anymask.images.limits import ImageLimits
    from anymask.predict.predictor import Predictor

    return Predictor(load_model(model, device, dtype), limits=ImageLimits(max_pixels=max_pixels))


def _answer_all(
    predictor: Predictor, question: _Question, pictures: Sequence[Path], folder: AnswerFolder | None
) -> Iterator[dict[str, Any]]:
    """What was found in each picture, or its `error`; the error of a single picture is raised instead.

    An error of the folder (disk full, read-only) ends the run: it would come again with every picture.
    """
    total = len(pictures)
    with console.progress_bar("segment", unit="pictures") as update:
        for index, (picture, stem) in enumerate(zip(pictures, unique_stems(pictures), strict=True)):
            update(index, total)
            try:
                loaded, masks = _answer(predictor, question, picture, partial(_add_share, update, index, total))
            except AnymaskError as error:
                if total == 1:
                    raise
                console.warn(f"failed: {error}")
                yield {"picture": str(picture), "error": {"kind": type(error).__name__, "message": str(error)}}
                continue
            files = {} if folder is None else folder.add(picture, stem, loaded.pixels, masks, question.prompts)
            yield _describe(picture, masks, question, files)


def _add_share(update: console.Update, index: int, total: int, done: int, of: int) -> None:
    """Show that `done` of `of` parts of the picture at `index` are done."""
    update(index + done / of, total)


def _answer(
    predictor: Predictor, question: _Question, picture: Path, update: Callable[[int, int], None]
) -> tuple[LoadedImage, MaskSet]:
    from anymask.images.load import load_image
    from anymask.predict.automatic import segment_everything

    loaded = load_image(picture, predictor.limits)
    if question.task is not None:
        return loaded, answer_task(predictor, question.task, loaded, picture, update)
    if question.config is not None:
        return loaded, segment_everything(predictor, loaded, question.config, update)
    try:
        check_fit(question.prompts, loaded.size_hw)
    except PromptError as error:
        raise PromptError(f"'{picture}': {error}") from error
    predictor.set_image(loaded)
    wanted = True if question.multimask else None
    return loaded, predictor.predict_masks(question.prompts, multimask=wanted, best=not question.multimask)


def _describe(picture: Path, masks: MaskSet, question: _Question, files: dict[str, str]) -> dict[str, Any]:
    masks_per_prompt = (len(masks) // len(question.prompts)) if question.prompts else None
    return {
        "picture": str(picture),
        "size_hw": list(masks.size_hw),
        "prompts": [to_plain(prompt) for prompt in question.prompts],
        "masks": describe_masks(masks, picture, masks_per_prompt),
        "files": files,
    }


def _say_outcome(outcome: dict[str, Any]) -> None:
    if "masks" not in outcome:
        console.say(f"{outcome['picture']}: edges -> {outcome['files']['edges']}")
        return
    masks = outcome["masks"]
    scores = ", ".join(f"{mask['predicted_iou']:.2f}" for mask in masks[:3])
    more = ", ..." if len(masks) > 3 else ""
    found = f"{len(masks)} mask{'s' if len(masks) != 1 else ''}"
    quality = f" (predicted IoU {scores}{more})" if masks else ""
    console.say(f"{outcome['picture']}: {found}{quality} -> {', '.join(outcome['files'].values()) or 'coco.json'}")
