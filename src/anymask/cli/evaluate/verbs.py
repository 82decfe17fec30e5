"""The verbs of `anymask evaluate`, one an experiment."""

from __future__ import annotations

import typer

from anymask.cli.evaluate import ambiguity, compare, datasets, edges, instances, points, proposals, rating, text

app = typer.Typer(
    help="Score models and baselines on labelled pictures.", no_args_is_help=True, rich_markup_mode="markdown"
)


@app.callback()
def evaluate() -> None:
    """Score models and baselines on labelled pictures."""


app.command("points")(points.points)
app.command("edges")(edges.edges)
app.command("proposals")(proposals.proposals)
app.command("instances")(instances.instances)
app.command("text")(text.text)
app.command("ambiguity")(ambiguity.ambiguity)
app.command("datasets")(datasets.datasets)
app.command("compare")(compare.compare)
app.add_typer(rating.app, name="rating")
