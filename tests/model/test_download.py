"""Downloads against a real HTTP server on the loopback interface, which can cut, corrupt, stall and refuse."""

from __future__ import annotations

import hashlib
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from anymask.errors import ChecksumError, DownloadError
from anymask.model.download import fetch
from anymask.model.registry import WeightsEntry

CONTENT = np.random.default_rng(0).bytes(3_000_001)


@dataclass
class Site:
    """What the server sends, and what it was asked."""

    content: bytes = CONTENT
    cut_after: list[int] = field(default_factory=list)
    """One number a coming answer: close the connection after that many bytes."""
    refuse: list[int] = field(default_factory=list)
    """One HTTP status a coming answer."""
    ranges: bool = True
    pause_s: float = 0.0
    """Between pieces of 64 KiB."""
    asked: list[str] = field(default_factory=list)
    """The Range header of each request, "" for none."""
    sent: int = 0
    port: int = 0

    def entry(self, **changes: object) -> WeightsEntry:
        values = {
            "name": "test",
            "file_name": "test.bin",
            "licence": "none",
            "source": "test",
            "url": f"http://127.0.0.1:{self.port}/test.bin",
            "size_bytes": len(CONTENT),
            "sha256": hashlib.sha256(CONTENT).hexdigest(),
        }
        return WeightsEntry(**{**values, **changes})


class Handler(BaseHTTPRequestHandler):
    site: Site

    def do_GET(self) -> None:
        site = self.site
        wanted = self.headers.get("Range", "")
        site.asked.append(wanted)
        if site.refuse:
            self.send_error(site.refuse.pop(0))
            return
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and site.ranges else 0
        if start >= len(site.content):
            self.send_error(416)
            return
        body = site.content[start:]
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(site.content) - 1}/{len(site.content)}")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        body = body[: site.cut_after.pop(0)] if site.cut_after else body
        try:
            for i in range(0, len(body), 1 << 16):
                self.wfile.write(body[i : i + (1 << 16)])
                site.sent += len(body[i : i + (1 << 16)])
                time.sleep(site.pause_s)
        except ConnectionError:
            pass

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def site() -> Iterator[Site]:
    found = Site()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"site": found}))
    server.daemon_threads = True
    found.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield found
    server.shutdown()
    thread.join()
    server.server_close()


