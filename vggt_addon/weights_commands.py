"""The commands `weights list|download|convert|path`: their options, and what each does.

This module imports nothing beyond the standard library at its top: what is there and what there could be is told
before torch is installed. What downloads and converts is imported inside the functions that need it.
"""

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .console import Console
from .errors import UserError, WeightsError
from .progress import span
from .weights.catalogue import CATALOGUE, CatalogueEntry, find_entry
from .weights.disk import in_gigabytes
from .weights.store import PRECISIONS, VARIABLE, Store, StoredWeights, default_folder

if TYPE_CHECKING:
    from argparse import _SubParsersAction

LOG = "weights"  # the log of a failed command lies in the folder of the weights, under this name and .log


def add_commands(subparsers: "_SubParsersAction[argparse.ArgumentParser]", everywhere: argparse.ArgumentParser) -> None:
    """Teach the command line `weights` and its parts."""
    parser = subparsers.add_parser("weights", help="the networks' weights: what is there, download, convert")
    parts = parser.add_subparsers(required=True, metavar="PART")
    folder = argparse.ArgumentParser(add_help=False)
    folder.add_argument(
        "--weights-folder", type=Path, metavar="FOLDER", help=f"default: {VARIABLE}, or this user's data folder"
    )
    folder.set_defaults(output=None, log_stem=log_stem)
    parents = [folder, everywhere]
    ids = tuple(entry.id for entry in CATALOGUE)

    part = parts.add_parser("list", parents=parents, help="what is there, and what could be")
    part.set_defaults(command=list_weights)
    part = parts.add_parser("download", parents=parents, help="from those who published them")
    part.add_argument("id", metavar="ID", choices=ids, help=", ".join(ids))
    part.add_argument("--accept-licence", action="store_true", help="you have read the terms and accept them")
    part.add_argument("--token-file", type=Path, metavar="FILE", help="holds your hub token; default: HF_TOKEN")
    part.add_argument("--keep", type=Path, metavar="FILE", help="keep the file as it was published, there")
    part.set_defaults(command=download_weights)
    part = parts.add_parser("convert", parents=parents, help="a file that you have, into the folder of the weights")
    part.add_argument("file", metavar="FILE", help=".pt or .safetensors; or the ID of weights that are there")
    part.add_argument("--as", dest="id", metavar="ID", choices=ids, help="which weights the file holds")
    _add_precision(part, "also make this half-precision copy")
    part.set_defaults(command=convert_weights)
    part = parts.add_parser("path", parents=parents, help="where they are")
    part.add_argument("id", metavar="ID", choices=ids, help=", ".join(ids))
    _add_precision(part, "of this copy")
    part.set_defaults(command=print_path)


def log_stem(options: argparse.Namespace) -> Path:
    """What the log of a command without an output is named after."""
    return _store(options).folder / LOG


def list_weights(options: argparse.Namespace, console: Console) -> None:
    """What is stored and what could be; needs no library."""
    store = _store(options)
    found: list[dict[str, Any]] = []
    lines: list[str] = []
    for entry in CATALOGUE:
        stored: list[StoredWeights] = []
        for precision in PRECISIONS:
            try:
                if weights := store.find(entry.id, precision):
                    stored.append(weights)
            except WeightsError as error:
                console.warn(error.sentence)
        lines.append(_line(entry, stored))
        found.append(_facts(entry) | {"stored": [_record(weights) for weights in stored]})
    for line in lines:
        console.say(line)
    count = sum(bool(facts["stored"]) for facts in found)
    console.result(f"{count} of {len(found)} are in {store.folder}.", folder=str(store.folder), weights=found)


