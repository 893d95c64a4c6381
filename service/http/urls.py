"""Which URLs may be fetched: origins that the operator allows, at public addresses."""

import ipaddress
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import NamedTuple

import httpx

from engines.errors import EngineError
from service.errors import InvalidRequestError, UrlRefusedError

PORTS = {"http": 80, "https": 443}
MAX_LENGTH = 4096
Network = IPv4Network | IPv6Network
# The only global unicast addresses of IPv6 in the IANA registry. Outside of them are embedded IPv4
# addresses (::ffff:0:0/96, ::/96, NAT64's 64:ff9b::/96) and addresses of a link, site or host.
UNICAST = IPv6Network("2000::/3")
# Tunnels and translators, which lead to an IPv4 address that the sender chooses, and networks for
# documentation.
SPECIAL: tuple[Network, ...] = (
    IPv6Network("2001::/23"),
    IPv6Network("2001:db8::/32"),
    IPv6Network("2002::/16"),
    IPv6Network("3fff::/20"),
    IPv4Network("192.0.0.0/24"),
    IPv4Network("192.88.99.0/24"),
)


class UrlSettingsError(EngineError):
    """An entry of the allow list is malformed; the message names it."""


class Origin(NamedTuple):
    """A scheme, a host and a port; with `subdomains` only the subdomains of the host count."""

    scheme: str
    host: str
    port: int
    subdomains: bool

    def covers(self, url: httpx.URL) -> bool:
        """Whether `url` has this origin."""
        suffix = f".{self.host}"
        same = url.host.endswith(suffix) if self.subdomains else url.host == self.host
        return same and url.scheme == self.scheme and port_of(url) == self.port


class Allowed:
    """The origins to fetch from, and the networks allowed in addition to the public ones."""

    def __init__(self, origins: Sequence[str], networks: Sequence[str] = ()) -> None:
        """Read the settings `url_allow` and `url_networks`.

        Raises:
            UrlSettingsError: an entry does not have the form in the description of the setting.
        """
        self._origins = [_origin(entry) for entry in origins]
        self._networks = [_network(entry) for entry in networks]

    def check(self, url: httpx.URL) -> None:
        """Reject a URL with another origin, or with a user name or password.

        Raises:
            UrlRefusedError: `url` is not allowed.
        """
        if not self._origins:
            raise UrlRefusedError("this service fetches no URLs; send the image itself as `data`")
        if url.userinfo or not any(origin.covers(url) for origin in self._origins):
            raise UrlRefusedError(
                "this service does not fetch from this origin; send the image itself as `data`, or "
                "ask its operator to add it to EMOTIONS_URL_ALLOW"
            )

    def reaches(self, address: str) -> bool:
        """Whether connections to an IP address, in the form of the resolver, are allowed."""
        try:
            found = ipaddress.ip_address(address)
        except ValueError:
            return False
        return public(found) or any(found in network for network in self._networks)


def public(address: IPv4Address | IPv6Address) -> bool:
    """Whether an address is a single public host, and does not embed another address."""
    if isinstance(address, IPv6Address) and address not in UNICAST:
        return False
    special = address.is_multicast or any(address in network for network in SPECIAL)
    return address.is_global and not special


def parse(text: str, where: str) -> httpx.URL:
    """Parse a URL; `where` names it in messages.

    Raises:
        InvalidRequestError: `text` is not an absolute URL.
    """
    try:
        if len(text) > MAX_LENGTH:
            raise httpx.InvalidURL("too long")
        url = httpx.URL(text)
        if not url.host:
            raise httpx.InvalidURL("no host")
    except (httpx.InvalidURL, ValueError) as error:
        raise InvalidRequestError(
            f"{where}: give an absolute URL, https://…, of at most {MAX_LENGTH} characters"
        ) from error
    return url


def port_of(url: httpx.URL) -> int | None:
    """Return the port of a URL, by default that of its scheme."""
    return url.port or PORTS.get(url.scheme)


def _origin(entry: str) -> Origin:
    error = UrlSettingsError(
        f"EMOTIONS_URL_ALLOW: {entry!r} is not an origin; write https://images.example.com, "
        "https://*.example.com or https://images.example.com:8443"
    )
    scheme, _, rest = entry.partition("://")
    subdomains = rest.startswith("*.")
    try:
        url = httpx.URL(f"{scheme}://{rest.removeprefix('*.')}")
    except (httpx.InvalidURL, ValueError):
        raise error from None
    port = port_of(url)
    bare = url.raw_path == b"/" and not (url.userinfo or url.fragment or "*" in url.host)
    if port is None or not (bare and url.host):
        raise error
    return Origin(url.scheme, url.host, port, subdomains)


def _network(entry: str) -> Network:
    try:
        return ipaddress.ip_network(entry)
    except ValueError as error:
        raise UrlSettingsError(
            f"EMOTIONS_URL_NETWORKS: {entry!r} is not a network; write 10.1.0.0/16 or fd00:1::/32"
        ) from error
