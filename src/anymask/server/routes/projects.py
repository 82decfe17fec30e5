"""Projects and their members, statistics and journal."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query
from sqlalchemy.orm import Session

from anymask.data_engine import journal, overview, people, projects, statistics
from anymask.data_engine.tables import ProjectRow
from anymask.server.deps import Asker, Served, Services
from anymask.server.engine_schemas import Deployment, EngineTurn, EngineView, PaperCurves
from anymask.server.router import Routes
from anymask.server.rules import Access
from anymask.server.schemas import (
    Count,
    Id,
    JournalEntry,
    JournalPage,
    Person,
    Project,
    ProjectChange,
    ProjectIn,
    Stage,
)
from anymask.server.statistics_schemas import Statistics
from anymask.server.views import project_of

routes = Routes("projects")


@routes.add("GET", "/projects", Access.SIGNED_IN)
def list_projects(asker: Asker, served: Served) -> list[Project]:
    """The projects that the asker is a member of; for admins all."""

    def both(session: Session) -> list[Project]:
        rows = projects.list_projects(session, asker)
        counts = projects.count(session, [row.id for row in rows])
        return [project_of(row, counts[row.id]) for row in rows]

    return served.database.read(both)


@routes.add("POST", "/projects", Access.ADMIN, status_code=201, problems=(409,))
def add_project(given: ProjectIn, asker: Asker, served: Served) -> Project:
    """A new project, with the asker as its first member."""
    now, settings = served.database.clock(), given.settings.model_dump(mode="json")
    row = served.database.write(
        lambda session: projects.add_project(session, given.name, given.instructions, settings, asker.id, now)
    )
    return _shown(served, row)


@routes.add("GET", "/projects/{project_id}", Access.MEMBER)
def get_project(project_id: Id, served: Served) -> Project:
    """One project."""
    return _shown(served, served.database.read(lambda session: projects.get_project(session, project_id)))


@routes.add("PATCH", "/projects/{project_id}", Access.ADMIN, problems=(409,))
def change_project(project_id: Id, given: ProjectChange, served: Served) -> Project:
    """Another name, instruction or setting."""
    settings = None if given.settings is None else given.settings.model_dump(mode="json")
    now = served.database.clock()
    row = served.database.write(
        lambda session: projects.change_project(
            session, project_id, name=given.name, instructions=given.instructions, settings=settings, now=now
        )
    )
    return _shown(served, row)


@routes.add("GET", "/projects/{project_id}/members", Access.MEMBER)
def list_members(project_id: Id, served: Served) -> list[Person]:
    """Who works on the project, by name."""

    def members(session: Session) -> list[Person]:
        projects.get_project(session, project_id)
        return [Person.model_validate(row) for row in people.list_people(session, project_id)]

    return served.database.read(members)


@routes.add("PUT", "/projects/{project_id}/members/{person_id}", Access.ADMIN, status_code=204)
def add_member(project_id: Id, person_id: Id, served: Served) -> None:
    """Let a person work on the project."""
    served.database.write(lambda session: projects.add_member(session, project_id, person_id))


@routes.add("DELETE", "/projects/{project_id}/members/{person_id}", Access.ADMIN, status_code=204)
def remove_member(project_id: Id, person_id: Id, served: Served) -> None:
    """End that; what the person made stays, tasks they hold go back to the queue."""
    served.database.write(lambda session: projects.remove_member(session, project_id, person_id))


@routes.add("GET", "/projects/{project_id}/statistics", Access.MEMBER)
def get_statistics(project_id: Id, served: Served) -> Statistics:
    """Masks a picture, seconds a mask, clicks a mask, how often the model was right at once; in all and by group."""

    def computed(session: Session) -> statistics.ProjectStatistics:
        projects.get_project(session, project_id)
        return statistics.compute(session, project_id)

    return Statistics.model_validate(served.database.read(computed))


@routes.add("GET", "/projects/{project_id}/engine", Access.MEMBER)
def get_engine(project_id: Id, served: Served) -> EngineView:
    """The turns of the loop on this project, and which model was current when."""

    def seen(session: Session) -> overview.Overview:
        project = projects.get_project(session, project_id)
        return overview.of_project(session, project_id, project.name)

    found = served.database.read(seen)
    return EngineView(
        stage=Stage(found.stage),
        waiting=found.waiting,
        turns=[EngineTurn.model_validate(line) for line in found.turns],
        deployments=[Deployment.model_validate(one) for one in found.deployments],
        paper=PaperCurves(
            seconds=list(overview.PAPER_SECONDS),
            masks={stage: list(ends) for stage, ends in overview.PAPER_MASKS.items()},
        ),
    )


@routes.add("GET", "/projects/{project_id}/journal", Access.REVIEWER)
def read_journal(
    project_id: Id,
    served: Served,
    after: Count = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
    image_id: Id | None = None,
) -> JournalPage:
    """What people did, in order."""

    def rows(session: Session) -> list[JournalEntry]:
        projects.get_project(session, project_id)
        found = journal.read(session, project_id, after=after, limit=limit, image_id=image_id)
        return [JournalEntry.model_validate(row) for row in found]

    entries = served.database.read(rows)
    return JournalPage(entries=entries, last_seq=entries[-1].seq if entries else after)


def _shown(served: Services, row: ProjectRow) -> Project:
    counts = served.database.read(lambda session: projects.count(session, [row.id]))
    return project_of(row, counts[row.id])
