"""The documents say what is there, and what they show runs."""

import ast
import doctest
import importlib
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import typer.main

from anymask import errors
from anymask.cli.main import app
from docs.build_reference import class_fields, pages

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "anymask"
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "demo").glob("*.md")])
DOCUMENTS = [page for page in DOCUMENTS if "reference" not in page.parts]
GUIDES = sorted((ROOT / "docs" / "guides").glob("*.md"))
MODULES = sorted(SOURCE.rglob("*.py"))

FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(#[^)]*)?\)")
CODE = re.compile(r"`([^`\n]+)`")


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Every verb with its words (`evaluate points` for a nested one), whichever click typer has inside."""
    children = getattr(command, "commands", None)
    if children is None:
        yield " ".join(path), command
    for name, child in (children or {}).items():
        yield from commands(child, (*path, name))


def sections(page: Path) -> dict[str, str]:
    """Title -> text of each second-level section."""
    parts = re.split(r"^## (.+)$", page.read_text(), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


COMMANDS = dict(commands(typer.main.get_command(app)))


@pytest.mark.parametrize("verb", COMMANDS)
def test_every_verb_and_each_of_its_options_is_documented(verb: str) -> None:
    documented = sections(ROOT / "docs" / "command_line.md")
    assert f"anymask {verb}" in documented
    options = chain.from_iterable(p.opts for p in COMMANDS[verb].params if p.param_type_name == "option")
    named = set(re.findall(r"--[a-z][a-z-]*", documented[f"anymask {verb}"]))
    assert named - {"--help"} == {option for option in options if option.startswith("--")} - {"--help"}


def test_every_error_is_documented_with_its_exit_code() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (\d+) \|", (ROOT / "docs" / "errors.md").read_text(), re.MULTILINE)
    due = {n: c.exit_code for n, c in vars(errors).items() if isinstance(c, type) and issubclass(c, Exception)}
    assert {name: int(code) for name, code in rows} == due


def classes(module: Path) -> Iterator[ast.ClassDef]:
    return (node for node in ast.walk(ast.parse(module.read_text())) if isinstance(node, ast.ClassDef))


CONFIGS = {
    f"{relative(module)}:{node.name}": node
    for module in MODULES
    for node in classes(module)
    if re.search(r"(Config|Limits|Options)$", node.name)
}


@pytest.mark.parametrize("name", CONFIGS)
def test_every_field_of_every_config_has_its_line_of_text(name: str) -> None:
    assert [field for field, text in class_fields(CONFIGS[name]) if not text] == []


def test_the_reference_has_a_section_for_every_module() -> None:
    text = "".join(pages().values())
    due = {".".join(m.relative_to(SOURCE.parent).with_suffix("").parts) for m in MODULES if not m.stem.startswith("_")}
    assert {name for name in due if f"## {name}\n" not in text} == set()


@pytest.mark.parametrize("page", DOCUMENTS, ids=relative)
def test_every_link_leads_somewhere(page: Path) -> None:
    inside = [target for target, _ in LINK.findall(CODE.sub("", page.read_text())) if "://" not in target]
    assert [target for target in inside if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", DOCUMENTS, ids=relative)
def test_every_file_and_make_target_named_in_code_font_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = CODE.findall(FENCE.sub("", page.read_text()))
    files = [text for text in named if re.fullmatch(r"(src|tests|docs|demo|soak|benchmarks)/[\w./]*\w", text)]
    modules = [text for text in named if re.fullmatch(r"[a-z_]+/[a-z_/0-9]+\.py", text) and text not in files]
    missing = [text for text in files if not (ROOT / text).exists()]
    missing += [text for text in modules if not (SOURCE / text).exists() and not (ROOT / text).exists()]
    missing += [text for text in named if text.startswith("make ") and text.split()[1] not in targets]
    assert missing == []


def test_the_paper_map_says_of_every_row_whether_it_is_there() -> None:
    rows = re.findall(r"^\| (?!Paper|-)(.+) \|$", (ROOT / "docs" / "paper_map.md").read_text(), re.MULTILINE)
    states = [row.rsplit("|", 1)[1].split()[0].strip(":;,") for row in rows]
    assert len(rows) > 10
    assert set(states) <= {"there", "part", "absent"}


def as_script(page: Path) -> str:
    """The page's snippets in order as one Python program; shell lines become processes, `text` blocks are left out."""
    program = ["import subprocess"]
    for language, block in FENCE.findall(page.read_text()):
        if language == "python":
            program.append(block)
        elif language == "bash":
            program.append(f"subprocess.run(['bash', '-euc', {block!r}], check=True)")
    return "\n".join(program)


@pytest.mark.slow
@pytest.mark.parametrize("page", GUIDES, ids=relative)
def test_the_snippets_of_a_guide_run_in_order(page: Path, tmp_path: Path) -> None:
    run_snippets(as_script(page), tmp_path)


@pytest.mark.slow
def test_the_commands_of_the_readme_run(tmp_path: Path) -> None:
    lines = [line for _, block in FENCE.findall((ROOT / "README.md").read_text()) for line in block.splitlines()]
    ours = [line for line in lines if line.startswith("anymask ")]
    assert len(ours) == 5
    block = "\n".join(ours)
    run_snippets(f"import subprocess\nsubprocess.run(['bash', '-euc', {block!r}], check=True)", tmp_path)


def run_snippets(program: str, folder: Path) -> None:
    """Run in a folder with the pictures that the documents name; a failure shows the program's own words."""
    shutil.copytree(ROOT / "demo", folder / "demo", ignore=shutil.ignore_patterns("*.py"))
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    environment = {"PATH": path, "HOME": str(folder), "OMP_NUM_THREADS": "1"}
    answer = subprocess.run(
        [sys.executable, "-c", program], cwd=folder, env=environment, check=False, capture_output=True, text=True
    )
    assert answer.returncode == 0, answer.stdout[-3000:] + answer.stderr[-5000:]


@pytest.mark.parametrize("module", [m for m in MODULES if ">>> " in m.read_text()], ids=relative)
def test_the_examples_in_docstrings_hold(module: Path) -> None:
    parts = module.relative_to(SOURCE.parent).with_suffix("").parts
    name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
    result = doctest.testmod(importlib.import_module(name), optionflags=doctest.NORMALIZE_WHITESPACE)
    assert result.attempted > 0
    assert result.failed == 0
