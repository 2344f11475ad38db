"""The private runtime made, repaired and brought up to date: one way for all three.

Wheels are chosen, compared with what is there, fetched, and put into a new environment beside the old one; that is
checked, and then said to be the current one. Whatever ends this earlier leaves the old one in use, and what was fetched
for the next try. The old one is removed in the end, or where a worker still runs by it, by the next change.
This module imports nothing beyond the standard library.
"""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import InstallError
from ..jobs import in_use
from ..progress import Cancel, Progress, check, span
from . import archive
from .accelerator import probe
from .environment import Interpreter, ToolSource, ask, create, site_of, try_device
from .failures import OFFLINE, unwritable
from .fetch import fetch_all, with_sizes
from .integrity import damaged, missing
from .layout import Layout, clear, delete, packages_of, sweep
from .locked import Lock, Wheel, load_lock
from .network import Network
from .offer import choose_backend
from .platforms import this_platform
from .record import SCHEMA, Package, Record, known_record, write_record
from .reuse import intact_packages, take_over
from .room import check_names, check_space, installed_size
from .sources import child_environment, configured
from .state import Condition, runtime_state
from .tool import Target
from .tools import get_tool


@dataclass(frozen=True)
class Request:
    """What is to be made, and what may be used for it."""

    folder: Path  # of the runtime
    python: Path  # Blender's
    online: bool  # whether the network may be used
    # torch's build: "auto" as it is, where there is none by the driver; "index" as the package index has it; cpu, ...
    backend: str = "auto"
    archive: Path | None = None  # see archive.py; then the network is not used
    repair: bool = False  # look into every file, even if all seems well
    lock: Lock = field(default_factory=load_lock)


def install(request: Request, progress: Progress, cancel: Cancel) -> Record:
    """Make the runtime what it should be, and return what is known of it.

    Raises InstallError and Cancelled, both with the old one as it was.
    """
    layout = Layout(request.folder.absolute())
    platform = this_platform()
    manifest = archive.read_manifest(request.archive, platform, request.lock) if request.archive is not None else None
    with layout.changing(progress, cancel):
        record = known_record(layout.current)
        sweep(layout, record.environment if record is not None else "")
        making = _Making(request, layout, platform, manifest, record, progress, cancel)
        return making.run()


