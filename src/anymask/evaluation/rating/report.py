"""The rating study as tables for the terminal, CSV and JSON for programs, and a page with plots for people."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from anymask.errors import RunError
from anymask.evaluation.experiment import facts
from anymask.evaluation.metrics import Interval
from anymask.evaluation.published import RATING_DIFFERENCES
from anymask.evaluation.rating.guide import HIGHEST, LOWEST, PromptKind, guide
from anymask.evaluation.rating.statistics import PairedTest, Rating, RatingFigures, RatingStatisticsConfig
from anymask.evaluation.scores import ALL_SETS
from anymask.figures import Heading, Labels, Paragraph, Picture, Series, Table, as_text, bars, html_page
from anymask.figures.pages import Block
from anymask.runs import machine, to_plain, versions, without_nan, write_atomically

_SCORES = [str(score) for score in range(LOWEST, HIGHEST + 1)]


def mean_table(figures: RatingFigures) -> Table:
    """Mean rating of each column, set by set."""
    rows: list[list[str | int | float]] = [
        [one.set_name, one.column, one.masks, _shown(one.mean)] for one in figures.means
    ]
    return Table(["set", "column", "masks", "mean rating"], rows)


def difference_table(figures: RatingFigures) -> Table:
    """How far columns are apart; `*` where the interval leaves out 0."""
    rows: list[list[str | int | float]] = [
        [one.set_name, f"{one.first} - {one.second}", one.masks, _shown_difference(one), *_shown_test(one)]
        for one in figures.tests
    ]
    return Table(["set", "columns", "masks", "difference", "t", "p (two-sided)", "p (first above)"], rows)


def rater_table(figures: RatingFigures) -> Table:
    """What each person gave."""
    rows: list[list[str | int | float]] = [
        [one.rater, one.ratings, f"{one.mean:.2f}", f"{one.deviation:.2f}", f"{one.median_s:.1f}"]
        for one in figures.raters
    ]
    return Table(["rater", "ratings", "mean", "standard deviation", "median seconds"], rows)


def published_table(prompt: PromptKind) -> Table:
    """What the paper found with the same kind of prompt."""
    rows: list[list[str | int | float]] = [
        [one.dataset, one.columns, f"({one.low:.2f}, {one.high:.2f})", f"{one.p:.0e}"]
        for one in RATING_DIFFERENCES
        if one.prompt == prompt
    ]
    return Table(["set (paper)", "columns", "99 % interval of the difference", "p"], rows)


def remarks(figures: RatingFigures, total: int) -> list[str]:
    """What has to be known beside the tables; `total` is how many masks the study has."""
    rated = sum(one.masks for one in figures.means if one.set_name != ALL_SETS)
    found = [f"{figures.ratings:,} ratings of {rated:,} of the study's {total:,} masks; {figures.mean_s:.1f} s each."]
    if rated < total:
        found.append("The study is not finished: masks without a rating are in no figure.")
    if figures.rated_by_several:
        found.append(
            f"{figures.rated_by_several:,} masks were rated by several people, whose ratings of one mask have a "
            f"standard deviation of {figures.disagreement:.2f} on average (the paper: 0.83 over five people)."
        )
    return found


def to_text(figures: RatingFigures, total: int) -> str:
    """The tables for a terminal."""
    tables = [mean_table(figures), difference_table(figures), rater_table(figures)]
    return "\n\n".join([*remarks(figures, total), *map(as_text, tables)]) + "\n"


def to_plain_report(
    figures: RatingFigures, config: RatingStatisticsConfig, study: dict[str, Any], total: int
) -> dict[str, Any]:
    """Settings and figures as JSON values; null for what is not defined."""
    plain = {
        "protocol": "rating",
        "study": study,
        "config": to_plain(config),
        "masks": total,
        **to_plain(figures),
        "published": [to_plain(one) for one in RATING_DIFFERENCES],
        "machine": machine(),
        "versions": versions(),
    }
    return dict(without_nan(plain))


def to_csv(ratings: Sequence[Rating]) -> str:
    """One line a rating, as it was given."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["rater", "set", "picture", "target", "column", "score", "seconds", "at"])
    for one in ratings:
        row = [one.rater, one.set_name, one.picture, one.target, one.column, one.score, f"{one.seconds:.3f}", one.at]
        writer.writerow(row)
    return stream.getvalue()


