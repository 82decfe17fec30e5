"""`anymask dataset study statistics|correct|quality`: what masks are like, and how good automatic ones are."""

from __future__ import annotations

import json as json_format
from pathlib import Path
from typing import Annotated, Any

import typer

from anymask.cli import console
from anymask.cli.dataset import correct
from anymask.cli.dataset.look import IMAGES
from anymask.cli.options import JSON
from anymask.cli.workplace import DATABASE, STORE, Workplace
from anymask.errors import PathError

app = typer.Typer(help="Study what the masks of datasets are like.", no_args_is_help=True, rich_markup_mode="markdown")
_SOME_FAILED = 1


@app.command("statistics")
def statistics(
    datasets: Annotated[
        list[str], typer.Argument(metavar="[NAME=]DATASET...", help="Datasets in any form that is read, side by side.")
    ],
    out: Annotated[Path, typer.Option(help="Folder for report.html and report.json.")] = Path("anymask_statistics"),
    metadata: Annotated[
        Path | None, typer.Option(help="CSV with a column picture and others.", show_default=False)
    ] = None,
    by: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Break down by this column of it.", show_default=False)
    ] = None,
    images: IMAGES = None,
    json: JSON = False,
) -> None:
    """Where masks lie, how many a picture has, how large and how concave they are, side by side for any DATASETS.

    One picture is in memory at a time; only COCO's and LVIS's JSON is read whole. What was published of SA-1B, Open
    Images, ADE20K, LVIS and COCO stands beside it, with its source. With --metadata and --by everything is told for
    each value of a column too (country, camera, ...); its `picture` is a picture's name, the last part of it, or its
    source.

    **Examples**

    ```
    anymask dataset study statistics dataset
    anymask dataset study statistics ours=dataset coco=instances_val2017.json ade=ADE20K_2021_17_01
    anymask dataset study statistics dataset --metadata origin.csv --by country --out study
    ```
    """
    from anymask.dataset.metadata import group_of, read_column
    from anymask.dataset.sources import read_labelled
    from anymask.dataset.stats import Properties, StatsConfig
    from anymask.dataset.stats_page import Studied, as_json, as_page

    if (metadata is None) != (by is None):
        raise typer.BadParameter("--metadata and --by go together: the file, and which column of it")
    values = read_column(metadata, by) if metadata is not None and by is not None else {}
    config = StatsConfig()
    studied: list[Studied] = []
    for name, path in _named(datasets):
        one = Studied(name, Properties(config))
        with console.progress_bar(f"read {name}", unit="pictures") as update:
            for picture in read_labelled(path, images, one.left_out.__setitem__):
                one.every.add(picture)
                if by is not None:
                    names = (picture.name, picture.name.rpartition("/")[2], picture.notes.source)
                    one.groups.setdefault(group_of(names, values), Properties(config)).add(picture)
                update(one.every.pictures, 0)
        studied.append(one)
    found = as_json(studied, config, by)
    files = _write(out, found, as_page(studied, by))
    if json:
        console.say_json({**found, "files": files})
    else:
        for one in studied:
            a_picture = one.every.masks / one.every.pictures if one.every.pictures else 0.0
            console.say(
                f"{one.name}: {one.every.pictures:,} pictures, {one.every.masks:,} masks, {a_picture:.2f} a picture"
            )
        console.say(f"-> {files['html']}, {files['json']}")
    _end({name: why for one in studied for name, why in one.left_out.items()})


app.command("correct")(correct.correct)


