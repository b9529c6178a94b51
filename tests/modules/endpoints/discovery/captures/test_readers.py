"""One short capture of each format, with what its clients write."""

import gzip
import io
import json
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from backend.app.engine.spec.model import Operation
from backend.app.modules.endpoints.discovery.captures import source
from backend.app.modules.endpoints.discovery.captures.model import CaptureError, CaptureReport
from backend.app.modules.endpoints.discovery.captures.reading import format_of, read_capture
from tests.modules.endpoints.discovery.captures.build import keys, reasons


def operation(report: CaptureReport, key: str) -> Operation:
    return next(each.operation for each in report.captured if each.operation.key == key)


def names(report: CaptureReport, key: str) -> list[str]:
    return [each.name for each in operation(report, key).parameters]


POSTMAN = {
    "info": {"_postman_id": "1", "name": "Shop", "schema": "https://schema.getpostman.com/json/collection/v2.1.0/"},
    "auth": {"type": "bearer", "bearer": [{"key": "token", "value": "{{token}}"}]},
    "variable": [{"key": "version", "value": "v2"}, {"key": "base", "value": "https://shop.test/{{version}}"}],
    "item": [
        {
            "name": "Users",
            "item": [
                {
                    "name": "Get a user",
                    "request": {
                        "method": "GET",
                        "url": {
                            "raw": "{{base}}/users/:userId?expand={{what}}",
                            "host": ["{{base}}"],
                            "path": ["users", ":userId"],
                        },
                    },
                    "response": [
                        {
                            "code": 200,
                            "header": [{"key": "Content-Type", "value": "application/json"}],
                            "body": '{"id": 1}',
                        }
                    ],
                },
                {
                    "name": "Add a user",
                    "request": {
                        "method": "POST",
                        "auth": {"type": "noauth"},
                        "header": [{"key": "X-Trace", "value": "1"}, {"key": "X-Off", "value": "1", "disabled": True}],
                        "body": {
                            "mode": "raw",
                            "raw": '{"name": "{{name}}", "age": {{age}}}',
                            "options": {"raw": {"language": "json"}},
                        },
                        "url": "{{unknown}}/users",
                    },
                },
            ],
        },
        {"name": "Home", "request": "https://shop.test/"},
        {"name": "broken"},
    ],
}


def test_postman_collections_with_folders_variables_and_auth() -> None:
    report = read_capture(json.dumps(POSTMAN).encode())
    assert report.format == "postman"
    assert keys(report) == ["POST /users", "GET /", "GET /v2/users/{userId}"]
    user = operation(report, "GET /v2/users/{userId}")
    assert (user.summary, user.tags, user.security) == ("Get a user", ("Users",), (("bearer",),))
    assert names(report, user.key) == ["userId", "expand"]
    assert user.responses[0].status == "200"
    assert user.pointer == "/item/0/item/0"
    added = operation(report, "POST /users")
    assert added.security == ()
    assert added.body is not None
    assert added.body.content[0].schema == {
        "type": "object",
        "properties": {"age": {"type": "integer"}, "name": {"type": "string"}},
        "required": ["age", "name"],
    }
    assert names(report, added.key) == ["x-trace"]
    assert reasons(report) == {"no request": (1, "/item/2")}


INSOMNIA_4: dict[str, Any] = {
    "_type": "export",
    "__export_format": 4,
    "resources": [
        {"_id": "wrk", "_type": "workspace", "name": "Shop"},
        {"_id": "env", "_type": "environment", "data": {"host": "https://shop.test", "ids": {"user": "17"}}},
        {"_id": "fld", "_type": "request_group", "parentId": "wrk", "name": "Users"},
        {
            "_id": "req", "_type": "request", "parentId": "fld", "name": "Get", "method": "GET",
            "url": "{{ _.host }}/users/{{ _.ids.user }}", "parameters": [{"name": "full", "value": "true"}],
            "authentication": {"type": "basic", "username": "ann", "password": "x"},
        },
        {"_id": "soc", "_type": "websocket_request", "url": "wss://shop.test"},
    ],
}  # fmt: skip

INSOMNIA_5 = b"""\
type: collection.insomnia.rest/5.0
name: Shop
collection:
  - name: Users
    children:
      - name: Get
        method: GET
        url: "{{ _.host }}/users/{{ _.ids.user }}"
        parameters:
          - {name: full, value: "true"}
        authentication: {type: basic, username: ann, password: x}
  - name: empty
environments:
  name: Base
  data:
    host: https://shop.test
    ids: {user: 17}
"""


@pytest.mark.parametrize(
    ("content", "skipped"),
    [
        (json.dumps(INSOMNIA_4).encode(), {"not HTTP": (1, "/resources/4")}),
        (INSOMNIA_5, {"neither a folder nor a request": (1, "/collection/1")}),
    ],
)
def test_insomnia_exports_of_both_versions(content: bytes, skipped: dict[str, tuple[int, str]]) -> None:
    report = read_capture(content)
    assert report.format == "insomnia"
    assert keys(report) == ["GET /users/{user_id}"]
    found = report.captured[0].operation
    assert (report.captured[0].server, found.summary, found.tags) == ("https://shop.test", "Get", ("Users",))
    assert found.security == (("basic",),)
    assert names(report, found.key) == ["user_id", "full"]
    assert reasons(report) == skipped


