import json
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from backend.app.extensions.http_client import AllowRule, OutgoingPolicy, RequestRefused
from backend.app.extensions.http_client.policy import parse_url
from tests.extensions.http_client.targets import EMBEDDED, PRODUCTION

DATA = Path(__file__).parents[2] / "data"
ALLOWED = json.loads((DATA / "ssrf-allowed.json").read_text())["urls"]
METADATA = [
    "169.254.169.254",
    "fd00:ec2::254",
    "fd00:ec2::23",
    "168.63.129.16",
    "100.100.100.200",
    "fd20:ce::254",
    "169.254.170.2",
]


def check(policy: OutgoingPolicy, url: str, *answers: str) -> None:
    origin = parse_url(url).origin
    policy.check_origin(origin)
    for address in [origin.address] if origin.address else map(ip_address, answers or ["93.184.215.14"]):
        policy.check_address(origin, address)


def refused(policy: OutgoingPolicy, url: str, *answers: str) -> str:
    with pytest.raises(RequestRefused) as caught:
        check(policy, url, *answers)
    return caught.value.code


@pytest.mark.parametrize("url", ALLOWED)
@pytest.mark.parametrize("policy", [PRODUCTION, EMBEDDED], ids=["production", "embedded"])
def test_ordinary_public_urls_are_allowed(policy: OutgoingPolicy, url: str) -> None:
    check(policy, url)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8000/",
        "http://127.0.0.1:6379/",
        "http://[::1]:8000/",
        "http://10.0.0.1/",
        "http://172.16.0.1:22/",
        "http://192.168.1.1/",
        "http://[fd12::1]/",
    ],
)
def test_embedded_mode_reaches_private_addresses_on_every_port(url: str) -> None:
    check(EMBEDDED, url)
    assert refused(PRODUCTION, url) in ("outgoing.address", "outgoing.port")


@pytest.mark.parametrize(
    "url", ["http://localhost:3000/", "http://api/", "http://printer.local/", "http://my_service/"]
)
def test_embedded_mode_reaches_local_names(url: str) -> None:
    check(EMBEDDED, url, "127.0.0.1", "::1")
    assert refused(PRODUCTION, url, "93.184.215.14") == "outgoing.local_name"


@pytest.mark.parametrize("address", [*METADATA, "0.0.0.0", "224.0.0.1", "255.255.255.255", "fe80::1", "ff02::1", "::"])  # noqa: S104
@pytest.mark.parametrize(
    "policy",
    [
        PRODUCTION,
        EMBEDDED,
        OutgoingPolicy(allow_private=False, allow=(AllowRule.parse("0.0.0.0/0"), AllowRule.parse("::/0"))),
    ],
    ids=["production", "embedded", "all allowed"],
)
def test_metadata_link_local_and_multicast_are_refused_in_every_mode(policy: OutgoingPolicy, address: str) -> None:
    literal = f"[{address}]" if ":" in address else address
    assert refused(policy, f"http://{literal}/") == "outgoing.address"
    assert refused(policy, "http://innocent.example/", address) == "outgoing.address"


@pytest.mark.parametrize(
    "address",
    [
        "::ffff:127.0.0.1",
        "::ffff:8.8.8.8",
        "::127.0.0.1",
        "2002:7f00:1::",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::1",
        "2606:4700::5efe:7f00:1",
        "::ffff:0:7f00:1",
    ],
)
@pytest.mark.parametrize("policy", [PRODUCTION, EMBEDDED], ids=["production", "embedded"])
def test_ipv6_that_hides_ipv4_is_refused(policy: OutgoingPolicy, address: str) -> None:
    assert refused(policy, f"http://[{address}]/") == "outgoing.address"


def test_an_ipv4_site_seen_through_nat64_is_allowed() -> None:
    check(PRODUCTION, "http://example.com/", "64:ff9b::5db8:d70e")


@pytest.mark.parametrize("spelling", ["127.1", "0x7f.0.0.1", "0177.0.0.1", "2130706433", "127.0.0.01", "0x7f000001"])
def test_odd_spellings_of_addresses_are_refused_in_embedded_mode_too(spelling: str) -> None:
    assert refused(EMBEDDED, f"http://{spelling}/") == "outgoing.host"


