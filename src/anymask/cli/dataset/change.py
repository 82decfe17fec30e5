"""`anymask dataset convert|split|merge|sample`: in another form, in parts, joined, a few pictures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from anymask.cli import console
from anymask.cli.dataset.look import DATASET, IMAGES
from anymask.cli.options import JSON
from anymask.errors import ConfigError

if TYPE_CHECKING:
    from anymask.dataset.labelled_picture import LabelledPicture

_NAMED = 20
_SOME_FAILED = 1


class Form(StrEnum):
    """A form in which a dataset is written."""

    SA1B = "sa1b"
    COCO = "coco"
    LVIS = "lvis"
    LABELS = "labels"


OUT = Annotated[Path, typer.Argument(metavar="OUT", help="Folder to write.")]
PER_SHARD = Annotated[int, typer.Option(help="Pictures of each shard but the last.", min=1)]
NAME = Annotated[str | None, typer.Option(help="Title of the card.", show_default="the folder's name")]
SEED = Annotated[int, typer.Option(help="Of the draw.")]


def convert(
    dataset: DATASET,
    out: OUT,
    to: Annotated[Form, typer.Option(help="The form to write.")] = Form.SA1B,
    images: IMAGES = None,
    licence: Annotated[
        str | None, typer.Option(help="Terms of pictures that state none.", show_default="not stated")
    ] = None,
    name: NAME = None,
    pictures_per_shard: PER_SHARD = 1000,
    plain: Annotated[
        bool, typer.Option("--plain", help="SA-1B's keys alone, for readers that allow no others.")
    ] = False,
    json: JSON = False,
) -> None:
    """Write DATASET in another form: SA-1B's shards, COCO's or LVIS's JSON, or label maps; pictures go along.

    Masks come out pixel by pixel the same. What a form has no place for is lost: scores, clicks and origins in label
    maps (which take as many layers as keep every mask whole); clicks, crops and origins in JSON of COCO and LVIS;
    classes in SA-1B's shards. Pictures become JPEG without metadata; one that is JPEG already keeps its pixels. Shards
    say of each picture its licence, source and how its masks were made under keys of our own; with --plain the card
    alone does.

    **Examples**

    ```
    anymask dataset convert annotations/instances_val2017.json coco_shards --images val2017
    anymask dataset convert dataset for_others --to coco
    anymask dataset convert sa_000020.tar labels --to labels
    anymask dataset convert dataset for_strict_readers --plain
    ```
    """
    from anymask.dataset.convert import write_coco, write_label_maps
    from anymask.dataset.write import WriteConfig, write_dataset

    if plain and to is not Form.SA1B:
        raise ConfigError(f"--plain is of SA-1B's shards, not of {to.value}; leave it out")
    left_out: dict[str, str] = {}
    with console.progress_bar("convert", unit="pictures") as update:
        pictures = _with_licence(_read(dataset, images, left_out, update), licence)
        if to is Form.SA1B:
            config = WriteConfig(name=name or out.name, pictures_per_shard=pictures_per_shard, plain=plain)
            card = write_dataset(out, pictures, config, left_out=left_out)
            written, masks = card.pictures, card.masks
        elif to is Form.LABELS:
            done = write_label_maps(out, pictures, left_out)
            written, masks = done.pictures, done.masks
        else:
            done = write_coco(out, pictures, left_out, as_lvis=to is Form.LVIS)
            written, masks = done.pictures, done.masks
    _end({"out": str(out), "form": to.value, "pictures": written, "masks": masks}, left_out, as_json=json)


def split(
    dataset: DATASET,
    out: OUT,
    part: Annotated[list[str], typer.Option(metavar="NAME=SHARE", help="A part and its share; give two or more.")],
    seed: SEED = 0,
    images: IMAGES = None,
    pictures_per_shard: PER_SHARD = 1000,
    json: JSON = False,
) -> None:
    """Cut DATASET into parts by a hash of each picture's name, each written to OUT/NAME as SA-1B's shards.

    A picture stays in its part when pictures are added later or come in another order.

    **Examples**

    ```
    anymask dataset split dataset parts --part train=0.9 --part val=0.1
    ```
    """
    from anymask.dataset.choose import check_parts, part_of
    from anymask.dataset.write import WriteConfig, write_dataset

    parts = _read_parts(part)
    check_parts(parts)
    left_out: dict[str, str] = {}
    counts: dict[str, int] = {}
    # A pass for each part: one picture is in memory at a time, and every part is one plain dataset.
    for name in parts:
        with console.progress_bar(f"write {name}", unit="pictures") as update:
            chosen = (p for p in _read(dataset, images, left_out, update) if part_of(p.name, parts, seed) == name)
            config = WriteConfig(name=f"{out.name}, {name}", pictures_per_shard=pictures_per_shard)
            counts[name] = write_dataset(out / name, chosen, config, left_out=left_out).pictures
    _end({"out": str(out), "parts": counts}, left_out, as_json=json)


def merge(
    datasets: Annotated[
        list[Path], typer.Argument(metavar="DATASET... OUT", help="Datasets, last the folder to write.")
    ],
    renumber: Annotated[bool, typer.Option("--renumber", help="Number all pictures anew, from 1 in order.")] = False,
    name: NAME = None,
    pictures_per_shard: PER_SHARD = 1000,
    json: JSON = False,
) -> None:
    """Join DATASETS as SA-1B's shards. Licence, origin and source of each picture stay beside it.

    Pictures called sa_N keep N; when two have the same, nothing is written unless --renumber is given.

    **Examples**

    ```
    anymask dataset merge mine theirs all --renumber
    ```
    """
    from anymask.dataset.write import WriteConfig, write_dataset

    if len(datasets) < 2:
        raise typer.BadParameter("give at least one DATASET and then the folder OUT")
    *given, out = datasets
    left_out: dict[str, str] = {}
    config = WriteConfig(name=name or out.name, pictures_per_shard=pictures_per_shard, keep_numbers=not renumber)
    with console.progress_bar("merge", unit="pictures") as update:
        pictures = (picture for one in given for picture in _read(one, None, left_out, update))
        card = write_dataset(out, pictures, config, left_out=left_out)
    _end({"out": str(out), "pictures": card.pictures, "masks": card.masks}, left_out, as_json=json)


def sample(
    dataset: DATASET,
    out: OUT,
    pictures: Annotated[int, typer.Option(help="How many.", min=1)] = 500,
    seed: SEED = 0,
    images: IMAGES = None,
    pictures_per_shard: PER_SHARD = 1000,
    json: JSON = False,
) -> None:
    """Write some pictures of DATASET, each as likely as any other, as SA-1B's shards.

    The draw is by a hash of names: the same seed draws the same pictures, most of them again when it grows.

    **Examples**

    ```
    anymask dataset sample dataset to_correct --pictures 500
    ```
    """
    from anymask.dataset.choose import sample_names
    from anymask.dataset.write import WriteConfig, write_dataset

    left_out: dict[str, str] = {}
    with console.progress_bar("draw", unit="pictures") as update:
        drawn = sample_names((one.name for one in _read(dataset, images, left_out, update)), pictures, seed)
    with console.progress_bar("write", unit="pictures") as update:
        chosen = (one for one in _read(dataset, images, left_out, update) if one.name in drawn)
        config = WriteConfig(name=out.name, pictures_per_shard=pictures_per_shard)
        card = write_dataset(out, chosen, config, left_out=left_out)
    _end({"out": str(out), "pictures": card.pictures, "masks": card.masks}, left_out, as_json=json)


def _read(
    dataset: Path, images: Path | None, left_out: dict[str, str], update: console.Update
) -> Iterator[LabelledPicture]:
    from anymask.dataset.sources import read_labelled

    for count, picture in enumerate(read_labelled(dataset, images, left_out.__setitem__), start=1):
        update(count, 0)
        yield picture


def _with_licence(pictures: Iterator[LabelledPicture], licence: str | None) -> Iterator[LabelledPicture]:
    from anymask.dataset.provenance import UNKNOWN

    for picture in pictures:
        if licence is not None and picture.notes.licence == UNKNOWN:
            yield replace(picture, notes=replace(picture.notes, licence=licence))
        else:
            yield picture


def _read_parts(given: Sequence[str]) -> dict[str, float]:
    parts: dict[str, float] = {}
    for text in given:
        name, _, share = text.partition("=")
        try:
            parts[_folder_name(name)] = float(share)
        except ValueError as error:
            raise ConfigError(f"--part is {text!r}, expected a name and a share, as train=0.9") from error
    return parts


def _folder_name(name: str) -> str:
    from anymask.images.paths import check_name

    if len(check_name(name).parts) != 1:
        raise ConfigError(f"the part {name!r} is no single folder name, as train")
    return name


def _end(facts: dict[str, Any], left_out: dict[str, str], *, as_json: bool) -> None:
    """Say what was written and what was not; the exit code is 1 when something was left out."""
    if as_json:
        console.say_json({**facts, "left_out": left_out})
    else:
        console.say(", ".join(f"{key.replace('_', ' ')} {_shown(value)}" for key, value in facts.items()))
        for name, why in list(left_out.items())[:_NAMED]:
            console.warn(f"left out {name}: {why}")
    if left_out:
        console.warn(f"{len(left_out)} pictures were left out")
        raise typer.Exit(_SOME_FAILED)


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {count:,}" for key, count in value.items())
    return f"{value:,}" if isinstance(value, int) else str(value)
