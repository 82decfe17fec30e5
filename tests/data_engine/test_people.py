import pytest

from anymask.data_engine import people
from anymask.data_engine.store import Database
from anymask.errors import InputError, NotThereError, SignInError, TakenError, TooManyTriesError
from tests.data_engine.world import Clock, World

PASSWORD = "correct horse battery"


@pytest.fixture
def eve(database: Database, clock: Clock) -> int:
    return database.write(lambda session: people.add_person(session, "Eve", "annotator", PASSWORD, clock())).id


def identify(database: Database, token: str, clock: Clock) -> people.Identity | None:
    return database.read(lambda session: people.identify(session, token, clock()))


def test_the_right_password_begins_a_session_that_ends_by_sign_out_or_time(
    database: Database, clock: Clock, eve: int
) -> None:
    token, who = people.sign_in(database, "Eve", PASSWORD, "1.2.3.4")
    assert who == people.Identity(eve, "Eve", "annotator")
    assert identify(database, token, clock) == who
    database.write(lambda session: people.end_session(session, token))
    assert identify(database, token, clock) is None
    second, _ = people.sign_in(database, "Eve", PASSWORD, "1.2.3.4")
    clock.move(people.SESSION_LASTS.total_seconds() + 1)
    assert identify(database, second, clock) is None


@pytest.mark.usefixtures("eve")
def test_a_wrong_password_and_an_unknown_name_are_refused_alike(database: Database) -> None:
    messages = set()
    for name in ("Eve", "Nobody"):
        with pytest.raises(SignInError) as refused:
            people.sign_in(database, name, "wrong password", name)
        messages.add(str(refused.value))
    assert len(messages) == 1


@pytest.mark.usefixtures("eve")
def test_five_tries_a_minute_by_name_and_by_address(database: Database, clock: Clock) -> None:
    for _ in range(people.TRIES_A_MINUTE):
        with pytest.raises(SignInError):
            people.sign_in(database, "Eve", "wrong password", "1.2.3.4")
    # The right one too, from elsewhere too; and other names from that address.
    for name, address in (("Eve", "5.6.7.8"), ("Other", "1.2.3.4")):
        with pytest.raises(TooManyTriesError, match="wait a minute"):
            people.sign_in(database, name, PASSWORD, address)
    clock.move(61)
    assert people.sign_in(database, "Eve", PASSWORD, "1.2.3.4")[1].name == "Eve"


def test_a_new_password_and_inactivity_end_all_sessions(database: Database, clock: Clock, eve: int) -> None:
    token, _ = people.sign_in(database, "Eve", PASSWORD, "a")
    database.write(lambda session: people.change_person(session, eve, password="another long one"))
    assert identify(database, token, clock) is None
    token, _ = people.sign_in(database, "Eve", "another long one", "a")
    database.write(lambda session: people.change_person(session, eve, active=False))
    assert identify(database, token, clock) is None
    with pytest.raises(SignInError):
        people.sign_in(database, "Eve", "another long one", "a")


def test_the_last_admin_stays(world: World) -> None:
    for change in ({"role": "annotator"}, {"active": False}):
        with pytest.raises(TakenError, match="only admin"):
            world.database.write(lambda session, change=change: people.change_person(session, world.ada.id, **change))
    world.database.write(lambda session: people.change_person(session, world.rob.id, role="admin"))
    row = world.database.write(lambda session: people.change_person(session, world.ada.id, role="annotator"))
    assert row.role == "annotator"


def test_names_are_unique_and_passwords_long(world: World) -> None:
    with pytest.raises(TakenError, match="'Ann'"):
        world.add_person("Ann", "annotator")
    with pytest.raises(InputError, match="at least 10"):
        world.database.write(lambda session: people.add_person(session, "Zoe", "annotator", "short", world.clock()))
    with pytest.raises(InputError, match="'boss'"):
        world.add_person("Zoe", "boss")
    with pytest.raises(NotThereError):
        world.database.read(lambda session: people.get_person(session, 999))


def test_alone_the_same_admin_comes_back(database: Database, clock: Clock) -> None:
    first = database.write(lambda session: people.person_alone(session, clock()).id)
    assert database.write(lambda session: people.person_alone(session, clock()).id) == first
    assert not database.read(people.has_admin_with_password)
    database.write(lambda session: people.add_person(session, "Boss", "admin", PASSWORD, clock()))
    assert database.read(people.has_admin_with_password)
