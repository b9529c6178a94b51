import importlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.app.modules.endpoints.discovery.source.languages.python.bodies import without_bodies
from tests.modules.endpoints.discovery.source.trees import paths

# The package has a function of the same name.
extraction = importlib.import_module("backend.app.modules.endpoints.discovery.source.languages.python.extract")

LONG = "".join(f"    total = compute(total, {n}) or {{'a': [total, {n}]}}\n" for n in range(60))
PIECES = st.sampled_from(
    [
        *[
            "import os\n",
            "x = 1\n",
            "class A:\n",
            "\n",
            "# a comment\n",
            "    pass\n",
            "@app.get('/x')\n",
            "\f\n",
            ")\n",
        ],
        *[
            "def f(a, b=(1, 2), c=')'):\n",
            "def g(\n    a: int = 1,  # )\n) -> dict[str, int]:\n",
            "def __init__(self):\n",
        ],
        *[
            "    def h(self):\n",
            "    async def i(self) -> None:\n",
            "        def j(): return 1\n",
            "def k() -> A[\n  B]:\n",
        ],
        *[LONG, LONG.replace("    total", "        total"), LONG[:550], "    # last\n", "    app.include_router(x)\n"],
        *[
            '    """Of `f`."""\n',
            '    text = """\nselect 1\n"""\n',
            "    y = 1 + \\\n2\n",
            "    z = [\n1,\n]\n",
            'é = \'"""\'\n',
        ],
        *[
            "\tdef t():\n\t\treturn 1\n",
            "x = '''\n",
            "    if x:\n",
            "    @decorated\n",
            "    '''One.\n    '''\n",
            "\r\n",
            "(\n",
        ],
    ]
)


@given(st.lists(PIECES, max_size=14).map("".join))
def test_the_facts_are_those_of_the_whole_text(text: str) -> None:
    source = text.encode()
    blanked, _ = without_bodies(source)
    assert len(blanked) == len(source)
    assert blanked.count(b"\n") == source.count(b"\n")
    facts = extraction.extract(source, ".py")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(extraction, "without_bodies", lambda text: (text, frozenset()))
        whole = extraction.extract(source, ".py")
    if "faults" not in whole:
        assert facts == whole


def test_long_bodies_are_not_parsed_unless_they_build_routes() -> None:
    source = (
        f"def plain(a):\n{LONG}\n\ndef build(app):\n{LONG}    app.include_router(a)\n\nclass A:\n    x = 1\n".encode()
    )
    blanked, names = without_bodies(source)
    assert [source[at : at + 5] for at in names] == [b"plain"]
    assert blanked.count(b"compute") == 60
    assert blanked.endswith(source[-200:])


def test_a_body_that_cannot_be_told_from_what_follows_is_left() -> None:
    source = b'def f():\n    text = """\nselect\n' + LONG.encode() + b'"""\n    return text\nx = 1\n'
    facts = extraction.extract(source, ".py")
    assert [statement[0] for statement in facts["body"]] == ["def", "set"]
    assert "faults" not in facts


CONSTANTS = st.sampled_from(
    [
        "A = 'a'",
        "B = A + 'b'",
        "C = f'{A}{B}'",
        "A += 'c'",
        "B = 'd'",
        "if A == 'a':\n    B = 'e'\nelse:\n    C = 'f'",
        "for each in ('g', 'h'):\n    C = C + each",
        "try:\n    D = B + C\nexcept ImportError:\n    D = 'i'",
        "E = [A, B]",
        "E.append(C)",
        "E[0] = 'j'",
        "D = ''.join(E)",
        "class K:\n    value = A\n    other = value + B",
        "class L(K):\n    other = K.value",
        "C = K.other",
        "D = L.value + L.other",
        "A, D = B, 'k'",
        "def give(more=A):\n    return more + 'm'",
        "D = give()",
        "B = give('n')",
        "K.value = 'o'",
    ]
)


@given(
    st.lists(CONSTANTS, max_size=20),
    st.sampled_from(["A", "B", "C", "D", "K.other", "L.value", "give()", "give('w')"]),
    st.booleans(),
)
def test_what_a_module_defines_is_what_python_makes_of_it(statements: list[str], asked: str, apart: bool) -> None:
    known: dict[str, object] = {}
    kept = []
    for statement in statements:
        try:
            exec(statement, known)  # noqa: S102
        except (NameError, AttributeError, TypeError):
            continue
        kept.append(statement)
    known = {}
    exec("\n".join(kept), known)  # noqa: S102
    try:
        value = eval(asked, known)  # noqa: S307
    except (NameError, AttributeError, TypeError):
        return
    constants = "\n".join(kept)
    main = "from fastapi import FastAPI\napp = FastAPI()\n"
    if apart:
        files = {
            "main.py": f"{main}import constants\nvalue = constants.{asked}\n@app.get('/' + value)\ndef f(): ...\n",
            "constants.py": constants,
        }
    else:
        files = {"main.py": f"{main}{constants}\n@app.get('/' + {asked})\ndef f(): ...\n"}
    assert paths(files) == {f"GET /{value}"}


def test_a_function_that_gets_a_request_is_not_taken_for_one_that_builds_an_application() -> None:
    main = "from flask import Flask\napp = Flask(__name__)\n@app.get('/a')\ndef f(): ...\n"
    build = "    inner = Flask('x')\n    inner.add_url_rule('/b', 'b', f)\n"
    assert paths({"main.py": f"{main}def build():\n{build}"}) == {"GET /a", "GET /b"}
    assert paths({"main.py": f"{main}def view(request):\n{build}"}) == {"GET /a"}
