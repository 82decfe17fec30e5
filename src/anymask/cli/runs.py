"""`anymask runs`: what the run folders hold, beside each other, and as model cards."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from anymask.cli import console
from anymask.cli.options import JSON
from anymask.errors import ConfigError, RunError
from anymask.runs import RunFolder

if TYPE_CHECKING:
    from anymask.figures import Table

HTML = Annotated[Path | None, typer.Option(metavar="FILE", help="Write a page with curves.", show_default=False)]
_SHOW = "show"


class ShowUnlessNamed(TyperGroup):
    """A group whose verb is `show` when none is named: `anymask runs runs/tiny` is `anymask runs show runs/tiny`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """The arguments, with `show` before those that begin with no verb of the group."""
        if not args or (args[0] not in self.commands and args[0] not in ctx.help_option_names):
            args = [_SHOW, *args]
        return super().parse_args(ctx, args)


app = typer.Typer(cls=ShowUnlessNamed, help="Watch, compare and describe training runs.", rich_markup_mode="markdown")


@app.callback()
def runs() -> None:
    """Watch, compare and describe training runs; `anymask runs` alone is `anymask runs show`."""


@app.command(_SHOW)
def show(
    folders: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[FOLDER]...", help="Run folders, or folders of them.", show_default="runs"),
    ] = None,
    html: HTML = None,
    json: JSON = False,
) -> None:
    """Show training runs: how far they are, and how good.

    A run folder is what `anymask train --out` made. It holds `config.json` (the whole configuration), `versions.json`,
    `starts.jsonl` (on which machine), `metrics.jsonl` (a line a step), `sheets/` (pictures to look at), `checkpoints/`,
    the weights and the model card. One run is shown in full, several by a line each. The page has the learning curves,
    the latest contact sheets and the configuration.

    **Examples**

    ```
    anymask runs
    anymask runs show runs/tiny
    anymask runs show runs/tiny --html tiny.html
    ```
    """
    found = find_runs(folders or [Path("runs")])
    whole = len(found) == 1 and folders is not None and found[0].path in folders
    if html is not None and not whole:
        raise ConfigError(f"--html shows one run, got {len(found)}; name one, or use `anymask runs compare`")
    if html is not None:
        _write_page(html, _run_page(found[0]))
    if json:
        console.say_json({"runs": [describe(run) for run in found]})
    elif whole:
        _say_whole(found[0])
    else:
        for run in found:
            console.say(_one_line(describe(run)))
    if html is not None and not json:
        console.say(f"page -> {html}")


@app.command("compare")
def compare(
    folders: Annotated[list[Path], typer.Argument(metavar="RUN RUN...", help="Two or more run folders.")],
    html: HTML = None,
    json: JSON = False,
) -> None:
    """Compare runs: in what they were told differently, and what they reached, at the same step and at the end.

    Values of single steps are means over the 50 steps before; validation scores are the latest. The page overlays the
    learning curves.

    **Examples**

    ```
    anymask runs compare runs/tiny runs/mine
    anymask runs compare runs/* --html runs.html
    ```
    """
    from anymask.evaluation.progress.comparison import compare_runs, differences_table, scores_table
    from anymask.evaluation.progress.history import read_history
    from anymask.evaluation.progress.pages import comparison_page
    from anymask.runs import to_plain

    histories = [read_history(RunFolder(folder)) for folder in folders]
    comparison = compare_runs(histories)
    if html is not None:
        _write_page(html, comparison_page(histories))
    if json:
        console.say_json(to_plain(comparison))
        return
    if comparison.differences:
        _say_table(differences_table(comparison))
    else:
        console.say("the configurations are the same")
    console.say("")
    _say_table(scores_table(comparison))
    if html is not None:
        console.say(f"page -> {html}")


@app.command("card")
def card(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    data_card: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE", help="Licences of your sets as JSON; see below; may be repeated.", show_default=False
        ),
    ] = None,
    scores: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FOLDER", help="What `anymask evaluate points --out` made; may be repeated.", show_default=False
        ),
    ] = None,
    json: JSON = False,
) -> None:
    """Write the model card of a run: `model_card.md` and `learning_curves.png` in its folder.

    A finished training has left a card there; this writes it again with what training could not know: scores, and the
    licences of sets that are not among the known ones, from files such as
    `{"my_set": {"licence": "CC0", "research_only": false}}`.

    **Examples**

    ```
    anymask runs card runs/mine
    anymask runs card runs/mine --data-card licences.json --scores anymask_points
    ```
    """
    from anymask.dataset.licences import read_licences
    from anymask.evaluation.progress.card import write_card

    licences = read_licences(data_card or [])
    path = write_card(RunFolder(folder), licences, _skipped(folder), scores or [])
    if json:
        console.say_json({"card": str(path)})
    else:
        console.say(f"card -> {path}")


def find_runs(folders: Sequence[Path]) -> list[RunFolder]:
    """The runs that `folders` are or directly hold, in order of their names.

    Raises: RunError when there is none in one of them.
    """
    found: list[RunFolder] = []
    for folder in folders:
        candidates = [RunFolder(folder), *(RunFolder(path) for path in sorted(folder.glob("*")) if path.is_dir())]
        runs_here = [run for run in candidates if run.exists()]
        if not runs_here:
            raise RunError(f"there is no run in {folder}; give a folder that `anymask train --out` made")
        found += runs_here
    return found


def describe(run: RunFolder) -> dict[str, Any]:
    """One run as JSON values: where it is, its scores, and the very latest value of everything logged (`latest`)."""
    from anymask.evaluation.progress.history import read_history
    from anymask.evaluation.progress.standing import to_plain_standing

    history = read_history(run)
    latest = {name: float(curve.values[-1]) for name, curve in history.curves.items()}
    finite = {name: value for name, value in latest.items() if math.isfinite(value)}
    return to_plain_standing(history) | {"latest": finite}


def _one_line(row: dict[str, Any]) -> str:
    from anymask.evaluation.progress.standing import SHOWN

    values = [f"{shown} {row['latest'][name]:.3f}" for name, shown in SHOWN.items() if name in row["latest"]]
    if row["best_score"] is not None:
        values.append(f"best score {row['best_score']:.3f}")
    return f"{row['path']}: step {row['step']} of {row['steps']}" + "".join(f", {value}" for value in values)


def _say_whole(run: RunFolder) -> None:
    from anymask.evaluation.progress.history import read_history
    from anymask.evaluation.progress.standing import standing_table
    from anymask.figures import Table

    told = standing_table(read_history(run), _skipped(run.path))
    _say_table(Table(("run", str(run.path)), told.rows))


def _say_table(table: Table) -> None:
    from anymask.figures import as_text

    for line in as_text(table).splitlines():
        console.say(line)


def _run_page(run: RunFolder) -> str:
    from anymask.evaluation.progress.history import read_history
    from anymask.evaluation.progress.pages import run_page

    return run_page(read_history(run), _skipped(run.path))


def _skipped(folder: Path) -> dict[str, int] | None:
    """What training had left out at its newest checkpoint; None before there is one."""
    from anymask.training.checkpoint import load_latest

    checkpoint = load_latest(folder / "checkpoints")
    return None if checkpoint is None else checkpoint.skipped


def _write_page(path: Path, text: str) -> None:
    from anymask.runs import write_atomically

    try:
        write_atomically(path, text.encode())
    except OSError as error:
        raise RunError(f"the page {path} cannot be written ({error.strerror}); name another file") from error
