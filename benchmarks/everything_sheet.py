"""Everything-mode on photographs, as one picture to look at.

    python -m benchmarks.everything_sheet demo/*.jpg demo/plates/food_plates/*.webp --out docs/pictures/everything.jpg

Each picture with every mask that the preset leaves, and their number. `--skimage NAME` adds one of scikit-image's.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from skimage import data

sys.path.insert(0, str(Path(__file__).parents[1]))

import anymask
from anymask.figures import contact_sheet, encode, overlay
from anymask.images.load import load_image
from anymask.predict.automatic import AutomaticConfig


def main(arguments: list[str]) -> None:
    """Draw the sheet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", nargs="*", type=Path)
    parser.add_argument("--skimage", action="append", default=[], metavar="NAME")
    parser.add_argument("--model", default="tiny")
    parser.add_argument("--preset", default="tiny")
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args(arguments)
    predictor = anymask.Predictor(anymask.load(asked.model))
    pictures = {path.stem: load_image(path).pixels for path in asked.pictures}
    pictures |= {name: load_image(getattr(data, name)()).pixels for name in asked.skimage}
    tiles, titles = [], []
    for name, pixels in pictures.items():
        masks = anymask.segment_everything(predictor, pixels, AutomaticConfig.named(asked.preset))
        tiles.append(overlay(pixels, masks))
        titles.append(f"{name}: {len(masks)}")
        print(titles[-1])
    asked.out.write_bytes(encode(contact_sheet(tiles, titles, columns=4, tile_px=320), "jpeg"))


if __name__ == "__main__":
    main(sys.argv[1:])
