"""`anymask evaluate rating make|serve|report`: masks rated by people who do not know whose they are."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from anymask.cli import console
from anymask.cli.evaluate.columns import make_columns
from anymask.cli.evaluate.masks import ANNOTATIONS, PICTURES, SUITE, GroundTruthOptions
from anymask.cli.evaluate.points import open_data
from anymask.cli.options import DEVICE, DTYPE, JSON, Dtype
from anymask.cli.workplace import ADD_ONLY, DATABASE, NO_BROWSER, PORT, STORE, TEAM_WORKSPACE, Workplace
from anymask.errors import ConfigError, NotThereError

if TYPE_CHECKING:
    from anymask.evaluation.rating.finished import FinishedColumn
    from anymask.evaluation.segmenter import Segmenter

app = typer.Typer(
    help="Have masks rated from 1 to 10, blind, and test what the ratings say.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)
STUDY = Annotated[Path, typer.Argument(metavar="STUDY", help="The folder that `make` made.", show_default=False)]
SERVER = "server"
"""Where a study keeps database and pictures of its own server."""


class PromptGiven(StrEnum):
    """What every column is given."""

    POINTS = "points"
    INSTANCES = "instances"


class Unit(StrEnum):
    """What a bootstrap draws again."""

    MASKS = "masks"
    PICTURES = "pictures"


@app.command("make")
def make(
    data: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[DATA]...",
            help="Tar shards or folders of SET/ID.webp and SET/ID.png, of SA-1B, or of images/ with labels.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="The study's folder, and what a second run goes on from.")] = Path(
        "anymask_rating"
    ),
    annotations: ANNOTATIONS = None,
    pictures: PICTURES = None,
    suite: SUITE = None,
    prompt: Annotated[
        PromptGiven, typer.Option(help="Give every column the middle of a mask, or its box.")
    ] = PromptGiven.POINTS,
    model: Annotated[
        list[str] | None,
        typer.Option(help="A name or file, as elsewhere; may be repeated.", show_default="tiny, none with --results"),
    ] = None,
    baselines: Annotated[
        str, typer.Option(metavar="NAME,...", help="Of grabcut, grabcut_or_box, felzenszwalb; or none.")
    ] = "none",
    adapter: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[NAME=]FILE.py", help="Any other segmenter, as in points; may be repeated.", show_default=False
        ),
    ] = None,
    results: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="DIR",
            help="Columns of a finished `anymask evaluate points` or `instances`, asked no more; may be repeated.",
            show_default=False,
        ),
    ] = None,
    masks: Annotated[int, typer.Option(help="Most annotated masks of each set.", min=1)] = 1000,
    min_area: Annotated[int, typer.Option(help="Least area of an annotated mask, in px.", min=1)] = 576,
    max_side: Annotated[int, typer.Option(help="Larger pictures are reduced to this longest side.", min=16)] = 2000,
    seed: Annotated[int, typer.Option(help="Of the draw of masks.")] = 0,
    workers: Annotated[int, typer.Option(help="Processes to spread the pictures over.", min=1)] = 1,
    device: DEVICE = "cpu",
    dtype: DTYPE = Dtype.FLOAT32,
    json: JSON = False,
) -> None:
    """Draw annotated masks, and keep what every column makes of the same prompts, for people to rate.

    The annotated masks themselves are a column too, so M masks and C columns are M x (C + 1) ratings. With points, a
    column's most confident mask is taken; with instances, a model's mask for the box is refined once, as in `anymask
    evaluate instances`. The same command goes on where it was stopped.

    `--results` takes columns that were evaluated before. Those of one `anymask evaluate instances` with a detector's
    boxes and its own masks are the paper's study: every column, also a model asked now, is rated for the same box.

    **Examples**

    ```
    anymask evaluate rating make val.tar --baselines felzenszwalb --masks 100 --out study
    anymask evaluate rating make val.tar --prompt instances --model tiny --model vit_b --out boxes
    anymask evaluate rating make val.tar --results anymask_points --out study
    anymask evaluate rating make val.tar --prompt instances --results anymask_instances --out boxes
    anymask evaluate rating make --suite datasets --model vit_h --adapter ritm=ritm_column.py --device cuda
    ```
    """
    from anymask.evaluation.rating.finished import read_finished
    from anymask.evaluation.rating.making import make_study
    from anymask.evaluation.rating.study import RatingConfig

    given, absent = open_data(
        GroundTruthOptions(annotations=annotations, pictures=pictures, data=tuple(data or ())), suite
    )
    config = RatingConfig(
        prompt="point" if prompt is PromptGiven.POINTS else "box",
        masks_per_set=masks,
        min_area_px=min_area,
        max_side_px=max_side,
        seed=seed,
    )
    if adapter and workers > 1:
        raise ConfigError("--adapter runs in this process; leave out --workers")
    columns: list[Segmenter | FinishedColumn] = [
        column for folder in results or [] for column in read_finished(folder, config.prompt)
    ]
    columns += make_columns(model or ([] if results else ["tiny"]), baselines, device, dtype, adapter or [])
    with console.progress_bar("ask", unit="pictures") as update:
        study = make_study(config, given, columns, out, progress=update, workers=workers)
    for name in absent:
        console.warn(f"{name} of the suite is not there; anymask evaluate datasets {name} says how to get it")
    counted = {name: int(count) for name, count in study.facts["targets_by_set"].items()}
    total = sum(counted.values())
    left_out = {why: count for why, count in study.facts["left_out"].items() if count}
    if left_out:
        console.warn(
            "annotated masks that cannot be rated: " + "; ".join(f"{n:,} {why}" for why, n in left_out.items())
        )
    if json:
        facts = {"study": str(out), "columns": list(study.columns), "masks": counted, "left_out": left_out}
        console.say_json({**facts, "ratings": total * len(study.columns)})
        return
    console.say(", ".join(f"{name}: {count:,} masks" for name, count in counted.items()))
    console.say(f"{total:,} masks x {len(study.columns)} columns = {total * len(study.columns):,} ratings -> {out}")
    console.say(f"go on with: anymask evaluate rating serve {out}")


@app.command("serve")
def serve(
    study: STUDY,
    workspace: TEAM_WORKSPACE = None,
    database: DATABASE = None,
    store: STORE = None,
    name: Annotated[
        str, typer.Option(help="Of the project; raters see it, so it must not tell a column.")
    ] = "Rating study",
    ratings_per_mask: Annotated[
        int | None, typer.Option(help="People who rate each mask; the paper's study had 1.", show_default="all", min=1)
    ] = None,
    add_only: ADD_ONLY = False,
    port: PORT = 8323,
    no_browser: NO_BROWSER = False,
) -> int:
    """Put a study before raters, in the browser: one mask at a time, in an order of one's own, no word of whose it is.

    Alone, it opens on this machine without a sign-in, and goes on where one stopped. For several raters add it to the
    workspace of a team's server (or its database and store): people, roles and sign-in are then those of `anymask
    serve`. Keys 1 to 9 and 0 rate, and the page's guide says what the numbers mean.

    **Examples**

    ```
    anymask evaluate rating serve study
    anymask evaluate rating serve study --workspace team --ratings-per-mask 1 --add-only
    ```
    """
    from anymask.data_engine.rating_intake import StudySettings, add_study
    from anymask.evaluation.rating.study import read_study

    found = read_study(study)
    place = Workplace(workspace or study / SERVER, database, store)
    settings = StudySettings(name=name, ratings_per_mask=ratings_per_mask)
    with place.opened() as (opened, blobs), console.progress_bar("add", unit="pictures") as update:
        project_id = add_study(opened, blobs, found, settings, place.owner(opened), update)
    if add_only:
        console.say(
            f"project {project_id}, {name!r}, is in {place.database_shown}; anymask serve shows it to its members"
        )
        return 0
    return place.serve(f"/projects/{project_id}/rate", port, no_browser=no_browser, work=False, title=f"rate {study}")


@app.command("report")
def report(
    study: STUDY,
    workspace: TEAM_WORKSPACE = None,
    database: DATABASE = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the report.", show_default="STUDY/report")] = None,
    resamples: Annotated[int, typer.Option(help="Of each bootstrap.", min=1)] = 10_000,
    level: Annotated[float, typer.Option(help="Of the intervals of differences.", min=0.5, max=0.9999)] = 0.99,
    unit: Annotated[Unit, typer.Option(help="Draw masks again, or pictures with all their masks.")] = Unit.MASKS,
    seed: Annotated[int, typer.Option(help="Of the bootstrap.")] = 0,
    json: JSON = False,
) -> None:
    """Mean rating of every column, and how far columns are apart: paired t-test and paired bootstrap.

    May be asked for at any time; masks without a rating are in no figure, and columns are compared on the masks that
    both have ratings of. Writes report.html with plots, report.json, report.txt and ratings.csv, a line a rating.

    **Examples**

    ```
    anymask evaluate rating report study
    anymask evaluate rating report study --workspace team --unit pictures --out report
    ```
    """
    from anymask.data_engine.rating_intake import find_study
    from anymask.data_engine.ratings import collect
    from anymask.evaluation.rating.report import to_plain_report, to_text, write_report
    from anymask.evaluation.rating.statistics import RatingStatisticsConfig, compute
    from anymask.evaluation.rating.study import read_study

    found = read_study(study)
    place = Workplace(workspace or study / SERVER, database, None)
    with place.opened(made_by=f"anymask evaluate rating serve {study}") as (opened, _):
        row = opened.read(lambda session: find_study(session, found))
        if row is None:
            raise NotThereError(
                f"the study is not in {place.database_shown}; put it there: anymask evaluate rating serve"
            )
        ratings = opened.read(lambda session: collect(session, row.project_id))
    config = RatingStatisticsConfig(resamples=resamples, difference_level=level, unit=unit.value, seed=seed)
    figures = compute(ratings, found.columns, config)
    folder = out or study / "report"
    facts = {name: value for name, value in found.facts.items() if name not in ("pictures", "versions")}
    write_report(ratings, figures, config, facts, row.items, folder)
    if json:
        console.say_json(to_plain_report(figures, config, facts, row.items))
        return
    for line in to_text(figures, row.items).splitlines():
        console.say(line)
    console.say(f"report -> {folder / 'report.html'}")
