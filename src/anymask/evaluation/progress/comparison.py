"""How runs differ: in what they were told, and in what they reached."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from anymask.errors import RunError
from anymask.evaluation.progress.history import VALIDATION, History, flat
from anymask.evaluation.progress.standing import SHOWN
from anymask.figures import Table

_ABSENT = "-"


@dataclass(frozen=True, kw_only=True, slots=True)
class FieldDifference:
    """A field that is not the same in all runs."""

    field: str
    """Dotted name in the configuration, or `command.NAME` for what a run was begun with."""
    values: dict[str, Any]
    """Run -> value; a run that has no such field is not in it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ScoreComparison:
    """One value of all runs, early and late."""

    name: str
    """As logged."""
    same_step: dict[str, float]
    """Run -> value at the last step that all have reached; a run without it is not in it."""
    end: dict[str, float]
    """Run -> value at its own last step."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RunComparison:
    """Several runs beside each other."""

    runs: tuple[str, ...]
    """Their folders, in the order given."""
    step: int
    """The last step that all have reached."""
    last_steps: dict[str, int]
    """Run -> the step it has reached."""
    differences: tuple[FieldDifference, ...]
    scores: tuple[ScoreComparison, ...]
    """What training logs, then the validation scores (means over sets)."""


def compare_runs(histories: Sequence[History]) -> RunComparison:
    """What differs between runs, and how good they are at the same step and at the end.

    Raises: RunError for fewer than two, or one given twice.
    """
    named = {str(history.path): history for history in histories}
    if len(histories) < 2 or len(named) < len(histories):
        raise RunError(f"runs are compared with each other, got {', '.join(named)}; name two or more, each once")
    step = min(history.step for history in histories)
    validated = dict.fromkeys(name for h in histories for name in h.curves if name.startswith(VALIDATION))
    names = [*SHOWN, *(name for name in validated if "/" not in name)]
    scores = [
        ScoreComparison(
            name=name,
            same_step=_known({run: history.at(name, step) for run, history in named.items()}),
            end=_known({run: history.at(name, history.step) for run, history in named.items()}),
        )
        for name in names
    ]
    return RunComparison(
        runs=tuple(named),
        step=step,
        last_steps={run: history.step for run, history in named.items()},
        differences=tuple(_differences({run: _told(history) for run, history in named.items()})),
        scores=tuple(score for score in scores if score.end),
    )


def differences_table(comparison: RunComparison) -> Table:
    """A row a differing field, a column a run."""
    rows = [
        [one.field, *(_cell(one.values[run]) if run in one.values else _ABSENT for run in comparison.runs)]
        for one in comparison.differences
    ]
    return Table(("differs", *comparison.runs), rows)


def scores_table(comparison: RunComparison) -> Table:
    """A row a value, a column a run; first all at the last step they share, then each at its own last step."""
    rows: list[list[str]] = []
    for title, ends in ((f"at step {comparison.step}", False), ("at the end", True)):
        if ends and len(set(comparison.last_steps.values())) == 1:
            continue  # the same step is the end
        if ends:
            rows.append([f"{title}: step", *(str(comparison.last_steps[run]) for run in comparison.runs)])
        for score in comparison.scores:
            values = score.end if ends else score.same_step
            cells = [f"{values[run]:.4f}" if run in values else _ABSENT for run in comparison.runs]
            rows.append([f"{title}: {score_in_words(score.name)}", *cells])
    return Table(("score", *comparison.runs), rows)


def score_in_words(name: str) -> str:
    """A logged name for people.

    >>> score_in_words("point_iou"), score_in_words("val_click_oracle")
    ('click IoU', 'validation click oracle')
    """
    if name.startswith(VALIDATION):
        return f"validation {name.removeprefix(VALIDATION).replace('_', ' ')}"
    return (SHOWN | {"lr": "learning rate", "seconds": "seconds a step"}).get(name, name.replace("_", " "))


def _told(history: History) -> dict[str, Any]:
    return flat({"command": history.command}) | flat(history.config)


def _differences(told: dict[str, dict[str, Any]]) -> list[FieldDifference]:
    found = []
    for name in dict.fromkeys(name for fields in told.values() for name in fields):
        values = {run: fields[name] for run, fields in told.items() if name in fields}
        if len(values) < len(told) or any(value != next(iter(values.values())) for value in values.values()):
            found.append(FieldDifference(field=name, values=values))
    return found


def _known(values: dict[str, float | None]) -> dict[str, float]:
    return {run: value for run, value in values.items() if value is not None}


def _cell(value: Any) -> str:
    return str(value) if value != [] else "none"
