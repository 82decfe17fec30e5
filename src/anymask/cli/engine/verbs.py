"""The verbs of `anymask engine`."""

from __future__ import annotations

import typer

from anymask.cli.engine import beginning, rolling, showing, turning

app = typer.Typer(
    help="Turn the loop: masks, retraining, a gate, a better model for the people who make masks.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)
app.command("init")(beginning.init)
app.command("status")(showing.status)
app.command("turn")(turning.turn)
app.command("run")(turning.run)
app.command("rollback")(rolling.rollback)