class _Making:
    """One run of `install`, with the lock held."""

    def __init__(
        self,
        request: Request,
        layout: Layout,
        platform: str,
        manifest: archive.Manifest | None,
        old: Record | None,
        progress: Progress,
        cancel: Cancel,
    ) -> None:
        self._request, self._layout, self._platform = request, layout, platform
        self._manifest, self._old = manifest, old
        self._progress, self._cancel = progress, cancel
        sources = configured()
        self._environment = child_environment(sources)
        self._network = Network(sources) if request.online and manifest is None else None
        self._tool = ToolSource(
            lambda: get_tool(layout.tools, platform, request.python, sources, self._environment, self._network, cancel),
            self._network is not None,
        )
        system = platform.split("-")[0]
        self._asked = manifest.backend if manifest is not None else request.backend
        # What was made for the processor stays so: a repair is not to bring gigabytes that nobody asked for.
        wanted = old.backend if self._asked == "auto" and old is not None else self._asked
        self._backend = wanted if manifest is not None else choose_backend(wanted, probe(), system)

    def run(self) -> Record:
        request, layout = self._request, self._layout
        base = ask(request.python, self._environment, layout.folder, self._cancel)
        if self._old is not None and self._is_ready(base, self._old):
            return self._old
        if self._manifest is not None and request.archive is not None:
            archive.chosen(request.archive, self._manifest, base.minor)  # refuses before anything is made
            archive.unpack(
                request.archive, self._manifest.tools, layout.tools, self._part(0, 0.02), self._cancel, tools=True
            )
        place = layout.new_environment()
        try:
            self._progress("Making an environment", 0.02)
            python = create(base, place, self._environment, layout, self._tool, self._cancel)
            (place / in_use.FOLDER).mkdir()
            wheels, good = self._choose(python)
            files = self._fetch([wheel for wheel in wheels if wheel not in good])
            self._fill(site_of(place), python, good, files)
            record = self._checked(place, python, wheels, [wheel for wheel in wheels if wheel not in good])
            write_record(layout.current, record)
        except BaseException:
            clear(place)
            raise
        sweep(layout, record.environment)
        for folder in (layout.downloads, layout.tools):
            clear(folder)
        self._progress("Done", 1.0)
        return record

    def _is_ready(self, base: Interpreter, old: Record) -> bool:
        """Whether there is nothing to do, perhaps because another Blender has just done it."""
        if self._request.repair or self._asked not in ("auto", old.backend):
            return False
        major, minor = (int(number) for number in base.minor.split("."))
        state = runtime_state(self._layout.folder, (major, minor), self._request.lock.id)
        return state.condition is Condition.READY

    def _choose(self, python: Interpreter) -> tuple[list[Wheel], list[Wheel]]:
        """What is wanted, and those of it that the old environment has."""
        request, old = self._request, self._old
        whole = self._whole_of_old(python)
        if old is not None and old.lock == request.lock.id and self._asked in ("auto", old.backend):
            known = [Wheel(each.name, each.version, each.file, each.sha256, "", 0) for each in old.packages]
            if len(whole) == len(known):
                return known, known
        if self._manifest is not None and request.archive is not None:
            wheels = archive.chosen(request.archive, self._manifest, python.minor)
        elif self._network is None:
            raise InstallError(OFFLINE)
        else:
            self._progress("Choosing packages", 0.08)
            target = Target(self._platform, python.minor, python.program)
            wheels = self._tool.get().resolve(request.lock, self._backend, target, self._cancel)
            request.lock.check_all(wheels, self._platform, python.minor)
        there = {(package.name, package.version, package.sha256) for package in whole}
        return wheels, [wheel for wheel in wheels if (wheel.name, wheel.version, wheel.sha256) in there]

    def _whole_of_old(self, python: Interpreter) -> list[Package]:
        """Packages of the old environment that can be taken over."""
        old = self._old
        site = packages_of(self._layout.folder / old.environment) if old is not None else None
        if old is None or site is None or Interpreter(python.program, old.python).minor != python.minor:
            return []
        return intact_packages(site, old.packages, self._part(0.03, 0.08), self._cancel)

    def _fetch(self, needed: Sequence[Wheel]) -> dict[str, Path]:
        """Name of the file to where it lies now."""
        if not needed:
            return {}
        layout, part = self._layout, self._part(0.1, 0.8)
        try:
            layout.downloads.mkdir(exist_ok=True)
        except OSError as error:
            raise unwritable(layout.downloads, error) from error
        if self._request.archive is not None:
            check_space(layout.folder, layout.downloads, needed)
            return archive.unpack(self._request.archive, needed, layout.downloads, part, self._cancel)
        assert self._network is not None
        known = with_sizes(needed, self._network, self._cancel)
        for left in layout.downloads.iterdir():  # of a try that wanted other versions
            if left.name.removesuffix(".part") not in {wheel.file for wheel in known}:
                delete(left)
        check_space(layout.folder, layout.downloads, known)
        return fetch_all(known, layout.downloads, self._network, part, self._cancel)

    def _fill(self, site: Path, python: Interpreter, good: Sequence[Wheel], files: dict[str, Path]) -> None:
        self._progress("Unpacking", 0.8)
        check_names(site, files.values())
        if files:
            self._tool.get().install(python.program, list(files.values()), self._cancel)
        if good and self._old is not None:
            take_over(site_of(self._layout.folder / self._old.environment), site, good, self._cancel)

    def _checked(self, place: Path, python: Interpreter, wheels: Sequence[Wheel], fresh: Sequence[Wheel]) -> Record:
        """The record of what was made. Raises InstallError where it is not as it should be.

        What was taken over was read before, and is the same files.
        """
        packages = tuple(Package(wheel.name, wheel.version, wheel.file, wheel.sha256) for wheel in wheels)
        site = site_of(place)
        new = [package for package, wheel in zip(packages, wheels, strict=True) if wheel in fresh]
        bad = {*missing(site, packages), *damaged(site, new, self._part(0.88, 0.95), self._cancel)}
        if bad:
            raise InstallError(
                f"{', '.join(sorted(bad))} did not arrive whole on the disk, so nothing was installed: try again."
            )
        self._progress("Trying the device", 0.95)
        device, note = try_device(python.program, self._environment, self._request.lock, self._cancel)
        check(self._cancel)
        return Record(
            schema=SCHEMA,
            environment=place.name,
            lock=self._request.lock.id,
            python=python.version,
            backend=self._backend,
            packages=packages,
            device=device,
            made=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            size=installed_size(site),
            note=note,
            damaged=(),
        )

    def _part(self, start: float, end: float) -> Progress:
        return span(self._progress, start, end)
