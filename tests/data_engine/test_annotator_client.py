import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from anymask.data_engine.annotator_client import AnnotationClient, Credentials
from anymask.errors import InputError, LeaseLostError, NotThereError, SignInError, StoreError
from tests.data_engine.live import served, sign_in
from tests.server.browser import Site


@pytest.fixture
def flaky() -> Iterator[tuple[str, list[str]]]:
    """A server that hangs up twice and is busy once before each answer; and what it was asked."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            moods = len(asked) % 4
            if moods in (1, 2):
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            body = b'{"message": "busy"}' if moods == 3 else b'{"csrf_token": "t"}'
            self.send_response(503 if moods == 3 else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_server_that_hangs_up_or_is_busy_is_asked_again(flaky: tuple[str, list[str]]) -> None:
    url, asked = flaky
    client = AnnotationClient(url, sleep=lambda _: None)
    assert client.get("/info") == {"csrf_token": "t"}
    assert asked == ["/api/v1/session"] * 4 + ["/api/v1/info"] * 4
    client.close()


def test_patience_ends_with_a_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    client = AnnotationClient(f"http://127.0.0.1:{port}", patience_s=0.2)
    with pytest.raises(StoreError, match=rf"127.0.0.1:{port} did not answer for 0 s .* see that it runs"):
        client.get("/info")


def test_other_addresses_are_refused() -> None:
    with pytest.raises(InputError, match="expected one like http"):
        AnnotationClient("file:///etc/passwd")


def test_people_sign_in_and_again_when_their_session_has_ended(site: Site) -> None:
    with served(site) as url:
        ann = sign_in(site, url, "Ann", sleep=lambda _: None)
        assert ann.get("/session")["person"]["name"] == "Ann"
        ann._cookie = "ended"
        project = site.add_project()
        assert ann.get(f"/projects/{project}")["name"] == "cups"
        ann.close()


def test_refusals_are_raised_by_what_they_are(site: Site) -> None:
    project = site.add_project()
    site.add_picture(project)
    with served(site) as url:
        ann = sign_in(site, url, "Ann")
        with pytest.raises(NotThereError):
            ann.get("/projects/999")
        task = ann.post(f"/projects/{project}/queue/next")
        with pytest.raises(LeaseLostError):
            ann.post(f"/tasks/{task['id']}/finish", {"token": task["lease"]["token"] + 1})
        with pytest.raises(StoreError, match="for admins"):
            ann.post("/projects", {"name": "mine"})
        with pytest.raises(SignInError, match="'Ann' cannot sign in"):
            AnnotationClient(url, Credentials("Ann", "something else")).get("/projects")
        with pytest.raises(SignInError, match="give a name and a password"):
            AnnotationClient(url).get("/projects")
        ann.close()
