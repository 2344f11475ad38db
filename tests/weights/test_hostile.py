"""Files that mean harm: code that would run, memory that would be taken, places outside the file. Nothing happens."""

import os
import pickle
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import torch

from vggt_addon.errors import WeightsError
from vggt_addon.weights import torch_file
from vggt_addon.weights.checkpoint import open_checkpoint
from vggt_addon.weights.pickle_check import DEEPEST, check_pickle

Refused = Callable[[Path], str]


class Payload:
    """Its pickle makes the file `trace` when it is opened by a reader that runs what it is told."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.trace,)


def payloads(handmade: ModuleType, trace: Path) -> dict[str, bytes]:
    """Pickles that would make the file `trace`, by every operation that can fetch a function."""
    touch, command = handmade.text(f"open({str(trace)!r}, 'w').close()"), handmade.text(f"touch {trace}")
    shorts = [struct.pack("<B", len(word)) + word.encode() for word in ("builtins", "exec")]
    sound = handmade.table({"a": handmade.tensor((1,))})
    return {
        "function by name": handmade.call(handmade.function("builtins", "exec"), touch),
        "shell": handmade.call(handmade.function("posix", "system"), command),
        "old name": handmade.call(handmade.function("__builtin__", "eval"), touch),
        "function from the stack": b"\x8c" + shorts[0] + b"\x8c" + shorts[1] + b"\x93" + touch + b"\x85R",
        "object of a class": b"(" + touch + b"ibuiltins\nexec\n",
        "from the registry": b"\x82\x01" + touch + b"\x85R",
        "behind sound weights": handmade.call(handmade.function("builtins", "exec"), touch) + b"0" + sound,
        "beside the weights": handmade.table(
            {"model": sound, "args": handmade.call(handmade.function("builtins", "exec"), touch)}
        ),
        "as state": handmade.function("collections", "OrderedDict")
        + b")R"
        + handmade.table({"x": handmade.call(handmade.function("os", "system"), command)})
        + b"b",
        "through torch": handmade.call(handmade.function("torch.serialization", "load"), handmade.text(str(trace))),
        "through the library's own": handmade.call(handmade.function("torch.hub", "load"), touch),
        "attribute of an attribute": handmade.call(handmade.function("torch._utils", "sys.modules.get"), touch),
    }


def test_the_payloads_would_run(tmp_path: Path, handmade: ModuleType) -> None:
    """In a reader that is not careful: otherwise the tests below would show nothing."""
    trace = tmp_path / "trace"
    for name in ("function by name", "shell", "function from the stack", "object of a class"):
        pickle.loads(handmade.program(payloads(handmade, trace)[name]))
        assert trace.exists(), name
        trace.unlink()
    pickle.loads(pickle.dumps(Payload(trace)))
    assert trace.exists()


def test_code_is_refused_and_not_run(tmp_path: Path, refused: Refused, handmade: ModuleType) -> None:
    trace = tmp_path / "trace"
    for name, body in payloads(handmade, trace).items():
        for suffix in (".pt", ".safetensors"):
            path = handmade.archive(tmp_path / f"model{suffix}", handmade.program(body), {"0": bytes(4)})
            assert "asks to run code" in refused(path), name
            assert not trace.exists(), name


def test_code_by_the_libraries_own_writers(tmp_path: Path, refused: Refused) -> None:
    trace = tmp_path / "trace"
    for held in (Payload(trace), {"a": torch.zeros(3), "b": Payload(trace)}, {"model": {}, "args": [Payload(trace)]}):
        for protocol in (2, 4):
            torch.save(held, tmp_path / "model.pt", pickle_protocol=protocol)
            assert "asks to run code" in refused(tmp_path / "model.pt")
    torch.save(Payload(trace), tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    (tmp_path / "bare.pt").write_bytes(pickle.dumps(Payload(trace)))
    assert "old file form" in refused(tmp_path / "old.pt")
    assert "old file form" in refused(tmp_path / "bare.pt")
    assert not trace.exists()


def test_the_second_wall_holds_alone(
    tmp_path: Path, refused: Refused, handmade: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Should a pickle get past our own reading of it, torch's reader runs nothing either."""
    trace = tmp_path / "trace"
    monkeypatch.setattr(torch_file, "check_pickle", lambda path, pickle_: set())
    for name, body in payloads(handmade, trace).items():
        refused(handmade.archive(tmp_path / "model.pt", handmade.program(body), {"0": bytes(4)}))
        assert not trace.exists(), name


