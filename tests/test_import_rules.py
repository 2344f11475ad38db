"""Who may import what: the walls of the house, read from every file's syntax tree."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "vggt_addon"
FILES = sorted(PACKAGE.rglob("*.py"))

# Longest prefix wins. What a room may import beyond the standard library, numpy and (relatively) the project itself.
ALLOWED: dict[str, set[str]] = {
    "": set(),
    "console.py": {"tqdm"},
    "commands.py": {"bpy"},
    "photos": {"PIL", "pillow_heif", "av"},
    "engines/layers": {"torch"},
    "engines/keep_last.py": {"torch"},
    "engines/stored_weights.py": {"torch"},
    "engines/vggt": {"torch", "safetensors", "PIL"},
    "engines/dust3r": {"torch", "safetensors", "cv2", "scipy"},
    "engines/absolute_pose.py": {"cv2"},
    "engines/localisation": {"cv2"},
    "engines/sfm": {"cv2", "PIL"},
    "engines/sfm/colmap_process.py": {"pycolmap"},
    "engines/sfm/colmap_summary.py": {"pycolmap"},
    "weights": {"torch", "safetensors", "huggingface_hub"},
    "refinement": {"pycolmap", "cv2"},
    "formats/colmap.py": {"pycolmap", "cv2"},
    "scene": {"bpy", "bpy_extras", "mathutils"},
    "ui": {"bpy", "bpy_extras", "mathutils"},
    "registration.py": {"bpy"},
    "runtime/device_check.py": {"torch"},
}
# Rooms that a room may not look into, at any depth of its code.
FORBIDDEN_ROOMS: dict[str, set[str]] = {
    "scene": {"engines", "photos", "pipeline", "weights", "refinement"},
    "ui": {"engines", "photos", "pipeline", "weights", "refinement"},
    "engines": {"scene", "ui"},
    "photos": {"scene", "ui", "engines"},
    "runtime": {"scene", "ui", "engines", "photos", "pipeline", "postprocess"},
    "geometry": {"scene", "ui", "engines", "photos", "postprocess"},
    "postprocess": {"scene", "ui", "engines", "photos"},
    "reconstruction.py": {"scene", "ui", "engines", "photos", "postprocess"},
}
# Of a forbidden room, what imports no library and may be looked into all the same.
PLAIN_MODULES = {"weights.catalogue", "weights.store"}
# Rooms whose modules pipeline, commands and __main__ may import only inside the function that needs them, so that
# starting the command line loads no library and building a scene loads no engine.
LAZY_ROOMS = {"scene", "photos", "bpy"}


def _imports(tree: ast.AST) -> list[tuple[ast.Import | ast.ImportFrom, str, int]]:
    found: list[tuple[ast.Import | ast.ImportFrom, str, int]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(node, alias.name, 0) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found.append((node, node.module or "", node.level))
    return found


def _rule(relative: str, rules: dict[str, set[str]]) -> set[str]:
    fitting = [prefix for prefix in rules if relative == prefix or relative.startswith(prefix + "/") or prefix == ""]
    return rules[max(fitting, key=len)] if fitting else set()


def _project_module(path: Path, module: str, level: int) -> str:
    """What a relative import leads to, as a name below the package: "weights.store"."""
    folder = path.parent
    for _ in range(level - 1):
        folder = folder.parent
    return ".".join([*folder.relative_to(PACKAGE).parts, *module.split(".")]).strip(".")


def _project_room(path: Path, module: str, level: int) -> str:
    """The top-level room that a relative import leads to."""
    return _project_module(path, module, level).split(".")[0]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_room_imports_what_it_may(path: Path) -> None:
    relative = path.relative_to(PACKAGE).as_posix()
    allowed = _rule(relative, ALLOWED) | {"numpy"}
    forbidden = _rule(relative, FORBIDDEN_ROOMS)
    for node, module, level in _imports(ast.parse(path.read_text(encoding="utf-8"))):
        where = f"{relative}:{node.lineno}"
        if level:
            target = _project_module(path, module, level)
            room = target.split(".")[0]
            assert room not in forbidden or target in PLAIN_MODULES, f"{where} looks into {target}"
            continue
        top = module.split(".")[0]
        assert top != "vggt_addon", f"{where}: the package's name differs inside Blender; import relatively"
        assert top in allowed or top in sys.stdlib_module_names, f"{where} imports {top}"


@pytest.mark.parametrize("name", ["__main__.py", "commands.py", "pipeline.py"])
def test_heavy_rooms_are_imported_late(name: str) -> None:
    path = PACKAGE / name
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        for _, module, level in _imports(node) if isinstance(node, ast.Import | ast.ImportFrom) else []:
            room = _project_room(path, module, level) if level else module.split(".")[0]
            assert room not in LAZY_ROOMS, f"{name}:{node.lineno} imports {module} at its top"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_module_says_what_it_may_not_import(path: Path) -> None:
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    assert docstring, f"{path.name} has no docstring"
    if path.name != "__init__.py":
        assert "import" in docstring.lower(), f"{path.name} does not say what it may import"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_file_is_small_or_says_why(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    docstring = ast.get_docstring(ast.parse(text)) or ""
    assert text.count("\n") <= 400 or "lines" in docstring, f"{path.name} is longer than 400 lines and gives no reason"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            assert length <= 50, f"{path.name}: {node.name} is {length} lines long"


def test_what_may_be_looked_into_imports_no_library() -> None:
    modules = ", ".join(f"vggt_addon.{name}" for name in sorted(PLAIN_MODULES))
    program = f"import sys; before = set(sys.modules); import {modules}; print(*(set(sys.modules) - before))"
    told = subprocess.run(
        [sys.executable, "-c", program], cwd=PACKAGE.parent, capture_output=True, text=True, check=True
    )
    foreign = {name.split(".")[0] for name in told.stdout.split()} - set(sys.stdlib_module_names)
    assert foreign == {"vggt_addon"}


def test_the_rules_bite() -> None:
    assert _rule("scene/build.py", ALLOWED) == {"bpy", "bpy_extras", "mathutils"}
    assert _rule("geometry/raster.py", ALLOWED) == set()
    assert _rule("engines/sfm/colmap_process.py", ALLOWED) == {"pycolmap"}
    assert _project_room(PACKAGE / "scene" / "build.py", "engines.base", 2) == "engines"
    assert _project_room(PACKAGE / "scene" / "build.py", "cameras", 1) == "scene"
