import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from anymask.server.app import describe
from anymask.server.schemas import PersonIn, ProjectSettings, Wire


def test_the_description_that_the_tool_is_made_from_is_the_servers(repository: Path) -> None:
    written = json.loads((repository / "web" / "openapi.json").read_text())
    assert written == describe().openapi(), "run: anymask serve --openapi > web/openapi.json"


@pytest.mark.parametrize(
    "values",
    [
        {"name": "", "role": "annotator", "password": "long enough"},
        {"name": "a\0b", "role": "annotator", "password": "long enough"},
        {"name": "\ud800", "role": "annotator", "password": "long enough"},
        {"name": "a", "role": "boss", "password": "long enough"},
        {"name": "a", "role": "annotator", "password": "short"},
        {"name": "a", "role": "annotator", "password": "long enough", "admin": True},
    ],
)
def test_values_that_cannot_be_are_refused(values: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        PersonIn.model_validate(values)


def test_settings_are_bounded_and_have_the_papers_half_minute() -> None:
    assert ProjectSettings().suggest_next_after_s == 30
    for change in ({"lease_s": 1}, {"idle_after_s": float("nan")}, {"suggest_next_after_s": float("inf")}):
        with pytest.raises(ValidationError):
            ProjectSettings.model_validate(change)


def test_every_wire_type_refuses_what_it_does_not_know() -> None:
    kinds, seen = [Wire], []
    while kinds:
        kind = kinds.pop()
        kinds += kind.__subclasses__()
        seen.append(kind)
        assert kind.model_config["extra"] == "forbid"
        assert kind.__doc__
    assert len(seen) > 40
