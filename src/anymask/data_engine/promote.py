"""The gate: a model goes to people only when it is better than the one they have, beyond the luck of the pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from anymask.errors import ConfigError, DatasetError
from anymask.evaluation.compare import compare
from anymask.evaluation.metrics import BootstrapConfig, Interval
from anymask.evaluation.results import FIRST_MEASURES, PictureResult, samples


@dataclass(frozen=True, kw_only=True, slots=True)
class GateConfig:
    """What counts as better, on the same pictures, masks, clicks and boxes for both models."""

    measure: str = "click"
    """What must rise: "click" (the most confident mask of one click), "click_oracle", "box", or "clicks_N"."""
    least_gain: float = 0.0
    """Mean IoU that the low end of the interval of its rise must be above."""
    guards: tuple[str, ...] = ("box", "clicks_5")
    """Measures that must not fall."""
    guard_loss: float = 0.01
    """Mean IoU that a guard may fall all the same."""
    level: float = 0.95
    """Share of resampled differences inside the interval."""

    def __post_init__(self) -> None:
        for name in (self.measure, *self.guards):
            number = name.removeprefix("clicks_")
            if name not in FIRST_MEASURES and not (name.startswith("clicks_") and number.isdecimal()):
                raise ConfigError(
                    f"GateConfig knows no measure {name!r}; take one of {', '.join(FIRST_MEASURES)} or clicks_N"
                )
        if self.guard_loss < 0:
            raise ConfigError(f"GateConfig.guard_loss must not be negative, got {self.guard_loss}")
        if not 0 < self.level < 1:
            raise ConfigError(f"GateConfig.level must be between 0 and 1, got {self.level}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """How the two models compare on one measure."""

    measure: str
    before: float
    after: float
    difference: float
    low: float
    high: float

    def __str__(self) -> str:
        """As a person reads it."""
        return (
            f"{self.measure} {self.before:.3f} -> {self.after:.3f} "
            f"({self.difference:+.3f} [{self.low:+.3f}, {self.high:+.3f}])"
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """Whether the candidate is promoted, and why."""

    promote: bool
    reason: str
    verdicts: tuple[Verdict, ...]
    """The measure that decides first, then the guards."""


def decide(candidate: Sequence[PictureResult], current: Sequence[PictureResult], config: GateConfig) -> Decision:
    """Compare two models that answered the same prompts on the same pictures.

    Raises: DatasetError when there is nothing to compare on, ConfigError when the two were asked about other regions.
    """
    verdicts = tuple(_verdict(candidate, current, name, config) for name in (config.measure, *config.guards))
    first, guards = verdicts[0], verdicts[1:]
    fallen = [guard for guard in guards if guard.difference < -config.guard_loss]
    share = f"{100 * config.level:.0f} %"
    if first.low <= config.least_gain:
        reason = f"not promoted: the gain is not certain; {first}, and the low end of the {share} interval must be "
        return Decision(promote=False, reason=f"{reason}above {config.least_gain:+.3f}", verdicts=verdicts)
    if fallen:
        reason = f"not promoted: {first}, but {' and '.join(map(str, fallen))} fell by more than {config.guard_loss}"
        return Decision(promote=False, reason=reason, verdicts=verdicts)
    kept = f"; {', '.join(map(str, guards))}" if guards else ""
    return Decision(promote=True, reason=f"promoted: {first} at {share}{kept}", verdicts=verdicts)


def _verdict(
    candidate: Sequence[PictureResult], current: Sequence[PictureResult], measure: str, config: GateConfig
) -> Verdict:
    found = compare(candidate, current, measure, BootstrapConfig(level=config.level))
    if found is None:
        raise DatasetError(
            f"no held-out picture has a region to ask {measure!r} about; give the engine a benchmark with labels, or "
            "wait until more pictures are annotated"
        )
    interval: Interval = found.mean_of_sets
    return Verdict(
        measure=measure,
        before=_mean(current, measure),
        after=_mean(candidate, measure),
        difference=interval.mean,
        low=interval.low,
        high=interval.high,
    )


def _mean(results: Sequence[PictureResult], measure: str) -> float:
    return float(np.mean([sample.values.mean() for sample in samples(results, measure).values()]))
