import re

import pytest

from anymask.errors import WeightsError
from anymask.model.registry import WeightsEntry, entry_named, registry
from anymask.model.sam import SamConfig


@pytest.mark.parametrize("entry", registry(), ids=lambda entry: entry.name)
def test_every_entry_names_an_architecture_and_says_what_file_it_is(entry: WeightsEntry) -> None:
    assert entry.is_embedded or SamConfig.named(entry.name)  # an embedded file says its own
    assert entry.licence
    assert entry.source
    if entry.is_embedded:
        assert (entry.size_bytes, entry.sha256) == (None, None)
    else:
        assert re.fullmatch("[0-9a-f]{64}", entry.sha256 or "")
        assert (entry.url or "").endswith(f"/{entry.file_name}")
        assert (entry.size_bytes or 0) > 1 << 28


def test_entries_are_found_by_name() -> None:
    assert [entry_named(entry.name) for entry in registry()] == registry()


def test_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(WeightsError, match=r"'vit_x'; known are tiny, tiny_loop_start, vit_b, vit_l, vit_h"):
        entry_named("vit_x")
