"""What `make demo` runs: a real photograph, the model in the package, a click, a box, and everything.

python demo/run.py [FOLDER]        writes to demo_output/ unless told otherwise
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt

import anymask
from anymask.cli.main import main as command_line
from anymask.figures import contact_sheet, encode, overlay
from anymask.images.load import load_image
from anymask.predict.prediction import Prediction

HERE = Path(__file__).parent
PHOTO = HERE / "coffee.jpg"
CLICK = anymask.Prompt(points_xy=np.array([[300.0, 145.0]], np.float32))
BOX = anymask.Prompt(box_xyxy=np.array([170.0, 12.0, 430.0, 325.0], np.float32))

Pixels = npt.NDArray[np.uint8]


def main(out: Path) -> None:
    """Write every picture and the JSON into `out`, and print what was found and how long it took."""
    out.mkdir(parents=True, exist_ok=True)
    started = time.perf_counter()
    predictor = anymask.Predictor(anymask.load("tiny"))
    picture = load_image(PHOTO)
    loaded = time.perf_counter()
    predictor.set_image(picture)
    embedded = time.perf_counter()
    click = predictor.predict(CLICK)
    answered = time.perf_counter()
    box = predictor.predict(BOX)
    print(
        f"load {loaded - started:.1f} s, embed the picture {1000 * (embedded - loaded):.0f} ms, "
        f"answer a click {1000 * (answered - embedded):.0f} ms"
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


def save(path: Path, pixels: Pixels) -> None:
    path.write_bytes(encode(pixels, "jpeg" if path.suffix == ".jpg" else "png"))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE.parent / "demo_output")
