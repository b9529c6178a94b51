"""Reads a document from stdin, asks for those that it refers to, and writes the description to stdout as
`codec.description_to_bytes` does, or in one line why it is refused.

Run by `extensions.sandbox`; `engine.confined` says how. The order has `limits`, the fields of `DocumentLimits`;
`bytes`, the size of the document; `where`, its URI; and `asks`, whether others are handed out.
"""

import sys

from backend.app.engine.confined import answer, ask, confine, refusal


def main() -> None:
    order = confine()
    # The modules that read anything are imported under the limits.
    import gc

    from backend.app.engine.spec.codec import description_to_bytes
    from backend.app.engine.spec.limits import DocumentLimits
    from backend.app.engine.spec.model import Fault, SpecError
    from backend.app.engine.spec.normalise import describe
    from backend.app.engine.spec.parse import parse_document
    from backend.app.engine.spec.references import NotLoaded

    def load(uri: str) -> bytes:
        content = ask(uri)
        if isinstance(content, str):
            raise NotLoaded(content)
        return content

    gc.disable()  # a tree of a million values has no cycles, and looking for them takes a third of the time
    limits = DocumentLimits(**order["limits"])
    try:
        outlined = order["outlined"]
        faults: list[Fault] = []
        document = parse_document(sys.stdin.buffer.read(order["bytes"]), limits, outlined=outlined, faults=faults)
        load_others = load if order["asks"] else None
        description = describe(
            document, limits, where=order["where"], load=load_others, outlined=outlined, faults=faults
        )
        content = description_to_bytes(description)
    except SpecError as error:
        content = refusal(error.code, error.message, error.where)
    except MemoryError:
        content = refusal("spec.too_much_memory", f"reading took more than {order['memory'] >> 20} MB")
    answer(content)


if __name__ == "__main__":
    main()
