"""`weights list|download|convert|path` as an artist or a script uses them, with small networks and a hub of our own."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from vggt_addon import __main__
from vggt_addon.engines.vggt import network as vggt_network
from vggt_addon.weights.catalogue import CATALOGUE

REPOSITORY = Path(__file__).parent.parent
# The command line with the small networks in place of the full ones.
PROGRAM = """
import sys
sys.path[:0] = ["tests/weights"]
import small
from vggt_addon.__main__ import main
from vggt_addon.weights import hub
small.shrink()
hub.PAUSE, hub.BLOCK = 0.001, 4096
sys.exit(main(sys.argv[1:]))
"""
TOKEN = "hf_abcDEF123"


@pytest.fixture(scope="module")
def small(helper: Callable[[str], ModuleType]) -> ModuleType:
    return helper("weights/small.py")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VGGT_ADDON_WEIGHTS", str(tmp_path / "weights"))
    return tmp_path / "weights"


@pytest.fixture
def run(
    small: ModuleType, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Callable[..., tuple[str, str]]:
    """Runs a command in this process; returns stdout and stderr."""
    monkeypatch.setattr(vggt_network, "VGGT", small.make_vggt)

    def command(*arguments: object, code: int = 0) -> tuple[str, str]:
        found = __main__.main(["weights", *map(str, arguments)])
        told = capfd.readouterr()
        assert found == code, told
        return told.out, told.err

    return command


@pytest.fixture
def file(small: ModuleType, tmp_path: Path) -> Path:
    written: Path = small.write(tmp_path / "model.pt", small.weights(small.make_vggt()))
    return written


@pytest.fixture
def hub(helper: Callable[[str], ModuleType], file: Path) -> Iterator[Any]:
    with helper("weights/fake_hub.py").FakeHub(file.read_bytes()).serving() as serving:
        yield serving


def start(hub: Any, folder: Path, *arguments: object, **environment: str) -> subprocess.Popen[str]:
    """The command in a process of its own, with `hub` in place of the public one."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    more = {"HF_ENDPOINT": hub.address, "HF_HOME": str(folder / "hf"), "VGGT_ADDON_WEIGHTS": str(folder)}
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", PROGRAM, "weights", *map(str, arguments)],
        cwd=REPOSITORY,
        env=inherited | more | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str], code: int = 0) -> tuple[str, str]:
    out, err = process.communicate(timeout=60)
    assert process.returncode == code, (out, err)
    assert "Traceback" not in err
    return out, err


def test_list_of_nothing(folder: Path, run: Callable[..., tuple[str, str]]) -> None:
    out, _ = run("list")
    lines = out.splitlines()
    assert len(lines) == len(CATALOGUE) + 1 and lines[-1] == f"0 of {len(CATALOGUE)} are in {folder}."
    for entry, line in zip(CATALOGUE, lines, strict=False):
        assert line.startswith(f"{entry.id}: not here") and entry.licence in line and entry.page in line
        assert ("on request" in line) == entry.gated
    assert not folder.exists()


def test_list_for_scripts(folder: Path, file: Path, run: Callable[..., tuple[str, str]]) -> None:
    run("convert", file, "--precision", "bfloat16")
    out, _ = run("list", "--json")
    result = json.loads(out.splitlines()[-1])
    assert result["event"] == "result" and result["folder"] == str(folder)
    assert [facts["id"] for facts in result["weights"]] == [entry.id for entry in CATALOGUE]
    first = result["weights"][0]
    assert [stored["precision"] for stored in first["stored"]] == ["source", "bfloat16"]
    for stored in first["stored"]:
        assert Path(stored["path"]).stat().st_size == stored["size"]
        assert len(stored["sha256"]) == 64 and stored["licence"] == "CC BY-NC 4.0"
    assert [facts["stored"] for facts in result["weights"][1:]] == [[], []]
    out, _ = run("list")
    assert f"vggt-1b: source, {first['stored'][0]['size'] / 1e6:.1f} MB, {first['stored'][0]['path']}; bfloat16" in out


