"""The command line as people and programs meet it: real processes, real files, real signals."""

from __future__ import annotations

import json
import os
import pickle
import resource
import shutil
import signal
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from anymask.dataset.formats import from_coco, from_png, from_sa1b
from anymask.images.load import load_image
from tests.images import pictures
from tests.services.processes import environment

pytestmark = pytest.mark.slow

_CLICK = ("--point", "300,180")
_MANY = 200
"""Pictures of the run with one damaged in a hundred (the full size of the fault list is 10,000)."""


def anymask(*arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
    """Run `python -m anymask` to its end."""
    command = [sys.executable, "-m", "anymask", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, **{"env": environment(), **options})


@pytest.fixture
def segment(small_model: Path, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs `anymask segment` in an empty folder with the small model."""
    return lambda *arguments, **options: anymask("segment", *arguments, "--model", small_model, cwd=tmp_path, **options)


def test_click_on_a_photograph_gives_files_and_a_line(segment: Callable, photo_path: Path, tmp_path: Path) -> None:
    done = segment(photo_path, *_CLICK, *(f"--format={form}" for form in ("sa1b", "coco", "png", "overlay")))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"{photo_path}: 1 mask (predicted IoU")
    out = tmp_path / "anymask_out"
    (mask,) = from_sa1b(json.loads((out / "coffee.json").read_text())).rles
    assert from_coco(json.loads((out / "coco.json").read_text()))[0].masks.rles == (mask,)
    assert from_png((out / "coffee_labels.png").read_bytes()).rles == (mask,)
    assert load_image(out / "coffee_overlay.png").size_hw == (400, 600)


def test_installed_program_is_the_same_as_the_module(small_model: Path, photo_path: Path) -> None:
    program = Path(sys.executable).with_name("anymask")
    arguments = ["segment", str(photo_path), *_CLICK, "--json", "--model", str(small_model)]
    installed = subprocess.run([program, *arguments], capture_output=True, text=True, check=True)
    assert json.loads(installed.stdout) == json.loads(anymask(*arguments).stdout)


def test_help_does_not_wait_for_torch() -> None:
    script = (
        "from anymask.cli.main import main; import sys; main(['train', '--help']); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, check=False).returncode == 0


def _bad_pictures(folder: Path, photo: bytes) -> dict[str, str]:
    """Files of the fault list, each with a piece of the reason it must be refused with."""
    png = pictures.FILES["png"]
    flipped = bytearray(png)
    flipped[len(png) // 2] ^= 1
    wrong_crc = bytearray(png)
    wrong_crc[-1] ^= 1
    scene = Image.fromarray(pictures.SCENE)
    files = {
        "half.jpg": (photo[: len(photo) // 2], "ends before its end-of-image marker"),
        "last.jpg": (photo[:-2], "ends before its end-of-image marker"),
        "grey.jpg": (photo[: len(photo) // 2] + b"\xff\xd9", "coded data is damaged"),
        "half.png": (png[: len(png) // 2], "was cut"),
        "flip.png": (bytes(flipped), "wrong CRC"),
        "crc.png": (bytes(wrong_crc), "wrong CRC"),
        "empty.jpg": (b"", "is empty (0 bytes)"),
        "page.jpg": (b"<!doctype html><title>404</title>", "an HTML page"),
        "drawing.png": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
        "tiff.jpg": (pictures.encode(scene, "TIFF"), "TIFF"),
        "narrow.png": (pictures.png(0, 9, depth=8, colour=0, chunks=[]), "0 x 9 pixels"),
        "bomb.png": (pictures.one_bit_png(30_000), "900,000,000 pixels, expected at most 200,000,000"),
        "claim.png": (pictures.png(100_000, 100_000, depth=8, colour=2, chunks=[]), "100,000 x 100,000"),
    }
    for name, (content, _) in files.items():
        (folder / name).write_bytes(content)
    return {name: reason for name, (_, reason) in files.items()}


def test_every_bad_picture_is_named_with_its_reason_and_the_good_ones_are_done(
    segment: Callable, photo_path: Path, tmp_path: Path
) -> None:
    bad = _bad_pictures(tmp_path, photo_path.read_bytes())
    good = {}
    for orientation in (1, 6):
        name = f"turned_{orientation}.jpg"
        data = pictures.with_orientation(Image.fromarray(pictures.SCENE), "JPEG", orientation)
        (tmp_path / name).write_bytes(data)
        good[name] = [48, 64] if orientation == 1 else [64, 48]
    given = [name for pair in zip(bad, [*good, *[""] * len(bad)], strict=False) for name in pair if name]
    done = segment(*given, "absent.jpg", "--point", "10,10", "--json", "--format", "sa1b", "--out", "out")
    answer = json.loads(done.stdout)
    assert done.returncode == 1
    assert {picture["picture"]: picture["size_hw"] for picture in answer["pictures"]} == good
    reasons = {failure["picture"]: failure["error"]["message"] for failure in answer["failed"]}
    assert list(reasons) == [*bad, "absent.jpg"]
    for name, reason in (bad | {"absent.jpg": "No such file"}).items():
        assert reason in reasons[name]
        assert sum(name in line for line in done.stderr.splitlines()) == 1
    assert done.stderr.splitlines()[-1] == f"{len(bad) + 1} of {len(bad) + 3} pictures failed"
    assert sorted(path.stem for path in (tmp_path / "out").iterdir()) == sorted(Path(name).stem for name in good)


@pytest.mark.parametrize("name", ["half.jpg", "page.jpg", "bomb.png"])
def test_single_bad_picture_is_one_sentence_and_exit_code_2(
    segment: Callable, photo_path: Path, tmp_path: Path, name: str
) -> None:
    reason = _bad_pictures(tmp_path, photo_path.read_bytes())[name]
    done = segment(name, *_CLICK, "--json")
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: '{name}': ")
    assert reason in done.stderr
    assert done.stderr.count("\n") == 1
    error = json.loads(done.stdout)["error"]
    assert (error["kind"], error["exit_code"]) == ("ImageError", 2)
    assert not (tmp_path / "anymask_out").exists()


def test_two_damaged_among_two_hundred_are_named_and_the_rest_is_done(segment: Callable, tmp_path: Path) -> None:
    for number in range(_MANY):
        data = pictures.encode(Image.fromarray(pictures.scene(24, 32) ^ np.uint8(number)), "PNG")
        (tmp_path / f"{number:03}.png").write_bytes(data[: -20 if number in (37, 155) else None])
    done = segment(*sorted(tmp_path.glob("*.png")), "--point", "5,5", "--format", "coco", "--out", "out")
    assert done.returncode == 1
    failed = [line for line in done.stderr.splitlines() if line.startswith("failed: ")]
    assert ["037.png" in failed[0], "155.png" in failed[1], len(failed)] == [True, True, 2]
    pictures_there = from_coco(json.loads((tmp_path / "out" / "coco.json").read_text()))
    assert len(pictures_there) == _MANY - 2
    assert all(len(picture.masks) == 1 for picture in pictures_there)


def test_hostile_file_names_neither_steer_the_terminal_nor_leave_the_folder(
    segment: Callable, photo_path: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "link.json").symlink_to(outside / "written.json")
    names = ["%2e%2e%2fup.jpg", "red\x1b[31m.jpg", "link.jpg"]
    for name in names:
        shutil.copy(photo_path, tmp_path / name)
    for name in names:
        done = segment(name, *_CLICK, "--format", "sa1b", "--out", "out")
        assert done.returncode == 2, name
        assert "\x1b" not in done.stdout + done.stderr
        assert done.stderr.startswith("error: the file name ")
    assert list(outside.iterdir()) == []
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["link.json"]
    assert not (tmp_path / "up.json").exists()


class _Touch:
    """A pickle that makes a file when it is loaded without care."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.path,)


def test_malicious_weights_are_refused_and_never_run(photo_path: Path, tmp_path: Path) -> None:
    trap = tmp_path / "sprung"
    with zipfile.ZipFile(tmp_path / "model.pth", "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({"a": _Touch(trap)}))
        archive.writestr("archive/version", "3\n")
    (tmp_path / "plain.pth").write_bytes(pickle.dumps({"a": _Touch(trap)}))
    for name in ("model.pth", "plain.pth"):
        done = anymask("segment", photo_path, *_CLICK, "--model", tmp_path / name, "--json")
        assert done.returncode == 3
        assert json.loads(done.stdout)["error"]["kind"] == "WeightsError"
        assert not trap.exists()


def test_weights_that_cannot_be_fetched_name_the_file_and_where_to_put_it(photo_path: Path, tmp_path: Path) -> None:
    nobody = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")
    alone = environment(**nobody, ANYMASK_CACHE=str(tmp_path / "cache"), no_proxy="", NO_PROXY="")
    done = anymask("segment", photo_path, *_CLICK, "--model", "vit_b", env=alone)
    assert done.returncode == 3
    assert "sam_vit_b_01ec64.pth" in done.stderr
    assert str(tmp_path / "cache") in done.stderr
    assert "Traceback" not in done.stderr


def test_disk_that_is_full_leaves_no_half_file_and_says_so(segment: Callable, photo_path: Path, tmp_path: Path) -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))

    done = segment(photo_path, *_CLICK, "--format", "sa1b", "--format", "overlay", "--out", "out", preexec_fn=limit)
    assert done.returncode == 2
    assert "coffee_overlay.png cannot be written (File too large)" in done.stderr
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["coffee.json"]
    from_sa1b(json.loads((tmp_path / "out" / "coffee.json").read_text()))


def test_standard_output_that_is_full_is_an_error_and_one_that_went_away_is_silent() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "anymask", "models"], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 1
    assert done.stderr == "error: standard output cannot be written (No space left on device)\n"
    reader, writer = os.pipe()
    os.close(reader)
    try:
        gone = subprocess.run(
            [sys.executable, "-m", "anymask", "models"], stdout=writer, stderr=subprocess.PIPE, text=True, check=False
        )
    finally:
        os.close(writer)
    assert (gone.returncode, gone.stderr) == (1, "")


def _heed_interrupts() -> None:
    """What runs in the background of a shell starts with SIGINT ignored; what a person starts does not."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_interruption_ends_at_once_with_130_and_keeps_what_is_done(
    small_model: Path, photo_path: Path, tmp_path: Path
) -> None:
    arguments = [
        "--everything",
        "--points-per-side",
        "4",
        "--out",
        str(tmp_path / "out"),
        "--format",
        "sa1b",
        "--model",
        str(small_model),
    ]
    command = [sys.executable, "-m", "anymask", "segment", *[str(photo_path)] * 500, *arguments]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=environment(), preexec_fn=_heed_interrupts, **pipes) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=300)
    assert process.returncode == 130
    assert err == "interrupted\n"
    written = list((tmp_path / "out").iterdir())
    assert 1 <= len(written) < 500
    assert all(path.suffix == ".json" and json.loads(path.read_text())["image"] for path in written)
