"""Reads a capture from a file and writes its report, or why it is refused, to stdout as JSON.

Run by `extensions.sandbox`; `engine.confined` says how. The order has `path`, `name`, `base_url` and `known`.
"""

from pathlib import Path

from backend.app.engine.confined import Telling, answer, confine, refusal


def main() -> None:
    order = confine()
    from backend.app.modules.endpoints.discovery.captures.codec import report_to_bytes
    from backend.app.modules.endpoints.discovery.captures.model import CaptureError
    from backend.app.modules.endpoints.discovery.captures.reading import read_capture

    try:
        path, name, base_url = Path(order["path"]), order["name"], order["base_url"]
        report = read_capture(path, name=name, base_url=base_url, known=order["known"], progress=Telling())
        content = b'{"report":' + report_to_bytes(report) + b"}"
    except CaptureError as error:
        content = refusal(error.code, error.message, error.where)
    except MemoryError:
        content = refusal("capture.too_much_memory", f"reading took more than {order['memory'] >> 20} MB")
    answer(content)


if __name__ == "__main__":
    main()
