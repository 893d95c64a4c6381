"""Which URLs and addresses may be fetched, and which never."""

from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address, ip_address

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import InvalidRequestError, UrlRefusedError
from service.http.urls import Allowed, UrlSettingsError, parse, public

ALLOWED = Allowed(["https://images.example.com", "https://*.films.example:8443", "http://[::1]"])


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",
        "0.1.2.3",
        "10.0.0.1",
        "100.64.0.1",
        "100.127.255.255",
        "127.0.0.1",
        "127.255.0.1",
        "169.254.169.254",
        "172.16.0.1",
        "192.0.0.8",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.1.1",
        "198.18.0.1",
        "224.0.0.1",
        "239.1.1.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::7f00:1",
        "::ffff:127.0.0.1",
        "::ffff:8.8.8.8",
        "64:ff9b::7f00:1",
        "64:ff9b::808:808",
        "64:ff9b:1::a00:1",
        "100::1",
        "2001::1",
        "2001:db8::1",
        "2002:7f00:1::",
        "3fff::1",
        "5f00::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fe80::1%eth0",
        "fec0::1",
        "ff02::1",
        "ff0e::1",
    ],
)
def test_addresses_that_are_no_host_of_the_public_internet(address: str) -> None:
    assert not public(ip_address(address))
    assert not ALLOWED.reaches(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "93.184.215.14", "2606:4700::1111"])
def test_public_addresses(address: str) -> None:
    assert public(ip_address(address))


@given(st.ip_addresses(v=4))
def test_no_ipv6_form_of_an_ipv4_address_gets_through(address: IPv4Address) -> None:
    number = int(address)
    disguises = [
        number,
        (0xFFFF << 32) | number,
        (0x64FF9B << 96) | number,
        (0x64FF9B0001 << 80) | number,
        (0x2002 << 112) | (number << 80),
    ]
    assert not any(public(IPv6Address(disguise)) for disguise in disguises)


@given(st.ip_addresses(network="10.0.0.0/8"))
def test_a_network_named_explicitly_may_be_reached(address: IPv4Address) -> None:
    allowed = Allowed(["https://a.example"], ["10.0.0.0/8", "fd00::/8"])
    assert allowed.reaches(str(address))
    assert allowed.reaches("fd00::1")
    assert not allowed.reaches("192.168.0.1")
    assert not allowed.reaches("not an address")


@pytest.mark.parametrize(
    "url",
    [
        "https://images.example.com/a.jpg?x=1#y",
        "https://IMAGES.example.com:443/",
        "https://a.films.example:8443/b",
        "https://a.b.films.example:8443/b",
        "http://[::1]/",
    ],
)
def test_allowed_urls(url: str) -> None:
    ALLOWED.check(parse(url, "it"))


@pytest.mark.parametrize(
    "url",
    [
        "http://images.example.com/",
        "https://images.example.com:444/",
        "https://images.example.com./",
        "https://a.images.example.com/",
        "https://images.example.com@evil.example/",
        "https://user@images.example.com/",
        "https://evil.example/images.example.com",
        "https://evilfilms.example:8443/",
        "https://films.example:8443/",
        "https://a.films.example/",
        "ftp://images.example.com/",
        "file://images.example.com/etc/passwd",
        "gopher://images.example.com/",
        "https://2130706433/",
    ],
)
def test_refused_urls(url: str) -> None:
    with pytest.raises(UrlRefusedError, match="EMOTIONS_URL_ALLOW"):
        ALLOWED.check(parse(url, "it"))


def test_nothing_is_fetched_unless_it_is_turned_on() -> None:
    with pytest.raises(UrlRefusedError, match="fetches no URLs"):
        Allowed([]).check(parse("https://images.example.com/", "it"))


@pytest.mark.parametrize(
    "text", ["", "x", "/a.jpg", "https://", "https://[::1", f"https://a/{'x' * 5000}", "data:,x"]
)
def test_malformed_urls_are_rejected(text: str) -> None:
    with pytest.raises(InvalidRequestError, match="it: give an absolute URL"):
        parse(text, "it")


@given(st.text())
def test_any_text_is_a_url_or_a_typed_error(text: str) -> None:
    with suppress(InvalidRequestError):
        assert isinstance(parse(text, "it"), httpx.URL)


@pytest.mark.parametrize(
    "entry",
    [
        "images.example.com",
        "https://",
        "https://*",
        "https://a.*.example",
        "https://a.example/x",
        "https://u@a.example",
        "ftp://a.example",
        "https://a.example:x",
    ],
)
def test_a_bad_entry_of_the_allow_list_is_named(entry: str) -> None:
    with pytest.raises(UrlSettingsError, match="EMOTIONS_URL_ALLOW"):
        Allowed([entry])


@pytest.mark.parametrize("entry", ["10.0.0.1/8", "local", "10.0.0.0/33"])
def test_a_bad_network_is_named(entry: str) -> None:
    with pytest.raises(UrlSettingsError, match="EMOTIONS_URL_NETWORKS"):
        Allowed(["https://a.example"], [entry])
