"""How good automatic masks are: their IoU with what people made of them, by size and by score, with intervals.

The corrected set may come from anywhere: this project's tool, another, another dataset of the same pictures. In each
picture masks are paired one to one so that the IoUs add up to the most; what has no partner was removed or added.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from anymask.dataset.labelled_picture import LabelledPicture
from anymask.dataset.published import BETWEEN_PEOPLE, QUALITY, SOURCE
from anymask.errors import ConfigError, DatasetError
from anymask.evaluation.metrics import BootstrapConfig, Sample, mean_interval
from anymask.figures import Heading, Labels, Paragraph, Picture, Series, Table, bars, histogram, html_page
from anymask.figures.pages import Block
from anymask.masks.overlap import rle_iou_matrix
from anymask.runs import to_plain

THRESHOLDS = {"above .9": 0.9, "above .75": 0.75}
"""IoUs that the paper counts pairs above."""


@dataclass(frozen=True, kw_only=True, slots=True)
class QualityConfig:
    """How pairs are found and grouped."""

    min_iou: float = 0.1
    """Two masks that overlap less are no pair: one was removed and another added."""
    size_edges: tuple[float, ...] = (0.0, 0.02, 0.05, 0.1, 0.2, 1.0)
    """Groups by relative size of the corrected mask: square root of its share of the picture."""
    score_edges: tuple[float, ...] = (0.0, 0.6, 0.8, 0.88, 0.92, 0.96, 1.0)
    """Groups by the predicted IoU of the automatic mask."""
    bootstrap: BootstrapConfig = field(default_factory=BootstrapConfig)
    """The error bars, over pictures."""

    def __post_init__(self) -> None:
        if not 0 < self.min_iou < 1:
            raise ConfigError(f"QualityConfig.min_iou is {self.min_iou}, expected between 0 and 1")
        for name in ("size_edges", "score_edges"):
            edges = getattr(self, name)
            if len(edges) < 2 or list(edges) != sorted(set(edges)):
                raise ConfigError(f"QualityConfig.{name} is {edges}, expected two or more rising numbers")


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Every pair of an automatic and a corrected mask; arrays have N rows."""

    iou: npt.NDArray[np.float64]
    size: npt.NDArray[np.float64]
    """(N,) relative size of the corrected mask."""
    score: npt.NDArray[np.float64]
    """(N,) predicted IoU of the automatic mask; NaN where unknown."""
    pictures: tuple[str, ...]
    """(N,) the picture of each."""
    compared: int = 0
    """Pictures that both sets have."""
    removed: int = 0
    """Automatic masks without a partner."""
    added: int = 0
    """Corrected masks without a partner."""


def pair_masks(
    automatic: Iterable[LabelledPicture], corrected: Iterable[LabelledPicture], config: QualityConfig
) -> Pairs:
    """Pair the masks of all pictures that both have, by the last part of their names without its ending, or of the name
    that an automatic picture had where it came from.

    The corrected set is in memory as run lengths, the automatic one is read picture by picture.

    Raises: DatasetError when they share no picture, or one has two sizes.
    """
    people = {_key(picture.name): picture for picture in corrected}
    rows: list[tuple[float, float, float]] = []
    pictures: list[str] = []
    compared = removed = added = 0
    for picture in automatic:
        other = people.pop(_key(picture.name), None) or people.pop(_key(picture.notes.source), None)
        if other is None:
            continue
        if other.masks.size_hw != picture.masks.size_hw:
            raise DatasetError(
                f"{picture.name} is {picture.masks.size_hw} (height, width) in one set and {other.masks.size_hw} in "
                "the other; give sets of the same pictures"
            )
        found = _pairs_of(picture, other, config)
        compared += 1
        removed += len(picture.masks) - len(found)
        added += len(other.masks) - len(found)
        rows += found
        pictures += [picture.name] * len(found)
    if compared == 0:
        raise DatasetError(
            "the two sets share no picture, by the last part of the names; give sets of the same pictures"
        )
    columns = np.asarray(rows, np.float64).reshape(-1, 3).T
    return Pairs(columns[0], columns[1], columns[2], tuple(pictures), compared, removed, added)


def _key(name: str) -> str:
    return PurePosixPath(name).stem


def _pairs_of(
    automatic: LabelledPicture, corrected: LabelledPicture, config: QualityConfig
) -> list[tuple[float, float, float]]:
    """(IoU, relative size, score) of each pair of one picture."""
    if not len(automatic.masks) or not len(corrected.masks):
        return []
    iou = rle_iou_matrix(automatic.masks.rles, corrected.masks.rles)
    height, width = corrected.masks.size_hw
    pairs = zip(*linear_sum_assignment(iou, maximize=True), strict=True)
    return [
        (
            float(iou[one, other]),
            float(np.sqrt(corrected.masks.area_px[other] / (height * width))),
            float(automatic.masks.predicted_iou[one]),
        )
        for one, other in pairs
        if iou[one, other] >= config.min_iou
    ]


