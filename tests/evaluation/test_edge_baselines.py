"""Edges without training: each finds the edges of plain stripes, from many lines to few."""

from __future__ import annotations

import pytest

from anymask.errors import ConfigError
from anymask.evaluation.boundaries.matching import count_matches
from anymask.evaluation.boundaries.scores import score
from anymask.evaluation.edge_baselines import (
    CANNY_SIGMAS,
    FELZENSZWALB_SCALES,
    CannyEdges,
    FelzenszwalbEdges,
    SobelEdges,
    edge_baselines,
)
from anymask.evaluation.edge_finders import EdgeFinder
from tests.evaluation.test_edge_finders import shard_picture

FELZENSZWALB = FelzenszwalbEdges(scales=(20, 200, 2000), min_size=20)


@pytest.mark.parametrize("finder", [SobelEdges(), CannyEdges(1.0), FELZENSZWALB], ids=lambda finder: finder.name)
def test_the_edges_of_stripes_are_found(finder: EdgeFinder) -> None:
    picture = shard_picture(3)
    levels = finder.find(picture, 20)
    assert {one.shape for one in levels} == {(40, 60)}
    assert len(levels) == (3 if finder is FELZENSZWALB else 20)
    assert levels[0].sum() >= levels[-1].sum()
    assert score([count_matches(levels, picture.lines(), tolerance=0.03)]).ods > 0.95


def test_cannys_scale_and_hysteresis_change_its_edges() -> None:
    picture = shard_picture(3)

    def pixels(finder: CannyEdges) -> list[int]:
        return [int(one.sum()) for one in finder.find(picture, 30)]

    assert pixels(CannyEdges(1.0)) != pixels(CannyEdges(2.5))
    assert sum(pixels(CannyEdges(1.0, lower=0.1))) >= sum(pixels(CannyEdges(1.0, lower=0.9)))


def test_fingerprints_tell_parameters_apart() -> None:
    finders = [SobelEdges(), CannyEdges(1.0), CannyEdges(2.0), FELZENSZWALB, FelzenszwalbEdges()]
    assert len({finder.fingerprint for finder in finders}) == len(finders)


def test_names_on_the_command_line_become_finders_and_canny_a_sweep() -> None:
    names = [finder.name for finder in edge_baselines("canny, sobel,felzenszwalb")]
    assert names == [*(f"canny_{sigma:g}" for sigma in CANNY_SIGMAS), "sobel", "felzenszwalb"]
    assert edge_baselines("canny_1.25") == [CannyEdges(1.25)]
    assert list(FELZENSZWALB_SCALES) == sorted(set(FELZENSZWALB_SCALES))


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ("cany", "unknown edge baseline 'cany'; known are canny"),
        ("canny_x", "names no scale"),
        ("canny_0", "needs sigma above 0"),
    ],
)
def test_other_names_are_refused(names: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        edge_baselines(names)