def test_an_allow_rule_opens_its_range_and_port_and_nothing_else() -> None:
    policy = OutgoingPolicy(False, (AllowRule.parse("10.1.0.0/16:8080"), AllowRule.parse("fd12::/16")))
    check(policy, "http://10.1.2.3:8080/")
    check(policy, "http://orders.internal:8080/", "10.1.2.3")
    check(policy, "http://[fd12::9]:5432/")
    assert refused(policy, "http://10.1.2.3/") == "outgoing.address"
    assert refused(policy, "http://10.2.0.1:8080/") == "outgoing.address"
    assert refused(policy, "http://example.com:22/") == "outgoing.port"
    assert refused(policy, "http://orders.internal:8080/", "93.184.215.14") == "outgoing.address"


def test_production_never_calls_itself_even_where_a_rule_allows_the_range() -> None:
    policy = OutgoingPolicy(False, (AllowRule.parse("10.0.0.0/8"),), own_addresses=(("10.0.0.7", 8000),))
    assert refused(policy, "http://10.0.0.7:8000/") == "outgoing.own_address"
    check(policy, "http://10.0.0.7:9000/")


def test_no_loopback_address_leads_around_the_rule_about_itself() -> None:
    policy = OutgoingPolicy(False, (AllowRule.parse("127.0.0.0/8"),), own_addresses=(("127.0.0.1", 8000),))
    assert refused(policy, "http://127.9.8.7:8000/") == "outgoing.own_address"
    check(policy, "http://127.9.8.7:9000/")


@pytest.mark.parametrize("text", ["10.0.0.0", "10.0.0.0/8", "10.1.2.3/32:65535", "10.1.2.3:80", "fd00::/8:81"])
def test_allow_rules_are_read(text: str) -> None:
    assert AllowRule.parse(text).network.num_addresses >= 1


@pytest.mark.parametrize("text", ["", "10.0.0.0/33", "10.0.0.1/8", "10.0.0.0/8:0", "10.0.0.0/8:65536", "api.local"])
def test_unreadable_allow_rules_are_errors(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        AllowRule.parse(text)


@pytest.mark.parametrize(
    "url",
    [
        "http://user:hunter2@example.com/",
        "http://example.com:80@hunter2.example/",
        "ftp://hunter2@example.com",
        "hunter2",
        "http://exa mple.com/hunter2",
        "http://example.com/\nhunter2",
        "http://bücher.example/hunter2",
        "https:///hunter2",
    ],
)
def test_a_refusal_does_not_repeat_the_url(url: str) -> None:
    with pytest.raises(RequestRefused) as caught:
        parse_url(url)
    assert "hunter2" not in caught.value.message


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("http://example.com", "/"),
        ("http://example.com?x=1#y", "/?x=1"),
        ("http://example.com/a/../b//c;d=%2F{id}?q=[1]&\\", "/a/../b//c;d=%2F{id}?q=[1]&\\"),
        ("http://example.com/ü?é#ö", "/ü?é"),
    ],
)
def test_path_and_query_are_kept_as_given(url: str, path: str) -> None:
    assert parse_url(url).path == path


PIECES = st.sampled_from(
    [
        "http",
        "https",
        "HTTP",
        ":",
        "/",
        "//",
        "\\",
        "@",
        "#",
        "?",
        "[",
        "]",
        "%",
        "%00",
        ".",
        "-",
        "_",
        "+",
        "\t",
        "\r\n",
        "\x00",
        " ",
        "0",
        "0x7f",
        "127",
        "127.0.0.1",
        "::1",
        "80",
        ":80",
        ":0",
        "８０",
        "。",
        "①",
        "example",
        "com",
        "é",
        "x",
    ]
)
URLS = st.one_of(
    st.text(),
    st.lists(PIECES, max_size=12).map("".join),
    st.lists(PIECES, max_size=10).map(lambda pieces: "http://" + "".join(pieces)),
    st.builds("http://{}{}{}".format, st.from_regex(r"[a-z0-9.-]{1,20}"), st.just(""), st.lists(PIECES).map("".join)),
)


@given(URLS)
@example("http://example.com:+80/")
@example("http://example.com:８０/")
@example("http://127.0.0.1#@example.com/")
def test_an_accepted_url_means_the_same_host_and_port_to_another_parser(url: str) -> None:
    try:
        target = parse_url(url)
    except RequestRefused:
        return
    other = urlsplit(url)
    assert other.username is None
    assert other.password is None
    assert other.hostname is not None
    assert other.scheme == target.origin.scheme
    assert (other.port or {"http": 80, "https": 443}[other.scheme]) == target.origin.port
    if target.origin.address is not None:
        assert ip_address(other.hostname) == target.origin.address
    else:
        assert other.hostname.removesuffix(".") == target.origin.host
    assert target.path.startswith("/")
    assert not set(target.path + target.authority) & set("\r\n\0\t #")
