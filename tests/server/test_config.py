import pytest

from anymask.errors import ServerConfigError
from anymask.server.config import ServerConfig, is_loopback


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"secret": "short"}, "at least 32"),
        ({"host": "0.0.0.0"}, "this machine only"),
        ({"host": "192.168.1.5"}, "anymask serve"),
        ({"mode": "open"}, "alone or team"),
        ({"max_upload_bytes": 0}, "max_upload_bytes is 0"),
        ({"uploads_at_once": -1}, "uploads_at_once is -1"),
    ],
)
def test_what_would_not_be_safe_is_refused(options: dict[str, object], reason: str) -> None:
    with pytest.raises(ServerConfigError, match=reason):
        ServerConfig(**{"secret": "s" * 32, **options})


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("::", False),
        ("10.0.0.1", False),
        ("example.org", False),
    ],
)
def test_loopback_is_told_from_all_else(host: str, expected: bool) -> None:
    assert is_loopback(host) == expected
