"""The tests of scene and panel, run against the installed extension instead of the source.

    python tests/distribution/installed_suite.py ZIP PROFILE [PYTEST OPTION...]

The Python has bpy, numpy and pytest, and none of the engines' libraries: those come with the zip. `vggt_addon`, as
tests import it, is then another name of what Blender has installed.
"""

import importlib
import importlib.util
import os
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

REPOSITORY = Path(__file__).parents[2]
sys.path.insert(0, str(REPOSITORY))

from tests.distribution import clean_profile  # noqa: E402 - the path comes first

PROFILE_VARIABLE = "VGGT_ADDON_TEST_PROFILE"  # for Blenders that tests start


class SecondName(MetaPathFinder, Loader):
    """Finds `vggt_addon.x` as the installed extension's module x, the very same one."""

    def __init__(self) -> None:
        self._specs: dict[str, ModuleSpec | None] = {}

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        """Ours and nothing else."""
        ours = name == "vggt_addon" or name.startswith("vggt_addon.")
        return importlib.util.spec_from_loader(name, self) if ours else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """The module as it stands under its long name."""
        module = importlib.import_module(f"{clean_profile.MODULE}.{spec.name}")
        self._specs[spec.name] = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """It was run under its long name, and keeps what it knows of itself."""
        spec = module.__spec__
        assert spec is not None
        module.__spec__ = self._specs[spec.name]


def enter(folder: Path) -> Any:
    """bpy with the profile `folder`, where the extension is or will be installed, with `vggt_addon` its second name."""
    bpy = clean_profile.use(folder)
    sys.meta_path.insert(0, SecondName())
    return bpy


def keep_wheels() -> None:
    """Tests load the factory settings, which know no extension: Blender would take its wheels away in the middle."""
    import addon_utils

    addon_utils._extension_sync_wheels = lambda **_: None


def main() -> int:
    """Install, take the extension back to where the tests expect it (installed, not registered), and run them."""
    archive, folder, *options = sys.argv[1:]
    bpy = enter(Path(folder))
    clean_profile.install(bpy, Path(archive))
    import addon_utils

    addon_utils.disable(clean_profile.MODULE)
    keep_wheels()
    os.environ[PROFILE_VARIABLE] = folder
    return int(pytest.main([str(REPOSITORY / "tests/scene"), str(REPOSITORY / "tests/ui"), *options]))


if __name__ == "__main__":
    sys.exit(main())
