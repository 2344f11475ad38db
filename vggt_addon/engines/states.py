"""Which engines would run here and now, for the panel and before anything is asked of them.

Nothing heavy is imported and no GPU is woken, so that a worker can say it with its first words: a library is there
where Python finds it, weights where the store has them, and a GPU where torch was built for one (its version.py says)
and the system has its driver. A run may still find a driver that is broken; it then says so itself.
This module imports nothing beyond the standard library.
"""

import importlib.util
import os
import platform
import re
from pathlib import Path

from ..errors import UserError
from ..jobs.protocol import EngineState
from ..settings import NetworkSettings
from ..weights.catalogue import CATALOGUE, CatalogueEntry, find_entry
from ..weights.store import PRECISIONS, Store, StoredWeights, default_folder

TITLES = {"vggt": "VGGT", "dust3r": "DUSt3R", "sfm": "Structure from motion"}
_LIBRARIES = {  # as they are imported
    "vggt": ("torch", "safetensors", "PIL"),
    "dust3r": ("torch", "safetensors", "cv2", "PIL"),
    "sfm": ("pycolmap", "cv2", "PIL"),
}
_PACKAGES = {"cv2": "OpenCV", "PIL": "Pillow"}  # by import name, where people call it otherwise
# Where pycolmap's publishers make it, as Python names system and processor; elsewhere our package has no engine.
_EMBEDDED = (("Linux", "x86_64"), ("Windows", "AMD64"), ("Darwin", "arm64"))
_DEFAULTS = NetworkSettings()
_LINUX_DRIVERS = ("/dev/nvidiactl", "/dev/dxg", "/dev/kfd")  # NVIDIA's, that of Windows below WSL, AMD's


def engine_states(settings: NetworkSettings = _DEFAULTS) -> tuple[EngineState, ...]:
    """Every engine as it stands here, for these settings. Takes milliseconds and raises nothing for what is missing."""
    return (_learned("vggt", settings), _learned("dust3r", settings), _sfm())


def _sfm() -> EngineState:
    missing = _missing("sfm")
    computer = (platform.system(), platform.machine())
    if missing and computer not in _EMBEDDED:
        needs = (
            f"It is not made for this kind of computer ({' '.join(computer)}): reconstruct on another one, and open "
            "the capture here."
        )
        return EngineState("sfm", TITLES["sfm"], False, needs, "")
    if missing:
        needs = f"{missing} is missing here: install the add-on again, which brings it along."
        return EngineState("sfm", TITLES["sfm"], False, needs, "")
    needs = "Needs neither a GPU nor a download: two or more photos that overlap."
    return EngineState("sfm", TITLES["sfm"], True, needs, "")


def _learned(engine: str, settings: NetworkSettings) -> EngineState:
    ready, needs, licence = True, "", ""
    try:
        entry, stored = _weights(engine, settings)
        licence = stored.licence if stored else entry.licence
        if stored is None:
            ready = False
            needs = (
                f"Its weights are not here: get them in the preferences ({_gigabytes(entry.size)}), or with "
                f"`weights download {entry.id}`; or take a file that you have there, or with `weights convert`."
            )
    except UserError as error:  # no such id, or a file that is damaged
        ready, needs = False, error.sentence
    missing = _missing(engine)
    if missing:  # the first thing to see to: without it, weights are of no use
        needs = (
            f"{missing} is missing here: install the runtime in the add-on's preferences, or use the embedded engine."
        )
        ready = False
    if ready:
        ready, needs = _device(settings.device)
    return EngineState(engine, TITLES[engine], ready, needs, licence)


def _weights(engine: str, settings: NetworkSettings) -> tuple[CatalogueEntry, StoredWeights | None]:
    """What a run would take, or the entry to get where there is nothing. Raises WeightsError.

    Weights that are asked for are one engine's; the other has its own.
    """
    store = Store(Path(settings.weights_folder) if settings.weights_folder else default_folder())
    asked = settings.weights and find_entry(settings.weights).network == engine
    ids = [settings.weights] if asked else [entry.id for entry in CATALOGUE if entry.network == engine]
    on_gpu = settings.precision == "auto" and settings.device != "cpu" and has_gpu()
    halves = [half for half in PRECISIONS[1:] if settings.precision == half or on_gpu]
    for id in ids:
        for precision in (*halves, PRECISIONS[0]):
            if stored := store.find(id, precision):
                return stored.entry, stored
    return find_entry(ids[0]), None


def _missing(engine: str) -> str:
    """What people call the first library of the engine that Python does not find; empty where all are there."""
    for name in _LIBRARIES[engine]:
        if importlib.util.find_spec(name) is None:
            return _PACKAGES.get(name, name)
    return ""


def _device(asked: str) -> tuple[bool, str]:
    """Whether it would run on the device that the settings name, and what to know of that."""
    if asked == "cpu":
        return True, "Works on the processor, where a run takes minutes."
    if has_gpu():
        return True, "Runs on the GPU."
    if asked == "auto":
        return True, "Works without a GPU, but takes minutes: on an NVIDIA or Apple GPU it takes seconds."
    return False, "No GPU that torch can use is here: choose another device, and it takes minutes."


def has_gpu() -> bool:
    """Whether there is a GPU that the torch which is installed can use, as far as files tell."""
    spec = importlib.util.find_spec("torch")
    if spec is None or spec.origin is None:
        return False
    system = platform.system()
    if system == "Darwin":
        return platform.machine() == "arm64"
    try:
        version = Path(spec.origin).with_name("version.py").read_text(encoding="utf-8")
    except OSError:
        return False
    if not re.search(r"^(cuda|hip)\b[^=\n]*= *['\"]", version, re.MULTILINE):
        return False
    if system == "Windows":
        return (Path(os.environ.get("SYSTEMROOT", r"C:\Windows")) / "System32" / "nvcuda.dll").exists()
    return any(Path(driver).exists() for driver in _LINUX_DRIVERS)


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:.1f} GB"
