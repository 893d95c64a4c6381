"""Which URLs may be fetched: hosts that an operator names, at addresses that are public."""

import ipaddress
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import NamedTuple

import httpx

from engines.errors import EngineError
from service.errors import InvalidRequestError, UrlRefusedError

PORTS = {"http": 80, "https": 443}
LONGEST = 4096
Network = IPv4Network | IPv6Network
# IANA's registry has no other global unicast IPv6 than 2000::/3; IPv4 in disguise (::ffff:0:0/96,
# ::/96, NAT64's 64:ff9b::/96) and what is local to a link, site or host lies outside of it.
UNICAST = IPv6Network("2000::/3")
# Tunnels and translators, which lead to IPv4 addresses of the sender's choice, and documentation.
SPECIAL: tuple[Network, ...] = (
    IPv6Network("2001::/23"),
    IPv6Network("2001:db8::/32"),
    IPv6Network("2002::/16"),
    IPv6Network("3fff::/20"),
    IPv4Network("192.0.0.0/24"),
    IPv4Network("192.88.99.0/24"),
)


class UrlSettingsError(EngineError):
    """An entry of the allow list that is none; the message names it."""


class Origin(NamedTuple):
    """A scheme, a host, and a port; `below` is for any subdomain of the host instead of itself."""

    scheme: str
    host: str
    port: int
    below: bool

    def covers(self, url: httpx.URL) -> bool:
        """Whether `url` is of this origin."""
        same = url.host.endswith(f".{self.host}") if self.below else url.host == self.host
        return same and url.scheme == self.scheme and port_of(url) == self.port


class Allowed:
    """The origins that may be asked, and the networks they may be in beside the public ones."""

    def __init__(self, origins: Sequence[str], networks: Sequence[str] = ()) -> None:
        """Read the settings `url_allow` and `url_networks`.

        Raises:
            UrlSettingsError: an entry is not of the form that the setting's description shows.
        """
        self._origins = [_origin(entry) for entry in origins]
        self._networks = [_network(entry) for entry in networks]

    def check(self, url: httpx.URL) -> None:
        """Let pass only a URL of an allowed origin, without a user's name or password.

        Raises:
            UrlRefusedError: it is another.
        """
        if not self._origins:
            raise UrlRefusedError("this service fetches no URLs; send the image itself as `data`")
        if url.userinfo or not any(origin.covers(url) for origin in self._origins):
            raise UrlRefusedError(
                "this service does not fetch from there; send the image itself as `data`, or ask "
                "its operator for EMOTIONS_URL_ALLOW"
            )

    def reaches(self, address: str) -> bool:
        """Whether an IP address, as the resolver gives it, may be connected to."""
        try:
            found = ipaddress.ip_address(address)
        except ValueError:
            return False
        return public(found) or any(found in network for network in self._networks)


def public(address: IPv4Address | IPv6Address) -> bool:
    """Whether an address is one host of the public internet, and no other address in disguise."""
    if isinstance(address, IPv6Address) and address not in UNICAST:
        return False
    special = address.is_multicast or any(address in network for network in SPECIAL)
    return address.is_global and not special


def parse(text: str) -> httpx.URL:
    """Read a URL.

    Raises:
        InvalidRequestError: it is none.
    """
    try:
        if len(text) > LONGEST:
            raise httpx.InvalidURL("too long")
        url = httpx.URL(text)
        if not url.host:
            raise httpx.InvalidURL("no host")
    except (httpx.InvalidURL, ValueError) as error:
        raise InvalidRequestError(
            f"url: give a whole one, https://…, of at most {LONGEST} characters"
        ) from error
    return url


def port_of(url: httpx.URL) -> int | None:
    """The port that a URL leads to."""
    return url.port or PORTS.get(url.scheme)


def _origin(entry: str) -> Origin:
    refusal = UrlSettingsError(
        f"EMOTIONS_URL_ALLOW: {entry!r} is no origin; write https://images.example.com, "
        "https://*.example.com or https://images.example.com:8443"
    )
    scheme, _, rest = entry.partition("://")
    below = rest.startswith("*.")
    try:
        url = httpx.URL(f"{scheme}://{rest.removeprefix('*.')}")
    except (httpx.InvalidURL, ValueError):
        raise refusal from None
    port = port_of(url)
    bare = url.raw_path == b"/" and not (url.userinfo or url.fragment or "*" in url.host)
    if port is None or not (bare and url.host):
        raise refusal
    return Origin(url.scheme, url.host, port, below)


def _network(entry: str) -> Network:
    try:
        return ipaddress.ip_network(entry)
    except ValueError as error:
        raise UrlSettingsError(
            f"EMOTIONS_URL_NETWORKS: {entry!r} is no network; write 10.1.0.0/16 or fd00:1::/32"
        ) from error
