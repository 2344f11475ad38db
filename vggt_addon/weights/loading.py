"""A checkpoint's tensors become a network's: all of them or none, and without a copy.

What a network accepts beyond its own names, its room states as CheckpointRules. This module imports torch, the standard
library and nothing else.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import torch

from ..errors import WeightsError
from .checkpoint import Checkpoint


@dataclass(frozen=True)
class CheckpointRules:
    """What a network accepts of a file that does not hold exactly its own names."""

    ignored_prefixes: tuple[str, ...] = ()  # names that may be in a file and are not loaded, by their beginnings
    aliases: Mapping[str, str] = field(default_factory=dict)  # two names of one tensor: a file may hold either, or both
    copies: Mapping[str, str] = field(default_factory=dict)  # prefix -> prefix to copy if a file has nothing under it
    optional_parts: Mapping[str, str] = field(default_factory=dict)  # prefix -> the artist's word for this part


@dataclass(frozen=True)
class LoadReport:
    """What was loaded. A tensor with two names in the network counts once."""

    tensors: int
    parameters: int  # numbers in all tensors
    dtypes: Mapping[str, int]  # "float32" ... -> number of tensors
    ignored: tuple[str, ...]  # names in the file that were not loaded, sorted
    substitutes: Mapping[str, str]  # name in the network -> name in the file, where they differ (aliases and copies)


@dataclass
class _Plan:
    """Where each tensor of the network comes from, and what speaks against it."""

    sources: dict[str, str] = field(default_factory=dict)  # name in the network -> name in the file
    ignored: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)  # in the file, and neither loaded nor ignored
    unlike: list[str] = field(default_factory=list)  # "name is 3 x 4 and should be 4 x 3"
    ambiguous: list[str] = field(default_factory=list)  # "name and other name" of one tensor with different numbers


def load_weights(
    network: torch.nn.Module,
    checkpoint: Checkpoint,
    rules: CheckpointRules = CheckpointRules(),
    *,
    dtype: torch.dtype | None = None,
) -> LoadReport:
    """Give `network`, best built on the meta device, the tensors of `checkpoint`; move it to its device afterwards.

    The tensors are assigned, not copied: they stay mapped and keep the file's dtype unless `dtype` asks for another.
    None requires a gradient. Names of one parameter of the network remain names of one; where a file holds several
    names of one tensor, by the network or by the rules, their numbers must be equal to the bit. Optional parts that
    are not built are not loaded. Buffers that the network does not store are left as they are. Raises WeightsError,
    before anything is changed, where names, shapes or kinds do not match.
    """
    wanted: dict[str, torch.Tensor] = network.state_dict(keep_vars=True)
    plan = _plan(wanted, checkpoint.tensors, rules)
    _refuse(plan, checkpoint, type(network).__name__, rules)
    made: dict[int, torch.Tensor] = {}  # by identity of the tensor replaced, so that names of one stay names of one
    with torch.inference_mode(False):
        for name, source in plan.sources.items():
            if id(wanted[name]) not in made:
                tensor = checkpoint.tensors[source].detach()
                tensor = tensor if dtype is None else tensor.to(dtype)
                parameter = isinstance(wanted[name], torch.nn.Parameter)
                made[id(wanted[name])] = torch.nn.Parameter(tensor, requires_grad=False) if parameter else tensor
        network.load_state_dict({name: made[id(wanted[name])] for name in wanted}, strict=True, assign=True)
        network.requires_grad_(False)  # load_state_dict gives each parameter the setting of the one that it replaces
    return LoadReport(
        tensors=len(made),
        parameters=sum(tensor.numel() for tensor in made.values()),
        dtypes=Counter(_kind(tensor) for tensor in made.values()),
        ignored=tuple(sorted(plan.ignored)),
        substitutes={name: source for name, source in plan.sources.items() if name != source},
    )


def _plan(wanted: Mapping[str, torch.Tensor], stored: Mapping[str, torch.Tensor], rules: CheckpointRules) -> _Plan:
    plan = _Plan()
    groups = _names_of_one(wanted, rules.aliases)
    copies = [pair for pair in rules.copies.items() if not any(name.startswith(pair[0]) for name in stored)]
    used: set[str] = set()
    for name in wanted:
        candidates = [name] + [origin + name[len(prefix) :] for prefix, origin in copies if name.startswith(prefix)]
        found = ([other for other in groups.get(one, [one]) if other in stored] for one in candidates)
        first, *others = sorted(next(filter(None, found), [""]), key=lambda other: other != name)  # its own name first
        if not first:
            plan.missing.append(name)
            continue
        plan.sources[name] = first
        for other in others:
            if other not in used and not _same_bits(stored[first], stored[other]):
                plan.ambiguous.append(f"{first} and {other}")
        used.update([first, *others])
        if problem := _unlikeness(stored[first], wanted[name]):
            plan.unlike.append(f"{first} is {problem}")
    unbuilt = [prefix for prefix in rules.optional_parts if not any(name.startswith(prefix) for name in wanted)]
    for name in stored:
        if name not in used:
            ignored = name.startswith((*rules.ignored_prefixes, *unbuilt))
            (plan.ignored if ignored else plan.unknown).append(name)
    return plan


def _names_of_one(wanted: Mapping[str, torch.Tensor], aliases: Mapping[str, str]) -> dict[str, list[str]]:
    """Every name of a tensor that has several, with all of them: by the rules, or by one parameter under two names."""
    first_names: dict[int, str] = {}
    pairs = [*aliases.items(), *((first_names.setdefault(id(tensor), name), name) for name, tensor in wanted.items())]
    groups: dict[str, list[str]] = {}
    for first, second in pairs:
        if first != second:
            group = list(dict.fromkeys([*groups.get(first, [first]), *groups.get(second, [second])]))
            groups.update((name, group) for name in group)
    return groups


def _same_bits(first: torch.Tensor, second: torch.Tensor) -> bool:
    if first.shape != second.shape or first.dtype != second.dtype:
        return False
    return torch.equal(first.reshape(-1).view(torch.uint8), second.reshape(-1).view(torch.uint8))


def _unlikeness(stored: torch.Tensor, wanted: torch.Tensor) -> str:
    """Why one cannot take the place of the other; empty if it can."""
    if stored.shape != wanted.shape:
        return f"{_sides(stored)} and should be {_sides(wanted)}"
    if not wanted.is_floating_point():  # everything stored is
        return f"{_kind(stored)} and should be {_kind(wanted)}"
    return ""


def _sides(tensor: torch.Tensor) -> str:
    return " x ".join(str(side) for side in tensor.shape) or "a single number"


def _kind(tensor: torch.Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _refuse(plan: _Plan, checkpoint: Checkpoint, network: str, rules: CheckpointRules) -> None:
    """Raise WeightsError for whatever in `plan` speaks against loading."""
    detail = "\n".join(
        f"{what}: {', '.join(names)}"
        for what, names in (
            ("missing", plan.missing),
            ("unknown", plan.unknown),
            ("unlike", plan.unlike),
            ("differing names of one tensor", plan.ambiguous),
        )
        if names
    )
    if not detail:
        return
    path = checkpoint.path
    others = plan.unknown or plan.unlike or plan.ambiguous
    if plan.missing and not others and (parts := _absent_parts(plan.missing, checkpoint.tensors, rules.optional_parts)):
        raise WeightsError(
            f"{path} has no weights for {' and '.join(parts)}: do without, or choose a file that has them.",
            detail,
        )
    problems = [
        _counted(plan.missing, "is missing", "are missing"),
        _counted(plan.unknown, "is unknown to it", "are unknown to it"),
        _counted(plan.unlike, "does not fit", "do not fit"),
        _counted(plan.ambiguous, "is there twice and differs", "are there twice and differ"),
    ]
    raise WeightsError(
        f"{path} does not hold the weights of {network}: {', '.join(filter(None, problems))}. "
        "It may be for another model or version: choose another file, or download it again.",
        detail,
    )


def _absent_parts(missing: Iterable[str], stored: Iterable[str], parts: Mapping[str, str]) -> list[str]:
    """What the artist calls the parts that the file has nothing of, if these account for all that is missing."""
    absent = {prefix: part for prefix, part in parts.items() if not any(name.startswith(prefix) for name in stored)}
    if not all(name.startswith(tuple(absent)) for name in missing):
        return []
    return [part for prefix, part in absent.items() if any(name.startswith(prefix) for name in missing)]


def _counted(names: list[str], singular: str, plural: str) -> str:
    if not names:
        return ""
    return f"{len(names)} {f'tensor {singular}' if len(names) == 1 else f'tensors {plural}'} (first: {names[0]})"