BRUNO = {
    "bruno.json": '{"version": "1", "name": "Shop"}',
    "collection.bru": "auth {\n  mode: apikey\n}\n\nauth:apikey {\n  key: X-Key\n  value: {{key}}\n}\n",
    "environments/local.bru": "vars {\n  host: https://shop.test\n  key: q8Zk2LmX9vB4tR7w\n}\n",
    "users/add.bru": (
        "meta {\n  name: Add\n  type: http\n}\n\n"
        "post {\n  url: {{host}}/users/:group\n  body: json\n  auth: inherit\n}\n\n"
        'headers {\n  X-Trace: 1\n  ~X-Off: 1\n}\n\nbody:json {\n  {\n    "name": "{{name}}"\n  }\n}\n'
        "tests {\n  if (true) {\n    x\n  }\n}\n"
    ),
    "users/empty.bru": "meta {\n  name: Empty\n}\n",
}


def archive(files: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in files.items():
            file.writestr(name, content)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["folder", "archive"])
def test_bruno_collections_as_a_folder_and_as_an_archive(kind: str, tmp_path: Path) -> None:
    for name, content in BRUNO.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    report = read_capture(tmp_path if kind == "folder" else archive(BRUNO))
    assert report.format == "bruno"
    assert keys(report) == ["POST /users/{group}"]
    found = report.captured[0].operation
    assert (found.summary, found.tags, found.security) == ("Add", ("users",), (("x-key",),))
    assert (report.captured[0].server, found.pointer) == ("https://shop.test", "users/add.bru")
    assert names(report, found.key) == ["group", "x-trace"]
    assert found.body is not None
    assert found.body.content[0].schema == {
        "type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"],
    }  # fmt: skip
    assert reasons(report) == {"no request with a method and a URL": (1, "users/empty.bru")}


def test_a_folder_with_a_collection_below_is_no_capture(tmp_path: Path) -> None:
    (tmp_path / "requests").mkdir()
    (tmp_path / "requests" / "add.bru").write_text(BRUNO["users/add.bru"])
    (tmp_path / "main.py").write_text("print()")
    assert format_of(tmp_path) is None


def test_a_bruno_file_alone() -> None:
    assert keys(read_capture(BRUNO["users/add.bru"].encode())) == ["POST /users/{group}"]


def test_archives_lead_nowhere_outside_and_do_not_grow_beyond_the_limit() -> None:
    report = read_capture(archive({**BRUNO, "../../out.bru": BRUNO["users/add.bru"], "big.bru": "x" * (40 << 20)}))
    assert [each.places for each in report.captured] == [("users/add.bru",)]
    assert reasons(report)["a file that is too large or cannot be read"] == (1, "big.bru")


CURL = rb"""
# A comment, and a session as it was pasted.
$ curl https://api.test/users/17
curl -sSX DELETE 'https://api.test/users/18' -H 'Authorization: Bearer abcDEF123456ghiJKL' | jq .
curl --request POST "https://api.test/users" \
  --header "Content-Type: application/json" \
  --data-raw '{
    "name": "it'\''s",
    "age": 3
  }'
curl 'https://api.test/notes' --data-raw $'{"text":"don\'t"}' -H 'content-type: application/json' --compressed
curl -G https://api.test/search -d q=shoes --data-urlencode "in=a b"
curl -u ann:hunter2hunter2 "$HOST/orders/${ORDER_ID}?full=1"
curl -F file=@a.png -F title=x https://api.test/files
curl -I api.test/health
not a command
curl -H 'X: 1'
curl 'https://api.test/open
"""


def test_curl_lines_as_people_and_browsers_write_them() -> None:
    report = read_capture(CURL)
    assert report.format == "curl"
    assert set(keys(report)) == {
        "GET /users/{user_id}",
        "DELETE /users/{user_id}",
        "POST /users",
        "POST /notes",
        "GET /search",
        "GET /orders/{ORDER_ID}",
        "POST /files",
        "HEAD /health",
    }
    assert operation(report, "DELETE /users/{user_id}").security == (("bearer",),)
    assert operation(report, "GET /orders/{ORDER_ID}").security == (("basic",),)
    assert names(report, "GET /search") == ["in", "q"]
    for key, members in {
        "POST /users": ["age", "name"],
        "POST /notes": ["text"],
        "POST /files": ["file", "title"],
    }.items():
        body = operation(report, key).body
        assert body is not None
        schema = body.content[0].schema
        assert not isinstance(schema, bool)
        assert sorted(schema["properties"]) == members
    assert operation(report, "POST /users").pointer == "line 5"
    assert reasons(report) == {
        "no curl command": (1, "line 16"),
        "no URL": (1, "line 17"),
        "a quote that is not closed": (1, "line 18"),
    }


