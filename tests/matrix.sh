#!/usr/bin/env bash
# The tests of scene and panel on the Blenders that the main suite does not run on; one environment each.
set -euo pipefail
cd "$(dirname "$0")/.."

run() { # run PYTHON BPY NUMPY
	local environment=".venv-bpy-$2"
	if [ ! -e "$environment/done" ]; then
		"$1" -m venv "$environment"
		"$environment/bin/python" -m pip install --quiet --disable-pip-version-check \
			"bpy==$2.*" "numpy$3" pytest==9.2.0 av==18.1.0 pillow==13.0.0 opencv-python-headless==4.11.0.86 tqdm==4.70.1
		touch "$environment/done"
	fi
	echo "== bpy $2"
	# The worker keeps the main suite's Python, which has the engines: Blender's own needs none of it.
	# And it leaves without Blender's own end, in which the bpy 4.2 wheel crashes once panels were registered.
	VGGT_ADDON_TEST_WORKER="$PWD/.venv/bin/python" "$environment/bin/python" -c "
import os, sys, pytest
status = pytest.main(['tests/scene', 'tests/ui', '-q'])
sys.stdout.flush()
os._exit(status)"
}

python311="${PYTHON:-python3.11}"
run "$python311" 4.2 "<2"
run "$python311" 5.0 "<2"

python313=""
for candidate in python3.13 "$HOME"/.pyenv/versions/3.13*/bin/python; do
	if "$candidate" -c "import venv" 2>/dev/null; then # a version manager's stand-in may be there and not run
		python313="$candidate"
		break
	fi
done
if [ -n "$python313" ]; then
	run "$python313" 5.2 ">=2.2,<3"
else
	echo "bpy 5.2 was not tried: it needs python3.13, which is not on this machine."
fi
