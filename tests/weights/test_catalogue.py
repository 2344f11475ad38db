"""The catalogue: what is known of each file, and nothing that is not."""

import re

import pytest

from vggt_addon.errors import WeightsError
from vggt_addon.weights.catalogue import CATALOGUE, CatalogueEntry, find_entry
from vggt_addon.weights.checkpoint import is_plain
from vggt_addon.weights.networks import TITLES


@pytest.mark.parametrize("entry", CATALOGUE, ids=lambda entry: entry.id)
def test_an_entry_is_complete(entry: CatalogueEntry) -> None:
    assert re.fullmatch("[a-z0-9-]+", entry.id)  # it is the name of a file, and a part of patterns for such names
    assert entry.network in TITLES
    assert is_plain(entry.licence)  # it becomes metadata of a file
    assert re.fullmatch(r"[\w.-]+/[\w.-]+", entry.repository) and "/" not in entry.file
    assert entry.page == f"https://huggingface.co/{entry.repository}"
    assert entry.terms.endswith(".")
    assert entry.sha256 is None or re.fullmatch("[0-9a-f]{64}", entry.sha256)


def test_ids_differ_and_are_found() -> None:
    assert [find_entry(entry.id) for entry in CATALOGUE] == list(CATALOGUE)
    assert len({entry.id for entry in CATALOGUE}) == len(CATALOGUE)
    with pytest.raises(WeightsError, match=r"no weights called vggt: choose one of vggt-1b, vggt-1b-commercial,"):
        find_entry("vggt")


def test_a_file_of_unknown_origin_gets_the_strictest_terms() -> None:
    """What a file is taken for where nothing is said is the first entry of its network."""
    first: dict[str, CatalogueEntry] = {}
    for entry in CATALOGUE:
        first.setdefault(entry.network, entry)
    assert all("Not for commercial use" in entry.terms for entry in first.values())