def test_list_warns_of_what_is_damaged(folder: Path, run: Callable[..., tuple[str, str]]) -> None:
    folder.mkdir()
    (folder / "vggt-1b.safetensors").write_bytes(b"nothing")
    out, err = run("list")
    assert "vggt-1b.safetensors is damaged: delete it" in err and "vggt-1b: not here" in out


def test_convert_and_path(folder: Path, file: Path, run: Callable[..., tuple[str, str]]) -> None:
    out, _ = run("convert", file)
    assert "taken for vggt-1b, which has the strictest terms: if it is vggt-1b-commercial, say so with --as" in out
    assert "Licence: CC BY-NC 4.0. Not for commercial use." in out
    assert out.splitlines()[-1].endswith(f"is in {folder / 'vggt-1b.safetensors'}.")
    assert run("path", "vggt-1b")[0] == f"{folder / 'vggt-1b.safetensors'}\n"
    _, err = run("path", "vggt-1b", "--precision", "float16", code=1)
    assert "make it with `weights convert vggt-1b --precision float16`" in err
    run("convert", "vggt-1b", "--precision", "float16")
    assert run("path", "vggt-1b", "--precision", "float16")[0] == f"{folder / 'vggt-1b.float16.safetensors'}\n"
    assert "is there already: say with --precision" in run("convert", "vggt-1b", code=1)[1]


def test_convert_as_what_the_artist_says(tmp_path: Path, file: Path, run: Callable[..., tuple[str, str]]) -> None:
    elsewhere = tmp_path / "elsewhere"
    out, _ = run("convert", file, "--as", "vggt-1b-commercial", "--weights-folder", elsewhere, "--json")
    told = [json.loads(line) for line in out.splitlines()]
    assert told[-1]["id"] == "vggt-1b-commercial" and told[-1]["path"].startswith(str(elsewhere))
    fractions = [event["fraction"] for event in told if event["event"] == "progress"]
    assert fractions == sorted(fractions) and fractions[-1] == 1.0
    assert not [event for event in told if "taken for" in event.get("message", "")]
    assert "holds the weights of VGGT, not of dust3r" in run("convert", file, "--as", "dust3r-512-dpt", code=1)[1]


def test_convert_refuses_what_is_no_weights(tmp_path: Path, folder: Path, run: Callable[..., tuple[str, str]]) -> None:
    (tmp_path / "page.pt").write_text("<html>log in</html>")
    assert "page.pt is a web page, not the weights" in run("convert", tmp_path / "page.pt", code=1)[1]
    assert "nothing.pt is not there" in run("convert", tmp_path / "nothing.pt", code=1)[1]
    assert not folder.exists()


def test_other_weights_need_force(
    small: ModuleType, tmp_path: Path, folder: Path, file: Path, run: Callable[..., tuple[str, str]]
) -> None:
    run("convert", file)
    other = small.write(tmp_path / "other.pt", small.weights(small.make_vggt(), seed=1))
    assert (
        "already stored, from the file model.pt: say that it is to be replaced (--force)"
        in run("convert", other, code=1)[1]
    )
    assert (folder / "weights.log").is_file()  # beside the weights, as other commands' logs beside their output
    run("convert", other, "--force")


def test_the_licence_comes_first(folder: Path, run: Callable[..., tuple[str, str]]) -> None:
    for entry in CATALOGUE:
        out, err = run("download", entry.id, code=1)
        assert entry.licence in out and entry.terms in out and entry.page in out
        assert f"Nothing was downloaded: read the terms at {entry.page}" in err and "--accept-licence" in err
    assert not folder.exists()


def test_wrong_usage() -> None:
    for arguments in ([], ["download"], ["download", "vggt-2"], ["path", "vggt-1b", "--precision", "int8"]):
        with pytest.raises(SystemExit) as caught:
            __main__.main(["weights", *arguments])
        assert caught.value.code == 2


