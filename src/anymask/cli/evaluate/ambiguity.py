"""`anymask evaluate ambiguity`: the three masks of one click, their ranking, calibration and nesting."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from anymask.cli import console
from anymask.cli.evaluate.columns import column_name, make_columns
from anymask.cli.options import DEVICE, DTYPE, JSON, Dtype

_SOME_FAILED = 1


def ambiguity(
    data: Annotated[
        list[Path],
        typer.Option(
            metavar="PATH", help="A tar shard or folder of SET/ID.webp and SET/ID.png, or of SA-1B; may be repeated."
        ),
    ],
    model: Annotated[str, typer.Option(help="A name or file, as elsewhere.")] = "tiny",
    max_pictures: Annotated[
        int | None, typer.Option(help="Most pictures of each set, a fixed draw.", show_default="all", min=1)
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the draw of regions in a picture, and of the error bars.")] = 0,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder for the report, and to go on from.", show_default="anymask_ambiguity, none with --json"
        ),
    ] = None,
    workers: Annotated[int, typer.Option(help="Processes to spread the pictures over.", min=1)] = 1,
    device: DEVICE = "cpu",
    dtype: DTYPE = Dtype.FLOAT32,
    json: JSON = False,
) -> None:
    """Whether the three masks of one click are ranked, calibrated and nested.

    One click in the middle of each region that `evaluate points` asks for. The rank correlation (Spearman) of predicted
    with actual IoU says how well masks are ranked; the calibration plot, whether a predicted IoU is what it says; the
    share of nested answers, whether whole, part and sub-part lie in each other.

    **Examples**

    ```
    anymask evaluate ambiguity --data val.tar
    anymask evaluate ambiguity --data val.tar --model my.safetensors --max-pictures 60 --out ambiguity
    ```
    """
    from anymask.evaluation.ambiguity_report import to_plain_report, to_text, write_report
    from anymask.evaluation.metrics import BootstrapConfig
    from anymask.evaluation.protocols.ambiguity import AmbiguityConfig, run
    from anymask.evaluation.targets import TargetConfig

    config = AmbiguityConfig(
        targets=TargetConfig(seed=seed),
        max_pictures=max_pictures,
        bootstrap=BootstrapConfig(resamples=1000, seed=seed),
    )
    (segmenter,) = make_columns([model], "none", device, dtype)
    folder = out if out is not None or json else Path("anymask_ambiguity")
    with console.progress_bar("evaluate", unit="pictures") as update:
        result = run(config, data, segmenter, out=folder, progress=update, workers=workers)
    if folder is not None:
        write_report(result, column_name(model), folder)
    if json:
        console.say_json(to_plain_report(result, column_name(model)))
    else:
        for line in to_text(result).splitlines():
            console.say(line)
        console.say(f"report -> {(folder or Path()) / 'report.html'}")
    if result.bad:
        console.warn(f"{len(result.bad)} pictures could not be read; the first is {result.bad[0][0]}")
        raise typer.Exit(_SOME_FAILED)
