"""A lock whose file goes away while others wait for it, as a removal makes it."""

import os
import threading
from pathlib import Path

import pytest

from vggt_addon.errors import Cancelled
from vggt_addon.progress import never, no_progress
from vggt_addon.weights.file_lock import file_lock


def held_by_another(path: Path) -> bool:
    """Whether somebody who comes now has to wait."""
    try:
        with file_lock(path, no_progress, lambda: True):
            return False
    except Cancelled:
        return True


@pytest.mark.skipif(os.name == "nt", reason="Windows does not remove a file that is open")
@pytest.mark.parametrize("folder_too", [False, True])
def test_who_waited_holds_the_file_of_that_name(tmp_path: Path, folder_too: bool) -> None:
    path = tmp_path / "runtime" / "lock"
    waiting, inside, leave = threading.Event(), threading.Event(), threading.Event()

    def wait() -> None:
        with file_lock(path, lambda stage, fraction: waiting.set(), never) as held:
            assert held
            inside.set()
            leave.wait(10.0)

    with file_lock(path, no_progress, never):
        thread = threading.Thread(target=wait)
        thread.start()
        assert waiting.wait(10.0)
        path.unlink()
        if folder_too:
            path.parent.rmdir()
    assert inside.wait(10.0)
    assert path.exists()
    assert held_by_another(path)
    leave.set()
    thread.join()
    assert not held_by_another(path)


def test_a_place_where_no_folder_can_be_is_no_endless_wait(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError), file_lock(tmp_path / "file" / "lock", no_progress, never):
        pytest.fail("there is no such lock")
    if os.name != "nt":
        (tmp_path / "link").symlink_to(tmp_path / "nowhere" / "lock")
        with pytest.raises(FileNotFoundError), file_lock(tmp_path / "link", no_progress, never):
            pytest.fail("there is no such lock")