COMBINED = rb"""
203.0.113.7 - - [21/Nov/2026:10:00:00 +0000] "GET /users/17?page=2 HTTP/1.1" 200 512 "-" "Mozilla/5.0"
203.0.113.7 - ann [21/Nov/2026:10:00:01 +0000] "POST /users HTTP/2.0" 201 17 "https://a.test/" "curl/8"
203.0.113.7 - - [21/Nov/2026:10:00:02 +0000] "GET /wp-login.php HTTP/1.1" 404 0 "-" "-"
203.0.113.7 - - [21/Nov/2026:10:00:03 +0000] "\x16\x03\x01" 400 0 "-" "-"
203.0.113.7 - - [21/Nov/2026:10:00:04 +0000] "GET /users/18 HTTP/1.1" 200 512
cut off
"""


def test_access_logs_in_combined_format() -> None:
    report = read_capture(COMBINED)
    assert report.format == "access-log"
    assert keys(report) == ["POST /users", "GET /users/{user_id}"]
    assert report.captured[1].places == ("line 2", "line 6")
    assert reasons(report) == {
        "no request line of HTTP": (1, "line 5"),
        "no line of an access log": (1, "line 7"),
        "nothing was there: only 404, 405 or 501 came back": (1, "line 4"),
    }


@pytest.mark.parametrize(
    "record",
    [
        {"request_method": "GET", "request_uri": "/users/17?page=2", "status": "200", "host": "api.test"},
        {"RequestMethod": "GET", "RequestPath": "/users/17?page=2", "DownstreamStatus": 200, "RequestHost": "api.test"},
        {"request": {"method": "GET", "uri": "/users/17?page=2", "host": "api.test"}, "status": 200},
        {"method": "GET", "path": "/users/17", "query_string": "page=2", "status_code": 200, "host": "api.test"},
        {"request": "GET /users/17?page=2 HTTP/1.1", "status": 200},
    ],
    ids=["nginx", "traefik", "caddy", "application", "request line"],
)  # fmt: skip
def test_access_logs_in_json(record: dict[str, Any]) -> None:
    report = read_capture((json.dumps(record) + "\n").encode() * 3 + b'{"level": "info"}\n')
    assert report.format == "access-log"
    assert keys(report) == ["GET /users/{user_id}"]
    assert report.captured[0].server == ("http://api.test" if "api.test" in json.dumps(record) else "")
    assert names(report, "GET /users/{user_id}") == ["user_id", "page"]
    assert reasons(report) == {"no status": (1, "line 4")}


def test_the_format_is_told_by_the_content_and_not_by_the_name(tmp_path: Path) -> None:
    file = tmp_path / "traffic.har"
    file.write_bytes(CURL)
    assert format_of(file) == "curl"
    assert format_of(b"openapi: 3.1.0\npaths: {}\n") is None
    assert format_of(tmp_path / "nothing") is None


LOG = b'127.0.0.1 - - [10/Oct/2000:13:55:36 -0700] "GET /users/%d HTTP/1.0" 200 2326\n'


def test_what_was_compressed_is_read_as_what_it_was() -> None:
    log = b"".join(LOG % number for number in range(100))
    plain = read_capture(log)
    # Logs that were rotated are often put behind each other.
    assert read_capture(gzip.compress(log[: len(LOG) * 3]) + gzip.compress(log[len(LOG) * 3 :])) == plain
    assert read_capture(zipped({"deep/access.log": log})) == plain
    assert keys(plain) == ["GET /users/{user_id}"]


def test_a_zip_of_exported_postman_collections() -> None:
    broken = {"collection/2.json": b"{", "environment/1.json": b"{}"}
    report = read_capture(zipped({"archive.json": b"{}", "collection/1.json": json.dumps(POSTMAN).encode(), **broken}))
    assert report.format == "postman"
    assert "GET /v2/users/{userId}" in keys(report)
    assert report.captured[0].places[0].startswith("collection/1.json#/item/")
    assert any(where == "collection/2.json" for _, where in reasons(report).values())


@pytest.mark.parametrize("pack", [gzip.compress, lambda log: zipped({"access.log": log})])
def test_what_unpacks_to_far_more_than_it_was_is_refused(
    pack: Callable[[bytes], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "_HARMLESS", 1 << 17)
    with pytest.raises(CaptureError) as refusal:
        read_capture(pack((LOG % 1) * 30_000))
    assert refusal.value.code == "capture.too_compressed"


@pytest.mark.parametrize("damage", [lambda data: data[:-20], lambda data: data[:40] + b"xxxx" + data[44:]])
def test_damaged_compression_is_refused(damage: Callable[[bytes], bytes]) -> None:
    log = b"".join(LOG % (number * 7919) for number in range(5_000))
    with pytest.raises(CaptureError) as refusal:
        read_capture(damage(gzip.compress(log)))
    assert refusal.value.code in ("capture.bad_archive", "capture.unknown_format")


def zipped(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()
