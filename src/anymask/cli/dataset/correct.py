"""`anymask dataset study correct`: automatic masks before annotators, to be put right; and what they made of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from anymask.cli import console
from anymask.cli.dataset.look import IMAGES
from anymask.cli.options import DEVICE, MODEL
from anymask.cli.workplace import ADD_ONLY, DATABASE, NO_BROWSER, PORT, STORE, Workplace

if TYPE_CHECKING:
    from anymask.data_engine.quality import Pairs

WORKSPACE = Annotated[
    Path, typer.Option(help="Folder of the database and pictures; another run goes on with what is in it.")
]
NAMED = 5
"""Pictures that were left out are named up to this many."""


def correct(
    dataset: Annotated[
        Path, typer.Argument(metavar="DATASET", help="Automatic masks, in any form that is read.", show_default=False)
    ],
    pictures: Annotated[int, typer.Option(help="How many to draw; the paper's study had 500.", min=1)] = 500,
    seed: Annotated[int, typer.Option(help="Of the draw.")] = 0,
    images: IMAGES = None,
    workspace: WORKSPACE = Path("anymask_correction"),
    database: DATABASE = None,
    store: STORE = None,
    name: Annotated[str, typer.Option(help="Of the project.")] = "Correction",
    add_only: ADD_ONLY = False,
    model: MODEL = "tiny",
    device: DEVICE = "cpu",
    port: PORT = 8324,
    no_browser: NO_BROWSER = False,
) -> int:
    """Draw pictures of DATASET, and put their masks before annotators to be put right.

    Alone, the tool opens on this machine without a sign-in. For a team, add the project to the workspace (or database
    and store) of its server. Each picture is one annotator's at a time; a mask that is left counts as right when its
    picture is finished. The same command goes on where it was stopped. `anymask dataset study quality` reports.

    **Examples**

    ```
    anymask dataset study correct dataset --pictures 500 --workspace study
    anymask dataset study correct dataset --pictures 500 --workspace team --add-only
    ```
    """
    from anymask.data_engine import correction
    from anymask.dataset.choose import sample_names
    from anymask.dataset.sources import list_keys, read_labelled
    from anymask.errors import InputError
    from anymask.server.schemas import ProjectSettings

    place = Workplace(workspace, database, store)
    drawn = correction.Drawn(dataset=dataset.resolve().name, pictures=pictures, seed=seed)
    chosen = sample_names(list_keys(dataset, images), pictures, seed)
    left_out: dict[str, str] = {}
    masks = 0
    with place.opened() as (opened, blobs), console.progress_bar("add", unit="pictures") as update:
        owner, settings = place.owner(opened), ProjectSettings().model_dump(mode="json")
        project_id = opened.write(lambda session: correction.begin(session, name, drawn, settings, owner, opened))
        found = read_labelled(dataset, images, left_out.__setitem__, wanted=chosen)
        for done, picture in enumerate(found, start=1):
            try:
                masks += correction.add(opened, blobs, project_id, picture)
            except InputError as error:
                left_out[picture.name] = str(error)
            update(done, len(chosen))
    told = console.say if add_only else console.warn
    told(f"project {project_id}, {name!r}: {len(chosen) - len(left_out):,} pictures, {masks:,} new masks")
    for picture_name, why in list(left_out.items())[:NAMED]:
        console.warn(f"left out {picture_name}: {why}")
    if add_only:
        console.say(f"it is in {place.database_shown}; anymask serve shows it to its members")
        return 1 if left_out else 0
    title = f"correct {dataset}"
    path = f"/projects/{project_id}/annotate"
    return place.serve(path, port, no_browser=no_browser, work=True, title=title, model=model, device=device)


def collect(place: Workplace, name: str | None, out: Path | None) -> tuple[Pairs, dict[str, Any]]:
    """The pairs of a correction, and what people did; with `out`, the corrected masks are written there as shards."""
    from anymask.data_engine import correction
    from anymask.dataset.write import WriteConfig, write_dataset
    from anymask.runs import to_plain

    with place.opened(made_by="anymask dataset study correct DATASET") as (opened, blobs):
        project_id = opened.read(lambda session: correction.find(session, name).id)
        pairs, work = opened.read(lambda session: correction.collect(session, project_id))
        if out is not None and not work.finished:
            console.warn(f"no picture is finished yet, so nothing was written to {out}; finish one in the tool")
        elif out is not None:
            notes = ("Automatic masks, looked at and put right by people (`anymask dataset study correct`).",)
            write_dataset(out, correction.corrected(opened, blobs, project_id), WriteConfig(name=out.name), notes=notes)
    return pairs, {"work": to_plain(work)}
