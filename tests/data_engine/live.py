"""The application of tests/server behind a real socket, for programs that speak HTTP."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

from anymask.data_engine.annotator_client import AnnotationClient, Credentials
from tests.server.browser import Site

PASSWORD = "long enough indeed"


@contextmanager
def served(site: Site) -> Iterator[str]:
    """The address of the site, for as long as the block runs; its jobs are done as they come."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = uvicorn.Server(uvicorn.Config(site.app, log_level="warning", timeout_keep_alive=1))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}/"
        finally:
            server.should_exit = True
            thread.join()


def sign_in(site: Site, url: str, name: str, **options: Any) -> AnnotationClient:
    """`name`, with a password from now on."""
    ada = site.browser("Ada")
    assert ada.call("PATCH", f"/people/{site.ids[name]}", json={"password": PASSWORD}).status_code == 200
    return AnnotationClient(url, Credentials(name, PASSWORD), **options)
