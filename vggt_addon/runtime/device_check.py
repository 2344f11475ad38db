"""Run by the new Python alone: which torch it has, and whether the best device that it finds computes rightly.

Prints one JSON object. This module imports torch, and of the project nothing: it runs outside of it.
"""

import json

import torch


def main() -> None:
    """Multiply two matrices on the device and compare with the processor's product."""
    kind = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    left = torch.arange(64 * 64, dtype=torch.float32).reshape(64, 64) / 4096.0
    try:
        error = float((left.to(kind) @ left.to(kind).T).cpu().sub(left @ left.T).abs().max())
        trouble = "" if error < 1e-2 else f"the product is wrong by {error}"
    except RuntimeError as failure:  # a card that this build has no kernels for
        trouble = str(failure).splitlines()[0]
    name, memory = "the processor", 0
    if kind == "cuda":
        name, memory = torch.cuda.get_device_name(), int(torch.cuda.get_device_properties(0).total_memory)
    elif kind == "mps":
        name = "Apple GPU"
    facts = {"kind": kind, "name": name, "memory": memory, "torch": str(torch.__version__)}
    print(json.dumps({"device": facts, "trouble": trouble}))


if __name__ == "__main__":
    main()
