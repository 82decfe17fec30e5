"""A COCO or LVIS file with real PNG pictures beside it, and results files, drawn at random."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests.dataset.formats.ground_truth import SIZE_HW, coco_json, lvis_json, results_json, without_masks

Json = dict[str, Any]


def write_annotated(root: Path, *, lvis: bool = False, seed: int = 1, pictures: int = 3) -> tuple[Path, Path, Json]:
    """(annotation file, folder of pictures, the parsed file with its arrays)."""
    value = (lvis_json if lvis else coco_json)(seed, pictures)
    folder = root / "pictures"
    for image in value["images"]:
        name = image.get("file_name") or "/".join(image["coco_url"].split("/")[-2:])
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        coarse = np.random.default_rng(image["id"]).integers(0, 256, (6, 9, 3), dtype=np.uint8)
        pixels = coarse.repeat(SIZE_HW[0] // 6, axis=0).repeat(SIZE_HW[1] // 9, axis=1)
        Image.fromarray(pixels).save(path, "PNG")
    annotations = root / "truth.json"
    annotations.write_text(json.dumps(without_masks(value)))
    return annotations, folder, value


def write_results(path: Path, value: Json, seed: int = 1) -> Path:
    """A detector's results on it."""
    path.write_text(json.dumps(results_json(value, seed)))
    return path
