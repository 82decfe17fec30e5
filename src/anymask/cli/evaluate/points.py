"""`anymask evaluate points`: clicks and boxes on labelled pictures, models beside baselines, with error bars."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from anymask.cli import console
from anymask.cli.evaluate.columns import make_columns
from anymask.cli.evaluate.masks import ANNOTATIONS, PICTURES, SUITE, GroundTruthOptions, check_there, seen_remarks
from anymask.cli.options import DEVICE, DTYPE, JSON, Dtype
from anymask.errors import ConfigError, DatasetError

if TYPE_CHECKING:
    from anymask.dataset.labelled import Data
    from anymask.evaluation.protocols.points import PointsConfig

_SOME_FAILED = 1


class Targets(StrEnum):
    """Which regions are asked for."""

    OURS = "ours"
    PAPER = "paper"


class FirstClick(StrEnum):
    """Where the first click lies."""

    CENTRE = "centre"
    RANDOM = "random"


@dataclass(frozen=True, kw_only=True, slots=True)
class PointsOptions:
    """The experiment in the words of the command line."""

    clicks: str = "1,2,3,5,9"
    """Score after these numbers of clicks."""
    targets: Targets = Targets.OURS
    """Which regions are asked for."""
    first_click: FirstClick = FirstClick.CENTRE
    """Where the first click lies."""
    max_pictures: int | None = None
    """Most pictures of each set."""
    seed: int = 0
    """Seed of every draw."""

    def config(self) -> PointsConfig:
        """The settings.

        Raises: ConfigError for clicks that are none.
        """
        from anymask.evaluation.metrics import BootstrapConfig
        from anymask.evaluation.protocols.points import PointsConfig
        from anymask.evaluation.targets import TargetConfig

        try:
            counts = tuple(int(count) for count in self.clicks.split(","))
        except ValueError as error:
            raise ConfigError(
                f"--clicks is {self.clicks!r}, expected rising whole numbers from 1 on, such as 1,2,3,5,9"
            ) from error
        paper = self.targets is Targets.PAPER
        return PointsConfig(
            clicks=counts,
            first_click="random" if self.first_click is FirstClick.RANDOM else "centre",
            max_pictures=self.max_pictures,
            paper_sampling=paper,
            targets=TargetConfig.paper(self.seed) if paper else TargetConfig(seed=self.seed),
            bootstrap=BootstrapConfig(seed=self.seed),
        )


def points(
    data: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="PATH",
            help="A tar shard or folder of SET/ID.webp and SET/ID.png, of SA-1B, or of images/ with labels; may be "
            "repeated.",
            show_default=False,
        ),
    ] = None,
    annotations: ANNOTATIONS = None,
    pictures: PICTURES = None,
    suite: SUITE = None,
    model: Annotated[
        list[str] | None,
        typer.Option(
            help="A name or file, as elsewhere; may be repeated, the first is the one compared.", show_default="tiny"
        ),
    ] = None,
    baselines: Annotated[
        str, typer.Option(metavar="NAME,...", help="Of grabcut, grabcut_or_box, felzenszwalb; or none.")
    ] = "grabcut,felzenszwalb",
    adapter: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[NAME=]FILE.py",
            help="Any other segmenter as a column: your file with make_segmenter(); may be repeated.",
            show_default=False,
        ),
    ] = None,
    clicks: Annotated[str, typer.Option(metavar="N,...", help="Score after these numbers of clicks.")] = "1,2,3,5,9",
    targets: Annotated[
        Targets, typer.Option(help="At most 4 regions of 64 px and more a picture, or every mask as in the paper.")
    ] = Targets.OURS,
    first_click: Annotated[
        FirstClick, typer.Option(help="Where the first click lies; later ones always in the middle of the error.")
    ] = FirstClick.CENTRE,
    max_pictures: Annotated[
        int | None, typer.Option(help="Most pictures of each set, a fixed draw.", show_default="all", min=1)
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the draw of regions in a picture, and of the error bars.")] = 0,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for the report, and to go on from.", show_default="anymask_points, none with --json"),
    ] = None,
    workers: Annotated[int, typer.Option(help="Processes to spread the pictures over.", min=1)] = 1,
    device: DEVICE = "cpu",
    dtype: DTYPE = Dtype.FLOAT32,
    json: JSON = False,
) -> None:
    """Clicks and boxes on labelled pictures: mean IoU, set by set, with 95 % intervals.

    Every region of 64 px or more and under 90 % of its picture may be asked for, at most 4 a picture. A first click (in
    the middle of the region) is answered with three masks: the most confident and the best are scored. Later clicks lie
    in the deepest error. A box is the region's own. All columns answer the same prompts, and the first is compared with
    each other one by a paired bootstrap over pictures; `*` marks a difference whose interval leaves out 0.

    The folder gets `report.html` (with the best and worst masks), `report.csv`, `report.json`, `report.txt`, and a
    `NAME.jsonl` for each column: the same command goes on where it was stopped. Pictures that cannot be read are named,
    and the exit code is 1.

    `--targets paper` asks for every mask, and of sets with more than 15,000 takes pictures that hold about 10,000. A
    folder of the suite that is not there is named; `anymask evaluate datasets` says how to get each. An adapter is a
    Python file with `make_segmenter()`, which returns an object with `set_image(pixels)` and `predict(prompt)`.

    **Examples**

    ```
    anymask evaluate points --data val.tar
    anymask evaluate points --data val-a.tar --data val-b.tar --model tiny --model my.safetensors --out points
    anymask evaluate points --data val.tar --max-pictures 20 --baselines none --json
    anymask evaluate points --suite datasets --targets paper --model vit_h --device cuda
    anymask evaluate points --annotations lvis_v0.5_val.json --pictures coco --adapter ritm=ritm_column.py
    ```
    """
    from anymask.evaluation.protocols.points import run
    from anymask.evaluation.report import summarise, to_plain_report, to_text, write_report

    truth = GroundTruthOptions(annotations=annotations, pictures=pictures, data=tuple(data or ()))
    given, absent = open_data(truth, suite)
    asked = PointsOptions(clicks=clicks, targets=targets, first_click=first_click, max_pictures=max_pictures, seed=seed)
    config = asked.config()
    if adapter and workers > 1:
        raise ConfigError("--adapter runs in this process; leave out --workers")
    segmenters = make_columns(model or ["tiny"], baselines, device, dtype, adapter or [])
    folder = out if out is not None or json else Path("anymask_points")
    with console.progress_bar("evaluate", unit="pictures") as update:
        result = run(config, given, segmenters, out=folder, progress=update, workers=workers)
    sets = {row.set_name for rows in result.columns.values() for row in rows}
    named = tuple(truth.named or map(str, given))
    result = replace(result, absent=tuple(absent), data=named, notes=seen_remarks(model or ["tiny"], sets))
    summary = summarise(result) if folder is None else write_report(result, given, folder)
    if json:
        console.say_json(to_plain_report(result, summary))
    else:
        for line in to_text(result, summary).splitlines():
            console.say(line)
    if folder is not None and not json:
        console.say(f"report -> {folder / 'report.html'}")
    if result.bad:
        console.warn(f"{len(result.bad)} pictures could not be read; the first is {result.bad[0][0]}")
        raise typer.Exit(_SOME_FAILED)


def open_data(truth: GroundTruthOptions, suite: Path | None) -> tuple[list[Data], list[str]]:
    """What to evaluate on, and the datasets of the suite that are not there.

    Raises: ConfigError when nothing was named, or --data and --annotations together; DatasetError when nothing of the
    suite is there.
    """
    from anymask.dataset.annotated import AnnotatedPictures, open_annotations
    from anymask.evaluation.datasets import split_suite

    if suite is not None and truth.named:
        raise ConfigError("--suite goes without --data, --annotations and --pictures")
    if suite is not None:
        there, missing = split_suite(suite)
        if not there:
            raise DatasetError(
                f"none of the paper's datasets is below {suite}; `anymask evaluate datasets NAME --suite {suite}` says "
                f"how to get one, for example {missing[0].key}"
            )
        return [suite / one.key for one in there], [one.key for one in missing]
    if truth.annotations is not None and truth.pictures is not None and not truth.data:
        check_there([truth.annotations, truth.pictures])
        file = open_annotations(truth.annotations)
        return [AnnotatedPictures(file, truth.pictures, truth.annotations.stem)], []
    truth.open()  # says what is missing
    return list(truth.data), []
