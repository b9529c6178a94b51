import importlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.app.modules.endpoints.discovery.source.languages.python.bodies import without_bodies

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