def to_html(
    figures: RatingFigures, config: RatingStatisticsConfig, study: dict[str, Any], total: int, prompt: PromptKind
) -> str:
    """The page.

    Raises: MissingDependencyError without matplotlib.
    """
    blocks: list[Block] = [Paragraph(_method(config, prompt)), *map(Paragraph, remarks(figures, total))]
    blocks += [Heading("Mean rating"), mean_table(figures), Picture(mean_plot(figures), "Mean ratings", "png")]
    for set_name in dict.fromkeys(one.set_name for one in figures.means):
        caption = f"{set_name}: share of each rating"
        blocks += [Heading(f"Ratings of {set_name}"), Picture(distribution_plot(figures, set_name), caption, "png")]
    blocks += [Heading("Are columns rated differently?"), difference_table(figures)]
    blocks += [
        Paragraph("What the paper found (arXiv 2304.02643, table 8), with its own models, sets and raters:"),
        published_table(prompt),
    ]
    blocks += [Heading("Raters"), rater_table(figures), Heading("What raters were told")]
    blocks += [Paragraph(text) for text in guide(prompt).split("\n") if text]
    blocks += [Heading("Configuration"), facts(to_plain(config)), Heading("Study"), facts(without_nan(study))]
    return html_page("Rating study", blocks)


def distribution_plot(figures: RatingFigures, set_name: str) -> Any:
    """(H, W, 3) uint8: for each rating, the share of each column's masks that got it.

    Raises: MissingDependencyError without matplotlib.
    """
    series = [
        Series(name=f"{one.column} ({one.mean.mean:.2f})", values=list(one.shares))
        for one in figures.means
        if one.set_name == set_name
    ]
    return bars(_SCORES, series, Labels(x="rating", y="share of ratings"))


def mean_plot(figures: RatingFigures) -> Any:
    """(H, W, 3) uint8: mean ratings with their intervals, a group a set.

    Raises: MissingDependencyError without matplotlib.
    """
    sets = list(dict.fromkeys(one.set_name for one in figures.means))
    series = []
    for column in dict.fromkeys(one.column for one in figures.means):
        means = {one.set_name: one.mean for one in figures.means if one.column == column}
        found = [means.get(name, Interval(math.nan, math.nan, math.nan)) for name in sets]
        values, low, high = ([getattr(one, part) for one in found] for part in ("mean", "low", "high"))
        series.append(Series(name=column, values=values, low=low, high=high))
    return bars(sets, series, Labels(y="mean rating"))


def write_report(
    ratings: Sequence[Rating],
    figures: RatingFigures,
    config: RatingStatisticsConfig,
    study: dict[str, Any],
    total: int,
    out: Path,
) -> None:
    """Write report.html, report.json, report.txt and ratings.csv into `out`.

    Raises: as `to_html`; RunError when `out` cannot be written.
    """
    plain = to_plain_report(figures, config, study, total)
    files = {
        "report.txt": to_text(figures, total),
        "ratings.csv": to_csv(ratings),
        "report.json": json.dumps(plain, indent=1, allow_nan=False) + "\n",
        "report.html": to_html(figures, config, study, total, study["prompt"]),
    }
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            write_atomically(out / name, text.encode())
    except OSError as error:
        raise RunError(f"the report cannot be written into {out} ({error.strerror}); name another folder") from error


def _method(config: RatingStatisticsConfig, prompt: PromptKind) -> str:
    given = "the middle of an annotated mask" if prompt == "point" else "the same box of an annotated mask"
    return (
        f"Every column was given {given}; its mask was rated from {LOWEST} to {HIGHEST} by people who were shown one "
        "mask at a time in random order and not told whose it was. Of several ratings of one mask the mean is taken. "
        f"Brackets: {config.mean_level:.0%} of {config.resamples:,} bootstrap draws for means, "
        f"{config.difference_level:.0%} for differences, which are paired; {config.unit} are drawn again. * where the "
        "interval leaves out 0. t and p are of Student's paired t-test, over masks."
    )


def _shown(interval: Interval) -> str:
    return f"{interval.mean:.2f} [{interval.low:.2f}, {interval.high:.2f}]"


def _shown_difference(test: PairedTest) -> str:
    one = test.difference
    star = "*" if one.low > 0 or one.high < 0 else ""
    return f"{one.mean:+.2f} [{one.low:+.2f}, {one.high:+.2f}]{star}"


def _shown_test(test: PairedTest) -> list[str]:
    if math.isnan(test.p_two_sided):
        return ["-", "-", "-"]
    t = "-" if math.isnan(test.t) else f"{test.t:.2f}"
    return [t, f"{test.p_two_sided:.2g}", f"{test.p_greater:.2g}"]
