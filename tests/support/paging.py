"""How a client follows a list."""

import httpx2


def next_page(answer: httpx2.Response) -> str:
    """The absolute URL of the page after this one, empty on the last."""
    link = answer.links.get("next")
    return str(answer.url.join(link["url"])) if link else ""
