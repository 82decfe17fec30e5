from __future__ import annotations

import pytest

from anymask.cli.main import main


def test_every_verb_is_there_and_shows_examples(capsys: pytest.CaptureFixture[str]) -> None:
    verbs = ["info", "check", "show", "convert", "split", "merge", "sample", "release", "crowds"]
    for verb in [[verb] for verb in verbs] + [["study", "statistics"], ["study", "quality"]]:
        assert main(["dataset", *verb, "--help"]) == 0
        assert "Examples" in capsys.readouterr().out
