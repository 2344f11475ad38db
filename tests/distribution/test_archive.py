"""The same files make the same zip."""

import os
import zipfile
from pathlib import Path

from distribution.archive import make_reproducible


def _zip(path: Path, folder: Path, names: list[str], time: int, mode: int) -> bytes:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            file = folder / name
            os.utime(file, (time, time))
            file.chmod(mode)
            stored = zipfile.ZIP_STORED if name.endswith(".whl") else None
            archive.write(file, name, compress_type=stored)
    make_reproducible(path)
    return path.read_bytes()


def test_time_rights_and_order_make_no_difference(tmp_path: Path) -> None:
    contents = {"b.py": b"print(1)\n" * 100, "a.py": b"", "c.whl": os.urandom(1000)}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    one = _zip(tmp_path / "one.zip", tmp_path, ["b.py", "a.py", "c.whl"], 1_600_000_000, 0o600)
    two = _zip(tmp_path / "two.zip", tmp_path, ["c.whl", "a.py", "b.py"], 1_700_000_000, 0o777)
    assert one == two
    with zipfile.ZipFile(tmp_path / "one.zip") as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == contents
        assert archive.getinfo("c.whl").compress_type == zipfile.ZIP_STORED
        assert archive.getinfo("b.py").compress_type == zipfile.ZIP_DEFLATED
        assert archive.getinfo("a.py").external_attr >> 16 == 0o100644
