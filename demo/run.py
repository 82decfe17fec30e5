"""What `make demo` runs: a real photograph, the model in the package, a click, a box, and everything.

python demo/run.py [FOLDER]        writes to demo_output/ in the current folder unless told otherwise
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

import anymask
from anymask.cli.main import main as command_line
from anymask.figures import contact_sheet, encode, overlay
from anymask.images.load import load_image
from anymask.predict.prediction import Prediction

HERE = Path(os.path.relpath(Path(__file__).parent))
PHOTO = HERE / "coffee.jpg"
CLICK = anymask.Prompt(points_xy=np.array([[300.0, 145.0]], np.float32))
BOX = anymask.Prompt(box_xyxy=np.array([172.0, 15.0, 411.0, 308.0], np.float32))

Pixels = npt.NDArray[np.uint8]


def main(out: Path) -> None:
    """Write every picture and the JSON into `out`, and print how long it takes and what was found."""
    out.mkdir(parents=True, exist_ok=True)
    predictor = anymask.Predictor(anymask.load("tiny"))
    picture = load_image(PHOTO)
    predictor.set_image(picture)
    click, box = predictor.predict(CLICK), predictor.predict(BOX)
    print(
        f"picture to embedding {typical_ms(lambda: predictor.embed(picture)):.0f} ms, "
        f"a click {typical_ms(lambda: predictor.predict(CLICK)):.0f} ms (medians of 5)"
    )

    clicks, boxed = draw_answers(picture.pixels, click), draw_answers(picture.pixels, box)
    arguments = ["segment", str(PHOTO), "--everything", "--format", "sa1b", "--format", "overlay", "--out", str(out)]
    print("anymask " + " ".join(arguments), flush=True)
    code = command_line(arguments)
    if code:
        sys.exit(code)
    everything = load_image(out / "coffee_overlay.png").pixels

    save(out / "click.png", contact_sheet(clicks, titles(click), columns=3, tile_px=400))
    save(out / "box.png", boxed[0])
    tiles = [picture.pixels, *clicks, boxed[0], everything]
    names = ["the picture", *(f"click: {title}" for title in titles(click)), "box", "everything"]
    save(out / "demo.jpg", contact_sheet(tiles, names, columns=3, tile_px=420))
    print(f"look at {out}/demo.jpg")


def draw_answers(pixels: Pixels, answer: Prediction) -> list[Pixels]:
    """One picture a mask, best first, with the prompt on it."""
    masks = answer.masks()
    return [overlay(pixels, [masks[i]], prompts=[answer.prompt], alpha=0.55) for i in order(answer)]


def titles(answer: Prediction) -> list[str]:
    """The predicted IoU of each mask, best first."""
    return [f"predicted IoU {answer.predicted_iou[i]:.2f}" for i in order(answer)]


def order(answer: Prediction) -> list[int]:
    """Indices of the masks, best first."""
    return [int(i) for i in np.argsort(-answer.predicted_iou, kind="stable")]


def typical_ms(work: Callable[[], object]) -> float:
    """Median of 5 runs, in milliseconds."""
    spent = []
    for _ in range(5):
        started = time.perf_counter()
        work()
        spent.append(1000 * (time.perf_counter() - started))
    return statistics.median(spent)


def save(path: Path, pixels: Pixels) -> None:
    path.write_bytes(encode(pixels, "jpeg" if path.suffix == ".jpg" else "png"))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("demo_output"))
