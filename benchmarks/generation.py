"""Bulk generation beside the public generator, and what the pipeline costs over the bare model.

    python -m benchmarks.generation --model tiny --pictures 20 --piece 4 --side 12 --bare 9
    python -m benchmarks.generation --model vit_b --pictures 4 --piece 2 --side 16

All make every mask of like pictures with the same grid and thresholds. Ours goes end to end, from files to a finished
dataset, each worker with one thread; the public one (single process, same weights, ViT-B only) from decoded pictures to
records in memory, which is less. It runs with one thread, beside one worker, and with two, beside two. Seconds by the
clock depend on what else the machine does; CPU seconds hardly do, and the overhead is told in both.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from PIL import Image

from anymask.data_engine.automatic import CrewConfig, generate
from anymask.data_engine.generation.config import GenerateConfig
from anymask.data_engine.generation.crew import prepare_process
from anymask.data_engine.generation.pipeline import STAGES
from anymask.images.load import load_image
from anymask.model.weights import load
from anymask.predict.automatic import AutomaticConfig, segment_everything
from anymask.predict.predictor import Predictor
from benchmarks.harness import RESULTS, machine
from benchmarks.models import picture, public_vit_b, weights_file
from tests.public_sam import import_public_sam

SIZE_HW = (480, 640)
PRESET = "tiny"
"""Thresholds at which both models have masks to work on."""


def write_pictures(folder: Path, count: int) -> list[Path]:
    """Views of one photograph, each cut elsewhere, as JPEG."""
    folder.mkdir()
    whole = picture(SIZE_HW[0] + count, SIZE_HW[1] + count)
    paths = [folder / f"{index:04d}.jpg" for index in range(count)]
    for index, path in enumerate(paths):
        view = whole[index : index + SIZE_HW[0], index : index + SIZE_HW[1]]
        Image.fromarray(view).save(path, quality=92)
    return paths


def config_of(model: str, side: int, piece: int = 4) -> GenerateConfig:
    """The settings of our runs."""
    weights = str(weights_file("taught")) if model == "vit_b" else model
    return GenerateConfig(model=weights, preset=PRESET, points_per_side=side, pictures_per_piece=piece)


def ours(folder: Path, out: Path, config: GenerateConfig, workers: int) -> dict[str, float]:
    """Seconds of a whole run's workers by the clock and of the CPU, a picture; and pictures a minute of them all.

    The first piece of each worker warms it up and is not counted, as the bare model's first picture is not.
    """
    report = generate([str(folder)], out, config, CrewConfig(workers=workers))
    assert report.finished
    lines = [json.loads(line) for line in (out / "work" / "times.jsonl").read_text().splitlines()][workers:]
    pictures = sum(line["pictures"] for line in lines)
    stages = {stage: sum(line["seconds"][stage] for line in lines) / pictures for stage in STAGES}
    wall_s = sum(line["wall_s"] for line in lines) / pictures
    return {
        "wall_s": wall_s,
        "cpu_s": sum(line["cpu_s"] for line in lines) / pictures,
        "pictures_a_minute": 60 / wall_s * workers,
        "masks_a_picture": report.report["masks_a_picture"]["mean"],
        **{f"{stage} s": spent for stage, spent in stages.items()},
    }


def bare_model(paths: Sequence[Path], config: GenerateConfig) -> dict[str, float]:
    """Seconds a picture of everything-mode alone, on decoded pictures, by the clock and of the CPU; the first picture
    warms it up."""
    predictor = Predictor(load(config.model))
    first, *loaded = (load_image(path) for path in paths)
    segment_everything(predictor, first, config.automatic())
    wall, cpu = time.perf_counter(), time.process_time()
    for one in loaded:
        segment_everything(predictor, one, config.automatic())
    return {
        "wall_s": (time.perf_counter() - wall) / len(loaded),
        "cpu_s": (time.process_time() - cpu) / len(loaded),
    }


def public(paths: Sequence[Path], side: int, threads: int) -> dict[str, float]:
    """Pictures a minute and masks a picture by the public generator with so many threads."""
    prepare_process(threads)
    settings = AutomaticConfig.named(PRESET)
    generator = import_public_sam().SamAutomaticMaskGenerator(
        public_vit_b("taught"),
        points_per_side=side,
        pred_iou_thresh=settings.predicted_iou_threshold,
        stability_score_thresh=settings.stability_threshold,
        stability_score_offset=settings.stability_offset,
        min_mask_region_area=settings.min_region_area_px,
        output_mode="coco_rle",
    )
    masks = 0
    loaded = [load_image(path) for path in paths]
    start = time.perf_counter()
    for one in loaded:
        masks += len(generator.generate(one.pixels))
    spent_s = time.perf_counter() - start
    return {"pictures_a_minute": 60 * len(paths) / spent_s, "masks_a_picture": masks / len(paths)}


def main() -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=("tiny", "vit_b"), default="vit_b")
    parser.add_argument("--pictures", type=int, default=4, help="pictures of each worker of our runs")
    parser.add_argument("--piece", type=int, default=2, help="pictures of a piece; each worker's first is not counted")
    parser.add_argument("--side", type=int, default=16, help="points a side of the grid")
    parser.add_argument("--bare", type=int, default=3, help="pictures of everything-mode alone, the first not counted")
    parser.add_argument("--public", type=int, default=1, help="pictures of the public generator, with vit_b")
    parser.add_argument("--busy", default="nothing", help="what else ran on the machine meanwhile, for the record")
    given = parser.parse_args()
    prepare_process(1)
    config = config_of(given.model, given.side, given.piece)
    runs: dict[int, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for workers in (1, 2):
            paths = write_pictures(folder / f"photos{workers}", workers * given.pictures)
            runs[workers] = ours(folder / f"photos{workers}", folder / f"out{workers}", config, workers)
        bare = bare_model(paths[: given.bare], config)
        threads = (1, 2) if given.model == "vit_b" else ()
        peers = {count: public(paths[: given.public], given.side, count) for count in threads}
    rates = {f"{count} worker{'s' * (count > 1)}": run["pictures_a_minute"] for count, run in runs.items()}
    rates |= {f"public, {count} thread{'s' * (count > 1)}": run["pictures_a_minute"] for count, run in peers.items()}
    result = {
        "name": f"generation-{given.model}",
        "machine": machine(),
        "busy": given.busy,
        "load_average": round(os.getloadavg()[0], 1),
        "threads_a_worker": 1,
        "picture_hw": list(SIZE_HW),
        "points_per_side": given.side,
        "pictures_a_worker": given.pictures,
        "pictures_a_piece": given.piece,
        "pictures_of_the_public_generator": given.public if peers else 0,
        "pictures_a_minute": {name: round(rate, 2) for name, rate in rates.items()},
        "two_workers_beside_one": round(runs[2]["pictures_a_minute"] / runs[1]["pictures_a_minute"], 2),
        "times_faster": {
            str(count): round(runs[count]["pictures_a_minute"] / run["pictures_a_minute"], 2)
            for count, run in peers.items()
        },
        "masks_a_picture_of_the_public_generator": peers[1]["masks_a_picture"] if peers else None,
        "bare_model": {name: round(value, 4) for name, value in bare.items()},
        "one_worker": {name: round(value, 4) for name, value in runs[1].items()},
        "two_workers": {name: round(value, 4) for name, value in runs[2].items()},
        "overhead_by_the_clock": round(runs[1]["wall_s"] / bare["wall_s"] - 1, 4),
        "overhead_of_the_cpu": round(runs[1]["cpu_s"] / bare["cpu_s"] - 1, 4),
    }
    target = RESULTS / re.sub(r"[^a-z0-9]+", "-", machine().lower()).strip("-")
    target.mkdir(parents=True, exist_ok=True)
    (target / f"{result['name']}.json").write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))
    return result


if __name__ == "__main__":
    main()