def test_the_second_wall_for_other_tensors(tmp_path: Path, refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch_file, "check_pickle", lambda path, pickle_: set())
    torch.save({"a": torch.eye(3).to_sparse()}, tmp_path / "model.pt")
    assert "compressed or unusual" in refused(tmp_path / "model.pt")
    torch.save({"a": torch.zeros(3, device="meta")}, tmp_path / "model.pt")
    refused(tmp_path / "model.pt")


def test_memory_for_the_asking(tmp_path: Path, handmade: ModuleType) -> None:
    """Functions that are harmless but for how much they allocate: refused by name, before they are called."""
    size = handmade.number(2**42)
    for module, name in (("builtins", "bytearray"), ("torch.storage", "UntypedStorage"), ("torch", "Tensor")):
        pickle_ = handmade.program(handmade.table({"a": handmade.call(handmade.function(module, name), size)}))
        with pytest.raises(WeightsError, match="asks to run code"):
            open_checkpoint(handmade.archive(tmp_path / "model.pt", pickle_))


def nested(handmade: ModuleType, depth: int) -> bytes:
    """A table with a name that is a tuple in a tuple in a tuple ...; asking for its hash asks for all of theirs."""
    pickle_: bytes = handmade.program(b"}(" + handmade.number(1) + b"\x85" * depth + handmade.tensor((1,)) + b"u")
    return pickle_


def test_nesting_that_ends_a_process(tmp_path: Path, refused: Refused, handmade: ModuleType) -> None:
    path = handmade.archive(tmp_path / "model.pt", nested(handmade, 1_000_000), {"0": bytes(4)})
    assert "damaged" in refused(path)


@pytest.mark.skipif(sys.platform != "linux", reason="how deep a stack goes differs from system to system")
def test_the_nesting_would_end_it(tmp_path: Path, handmade: ModuleType) -> None:
    """Otherwise the limit would be for nothing."""
    path = handmade.archive(tmp_path / "model.pt", nested(handmade, 1_000_000), {"0": bytes(4)})
    script = "import sys, torch; torch.load(sys.argv[1], weights_only=True)"
    ended = subprocess.run([sys.executable, "-c", script, path], capture_output=True)
    assert ended.returncode < 0  # a signal, not an exception


def test_depth_is_counted_through_the_memo_and_through_filling(handmade: ModuleType) -> None:
    inner = b")"
    for _ in range(DEEPEST - 2):
        inner += b"\x85q\0" + b"h\0"  # wrap, keep, fetch: two on the stack, the deeper one on top
    check_pickle(Path("a"), handmade.program(inner))
    with pytest.raises(ValueError, match="deep"):
        check_pickle(Path("a"), handmade.program(inner + b"\x85" * 3))
    wide = b"](" + handmade.row(handmade.number(1)) * 200 + b"e" + (handmade.row() + b"a") * 200
    assert check_pickle(Path("a"), handmade.program(wide)) == set()


def test_broken_programs(tmp_path: Path, refused: Refused, handmade: ModuleType) -> None:
    for body in (b"", b"a", b"u", b"R", b"h\7", b"\x85", b"(((", b"}(K\1", b"\x80\2" * 3, b"X\xff\xff\xff\x7f", b"]0"):
        refused(handmade.archive(tmp_path / "model.pt", handmade.program(body), {"0": bytes(4)}))
    refused(handmade.archive(tmp_path / "model.pt", b"", {"0": bytes(4)}))


@pytest.mark.parametrize(
    "claim",
    [
        {"shape": (1000, 1000), "strides": (0, 0), "claimed": 1},  # a single number, spread over a million
        {"shape": (2**40,), "strides": (0,), "claimed": 4},
        {"shape": (2**40, 2**40), "strides": (0, 0), "claimed": 4},  # a count beyond 64 bits
        {"shape": (2**62, 4), "strides": (0, 0), "claimed": 4},  # a count that is 0 in 64 bits
        {"shape": (3, 3), "strides": (2, 2), "claimed": 9},  # as far apart as nine, and overlapping
        {"shape": (2, 2), "strides": (1, 1), "claimed": 4},
        {"shape": (5,), "claimed": 4},  # more than the piece
        {"shape": (4,), "claimed": 4, "offset": 1},
        {"shape": (4,), "claimed": 4, "offset": -1},
        {"shape": (-4,), "claimed": 4},
        {"shape": (4,), "strides": (-1,), "claimed": 4},
        {"shape": (100,), "claimed": 100},  # more than the record in the archive, within the file
        {"shape": (2**20,), "claimed": 2**20},  # beyond the file
        {"shape": (2**61,), "claimed": 2**61},
        {"shape": (4,), "claimed": 2**70},
        {"shape": (4,), "claimed": -4},
        {"shape": (4,), "piece": "7"},  # of no such piece
        {"shape": (4,), "piece": "../../data.pkl"},
        {"shape": (4,), "kind": "Nothing"},
        {"shape": (4, 4, 4), "strides": (1,), "claimed": 64},
        {"shape": (*[1] * 1000, 4)},
    ],
    ids=lambda claim: str(claim)[:80],
)
def test_more_is_claimed_than_there_is(
    tmp_path: Path, refused: Refused, handmade: ModuleType, claim: dict[str, object]
) -> None:
    pickle_ = handmade.program(handmade.table({"a": handmade.tensor(**claim)}))
    numbers = bytes(4 * {1: 1, 9: 9}.get(int(str(claim.get("claimed", 4))), 4))
    path = handmade.archive(tmp_path / "model.pt", pickle_, {"0": numbers, "1": bytes(2000)})
    assert "damaged" in refused(path)


