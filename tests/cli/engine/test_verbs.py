import pytest

from anymask.cli.engine.verbs import app
from anymask.cli.main import main


@pytest.mark.parametrize("verb", ["init", "status", "turn", "run", "rollback"])
def test_every_verb_explains_itself_with_examples(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["engine", verb, "--help"]) == 0
    shown = capsys.readouterr().out
    assert "Examples" in shown
    assert f"anymask engine {verb} engine" in shown


def test_the_verbs_are_these() -> None:
    assert [command.name for command in app.registered_commands] == ["init", "status", "turn", "run", "rollback"]
