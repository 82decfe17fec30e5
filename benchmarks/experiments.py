"""What a picture costs in each experiment: network, the making of masks around it, and scoring; and the network alone.

    python -m benchmarks.experiments ../shared/data/val-food_plates.tar [--pictures 4] [--model tiny]

*Network* is what the pipeline spends in the model's own `embed` and `decode`. *Bare* asks the same model for the same
embeddings and as many prompts of the same kind in full batches, with nothing around it. The claim is that the network
part is at most 1.3 times bare: batches are used and nothing is embedded twice. *Masks* is all else that makes an
answer: resizing, tracing at the picture's own size, suppression. Seconds are those of the process itself (CPU time), so
that a busy machine does not count; what is not network is divided between masks and scoring as their wall times are.
Writes results/<machine>/experiments.json and, with --plot FILE, the bar chart.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

import anymask
from anymask.evaluation.answering import score_picture as score_masks
from anymask.evaluation.asking import ask_picture
from anymask.evaluation.edge_finders import EdgePicture, ModelEdges
from anymask.evaluation.pictures import RecordedPicture
from anymask.evaluation.protocols.edges import EdgeBenchmarkConfig
from anymask.evaluation.protocols.edges import score_picture as score_edges
from anymask.evaluation.protocols.instances import InstancesConfig, ModelInstances
from anymask.evaluation.protocols.proposals import ModelProposer, ProposalsConfig
from anymask.evaluation.segmenter import ModelSegmenter
from anymask.evaluation.targets import TargetConfig
from anymask.figures import Labels, Series, bars, encode
from anymask.images.load import load_image
from anymask.model.sam import Sam
from anymask.predict.predictor import Predictor, ReadyImage
from anymask.predict.tasks.proposals import ProposalConfig
from anymask.prompts.types import PromptBatch
from benchmarks.harness import RESULTS, machine

LIMIT = 1.3
"""Times bare that the network part may take."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Cost:
    """Mean CPU seconds a picture of one experiment."""

    experiment: str
    pictures: int
    prompts: float
    """Prompts a picture."""
    network_s: float
    bare_s: float
    masks_s: float
    scoring_s: float
    ratio: float
    """Median over pictures of network / bare."""


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds that an experiment itself says it took for one picture."""

    model_s: float
    scoring_s: float


class Meter:
    """Counts the seconds and the calls of a model's `embed` and `decode`."""

    def __init__(self, model: Sam) -> None:
        self.cpu_s = self.wall_s = 0.0
        self.calls: list[tuple[PromptBatch, bool]] = []
        self._embed, self._decode = model.embed, model.decode
        model.embed = self._timed_embed
        model.decode = self._timed_decode

    def _timed_embed(self, *arguments: Any) -> Any:
        with self._timed():
            return self._embed(*arguments)

    def _timed_decode(self, prepared: Any, prompts: PromptBatch, *, multimask: bool) -> Any:
        self.calls.append((prompts, multimask))
        with self._timed():
            return self._decode(prepared, prompts, multimask=multimask)

    @contextmanager
    def _timed(self) -> Iterator[None]:
        cpu, wall = time.process_time(), time.perf_counter()
        yield
        self.cpu_s += time.process_time() - cpu
        self.wall_s += time.perf_counter() - wall


def bare_seconds(predictor: Predictor, pixels: Any, calls: Sequence[tuple[PromptBatch, bool]], at_once: int) -> float:
    """Seconds of the network for one embedding and the prompts of `calls`, those of a kind joined to full batches."""
    kinds: dict[tuple[int, bool, bool], list[PromptBatch]] = {}
    for prompts, multimask in calls:
        kinds.setdefault((prompts.points_xy.shape[1], prompts.mask_logits is not None, multimask), []).append(prompts)
    loaded = load_image(pixels)
    meter = Meter(predictor.model)
    ready = ReadyImage(predictor.model, predictor.embed(loaded))
    for (_, has_mask, multimask), several in kinds.items():
        logits = [one.mask_logits for one in several if one.mask_logits is not None]
        joined = PromptBatch(
            torch.cat([one.points_xy for one in several]),
            torch.cat([one.labels for one in several]),
            torch.cat(logits) if has_mask else None,
        )
        for batch in joined.chunks(at_once):
            ready.decode(batch, multimask=multimask)
    return meter.cpu_s


