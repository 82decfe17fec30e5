"""The numbers of the paper, as data, to be shown beside ours.

Source of all: Kirillov et al. 2023, "Segment Anything", arXiv 2304.02643; each says its table or figure. They were made
with ViT-H and with baselines that are not part of this package.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

Experiment = Literal["points", "edges", "proposals", "instances_coco", "instances_lvis"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Published:
    """One row of a published table."""

    experiment: Experiment
    method: str
    scores: Mapping[str, float]
    """By the name that our own tables give the measure."""
    source: str


def _row(experiment: Experiment, method: str, source: str, names: tuple[str, ...], *values: float) -> Published:
    pairs = dict(zip(names, values, strict=True))
    return Published(experiment=experiment, method=f"{method} (paper)", scores=MappingProxyType(pairs), source=source)


_EDGES = ("ODS", "OIS", "AP", "R50")
_PROPOSALS = (
    "AR@1000",
    "AR@1000 small",
    "AR@1000 medium",
    "AR@1000 large",
    "AR@1000 frequent",
    "AR@1000 common",
    "AR@1000 rare",
)
_INSTANCES = ("AP", "AP small", "AP medium", "AP large")

PUBLISHED: tuple[Published, ...] = (
    _row("edges", "SAM ViT-H", "table 3", _EDGES, 0.768, 0.786, 0.794, 0.928),
    _row("edges", "HED", "table 3", _EDGES, 0.788, 0.808, 0.840, 0.923),
    _row("edges", "EDETR", "table 3", _EDGES, 0.840, 0.858, 0.896, 0.930),
    _row("edges", "Canny", "table 3", _EDGES[:3], 0.600, 0.640, 0.580),
    _row("edges", "Felz-Hutt", "table 3", _EDGES[:3], 0.610, 0.640, 0.560),
    _row("edges", "Sobel filter", "table 3", _EDGES[:1], 0.539),
    _row("proposals", "SAM ViT-H", "table 4", _PROPOSALS, 0.593, 0.455, 0.816, 0.869, 0.591, 0.639, 0.658),
    _row("proposals", "SAM single output", "table 4", _PROPOSALS, 0.549, 0.428, 0.767, 0.744, 0.547, 0.598, 0.620),
    _row("proposals", "ViTDet-H", "table 4", _PROPOSALS, 0.630, 0.517, 0.808, 0.870, 0.631, 0.633, 0.583),
    _row("instances_coco", "SAM ViT-H", "table 5", _INSTANCES, 0.465, 0.308, 0.510, 0.617),
    _row("instances_coco", "ViTDet-H", "table 5", _INSTANCES, 0.510, 0.320, 0.543, 0.689),
    _row("instances_lvis", "SAM ViT-H", "table 5", _INSTANCES, 0.447, 0.325, 0.576, 0.655),
    _row("instances_lvis", "ViTDet-H", "table 5", _INSTANCES, 0.466, 0.350, 0.580, 0.663),
)

SAM_MINUS_RITM: Mapping[str, float] = MappingProxyType(
    {
        "GTEA": -0.214,
        "TrashCan": -0.150,
        "DRAM": -0.065,
        "PIDRay": -0.058,
        "Cityscapes": -0.020,
        "WoodScape": -0.006,
        "IBD": -0.003,
        "EgoHOS": 0.008,
        "Plittersdorf": 0.015,
        "VISOR": 0.018,
        "NDISPark": 0.027,
        "Hypersim": 0.061,
        "OVIS": 0.070,
        "ADE20K": 0.078,
        "iShape": 0.088,
        "ZeroWaste-f": 0.091,
        "STREETS": 0.173,
        "LVIS": 0.185,
        "NDD20": 0.211,
        "TimberSeg": 0.289,
        "DOORS": 0.411,
        "BBBC038v1": 0.447,
        "PPDLS": 0.469,
    }
)
"""By abbreviation, the mean IoU of SAM's most confident mask minus that of RITM, one click in the middle; figure 9a."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PublishedRatings:
    """How much higher raters rated SAM's masks than another column's, on one dataset."""

    prompt: Literal["point", "box"]
    dataset: str
    columns: str
    low: float
    """Ends of the 99 % interval of the difference of means, of a paired bootstrap of 10,000 draws."""
    high: float
    p: float
    """Of the paired t-test; the paper does not say whether one- or two-sided."""


def _ratings(
    dataset: str, ritm: tuple[float, float, float], single: tuple[float, float, float]
) -> list[PublishedRatings]:
    return [
        PublishedRatings(prompt="point", dataset=dataset, columns=columns, low=low, high=high, p=p)
        for columns, (p, low, high) in (("SAM - RITM", ritm), ("SAM - SAM single output", single))
    ]


RATING_DIFFERENCES: tuple[PublishedRatings, ...] = (
    *_ratings("LVIS v0.5", (4e-69, 1.40, 1.84), (2e-11, 0.29, 0.64)),
    *_ratings("VISOR", (7e-98, 1.81, 2.24), (7e-26, 0.58, 0.94)),
    *_ratings("DRAM", (1e-76, 1.54, 2.00), (2e-24, 0.62, 1.03)),
    *_ratings("IBD", (2e-57, 1.03, 1.39), (1e-15, 0.32, 0.62)),
    *_ratings("NDD20", (2e-86, 1.88, 2.37), (5e-08, 0.19, 0.55)),
    *_ratings("OVIS", (2e-64, 1.38, 1.84), (3e-10, 0.27, 0.63)),
    *_ratings("iShape", (2e-88, 1.97, 2.47), (7e-23, 0.65, 1.10)),
    PublishedRatings(prompt="box", dataset="LVIS v1", columns="SAM - ViTDet-H", low=0.11, high=0.42, p=2e-05),
)
"""The rating study's table 8 (appendix E), as printed; 1,000 masks a set."""


def published(experiment: Experiment) -> list[Published]:
    """The rows of one experiment, in the order of the paper's table."""
    return [row for row in PUBLISHED if row.experiment == experiment]
