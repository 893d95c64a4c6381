"""Errors of the commands. Each message is one line for the user.

CommandError
├── OutputError         the folder for the results cannot take them
├── NothingReadError    there is no image and no video
├── MissingExtraError   a library that an extra installs is missing
├── RemoteError         the service at `--url` does not answer
├── TeachingError       the photographs or the network cannot be used to teach classes
├── ComparisonError     the pictures or labels cannot be used to compare detectors
├── StorageError        a folder or an object store cannot be read or written
└── CameraError         the camera or stream cannot be read

CorruptVideoError       one video cannot be decoded; the others can
└── NoVideoError        a file that could hold a video holds none
"""

import errno

from engines.disk import DISK_FULL

# Every further result would fail with these errors, too.
DISK_ERRORS = DISK_FULL | {errno.EROFS, errno.EIO}


class CommandError(Exception):
    """An error that ends the command with its message and status 1."""


class OutputError(CommandError):
    """The folder for the results holds files that must not be mixed with them."""


class NothingReadError(CommandError):
    """The paths hold no image and no video."""


class MissingExtraError(CommandError):
    """An optional library is not installed."""


class RemoteError(CommandError):
    """The service at `--url` does not answer, or it rejects every request."""


class TeachingError(CommandError):
    """Photographs, or an emotion network, that `emotions teach` cannot use."""


class ComparisonError(CommandError):
    """Pictures or labels that `emotions compare` cannot use."""


class StorageError(CommandError):
    """A folder or an object store cannot be read or written, also after repeated attempts."""


class CameraError(CommandError):
    """The camera or stream cannot be opened, or it breaks off."""


class CorruptVideoError(Exception):
    """A file or stream without video, or a video that breaks off."""


class NoVideoError(CorruptVideoError):
    """A file without video, as a recording of sound in an MP4 file."""


def ends_run(error: Exception) -> bool:
    """Whether an error while a result is written comes from the disk, not from that result."""
    return isinstance(error, OSError) and error.errno in DISK_ERRORS
