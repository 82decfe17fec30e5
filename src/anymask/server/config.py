"""How a server is run."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Literal

from anymask.errors import ServerConfigError

_LOOPBACK_NAMES = ("localhost",)
_SHORTEST_SECRET = 32


@dataclass(frozen=True, kw_only=True, slots=True)
class ServerConfig:
    """What the application must know. Raises: ServerConfigError for a combination that would not be safe."""

    mode: Literal["alone", "team"] = "alone"
    """alone: whoever reaches the server is the one person who works here, so it listens to this machine only."""
    host: str = "127.0.0.1"
    """Address to listen on."""
    secret: str
    """At least 32 characters; CSRF tokens are made with it, and cannot be guessed without it."""
    public_hosts: tuple[str, ...] = ()
    """Names under which browsers reach a team's server; others are refused. Loopback names always count."""
    https: bool = False
    """Whether browsers reach it by HTTPS (a proxy in front does that): cookies are then sent over nothing else."""
    static: Path | None = None
    """Folder of the built browser tool."""
    import_roots: tuple[Path, ...] = ()
    """Folders of this machine that admins may import from by path."""
    max_upload_bytes: int = 150_000_000
    """Largest uploaded file."""
    max_json_bytes: int = 32 * 2**20
    """Largest JSON body."""
    uploads_at_once: int = 4
    """More are answered 503 and asked to come again."""
    body_wait_s: float = 15.0
    """How long a body may be silent, and how long a small one may take in all."""
    slowest_bytes_s: int = 20_000
    """A large body may take as long as this rate makes it."""

    def __post_init__(self) -> None:
        if len(self.secret) < _SHORTEST_SECRET:
            raise ServerConfigError(
                f"ServerConfig.secret has {len(self.secret)} characters, expected at least {_SHORTEST_SECRET}; "
                "make one, for example by: python -c 'import secrets; print(secrets.token_urlsafe(32))'"
            )
        if self.mode not in ("alone", "team"):
            raise ServerConfigError(f"ServerConfig.mode is {self.mode!r}, expected alone or team")
        if self.mode == "alone" and not is_loopback(self.host):
            raise ServerConfigError(
                f"alone, without passwords, the server listens to this machine only, not on {self.host}; "
                "for a team use `anymask serve`"
            )
        for name in ("max_upload_bytes", "max_json_bytes", "uploads_at_once", "body_wait_s", "slowest_bytes_s"):
            if getattr(self, name) <= 0:
                raise ServerConfigError(f"ServerConfig.{name} is {getattr(self, name)}, expected more than 0")


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach `host`.

    >>> is_loopback("127.0.0.1"), is_loopback("::1"), is_loopback("localhost"), is_loopback("0.0.0.0")
    (True, True, True, False)
    """
    if host in _LOOPBACK_NAMES:
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
