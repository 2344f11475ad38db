#!/usr/bin/env bash
# The pictures of docs/first-capture.md, from a run of main_job.py on the example's photos: pictures.sh [VERSION]
set -euo pipefail
cd "$(dirname "$0")/../.."
version=${1:-5.2}
.venv/bin/python - "$version" <<'PYTHON'
import sys
from pathlib import Path

from PIL import Image

WIDTH = 1100  # pixels: what a page shows
for name in ("empty", "dropped", "filled", "running", "done", "around", "error"):
    with Image.open(f"build/window/{name}-{sys.argv[1]}.png") as picture:
        small = picture.convert("RGB").resize((WIDTH, WIDTH * picture.height // picture.width), Image.Resampling.LANCZOS)
        small.save(Path("docs/pictures", f"panel_{name}.jpg"), quality=82, optimize=True)
PYTHON
