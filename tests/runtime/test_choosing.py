"""What uv's and pip's answers are read as, what the lock allows, and which build is asked for."""

import json
import re
import sys
from pathlib import Path

import pytest

from vggt_addon.errors import InstallError
from vggt_addon.runtime.accelerator import NONE, Accelerator
from vggt_addon.runtime.failures import NOT_OFFERED, explained_output
from vggt_addon.runtime.locked import Lock, Wheel, load_lock, normalised
from vggt_addon.runtime.offer import choose_backend, make_offer
from vggt_addon.runtime.pip_tool import read_report
from vggt_addon.runtime.platforms import TRIPLES, platform_name
from vggt_addon.runtime.tools import tool_wheels
from vggt_addon.runtime.uv_tool import read_pylock

HASH = "ab" * 32
OTHER = "cd" * 32
WITH_TORCH = (
    "cuda-bindings",
    "nvidia-cublas",
    "nvidia-cusparselt-cu13",
    "triton",
    "pytorch-triton-rocm",
    "triton-rocm",
    "pytorch-triton-xpu",
    "intel-openmp",
    "intel-cmplr-lib-rt",
    "onemkl-sycl-blas",
    "oneccl",
    "mkl",
    "tbb",
)


def pylock(*names: str) -> str:
    wheels = ", ".join(f'{{ url = "https://h/p/{name}", hashes = {{ sha256 = "{HASH}" }} }}' for name in names)
    return f'lock-version = "1.0"\n[[packages]]\nname = "numpy"\nversion = "2.5.5"\nwheels = [{wheels}]\n'


def test_uvs_lock_file() -> None:
    (wheel,) = read_pylock(pylock("numpy-2.5.5%2Bcpu-cp313.whl"))
    assert wheel == Wheel(
        "numpy", "2.5.5", "numpy-2.5.5+cpu-cp313.whl", HASH, "https://h/p/numpy-2.5.5%2Bcpu-cp313.whl", 0
    )


def test_of_several_builds_for_macs_the_newest_that_runs() -> None:
    files = [f"numpy-2.5.5-cp313-cp313-macosx_{system}_arm64.whl" for system in ("11_0", "14_0", "15_0")]
    assert read_pylock(pylock(*files))[0].file == files[1]
    assert read_pylock(pylock(*files), "26.1")[0].file == files[2]
    assert read_pylock(pylock(*files), "13.6.1")[0].file == files[0]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "packages = 3",
        "[[packages",
        pylock("a-1-linux.whl", "b-1-linux.whl"),
        '[[packages]]\nname = "x"\nversion = "1"\nwheels = []\n',
        '[[packages]]\nname = "x"\nversion = "1"\nsdist = {}\n',
    ],
)
def test_an_answer_that_names_no_wheel(text: str) -> None:
    with pytest.raises(InstallError) as raised:
        read_pylock(text)
    assert raised.value.sentence == NOT_OFFERED


def test_pips_report() -> None:
    entry = {
        "metadata": {"name": "Typing_Extensions", "version": "4.16.0"},
        "download_info": {"url": "https://h/t-4.16.0.whl", "archive_info": {"hashes": {"sha256": HASH}}},
    }
    assert read_report(json.dumps({"install": [entry]})) == [
        Wheel("typing-extensions", "4.16.0", "t-4.16.0.whl", HASH, "https://h/t-4.16.0.whl", 0)
    ]
    with pytest.raises(InstallError):
        read_report("{}")


def test_the_lock_allows_what_it_knows_and_what_torch_brings() -> None:
    lock = Lock(f"a-b==1.0 ; x == 'y' \\\n    --hash=sha256:{HASH} \\\n    --hash=sha256:{OTHER}\n", "2.0")
    lock.check(wheel("a-b", "1.0", OTHER))
    for name in WITH_TORCH:
        lock.check(wheel(name, "13"))
    for version in ("2.0", "2.0+cpu", "2.0+rocm7.2"):
        lock.check(wheel("torch", version))
    with pytest.raises(InstallError, match="is not the file that was tested"):
        lock.check(wheel("a-b", "1.0"))
    with pytest.raises(InstallError, match="is of another version"):
        lock.check(wheel("a-b", "1.1", HASH))
    for version in ("2.0.1", "2.1+cpu", "", "+cpu"):
        with pytest.raises(InstallError, match="is of another version"):
            lock.check(wheel("torch", version))
    assert lock.requirements == ("a-b==1.0 ; x == 'y'",)


@pytest.mark.parametrize(
    "name", ["evil", "torchvision", "nvidia", "x-nvidia-cublas", "nvidia-", "pip", "mkl-evil", "a"]
)
def test_the_lock_allows_nothing_else(name: str) -> None:
    lock = Lock(f"a-b==1.0 \\\n    --hash=sha256:{HASH}\n", "2.0")
    with pytest.raises(InstallError, match="is none of the packages that were tested"):
        lock.check(wheel(name, "1.0", HASH))


def test_without_torch_nothing_comes_with_it() -> None:
    for name in ("torch", *WITH_TORCH):
        with pytest.raises(InstallError, match="is none of the packages that were tested"):
            Lock("", "").check(wheel(name, "1.0"))