@app.command("quality")
def quality(
    automatic: Annotated[
        Path | None, typer.Argument(metavar="[AUTOMATIC]", help="The dataset of automatic masks.", show_default=False)
    ] = None,
    corrected: Annotated[
        Path | None,
        typer.Argument(
            metavar="[CORRECTED]", help="Masks of some of its pictures, put right by people.", show_default=False
        ),
    ] = None,
    workspace: Annotated[
        Path | None, typer.Option(help="Instead: the workspace of `anymask dataset study correct`.", show_default=False)
    ] = None,
    database: DATABASE = None,
    store: STORE = None,
    name: Annotated[
        str | None, typer.Option(help="The correction's project.", show_default="the only one there is")
    ] = None,
    write: Annotated[
        Path | None,
        typer.Option(help="With --workspace: write the corrected masks as a dataset here.", show_default=False),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for report.html and report.json.")] = Path("anymask_quality"),
    seed: Annotated[int, typer.Option(help="Of the error bars.")] = 0,
    json: JSON = False,
) -> None:
    """How much people had to change: IoU of each automatic mask with its corrected one, by size and by score.

    With --workspace, of what people did in the browser after `anymask dataset study correct`: a mask that was left on a
    finished picture has IoU 1, pictures that nobody finished do not count, and masks that were deleted or added are
    counted apart. Or of any two sets: pictures are matched by the last part of their names (or of their sources'),
    masks one to one by IoU, whatever tool CORRECTED comes from (any form that is read).

    The paper's figures (94 % of pairs above .9, 97 % above .75) stand beside ours, with 95 % bootstrap intervals over
    pictures.

    **Examples**

    ```
    anymask dataset study correct dataset --pictures 500 --workspace study
    anymask dataset study quality --workspace study --write corrected --out quality
    anymask dataset study quality dataset corrected.json --out quality
    ```
    """
    from anymask.data_engine.quality import QualityConfig, as_page, pair_masks, said_of_work, summarise
    from anymask.dataset.sources import read_labelled
    from anymask.evaluation.metrics import BootstrapConfig

    config = QualityConfig(bootstrap=BootstrapConfig(seed=seed))
    left_out: dict[str, str] = {}
    known: dict[str, Any] = {}
    is_worked = workspace is not None or database is not None
    if is_worked and automatic is None:
        place = Workplace(workspace or Path("anymask_correction"), database, store)
        pairs, known = correct.collect(place, name, write)
    elif automatic is not None and corrected is not None and not is_worked and write is None:
        people = read_labelled(corrected, None, left_out.__setitem__)
        pairs = pair_masks(read_labelled(automatic, None, left_out.__setitem__), people, config)
    else:
        raise typer.BadParameter(
            "give --workspace DIR, of what people corrected in the browser, or AUTOMATIC CORRECTED"
        )
    found = summarise(pairs, config) | known | {"left_out": left_out}
    files = _write(out, found, as_page(found, pairs))
    if json:
        console.say_json({**found, "files": files})
    else:
        every = found["every_pair"]
        shares = ", ".join(
            f"{name} {every[name]['mean']:.3f} ({every[name]['low']:.3f} to {every[name]['high']:.3f})"
            for name in ("above .9", "above .75", "mean IoU")
        )
        for line in said_of_work(found):
            console.say(line)
        console.say(f"{found['pairs']:,} pairs on {found['pictures']:,} pictures: {shares}")
        console.say(f"{found['removed']:,} removed, {found['added']:,} added -> {files['html']}, {files['json']}")
    _end(left_out)


def _named(given: list[str]) -> list[tuple[str, Path]]:
    """(name, path) of each NAME=DATASET or DATASET; two of one name are told apart."""
    found: list[tuple[str, Path]] = []
    for text in given:
        name, mark, path = text.partition("=")
        if not mark or Path(text).exists():
            name, path = Path(text).name, text
        while name in [known for known, _ in found]:
            name += "'"
        found.append((name, Path(path)))
    return found


def _write(out: Path, found: dict[str, Any], page: str) -> dict[str, str]:
    from anymask.runs import write_atomically

    files = {"html": out / "report.html", "json": out / "report.json"}
    try:
        out.mkdir(parents=True, exist_ok=True)
        write_atomically(files["json"], json_format.dumps(found, indent=1, allow_nan=False).encode())
        write_atomically(files["html"], page.encode())
    except OSError as error:
        raise PathError(f"{out} cannot be written ({error.strerror}); name another folder with --out") from error
    return {key: str(path) for key, path in files.items()}


def _end(left_out: dict[str, str]) -> None:
    if left_out:
        console.warn(f"{len(left_out)} pictures could not be read; the JSON names each")
        raise typer.Exit(_SOME_FAILED)
