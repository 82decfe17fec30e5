"""Numbers as pictures: curves and bars with their intervals, and histograms.

Needs matplotlib, which is loaded at the first plot.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from PIL import Image

from anymask.errors import InputError, MissingDependencyError
from anymask.figures.overlays import palette
from anymask.figures.pictures import Pixels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SIZE_INCHES, _DOTS_PER_INCH = (7.0, 4.2), 110
_PANEL_INCHES = (5.0, 3.0)
_FEW = 40
"""Values of a line up to which each is marked."""
_INSIDE, _LEGEND_INCHES = 4, 1.9
"""A legend of more names stands beside its plot, which is so much wider then: inside, it would hide what is plotted."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Labels:
    """What is written around a plot."""

    title: str = ""
    """Above the plot."""
    x: str = ""
    """Under the horizontal axis, with its unit."""
    y: str = ""
    """Beside the vertical axis, with its unit."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Series:
    """One named row of K values, with an interval around each where it is known."""

    name: str
    """The legend's text; no legend entry when empty."""
    values: npt.ArrayLike
    """(K,) what is plotted."""
    low: npt.ArrayLike | None = None
    """(K,) lower end of the interval, or none."""
    high: npt.ArrayLike | None = None
    """(K,) upper end of the interval, or none."""

    def __post_init__(self) -> None:
        shape = np.shape(self.values)
        if len(shape) != 1 or (self.low is None) != (self.high is None):
            raise InputError(f"series {self.name!r} needs (K,) values and both low and high or neither, got {shape}")
        for end in (self.low, self.high):
            if end is not None and np.shape(end) != shape:
                raise InputError(
                    f"series {self.name!r} has {shape} values and an interval of {np.shape(end)}; give one each"
                )


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Line:
    """One named row of values at places of its own; where one is not finite the line has a gap."""

    name: str
    """The legend's text, none when empty; lines of one name have one colour in all panels."""
    x: npt.ArrayLike
    """(K,) rising places."""
    values: npt.ArrayLike
    """(K,) what is plotted."""
    smooth: int = 1
    """Plot the mean over this many values around each, and the values themselves faintly behind; 1 for them alone."""

    def __post_init__(self) -> None:
        if np.ndim(self.x) != 1 or np.shape(self.x) != np.shape(self.values):
            raise InputError(
                f"line {self.name!r} has {np.shape(self.values)} values at {np.shape(self.x)} places; give one each"
            )
        if self.smooth < 1:
            raise InputError(f"line {self.name!r} is smoothed over {self.smooth} values; give 1 or more")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Panel:
    """One of several small plots."""

    labels: Labels
    """What is written around it."""
    lines: Sequence[Line]
    """In order of the legend."""
    counts: bool = False
    """Whether x counts something: its axis then names whole numbers alone."""


