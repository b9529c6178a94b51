import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.app.engine.http import Exchange, Headers, Outcome, Request
from backend.app.extensions.http_client import HttpClient, RequestRefused
from backend.app.extensions.http_client.policy import parse_url
from tests.extensions.http_client.targets import EMBEDDED, QUICK, RawTarget, Visit, answering, ok, raw_target, redirect

CREDENTIALS: Headers = (
    ("Authorization", "Bearer s3cret"),
    ("cookie", "session=s3cret"),
    ("X-API-KEY", "s3cret"),
    ("X-Token", "s3cret"),
    ("Proxy-Authorization", "Basic s3cret"),
)


async def follow(target: RawTarget, request: Request) -> Exchange:
    async with HttpClient(EMBEDDED, limits=QUICK) as client:
        return await client.send(request, follow_redirects=True)


async def test_credentials_do_not_follow_to_another_origin() -> None:
    async with raw_target(answering(ok())) as other, raw_target(answering(redirect(f"{other.url}/x"))) as first:
        exchange = await follow(first, Request("GET", first.url, (*CREDENTIALS, ("Host", "first"), ("Accept", "a/b"))))
    assert exchange.outcome is Outcome.ANSWERED
    assert b"s3cret" in first.requests[0]
    [seen] = other.requests
    assert b"s3cret" not in seen
    assert b"Accept: a/b\r\n" in seen
    assert f"Host: 127.0.0.1:{other.port}\r\n".encode() in seen
    assert exchange.redirects == (f"{other.url}/x",)


@pytest.mark.parametrize(("method", "status"), [("POST", 307), ("POST", 308), ("PUT", 302)])
async def test_a_body_does_not_follow_to_another_origin(method: str, status: int) -> None:
    script = answering(ok())
    async with raw_target(script) as other, raw_target(answering(redirect(f"{other.url}/x", status))) as first:
        exchange = await follow(first, Request(method, first.url, body=b"password=s3cret"))
    assert exchange.outcome is Outcome.REFUSED
    assert other.connections == 0


@pytest.mark.parametrize(
    "location", ["file:///etc/passwd", "gopher://127.0.0.1/", "javascript:alert(1)", "ftp://x/", "data:,"]
)
async def test_a_redirect_to_another_scheme_is_refused(location: str) -> None:
    async with raw_target(answering(redirect(location))) as target:
        exchange = await follow(target, Request("GET", target.url))
    assert exchange.outcome is Outcome.REFUSED


async def test_credentials_stay_on_the_same_origin() -> None:
    async with raw_target(answering(redirect("/next?a=b"), ok())) as target:
        exchange = await follow(target, Request("GET", target.url, CREDENTIALS))
    assert exchange.outcome is Outcome.ANSWERED
    assert target.requests[1].startswith(b"GET /next?a=b HTTP/1.1\r\n")
    assert target.requests[1].count(b"s3cret") == 5


@pytest.mark.parametrize(
    ("status", "method", "becomes"),
    [
        (301, "POST", "GET"),
        (302, "POST", "GET"),
        (302, "PUT", "PUT"),
        (303, "PUT", "GET"),
        (303, "DELETE", "GET"),
        (303, "HEAD", "HEAD"),
        (307, "POST", "POST"),
        (308, "PATCH", "PATCH"),
    ],
)
async def test_the_method_after_a_redirect(status: int, method: str, becomes: str) -> None:
    first_answer = redirect("/next", status)
    async with raw_target(answering(first_answer, ok(b""))) as target:
        headers = (("Content-Type", "text/plain"),)
        await follow(target, Request(method, f"{target.url}/first", headers, b"body"))
    seen = target.requests[1]
    assert seen.startswith(f"{becomes} /next HTTP/1.1\r\n".encode())
    assert seen.endswith(b"body") is (becomes == method)
    assert (b"Content-Type" in seen) is (becomes == method)


@pytest.mark.parametrize(
    ("location", "path"),
    [
        ("/next", b"/next"),
        ("next", b"/a/next"),
        ("../up", b"/up"),
        ("?q=1", b"/a/b?q=1"),
        ("//127.0.0.1:{port}/x", b"/x"),
        ("/with space/\u00fc", b"/with%20space/%C3%BC"),
        ("/a%2Fb#part", b"/a%2Fb"),
    ],
)
async def test_locations_are_resolved(location: str, path: bytes) -> None:
    async def relocating(visit: Visit) -> None:
        await visit.request()
        await visit.write(redirect(location.format(port=visit.target.port)))
        await visit.request()
        await visit.write(ok())

    async with raw_target(relocating) as target:
        exchange = await follow(target, Request("GET", f"{target.url}/a/b"))
    assert exchange.outcome is Outcome.ANSWERED
    assert target.requests[1].split(b" ")[1] == path


async def test_a_redirect_is_an_answer_when_it_is_not_followed() -> None:
    async with raw_target(answering(redirect("http://169.254.169.254/"))) as target, HttpClient(EMBEDDED) as client:
        exchange = await client.send(Request("GET", target.url))
    assert exchange.outcome is Outcome.ANSWERED
    assert exchange.answer is not None
    assert exchange.answer.header("location") == "http://169.254.169.254/"


async def test_a_redirect_without_a_location_is_an_answer() -> None:
    async with raw_target(answering(b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n")) as target:
        exchange = await follow(target, Request("GET", target.url))
    assert exchange.outcome is Outcome.ANSWERED


async def test_a_refused_hop_is_an_outcome_that_repeats_no_secret() -> None:
    async with raw_target(answering(redirect("http://user:s3cret@127.0.0.1/?token=s3cret"))) as target:
        exchange = await follow(target, Request("GET", target.url))
    assert exchange.outcome is Outcome.REFUSED
    assert "s3cret" not in exchange.error


@given(
    st.binary(max_size=30)
    | st.sampled_from([b"//[", b"//[::1", b"http://[v1.x]/", b"//\xff", b"/\\x", b":", b"http:x"])
)
def test_every_location_is_a_url_that_the_guard_reads_or_is_refused(location: bytes) -> None:
    request = Request("GET", "http://api.example/a/b?c", CREDENTIALS)
    target = parse_url(request.url)
    try:
        following = HttpClient(EMBEDDED)._redirected(request, target, 302, location.decode("latin-1"))
    except RequestRefused:
        return
    if parse_url(following.url).origin != target.origin:
        assert following.headers == ()
