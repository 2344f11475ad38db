"""Render the courtyard: python render.py [--output FOLDER] [--samples N] [--only INDEX] [--depth]

Needs the `bpy` and `Pillow` packages. Deterministic.
"""

import argparse
import sys
import time
from pathlib import Path

from courtyard_scene import files, stage
from courtyard_scene.cameras import walk


def main() -> int:
    """Build the scene once and take the photos."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path(__file__).parent, help="folder to write to (default: here)")
    parser.add_argument("--samples", type=int, default=6, help="paths per pixel (default: 6)")
    parser.add_argument("--only", type=int, metavar="INDEX", help="one photo only, counted from 0")
    parser.add_argument("--depth", action="store_true", help="write the true depth and cameras only, no photos")
    parser.add_argument("--size", type=float, default=1.0, metavar="FRACTION", help="draft: smaller photos")
    parser.add_argument("--spacing", type=float, default=0.012, help="metres between vertices (default: 0.012)")
    options = parser.parse_args()

    started = time.perf_counter()
    scene = stage.build(options.spacing)
    print(f"scene built in {time.perf_counter() - started:.0f} s", flush=True)
    cameras = walk()
    depths = {}
    for index, camera in enumerate(cameras):
        if options.only is not None and index != options.only:
            continue
        started = time.perf_counter()
        if options.depth:
            depths[Path(camera.name).stem] = stage.measure_depth(scene, camera)
        else:
            picture = stage.photograph(scene, camera, options.samples, options.size)
            files.write_photo(options.output / "photos", camera, index, picture)
        print(f"{camera.name}: {time.perf_counter() - started:.0f} s", flush=True)
    if options.only is None:
        files.write_truth(options.output, cameras, depths)
    return 0


if __name__ == "__main__":
    sys.exit(main())
