"""People and their roles."""

from __future__ import annotations

from anymask.data_engine import people
from anymask.server.deps import Served
from anymask.server.router import Routes
from anymask.server.rules import Access
from anymask.server.schemas import Id, Person, PersonChange, PersonIn

routes = Routes("people")


@routes.add("GET", "/people", Access.ADMIN)
def list_people(served: Served) -> list[Person]:
    """Everybody, by name."""
    rows = served.database.read(people.list_people)
    return [Person.model_validate(row) for row in rows]


@routes.add("POST", "/people", Access.ADMIN, status_code=201, problems=(409,))
def add_person(given: PersonIn, served: Served) -> Person:
    """A new person, who signs in with this name and password."""
    now = served.database.clock()
    row = served.database.write(
        lambda session: people.add_person(session, given.name, given.role.value, given.password, now)
    )
    return Person.model_validate(row)


@routes.add("PATCH", "/people/{person_id}", Access.ADMIN, problems=(409,))
def change_person(person_id: Id, given: PersonChange, served: Served) -> Person:
    """Another role or password, or an end to it: people are never removed, for masks carry their ids."""
    role = None if given.role is None else given.role.value
    row = served.database.write(
        lambda session: people.change_person(
            session, person_id, role=role, password=given.password, active=given.active
        )
    )
    return Person.model_validate(row)
