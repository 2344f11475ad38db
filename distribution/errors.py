"""What stops a package from being made. This module imports nothing."""


class PackageError(Exception):
    """A sentence for whoever makes the package: what is wrong, and what to do."""
