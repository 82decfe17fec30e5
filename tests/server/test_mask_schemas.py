import pytest
from pydantic import ValidationError

from anymask.server.mask_schemas import Action, ActionBatch, Provenance
from tests.data_engine.world import provenance
from tests.server.browser import action


@pytest.mark.parametrize(
    "change",
    [
        {"key": "short"},
        {"key": "with spaces in it"},
        {"mask_id": "not-a-uuid"},
        {"mask_id": "../../etc/passwd"},
        {"base_version": 0},
        {"at": "2026-05-01T12:00:00"},
        {"label": ""},
        {"other": 1},
    ],
)
def test_an_action_that_is_not_one_is_refused(change: dict[str, object]) -> None:
    Action.model_validate(action())
    with pytest.raises(ValidationError):
        Action.model_validate(action(**change))


def test_a_batch_has_at_least_one_action_and_an_end() -> None:
    for count in (0, 501):
        with pytest.raises(ValidationError):
            ActionBatch.model_validate({"actions": [action()] * count})


@pytest.mark.parametrize(
    "change", [{"tool": "magic"}, {"active_ms": -1}, {"started_at": "yesterday"}, {"predicted_iou": float("nan")}]
)
def test_provenance_is_checked(change: dict[str, object]) -> None:
    Provenance.model_validate(provenance())
    with pytest.raises(ValidationError):
        Provenance.model_validate(provenance(**change))
