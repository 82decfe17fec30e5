import subprocess
import sys
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from anymask.errors import InputError
from anymask.figures.pictures import Pixels
from anymask.figures.plots import (
    Labels,
    Line,
    Panel,
    Series,
    bars,
    curves,
    deltas,
    heat_maps,
    histogram,
    panels,
    smoothed,
)

LABELS = Labels(title="clicks", x="clicks", y="mean IoU")
ROW = Series(name="tiny", values=[0.3, 0.5, 0.6], low=[0.2, 0.4, 0.5], high=[0.4, 0.6, 0.7])
BARE = Series(name="GrabCut", values=[0.1, 0.2, 0.3])


def test_curves_show_every_series_and_its_band() -> None:
    both = curves([1, 2, 3], [ROW, BARE], LABELS)
    without_band = curves([1, 2, 3], [Series(name="tiny", values=ROW.values), BARE], LABELS)
    assert both.dtype == np.uint8
    assert both.ndim == 3
    assert both.shape[2] == 3
    assert (both != without_band).any()
    assert len(np.unique(both.reshape(-1, 3), axis=0)) > 20


def test_bars_show_whiskers_where_an_interval_is_given() -> None:
    with_whiskers = bars(["one", "two", "a longer name"], [ROW, BARE], LABELS)
    without = bars(["one", "two", "a longer name"], [Series(name="tiny", values=ROW.values), BARE], LABELS)
    assert (with_whiskers != without).any()


@pytest.mark.parametrize("plot", [bars, deltas, curves])
def test_many_names_stand_beside_the_plot_and_hide_nothing_of_it(plot: Callable[..., Pixels]) -> None:
    def rows(count: int) -> list[Series]:
        return [Series(name=f"a name {index}", values=[1.0, 1.0]) for index in range(count)]

    places = [1.0, 2.0] if plot is curves else ["a", "b"]
    few, many = plot(places, rows(4), LABELS), plot(places, rows(9), LABELS)
    assert many.shape[1] > few.shape[1]
    assert (many[:, few.shape[1] :] < 128).any()  # the names


def test_many_names_stand_beside_their_panel() -> None:
    line = [Line(name=f"a name {index}", x=[0, 1], values=[0, 1]) for index in range(9)]
    few, many = (panels([Panel(labels=LABELS, lines=line[:count])], columns=1) for count in (4, 9))
    assert many.shape[1] > few.shape[1]


def test_a_histogram_ignores_what_is_not_finite_but_refuses_nothing_else_than_that() -> None:
    np.testing.assert_array_equal(histogram([0.1, np.nan, 0.9], LABELS), histogram([0.1, 0.9], LABELS))
    with pytest.raises(InputError, match="none of 2 values is finite"):
        histogram([np.nan, np.inf], LABELS)


def test_a_histogram_covers_the_span_that_is_given() -> None:
    pixels = histogram([1.0, 1.0], LABELS, bins=10, span=(0, 1))
    assert np.flatnonzero(_is_bar(pixels).any(axis=0)).min() > 0.8 * pixels.shape[1]


def test_the_legend_stands_above_bars_of_full_height() -> None:
    pixels = bars(["a", "b"], [Series(name="full", values=[1.0, 1.0])], Labels())
    rows = _is_bar(pixels).any(axis=1).astype(int)
    assert (np.diff(rows) == 1).sum() == 2  # the legend's patch, then the bars: between them there is a row of neither


def _is_bar(pixels: Pixels) -> npt.NDArray[np.bool_]:
    """(H, W) where the colour of the first series is."""
    return np.asarray((pixels == [54, 139, 217]).all(axis=-1))


def test_drawing_twice_gives_the_same_pixels() -> None:
    np.testing.assert_array_equal(curves([1, 2, 3], [ROW], LABELS), curves([1, 2, 3], [ROW], LABELS))


def test_half_an_interval_or_one_of_another_length_is_refused() -> None:
    with pytest.raises(InputError, match="both low and high or neither"):
        Series(name="x", values=[1, 2], low=[0, 1])
    with pytest.raises(InputError, match="give one each"):
        Series(name="x", values=[1, 2], low=[0], high=[1])


@pytest.mark.parametrize("series", [[], [BARE]])
def test_no_series_or_one_of_another_length_is_refused(series: list[Series]) -> None:
    with pytest.raises(InputError, match="series"):
        curves([1, 2], series, LABELS)


def _panel(*lines: Line) -> Panel:
    return Panel(labels=LABELS, lines=lines)


