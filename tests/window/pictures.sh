#!/usr/bin/env bash
# The pictures of docs/, from runs of main_job.py on the example's photos and of preferences.py: pictures.sh [VERSION]
set -euo pipefail
cd "$(dirname "$0")/../.."
version=${1:-5.2}
.venv/bin/python - "$version" <<'PYTHON'
import sys
from pathlib import Path

from PIL import Image

WIDTH = 1100  # pixels: what a page shows
panel = ("empty", "dropped", "filled", "running", "done", "around", "error")
for name, file in [*((name, f"panel_{name}") for name in panel), ("preferences", "preferences")]:
    with Image.open(f"build/window/{name}-{sys.argv[1]}.png") as picture:
        small = picture.convert("RGB").resize((WIDTH, WIDTH * picture.height // picture.width), Image.Resampling.LANCZOS)
        small.save(Path("docs/pictures", f"{file}.jpg"), quality=82, optimize=True)
PYTHON
