from datetime import UTC, datetime, timedelta

from anymask.data_engine.tables import JobRow
from anymask.server.mask_schemas import Action
from anymask.server.views import change_of, job_of
from tests.server.browser import action


def test_a_damaged_mask_is_noted_as_refused_and_not_raised() -> None:
    good = action()
    assert change_of(Action.model_validate(good)).problem is None
    good["mask"]["rle"]["size"] = [10, 10]
    refused = change_of(Action.model_validate(good))
    assert refused.mask is None
    assert "refused" in str(refused.problem)


def test_the_digest_tells_actions_apart() -> None:
    one, same, other = action(), None, None
    same, other = dict(one), one | {"label": "cup"}
    digests = [change_of(Action.model_validate(each)).digest for each in (one, same, other)]
    assert digests[0] == digests[1] != digests[2]


def test_the_time_that_is_left_follows_from_the_pace_so_far() -> None:
    begun = datetime(2026, 5, 1, tzinfo=UTC)
    row = JobRow(
        id=1, project_id=1, kind="export", subject="x", state="running", priority=0, attempts=1, token=1, payload={},
        progress={}, done=25, total=100, message="", problems=[], result_key=None, created_at=begun, started_at=begun,
        updated_at=begun,
    )  # fmt: skip
    assert job_of(row, begun + timedelta(seconds=10)).seconds_left == 30
    row.state = "done"
    assert job_of(row, begun).seconds_left is None
    assert job_of(row, begun).download_url is None
