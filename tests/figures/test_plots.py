import subprocess
import sys

import numpy as np
import pytest

from anymask.errors import InputError
from anymask.figures.plots import Labels, Series, bars, curves, histogram

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


def test_a_histogram_ignores_what_is_not_finite_but_refuses_nothing_else_than_that() -> None:
    np.testing.assert_array_equal(histogram([0.1, np.nan, 0.9], LABELS), histogram([0.1, 0.9], LABELS))
    with pytest.raises(InputError, match="none of 2 values is finite"):
        histogram([np.nan, np.inf], LABELS)


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
