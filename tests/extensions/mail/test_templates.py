"""What the letters say, whatever people are called."""

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.app.extensions.mail import TEMPLATES, render

URL = "https://touchstone.example"
TOKEN = "mt_secret-token_1"


def letter(name: str = "invitation", **values: str) -> tuple[str, str]:
    known = {"to": "ada@example.com", "valid_for": "30 minutes", "inviter": "Eve", "workspace": "Lab", "role": "viewer"}
    known["provider"] = "GitHub"
    written = render(name, known | values, url=URL, token=TOKEN)
    return written.text, written.html


class Reader(HTMLParser):
    """What a browser would make of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attributes if name == "href"]

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("name", TEMPLATES)
def test_text_and_html_say_the_same(name: str) -> None:
    text, page = letter(name)
    assert "$" not in text
    spoken = " ".join(Reader(page).text.split())
    for paragraph in text.split("\n\n"):
        assert " ".join(paragraph.split()) in spoken


@pytest.mark.parametrize("name", [name for name, template in TEMPLATES.items() if template.page])
def test_the_token_is_behind_the_hash_of_the_link_and_in_the_call(name: str) -> None:
    text, page = letter(name)
    (link,) = Reader(page).links
    assert re.fullmatch(rf"{URL}/[a-z-]+#token={TOKEN}", link)
    assert link in text
    assert f'"token": "{TOKEN}"' in text
    assert "valid" not in text
    assert "30 minutes" in text


def test_a_mail_without_a_token_shows_none() -> None:
    assert TOKEN not in "".join(letter("password_changed"))


@given(st.text(min_size=1, max_size=100))
def test_no_name_brings_a_tag_a_link_or_a_line_of_its_own(name: str) -> None:
    plain, marked = letter(inviter="Eve"), letter(inviter=name)
    assert Reader(marked[1]).tags == Reader(plain[1]).tags
    assert Reader(marked[1]).links == Reader(plain[1]).links
    assert len(marked[0].splitlines()) == len(plain[0].splitlines())


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", "$url", "${token}", "a\r\nb", '"><img src=x>'])
def test_a_hostile_name_is_shown_as_it_is_written(name: str) -> None:
    text, page = letter(inviter=name)
    shown = " ".join(name.split())
    assert f"{shown} invites you" in text
    assert f"{shown} invites you" in Reader(page).text
    assert "<script" not in page
    assert "<img" not in page


def test_a_long_name_does_not_become_the_letter() -> None:
    assert len(letter(workspace="x" * 100_000)[0]) < 2000
