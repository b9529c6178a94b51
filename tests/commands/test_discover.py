"""`touchstone discover` as a person runs it."""

import json
import shutil
from pathlib import Path

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from backend.app.commands.discover import DiscoverOptions, run_discover
from backend.app.engine.spec.normalise import describe
from backend.app.engine.spec.parse import parse_document
from backend.app.extensions.server import background_server
from backend.app.modules.labs.recipes import recipes
from tests.support.commands import touchstone
from tests.support.graphql import introspection

CODE = """
from fastapi import APIRouter, Depends, FastAPI
from fastapi.security import HTTPBearer
app = FastAPI()
router = APIRouter(prefix="/users")
@router.get("/{user_id}", dependencies=[Depends(HTTPBearer())])
def read(user_id: int): ...
app.include_router(router, prefix="/api")
lost = APIRouter()
@lost.get("/lost", deprecated=True)
def nowhere(): ...
"""
SPEC = {
    "openapi": "3.1.0",
    "info": {"title": "t", "version": "1"},
    "servers": [{"url": "https://example.com/api/"}],
    "paths": {
        "/users/{id}": {
            "parameters": [{"name": "id", "in": "path", "required": True, "schema": {"type": "integer"}}],
            "get": {"responses": {}},
            "delete": {"responses": {}, "security": []},
        }
    },
}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    code = tmp_path / "code"
    (code / "tests").mkdir(parents=True)
    (code / "main.py").write_text(CODE)
    (code / "broken.py").write_text("from fastapi import FastAPI\napp = FastAPI()\ndef f(:\n")
    (code / "tests" / "test_main.py").write_text(CODE)
    (tmp_path / "spec.json").write_text(json.dumps(SPEC))
    return tmp_path


def test_a_table_for_people(tree: Path) -> None:
    done = touchstone("discover", "code", folder=tree)
    assert done.returncode == 0, done.stderr
    heading, *rows = done.stdout.splitlines()
    assert heading.split() == ["METHOD", "PATH", "STATE", "AUTH", "SOURCES", "MARKS"]
    assert rows[0].split() == ["GET", "/api/users/{user_id}", "undocumented", "yes", "code/main.py:6"]
    assert "deprecated; not known: where its router is mounted" in rows[1]
    assert "2 endpoints; 1 of them marked" in done.stderr
    assert "code/broken.py:3" in done.stderr
    assert "1 tests" in done.stderr


