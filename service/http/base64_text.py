"""Decodes base64 as programs write it (RFC 2045, RFC 4648), with or without a data URL."""

import binascii
import re
import string
from contextlib import suppress

import msgspec

from service.errors import InvalidRequestError

_SPACES = string.whitespace.encode()
_ALPHABET = f"{string.ascii_letters}{string.digits}+/-_=".encode()
_URL_SAFE = bytes.maketrans(b"-_", b"+/")
# Text of at most this many characters is not an image; messages quote it.
_SHORT = 128
_FILE_NAME = re.compile(
    r"(?:.*\\)?(.+\.(?:jpe?g|png|webp|bmp|gif|tiff?|hei[cf]|avif|jxl))\s*", re.IGNORECASE
)
_DATA_URL = re.compile(r"\s*data:([^,]*),", re.IGNORECASE)


def decode(text: str, where: str) -> bytes:
    """Decode base64: either alphabet, with or without padding, line breaks and a data URL.

    `where` names the text in messages.

    Raises:
        InvalidRequestError: not base64; the message has the offset of the first wrong character,
            which counts an escape in a data URL as one.
    """
    start = _start(text, where)
    with suppress(msgspec.ValidationError, UnicodeEncodeError):
        return _strict(text[start:])
    encoded = text.encode("ascii", "replace")  # keeps the offsets
    if start and "%" in text:
        encoded = encoded[:start] + unescape(encoded[start:])
        text = encoded.decode("latin-1")
    content = encoded[start:]
    wrong = content.translate(None, _ALPHABET + _SPACES)
    if wrong:
        raise _stops(text, start + content.index(wrong[:1]), where)
    digits = content.translate(_URL_SAFE, _SPACES).rstrip(b"=")
    if b"=" in digits:
        raise _stops(text, start + content.index(b"="), where)
    if len(digits) % 4 == 1:
        raise _error(text, where, "it ends within a byte; send it whole")
    return _strict(digits.decode() + "=" * (-len(digits) % 4))


def _strict(text: str) -> bytes:
    """Decode base64 with padding and nothing else, three times as fast as `binascii`."""
    return msgspec.convert(text, bytes)


def unescape(value: bytes) -> bytes:
    """Replace each `%XX` by its byte.

    Quoted-printable has the same escapes, but with an equals sign. `urllib` makes an object per
    escape: a body of escapes would take gigabytes.
    """
    if b"%" not in value:
        return value
    return binascii.a2b_qp(value.replace(b"=", b"=3D").replace(b"%", b"="))


def _start(text: str, where: str) -> int:
    """Return where the base64 of a data URL starts (RFC 2397); 0 if there is no data URL."""
    head = _DATA_URL.match(text)
    if head is None:
        return 0
    if not head[1].strip().lower().endswith("base64"):
        raise InvalidRequestError(
            f"{where} is a data URL without base64; write data:image/jpeg;base64,… or only base64"
        )
    return head.end()


def _stops(text: str, offset: int, where: str) -> InvalidRequestError:
    return _error(text, where, f"{text[offset]!a} at offset {offset}")


def _error(text: str, where: str, reason: str) -> InvalidRequestError:
    """Return the error of text that is not base64, with the fix if the text is short."""
    if len(text) > _SHORT:
        return InvalidRequestError(f"{where} is not base64: {reason}")
    if name := _FILE_NAME.fullmatch(text):
        return InvalidRequestError(
            f"{where} is a file name, not a file; curl sends the file with -F images=@{name[1]}"
        )
    return InvalidRequestError(
        f"{where} is text that is not base64, {text!a}: {reason}; send the bytes of the file"
    )
