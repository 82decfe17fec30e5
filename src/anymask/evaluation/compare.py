"""How much better is one segmenter than another, set by set, on the same masks?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from anymask.errors import ConfigError
from anymask.evaluation.metrics import BootstrapConfig, Interval, difference_intervals
from anymask.evaluation.results import PictureResult, samples


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """By how much IoU the first column is above the second, with paired-bootstrap intervals."""

    measure: str
    per_set: dict[str, Interval]
    mean_of_sets: Interval


def compare(
    first: Sequence[PictureResult], second: Sequence[PictureResult], measure: str, config: BootstrapConfig
) -> Comparison | None:
    """First minus second on `measure`; None when one of the two has no such score.

    Raises: ConfigError when the two were not scored on the same regions of the same pictures.
    """
    a, b = samples(first, measure), samples(second, measure)
    if not a or not b:
        return None
    _refuse_other_regions(first, second)
    per_set, overall = difference_intervals(a, b, config)
    return Comparison(measure=measure, per_set=per_set, mean_of_sets=overall)


def _refuse_other_regions(first: Sequence[PictureResult], second: Sequence[PictureResult]) -> None:
    a, b = _regions(first), _regions(second)
    if a != b:
        example = min(a ^ b)
        raise ConfigError(
            f"two columns are compared on the same regions, but {len(a ^ b)} are in one only (first: picture "
            f"{example[0]}, map {example[1]}, label {example[2]}); evaluate both on the same data and settings"
        )


def _regions(results: Sequence[PictureResult]) -> set[tuple[str, int, int]]:
    return {(one.picture, target.map_index, target.label) for one in results for target in one.targets}
