"""What may be sent as a body, and how a body is read again (spec agent.2)."""

from __future__ import annotations

import json
from typing import Any, Final, NoReturn, Protocol, TypeAlias, runtime_checkable

from ama2sec.errors import error
from ama2sec.limits import MAX_BODY

__all__ = ["BYTES", "JSON", "TEXT", "Body", "Model", "decode_json", "decode_text", "encode_body"]

BYTES: Final = "application/octet-stream"
TEXT: Final = "text/plain;charset=utf-8"
JSON: Final = "application/json"


@runtime_checkable
class Model(Protocol):
    """A pydantic model, or anything else that writes itself as JSON."""

    def model_dump_json(self) -> str: ...


Body: TypeAlias = "bytes | str | dict[str, Any] | list[Any] | Model"


def encode_body(body: Body) -> tuple[bytes, str]:
    """The bytes of a body and its media type.

    ``bytes`` go as they are, text as UTF-8, a dict or a list as JSON, a model as the JSON that it writes. Raises ``ArgumentType`` for
    anything else, ``ArgumentRange`` for what JSON or UTF-8 cannot hold, ``BodyLimit`` above 256 KiB. Source: spec agent.2.
    """
    data, media_type = _encoded(body)
    if len(data) > MAX_BODY:
        raise error("BodyLimit", f"a body of at most {MAX_BODY} bytes", f"{len(data)} bytes")
    return data, media_type


def _encoded(body: object) -> tuple[bytes, str]:
    if type(body) is bytes:
        return body, BYTES
    if isinstance(body, str):
        return _utf8(body), TEXT
    if isinstance(body, (dict, list)):
        try:
            text = json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        except (TypeError, ValueError, RecursionError) as fault:
            raise error("ArgumentRange", "a body that JSON can hold", type(fault).__name__) from None
        return _utf8(text), JSON
    # A class of models writes itself as well as a model does.
    if isinstance(body, Model) and not isinstance(body, type):
        return _utf8(body.model_dump_json()), JSON
    raise error("ArgumentType", "bytes, text, a dict, a list or a pydantic model", type(body).__name__)


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise error("ArgumentRange", "a body of well-formed text", "surrogates") from None


def decode_text(body: bytes) -> str:
    """The body as text. Raises ``Utf8Invalid``."""
    try:
        return body.decode()
    except UnicodeDecodeError:
        raise error("Utf8Invalid", "a body of UTF-8", "other bytes") from None


def decode_json(body: bytes) -> Any:
    """The body as JSON (RFC 8259: no NaN, and no name twice in an object). Raises ``Utf8Invalid``, ``BodyForm``."""
    text = decode_text(body)
    try:
        return json.loads(text, parse_constant=_no_constant, object_pairs_hook=_object)
    except (ValueError, RecursionError):
        raise error("BodyForm", "a body of JSON", "something else") from None


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name twice")
    return found
