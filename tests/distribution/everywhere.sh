#!/usr/bin/env bash
# The zip for linux-x64 in clean profiles of every Blender at hand, with the network cut: installed, enabled, used.
#
#   tests/distribution/everywhere.sh [VERSION...]      without any: 4.2 4.5 5.0 5.2 (bpy) trixie sid (real programs)
#
# bpy is put into a .venv-package-VERSION of its own, with none of the engines' libraries. The real programs are those of
# SHARED/tools/blender-gui (see its README). Needs Linux, util-linux's unshare, and SHARED/datasets/banana.
set -euo pipefail
cd "$(dirname "$0")/../.."
shared=$(realpath "${SHARED:-../shared}")
photos="$shared/datasets/banana/images"
archives=(dist/vggt_addon-*-linux_x64.zip)
archive=$(realpath "${archives[0]}")
python311="${PYTHON:-python3.11}"
[ -d "$photos" ] || { echo "$photos is not on this machine; name its root with SHARED="; exit 1; }
profiles=$(mktemp -d)
trap 'rm -rf "$profiles"' EXIT
offline=(unshare -rn)
[ "$(id -u)" != 0 ] || offline=(unshare -n) # nothing but the network changes

environment() { # environment PYTHON BPY NUMPY
	local folder=".venv-package-$2"
	[ -e "$folder/done" ] && return
	"$1" -m venv "$folder"
	"$folder/bin/python" -m pip install --quiet --disable-pip-version-check "bpy==$2.*" "numpy$3" pytest==9.2.0
	touch "$folder/done"
}

wheel() { # wheel PYTHON BPY NUMPY
	echo "== bpy $2"
	environment "$@"
	"${offline[@]}" ".venv-package-$2/bin/python" tests/distribution/installed_capture.py \
		"$archive" "$profiles/$2-capture" "$photos"
	"${offline[@]}" ".venv-package-$2/bin/python" tests/distribution/installed_suite.py \
		"$archive" "$profiles/$2-suite" -q -p no:cacheprovider
}

program() { # program SUITE
	echo "== Blender of $1"
	local enter="$shared/tools/blender-gui/enter.sh" profile="$profiles/$1"
	mkdir "$profile"
	local inside=("$enter" "$1" --bind "$shared" --offline -- env "BLENDER_USER_RESOURCES=$profile" blender)
	# One line is Blender's report, the other this container's lack of a list of disks.
	"${inside[@]}" --command extension install-file -r user_default --enable "$archive" 2>&1 |
		tee "$profiles/console" | { ! grep -vE '^STATUS Installed|list of mounted file-systems$' >&2; } ||
		{ echo "not installed quietly"; exit 1; }
	grep -q '^STATUS Installed "vggt_addon"' "$profiles/console"
	"${inside[@]}" -b --python-exit-code 1 --python tests/distribution/installed_capture.py -- "$photos"
}

find_python313() {
	for candidate in python3.13 "$HOME"/.pyenv/versions/3.13*/bin/python; do
		if "$candidate" -c "import venv" 2>/dev/null; then # a version manager's stand-in may be there and not run
			echo "$candidate"
			return
		fi
	done
	echo "bpy 5.2 needs python3.13, which is not on this machine." >&2
	return 1
}

[ $# -gt 0 ] || set -- 4.2 4.5 5.0 5.2 trixie sid
for version in "$@"; do
	case "$version" in
	5.2) wheel "$(find_python313)" 5.2 ">=2.2,<3" ;;
	trixie | sid) program "$version" ;;
	*) wheel "$python311" "$version" "<2" ;;
	esac
done