def smoothed(values: npt.ArrayLike, width: int) -> npt.NDArray[np.float64]:
    """(K,) float64: the mean of the finite ones among the `width` values around each; NaN where none is finite.

    The window is cut at the ends.

    >>> smoothed([0.0, 3.0, float("nan"), 6.0], 3).tolist()
    [1.5, 1.5, 4.5, 6.0]
    """
    given = np.asarray(values, np.float64)
    finite = np.isfinite(given)
    sums = np.concatenate([[0.0], np.cumsum(np.where(finite, given, 0.0))])
    counts = np.concatenate([[0], np.cumsum(finite)])
    low = np.clip(np.arange(len(given)) - (width - 1) // 2, 0, None)
    high = np.clip(np.arange(len(given)) + width // 2 + 1, None, len(given))
    count = counts[high] - counts[low]
    mean: npt.NDArray[np.float64] = np.where(count > 0, (sums[high] - sums[low]) / np.maximum(count, 1), np.nan)
    return mean


def panels(plots: Sequence[Panel], *, columns: int = 2) -> Pixels:
    """(H, W, 3) uint8: small plots in rows of `columns`, in order; a line's name has one colour in all of them.

    Raises: InputError for no panel or a panel of no lines; MissingDependencyError without matplotlib.
    """
    if not plots or not all(plot.lines for plot in plots):
        raise InputError("panels of no lines were asked for; give each at least one")
    names = list(dict.fromkeys(line.name for plot in plots for line in plot.lines))
    colour = dict(zip(names, _colours(len(names)), strict=True))
    across = min(columns, len(plots))
    rows = -(-len(plots) // across)
    width = _PANEL_INCHES[0] + max(_beside(plot.lines) for plot in plots)
    figure = _new_figure((width * across, _PANEL_INCHES[1] * rows))
    places = figure.subplots(rows, across, squeeze=False).ravel()
    for plot, axes in zip(plots, places, strict=False):
        _decorate(axes, plot.labels)
        if plot.counts:
            axes.locator_params(axis="x", integer=True, min_n_ticks=1)
        for line in plot.lines:
            _draw_line(axes, line, colour[line.name])
        _explain(axes, plot.lines)
    for axes in places[len(plots) :]:
        axes.set_axis_off()
    return _pixels(figure)


def _draw_line(axes: Axes, line: Line, colour: tuple[float, float, float]) -> None:
    x, values = np.asarray(line.x, np.float64), np.asarray(line.values, np.float64)
    if line.smooth > 1:
        axes.plot(x, values, color=colour, alpha=0.22, linewidth=0.6)
    # A dot for each of a few values: a line through one value alone would be invisible.
    marker = "o" if len(x) <= _FEW else ""
    axes.plot(x, smoothed(values, line.smooth), color=colour, marker=marker, markersize=3, label=line.name or None)


def curves(x: npt.ArrayLike, series: Sequence[Series], labels: Labels) -> Pixels:
    """(H, W, 3) uint8: every series over the same (K,) `x`, its interval as a band.

    Raises: InputError for no series or a length other than x's; MissingDependencyError without matplotlib.
    """
    at = np.asarray(x, np.float64)
    _check_lengths(series, len(at))
    figure, axes = _new_plot(labels, series)
    for row, colour in zip(series, _colours(len(series)), strict=True):
        axes.plot(at, np.asarray(row.values), marker="o", markersize=4, color=colour, label=row.name or None)
        if row.low is not None and row.high is not None:
            axes.fill_between(at, np.asarray(row.low), np.asarray(row.high), color=colour, alpha=0.18, linewidth=0)
    return _drawn(figure, axes, series)


def bars(groups: Sequence[str], series: Sequence[Series], labels: Labels) -> Pixels:
    """(H, W, 3) uint8: for each of the K groups one bar a series, side by side, its interval as a whisker.

    Raises: InputError for no series or a length other than the number of groups; MissingDependencyError.
    """
    _check_lengths(series, len(groups))
    figure, axes = _new_plot(labels, series)
    at, width = np.arange(len(groups)), 0.8 / len(series)
    for index, (row, colour) in enumerate(zip(series, _colours(len(series)), strict=True)):
        values = np.asarray(row.values, np.float64)
        whiskers = None
        if row.low is not None and row.high is not None:
            ends = np.stack([values - np.asarray(row.low), np.asarray(row.high) - values])
            whiskers = np.maximum(ends, 0.0)  # an interval that misses its value by rounding is no error to die of
        left = at + (index - (len(series) - 1) / 2) * width
        axes.bar(
            left, values, width * 0.92, yerr=whiskers, color=colour, label=row.name or None, error_kw={"capsize": 2}
        )
    axes.set_xticks(at, list(groups), rotation=30 if max(map(len, groups)) > 8 else 0, ha="center")
    if _beside(series):
        return _drawn(figure, axes, series)
    if _named(series):
        # Above the plot: bars of full height leave no room inside.
        figure.legend(loc="outside upper right", ncols=_INSIDE, frameon=False, fontsize="small")
    return _pixels(figure)


def deltas(names: Sequence[str], series: Sequence[Series], labels: Labels) -> Pixels:
    """(H, W, 3) uint8: for each of the K names, from top to bottom, one horizontal bar a series from 0 on, with its
    value written at its end; a value that is not finite has no bar.

    Raises: InputError for no series or a length other than the number of names; MissingDependencyError.
    """
    _check_lengths(series, len(names))
    figure, axes = _new_plot(labels, series, height_inches=1.2 + 0.22 * len(names) * len(series))
    at, height = np.arange(len(names)), 0.8 / len(series)
    for index, (row, colour) in enumerate(zip(series, _colours(len(series)), strict=True)):
        values = np.asarray(row.values, np.float64)
        known = np.isfinite(values)
        place = (at + (index - (len(series) - 1) / 2) * height)[known]
        drawn = axes.barh(place, values[known], height * 0.92, color=colour, label=row.name or None)
        axes.bar_label(drawn, [f"{value:+.3f}" for value in values[known]], padding=3, fontsize="small")
    axes.axvline(0, color="black", linewidth=0.8)
    axes.margins(x=0.15)
    axes.set_yticks(at, list(names))
    axes.invert_yaxis()
    return _drawn(figure, axes, series)


def histogram(
    values: npt.ArrayLike, labels: Labels, *, bins: int = 30, span: tuple[float, float] | None = None
) -> Pixels:
    """(H, W, 3) uint8: how often the (K,) values fall in each of `bins` equal intervals; the median is a dashed line.

    The intervals cover `span`, or from the least value to the largest.

    Raises: InputError for no finite value; MissingDependencyError without matplotlib.
    """
    given = np.asarray(values, np.float64).ravel()
    finite = given[np.isfinite(given)]
    if len(finite) == 0:
        raise InputError(f"none of {len(given)} values is finite; a histogram needs at least one number")
    figure, axes = _new_plot(labels)
    axes.hist(finite, bins=bins, range=span, color=_colours(1)[0])
    axes.axvline(float(np.median(finite)), color="black", linestyle="--", linewidth=1)
    return _drawn(figure, axes, ())


def heat_maps(maps: Sequence[npt.NDArray[np.float64]], titles: Sequence[str]) -> Pixels:
    """(H, W, 3) uint8: (R, C) maps side by side, first row on top, each from its own 0 to its own largest value.

    Raises: InputError for no map or another number of titles; MissingDependencyError without matplotlib.
    """
    if not maps or len(maps) != len(titles):
        raise InputError(
            f"{len(maps)} maps with {len(titles)} titles were given; give at least one, and one title each"
        )
    figure = _new_figure((2.6 * len(maps), 2.9))
    places = figure.subplots(1, len(maps), squeeze=False).ravel()
    for values, title, axes in zip(maps, titles, places, strict=True):
        axes.imshow(values, cmap="viridis", vmin=0, aspect="auto", interpolation="nearest")
        axes.set(title=title, xticks=[], yticks=[])
    return _pixels(figure)


def _check_lengths(series: Sequence[Series], length: int) -> None:
    if not series:
        raise InputError("a plot of no series was asked for; give at least one")
    for row in series:
        if np.shape(row.values) != (length,):
            raise InputError(f"series {row.name!r} has {np.shape(row.values)[0]} values, the axis has {length} places")


def _colours(count: int) -> list[tuple[float, float, float]]:
    return [(float(r), float(g), float(b)) for r, g, b in palette(count) / 255 * 0.85]


def _named(rows: Sequence[Series] | Sequence[Line]) -> list[str]:
    return [row.name for row in rows if row.name]


def _beside(rows: Sequence[Series] | Sequence[Line]) -> float:
    """Inches by which a plot of these is wider, for the legend beside it."""
    return _LEGEND_INCHES if len(_named(rows)) > _INSIDE else 0.0


def _explain(axes: Axes, rows: Sequence[Series] | Sequence[Line]) -> None:
    """The legend: inside for a few names, beside for more."""
    if _beside(rows):
        axes.legend(frameon=False, fontsize="small", loc="upper left", bbox_to_anchor=(1.0, 1.0))
    elif _named(rows):
        axes.legend(frameon=False, fontsize="small")


def _new_plot(
    labels: Labels, series: Sequence[Series] = (), *, height_inches: float = _SIZE_INCHES[1]
) -> tuple[Figure, Axes]:
    figure = _new_figure((_SIZE_INCHES[0] + _beside(series), height_inches))
    axes = figure.subplots()
    _decorate(axes, labels)
    return figure, axes


def _new_figure(size_inches: tuple[float, float]) -> Figure:
    # matplotlib is loaded here and not above: most users never plot, and it takes a second.
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingDependencyError(
            "plots need matplotlib, which is not installed: pip install 'anymask[eval]'"
        ) from error
    return Figure(figsize=size_inches, dpi=_DOTS_PER_INCH, layout="constrained")


def _decorate(axes: Axes, labels: Labels) -> None:
    axes.set(title=labels.title, xlabel=labels.x, ylabel=labels.y)
    axes.grid(alpha=0.25)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def _drawn(figure: Figure, axes: Axes, series: Sequence[Series]) -> Pixels:
    _explain(axes, series)
    return _pixels(figure)


def _pixels(figure: Figure) -> Pixels:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return np.asarray(Image.open(buffer).convert("RGB"))
