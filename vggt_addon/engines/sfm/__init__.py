"""The embedded default: classical structure from motion (pycolmap) and dense depth on the CPU."""
