"""What a run has logged, as columns over steps, and what follows from it: where it is, how fast, how good."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from anymask.errors import RunError
from anymask.runs import RunFolder

RECENT_STEPS = 50
"""A value "now" is the mean over this many steps: one step's is mostly the luck of its pictures."""
VALIDATION = "val_"
"""What names of scores on validation pictures begin with."""
SCORE = VALIDATION + "score"
"""The score that decides which weights are best."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Curve:
    """One logged value over steps."""

    steps: npt.NDArray[np.int64]
    """(K,) rising."""
    values: npt.NDArray[np.float64]
    """(K,) NaN at a step that was skipped."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class History:
    """One run's folder, read."""

    path: Path
    """The folder, as it was given."""
    config: dict[str, Any]
    """config.json."""
    command: dict[str, Any]
    """What the run was begun with (command.json); empty when the folder does not say."""
    versions: dict[str, Any]
    """versions.json; empty when it is not there."""
    starts: tuple[dict[str, Any], ...]
    """Each time the run was begun or gone on with; empty for a run of before that was written."""
    curves: dict[str, Curve]
    """Every logged value by name; a name of the validation scores begins with `VALIDATION`."""

    @property
    def step(self) -> int:
        """Steps taken and logged."""
        return max((int(curve.steps[-1]) for curve in self.curves.values()), default=0)

    @property
    def steps(self) -> int | None:
        """Steps in all; None when the configuration does not say."""
        steps = self.config.get("steps")
        return steps if isinstance(steps, int) else None

    @property
    def is_finished(self) -> bool:
        """Whether the last step is taken."""
        return self.steps is not None and self.step >= self.steps

    @property
    def seconds(self) -> float:
        """Time of all steps; validation, checkpoints and pauses are not in it."""
        return self._sum("seconds")

    @property
    def sessions(self) -> int:
        """Simulated annotations: masks that were prompted, over all steps."""
        return round(self._sum("masks"))

    @property
    def seconds_a_step(self) -> float | None:
        """The median of the recent steps; None before the first."""
        curve = self.curves.get("seconds")
        return None if curve is None else float(np.median(_recent(curve, self.step)))

    @property
    def seconds_left(self) -> float | None:
        """An estimate for the steps to come; None when nothing tells, 0 when finished.

        Recent steps' time, scaled where a later phase has a larger or smaller input, by the input's area.
        """
        pace = self.seconds_a_step
        if self.steps is None or pace is None:
            return None
        if self.is_finished:
            return 0.0
        areas = _areas(self.config, self.steps)
        return pace * float((areas[self.step :] / areas[self.step - 1]).sum())

    @property
    def best(self) -> tuple[int, float] | None:
        """(step, score) of the best validation score; None when there was no validation."""
        curve = self.curves.get(SCORE)
        if curve is None or not np.isfinite(curve.values).any():
            return None
        place = int(np.nanargmax(curve.values))
        return int(curve.steps[place]), float(curve.values[place])

    def at(self, name: str, step: int) -> float | None:
        """The value called `name` as of `step`: the mean of the `RECENT_STEPS` up to it; the last of validation scores.

        None when there is no such value by then.
        """
        curve = self.curves.get(name)
        if curve is None or curve.steps[0] > step:
            return None
        if name.startswith(VALIDATION):
            return _number(curve.values[curve.steps <= step][-1])
        recent = _recent(curve, step)
        finite = recent[np.isfinite(recent)]
        return float(finite.mean()) if len(finite) else None

    def scores(self, step: int) -> dict[str, float]:
        """The last validation scores by `step`, by name without `VALIDATION`; empty when there are none."""
        found = {name.removeprefix(VALIDATION): self.at(name, step) for name in self.curves if _is_score(name)}
        return {name: value for name, value in found.items() if value is not None}

    def _sum(self, name: str) -> float:
        curve = self.curves.get(name)
        if curve is None:
            return 0.0
        # A line stands for the steps since the line before: kept histories are often thinned to means.
        return float(np.nansum(curve.values * np.diff(curve.steps, prepend=0)))


def read_history(run: RunFolder) -> History:
    """All that the folder says about the run.

    Raises: RunError when it is not a run, or something in it is damaged.
    """
    return History(
        path=run.path,
        config=run.config(),
        command=_read_object(run.path / "command.json"),
        versions=_read_object(run.path / "versions.json"),
        starts=tuple(run.starts()),
        curves=_columns(run.metrics()),
    )


def flat(plain: Any, prefix: str = "") -> dict[str, Any]:
    """The leaves of nested objects and lists by dotted names; empty lists and objects are leaves.

    >>> flat({"optimizer": {"lr": 0.1}, "phases": [{"size": 256}], "exclude_sets": []})
    {'optimizer.lr': 0.1, 'phases.0.size': 256, 'exclude_sets': []}
    """
    if isinstance(plain, Mapping) and plain:
        items: Iterable[tuple[str, Any]] = ((str(name), value) for name, value in plain.items())
    elif isinstance(plain, list) and plain:
        items = ((str(place), value) for place, value in enumerate(plain))
    else:
        return {prefix: plain}
    dot = f"{prefix}." if prefix else ""
    return {name: leaf for key, value in items for name, leaf in flat(value, f"{dot}{key}").items()}


def _columns(lines: Iterable[Mapping[str, Any]]) -> dict[str, Curve]:
    columns: dict[str, dict[int, float]] = {}
    for line in lines:
        for name, value in line.items():
            if name != "step" and isinstance(value, int | float):
                columns.setdefault(name, {})[int(line["step"])] = float(value)
    return {
        name: Curve(steps=np.array(sorted(column), np.int64), values=np.array([column[s] for s in sorted(column)]))
        for name, column in columns.items()
    }


def _read_object(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        plain = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise RunError(f"{path} cannot be read ({error}); mend it, or take it away to go without") from error
    if not isinstance(plain, dict):
        raise RunError(f"{path} holds {type(plain).__name__}, expected an object; mend it, or take it away")
    return plain


def _recent(curve: Curve, step: int) -> npt.NDArray[np.float64]:
    """The values of the last steps up to `step`, at least one."""
    until = int(np.searchsorted(curve.steps, step, side="right"))
    first = int(np.searchsorted(curve.steps, step - RECENT_STEPS, side="right"))
    return curve.values[min(first, until - 1) : until]


def _areas(config: Mapping[str, Any], steps: int) -> npt.NDArray[np.float64]:
    """(steps,) pixels of the input at every step, as the phases say; a phase without a size has the model's own."""
    areas = np.ones(steps)
    own = config.get("model", {}).get("input_size", 1)
    begun = 0
    for phase in config.get("phases", []):
        end = math.ceil(phase.get("until", 1.0) * steps)
        areas[begun:end] = float(phase.get("size") or own) ** 2
        begun = end
    return areas


def _is_score(name: str) -> bool:
    return name.startswith(VALIDATION)


def _number(value: np.float64) -> float | None:
    return float(value) if np.isfinite(value) else None
