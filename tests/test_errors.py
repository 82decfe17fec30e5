import inspect
from pathlib import Path

import pytest

from anymask import errors

SOURCE = Path(errors.__file__).parent
CLASSES = [c for _, c in inspect.getmembers(errors, inspect.isclass) if c.__module__ == errors.__name__]


@pytest.mark.parametrize("error", CLASSES)
def test_every_error_can_be_caught_as_one_family_and_fails_a_command(error: type[errors.AnymaskError]) -> None:
    assert issubclass(error, errors.AnymaskError)
    assert 1 <= error.exit_code < 64


def test_families_are_told_apart_by_their_exit_code() -> None:
    families = [c for c in CLASSES if errors.AnymaskError in c.__bases__]
    codes = [c.exit_code for c in families]
    assert len(set(codes)) == len(codes)
    assert errors.AnymaskError.exit_code not in codes


def test_bad_input_is_a_value_error_too_so_that_callers_need_not_know_us() -> None:
    assert issubclass(errors.InputError, ValueError)
    assert issubclass(errors.MissingDependencyError, ImportError)


@pytest.mark.parametrize("error", [c for c in CLASSES if c is not errors.AnymaskError])
def test_every_error_is_raised_somewhere(error: type[errors.AnymaskError]) -> None:
    sources = (path.read_text() for path in SOURCE.rglob("*.py") if path.name != "errors.py")
    assert any(f"{error.__name__}(" in text for text in sources)
