"""The statistics of datasets side by side: one page with plots for people, JSON for programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from anymask.dataset.published import PUBLISHED, SOURCE
from anymask.dataset.stats import Properties, StatsConfig, group_names, stratum_names
from anymask.figures import Heading, Labels, Paragraph, Picture, Series, Table, bars, html_page
from anymask.figures.pages import Block
from anymask.figures.plots import Line, Panel, heat_maps, panels
from anymask.runs import to_plain

_MANY = 50
"""Groups of a breakdown that are tabled; the JSON has all."""


@dataclass(slots=True, eq=False)
class Studied:
    """One dataset of a study."""

    name: str
    every: Properties
    groups: dict[str, Properties] = field(default_factory=dict)
    """The same counts for each value of the metadata column that was asked for."""
    left_out: dict[str, str] = field(default_factory=dict)
    """Pictures that could not be read, with the reason."""


def as_json(studied: Sequence[Studied], config: StatsConfig, column: str | None) -> dict[str, Any]:
    """Every figure of every dataset and group, and the published ones."""
    return {
        "config": to_plain(config),
        "by": column,
        "datasets": {
            one.name: {
                **one.every.figures(),
                "groups": {name: group.figures() for name, group in sorted(one.groups.items())},
                "left_out": one.left_out,
            }
            for one in studied
        },
        "published": {"source": SOURCE, "datasets": [to_plain(one) for one in PUBLISHED]},
    }


def as_page(studied: Sequence[Studied], column: str | None) -> str:
    """The whole page.

    Raises: MissingDependencyError without matplotlib.
    """
    figures = {one.name: one.every.figures() for one in studied}
    full = [one for one in studied if one.every.masks]
    blocks: list[Block] = [Heading("In all"), _totals(figures)]
    left_out = sum(len(one.left_out) for one in studied)
    if left_out:
        blocks.append(Paragraph(f"{left_out} pictures could not be read and are in no figure; the JSON names each."))
    blocks += [Heading("As published, measured by others"), Paragraph(f"Source: {SOURCE}."), _published()]
    if full:
        blocks += _plots(full, figures)
    for one in studied:
        if column is not None and one.groups:
            blocks += [Heading(f"{one.name} by {column}"), _group_table(one)]
    return html_page("Statistics of datasets", blocks)


def _totals(figures: Mapping[str, dict[str, Any]]) -> Table:
    columns = ("dataset", "pictures", "masks", "masks a picture", "most in one", "mean height px", "mean width px",
               "mean relative size", "mean concavity, strata alike", "centres in corners")  # fmt: skip
    keys = ("pictures", "masks", "masks_a_picture", "most_masks_of_a_picture", "mean_height_px", "mean_width_px",
            "mean_relative_size", "mean_concavity_stratified", "share_of_centres_in_corners")  # fmt: skip
    rows = [(name, *(_cell(found[key], whole=key.endswith("_px")) for key in keys)) for name, found in figures.items()]
    return Table(columns, rows)


def _published() -> Table:
    columns = ("dataset", "pictures", "masks", "masks a picture", "resolution", "note")
    rows = [
        (one.name, _rounded(one.pictures), _rounded(one.masks), _rounded(one.masks_a_picture), one.resolution, one.note)
        for one in PUBLISHED
    ]
    return Table(columns, rows)


def _plots(studied: Sequence[Studied], figures: Mapping[str, dict[str, Any]]) -> list[Block]:
    names = [one.name for one in studied]
    config = studied[0].every.config
    at = (np.arange(config.bins) + 0.5) / config.bins
    centres = heat_maps([np.asarray(figures[name]["centres"]) for name in names], names)
    groups = [
        Series(
            name=name,
            values=[count / figures[name]["pictures"] for count in figures[name]["pictures_by_masks"].values()],
        )
        for name in names
    ]
    lines = {
        key: [Line(name=name, x=at, values=figures[name][key]) for name in names]
        for key in ("relative_size", "concavity_stratified")
    }
    by_size = [
        Series(name=name, values=[np.nan if v is None else v for v in figures[name]["concavity_by_size"].values()])
        for name in names
    ]
    share = "share of masks"
    return [
        Heading("Where mask centres lie"),
        Paragraph("Centre of each mask's box, in shares of the picture's height and width, each map by its own scale."),
        Picture(centres, form="png"),
        Heading("Masks a picture"),
        Picture(bars(group_names(), groups, Labels(x="masks", y="share of pictures")), form="png"),
        Heading("Size and shape"),
        Picture(
            panels(
                [
                    Panel(labels=Labels(title="Relative size: root of mask area over picture area", y=share),
                          lines=lines["relative_size"]),
                    Panel(labels=Labels(title="Concavity, strata of size weighing the same", y=share),
                          lines=lines["concavity_stratified"]),
                ]
            ),
            form="png",
        ),
        Picture(
            bars(stratum_names(), by_size, Labels(x="relative size of the mask", y="mean concavity")),
            "Concavity is 1 - mask area / area of its convex hull; it goes with size, so it is compared within strata.",
            form="png",
        ),
    ]  # fmt: skip


def _group_table(one: Studied) -> Table:
    columns = ("group", "pictures", "masks", "masks a picture", "mean relative size", "mean concavity, strata alike")
    ordered = sorted(one.groups.items(), key=lambda item: -item[1].pictures)
    rows = []
    for name, group in ordered[:_MANY]:
        found = group.figures()
        keys = ("pictures", "masks", "masks_a_picture", "mean_relative_size", "mean_concavity_stratified")
        rows.append((name, *(_cell(found[key]) for key in keys)))
    if len(ordered) > _MANY:
        rows.append((f"and {len(ordered) - _MANY} more in the JSON", "", "", "", "", ""))
    return Table(columns, rows)


def _cell(value: float | None, *, whole: bool = False) -> str | float:
    return "" if value is None else round(value) if whole else value


def _rounded(value: float | None) -> str:
    """Two significant digits, as the source states its figures.

    >>> _rounded(2750000.0), _rounded(2.777), _rounded(None)
    ('2,800,000', '2.8', '')
    """
    if value is None:
        return ""
    rounded = float(f"{value:.2g}")
    return f"{rounded:,.0f}" if rounded >= 10 else f"{rounded:g}"
