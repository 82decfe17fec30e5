"""Fixtures of the tests in a browser: the embedded model's decoder, made once, and a server on a folder of pictures."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import s3fs

from anymask.model.weights import load, model_hash
from anymask.predict.export import ExportConfig, export_onnx
from tests.cli.servers import Running
from tests.integration.annotating import PICTURES
from tests.services.s3 import S3


@pytest.fixture(scope="session")
def tiny_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder with the browser's decoder of the embedded model."""
    cache = tmp_path_factory.mktemp("tiny_cache")
    model = load("tiny")
    (cache / "decoders").mkdir()
    export_onnx(model, cache / "decoders" / f"decoder-{model_hash(model)}.onnx", ExportConfig(part="browser"))
    return cache


@pytest.fixture
def folder(tmp_path: Path, repository: Path) -> Path:
    """A folder of two pictures."""
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for name in PICTURES:
        shutil.copy(repository / "demo" / name, pictures)
    return pictures


@pytest.fixture
def server(folder: Path, tiny_cache: Path) -> Iterator[Running]:
    """`anymask annotate` on that folder."""
    with Running(["annotate", str(folder), "--no-browser", "--port", "0"], cache=tiny_cache) as running:
        yield running


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[S3]:
    """A store with the bucket `bucket`, its keys in the environment."""
    server = S3()
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    # fsspec keeps stores by their address, which says nothing of the server.
    s3fs.S3FileSystem.clear_instance_cache()
    yield server
    server.remove()
    s3fs.S3FileSystem.clear_instance_cache()
