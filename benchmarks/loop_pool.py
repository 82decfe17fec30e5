"""The pool on which the data engine's loop and fine-tuning are shown, cut in two by picture.

    python -m benchmarks.loop_pool ../shared/data/train-*.tar --out pool

Takes the sets car_parts and facades out of label-map shards: 70 % of their pictures go to OUT/train.tar, the others to
OUT/held.tar, by the same hash of their names as `anymask dataset split` (seed 0). Files are copied as they are.
"""

from __future__ import annotations

import argparse
import sys
import tarfile
from collections import Counter
from contextlib import ExitStack
from pathlib import Path, PurePosixPath

sys.path.insert(0, str(Path(__file__).parents[1]))

from anymask.dataset.choose import part_of

SETS = ("car_parts", "facades")
PARTS = {"train": 0.7, "held": 0.3}


def main(arguments: list[str]) -> Counter[str]:
    """Write the two shards; how many pictures each got."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shards", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args(arguments)
    asked.out.mkdir(parents=True, exist_ok=True)
    pictures: Counter[str] = Counter()
    with ExitStack() as stack:
        parts = {name: stack.enter_context(tarfile.open(asked.out / f"{name}.tar", "w")) for name in PARTS}
        for shard in asked.shards:
            with tarfile.open(shard) as archive:
                for member in archive:
                    path = PurePosixPath(member.name)
                    if not member.isfile() or path.parts[0] not in SETS:
                        continue
                    picture = str(path.with_name(path.stem.partition("__")[0]))
                    part = part_of(picture, PARTS, seed=0)
                    parts[part].addfile(member, archive.extractfile(member))
                    pictures[part] += path.suffix != ".png"
    for name in PARTS:
        print(f"{asked.out / name}.tar: {pictures[name]} pictures")
    return pictures


if __name__ == "__main__":
    main(sys.argv[1:])
