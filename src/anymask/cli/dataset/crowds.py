"""`anymask dataset crowds`: pictures of many small things, drawn."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from anymask.cli import console
from anymask.cli.options import JSON


def crowds(
    out: Annotated[Path, typer.Argument(metavar="FILE.tar", help="The shard to write.")],
    pictures: Annotated[int, typer.Option(help="How many pictures.", min=1)] = 600,
    seed: Annotated[int, typer.Option(help="Of everything random; a shard is the same for the same seed.")] = 0,
    json: JSON = False,
) -> None:
    """Draw labelled pictures of crowds of small things by rule, as a shard to train on.

    Public pictures label few things each; these teach a model to answer a click on one of a hundred alike. They are
    drawn (blobs of many sizes, colours and textures on a ground), free of any licence, and look like no photograph.

    **Examples**

    ```
    anymask dataset crowds crowds.tar
    anymask train --data 'train-*.tar' --data crowds.tar --out runs/with_crowds
    ```
    """
    from anymask.dataset.crowds import write_crowds

    with console.progress_bar("draw", unit="pictures") as update:
        write_crowds(out, pictures, seed, update)
    if json:
        console.say_json({"shard": str(out), "pictures": pictures, "seed": seed, "bytes": out.stat().st_size})
    else:
        console.say(f"{out}: {pictures} pictures, {out.stat().st_size / 1e6:.1f} MB")
