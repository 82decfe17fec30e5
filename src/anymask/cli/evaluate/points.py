"""`anymask evaluate points`: clicks and boxes on labelled pictures, models beside baselines, with error bars."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from anymask.cli import console
from anymask.cli.evaluate.columns import make_columns
from anymask.cli.options import DEVICE, DTYPE, JSON, Dtype
from anymask.errors import ConfigError

if TYPE_CHECKING:
    from anymask.evaluation.protocols.points import PointsConfig

_SOME_FAILED = 1


def points(
    data: Annotated[
        list[Path],
        typer.Option(
            metavar="PATH", help="A tar shard or folder of SET/ID.webp and SET/ID.png, or of SA-1B; may be repeated."
        ),
    ],
    model: Annotated[
        list[str] | None,
        typer.Option(
            help="A name or file, as elsewhere; may be repeated, the first is the one compared.", show_default="tiny"
        ),
    ] = None,
    baselines: Annotated[
        str, typer.Option(metavar="NAME,...", help="Of grabcut, grabcut_or_box, felzenszwalb; or none.")
    ] = "grabcut,felzenszwalb",
    clicks: Annotated[str, typer.Option(metavar="N,...", help="Score after these numbers of clicks.")] = "1,2,3,5,9",
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

    **Examples**

    ```
    anymask evaluate points --data val.tar
    anymask evaluate points --data val-a.tar --data val-b.tar --model tiny --model my.safetensors --out points
    anymask evaluate points --data val.tar --max-pictures 20 --baselines none --json
    ```
    """
    from anymask.evaluation.protocols.points import run
    from anymask.evaluation.report import summarise, to_plain_report, to_text, write_report

    config = _points_config(clicks, max_pictures, seed)
    segmenters = make_columns(model or ["tiny"], baselines, device, dtype)
    folder = out if out is not None or json else Path("anymask_points")
    with console.progress_bar("evaluate", unit="pictures") as update:
        result = run(config, data, segmenters, out=folder, progress=update, workers=workers)
    summary = summarise(result) if folder is None else write_report(result, data, folder)
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


def _points_config(clicks: str, max_pictures: int | None, seed: int) -> PointsConfig:
    from anymask.evaluation.metrics import BootstrapConfig
    from anymask.evaluation.protocols.points import PointsConfig
    from anymask.evaluation.targets import TargetConfig

    try:
        counts = tuple(int(count) for count in clicks.split(","))
    except ValueError as error:
        raise ConfigError(
            f"--clicks is {clicks!r}, expected rising whole numbers from 1 on, such as 1,2,3,5,9"
        ) from error
    return PointsConfig(
        clicks=counts,
        max_pictures=max_pictures,
        targets=TargetConfig(seed=seed),
        bootstrap=BootstrapConfig(seed=seed),
    )
