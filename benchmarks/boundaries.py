"""How long the boundary benchmark takes a picture.  python -m benchmarks.boundaries ../shared/data/train-*.tar

Pictures of bsds500 are brought to BSDS500's own size (shortest side 321) and two edge maps of each are scored at 99
thresholds against all its annotators: "ridges" (Sobel after edge suppression, as published maps are) and "raw" (the
slope of the blurred picture, which every threshold thins anew: the worst case). Seconds are those of the process itself
(CPU time), so that a busy machine does not count; the machine-independent part is the comparison with scipy's
`min_weight_full_bipartite_matching`, which solves the same assignments from nothing, at a few of the thresholds.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import cv2
import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import min_weight_full_bipartite_matching
from scipy.spatial import cKDTree

from anymask.dataset.read import read_source
from anymask.dataset.record import Record
from anymask.evaluation.boundaries.matching import TOLERANCE, above_thresholds, count_matches
from anymask.images.edges import edge_nms, sobel
from anymask.masks.borders import label_borders, thin
from benchmarks.harness import RESULTS, machine

SHORTEST_SIDE, LEVELS, PEER_LEVELS = 321, 99, (4, 19, 49)
Mask = npt.NDArray[np.bool_]


def main(arguments: list[str]) -> int:
    """Measure, print, and write results/<machine>/boundaries.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", nargs="+", type=Path)
    parser.add_argument("--pictures", type=int, default=10)
    given = parser.parse_args(arguments)
    records = (one for path in given.data for one in read_source(path) if one.set_name == "bsds500")
    chosen = [record for record, _ in zip(records, range(given.pictures), strict=False)]
    measured = measure(chosen)
    print(json.dumps(measured, indent=1))
    folder = RESULTS / re.sub(r"[^a-z0-9]+", "-", machine().lower()).strip("-")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "boundaries.json").write_text(json.dumps(measured, indent=1) + "\n")
    return 0


def measure(
    records: Sequence[Record], levels: int = LEVELS, peer_levels: Sequence[int] = PEER_LEVELS
) -> dict[str, Any]:
    """CPU seconds a picture of either map, and how much slower scipy matches."""
    warm = np.eye(40, dtype=np.bool_)
    count_matches([warm], [warm])  # compiles, or loads what was compiled
    rows: dict[str, list[float]] = {"ridges": [], "raw": []}
    annotators, ratios = 0, []
    for record in records:
        maps, truths = enlarged(record)
        annotators += len(truths)
        for name, strength in maps.items():
            cut = above_thresholds(strength, levels)
            rows[name].append(cpu_seconds(lambda cut=cut, truths=truths: count_matches(cut, truths)))
        some = [thin(above_thresholds(maps["ridges"], levels)[level]) for level in peer_levels]
        peer = cpu_seconds(lambda some=some, truths=truths: [scipy_pairs(one, true) for one in some for true in truths])
        ratios.append(peer / len(peer_levels) / (rows["ridges"][-1] / levels))
    means = {name: float(np.mean(values)) for name, values in rows.items()}
    return {
        "machine": machine(),
        "pictures": len(records),
        "annotators_a_picture": round(annotators / len(records), 2),
        "levels": levels,
        "cpu_seconds_a_picture": {name: round(value, 3) for name, value in means.items()},
        "minutes_for_200_pictures_on_2_cores": {name: round(value * 200 / 2 / 60, 2) for name, value in means.items()},
        "scipy_times_slower": round(float(np.median(ratios)), 1),
    }


def enlarged(record: Record) -> tuple[dict[str, npt.NDArray[np.floating]], list[Mask]]:
    """The two edge maps of [0, 1] and the annotators' lines, shortest side 321."""
    pixels, labels = record.pixels(), record.label_maps()
    scale = SHORTEST_SIDE / min(pixels.shape[:2])
    size_wh = (round(pixels.shape[1] * scale), round(pixels.shape[0] * scale))
    grey = cv2.cvtColor(cv2.resize(pixels, size_wh, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
    slope = sobel(cv2.GaussianBlur(grey.astype(np.float32), (0, 0), 1.5))
    soft = np.minimum(np.sqrt(slope / 64), 1)
    truths = [label_borders(cv2.resize(one, size_wh, interpolation=cv2.INTER_NEAREST)) for one in labels]
    return {"ridges": edge_nms(soft), "raw": soft}, truths


def scipy_pairs(predicted: Mask, truth: Mask) -> int:
    """How many pixels scipy matches: every predicted one may also stay alone, at a high price."""
    radius = TOLERANCE * float(np.hypot(*truth.shape))
    near = cKDTree(np.argwhere(predicted)).sparse_distance_matrix(
        cKDTree(np.argwhere(truth)), radius, output_type="ndarray"
    )
    if not len(near):
        return 0
    rows, row = np.unique(near["i"], return_inverse=True)
    columns, column = np.unique(near["j"], return_inverse=True)
    costs = np.concatenate([1 + np.rint(100 * near["v"]), np.full(len(rows), np.ceil(1e4 * radius))])
    places = (
        np.concatenate([row, np.arange(len(rows))]),
        np.concatenate([column, len(columns) + np.arange(len(rows))]),
    )
    graph = csr_matrix((costs, places), (len(rows), len(columns) + len(rows)))
    return int((min_weight_full_bipartite_matching(graph)[1] < len(columns)).sum())


def cpu_seconds(work: Any) -> float:
    """CPU seconds of one call."""
    begun = time.process_time()
    work()
    return time.process_time() - begun


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
