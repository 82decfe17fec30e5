"""`anymask engine rollback`: people get an earlier model again."""

from __future__ import annotations

from typing import Annotated

import typer

from anymask.cli import console
from anymask.cli.engine.opening import FOLDER, opened
from anymask.cli.options import JSON


def rollback(
    folder: FOLDER,
    to: Annotated[
        str | None,
        typer.Option(
            metavar="HASH", help="The model, by the beginning of its hash.", show_default="the one before the current"
        ),
    ] = None,
    json: JSON = False,
) -> None:
    """Make an earlier model current again, on every server of this database, without a restart.

    Masks and turns stay as they are; the next turn retrains the model that is current then. `anymask engine status`
    lists what was deployed.

    **Examples**

    ```
    anymask engine rollback engine
    anymask engine rollback engine --to 3fa41c
    ```
    """
    from anymask.data_engine.deployment import roll_back

    with opened(folder) as engine:
        before, now = roll_back(engine.database, to)
    if json:
        console.say_json({"before": before, "now": now})
    else:
        console.say(f"current is {now[:12]}... again, instead of {before[:12]}...")
