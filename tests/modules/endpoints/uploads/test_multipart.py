"""A form comes in pieces of any size; the file in it comes out as it was."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.app.modules.endpoints.uploads.multipart import FormFile, MalformedForm

TYPE = "multipart/form-data; boundary=edge"
FIELD = b'--edge\r\nContent-Disposition: form-data; name="note"\r\n\r\nhello\r\n'


def form(content: bytes, name: str = "a.har") -> bytes:
    head = f'--edge\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
    return head.encode() + b"Content-Type: application/json\r\n\r\n" + content + b"\r\n--edge--\r\n"


def read(body: bytes, size: int = 7) -> tuple[str, bytes]:
    parser = FormFile(TYPE)
    content = b"".join(parser.feed(body[at : at + size]) for at in range(0, len(body), size))
    parser.close()
    return parser.name, content


CONTENTS = st.lists(st.sampled_from([b"\r\n", b"--edg", b"--edge x"[:5], b"\r\n--", b"abc", b"-", b"\0\xff"])).map(
    b"".join
)


@given(CONTENTS.filter(lambda content: b"\r\n--edge" not in b"\r\n" + content), st.integers(1, 50))
def test_a_file_comes_out_as_it_was(content: bytes, size: int) -> None:
    assert read(FIELD + form(content), size) == ("a.har", content)


def test_a_preamble_and_what_follows_the_end_are_passed_over() -> None:
    assert read(b"for old readers\r\n" + form(b"x") + b"more") == ("a.har", b"x")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no form",
        FIELD + b"--edge--",
        form(b"x")[:-12],
        form(b"x").replace(b"--edge--\r\n", form(b"y")),
        b"--edge\r\n" + b"X: " + b"x" * 20_000,
    ],
)
def test_what_is_no_form_with_one_file_is_refused(body: bytes) -> None:
    with pytest.raises(MalformedForm):
        read(body, 1000)


def test_a_type_without_a_boundary_is_refused() -> None:
    with pytest.raises(MalformedForm):
        FormFile("multipart/form-data")
