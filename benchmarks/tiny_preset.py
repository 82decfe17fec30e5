"""Which thresholds everything-mode should use with the embedded model, measured on training pictures.

    python benchmarks/tiny_preset.py 'train-*.tar' --pictures 60

Everything-mode runs with loose thresholds on pictures of the sets that label most of what is seen. Each setting of
predicted IoU and stability is then scored: a region is found when a mask overlaps it with IoU .5 or more; a mask is
right when it overlaps such a region, and is judged only where at least 80 % of it is labelled. Printed is the harmonic
mean (F1) of both shares, averaged over pictures, best setting first. Validation pictures are never to be given.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.progress import track
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[1]))

from anymask.cli.options import expand_paths
from anymask.dataset.index import RecordIndex
from anymask.masks import rle
from anymask.masks.overlap import rle_iou_matrix
from anymask.masks.suppress import nms
from anymask.masks.types import Rle
from anymask.model.weights import load
from anymask.predict import Predictor
from anymask.predict.automatic import AutomaticConfig, segment_everything

SETS = ("bsds500", "msrc21", "food_plates", "facades", "ccp")
"""Sets that label most of what is seen."""
FOUND = 0.5
JUDGED = 0.8
IOUS = (0.3, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.88)
STABILITIES = (0.0, 0.5, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shards", nargs="+")
    parser.add_argument("--model", default="tiny")
    parser.add_argument("--pictures", type=int, default=60, help="of all sets together, equally many of each")
    parser.add_argument("--offset", type=float, default=1.0, help="stability_offset, in logits")
    given = parser.parse_args()
    records = RecordIndex(expand_paths(given.shards))
    predictor = Predictor(load(given.model))
    loose = AutomaticConfig(
        points_per_side=24,
        predicted_iou_threshold=min(IOUS),
        stability_threshold=0,
        stability_offset=given.offset,
        box_nms_threshold=1.0,
        min_region_area_px=50,
        drop_small_masks=True,
    )
    scores: dict[tuple[float, float], list[tuple[float, float, int]]] = {}
    taken: Counter[str] = Counter()
    most = -(-given.pictures // len(SETS))
    for record in track(records, "pictures"):
        if not _take(record.set_name, taken, most):
            continue
        found = segment_everything(predictor, record.pixels(), loose)
        if not len(found):
            continue
        regions = _regions(record.label_maps())
        if not regions:
            continue
        masks = rle.decode_batch(found.rles)
        overlap = rle_iou_matrix(found.rles, regions)
        labelled = np.any([labels > 0 for labels in record.label_maps()], axis=0)
        judged = (masks & labelled).sum((1, 2)) >= JUDGED * found.area_px
        for iou, stability in itertools.product(IOUS, STABILITIES):
            rows = np.flatnonzero((found.predicted_iou >= iou) & (found.stability >= stability))
            rows = rows[nms(found.boxes_xyxy[rows], found.predicted_iou[rows], 0.7)]
            recall = float((overlap[rows].max(0) >= FOUND).mean()) if len(rows) else 0.0
            right = overlap[rows].max(1) >= FOUND
            count = int(judged[rows].sum())
            precision = float(right[judged[rows]].mean()) if count else 0.0
            scores.setdefault((iou, stability), []).append((recall, precision, len(rows)))
    _show(scores)


def _take(name: str, taken: Counter[str], most: int) -> bool:
    if name not in SETS or taken[name] >= most:
        return False
    taken[name] += 1
    return True


def _regions(maps: list[npt.NDArray[np.uint16]]) -> list[Rle]:
    """Every labelled region of at least 100 pixels, of every map: several people's are all somebody's."""
    masks = [labels == value for labels in maps for value in np.unique(labels[labels > 0])]
    return [rle.encode(mask) for mask in masks if mask.sum() >= 100]


def _show(scores: dict[tuple[float, float], list[tuple[float, float, int]]]) -> None:
    rows = []
    for setting, found in scores.items():
        recall, precision, count = np.mean(found, axis=0)
        rows.append((2 * recall * precision / max(1e-9, recall + precision), recall, precision, count, *setting))
    table = Table(title=f"{len(next(iter(scores.values())))} training pictures")
    for heading in ("F1", "regions found", "masks right", "masks a picture", "predicted IoU", "stability"):
        table.add_column(heading)
    for row in sorted(rows, reverse=True)[:25]:
        table.add_row(*(f"{value:.3f}" for value in row))
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