def test_tensors_that_overlap(tmp_path: Path, refused: Refused, handmade: ModuleType) -> None:
    """A piece of the archive may be shared out, or have two names, but not serve twice in part."""
    parts = {name: handmade.tensor((5,), claimed=8, offset=offset) for name, offset in (("a", 0), ("b", 3))}
    path = handmade.archive(tmp_path / "a.pt", handmade.program(handmade.table(parts)), {"0": bytes(32)})
    assert "overlap" in refused(path)


@pytest.mark.parametrize("name", ["", "\x1b[2Jweights", "a\nb", "a" * 301])
def test_names_that_would_garble_a_sentence(tmp_path: Path, refused: Refused, handmade: ModuleType, name: str) -> None:
    pickle_ = handmade.program(handmade.table({name: handmade.tensor((1,))}))
    assert "no proper names" in refused(handmade.archive(tmp_path / "model.pt", pickle_, {"0": bytes(4)}))


def test_many_names_of_one_tensor_cost_one(tmp_path: Path, handmade: ModuleType) -> None:
    names = {f"a{index}": handmade.tensor((250,)) for index in range(200)}
    path = handmade.archive(tmp_path / "a.pt", handmade.program(handmade.table(names)), {"0": bytes(1000)})
    assert len({tensor.data_ptr() for tensor in open_checkpoint(path).tensors.values()}) == 1


def test_an_attribute_in_place_of_a_method(tmp_path: Path, handmade: ModuleType) -> None:
    """State may be given to an OrderedDict, so its own `items` is not to be asked."""
    state = handmade.table({"items": handmade.number(5), "get": handmade.number(6), "keys": handmade.text("a")})
    filled = handmade.call(handmade.ORDERED_DICT) + b"(" + handmade.text("w") + handmade.tensor((1,)) + b"u"
    for body in (filled + state + b"b", handmade.table({"model": filled + state + b"b"})):
        path = handmade.archive(tmp_path / "model.pt", handmade.program(body), {"0": bytes(4)})
        assert list(open_checkpoint(path).tensors) == ["w"]


def test_settings_that_hide_something(tmp_path: Path, handmade: ModuleType) -> None:
    """The one class beyond torch's own that is let in can only be filled, and is thrown away."""
    namespace = handmade.function("argparse", "Namespace") + b")\x81"
    state = handmade.table({"__class__": handmade.text("x"), "__eq__": handmade.number(1)})
    slots = handmade.row(handmade.table({}), handmade.table({"__class__": handmade.ORDERED_DICT}))
    weights = handmade.table({"w": handmade.tensor((1,))})
    sound = handmade.table({"args": namespace + state + b"b", "model": weights})
    path = handmade.archive(tmp_path / "model.pt", handmade.program(sound), {"0": bytes(4)})
    assert list(open_checkpoint(path).tensors) == ["w"]
    changed = handmade.table({"args": namespace + slots + b"b", "model": weights})
    with pytest.raises(WeightsError, match="damaged"):
        open_checkpoint(handmade.archive(tmp_path / "model.pt", handmade.program(changed), {"0": bytes(4)}))


def test_nothing_is_unpacked(tmp_path: Path, handmade: ModuleType) -> None:
    sound = handmade.program(handmade.table({"w": handmade.tensor((1,))}))
    records = {"archive/../../escaped": b"1", "archive//etc/passwd": b"2"}
    folder = tmp_path / "in" / "here"
    folder.mkdir(parents=True)
    path = handmade.archive(folder / "model.pt", sound, {"0": bytes(4)}, records=records)
    assert list(open_checkpoint(path).tensors) == ["w"]
    assert [Path(at, name) for at, _, files in os.walk(tmp_path) for name in files] == [path]
