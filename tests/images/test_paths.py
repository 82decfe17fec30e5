from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anymask.errors import PathError
from anymask.images import check_name, safe_join

_BAD = [
    "",
    ".",
    "..",
    "../x.png",
    "a/../../x.png",
    "a/..",
    "a//b.png",
    "a/./b.png",
    "a/",
    "/etc/passwd",
    "//server/share",
    "C:/x.png",
    "c:x.png",
    "a\\b.png",
    "..\\x.png",
    "a\0.png",
    "a\n.png",
    "a\x7f.png",
    "%2e%2e/x.png",
    "a/%2E%2E/x.png",
    "a%2fb.png",
    "a%5Cb.png",
    "a%00.png",
    "x" * 256,
    "\udcff.png",
]


@pytest.mark.parametrize("name", _BAD)
def test_name_that_could_leave_its_root_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(PathError):
        check_name(name)
    with pytest.raises(PathError):
        safe_join(tmp_path, name)


@pytest.mark.parametrize("name", ["a.png", "set/0001__2.png", "über/写真.webp", "a b/..c/d...png", "100%.png", "-x"])
def test_plain_name_is_joined_as_it_is(tmp_path: Path, name: str) -> None:
    assert safe_join(tmp_path, name) == tmp_path.resolve() / name


@given(name=st.lists(st.sampled_from(["a", ".", "/", "\\", "\0", "%2e", "~", ":", " "]), max_size=12).map("".join))
def test_whatever_is_joined_stays_below_the_root(name: str) -> None:
    root = Path("/nowhere/root")
    try:
        path = safe_join(root, name)
    except PathError:
        return
    assert path.resolve().is_relative_to(root)
    assert path.resolve() != root


def test_link_that_leads_outside_is_refused_and_one_that_stays_inside_is_not(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    (root / "real").mkdir(parents=True)
    outside.mkdir()
    (outside / "secret.png").write_bytes(b"x")
    (root / "folder").symlink_to(outside)
    (root / "file.png").symlink_to(outside / "secret.png")
    (root / "climb.png").symlink_to("../outside/secret.png")
    (root / "near").symlink_to("real")
    for name in ("folder/secret.png", "folder/new.png", "file.png", "climb.png"):
        with pytest.raises(PathError, match="through a link"):
            safe_join(root, name)
    assert safe_join(root, "near/new.png").resolve() == root / "real" / "new.png"


def test_loop_of_links_is_refused_or_stays_inside(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    with pytest.raises(PathError, match="cannot be resolved"):
        safe_join(tmp_path, "a/x.png")


def test_root_may_itself_be_reached_by_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    assert safe_join(tmp_path / "link", "x.png") == tmp_path / "real" / "x.png"


def test_message_of_a_long_name_stays_short() -> None:
    with pytest.raises(PathError) as caught:
        check_name("../" * 10_000)
    assert len(str(caught.value)) < 400
