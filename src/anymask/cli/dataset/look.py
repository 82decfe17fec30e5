"""`anymask dataset info|check|show`: what is in a dataset, what is wrong with it, how a picture of it looks."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from anymask.cli import console
from anymask.cli.options import JSON
from anymask.errors import DatasetError, PathError

if TYPE_CHECKING:
    from anymask.dataset.labelled_picture import LabelledPicture

DATASET = Annotated[
    Path,
    typer.Argument(
        metavar="DATASET",
        help="Tar shards' folder, one shard, a folder of sets, SA-1B's files, COCO's or LVIS's .json, ADE20K's folder, "
        "or Open Images' mask .csv.",
    ),
]
IMAGES = Annotated[
    Path | None,
    typer.Option(
        help="Folder of the pictures that a .json names, or of the masks that a .csv names.", show_default="beside it"
    ),
]
_NAMED = 20
_SOME_FAILED = 1


def info(dataset: DATASET, images: IMAGES = None, json: JSON = False) -> None:
    """Count what is in DATASET: pictures, masks, sizes, classes, licences, how the masks were made.

    Pictures are not decoded (`check` does that); one is in memory at a time. Damaged ones are named, and the exit code
    is then 1.

    **Examples**

    ```
    anymask dataset info dataset
    anymask dataset info annotations/instances_val2017.json --images val2017
    anymask dataset info sa_000020.tar --json
    ```
    """
    from anymask.dataset.card import Tally, read_card
    from anymask.dataset.provenance import SCHEMA, Notes
    from anymask.dataset.sources import Source, find_form, read_labelled
    from anymask.runs import to_plain

    bad: dict[str, str] = {}
    tally, pictures, masks = Tally(), 0, 0
    schema, of_records = 0, find_form(dataset) is Source.RECORDS
    classes: Counter[str] = Counter()
    sides: list[int] = []
    with console.progress_bar("read", unit="pictures") as update:
        for picture in read_labelled(dataset, images, bad.__setitem__):
            pictures += 1
            masks += len(picture.masks)
            tally.add(picture)
            if of_records and picture.notes != Notes():
                schema = SCHEMA
            classes.update(picture.categories)
            short, long = sorted(picture.masks.size_hw)
            sides = [min(short, *sides[:1], short), max(long, *sides[1:], long)] if sides else [short, long]
            update(pictures, 0)
    card = read_card(dataset) if dataset.is_dir() else None
    facts: dict[str, Any] = {
        "dataset": str(dataset),
        "name": card.name if card else None,
        "schema": card.schema if card else schema,
        "pictures": pictures,
        "masks": masks,
        "masks_a_picture": round(masks / pictures, 3) if pictures else 0.0,
        "shortest_side_px": sides[0] if sides else None,
        "longest_side_px": sides[1] if sides else None,
        "licences": dict(tally.licences),
        "blurred": dict(tally.blurred),
        "made": [{**to_plain(made), "masks": count} for made, count in tally.made.items()],
        "classes": dict(classes.most_common()),
        "damaged": bad,
    }
    if json:
        console.say_json(facts)
    else:
        _say_info(facts)
    _end(bad)


def _say_info(facts: dict[str, Any]) -> None:
    console.say(f"{facts['dataset']}: {facts['name'] or 'no card'}, schema {facts['schema']}")
    console.say(
        f"{facts['pictures']:,} pictures, {facts['masks']:,} masks ({facts['masks_a_picture']} a picture), sides of "
        f"{facts['shortest_side_px']} to {facts['longest_side_px']} px"
    )
    for licence, count in facts["licences"].items():
        console.say(f"licence: {licence} ({count:,} pictures)")
    for made in facts["made"]:
        by = f" by {made['model']} ({made['model_sha256'][:12]})" if made["model"] else ""
        console.say(f"masks: {made['stage']}{by} ({made['masks']:,})")
    for what, count in facts["blurred"].items():
        console.say(f"blurred: {what or 'not looked for'} ({count:,} pictures)")
    if facts["classes"]:
        most = ", ".join(f"{name} {count:,}" for name, count in list(facts["classes"].items())[:10])
        console.say(f"classes: {len(facts['classes']):,}, most often {most}")


def check(dataset: DATASET, images: IMAGES = None, json: JSON = False) -> None:
    """Look for damage in DATASET: decode every picture, parse every mask, compare every shard with the card.

    Found are shards that are cut, compressed or changed; members that are unsafe, double or too large; pictures that
    are no whole picture; masks that are malformed, of another size or not of their stated area; numbers that come
    twice. Each is named; the exit code is 1 when there is any. Nothing is changed.

    **Examples**

    ```
    anymask dataset check dataset
    anymask dataset check sa_000020.tar --json
    ```
    """
    from anymask.dataset.check import check_dataset

    with console.progress_bar("check", unit="pictures") as update:
        found = check_dataset(dataset, images, lambda done: update(done, 0))
    if json:
        console.say_json(
            {
                "dataset": str(dataset),
                "pictures": found.pictures,
                "masks": found.masks,
                "empty_masks": found.empty_masks,
                "pictures_without_masks": found.pictures_without_masks,
                "damaged": found.bad,
            }
        )
    else:
        console.say(
            f"{dataset}: {found.pictures:,} pictures and {found.masks:,} masks are whole; {len(found.bad):,} things "
            f"are damaged; {found.empty_masks:,} masks are empty, {found.pictures_without_masks:,} pictures have none"
        )
    _end(found.bad)


def show(
    dataset: DATASET,
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="Which picture.", show_default="the first")
    ] = None,
    index: Annotated[
        int | None, typer.Option(help="Which picture by place, from 0.", min=0, show_default=False)
    ] = None,
    out: Annotated[Path, typer.Option(help="PNG file to write.")] = Path("picture.png"),
    images: IMAGES = None,
    json: JSON = False,
) -> None:
    """Draw one picture of DATASET with its masks, and say what is known of it.

    NAME is the picture's own (`SET/ID`, or only its last part, or a file name of a .json).

    **Examples**

    ```
    anymask dataset show dataset sa_17 --out sa_17.png
    anymask dataset show train-00.tar --index 250
    ```
    """
    from anymask.figures import encode, overlay
    from anymask.images.load import load_image
    from anymask.runs import to_plain, write_atomically

    picture = _find(dataset, images, name, index)
    pixels = load_image(picture.image_bytes()).pixels
    try:
        write_atomically(out, encode(overlay(pixels, picture.masks)))
    except OSError as error:
        raise PathError(f"{out} cannot be written ({error.strerror}); name another file with --out") from error
    facts = {
        "name": picture.name,
        "size_hw": list(picture.masks.size_hw),
        "masks": len(picture.masks),
        "notes": to_plain(picture.notes),
        "classes": list(picture.categories),
        "file": str(out),
    }
    if json:
        console.say_json(facts)
    else:
        height, width = picture.masks.size_hw
        console.say(f"{picture.name}: {width} x {height}, {len(picture.masks)} masks, {picture.notes.licence} -> {out}")


def _find(dataset: Path, images: Path | None, name: str | None, index: int | None) -> LabelledPicture:
    from anymask.dataset.sources import read_labelled

    for place, picture in enumerate(read_labelled(dataset, images, lambda _name, _why: None)):
        if (name is None and place == (index or 0)) or (name is not None and _is_named(picture.name, name)):
            return picture
    wanted = f"no picture {name}" if name is not None else f"fewer than {(index or 0) + 1} pictures"
    raise DatasetError(f"{dataset} has {wanted}; `anymask dataset info` counts them")


def _is_named(full: str, name: str) -> bool:
    return name in (full, full.rpartition("/")[2])


def _end(bad: dict[str, str]) -> None:
    """Name what is damaged; the exit code is then 1."""
    for name, why in list(bad.items())[:_NAMED]:
        console.warn(f"{name}: {why}")
    if len(bad) > _NAMED:
        console.warn(f"and {len(bad) - _NAMED} more; --json names all")
    if bad:
        raise typer.Exit(_SOME_FAILED)
