"""The guard as a whole: what is dialled, for every hostile URL, redirect and name."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.app.engine.http import Outcome, Request
from backend.app.extensions.http_client import HttpClient, OutgoingPolicy, RequestRefused
from backend.app.extensions.http_client.policy import parse_url
from backend.app.extensions.http_client.resolver import Guard, own_addresses
from tests.extensions.http_client.targets import (
    EMBEDDED,
    PRODUCTION,
    QUICK,
    Dials,
    Names,
    Visit,
    ok,
    raw_target,
    redirect,
)

PUBLIC = "93.184.215.14"
PAYLOADS = json.loads((Path(__file__).parents[2] / "data" / "ssrf.json").read_text())["payloads"]


class StandIn:
    """The internet: `allowed.example` redirects to `redirect_to`, every other host answers 200."""

    def __init__(self) -> None:
        self.redirect_to: str | None = None

    async def __call__(self, visit: Visit) -> None:
        while True:
            head = await visit.request()
            if self.redirect_to is not None and b"Host: allowed.example\r\n" in head:
                await visit.write(redirect(self.redirect_to))
            else:
                await visit.write(ok())


@pytest.fixture
def internet() -> StandIn:
    return StandIn()


@pytest.fixture
async def dials(internet: StandIn) -> AsyncIterator[Dials]:
    async with raw_target(internet) as target:
        dials = Dials(target)
        dials.install(asyncio.get_running_loop())
        yield dials


def case_id(case: dict[str, Any]) -> str:
    return str(case["id"])


@pytest.mark.parametrize("case", PAYLOADS, ids=case_id)
async def test_hostile_urls_reach_no_address_that_was_not_checked(
    case: dict[str, Any], internet: StandIn, dials: Dials
) -> None:
    names = Names()
    names.set("rb1.test-dns.example", [PUBLIC], ["127.0.0.1"])
    host = case["url"].partition("//")[2].partition("/")[0]
    if "dns" in case:
        names.set(host, case["dns"])
    if "dns_sequence" in case:
        names.set(host, *case["dns_sequence"])
    internet.redirect_to = case.get("redirect_to")
    async with HttpClient(PRODUCTION, limits=QUICK, resolver=names) as client:
        exchange = await client.send(Request("GET", case["url"]), follow_redirects=True)
        again = await client.send(Request("GET", case["url"]), follow_redirects=True)
    if case["expect"] == "refuse":
        assert exchange.outcome in (Outcome.REFUSED, Outcome.DNS_FAILED)
        assert exchange.error
        hops_allowed = 1 if "redirect_to" in case else 0
        assert len(dials.made) <= hops_allowed
    else:
        assert case["expect"] == "pin"
        assert exchange.outcome is again.outcome is Outcome.ANSWERED
    assert {address for address, _ in dials.made} <= {PUBLIC}


async def test_the_checked_address_is_dialled_while_host_and_sni_stay_the_name(dials: Dials) -> None:
    names = Names()
    names.set("api.example", [PUBLIC])
    async with HttpClient(PRODUCTION, resolver=names) as client:
        await client.send(Request("GET", "https://API.example:8443/x"))
    assert dials.made == [(PUBLIC, 8443)]
    assert dials.server_names == ["api.example"]
    assert b"Host: API.example:8443\r\n" in dials.target.requests[0]


async def test_one_bad_address_among_the_answers_refuses_the_name(dials: Dials) -> None:
    names = Names()
    names.set("mixed.example", [PUBLIC, "10.0.0.1"])
    async with HttpClient(PRODUCTION, resolver=names) as client:
        exchange = await client.send(Request("GET", "http://mixed.example/"))
    assert exchange.outcome is Outcome.REFUSED
    assert dials.made == []


async def test_a_name_is_looked_up_once_for_many_requests_at_the_same_time(dials: Dials) -> None:
    names = Names()
    async with HttpClient(PRODUCTION, resolver=names) as client:
        exchanges = await asyncio.gather(*(client.send(Request("GET", "http://api.example/")) for _ in range(20)))
    assert {exchange.outcome for exchange in exchanges} == {Outcome.ANSWERED}
    assert names.asked == ["api.example"]


@pytest.mark.parametrize("fault", [OSError("no such name"), UnicodeError("label too long"), TimeoutError()])
async def test_a_name_that_cannot_be_looked_up_is_an_outcome(fault: Exception) -> None:
    async def broken(name: str) -> Sequence[str]:
        raise fault

    async with HttpClient(PRODUCTION, resolver=broken) as client:
        exchange = await client.send(Request("GET", "http://api.example/"))
    assert exchange.outcome is Outcome.DNS_FAILED
    assert "api.example" in exchange.error


async def test_a_resolver_that_hangs_ends_at_its_own_limit() -> None:
    async def hanging(name: str) -> Sequence[str]:
        await asyncio.Event().wait()
        return []

    async with HttpClient(PRODUCTION, limits=QUICK, resolver=hanging) as client:
        exchange = await client.send(Request("GET", "http://api.example/"), deadline_s=5)
    assert exchange.outcome is Outcome.DNS_FAILED
    assert 150 < exchange.timing.total_ms < 1000


def test_a_wildcard_listener_is_known_under_its_real_addresses() -> None:
    assert own_addresses("127.0.0.1", 8000) == (("127.0.0.1", 8000),)
    assert own_addresses("0:0:0:0:0:0:0:1", 8000) == (("::1", 8000),)
    for everywhere in ("0.0.0.0", "::", "", "localhost", "touchstone.internal"):  # noqa: S104
        found = own_addresses(everywhere, 8000)
        assert ("127.0.0.1", 8000) in found
        assert {port for _, port in found} == {8000}


ADDRESSES = st.one_of(st.ip_addresses(), st.ip_addresses(network="127.0.0.0/8"), st.ip_addresses(network="10.0.0.0/8"))


@settings(max_examples=200)
@given(answers=st.lists(ADDRESSES.map(str), max_size=4), policy=st.sampled_from([PRODUCTION, EMBEDDED]))
def test_the_guard_returns_only_addresses_that_pass_the_policy(answers: list[str], policy: OutgoingPolicy) -> None:
    origin = parse_url("http://api.example/").origin

    async def resolve(name: str) -> Sequence[str]:
        return answers

    async def ask() -> tuple[str, ...]:
        guard = Guard(policy, QUICK, resolve)
        try:
            return await guard.addresses(origin)
        except Exception:
            return ()
        finally:
            await guard.aclose()

    returned = asyncio.run(ask())
    fine = True
    for text in answers:
        try:
            policy.check_address(origin, ip_address(text))
        except RequestRefused:
            fine = False
    assert returned == (tuple(str(ip_address(text)) for text in answers) if fine else ())
