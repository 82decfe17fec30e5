"""`anymask evaluate datasets`: the data of the paper's experiments, what of it is there, and how to get the rest."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from anymask.cli import console
from anymask.cli.options import JSON


def datasets(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="Say how to get these.", show_default=False)
    ] = None,
    suite: Annotated[Path, typer.Option(metavar="DIR", help="The folder of the suite.")] = Path("datasets"),
    json: JSON = False,
) -> None:
    """The paper's 23 datasets: which are there, and where to get the others.

    Nothing is downloaded: most ask for an account or for consent. With a NAME, its page: address, licence, the paper's
    split and sample, and what to put where so that `anymask evaluate points --suite DIR` finds it. The names bsds500,
    lvis_v1 and coco are pages of what edges, proposals, instances and text are evaluated on.

    **Examples**

    ```
    anymask evaluate datasets
    anymask evaluate datasets cityscapes lvis --suite /data/suite
    anymask evaluate datasets bsds500
    ```
    """
    from anymask.evaluation.datasets import (
        EXPERIMENT_DATA,
        SUITE,
        SuiteDataset,
        experiment_data,
        how_to_get,
        how_to_get_data,
        split_suite,
        suite_dataset,
    )
    from anymask.figures import Table, as_text
    from anymask.runs import to_plain

    there = {one.key for one in split_suite(suite)[0]}
    chosen = [experiment_data(name) or suite_dataset(name) for name in names or []]
    if json:
        # Whether the data of other experiments is there cannot be told: it lies anywhere.
        shown = chosen or SUITE
        console.say_json(
            [to_plain(one) | ({"is_there": one.key in there} if one in SUITE else {}) for one in shown],
        )
        return
    if chosen:
        for one in chosen:
            page = how_to_get(one, suite) if isinstance(one, SuiteDataset) else how_to_get_data(one)
            for line in page.splitlines():
                console.say(line)
        return
    rows = [
        [one.key, "yes" if one.key in there else "no", one.image_type, one.pictures, one.masks, one.where]
        for one in SUITE
    ]
    columns = ["name", "there", "pictures of", "paper's pictures", "paper's masks", "where"]
    for line in as_text(Table(columns, rows)).splitlines():
        console.say(line)
    console.say(f"{len(there)} of {len(SUITE)} are below {suite}; anymask evaluate datasets NAME says how to get one")
    others = ", ".join(one.key for one in EXPERIMENT_DATA)
    console.say(f"the other experiments are made on {others}: name one for its page")
