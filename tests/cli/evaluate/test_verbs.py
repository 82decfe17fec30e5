"""The verbs of `anymask evaluate`."""

from __future__ import annotations

import pytest

from anymask.cli.evaluate.verbs import app
from anymask.cli.main import main


def test_every_experiment_is_listed_and_explains_itself_with_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    names = [command.name for command in app.registered_commands]
    assert "points" in names
    for name in names:
        assert name is not None
        assert main(["evaluate", name, "--help"]) == 0
        assert f"anymask evaluate {name}" in capsys.readouterr().out
