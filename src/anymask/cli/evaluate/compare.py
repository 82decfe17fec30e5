"""`anymask evaluate compare`: two evaluations of the same pictures, by paired bootstrap."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from anymask.cli import console
from anymask.cli.options import JSON
from anymask.errors import RunError


def compare(
    first: Annotated[Path, typer.Argument(metavar="A", help="The folder of an evaluation.")],
    second: Annotated[Path, typer.Argument(metavar="B", help="The folder of another one; or the same again.")],
    column_a: Annotated[str | None, typer.Option(help="Which column of A.", show_default="its first")] = None,
    column_b: Annotated[str | None, typer.Option(help="Which column of B.", show_default="its first")] = None,
    resamples: Annotated[
        int | None,
        typer.Option(
            help="Resamples of the intervals.", show_default="10,000; 200 for instances, 1,000 for ambiguity", min=1
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the intervals.")] = 0,
    out: Annotated[Path | None, typer.Option(help="Folder for compare.html.", show_default=False)] = None,
    json: JSON = False,
) -> None:
    """By how much A is above B on the same pictures, with 95 % intervals; `*` where one leaves out 0.

    Both must be of one experiment (points, edges, proposals, instances, text or ambiguity) and of the same pictures and
    annotations. The same pictures are drawn for both, so what makes a picture hard for both cancels.

    **Examples**

    ```
    anymask evaluate compare runs/new runs/old
    anymask evaluate compare anymask_points anymask_points --column-b grabcut --out compared
    ```
    """
    from anymask.evaluation.comparing import compare_runs, to_page, to_table
    from anymask.evaluation.metrics import BootstrapConfig
    from anymask.figures import as_text
    from anymask.runs import to_plain, without_nan, write_atomically

    config = BootstrapConfig(seed=seed, resamples=resamples or _resamples(first))
    comparison = compare_runs(first, second, config, (column_a, column_b))
    if out is not None:
        try:
            out.mkdir(parents=True, exist_ok=True)
            write_atomically(out / "compare.html", to_page(comparison).encode())
        except OSError as error:
            raise RunError(f"{out} cannot be written ({error.strerror}); name another folder") from error
    if json:
        console.say_json(without_nan(to_plain(comparison)))
        return
    console.say(f"{comparison.protocol}: {comparison.first} minus {comparison.second}")
    for line in as_text(to_table(comparison)).splitlines():
        console.say(line)
    if out is not None:
        console.say(f"page -> {out / 'compare.html'}")


def _resamples(folder: Path) -> int:
    """10,000; 200 for instances, where each is a whole computation of AP, 1,000 for ambiguity, where all is ranked."""
    import json as json_text

    try:
        protocol = json_text.loads((folder / "report.json").read_bytes()).get("protocol")
    except (OSError, ValueError, AttributeError):
        protocol = None  # compare_runs says what is wrong
    return {"instances": 200, "ambiguity": 1000}.get(str(protocol), 10_000)
