"""Other programs' files: camera JSON, PLY."""