def cost(name: str, model: Sam, pictures: Sequence[RecordedPicture], work: Callable[[RecordedPicture], Any]) -> Cost:
    """Measure one experiment; `work` scores one picture and returns a result with `model_s` and `scoring_s`."""
    rows = []
    plain = model.embed, model.decode
    for picture in (pictures[0], *pictures):  # the first once more, not counted
        meter, start = Meter(model), time.process_time()
        result = work(picture)
        others = time.process_time() - start - meter.cpu_s
        masks = (result.model_s - meter.wall_s) / (result.model_s - meter.wall_s + result.scoring_s)
        model.embed, model.decode = plain
        bare = bare_seconds(Predictor(model), picture.record.pixels(), meter.calls, 64)
        model.embed, model.decode = plain
        prompts = sum(len(batch) for batch, _ in meter.calls)
        rows.append((prompts, meter.cpu_s, bare, others * masks, others * (1 - masks)))
        print(f"  {name} {picture.name}: network {meter.cpu_s:.2f} s, bare {bare:.2f} s", file=sys.stderr, flush=True)
    prompts, network, bare, masks_s, scoring = (list(column) for column in zip(*rows[1:], strict=True))
    mean = statistics.fmean
    return Cost(
        experiment=name,
        pictures=len(pictures),
        prompts=round(mean(prompts), 1),
        network_s=round(mean(network), 4),
        bare_s=round(mean(bare), 4),
        masks_s=round(mean(masks_s), 4),
        scoring_s=round(mean(scoring), 4),
        ratio=round(statistics.median(a / b for a, b in zip(network, bare, strict=True)), 3),
    )


def measure(model: Sam, pictures: Sequence[RecordedPicture], points_per_side: int) -> list[Cost]:
    """The costs of points, edges, proposals and instances; every picture has lines to be found."""
    predictor = Predictor(model)
    segmenter = ModelSegmenter(predictor)
    proposer = ModelProposer(predictor, "model", ProposalConfig(points_per_side=points_per_side))
    boxed = ModelInstances(predictor, "model")
    recall, precision = ProposalsConfig().answering({}), InstancesConfig().answering(is_lvis=False)

    def edges(one: RecordedPicture) -> Spent:
        found = score_edges(ModelEdges(predictor, "model"), EdgePicture(one.record), EdgeBenchmarkConfig())
        return Spent(found.find_s, found.match_s)

    experiments: dict[str, Callable[[RecordedPicture], Any]] = {
        "points": lambda one: ask_picture(segmenter, one.record, TargetConfig(), clicks=9),
        "edges": edges,
        "instances": lambda one: score_masks(precision, boxed, one, one.truth(), ""),
        "proposals": lambda one: score_masks(recall, proposer, one, one.truth(), ""),
    }
    return [cost(name, model, pictures, work) for name, work in experiments.items()]


def plot(costs: Sequence[Cost], path: Path) -> None:
    """Seconds a picture as bars, network, masks and scoring apart."""
    parts = {"network": "network_s", "the same, bare": "bare_s", "masks": "masks_s", "scoring": "scoring_s"}
    series = [Series(name=name, values=[getattr(one, part) for one in costs]) for name, part in parts.items()]
    labels = Labels(title="Time a picture", y="CPU seconds")
    path.write_bytes(encode(bars([one.experiment for one in costs], series, labels)))


def main(arguments: Sequence[str]) -> int:
    """Measure, print, write; 1 when a network part is above LIMIT."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--pictures", type=int, default=4)
    parser.add_argument("--model", default="tiny")
    parser.add_argument("--points-per-side", type=int, default=64)
    parser.add_argument("--plot", type=Path)
    options = parser.parse_args(arguments)
    from anymask.dataset.labelled import read_data

    pictures = [RecordedPicture(record) for record in islice(read_data([options.data]), options.pictures)]
    costs = measure(anymask.load(options.model), pictures, options.points_per_side)
    report = {
        "name": "experiments",
        "machine": machine(),
        "model": options.model,
        "threads": torch.get_num_threads(),
        "points_per_side": options.points_per_side,
        "rows": [asdict(one) for one in costs],
    }
    folder = RESULTS / re.sub(r"[^a-z0-9]+", "-", machine().lower()).strip("-")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "experiments.json").write_text(json.dumps(report, indent=1) + "\n")
    print(json.dumps(report, indent=1))
    if options.plot is not None:
        plot(costs, options.plot)
    return int(any(one.ratio > LIMIT for one in costs))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
