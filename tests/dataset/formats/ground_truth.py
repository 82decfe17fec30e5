"""COCO and LVIS files drawn at random: masks as polygons and run lengths, categories, crowds, federation."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from anymask.masks import rle

Json = dict[str, Any]
SIZE_HW = (60, 90)


def ellipse(rng: np.random.Generator, size_hw: tuple[int, int] = SIZE_HW) -> npt.NDArray[np.bool_]:
    """(H, W) an ellipse somewhere in the picture, at least one pixel."""
    height, width = size_hw
    y, x = np.mgrid[:height, :width]
    centre, radius = rng.uniform(0, 1, 2) * size_hw, rng.uniform(1.5, 0.4 * height, 2)
    mask = ((y - centre[0]) / radius[0]) ** 2 + ((x - centre[1]) / radius[1]) ** 2 <= 1
    mask[min(int(centre[0]), height - 1), min(int(centre[1]), width - 1)] = True
    return np.asarray(mask)


def coco_json(seed: int = 0, pictures: int = 6, categories: int = 3, crowds: bool = True) -> Json:
    """A COCO file of `pictures` with 0 to 7 masks each; some are polygons, some crowds."""
    rng = np.random.default_rng(seed)
    images = [
        {"id": 10 + index, "file_name": f"{index}.jpg", "height": SIZE_HW[0], "width": SIZE_HW[1]}
        for index in range(pictures)
    ]
    annotations: list[Json] = []
    for image in images:
        for _ in range(int(rng.integers(0, 8))):
            annotations.append(_annotation(rng, image, len(annotations) + 1, categories, crowds))
    names = [{"id": key, "name": f"thing {key}"} for key in range(1, categories + 1)]
    return {"images": images, "annotations": annotations, "categories": names}


def lvis_json(seed: int = 0, pictures: int = 6, categories: int = 6) -> Json:
    """The same as LVIS: no crowds, each category rare, common or frequent, absent here and not exhaustive there."""
    rng = np.random.default_rng(1000 + seed)
    value = coco_json(seed, pictures, categories, crowds=False)
    for category in value["categories"]:
        category |= {"frequency": "rcf"[category["id"] % 3], "image_count": 1, "instance_count": 1, "synset": "a.n.01"}
    for image in value["images"]:
        present = {one["category_id"] for one in value["annotations"] if one["image_id"] == image["id"]}
        others = [key for key in range(1, categories + 1) if key not in present]
        image["neg_category_ids"] = [key for key in others if rng.random() < 0.5]
        image["not_exhaustive_category_ids"] = [key for key in sorted(present) if rng.random() < 0.4]
        del image["file_name"]
        image["coco_url"] = f"http://images.example.org/val2017/{image['id']:012d}.jpg"
    return value


def results_json(value: Json, seed: int = 0, categories: int | None = None) -> list[Json]:
    """A detector's masks with boxes and scores: true ones moved a little, doubles, others where nothing is."""
    rng = np.random.default_rng(2000 + seed)
    known = [category["id"] for category in value["categories"]][:categories]
    results = []
    for image in value["images"]:
        truths = [one for one in value["annotations"] if one["image_id"] == image["id"]]
        masks = [
            (np.roll(truth["_mask"], rng.integers(-3, 4, 2), (0, 1)), truth["category_id"]) for truth in truths * 2
        ]
        masks += [(ellipse(rng), int(rng.choice(known))) for _ in range(4)]
        for mask, category in masks:
            category_id = category if rng.random() < 0.8 else int(rng.choice(known))
            results.append(
                {
                    "image_id": image["id"],
                    "category_id": category_id,
                    "score": float(np.round(rng.random(), 2)),  # rounded, so that some are equal
                    "segmentation": rle.to_json(rle.encode(mask)),
                    "bbox": _box(mask),
                }
            )
    return results


def without_masks(value: Json) -> Json:
    """The file as it would be on disk: without the arrays that `results_json` starts from."""
    annotations = [{key: part for key, part in one.items() if key != "_mask"} for one in value["annotations"]]
    return {**value, "annotations": annotations}


def _annotation(rng: np.random.Generator, image: Json, number: int, categories: int, crowds: bool) -> Json:
    mask = ellipse(rng)
    crowd = crowds and rng.random() < 0.15
    segmentation: Any = rle.to_json(rle.encode(mask))
    if not crowd and rng.random() < 0.4:
        x0, y0, width, height = _box(mask)
        segmentation = [[x0, y0, x0 + width, y0, x0 + width, y0 + height]]
        mask = rle.decode(_polygon(segmentation))
    return {
        "id": number,
        "image_id": image["id"],
        "category_id": int(rng.integers(1, categories + 1)),
        "segmentation": segmentation,
        # Not the mask's own, as in COCO, where it is the polygon's; times 10, so that all sizes are met.
        "area": float(np.round(mask.sum() * 10 * rng.uniform(0.9, 1.1), 2)),
        "bbox": _box(mask),
        "iscrowd": int(crowd),
        "_mask": mask,
    }


def _polygon(segmentation: list[list[float]]) -> rle.Rle:
    from anymask.masks import polygons

    return polygons.from_polygons(segmentation, SIZE_HW)


def _box(mask: npt.NDArray[np.bool_]) -> list[float]:
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if len(rows) == 0:
        return [0.0, 0.0, 0.0, 0.0]
    return [float(columns[0]), float(rows[0]), float(np.ptp(columns) + 1), float(np.ptp(rows) + 1)]
