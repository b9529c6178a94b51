"""What of a tree of source code nobody read, told with what was found in the rest."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from backend.app.engine.spec.model import Fault
from backend.app.extensions.git import Checkout
from backend.app.modules.endpoints.discovery import Kind
from backend.app.modules.endpoints.looking.look import Part
from backend.app.modules.endpoints.uploads.archives import Unpacked

_NAMED: Final = 3
_PASSED_OVER: Final[Mapping[str, str]] = {
    "lfs_pointer": "an LFS pointer, whose file is not fetched",
    "name": "a name that is no UTF-8, that is git's own, or that the file system has no room for",
    "submodule": "a submodule, which is another repository: make it a git source of its own",
    "symlink": "a symbolic link, which is not followed",
    "too_large": "a file over 10 MiB",
}
"""By `Skipped.why`."""


def of_checkout(checkout: Checkout) -> Iterator[Fault]:
    """One for each reason, with the first paths."""
    for why, words in _PASSED_OVER.items():
        paths = [each.path for each in checkout.skipped if each.why == why]
        more = f", and {len(paths) - _NAMED} others" if len(paths) > _NAMED else ""
        if paths:
            yield Fault(paths[0], f"passed over as {words}: {', '.join(paths[:_NAMED])}{more}")
    if (unnamed := checkout.skipped_count - len(checkout.skipped)) > 0:
        yield Fault("", f"{unnamed} further entries of the repository are passed over for such reasons")


def of_archive(unpacked: Unpacked) -> Iterator[Fault]:
    for reason, count in unpacked.left_out.items():
        yield Fault("", f"left out of the archive, {count} times: {reason}")


def noted(part: Part, faults: Sequence[Fault]) -> Part:
    """The part of a tree with what is missing of it."""
    found = part.found
    if found is None or part.kind is not Kind.CODE or not faults:
        return part
    description = replace(found.description, faults=(*faults, *found.description.faults))
    return replace(part, found=replace(found, description=description))