def summarise(pairs: Pairs, config: QualityConfig) -> dict[str, Any]:
    """Shares above the thresholds and the mean IoU, over all pairs, by size and by score, each with its interval.

    Raises: DatasetError when there is no pair.
    """
    if not len(pairs.iou):
        raise DatasetError(
            "no automatic mask has a corrected one; the sets are of other masks, or nobody has finished one"
        )
    return {
        "config": to_plain(config),
        "pictures": pairs.compared,
        "pairs": len(pairs.iou),
        "removed": pairs.removed,
        "added": pairs.added,
        "every_pair": _shares(pairs, np.ones(len(pairs.iou), np.bool_), config),
        "by_size": _groups(pairs, pairs.size, config.size_edges, config),
        "by_score": _groups(pairs, pairs.score, config.score_edges, config),
        "iou_histogram": np.histogram(pairs.iou, bins=20, range=(0, 1))[0].tolist(),
        "published": {"source": SOURCE, "shares": QUALITY, "iou_between_people": list(BETWEEN_PEOPLE)},
    }


def _groups(
    pairs: Pairs, values: npt.NDArray[np.float64], edges: Sequence[float], config: QualityConfig
) -> dict[str, Any]:
    """The same by `values` between each two edges; the last group has its upper edge too."""
    found = {}
    for low, high in pairwise(edges):
        inside = (values >= low) & ((values < high) | ((high == edges[-1]) & (values <= high)))
        if inside.any():
            found[f"{low:g} to {high:g}"] = _shares(pairs, inside, config)
    return found


def _shares(pairs: Pairs, rows: npt.NDArray[np.bool_], config: QualityConfig) -> dict[str, Any]:
    names = tuple(pairs.pictures[row] for row in np.flatnonzero(rows))
    iou = pairs.iou[rows]
    measures = {name: (iou > threshold).astype(np.float64) for name, threshold in THRESHOLDS.items()} | {
        "mean IoU": iou
    }
    intervals = {name: mean_interval(Sample(values, names), config.bootstrap) for name, values in measures.items()}
    counts = {"pairs": len(iou), "pictures": len(set(names))}
    return counts | {name: to_plain(interval) for name, interval in intervals.items()}


def as_page(summary: dict[str, Any], pairs: Pairs) -> str:
    """The study as one page with plots.

    Raises: MissingDependencyError without matplotlib.
    """
    level = summary["config"]["bootstrap"]["level"]
    blocks: list[Block] = [
        *map(Paragraph, said_of_work(summary)),
        Paragraph(
            f"{summary['pairs']:,} pairs of an automatic and a corrected mask on {summary['pictures']:,} pictures; "
            f"{summary['removed']:,} automatic masks have no partner (removed), {summary['added']:,} corrected ones "
            f"neither (added). Intervals are {level:.0%} bootstrap over pictures."
        ),
        _table({"every pair": summary["every_pair"]}, "pairs"),
        Paragraph(
            f"Published of SA-1B ({SOURCE}): {QUALITY['above .9']:.0%} above .9, {QUALITY['above .75']:.0%} above .75; "
            f"between two people prior work found {BETWEEN_PEOPLE[0]:g} to {BETWEEN_PEOPLE[1]:g}. Theirs are a ViT-H's "
            "masks on 500 pictures: the figures compare ways of measuring, not models of one size."
        ),
        Picture(
            histogram(pairs.iou, Labels(x="IoU of a pair", y="pairs"), bins=20, span=(0, 1)),
            "The dashed line is the median.",
            form="png",
        ),
    ]
    for key, title in (("by_size", "relative size"), ("by_score", "predicted IoU")):
        if summary[key]:
            blocks += [Heading(f"By {title}"), _plot(summary[key], title), _table(summary[key], title)]
    return html_page("Quality of automatic masks", blocks)


def said_of_work(summary: dict[str, Any]) -> list[str]:
    """What people did with the masks, where that is known, in a sentence."""
    work = summary.get("work")
    if work is None:
        return []
    return [
        f"People looked at every mask of {work['finished']:,} pictures: {work['left']:,} masks were left as they were, "
        f"{work['fixed']:,} changed, {work['deleted']:,} deleted, {work['added']:,} added. {work['unfinished']:,} "
        "pictures of the sample are not finished and in no figure."
    ]


def _plot(groups: dict[str, Any], title: str) -> Picture:
    series = [
        Series(
            name=name,
            values=[group[name]["mean"] for group in groups.values()],
            low=[group[name]["low"] for group in groups.values()],
            high=[group[name]["high"] for group in groups.values()],
        )
        for name in THRESHOLDS
    ]
    return Picture(bars(list(groups), series, Labels(x=title, y="share of pairs")), form="png")


def _table(groups: dict[str, Any], title: str) -> Table:
    measures = (*THRESHOLDS, "mean IoU")
    rows = [
        (name, group["pairs"], group["pictures"], *(shown_interval(group, measure) for measure in measures))
        for name, group in groups.items()
    ]
    return Table((title, "pairs", "pictures", *measures), rows)


def shown_interval(group: dict[str, Any], measure: str) -> str:
    """The mean with its interval; of one picture alone nothing is known of how pictures differ.

    >>> shown_interval({"pictures": 1, "mean IoU": {"mean": 0.5, "low": 0.5, "high": 0.5}}, "mean IoU")
    '0.500 (one picture)'
    """
    found = group[measure]
    interval = f"{found['low']:.3f} to {found['high']:.3f}" if group["pictures"] > 1 else "one picture"
    return f"{found['mean']:.3f} ({interval})"
