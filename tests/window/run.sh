#!/usr/bin/env bash
# The extension in a real Blender window: builds the zip, installs it and runs a script of this folder in it.
#
#   tests/window/run.sh SUITE SCRIPT [ARG...]      SUITE: trixie (4.3), sid (5.2) or all
#
# Pictures go to build/window/. ZIP=FILE: a zip of `make package`, with its own engines, instead of the source with those
# of .venv. Needs the trees of SHARED/tools/blender-gui (see its README).
set -euo pipefail
repository=$(cd "$(dirname "$0")/../.." && pwd)
shared=$(realpath "${SHARED:-$repository/../shared}")
suite=$1 script=$2
shift 2
cd "$repository"
out=build/window
mkdir -p "$out"
python="$repository/.venv/bin/python"
if [ -n "${ZIP:-}" ]; then
	archive=$(realpath "$ZIP")
else
	tool=$(echo "$repository"/.venv/lib/python3*/site-packages/bpy/*/scripts/addons_core/bl_pkg/cli/blender_ext.py)
	"$python" "$tool" build --source-dir . --output-dir build >/dev/null
	archive=$(echo build/vggt_addon-*.zip)
	export VGGT_ADDON_PYTHON="${VGGT_ADDON_PYTHON:-$python}"
fi
arguments=()
for argument in "$@"; do arguments+=(--arg "$argument"); done
exec "$shared/tools/blender-gui/shoot.sh" -b "$suite" -z "$archive" -s "tests/window/$script.py" -t VGGT \
	-o "$out/$script-end-{v}.png" --bind "$(dirname "$(realpath "$python")")/.." --bind "$shared" --limit "${LIMIT:-1800}" \
	"${arguments[@]}"
