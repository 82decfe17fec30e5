"""Who may call a route. Each route has one rule, which the OpenAPI description carries as `x-access`."""

from __future__ import annotations

from enum import StrEnum


class Access(StrEnum):
    """A rule; what a route is about (project, picture, mask, task, job) decides whose member one must be."""

    PUBLIC = "public"
    """Anybody who reaches the server."""
    SIGNED_IN = "signed_in"
    """Anybody who is signed in."""
    MEMBER = "member"
    """Members of the project, and admins."""
    REVIEWER = "reviewer"
    """Members of the project who are reviewers, and admins."""
    ADMIN = "admin"
    """Admins."""
