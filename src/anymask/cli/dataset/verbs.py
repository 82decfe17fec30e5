"""The verbs of `anymask dataset`."""

from __future__ import annotations

import typer

from anymask.cli.dataset import change, crowds, look, release, study

app = typer.Typer(help="Make and look after data on disk.", no_args_is_help=True, rich_markup_mode="markdown")
app.command("info")(look.info)
app.command("check")(look.check)
app.command("show")(look.show)
app.command("convert")(change.convert)
app.command("split")(change.split)
app.command("merge")(change.merge)
app.command("sample")(change.sample)
app.command("release")(release.release)
app.command("crowds")(crowds.crowds)
app.add_typer(study.app, name="study")