def test_a_file_is_of_the_package_that_it_is_said_to_be() -> None:
    lock = Lock(f"a-b==1.0 \\\n    --hash=sha256:{HASH}\n", "2.0")
    with pytest.raises(InstallError, match=r"a_b-9\.whl is none of the packages"):
        lock.check(Wheel("nvidia-cublas", "13", "a_b-9.whl", HASH, "", 0))


def test_all_that_is_locked_must_be_there_once() -> None:
    lock = Lock(
        f"a==1.0 \\\n    --hash=sha256:{HASH}\nb==1.0 ; sys_platform == 'win32' \\\n    --hash=sha256:{HASH}\n", "2.0"
    )
    a, b, torch = wheel("a", "1.0", HASH), wheel("b", "1.0", HASH), wheel("torch", "2.0+cpu")
    lock.check_all([a, torch, wheel("nvidia-cublas", "1")], "linux-x64", "3.11")
    lock.check_all([a, b, torch], "windows-x64", "3.11")
    for wheels, name in (([a, torch], "b"), ([a, b], "torch"), ([a, a, b, torch], "a"), ([], "a, b, torch")):
        with pytest.raises(InstallError, match=f"^{name} should be there once and is not"):
            lock.check_all(wheels, "windows-x64", "3.11")


def wheel(name: str, version: str, sha256: str = "0" * 64) -> Wheel:
    return Wheel(name, version, f"{name.replace('-', '_')}-{version}-py3-none-any.whl", sha256, "", 0)


def test_our_own_lock_is_whole() -> None:
    """Every package has hashes, and what the requirements ask for is in it, in the version that they ask for."""
    lock = load_lock()
    assert lock.torch
    assert all(lock.hashes.values())
    assert len(lock.hashes) == len(lock.requirements)
    asked = Path(__file__).parents[2].joinpath("requirements", "runtime.in").read_text(encoding="utf-8")
    for name, version in re.findall(r"^([\w-]+)(?:==([\w.]+))?", asked, re.MULTILINE):
        locked = [pinned for package, pinned in lock.hashes if package == normalised(name)]
        assert locked if not version else version in locked, name
    torch = Path(__file__).parents[2].joinpath("requirements", "torch.txt").read_text(encoding="utf-8")
    assert f"\ntorch=={lock.torch}\n" in f"\n{torch}"


@pytest.mark.parametrize("platform", TRIPLES)
def test_every_platform_has_its_tools(platform: str) -> None:
    wheels = tool_wheels(platform)
    assert set(wheels) == {"uv", "pip"}
    assert all(re.fullmatch(r"[0-9a-f]{64}", wheel.sha256) for wheel in wheels.values())
    system = {"linux": "linux", "macos": "macosx", "windows": "win"}[platform.split("-")[0]]
    assert system in wheels["uv"].file


def test_names_of_platforms() -> None:
    assert platform_name("Linux", "x86_64") == "linux-x64"
    assert platform_name("Windows", "AMD64") == "windows-x64"
    assert platform_name("Darwin", "arm64") == "macos-arm64"
    assert platform_name("Darwin", "x86_64") == "macos-x64"


def test_which_build_is_asked_for() -> None:
    card = Accelerator("nvidia", "RTX")
    assert choose_backend("auto", NONE, "linux") == "cpu"
    assert choose_backend("auto", card, "windows") == "auto"
    assert choose_backend("auto", Accelerator("apple", "M3"), "macos") == "mps"
    assert choose_backend("cpu", card, "linux") == "cpu"
    assert choose_backend("cpu", NONE, "macos") == "mps"
    assert choose_backend("rocm6.2.4", NONE, "linux") == "rocm6.2.4"
    for nonsense in ("cuda", "", "cpu --index-url=x", "cu126\n"):
        with pytest.raises(InstallError, match="There is no build"):
            choose_backend(nonsense, NONE, "linux")


def test_an_offer_says_what_where_how_large_and_under_which_licences(tmp_path: Path) -> None:
    offer = make_offer(tmp_path, "cu130")
    text = " ".join(offer.sentences)
    assert f"torch {load_lock().torch} in the build cu130" in text
    assert "2.9 GB to download" in text
    assert str(tmp_path) in text
    assert "pillow: MIT-CMU;" in text
    assert "av: BSD-3-Clause, with FFmpeg (GPL-2.0-or-later AND LGPL-2.1-or-later)" in text
    assert "NVIDIA's own terms" in text
    assert "NVIDIA" not in " ".join(make_offer(tmp_path, "cpu").licences)
    assert make_offer(tmp_path, "cpu").download < 400_000_000
    here = {package.split()[0] for package in make_offer(tmp_path, "cpu").packages}
    assert ("colorama" in here) == (sys.platform == "win32"), "only what this system gets is counted"


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        (
            "error: Failed to fetch: `https://u:secret@host.example/x`\n cause: dns error",
            "host.example cannot be reached",
        ),
        ("error: No solution found when resolving dependencies:", "does not offer"),
        ("failed to write: No space left on device (os error 28)", "The disk is full"),
        ("Das Volume ... (os error 112)", "The disk is full"),
        ("failed to create directory: Read-only file system (os error 30)", "cannot be written"),
        ("ERROR: No matching distribution found for torch==2.13.0+cpu", "does not offer"),
        ("a panic", "send the diagnosis"),
    ],
)
def test_what_tools_say_becomes_a_sentence(said: str, sentence: str, tmp_path: Path) -> None:
    assert sentence in explained_output(said, tmp_path)
    assert "secret" not in explained_output(said, tmp_path)
