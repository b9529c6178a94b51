"""Where a request comes from, and what a client cannot make us believe."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.app.core.client_address import UNKNOWN, forwarded_address, site_of

PROXIES = ("10.0.0.0/8", "fd00::/8")


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("203.0.113.7", "", "203.0.113.7"),
        ("203.0.113.7", "198.51.100.1", "203.0.113.7"),
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "1.1.1.1, 198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "1.1.1.1, 198.51.100.1, 10.0.0.2", "198.51.100.1"),
        ("10.0.0.1", "10.0.0.3,10.0.0.2", "10.0.0.3"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.1, unknown", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.1:4711", "198.51.100.1"),
        ("::ffff:10.0.0.1", "[2001:DB8::1]:443", "2001:db8::1"),
        ("fd00::1%eth0", "198.51.100.1", "198.51.100.1"),
        ("", "198.51.100.1", UNKNOWN),
        ("testclient", "", UNKNOWN),
    ],
)
def test_the_address_is_the_last_hop_that_no_proxy_of_ours_has(peer: str, forwarded: str, expected: str) -> None:
    assert forwarded_address(peer, forwarded, PROXIES) == expected


@given(st.text(), st.ip_addresses())
def test_a_header_of_a_stranger_changes_nothing(forwarded: str, peer: object) -> None:
    assert forwarded_address(str(peer), forwarded, ()) == forwarded_address(str(peer), "", ())


@given(st.text())
def test_what_a_client_writes_before_our_proxy_is_not_believed(forged: str) -> None:
    assert forwarded_address("10.0.0.1", f"{forged},198.51.100.1", PROXIES) == "198.51.100.1"


def test_a_client_is_counted_by_all_the_addresses_it_may_take() -> None:
    assert site_of("2001:db8::1") == site_of("2001:db8::ffff:1") != site_of("2001:db8:0:1::1")
    assert site_of("203.0.113.7") == "203.0.113.7" != site_of("203.0.113.8")
    assert site_of(UNKNOWN) == UNKNOWN
