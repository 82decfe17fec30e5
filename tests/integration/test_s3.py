"""A team's server with its pictures in S3, and bulk generation from there: s3fs and real processes on both ends, the
store is moto's."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest
import s3fs

from anymask.data_engine.automatic import CrewConfig, generate
from anymask.data_engine.blobs import Blobs
from anymask.dataset.shards import write_members
from anymask.errors import NotThereError, StoreError
from tests.cli.servers import Client, Running
from tests.data_engine.generation.small_runs import hashes, small_config, write_pictures
from tests.data_engine.world import SIZE_HW, draw_picture
from tests.services.s3 import S3

pytestmark = pytest.mark.slow


def wait_for_job(client: Client, job_id: int) -> None:
    until = time.monotonic() + 120
    while (job := client.data("GET", f"/jobs/{job_id}"))["state"] != "done":
        assert job["state"] in ("waiting", "running"), job
        assert time.monotonic() < until, job
        time.sleep(0.3)


@pytest.mark.usefixtures("s3")
def test_a_team_works_on_pictures_in_s3_from_upload_to_export(
    tmp_path: Path, small_model: Path, small_decoder: Path
) -> None:
    store = ["--store", "s3://bucket/masks", "--workspace", str(tmp_path / "team")]
    arguments = ["serve", *store, "--port", "0", "--model", str(small_model)]
    with Running(arguments, cache=small_decoder) as server:
        client = Client(server.url).sign_in("admin")
        project = client.data("POST", "/projects", {"name": "cups", "settings": {"review": False}})["id"]
        picture = draw_picture(3)
        image = client.data("POST", f"/projects/{project}/images?file_name=a.png", picture)
        shown = server.wait_for_embedding(client, project)
        embedding = client.call("GET", shown["embedding_url"])
        assert (embedding.status, len(embedding.body) > 1000) == (200, True)
        assert client.call("GET", shown["pixels_url"]).status == 200
        decoded = client.data("POST", f"/images/{image['id']}/decode", {"prompt": {"points": [{"x": 30, "y": 20}]}})
        assert decoded["masks"]
        made = client.act(image["id"], SIZE_HW)
        job = client.data("POST", f"/projects/{project}/exports", {"format": "coco", "only_finished": False})
        wait_for_job(client, job["id"])
        tar = client.call("GET", client.data("GET", f"/jobs/{job['id']}")["download_url"]).body
    with tarfile.open(fileobj=io.BytesIO(tar)) as members:
        names = members.getnames()
        notes = next(name for name in names if name.endswith(".json"))
        (mask,) = json.load(members.extractfile(notes))["annotations"]
    assert any(name.endswith("a.png") or name.endswith("a.webp") for name in names), names
    assert mask["segmentation"] == made["mask"]["rle"]
    # All of it is in the bucket, and nothing beside it.
    assert not (tmp_path / "team" / "store").exists()
    assert [path.name for path in (tmp_path / "team" / "exports").iterdir()] == ["locks"]
    blobs = Blobs("s3://bucket/masks")
    assert len(blobs.files.find(blobs.root)) >= 5


def test_files_in_s3_are_kept_and_read_as_in_a_folder(s3: S3, tmp_path: Path) -> None:
    one, other = Blobs("s3://bucket/here"), Blobs("s3://bucket/here")
    assert not one.has("0" * 64)
    key = other.put(b"some bytes")
    assert (one.has(key), one.size(key), one.read(key)) == (True, 10, b"some bytes")
    assert b"".join(one.read_part(key, 5, 8)) == b"byt"
    file = tmp_path / "file"
    file.write_bytes(b"x" * 3_000_000)
    sent: list[int] = []
    assert one.size(one.put_file(file, lambda: sent.append(1))) == 3_000_000
    assert len(sent) > 3  # its hash is made in three parts
    assert not file.exists()
    with pytest.raises(NotThereError):
        one.read("0" * 64)
    s3.remove()
    for ask in (lambda: one.read(key), lambda: one.put(b"more")):
        with pytest.raises(StoreError, match=r"again in a moment|free some space"):
            ask()


def test_a_store_without_keys_is_refused_with_what_to_do(s3: S3, tmp_path: Path, small_model: Path) -> None:
    command = [sys.executable, "-m", "anymask", "serve", "--store", "s3://no-such-bucket-of-ours/x", "--port", "0"]
    s3.remove()
    answer = subprocess.run(
        [*command, "--workspace", str(tmp_path), "--model", str(small_model)],
        check=False, capture_output=True, text=True, timeout=240,
    )  # fmt: skip
    assert answer.returncode == 8
    assert "cannot be used" in answer.stderr
    assert "anymask[s3]" in answer.stderr


@pytest.mark.usefixtures("s3")
def test_pictures_and_shards_in_a_bucket_give_the_dataset_that_a_folder_gives(
    tmp_path: Path, small_model: Path
) -> None:
    folder = write_pictures(tmp_path / "photos", 7)
    (folder / "cut.jpg").write_bytes((folder / "00003.jpg").read_bytes()[:-20])
    write_members(folder / "more.tar", [("cups/1.jpg", (folder / "00000.jpg").read_bytes()), ("cups/2.jpg", b"none")])
    s3fs.S3FileSystem().put(str(folder), "bucket/", recursive=True)
    config = small_config(small_model)
    generate([str(folder)], tmp_path / "from_folder", config)
    report = generate(["s3://bucket/photos"], tmp_path / "from_bucket", config, CrewConfig(workers=2))
    assert hashes(tmp_path / "from_bucket") == hashes(tmp_path / "from_folder")
    assert sorted(report.failed) == ["cut.jpg", "more.tar/cups/2.jpg"]
    assert report.report["pictures"] == 7
