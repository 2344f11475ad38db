"""How engines stand here and now: what each state says, and that saying it loads nothing."""

import importlib.util
import json
import platform
import subprocess
import sys
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import SimpleNamespace

import pytest

from vggt_addon.engines import states
from vggt_addon.engines.registry import ENGINES
from vggt_addon.engines.states import engine_states, has_gpu
from vggt_addon.jobs.protocol import EngineState
from vggt_addon.settings import NetworkSettings

FIND_SPEC = importlib.util.find_spec
Weigh = Callable[..., None]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def put(folder: Path) -> Weigh:
    """A file in the store as the converter makes it, as far as its list of contents goes."""

    def write(id: str = "vggt-1b", precision: str = "", network: str = "vggt", licence: str = "its own") -> None:
        folder.mkdir(exist_ok=True)
        record = {"network": network, "source": "a test", "source_sha256": "a" * 64, "licence": licence}
        contents = json.dumps({"__metadata__": record}).encode()
        path = folder / f"{id}{'.' * bool(precision)}{precision}.safetensors"
        path.write_bytes(len(contents).to_bytes(8, "little") + contents)

    return write


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Python finds no module of that name."""

    def hide(hidden: str) -> None:
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == hidden else FIND_SPEC(name))

    return hide


def state_of(name: str, folder: Path, **settings: str) -> EngineState:
    every = engine_states(NetworkSettings(weights_folder=str(folder), **settings))  # type: ignore[arg-type]
    return next(state for state in every if state.name == name)


def vggt(folder: Path, **settings: str) -> EngineState:
    return state_of("vggt", folder, **settings)


def test_every_engine_of_the_registry_is_told() -> None:
    assert [state.name for state in engine_states()] == list(ENGINES)
    assert all(state.title and state.needs.endswith(".") for state in engine_states())


def test_the_embedded_engine_needs_nothing() -> None:
    sfm = engine_states()[-1]
    assert sfm.ready and sfm.licence == "" and "neither a GPU nor a download" in sfm.needs


@pytest.mark.parametrize(("name", "said"), [("pycolmap", "pycolmap"), ("cv2", "OpenCV"), ("PIL", "Pillow")])
def test_a_library_of_the_embedded_engine_that_is_missing(without: Callable[[str], None], name: str, said: str) -> None:
    without(name)
    sfm = engine_states()[-1]
    assert not sfm.ready and sfm.needs.startswith(f"{said} is missing here: install")


@pytest.mark.parametrize(("system", "machine"), [("Darwin", "x86_64"), ("Windows", "ARM64"), ("Linux", "aarch64")])
def test_a_computer_that_the_embedded_engine_is_not_made_for(
    without: Callable[[str], None], monkeypatch: pytest.MonkeyPatch, system: str, machine: str
) -> None:
    monkeypatch.setattr(platform, "system", lambda: system)
    monkeypatch.setattr(platform, "machine", lambda: machine)
    assert engine_states()[-1].ready  # whoever has built pycolmap there may use it
    without("pycolmap")
    sfm = engine_states()[-1]
    assert not sfm.ready and f"({system} {machine})" in sfm.needs and "install" not in sfm.needs


@pytest.mark.parametrize("name", ["torch", "safetensors"])
def test_without_its_library_weights_are_of_no_use(
    folder: Path, put: Weigh, without: Callable[[str], None], name: str
) -> None:
    put()
    without(name)
    state = vggt(folder)
    assert not state.ready and state.needs.startswith(f"{name} is missing here") and state.licence == "its own"


def test_without_weights_it_says_which_and_how(folder: Path) -> None:
    state = vggt(folder)
    assert not state.ready
    assert all(words in state.needs for words in ("(5.0 GB)", "`weights download vggt-1b`", "`weights convert`"))
    assert state.licence == "CC BY-NC 4.0"
    asked = vggt(folder, weights="vggt-1b-commercial")
    assert "`weights download vggt-1b-commercial`" in asked.needs and asked.licence.startswith("VGGT License")


def test_the_licence_is_that_of_the_weights_which_are_taken(
    monkeypatch: pytest.MonkeyPatch, folder: Path, put: Weigh
) -> None:
    put("vggt-1b-commercial", licence="for all")
    assert vggt(folder).ready and vggt(folder).licence == "for all"
    put("vggt-1b", "bfloat16", licence="half")
    for gpu in (False, True):
        monkeypatch.setattr(states, "has_gpu", lambda gpu=gpu: gpu)
        assert vggt(folder).licence == ("half" if gpu else "for all"), "half precision alone serves a GPU"
        assert vggt(folder, device="cpu").licence == "for all"
        assert vggt(folder, precision="bfloat16").licence == "half"
        assert vggt(folder, precision="float16").licence == "for all"
        assert vggt(folder, weights="vggt-1b-commercial").licence == "for all"


@pytest.mark.parametrize("damage", ["name", "cut", "network"])
def test_what_is_wrong_with_the_weights_is_told(folder: Path, put: Weigh, damage: str) -> None:
    put(network="dust3r" if damage == "network" else "vggt")
    if damage == "cut":
        (file,) = folder.iterdir()
        file.write_bytes(file.read_bytes()[:-1])
    state = vggt(folder, weights="mine" if damage == "name" else "")
    words = {"name": "no weights called mine", "cut": "is damaged", "network": "was not made by"}
    assert not state.ready and words[damage] in state.needs


def test_each_learned_engine_looks_for_weights_of_its_own(folder: Path, put: Weigh) -> None:
    put("dust3r-512-dpt", network="dust3r", licence="theirs")
    state = state_of("dust3r", folder)
    assert state.ready and state.licence == "theirs" and state.title == "DUSt3R"
    assert not vggt(folder).ready
    assert state_of("dust3r", folder, weights="vggt-1b").ready, "that is asked of the other"
    assert not vggt(folder, weights="dust3r-512-dpt").ready


def test_dust3r_without_weights_or_opencv(folder: Path, put: Weigh, without: Callable[[str], None]) -> None:
    state = state_of("dust3r", folder)
    assert "`weights download dust3r-512-dpt`" in state.needs and state.licence == "CC BY-NC-SA 4.0"
    put("dust3r-512-dpt", network="dust3r")
    without("cv2")
    assert state_of("dust3r", folder).needs.startswith("OpenCV is missing here: install the runtime")


# --- the device


@pytest.mark.parametrize(
    ("gpu", "device", "ready", "words"),
    [
        (True, "auto", True, "on the GPU"),
        (True, "cuda", True, "on the GPU"),
        (True, "cpu", True, "minutes"),
        (False, "auto", True, "without a GPU, but takes minutes"),
        (False, "cpu", True, "minutes"),
        (False, "cuda", False, "No GPU"),
        (False, "mps", False, "No GPU"),
    ],
)
def test_with_and_without_a_gpu(
    monkeypatch: pytest.MonkeyPatch, folder: Path, put: Weigh, gpu: bool, device: str, ready: bool, words: str
) -> None:
    put()
    monkeypatch.setattr(states, "has_gpu", lambda: gpu)
    state = vggt(folder, device=device)
    assert state.ready == ready and words in state.needs


CPU_TORCH = (
    "from typing import Optional\n__version__ = '2.13.0+cpu'\ncuda: Optional[str] = None\nhip: Optional[str] = None"
)


@pytest.mark.parametrize(
    ("version", "driver", "system", "found"),
    [
        ("cuda: Optional[str] = '12.8'\nhip: Optional[str] = None", True, "Linux", True),
        ("cuda = '12.8'\n", True, "Linux", True),
        ("cuda: Optional[str] = None\nhip: Optional[str] = '6.2'", True, "Linux", True),
        ("cuda: Optional[str] = '12.8'\n", False, "Linux", False),
        ("cuda: Optional[str] = '12.8'\n", True, "Windows", True),
        ("cuda: Optional[str] = '12.8'\n", False, "Windows", False),
        (CPU_TORCH, True, "Linux", False),
        (CPU_TORCH, True, "Windows", False),
        (CPU_TORCH, False, "Darwin", True),
        (None, True, "Linux", False),
    ],
)
def test_a_gpu_is_one_that_torch_was_built_for_and_that_has_its_driver(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str | None, driver: bool, system: str, found: bool
) -> None:
    if version is not None:
        (tmp_path / "version.py").write_text(version, encoding="utf-8")
    spec = ModuleSpec("torch", None, origin=str(tmp_path / "__init__.py"))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)
    monkeypatch.setattr(states, "platform", SimpleNamespace(system=lambda: system, machine=lambda: "arm64"))
    monkeypatch.setattr(states, "_LINUX_DRIVERS", (str(tmp_path / "nvidiactl"),))
    monkeypatch.setenv("SYSTEMROOT", str(tmp_path))
    (tmp_path / "System32").mkdir()
    if driver:
        (tmp_path / "nvidiactl").touch()
        (tmp_path / "System32" / "nvcuda.dll").touch()
    assert has_gpu() == found


def test_what_files_say_of_a_gpu_is_what_torch_says_here() -> None:
    torch = pytest.importorskip("torch")
    if platform.system() == "Darwin":
        assert has_gpu() == torch.backends.mps.is_available()
    else:
        assert has_gpu() == torch.cuda.is_available()


def test_it_loads_nothing_heavy() -> None:
    program = (
        "import sys\nfrom vggt_addon.engines.states import engine_states\nengine_states()\n"
        "sys.exit([name for name in ('torch', 'numpy', 'PIL', 'cv2', 'pycolmap') if name in sys.modules] or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=Path(__file__).parents[2], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
