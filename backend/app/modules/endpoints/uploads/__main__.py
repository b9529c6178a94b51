"""Says what a file is, or unpacks an archive, and writes the outcome to stdout as JSON.

Run by `extensions.sandbox`; `engine.confined` says how. The order has `path`, and `folder` for what is to be unpacked.
"""

from dataclasses import asdict
from pathlib import Path

import orjson

from backend.app.engine.confined import Telling, answer, confine, refusal


def main() -> None:
    order = confine()
    from backend.app.modules.endpoints.uploads.archives import ArchiveError, unpack
    from backend.app.modules.endpoints.uploads.recognition import Unrecognised, kind_of

    path = Path(order["path"])
    try:
        if "folder" in order:
            content = orjson.dumps({"unpacked": asdict(unpack(path, Path(order["folder"]), progress=Telling()))})
        else:
            content = orjson.dumps({"kind": kind_of(path)})
    except (ArchiveError, Unrecognised) as error:
        content = refusal(error.code, error.message)
    except MemoryError:
        content = refusal("archive.too_much_memory", f"reading took more than {order['memory'] >> 20} MB")
    answer(content)


if __name__ == "__main__":
    main()
