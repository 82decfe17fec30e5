import pytest

from anymask.cli.engine import telling
from anymask.cli.engine.telling import Teller
from anymask.cli.running import Stop


def test_where_nobody_sees_a_bar_steps_and_times_left_are_lines(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telling, "_SAY_EVERY_S", -1.0)
    moments = iter(range(0, 1000, 60))
    monkeypatch.setattr(telling.time, "monotonic", lambda: float(next(moments)))
    with Teller() as teller:
        hooks = teller.hooks(stop := Stop())
        hooks.begins("retrain")
        hooks.progress(1, 10)
        hooks.progress(4, 10)
        assert not hooks.should_stop()
        stop.signal = 15
        assert hooks.should_stop()
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "retrain"
    assert lines[1] == "retrain: 1 of 10"
    assert lines[2].startswith("retrain: 4 of 10, 4 min left")