def test_without_torch_it_says_what_is_missing(
    file: Path, run: Callable[..., tuple[str, str]], monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    for name in [name for name in sys.modules if name.startswith("vggt_addon.weights.con")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delattr("vggt_addon.weights.convert", raising=False)
    monkeypatch.setitem(sys.modules, "torch", None)
    _, err = run("convert", file, code=1)
    assert "needs the Python package torch: install torch and safetensors" in err


def test_list_and_path_load_no_library(folder: Path, file: Path, run: Callable[..., tuple[str, str]]) -> None:
    run("convert", file)
    program = (
        "import sys; from vggt_addon.__main__ import main\n"
        "codes = main(['weights', 'list']), main(['weights', 'path', 'vggt-1b'])\n"
        "sys.exit(str(codes) if any(codes) or {'torch', 'safetensors', 'huggingface_hub'} & set(sys.modules) else 0)"
    )
    subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, check=True, capture_output=True)


def test_download(hub: Any, folder: Path, file: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept.pt"
    out, err = finish(start(hub, folder, "download", "vggt-1b", "--accept-licence", "--keep", kept, "--json"))
    told = [json.loads(line) for line in out.splitlines()]
    assert told[-1]["event"] == "result" and told[-1]["path"] == str(folder / "vggt-1b.safetensors")
    assert "facebook/VGGT-1B/model.safetensors of revision" in told[-1]["source"]
    assert kept.read_bytes() == file.read_bytes() and err == ""
    out, _ = finish(start(hub, folder, "download", "vggt-1b"))  # it is there: there is nothing to accept
    assert out == f"vggt-1b (source, {told[-1]['size'] / 1e6:.1f} MB) is in {folder / 'vggt-1b.safetensors'}.\n"


@pytest.mark.parametrize("way", ["file", "variable"])
def test_the_token_is_shown_nowhere(hub: Any, folder: Path, tmp_path: Path, way: str) -> None:
    hub.token = TOKEN
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    options = ["download", "vggt-1b-commercial", "--accept-licence", "--log", tmp_path / "log.txt", "--verbose"]
    options += ["--token-file", tmp_path / "token"] if way == "file" else []
    environment = {"HF_TOKEN": TOKEN} if way == "variable" else {}
    out, err = finish(start(hub, folder, *options, **environment))
    hub.status, hub.error = 403, "GatedRepo"
    refused_out, refused_err = finish(start(hub, folder, *options, "--force", **environment), code=1)
    assert "its account has no access to vggt-1b-commercial" in refused_err
    told = out + err + refused_out + refused_err + (tmp_path / "log.txt").read_text()
    assert TOKEN not in told and "signature=secret" not in told
    assert {request.token for request in hub.requests} == {None, f"Bearer {TOKEN}"}


def test_a_token_goes_to_nobody_who_did_not_ask(hub: Any, folder: Path) -> None:
    finish(start(hub, folder, "download", "vggt-1b", "--accept-licence", HF_TOKEN=TOKEN))
    assert {request.token for request in hub.requests} == {None}


@pytest.mark.skipif(sys.platform == "win32", reason="sends POSIX signals")
def test_ctrl_c_during_the_download(hub: Any, folder: Path) -> None:
    hub.stalled = threading.Event()
    process = start(hub, folder, "download", "vggt-1b", "--accept-licence")
    assert hub.stalled.wait(60)
    asked = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, err = finish(process, code=130)
    assert time.monotonic() - asked < 3
    assert "Cancelled." in err
    assert not list(folder.glob("*.safetensors"))
    hub.stalled = None
    finish(start(hub, folder, "download", "vggt-1b", "--accept-licence"))
    assert sorted(path.name for path in folder.iterdir()) == [".vggt-1b.lock", "vggt-1b.safetensors"]