def test_code_and_spec_are_merged(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = str(tree / "code")
    assert run_discover(DiscoverOptions((code, str(tree / "spec.json")), "json", workers=0)) == 0
    found = json.loads(capsys.readouterr().out)
    users, deleted = (endpoint for endpoint in found["endpoints"] if "users" in endpoint["path"])
    users, deleted = (users, deleted) if users["method"] == "GET" else (deleted, users)
    assert [source["places"] for source in users["sources"]] == [
        [f"{tree}/spec.json#/paths/~1users~1{{id}}/get"],
        [f"{code}/main.py:6"],
    ]
    assert [source["source"] for source in users["sources"]] == ["openapi-3.1", "fastapi"]
    assert [endpoint["state"] for endpoint in found["endpoints"]] == ["active", "active", "undocumented"]
    assert users["requires_auth"] is True
    assert deleted["path"] == "/api/users/{id}"
    assert [fault["where"] for fault in found["faults"]] == [f"{code}/broken.py:3", code]


def test_the_openapi_document_can_be_read_again(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tree / "code" / "urls.py").write_text(
        "from django.urls import path, re_path\n"
        'urlpatterns = [path("any/<int:pk>", print), re_path(r"^(a|b)/(c|d)$", print)]\n'
        'ROOT_URLCONF = "urls"\n'
    )
    assert run_discover(DiscoverOptions((str(tree / "code"), str(tree / "spec.json")), "openapi", workers=0)) == 0
    document = capsys.readouterr().out
    description = describe(parse_document(document.encode()))
    assert description.faults == ()
    assert {operation.key for operation in description.operations} == {
        "GET /api/users/{id}",
        "DELETE /api/users/{id}",
        "GET /lost",
        "GET /any/{pk}",
        "GET /{var}/{var_2}",
    }
    assert json.loads(document)["paths"]["/any/{pk}"]["get"]["x-touchstone-any-method"] is True


@pytest.mark.parametrize(
    ("source", "code", "message"),
    [
        ("nowhere", 2, "nowhere"),
        ("ftp://example.com/spec", 2, "http://"),
        ("code/main.py", 2, ""),
        ("", 2, "name a file"),
        ("http://127.0.0.1:1/openapi.json", 3, ""),
    ],
)
def test_what_cannot_be_read_is_refused(tree: Path, source: str, code: int, message: str) -> None:
    done = touchstone("discover", source, folder=tree)
    assert done.returncode == code
    assert done.stdout == ""
    assert message in done.stderr


def test_an_archive_of_source_code_is_read_as_its_folder(tree: Path) -> None:
    shutil.make_archive(str(tree / "code"), "gztar", tree / "code")
    folder, archive = (touchstone("discover", name, "-o", "json", folder=tree) for name in ("code", "code.tar.gz"))
    assert archive.returncode == 0, archive.stderr
    assert json.loads(archive.stdout)["endpoints"][0]["sources"][0]["places"] == ["code.tar.gz#main.py:6"]
    found = [[each["path"] for each in json.loads(done.stdout)["endpoints"]] for done in (folder, archive)]
    assert found[0] == found[1]


def test_what_is_left_out_of_an_archive_is_told(tree: Path) -> None:
    (tree / "code" / "other.py").symlink_to("main.py")
    shutil.make_archive(str(tree / "code"), "gztar", tree / "code")
    done = touchstone("discover", "code.tar.gz", folder=tree)
    assert "left out of the archive, 1 times: a link" in done.stderr


def test_the_cache_changes_nothing(tree: Path) -> None:
    first = touchstone("discover", "code", "--cache", "facts", folder=tree)
    assert (tree / "facts").stat().st_size > 0
    again = touchstone("discover", "code", "--cache", "facts", folder=tree)
    assert (again.stdout, again.stderr) == (first.stdout, first.stderr)


def test_a_running_api_shows_what_is_dead_and_what_nobody_documented(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lab = recipes.get("bookshop").create(1, True)
    with background_server(lab) as url:
        assert run_discover(DiscoverOptions((url,), "json", live=True)) == 0
        found = json.loads(capsys.readouterr().out)
        spec = httpx2.get(f"{url}/openapi.json").json()
        spec["paths"]["/planted"] = {"get": {"responses": {}}}
        (tmp_path / "spec.json").write_text(json.dumps(spec))
        planted = DiscoverOptions((str(tmp_path / "spec.json"),), "json", base_url=url, live=True)
        assert run_discover(planted) == 0
        differing = json.loads(capsys.readouterr().out)
    states = {f"{each['method']} {each['path']}": each["state"] for each in found["endpoints"]}
    assert len(states) == 14
    assert set(states.values()) == {"active"}
    states = {f"{each['method']} {each['path']}": each["state"] for each in differing["endpoints"]}
    assert (states["GET /books"], states["GET /planted"]) == ("active", "dead")
    assert states["GET /openapi.json"] == "shadow"


def test_an_api_without_a_description_has_answers_all_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    async def health(request: Request) -> JSONResponse:
        return JSONResponse({"status": "ok"})

    with background_server(Starlette(routes=[Route("/health", health)])) as url:
        assert run_discover(DiscoverOptions((url,), "json", live=True)) == 0
    found = json.loads(capsys.readouterr().out)
    assert [(each["method"], each["path"], each["state"]) for each in found["endpoints"]] == [
        ("GET", "/health", "active")
    ]
    assert any("usual places" in fault["message"] for fault in found["faults"])


@pytest.mark.parametrize(("place", "methods"), [("", ["GET"]), ("/graphql", ["POST"])], ids=["base", "named"])
def test_a_graphql_server_tells_its_operations(
    place: str, methods: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """By GET where it has to be looked for, by POST too where a person names it."""

    async def answer(request: Request) -> JSONResponse:
        return JSONResponse(introspection({"type Query": {"hello": "String"}}))

    routes = [Route("/graphql", answer, methods=methods)]
    with background_server(Starlette(routes=routes)) as url:
        assert run_discover(DiscoverOptions((f"{url}{place}",), "json")) == 0
    found = json.loads(capsys.readouterr().out)
    assert [each["path"] for each in found["endpoints"]] == ["/graphql#query.hello"]


def test_a_graphql_server_that_is_to_be_named_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    async def answer(request: Request) -> JSONResponse:
        return JSONResponse({"errors": [{"message": "GraphQL queries go by POST"}]}, 405)

    with background_server(Starlette(routes=[Route("/graphql", answer)])) as url, pytest.raises(SystemExit) as ended:
        run_discover(DiscoverOptions((url,)))
    assert ended.value.code == 2
    assert "takes no queries by GET: name it" in capsys.readouterr().err


def test_a_fault_of_many_places_is_told_once(tree: Path) -> None:
    paths = "".join(f"  /{name}: {{get: {{responses: {{'200': {{$ref: 'gone.yaml#/{name}'}}}}}}}}\n" for name in "abc")
    (tree / "spec.yaml").write_text(f"openapi: 3.1.0\ninfo: {{title: t, version: '1'}}\npaths:\n{paths}")
    done = touchstone("discover", "spec.yaml", folder=tree)
    told = [line for line in done.stderr.splitlines() if "gone.yaml" in line]
    assert len(told) == 1
    assert "spec.yaml#/paths/~1a/get/responses/200 and 2 other places: external reference to 'gone.yaml'" in told[0]


def test_what_two_specs_call_the_same_stays_apart(tmp_path: Path) -> None:
    for name, kind in (("public", "string"), ("admin", "integer")):
        content = {"application/json": {"schema": {"$ref": "#/components/schemas/User"}}}
        spec = {
            "openapi": "3.1.0",
            "info": {"title": name, "version": "1"},
            "servers": [{"url": f"https://api.test/{name}"}],
            "paths": {
                "/users": {
                    "get": {"operationId": "list", "responses": {"200": {"description": "", "content": content}}}
                }
            },
            "components": {"schemas": {"User": {"type": kind}}},
        }
        (tmp_path / f"{name}.json").write_text(json.dumps(spec))
    done = touchstone("discover", "public.json", "admin.json", "-o", "openapi", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    read = describe(parse_document(done.stdout.encode()))
    assert read.faults == ()
    found = {each.path: each.responses[0].content[0].schema for each in read.operations}
    assert found.keys() == {"/public/users", "/admin/users"}
    kinds = {path: read.definitions[schema["$ref"].removeprefix("#/$defs/")] for path, schema in found.items()}  # type: ignore[index]
    assert kinds == {"/public/users": {"type": "string"}, "/admin/users": {"type": "integer"}}
