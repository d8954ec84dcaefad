"""Errors of requests: which of them a retry may cure, and how long a server asks to wait."""

from __future__ import annotations

import contextlib
import email.utils
import http.client
import socket
import ssl
import time
import urllib.error
from collections.abc import Iterator
from email.message import Message

from ssd_cli.errors import SsdBenchError

_TEMPORARY = {408, 425, 429, 500, 502, 503, 504}


class TransferError(SsdBenchError):
    """A file could not be fetched."""


class RemoteFileMissing(TransferError):
    """The server has no such file."""


class Temporary(Exception):
    """A failure after which a retry may succeed, perhaps after `wait` seconds; `resolved` is false if the name lookup failed."""

    def __init__(self, reason: str, wait: float | None = None, resolved: bool = True) -> None:
        super().__init__(reason)
        self.wait = wait
        self.resolved = resolved


@contextlib.contextmanager
def translated_errors(url: str) -> Iterator[None]:
    """Translate the exceptions of the enclosed request: `Temporary` if a retry may succeed, else `TransferError`."""
    try:
        yield
    except urllib.error.HTTPError as error:
        if error.code == 416:
            raise Temporary("the server has no more of this file") from error
        if error.code not in _TEMPORARY:
            kind = RemoteFileMissing if error.code in (404, 410) else TransferError
            raise kind(f"{url} answered {error.code} {error.reason}.", "", "Try again later, or use --mirror.") from error
        raise Temporary(f"the server answered {error.code} {error.reason}", asked_wait(error.headers)) from error
    except urllib.error.URLError as error:
        if isinstance(error.reason, ssl.SSLCertVerificationError):
            raise TransferError(
                f"The certificate of {url} is not valid: {error.reason.verify_message}.",
                "Expected a certificate that this machine trusts.",
                "Check the clock and the certificates of this machine, and any proxy.",
            ) from error
        raise Temporary(str(error.reason), resolved=not isinstance(error.reason, socket.gaierror)) from error
    except (http.client.InvalidURL, ValueError) as error:  # a redirect to "http://[" is a ValueError
        raise TransferError(f"{ascii(url)[1:-1]} is not a valid web address: {error}.", "", "Name another --mirror.") from error
    except (http.client.HTTPException, OSError) as error:  # network failures have many error numbers
        raise Temporary(f"{type(error).__name__}: {error}") from error


def asked_wait(headers: Message) -> float | None:
    """Return the seconds for which the server asks to wait, or None."""
    after = headers.get("Retry-After", "").strip()
    if after.isdecimal():
        return float(after)
    if after:
        with contextlib.suppress(ValueError, TypeError, OverflowError, OSError):  # dates without a zone, or beyond the clock
            return max(0.0, email.utils.parsedate_to_datetime(after).timestamp() - time.time())
    reset = headers.get("X-RateLimit-Reset", "").strip()
    return max(0.0, float(reset) - time.time()) if reset.isdecimal() else None
