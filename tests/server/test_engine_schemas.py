from anymask.data_engine.tables import TurnRow
from anymask.runs import to_plain
from anymask.server.engine_schemas import EngineTurn, EngineView
from tests.data_engine.turn_report import make_report
from tests.server.browser import Site


def test_the_engine_of_a_project_is_shown_to_its_members(site: Site) -> None:
    project = site.add_project()
    ann, database = site.browser("Ann"), site.services.database
    empty = EngineView.model_validate(ann.data("GET", f"/projects/{project}/engine"))
    assert (empty.turns, empty.stage.value) == ([], "assisted")
    assert [one.kind for one in empty.deployments] == ["start"]
    assert empty.deployments[0].model_sha256 == site.services.model.sha256
    assert (empty.paper.seconds, empty.paper.masks["semi_automatic"]) == ([34.0, 14.0], [44.0, 72.0])
    row = TurnRow(project_id=project, number=1, report=to_plain(make_report()), created_at=database.clock())
    database.write(lambda session: session.merge(row))
    shown = EngineView.model_validate(ann.data("GET", f"/projects/{project}/engine"))
    (turn,) = shown.turns
    assert isinstance(turn, EngineTurn)
    assert (turn.number, turn.promoted, turn.masks) == (1, True, 90)
    assert turn.reason.startswith("promoted: click")
