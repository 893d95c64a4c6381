"""Errors of the commands. Each message is one line for the user.

CommandError
├── OutputError         the folder for the results cannot take them
├── MissingExtraError   a library that an extra installs is missing
├── RemoteError         the service at `--url` does not answer
└── CameraError         the camera or stream cannot be read

CorruptVideoError       one video cannot be decoded; the others can
"""


class CommandError(Exception):
    """An error that ends the command with its message and status 1."""


class OutputError(CommandError):
    """The folder for the results holds files that must not be mixed with them."""


class MissingExtraError(CommandError):
    """An optional library is not installed."""


class RemoteError(CommandError):
    """The service at `--url` does not answer, or it rejects every request."""


class CameraError(CommandError):
    """The camera or stream cannot be opened, or it breaks off."""


class CorruptVideoError(Exception):
    """A file or stream without video, or a video that breaks off."""
