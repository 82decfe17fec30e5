"""Everything-mode on a 1500 x 2250 picture, ours beside the public one.  python benchmarks/everything.py [--side N]

Both get the same weights, picture, grid and thresholds; masks are matched one to one afterwards.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from anymask.masks import rle
from anymask.masks.overlap import rle_iou_matrix
from anymask.masks.types import Rle
from anymask.predict.automatic import AutomaticConfig, segment_everything
from anymask.predict.predictor import Predictor
from benchmarks.harness import Options, Report, run
from benchmarks.models import our_vit_b, picture, public_vit_b, weights_file
from tests.public_sam import import_public_sam

STABILITY = 0.8
"""Lower than the default, for both: outlines taught on a coarse grid are less sharp than a trained model's."""


class Ours:
    """Builds our side; a class, so that it can be sent to a process with its grid."""

    def __init__(self, side: int) -> None:
        self.side = side

    def __call__(self) -> dict[str, Callable[[], list[Rle]]]:
        predictor = Predictor(our_vit_b("taught"))
        config = AutomaticConfig(points_per_side=self.side, stability_threshold=STABILITY)
        return {"1500x2250": lambda: list(segment_everything(predictor, picture(), config).rles)}


class Peer(Ours):
    """The public generator."""

    def __call__(self) -> dict[str, Callable[[], list[Rle]]]:
        generator = import_public_sam().SamAutomaticMaskGenerator(
            public_vit_b("taught"),
            points_per_side=self.side,
            stability_score_thresh=STABILITY,
            output_mode="uncompressed_rle",
        )

        def generate() -> list[Rle]:
            return [rle.from_json(record["segmentation"]) for record in generator.generate(picture())]

        return {"1500x2250": generate}


def compare(ours: list[Rle], peer: list[Rle]) -> str:
    """How many masks each has, how many match at IoU .99, and how many are bit-equal."""
    if not ours or not peer:
        return f"{len(ours)} and {len(peer)} masks"
    overlap = rle_iou_matrix(ours, peer)
    matched = int((overlap.max(1) >= 0.99).sum())
    equal = len({one.counts for one in ours} & {one.counts for one in peer})
    return f"{len(ours)} and {len(peer)} masks, {matched} matched at IoU .99, {equal} bit-equal"


def main() -> Report:
    weights_file("taught")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=32, help="points a side of the grid")
    side = parser.parse_args().side
    options = Options(cases=["1500x2250"], turns=1, warmups=0, compare=compare)
    return run(
        "everything" if side == 32 else f"everything-{side}", "segment-anything 1.0", Ours(side), Peer(side), options
    )


if __name__ == "__main__":
    main()
