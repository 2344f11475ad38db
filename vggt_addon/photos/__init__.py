"""Photo files: finding, reading, turning upright, and what EXIF says of the lens."""
