"""What the layout promises: arrows named in every package, one import order, a mirrored test, and words kept out."""

import ast
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

import anymask

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "anymask"
MODULES = sorted(path for path in SOURCE.rglob("*.py") if path.name != "__init__.py")
PACKAGES = sorted(path for path in SOURCE.rglob("__init__.py") if path.parent != SOURCE)

TESTED_ELSEWHERE = {
    "__main__.py": "two lines that start the command line; tests/integration/test_cli.py runs it as a process",
    "data_engine/migrations/env.py": "run by Alembic only; tests/data_engine/migrations/test_upgrading.py does that",
    "data_engine/migrations/versions/detectors.py": "tests/data_engine/test_tables.py compares it",
    "data_engine/migrations/versions/first_tables.py": "tests/data_engine/test_tables.py compares it",
    "data_engine/migrations/versions/turns.py": "tests/data_engine/test_tables.py compares it",
    "data_engine/migrations/versions/deployments.py": "tests/data_engine/test_tables.py compares it",
    "data_engine/migrations/versions/rating_tables.py": "tests/data_engine/test_tables.py compares it",
}
"""Modules without a mirrored test file, each with the reason."""

MAX_LINES = 450
"""A module past 400 lines is a hint, past this a failure."""

FORBIDDEN = {
    r"\bfrom \S+ import \*": "star imports hide where a name lives",
    r"\b(import|from) torchvision\b": "nothing may need torchvision",
    r"\b(import|from) segment_anything\b": "the public package is a peer of tests and benchmarks, never a part",
    r"weights_only\s*=\s*False": "pickles from outside are never executed",
    r"\bpickle\.loads?\b": "pickles from outside are never executed",
    r"\btorch\.float64\b|\.double\(\)": "no float64 on a device path (MPS has none)",
    r"""device(: \S+)?\s*=\s*["']cuda""": "the caller chooses the device",
    r"#\s*(TO" + r"DO|FIX" + r"ME|XXX)\b": "open work belongs in an issue",
    r"NotImplemented" + r"Error": "a part that is not there is not in the tree",
}
"""What no module of the package may contain, with the reason."""

PRINTING = re.compile(r"^\s*print\(", re.MULTILINE)
ENVIRONMENT = re.compile(r"\bos\.(environ|getenv)\b")
MAY_READ_ENVIRONMENT = {"model/weights.py"}
VAGUE_NAMES = {"utils", "helpers", "misc", "common", "base"}
PUBLIC_NAMES_OF_OTHERS = {"compat/utils"}


def name_of(path: Path) -> str:
    return path.relative_to(SOURCE).as_posix()


@pytest.mark.parametrize("package", PACKAGES, ids=name_of)
def test_every_package_names_what_it_takes_gives_and_where_it_goes_next(package: Path) -> None:
    docstring = ast.get_docstring(ast.parse(package.read_text())) or ""
    arrows = [line.split(":")[0] for line in docstring.splitlines() if re.match(r"(Takes|Gives|Next): \S", line)]
    assert arrows == ["Takes", "Gives", "Next"]


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_every_module_says_what_it_is_for(module: Path) -> None:
    assert ast.get_docstring(ast.parse(module.read_text()))


def test_imports_keep_the_order_of_the_layers() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    answer = subprocess.run([linter, "--no-cache"], cwd=ROOT, check=False, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stdout + answer.stderr


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_every_module_has_its_mirrored_test_file(module: Path) -> None:
    name = name_of(module)
    mirror = ROOT / "tests" / Path(name).parent / f"test_{module.stem.strip('_')}.py"
    assert mirror.is_file() != (name in TESTED_ELSEWHERE), f"{mirror} is due, or a reason in TESTED_ELSEWHERE, not both"


def test_reasons_are_given_for_modules_that_exist() -> None:
    assert set(TESTED_ELSEWHERE) <= {name_of(module) for module in MODULES}


@pytest.mark.parametrize("module", [*MODULES, *PACKAGES], ids=name_of)
def test_no_module_contains_what_the_style_forbids(module: Path) -> None:
    text = module.read_text()
    found = {pattern: reason for pattern, reason in FORBIDDEN.items() if re.search(pattern, text)}
    name = name_of(module)
    if not name.startswith("cli/"):
        if PRINTING.search(text):
            found["print("] = "only the command line prints"
        if ENVIRONMENT.search(text) and name not in MAY_READ_ENVIRONMENT:
            found["os.environ"] = "only the command line and model/weights.py read the environment"
    assert found == {}


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_no_module_outgrows_one_question(module: Path) -> None:
    assert len(module.read_text().splitlines()) <= MAX_LINES


def test_no_module_or_package_has_a_vague_name() -> None:
    names = {name_of(module).removesuffix(".py") for module in MODULES} | {name_of(p.parent) for p in PACKAGES}
    vague = {name for name in names if name.rsplit("/", 1)[-1] in VAGUE_NAMES}
    assert vague <= PUBLIC_NAMES_OF_OTHERS


def test_the_top_of_the_package_computes_nothing_and_loads_nothing_heavy() -> None:
    code = "import sys, anymask; sys.exit(bool({'torch', 'numpy', 'cv2', 'PIL'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_every_public_name_is_there_and_the_type_checker_sees_the_same_one() -> None:
    tree = ast.parse((SOURCE / "__init__.py").read_text())
    imports = [node for block in tree.body if isinstance(block, ast.If) for node in ast.walk(block)]
    seen = {a.name: node.module for node in imports if isinstance(node, ast.ImportFrom) for a in node.names}
    assert sorted(seen) == sorted(anymask.__all__)
    for name, home in seen.items():
        assert getattr(anymask, name) is getattr(importlib.import_module(str(home)), name)
        assert name in dir(anymask)
    with pytest.raises(AttributeError, match="has no attribute 'segment_nothing'"):
        _ = anymask.segment_nothing
