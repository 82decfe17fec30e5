"""Where one run is, for people and for machines."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from anymask.evaluation.progress.history import RECENT_STEPS, History
from anymask.figures import Table

SHOWN = {"loss": "loss", "point_iou": "click IoU", "box_iou": "box IoU", "last_iou": "last IoU"}
"""What training logs of every step, by the words for it."""


def to_plain_standing(history: History) -> dict[str, Any]:
    """Where the run is as JSON values: no NaN, None for what is not known."""
    best = history.best
    return {
        "path": str(history.path),
        "step": history.step,
        "steps": history.steps,
        "finished": history.is_finished,
        "seconds_a_step": history.seconds_a_step,
        "seconds_left": history.seconds_left,
        "seconds": history.seconds,
        "sessions": history.sessions,
        "recent": {name: history.at(name, history.step) for name in SHOWN if name in history.curves},
        "best_score": None if best is None else best[1],
        "best_step": None if best is None else best[0],
        "best_scores": {} if best is None else history.scores(best[0]),
        "last_scores": history.scores(history.step),
        "command": history.command,
        "starts": list(history.starts),
        "config": history.config,
    }


def standing_table(history: History, skipped: Mapping[str, int] | None) -> Table:
    """Two columns: what is told, and what it is. `skipped` counts what training left out; None when not known."""
    rows = [("at", _where(history))]
    rows += [("begun", "; ".join(f"{name} {_listed(value)}" for name, value in history.command.items() if value))]
    rows += [("on", start_in_words(start)) for start in history.starts]
    recent = {word: history.at(name, history.step) for name, word in SHOWN.items()}
    now = ", ".join(f"{word} {value:.3f}" for word, value in recent.items() if value is not None)
    rows += [("now", now and f"{now} (means of the last {RECENT_STEPS} steps)")]
    best = history.best
    if best is not None:
        rows += [("best", f"{_scores_in_words(history.scores(best[0]))}, at step {best[0]}")]
        rows += [("last", _scores_in_words(history.scores(history.step)))]
    rows += [("left out", skipped_in_words(skipped))]
    return Table(("", ""), [row for row in rows if row[1]])


def skipped_in_words(skipped: Mapping[str, int] | None) -> str:
    """What training left out, with counts.

    >>> skipped_in_words({"non_finite_steps": 0, "pictures_without_a_mask": 3})
    '0 non finite steps, 3 pictures without a mask'
    """
    if skipped is None:
        return "not known before the first checkpoint"
    return ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in skipped.items())


def start_in_words(start: Mapping[str, Any]) -> str:
    """One line of starts.jsonl as a sentence; what it does not say is left out."""
    machine = start.get("machine", {})
    step, processes, threads = start.get("step", 0), start.get("processes"), start.get("threads")
    parts = ["begun" if step == 0 else f"gone on after step {step}"]
    if processes and threads:
        parts.append(f"{_counted(processes, 'process', 'es')} of {_counted(threads, 'thread')}")
    gpu = start.get("gpu")
    processor = f"{machine.get('processor', 'an unknown processor')} ({_counted(machine.get('cores', 0), 'core')})"
    parts.append(f"{gpu} beside {processor}" if gpu else processor)
    if "memory_bytes" in machine:
        parts.append(f"{machine['memory_bytes'] / 2**30:.0f} GiB")
    return f"{start.get('at', 'at an unknown time')}: {', '.join(parts)}"


def duration(seconds: float) -> str:
    """A time as people say it.

    >>> duration(42), duration(1500), duration(9000)
    ('42 s', '25 min', '2.5 h')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _where(history: History) -> str:
    parts = [f"step {history.step} of {history.steps}"]
    pace, left = history.seconds_a_step, history.seconds_left
    if pace is not None and math.isfinite(pace):
        parts.append(f"{pace:.2f} s a step")
    if history.is_finished:
        parts.append("finished")
    elif left is not None:
        parts.append(f"about {duration(left)} left")
    if history.step:
        parts.append(f"{duration(history.seconds)} of steps so far")
    return ", ".join(parts)


def _scores_in_words(scores: Mapping[str, float]) -> str:
    """The means over sets; those of single sets (`click/SET`) are for pages."""
    return ", ".join(f"{name.replace('_', ' ')} {value:.3f}" for name, value in scores.items() if "/" not in name)


def _listed(value: Any) -> str:
    """A list by its first entry: shards are many and alike, and all of them are in command.json."""
    if not isinstance(value, list):
        return str(value)
    return f"{value[0]} and {len(value) - 1} more" if len(value) > 1 else str(value[0])


def _counted(count: int, noun: str, ending: str = "s") -> str:
    return f"{count} {noun if count == 1 else noun + ending}"
