"""A turn's report, made up, for what shows it."""

from __future__ import annotations

from typing import Any

from anymask.data_engine.loop import TurnReport
from anymask.data_engine.promote import GateConfig, decide
from anymask.data_engine.turns.config import ScoreConfig
from anymask.data_engine.turns.freeze import DatasetVersion
from anymask.data_engine.turns.hardest import QueueOrder
from anymask.data_engine.turns.score import BENCHMARK, summarise
from anymask.data_engine.turns.stages import StageNumbers
from tests.data_engine.scored import results


def make_report(number: int = 1, gain: float = 0.1, **changes: Any) -> TurnReport:
    """A turn whose candidate is better by `gain`."""
    before, after = results([0.3, 0.4] * 10), results([0.3 + gain, 0.4 + gain] * 10)
    old, new = "a" * 64, "b" * 64
    decision = decide(after, before, GateConfig(guards=("box",)))
    config = ScoreConfig(clicks=5)
    values: dict[str, Any] = {
        "number": number,
        "begun_at": "2026-05-01T12:00:00+00:00",
        "ended_at": "2026-05-01T13:00:00+00:00",
        "stage": "assisted",
        "next_stage": "assisted",
        "model_before": old,
        "model_after": new if decision.promote else old,
        "candidate": new,
        "version": DatasetVersion(
            content_sha256="c" * 64, pictures={"train": 9, "held": 1}, masks={"train": 90, "held": 7}, sets={"a": 9}
        ),
        "generated": None,
        "numbers": StageNumbers(
            stage="assisted",
            masks=97,
            pictures=10,
            seconds_a_mask=14.0,
            clicks_a_mask=2.5,
            masks_a_picture=9.7,
        ),
        "scores": (summarise(before, old, BENCHMARK, config), summarise(after, new, BENCHMARK, config)),
        "decision": decision,
        "detected": None,
        "queue": QueueOrder(pictures=3),
    }
    return TurnReport(**{**values, **changes})
