"""What a pickle would do, read from its operations without doing any.

A pickle is a program for a small machine with a stack. That of a checkpoint needs few operations and four functions;
whatever asks for more is refused before torch's own machine sees it. That machine runs no foreign code either, but it
would allocate whatever a file asks for, and can be brought to crash by nesting.
This module imports nothing beyond the standard library.
"""

import pickletools
import re
from pathlib import Path

from ..errors import WeightsError

NAMESPACE = "argparse Namespace"  # DUSt3R keeps the settings of its training beside the weights
FUNCTIONS = {
    "torch._utils _rebuild_tensor_v2",
    "torch._utils _rebuild_parameter",
    "collections OrderedDict",
    NAMESPACE,
}
# Names of a type of number, each said of one piece of the archive.
STORAGE = re.compile(r"torch [A-Z][A-Za-z0-9]*Storage")
# Tensors that are no plain numbers in a row: sparse, quantised, nested, of a class of its own.
OTHER_TENSORS = re.compile(r"torch\._(utils|tensor) _rebuild_\w+|torch\.serialization _get_layout")
OPERATIONS = frozenset({
    "PROTO", "STOP", "GLOBAL", "REDUCE", "NEWOBJ", "BUILD", "BINPERSID",
    "MARK", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "EMPTY_TUPLE", "EMPTY_LIST", "EMPTY_DICT",
    "APPEND", "APPENDS", "SETITEM", "SETITEMS", "BINPUT", "LONG_BINPUT", "BINGET", "LONG_BINGET",
    "NONE", "NEWFALSE", "NEWTRUE", "BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "BINUNICODE",
})  # fmt: skip
NAMING = frozenset({"GLOBAL", "STACK_GLOBAL", "INST", "EXT1", "EXT2", "EXT4"})  # operations that fetch any function
FILLING = frozenset({"APPEND", "APPENDS", "SETITEM", "SETITEMS", "BUILD"})  # put what is above into what is below
DEEPEST = 50  # checkpoints nest about 6 deep; Python's hash of a tuple nested 100 000 deep ends the process


def check_pickle(path: Path, pickle: bytes) -> set[str]:
    """The functions that `pickle`, of the checkpoint `path`, names, as "module name"; each is one that may be called.

    Raises WeightsError where it would do anything but build tables of plain tensors, numbers and texts. Raises
    ValueError, IndexError or KeyError where it is no pickle.
    """
    found: set[str] = set()
    for operation, argument, _ in pickletools.genops(pickle):  # first, since nothing matters more
        if operation.name in NAMING:
            _check_function(path, operation.name, str(argument))
            found.add(str(argument))
    depths = _Depths()
    for operation, argument, position in pickletools.genops(pickle):
        if operation.name not in OPERATIONS or (operation.name == "PROTO" and argument != 2):
            raise ValueError(f"{operation.name} {argument} at {position} is no operation of a checkpoint")
        if depths.after(operation, argument) > DEEPEST:
            raise ValueError(f"nested more than {DEEPEST} deep at {position}")
    return found


def _check_function(path: Path, operation: str, function: str) -> None:
    if operation == "GLOBAL" and (function in FUNCTIONS or STORAGE.fullmatch(function)):
        return
    if operation == "GLOBAL" and OTHER_TENSORS.fullmatch(function):
        raise WeightsError(
            f"{path} holds compressed or unusual weights, which cannot be used here: download the plain ones.", function
        )
    raise WeightsError(
        f"{path} asks to run code as it opens, which weights never need, so it was not opened and nothing was run: "
        "delete it, and download the weights from those who published them.",
        f"{operation} {function}",
    )


class _Depths:
    """The pickle machine's stack, with the depth of nesting in place of each value."""

    def __init__(self) -> None:
        self.stack: list[int] = []
        self.marks: list[int] = []  # lengths of the stack where a mark was set
        self.memo: dict[object, int] = {}

    def after(self, operation: pickletools.OpcodeInfo, argument: object) -> int:
        """The depth of what lies on top once `operation` is done. Raises IndexError, KeyError where it cannot be."""
        name = operation.name
        if name == "MARK":
            self.marks.append(len(self.stack))
            return 0
        if name in ("BINPUT", "LONG_BINPUT"):
            self.memo[argument] = self.stack[-1]
            return self.stack[-1]
        if name in ("BINGET", "LONG_BINGET"):
            self.stack.append(self.memo[argument])
            return self.stack[-1]
        taken = self._take(operation)
        if operation.stack_after:
            if name in FILLING:
                self.stack.append(max(taken[0], 1 + max(taken[1:], default=0)))
            else:
                self.stack.append(1 + max(taken, default=-1))
            return self.stack[-1]
        return 0

    def _take(self, operation: pickletools.OpcodeInfo) -> list[int]:
        """The depths of what `operation` takes from the stack, lowest first."""
        before = operation.stack_before
        marked = pickletools.markobject in before
        begin = self.marks.pop() if marked else len(self.stack)
        begin -= before.index(pickletools.markobject) if marked else len(before)
        if begin < 0:
            raise IndexError("the stack is empty")
        taken = self.stack[begin:]
        del self.stack[begin:]
        return taken
