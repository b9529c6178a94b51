"""Errors carry what the answer needs."""

import re

import pytest

from backend.app.core import errors
from backend.app.core.errors import NotAuthenticated, TouchstoneError, Unavailable

KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, TouchstoneError)]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_each_kind_has_a_status_a_code_and_words(kind: type[TouchstoneError]) -> None:
    error = kind()
    assert 400 <= error.status < 600
    assert re.fullmatch(r"[a-z_]+\.[a-z_]+", error.code)
    assert error.detail == error.title
    assert str(kind("said why")) == kind("said why").detail == "said why"


def test_what_a_caller_can_do_stands_in_the_headers() -> None:
    assert NotAuthenticated().headers["WWW-Authenticate"].startswith("Bearer")
    assert NotAuthenticated(headers={"WWW-Authenticate": "Basic"}).headers == {"WWW-Authenticate": "Basic"}
    assert int(Unavailable().headers["Retry-After"]) > 0
