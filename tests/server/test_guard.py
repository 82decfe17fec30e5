import asyncio
from typing import Any

import pytest

from anymask.server.config import ServerConfig
from anymask.server.guard import HEADERS, Guard
from tests.server.browser import Browser, Site


def test_every_answer_forbids_what_comes_from_elsewhere(site: Site) -> None:
    ada = site.browser("Ada")
    answers = [
        ada.get("/session"),
        ada.get("/projects/999"),
        ada.client.get("/"),
        ada.client.get("/nowhere"),
        ada.post("/people", {"bad": 1}),
    ]
    for answer in answers:
        for name, value in HEADERS.items():
            assert answer.headers[name] == value
    policy = answers[0].headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe-inline" not in policy
    assert "http" not in policy
    assert answers[0].headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("host", "status"),
    [("127.0.0.1", 200), ("localhost", 200), ("[::1]", 200), ("evil.example", 400), ("127.0.0.1.evil.example", 400)],
)
def test_the_server_answers_to_its_own_names_only(site: Site, host: str, status: int) -> None:
    browser: Browser = site.stranger(base=f"http://{host}:8321")
    assert browser.get("/session").status_code == status


@pytest.mark.parametrize("address", ["/masks/%00/versions", "/projects/1/images?file_name=a%00.png"])
def test_an_address_with_nul_is_refused_before_a_database_sees_it(site: Site, address: str) -> None:
    answer = site.browser("Ada").get(address)
    assert (answer.status_code, answer.json()["kind"]) == (400, "request")
    assert "NUL" in answer.json()["message"]


def test_a_body_that_is_too_large_is_refused_however_it_is_sent(site: Site) -> None:
    ada, project = site.browser("Ada"), site.add_project()

    def parts() -> Any:
        for _ in range(40):
            yield b"x" * 10_000

    for path, content in (
        (f"/projects/{project}/images?file_name=a.png", b"x" * 300_001),
        (f"/projects/{project}/images?file_name=a.png", parts()),
        ("/people", b"x" * 200_001),
    ):
        answer = ada.post(path, content=content)
        assert (answer.status_code, answer.json()["kind"]) == (413, "large")
    assert ada.get("/projects").status_code == 200


CONFIG = ServerConfig(secret="s" * 32, body_wait_s=0.05, uploads_at_once=1)


def scope(path: str = "/api/v1/people", **headers: str) -> dict[str, Any]:
    pairs = [
        (name.replace("_", "-").encode(), value.encode()) for name, value in {"host": "localhost", **headers}.items()
    ]
    return {"type": "http", "method": "POST", "path": path, "query_string": b"", "headers": pairs}


def run(app: Any, given: dict[str, Any], receive: Any) -> list[Any]:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(Guard(app, CONFIG)(given, receive, send))
    return sent


def test_a_slow_body_is_given_up() -> None:
    from starlette.exceptions import HTTPException

    async def app(_scope: Any, receive: Any, _send: Any) -> None:
        with pytest.raises(HTTPException) as refused:
            await receive()
        assert refused.value.status_code == 408

    async def never() -> Any:
        await asyncio.sleep(30)

    assert run(app, scope(), never) == []


@pytest.mark.parametrize("length", ["-5", "9999999999999", "many"])
def test_a_length_that_is_none_is_refused_before_the_body_is_read(length: str) -> None:
    async def never(*_: Any) -> Any:
        raise AssertionError

    assert run(never, scope(content_length=length), never)[0]["status"] == 413


def test_too_many_uploads_at_once_are_asked_to_come_again() -> None:
    seen: list[int] = []

    async def both() -> None:
        free = asyncio.Event()

        async def app(_scope: Any, _receive: Any, send: Any) -> None:
            await free.wait()
            await send({"type": "http.response.start", "status": 200, "headers": []})

        async def send(message: Any) -> None:
            if "status" in message:
                seen.append(message["status"])
                free.set()

        guard, given = Guard(app, CONFIG), scope("/api/v1/projects/1/images")
        await asyncio.gather(*(guard(given, lambda: None, send) for _ in range(2)))
        await guard(given, lambda: None, send)

    asyncio.run(both())
    assert seen == [503, 200, 200]
