from pathlib import Path

import pytest

from anymask.cli.engine.simulation import _make_people, _open_jobs
from anymask.data_engine import people
from anymask.data_engine.loop import Engine
from anymask.data_engine.projects import is_member
from anymask.model.weights import load
from tests.cli.engine.small_engine import make_place
from tests.data_engine.turns.labelled_world import make_engine
from tests.data_engine.world import World


@pytest.fixture
def engine(tmp_path: Path, migrated_sqlite: Path, small_model: Path) -> Engine:
    world: World = make_place(tmp_path / "work", migrated_sqlite)
    world.add_picture()
    return make_engine(world, load(small_model), tmp_path / "engine")


def test_simulated_people_are_members_who_sign_in_with_a_new_password_each_run(engine: Engine) -> None:
    for _ in range(2):
        made = _make_people(engine, 2)
        assert [one.name for one in made] == ["simulated 1", "simulated 2"]
        for one in made:
            _, asker = people.sign_in(engine.database, one.name, one.password, "here")
            member = engine.database.read(lambda s, who=asker: is_member(s, engine.project_id, who.id))
            assert (asker.role, member) == ("annotator", True)
    engine.database.close()


def test_work_that_workers_have_left_is_counted(engine: Engine) -> None:
    assert engine.database.read(lambda session: _open_jobs(session, engine)) == 1
    engine.database.close()
