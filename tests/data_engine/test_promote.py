import numpy as np
import pytest

from anymask.data_engine.promote import GateConfig, decide
from anymask.errors import ConfigError, DatasetError
from tests.data_engine.scored import results

RNG = np.random.default_rng(0)
BEFORE = [float(value) for value in RNG.uniform(0.2, 0.6, 40)]


def raised(by: float, noise: float = 0.02) -> list[float]:
    return [value + by + float(RNG.normal(0, noise)) for value in BEFORE]


def test_a_certain_gain_is_promoted_with_its_interval() -> None:
    found = decide(results(raised(0.05)), results(BEFORE), GateConfig())
    assert found.promote
    first = found.verdicts[0]
    assert (first.measure, 0 < first.low < first.difference < first.high) == ("click", True)
    assert found.reason.startswith("promoted: click 0.")
    assert "[+0.0" in found.reason


def test_a_gain_that_may_be_luck_is_not_promoted() -> None:
    found = decide(results(raised(0.001, noise=0.1)), results(BEFORE), GateConfig())
    assert not found.promote
    assert "not certain" in found.reason
    assert "95 %" in found.reason


def test_the_same_model_is_not_promoted() -> None:
    assert not decide(results(BEFORE), results(BEFORE), GateConfig()).promote


def test_more_may_be_asked_than_a_certain_gain() -> None:
    better = results(raised(0.05))
    assert not decide(better, results(BEFORE), GateConfig(least_gain=0.06)).promote
    assert decide(better, results(BEFORE), GateConfig(least_gain=0.02)).promote


def test_what_is_guarded_must_not_fall_further_than_allowed() -> None:
    better = results(raised(0.05), [0.65] * 40)
    found = decide(better, results(BEFORE), GateConfig())
    assert not found.promote
    assert "but box 0.700 -> 0.650" in found.reason
    assert "fell by more than 0.01" in found.reason
    assert decide(better, results(BEFORE), GateConfig(guard_loss=0.06)).promote
    assert decide(better, results(BEFORE), GateConfig(guards=())).promote


def test_another_measure_may_decide() -> None:
    found = decide(results(BEFORE, [0.75] * 40), results(BEFORE), GateConfig(measure="box", guards=("clicks_3",)))
    assert found.promote
    assert [verdict.measure for verdict in found.verdicts] == ["box", "clicks_3"]


def test_a_wider_interval_is_harder_to_pass() -> None:
    nearly = results(raised(0.02, noise=0.05))
    low = {level: decide(nearly, results(BEFORE), GateConfig(level=level)).verdicts[0].low for level in (0.5, 0.99)}
    assert low[0.99] < low[0.5]


def test_without_held_out_masks_nothing_is_decided() -> None:
    with pytest.raises(DatasetError, match="give the engine a benchmark"):
        decide([], [], GateConfig())


@pytest.mark.parametrize(
    ("field", "value"),
    [("measure", "luck"), ("guards", ("clicks_many",)), ("guard_loss", -0.1), ("level", 1.0)],
)
def test_values_that_make_no_sense_are_named(field: str, value: object) -> None:
    with pytest.raises(ConfigError, match="GateConfig"):
        GateConfig(**{field: value})
