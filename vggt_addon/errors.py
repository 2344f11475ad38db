"""What can go wrong, said twice: a sentence for the artist, and the detail for the log.

This module imports nothing beyond the standard library.
"""


class UserError(Exception):
    """A failure that the artist can understand and act on.

    `sentence` says what happened, to which file, and what to do, in one clear sentence. `detail` is everything an
    engineer would ask for (library messages, exit codes, last log lines) and goes to the log only.
    """

    def __init__(self, sentence: str, detail: str = "") -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.detail = detail


class PhotoError(UserError):
    """One photo (or the choice of photos) cannot be used."""


class UnreadablePhotosError(PhotoError):
    """Photos whose header is fine but whose pixels are not; `reasons` by their names in the run."""

    def __init__(self, reasons: dict[str, str]) -> None:
        super().__init__(" ".join(reasons.values()))
        self.reasons = reasons


class EngineError(UserError):
    """An engine could not make a reconstruction from photos that could be read."""


class FormatError(UserError):
    """A file or folder that should hold our data does not, or not in a form that this version reads."""


class WeightsError(UserError):
    """A file of network weights cannot be used, or does not fit the network; or none could be written."""


class InstallError(UserError):
    """The private runtime could not be made, repaired, checked or removed; what was there before is as it was."""


class OutputExistsError(UserError):
    """The place to write to is taken, and overwriting was not asked for."""


class Cancelled(Exception):  # noqa: N818 - not an error: the artist asked for it
    """The artist asked to stop. Carries no message; whoever catches it leaves nothing half-written."""
