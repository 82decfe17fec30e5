"""What `make demo` runs: real photographs, the model in the package, a click, a box, and everything.

python demo/run.py [FOLDER]        writes to demo_output/ in the current folder unless told otherwise
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

import anymask
from anymask.cli.main import main as command_line
from anymask.figures import contact_sheet, encode, overlay
from anymask.images.load import load_image
from anymask.predict.prediction import Prediction

HERE = Path(os.path.relpath(Path(__file__).parent))


@dataclass(frozen=True, slots=True)
class Question:
    """A photograph with what is asked about it, in its own pixels."""

    photo: Path
    click: tuple[float, float]
    box: tuple[float, float, float, float]


QUESTIONS = (
    Question(HERE / "cat.jpg", (200, 200), (0, 0, 380, 300)),
    Question(HERE / "astronaut.jpg", (225, 80), (150, 15, 305, 190)),
    Question(HERE / "coins.jpg", (154, 123), (245, 95, 300, 148)),
)

Pixels = npt.NDArray[np.uint8]


def main(out: Path) -> None:
    """Write every picture and the JSON into `out`, and print how long it takes and what was found."""
    out.mkdir(parents=True, exist_ok=True)
    photos = [str(question.photo) for question in QUESTIONS]
    arguments = [
        "segment",
        *photos,
        "--everything",
        "--format",
        "sa1b",
        "--format",
        "overlay",
        "--out",
        str(out),
    ]
    print("anymask " + " ".join(arguments), flush=True)
    code = command_line(arguments)
    if code:
        sys.exit(code)

    predictor = anymask.Predictor(anymask.load("tiny"))
    tiles, names = [], []
    for question in QUESTIONS:
        predictor.set_image(question.photo)
        picture = load_image(question.photo).pixels
        stem = question.photo.stem
        click = predictor.predict(anymask.Prompt(points_xy=np.array([question.click], np.float32)))
        box = predictor.predict(anymask.Prompt(box_xyxy=np.array(question.box, np.float32)))
        clicks, boxes = draw_answers(picture, click), draw_answers(picture, box)
        everything = load_image(out / f"{stem}_overlay.png").pixels
        save(out / f"{stem}_click.png", contact_sheet(clicks, titles(click), columns=3, tile_px=400))
        save(out / f"{stem}_box.png", boxes[0])
        tiles += [clicks[0], boxes[0], everything]
        names += [f"click, {titles(click)[0]}", f"box, {titles(box)[0]}", "everything"]
    save(out / "demo.jpg", contact_sheet(tiles, names, columns=3, tile_px=420))
    print(
        f"picture to embedding {typical_ms(lambda: predictor.embed(QUESTIONS[-1].photo)):.0f} ms, "
        f"a click {typical_ms(lambda: predictor.predict(click.prompt)):.0f} ms (medians of 5)"
    )
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
