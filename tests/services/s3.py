"""A store that speaks S3 on this machine, for tests: moto's server, which keeps what it is given in memory.

Its own process, as a store is; what is tested is s3fs and the network between, not a stand-in of either.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest


class S3:
    """One server with one empty bucket, `bucket`."""

    def __init__(self) -> None:
        pytest.importorskip("moto", reason="no S3 server here; pip install 'anymask[dev]'")
        with socket.socket() as opened:
            opened.bind(("127.0.0.1", 0))
            port = opened.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **self.environment},
        )
        self._wait()

    @property
    def environment(self) -> dict[str, str]:
        """What a program must have in its environment to use this server: the names that AWS's own tools read."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "somebody",
            "AWS_SECRET_ACCESS_KEY": "a key that this server does not check",
            "AWS_DEFAULT_REGION": "us-east-1",
        }

    def remove(self) -> None:
        self.process.kill()
        self.process.wait()

    def _wait(self) -> None:
        until = time.monotonic() + 120
        while True:
            try:
                request = urllib.request.Request(f"{self.url}/bucket", method="PUT")
                with urllib.request.urlopen(request, timeout=5):
                    return
            except urllib.error.URLError:
                assert time.monotonic() < until, "the S3 server does not start"
                assert self.process.poll() is None, "the S3 server ended"
                time.sleep(0.2)