def download_weights(options: argparse.Namespace, console: Console) -> None:
    """A catalogue entry into the store, once its licence is accepted."""
    entry, store = find_entry(options.id), _store(options)
    stored = None if options.force else store.find(entry.id)
    if stored is None:
        console.say(f"{entry.title}, {_about(entry)}. {_terms(entry)}")
        if not options.accept_licence:
            raise UserError(
                f"Nothing was downloaded: read the terms at {entry.page}, and if you accept them, add --accept-licence."
            )
        _check_libraries()
        from .weights.download import download, find_token

        asks = entry.gated or options.token_file is not None  # whoever needs no token is sent none
        stored = download(
            entry,
            store,
            token=find_token(options.token_file) if asks else None,
            keep=options.keep,
            replace=options.force,
            progress=console.progress,
            cancel=console.cancel,
        )
    _report(stored, console)


def convert_weights(options: argparse.Namespace, console: Console) -> None:
    """A file that the artist has into the store, and its half-precision copy if asked for."""
    store, path = _store(options), Path(options.file)
    _check_libraries()
    from .weights.convert import convert_file, derive

    whole = options.precision == "source"
    if not path.exists() and any(options.file == entry.id for entry in CATALOGUE):
        stored = store.require(options.file)
        if whole:
            raise UserError(f"{options.file} is there already: say with --precision which copy to make of it.")
    else:
        stored = convert_file(
            path,
            store,
            options.id and find_entry(options.id),
            replace=options.force,
            progress=span(console.progress, 0.0, 1.0 if whole else 0.7),
            cancel=console.cancel,
        )
        others = [entry.id for entry in CATALOGUE if entry.network == stored.entry.network and entry != stored.entry]
        if options.id is None and others:
            console.say(
                f"The file does not say which weights of this network it holds, so it was taken for {stored.entry.id}, "
                f"which has the strictest terms: if it is {' or '.join(others)}, say so with --as."
            )
        console.say(_terms(stored.entry))
    if not whole:
        part = span(console.progress, 0.7, 1.0)
        stored = derive(store, stored.entry.id, options.precision, progress=part, cancel=console.cancel)
    _report(stored, console)


def print_path(options: argparse.Namespace, console: Console) -> None:
    """The path alone, for scripts; needs no library."""
    stored = _store(options).require(options.id, options.precision)
    console.result(str(stored.path), **_record(stored))


def _add_precision(parser: argparse.ArgumentParser, what: str) -> None:
    parser.add_argument(
        "--precision", choices=PRECISIONS, default="source", help=f"{what} (default source: as published)"
    )


def _store(options: argparse.Namespace) -> Store:
    folder: Path | None = options.weights_folder
    return Store(folder.absolute() if folder else default_folder())


def _check_libraries() -> None:
    try:
        from .weights import convert  # noqa: F401 - whether what it imports is there is what is asked
    except ImportError as error:
        raise UserError(
            f"Reading weights needs the Python package {error.name}: install torch and safetensors, then try again.",
            repr(error),
        ) from error


def _line(entry: CatalogueEntry, stored: list[StoredWeights]) -> str:
    if not stored:
        access = ", on request to the publishers" if entry.gated else ""
        return f"{entry.id}: not here; {_about(entry)} to download{access}. {entry.title}. {_terms(entry)}"
    files = "; ".join(f"{weights.precision}, {in_gigabytes(weights.size)}, {weights.path}" for weights in stored)
    return f"{entry.id}: {files}. {entry.title}. Licence: {stored[0].licence}."


def _about(entry: CatalogueEntry) -> str:
    return f"about {in_gigabytes(entry.size)}"


def _terms(entry: CatalogueEntry) -> str:
    return f"Licence: {entry.licence}. {entry.terms} Full text: {entry.page}"


def _facts(entry: CatalogueEntry) -> dict[str, Any]:
    return asdict(entry) | {"page": entry.page}


def _record(stored: StoredWeights) -> dict[str, Any]:
    return {
        "precision": stored.precision,
        "path": str(stored.path),
        "size": stored.size,
        "source": stored.source,
        "sha256": stored.sha256,
        "licence": stored.licence,
    }


def _report(stored: StoredWeights, console: Console) -> None:
    console.result(
        f"{stored.entry.id} ({stored.precision}, {in_gigabytes(stored.size)}) is in {stored.path}.",
        id=stored.entry.id,
        **_record(stored),
    )
