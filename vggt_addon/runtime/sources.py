"""Where packages come from: the public index, or what this user has configured for uv or pip; proxies, certificates.

Nothing else of a user's settings for uv, pip or Python reaches what we start: `child_environment` has all it sees.
This module imports nothing beyond the standard library.
"""

import configparser
import importlib.util
import os
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

PUBLIC_INDEX = "https://pypi.org/simple"
_PIP_NAMES = ("index-url", "extra-index-url", "find-links", "cert", "proxy", "trusted-host")
_OTHERS = ("PIP_", "UV_", "PYTHON", "VIRTUAL_ENV", "CONDA_", "__PYVENV")  # beginnings of what is kept from children


@dataclass(frozen=True)
class Sources:
    """What is configured. Indexes are simple indexes (PEP 503), `find_links` folders or pages of files."""

    index: str = PUBLIC_INDEX
    extra_indexes: tuple[str, ...] = ()
    find_links: tuple[str, ...] = ()
    proxy: str = ""  # "" : as the system or HTTPS_PROXY says
    certificate: str = ""  # a file of certificates to trust; "": the system's
    trusted_hosts: tuple[str, ...] = ()  # whose certificates are not looked at

    @property
    def own(self) -> bool:
        """Whether the user has configured a place of their own."""
        return self.index.rstrip("/") != PUBLIC_INDEX or bool(self.extra_indexes or self.find_links)


def configured(environment: Mapping[str, str] = os.environ, files: tuple[Path, ...] | None = None) -> Sources:
    """What the environment says for uv, else for pip, else what pip's files say. `files`: later ones win."""
    pip: dict[str, str] = {}
    for path in pip_files(environment) if files is None else files:
        pip |= _read_pip_file(path)
    for name in _PIP_NAMES:
        if value := environment.get(f"PIP_{name.replace('-', '_').upper()}"):
            pip[name] = value
    uv_index = environment.get("UV_DEFAULT_INDEX") or environment.get("UV_INDEX_URL")
    uv_extra = environment.get("UV_INDEX") or environment.get("UV_EXTRA_INDEX_URL")
    certificate = environment.get("SSL_CERT_FILE") or pip.get("cert") or environment.get("REQUESTS_CA_BUNDLE") or ""
    return Sources(
        index=_unnamed(uv_index or pip.get("index-url") or PUBLIC_INDEX),
        extra_indexes=tuple(_unnamed(url) for url in (uv_extra or pip.get("extra-index-url", "")).split()),
        find_links=_links(environment.get("UV_FIND_LINKS", "").replace(",", " ") or pip.get("find-links", "")),
        proxy=pip.get("proxy", ""),
        certificate=certificate if certificate and Path(certificate).is_file() else "",
        trusted_hosts=tuple((environment.get("UV_INSECURE_HOST") or pip.get("trusted-host", "")).split()),
    )


def pip_files(environment: Mapping[str, str], platform: str = sys.platform) -> tuple[Path, ...]:
    """Where pip's settings may be, those that win last; they need not exist."""
    chosen = environment.get("PIP_CONFIG_FILE", "")
    if chosen == os.devnull:
        return ()
    home = Path.home()
    if platform == "win32":
        data, roaming = environment.get("PROGRAMDATA"), environment.get("APPDATA")
        files = [Path(data) / "pip" / "pip.ini"] if data else []
        files += [home / "pip" / "pip.ini", *([Path(roaming) / "pip" / "pip.ini"] if roaming else [])]
    else:
        config = Path(environment.get("XDG_CONFIG_HOME") or home / ".config") / "pip" / "pip.conf"
        files = [Path("/etc/xdg/pip/pip.conf"), Path("/etc/pip.conf"), home / ".pip" / "pip.conf", config]
        if platform == "darwin":
            support = Path("Library/Application Support/pip/pip.conf")
            files = [Path("/") / support, *files[1:], home / support]
    return (*files, *([Path(chosen)] if chosen else []))


def child_environment(sources: Sources, environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """What uv, pip and the new Python see: the surroundings without anybody's settings for them, but for `sources`."""
    seen = {name: value for name, value in environment.items() if not name.upper().startswith(_OTHERS)}
    told = {
        "UV_DEFAULT_INDEX": sources.index,
        "UV_INDEX": " ".join(sources.extra_indexes),
        "UV_FIND_LINKS": ",".join(sources.find_links),
        "UV_INSECURE_HOST": " ".join(sources.trusted_hosts),
        "UV_SYSTEM_CERTS": "" if sources.certificate else "true",
        "SSL_CERT_FILE": sources.certificate,
        "PIP_INDEX_URL": sources.index,
        "PIP_EXTRA_INDEX_URL": " ".join(sources.extra_indexes),
        "PIP_FIND_LINKS": " ".join(sources.find_links),
        "PIP_TRUSTED_HOST": " ".join(sources.trusted_hosts),
        "PIP_CERT": sources.certificate,
        "PIP_PROXY": sources.proxy,
        "HTTPS_PROXY": sources.proxy,
        "HTTP_PROXY": sources.proxy,
    }
    seen |= {name: value for name, value in told.items() if value}
    return seen | {
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_INPUT": "1",
        "PYTHONNOUSERSITE": "1",
        "PYTHONUTF8": "1",
        "UV_NO_PROGRESS": "1",
        "UV_PYTHON_DOWNLOADS": "manual",
        "UV_INDEX_STRATEGY": "unsafe-best-match",  # as pip does it; what is not torch is checked by its hash anyway
    }


def certificate_files(sources: Sources) -> list[str]:
    """Files of certificates to trust beside the system's, which may have none: Blender's Python brings some."""
    if sources.certificate:
        return [sources.certificate]
    spec = importlib.util.find_spec("certifi")
    bundled = Path(spec.origin).with_name("cacert.pem") if spec is not None and spec.origin else None
    return [str(bundled)] if bundled is not None and bundled.is_file() else []


def _read_pip_file(path: Path) -> dict[str, str]:
    parser = configparser.RawConfigParser()
    try:
        parser.read(path, encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError):
        return {}  # pip itself would refuse it; then nothing is configured
    sections = [section for section in ("global", "install") if parser.has_section(section)]
    return {
        name: value for section in sections for name, value in parser.items(section) if name in _PIP_NAMES and value
    }


def _unnamed(index: str) -> str:
    """uv lets an index have a name before its address."""
    name, separator, url = index.partition("=")
    return url if separator and "://" in url and "/" not in name else index


def _links(text: str) -> tuple[str, ...]:
    """Addresses, and those folders that are there: pip passes over others, uv would not."""
    links = [str(Path(link).expanduser()) if link.startswith("~") else link for link in _words(text)]
    return tuple(link for link in links if "://" in link or Path(link).exists())


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text.replace("\\", "\\\\"))
    except ValueError:  # a quote without its end
        return text.split()
