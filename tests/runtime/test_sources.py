"""What users configure for pip and uv, found; and nothing else of theirs handed on."""

import os
from pathlib import Path

from vggt_addon.runtime.sources import PUBLIC_INDEX, Sources, child_environment, configured, pip_files


def pip_file(folder: Path, text: str) -> Path:
    path = folder / "pip.conf"
    path.write_text(text, encoding="utf-8")
    return path


def test_nothing_configured() -> None:
    assert configured({}, ()) == Sources()
    assert not Sources().own


def test_pips_file(tmp_path: Path) -> None:
    text = "[global]\nindex-url = https://a/simple\nextra-index-url = https://b/simple\n  https://c/simple\n"
    (tmp_path / "with space").mkdir()
    links = f"https://w/ '{tmp_path / 'with space'}' {tmp_path / 'missing'}"
    found = configured({}, (pip_file(tmp_path, f"{text}[install]\nfind-links = {links}\n"),))
    assert found.index == "https://a/simple"
    assert found.extra_indexes == ("https://b/simple", "https://c/simple")
    assert found.find_links == ("https://w/", str(tmp_path / "with space"))
    assert found.own


def test_variables_come_first_and_uvs_before_pips(tmp_path: Path) -> None:
    files = (pip_file(tmp_path, "[global]\nindex-url = https://a/simple\n"),)
    assert configured({"PIP_INDEX_URL": "https://b/simple"}, files).index == "https://b/simple"
    both = {"PIP_INDEX_URL": "https://b/simple", "UV_DEFAULT_INDEX": "corp=https://c/simple"}
    assert configured(both, files).index == "https://c/simple"


def test_an_address_with_an_equals_sign_has_no_name() -> None:
    assert configured({"UV_INDEX_URL": "https://a/simple?x=y"}, ()).index == "https://a/simple?x=y"


def test_a_file_that_pip_would_refuse_is_none(tmp_path: Path) -> None:
    assert configured({}, (pip_file(tmp_path, "index-url = nowhere\n"), tmp_path / "missing")) == Sources()


def test_certificates_are_files_that_are_there(tmp_path: Path) -> None:
    assert configured({"PIP_CERT": str(tmp_path / "no.pem")}, ()).certificate == ""
    file = tmp_path / "ca.pem"
    file.write_text("")
    assert configured({"PIP_CERT": str(file)}, ()).certificate == str(file)


def test_where_pips_files_are() -> None:
    windows = pip_files({"APPDATA": "C:/Roaming", "PROGRAMDATA": "C:/ProgramData"}, "win32")
    assert [path.name for path in windows] == ["pip.ini"] * 3
    assert windows[-1] == Path("C:/Roaming/pip/pip.ini")
    assert pip_files({"XDG_CONFIG_HOME": "/c"}, "linux")[-1] == Path("/c/pip/pip.conf")
    assert Path("/Library/Application Support/pip/pip.conf") in pip_files({}, "darwin")
    assert pip_files({"PIP_CONFIG_FILE": os.devnull}) == ()


def test_children_see_the_sources_and_nothing_else_of_the_users() -> None:
    theirs = {
        "PATH": "/bin",
        "HTTPS_PROXY": "http://proxy:3128",
        "PYTHONPATH": "/x",
        "PIP_TARGET": "/x",
        "UV_PROJECT": "/x",
        "VIRTUAL_ENV": "/x",
        "CONDA_PREFIX": "/x",
    }
    seen = child_environment(Sources("https://a/simple", ("https://b/simple",), ("/wheels",)), theirs)
    assert not [name for name, value in seen.items() if value == "/x"]
    assert seen["PATH"] == "/bin"
    assert seen["HTTPS_PROXY"] == "http://proxy:3128"
    assert seen["UV_DEFAULT_INDEX"] == seen["PIP_INDEX_URL"] == "https://a/simple"
    assert seen["UV_FIND_LINKS"] == "/wheels"
    assert seen["PIP_CONFIG_FILE"] == os.devnull
    assert child_environment(Sources(), {})["UV_DEFAULT_INDEX"] == PUBLIC_INDEX