def test_file_arrives_whole_and_progress_reaches_the_end(site: Site, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    path = fetch(site.entry(), tmp_path / "new" / "cache", lambda done, total: seen.append((done, total)))
    assert path == tmp_path / "new" / "cache" / "test.bin"
    assert path.read_bytes() == CONTENT
    assert seen[0] == (0, len(CONTENT))
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert not path.with_name("test.bin.part").exists()


def test_file_in_the_cache_is_not_fetched_again(site: Site, tmp_path: Path) -> None:
    fetch(site.entry(), tmp_path)
    fetch(site.entry(), tmp_path)
    assert len(site.asked) == 1


def test_cut_connection_is_resumed_where_it_ended(site: Site, tmp_path: Path) -> None:
    site.cut_after = [1_000_000, 500_000]
    assert fetch(site.entry(), tmp_path).read_bytes() == CONTENT
    assert site.asked == ["", "bytes=1000000-", "bytes=1500000-"]
    assert site.sent == len(CONTENT)


def test_server_without_ranges_is_read_from_the_start(site: Site, tmp_path: Path) -> None:
    site.ranges, site.cut_after = False, [1_000_000]
    assert fetch(site.entry(), tmp_path).read_bytes() == CONTENT


def test_server_error_is_tried_again(site: Site, tmp_path: Path) -> None:
    site.refuse = [503, 500]
    assert fetch(site.entry(), tmp_path).read_bytes() == CONTENT


def test_missing_file_is_refused_at_once_with_where_to_put_it(site: Site, tmp_path: Path) -> None:
    site.refuse = [404, 404]
    with pytest.raises(DownloadError, match="404") as caught:
        fetch(site.entry(), tmp_path)
    assert len(site.asked) == 1
    assert str(tmp_path / "test.bin") in str(caught.value)
    assert site.entry().sha256 in str(caught.value)


def test_corrupt_content_is_refused_and_not_kept(site: Site, tmp_path: Path) -> None:
    site.content = CONTENT[:-1] + bytes([CONTENT[-1] ^ 1])
    with pytest.raises(ChecksumError, match=r"is not test\.bin"):
        fetch(site.entry(), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["test.bin.lock"]


@pytest.mark.parametrize("content", [b"<html>Please log in</html>", CONTENT + b"more"], ids=["login page", "longer"])
def test_file_of_another_length_is_refused_before_it_is_read(site: Site, tmp_path: Path, content: bytes) -> None:
    site.content = content
    with pytest.raises(DownloadError, match="not the registered file"):
        fetch(site.entry(), tmp_path)
    assert not (tmp_path / "test.bin").exists()


@pytest.mark.parametrize("beginning", [b"x" * 1000, b"x" * len(CONTENT), b"x" * (len(CONTENT) + 5)])
def test_wrong_beginning_left_by_something_else_is_thrown_away(site: Site, tmp_path: Path, beginning: bytes) -> None:
    (tmp_path / "test.bin.part").write_bytes(beginning)
    assert fetch(site.entry(), tmp_path).read_bytes() == CONTENT


@pytest.mark.parametrize("content", [CONTENT[:-1], b"x" * len(CONTENT)], ids=["short", "other bytes"])
def test_damaged_file_in_the_cache_is_refused_by_name(site: Site, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "test.bin").write_bytes(content)
    with pytest.raises(ChecksumError, match=r"test\.bin has .*delete it"):
        fetch(site.entry(), tmp_path)
    assert site.asked == []


def test_file_put_there_by_hand_is_taken_without_network(tmp_path: Path) -> None:
    (tmp_path / "test.bin").write_bytes(CONTENT)
    assert fetch(Site(port=1).entry(), tmp_path) == tmp_path / "test.bin"


def test_offline_error_names_the_file_and_where_to_put_it(tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match=r"Without network: fetch http://127\.0\.0\.1:1/test\.bin") as caught:
        fetch(Site(port=1).entry(), tmp_path)
    assert f"put it at {tmp_path / 'test.bin'}" in str(caught.value)


def test_local_file_address_is_refused(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(CONTENT)
    with pytest.raises(DownloadError, match="only http and https"):
        fetch(Site().entry(url=secret.as_uri()), tmp_path / "cache")


def test_full_disk_is_foreseen(site: Site, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="bytes free"):
        fetch(site.entry(size_bytes=1 << 60), tmp_path)
    assert site.asked == []


def test_cache_that_is_a_file_is_a_clear_error(site: Site, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("in the way")
    with pytest.raises(DownloadError, match="cannot write"):
        fetch(site.entry(), tmp_path / "cache")


def test_threads_asking_at_once_fetch_one_copy(site: Site, tmp_path: Path) -> None:
    site.pause_s = 0.002
    with ThreadPoolExecutor(6) as pool:
        paths = list(pool.map(lambda _: fetch(site.entry(), tmp_path), range(6)))
    assert {path.read_bytes() for path in paths} == {CONTENT}
    assert site.sent == len(CONTENT)


CHILD = """
import sys
from pathlib import Path
from anymask.model.download import fetch
from anymask.model.registry import WeightsEntry
url, size, sha256, folder = sys.argv[1:]
entry = WeightsEntry(name="test", file_name="test.bin", licence="none", source="test", url=url, size_bytes=int(size),
                     sha256=sha256)
fetch(entry, Path(folder))
"""


def child(site: Site, folder: Path) -> subprocess.Popen[bytes]:
    """A process that fetches into `folder`."""
    entry = site.entry()
    arguments = (str(entry.url), str(entry.size_bytes), str(entry.sha256), str(folder))
    return subprocess.Popen([sys.executable, "-c", CHILD, *arguments])


def test_processes_asking_at_once_fetch_one_copy(site: Site, tmp_path: Path) -> None:
    site.pause_s = 0.005
    children = [child(site, tmp_path) for _ in range(3)]
    assert [process.wait(60) for process in children] == [0, 0, 0]
    assert (tmp_path / "test.bin").read_bytes() == CONTENT
    assert site.sent == len(CONTENT)


def test_process_killed_in_mid_transfer_is_resumed_by_the_next(site: Site, tmp_path: Path) -> None:
    part = tmp_path / "test.bin.part"
    kept = [0]
    for _ in range(3):
        site.pause_s = 0.05
        process = child(site, tmp_path)
        deadline = time.monotonic() + 60
        while not (part.exists() and part.stat().st_size > kept[-1]) and time.monotonic() < deadline:
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        assert process.wait(60) == -signal.SIGKILL
        kept.append(part.stat().st_size)
    assert kept == sorted(set(kept)), "each life added bytes"
    assert not (tmp_path / "test.bin").exists()
    site.pause_s = 0.0
    assert fetch(site.entry(), tmp_path).read_bytes() == CONTENT
    assert [asked for asked in site.asked if asked] == [f"bytes={size}-" for size in kept[1:]]