def test_panels_stand_in_rows_and_each_line_may_have_places_of_its_own() -> None:
    short, long = Line(name="a", x=[1, 2], values=[0, 1]), Line(name="b", x=range(100), values=range(100))
    one, three = panels([_panel(short, long)]), panels([_panel(short), _panel(long), _panel(short)])
    assert three.shape[0] == 2 * one.shape[0]
    assert three.shape[1] == 2 * one.shape[1]


def test_a_line_has_its_colour_in_every_panel_and_a_gap_where_it_is_not_finite() -> None:
    first, second = Line(name="a", x=[1, 2], values=[0, 1]), Line(name="b", x=[1, 2], values=[0, 1])
    both = panels([_panel(first, second), _panel(second)])
    colours = [set(map(tuple, half.reshape(-1, 3))) for half in np.array_split(both, 2, axis=1)]
    alone = set(map(tuple, panels([_panel(first)]).reshape(-1, 3)))
    assert len(colours[0] & colours[1]) > 10  # b's colour and its edges
    assert len((alone & colours[0]) - colours[1]) > 1  # a's is in the first panel only
    panels([_panel(Line(name="c", x=[1, 2, 3], values=[1, np.nan, 2], smooth=2))])


def test_smoothing_keeps_the_values_behind_it_and_the_mean() -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(size=200)
    np.testing.assert_allclose(smoothed(noise, 1), noise, atol=1e-12)
    assert smoothed(noise, 20).std() < 0.5 * noise.std()
    assert smoothed(noise, 400)[100] == pytest.approx(noise.mean())
    assert np.isnan(smoothed([np.nan, np.nan], 2)).all()
    smooth = panels([_panel(Line(name="", x=range(200), values=noise, smooth=20))])
    raw = panels([_panel(Line(name="", x=range(200), values=noise))])
    assert (smooth != raw).any()


def test_heat_maps_stand_side_by_side_with_the_largest_value_brightest() -> None:
    values = np.zeros((4, 4))
    values[0, 0] = 3.0
    one, two = heat_maps([values], ["a"]), heat_maps([values, values * 2], ["a", "b"])
    assert two.shape[1] > 1.5 * one.shape[1]
    height, width = one.shape[:2]
    corner, rest = one[height // 4, width // 6].astype(int), one[height * 3 // 4, width // 2].astype(int)
    assert corner.sum() > rest.sum()
    with pytest.raises(InputError, match="one title each"):
        heat_maps([values], [])


def test_panels_without_lines_and_lines_of_unequal_length_are_refused() -> None:
    for plots in ([], [_panel()]):
        with pytest.raises(InputError, match="panels of no lines"):
            panels(plots)
    with pytest.raises(InputError, match="give one each"):
        Line(name="a", x=[1], values=[1, 2])
    with pytest.raises(InputError, match="give 1 or more"):
        Line(name="a", x=[1], values=[1], smooth=0)


def test_importing_figures_does_not_load_matplotlib() -> None:
    code = "import sys, anymask.figures; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_without_matplotlib_the_error_names_the_extra() -> None:
    code = """
import sys
sys.modules["matplotlib"] = None
from anymask.errors import MissingDependencyError
from anymask.figures import Labels, histogram
try:
    histogram([1.0], Labels())
except MissingDependencyError as error:
    print(error)
"""
    answer = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert "pip install 'anymask[eval]'" in answer.stdout


def test_differences_are_bars_from_zero_and_what_is_unknown_has_none() -> None:
    names = ["a", "b", "c"]
    known = deltas(names, [Series(name="ours", values=[-0.2, 0.1, 0.3])], Labels(title="t"))
    partly = deltas(names, [Series(name="ours", values=[-0.2, np.nan, 0.3])], Labels(title="t"))
    assert known.dtype == np.uint8
    assert known.shape == partly.shape
    assert (known != partly).any()
    taller = deltas(names * 3, [Series(name="ours", values=[0.1] * 9)], Labels())
    assert taller.shape[0] > known.shape[0]
    with pytest.raises(InputError, match="no series"):
        deltas(names, [], Labels())


def test_an_axis_of_counts_names_whole_numbers_alone() -> None:
    line = Line(name="a", x=[1, 2], values=[0, 1])
    free, whole = (panels([Panel(labels=LABELS, lines=[line], counts=counts)]) for counts in (False, True))
    assert free.shape == whole.shape
    # Fewer numbers are written below.
    assert (whole < 128).sum() < (free < 128).sum()
