"""Framed messages between the inference process and its client: a JSON header and raw arrays, never a pickle.

One frame is

    magic "OSTO" (4 bytes) · version (uint16) · arrays in the frame (uint16) · header length (uint32) · payload length (uint64)
    header: UTF-8 JSON {"kind": str, "body": {…}, "arrays": [{"name", "dtype", "shape"}, …]}
    payload: the arrays in that order, little-endian, C order, without gaps

all integers little-endian. Lengths are checked against fixed bounds before anything is allocated, element types against a
list, so that a damaged or foreign stream is refused in one sentence instead of being guessed at.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import numpy as np

from OsteoScreenLib.errors import OsteoScreenError

MAGIC = b"OSTO"
VERSION = 1
PREFIX = struct.Struct("<4sHHIQ")
MAX_HEADER_BYTES = 16 * 2**20
MAX_PAYLOAD_BYTES = 2**31
MAX_ARRAYS = 64
MAX_DIMENSIONS = 8
DTYPES = {name: np.dtype(name) for name in ("|b1", "|u1", "|i1", "<u2", "<i2", "<u4", "<i4", "<u8", "<i8", "<f2", "<f4", "<f8")}


class ProtocolError(OsteoScreenError):
    """The stream does not hold a whole, well-formed frame; the connection cannot be used any more."""


@dataclass(frozen=True)
class Message:
    """One message. kind : what it is. body : JSON values only. arrays : name → array of a listed element type."""

    kind: str
    body: Mapping[str, Any] = field(default_factory=dict)
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)


def encode(message: Message) -> list[bytes | memoryview]:
    """The frame's pieces in writing order: one `bytes` prefix and header, then one piece an array (not copied if it can be).

    Raises `ProtocolError` for values that are not JSON (NaN included), other element types, and frames over the bounds.
    """
    pieces: list[bytes | memoryview] = []
    table = []
    size = 0
    for name, array in message.arrays.items():
        plain = np.asarray(array)
        dtype = plain.dtype.newbyteorder("<")
        if dtype.str not in DTYPES:
            raise ProtocolError(f"An array of {plain.dtype} cannot be sent to or from the analysis process.")
        plain = np.ascontiguousarray(plain, dtype=dtype).reshape(plain.shape)
        table.append({"name": name, "dtype": dtype.str, "shape": list(plain.shape)})
        if plain.nbytes:
            pieces.append(plain.reshape(-1).view(np.uint8).data)
        size += plain.nbytes
    try:
        header = json.dumps(
            {"kind": message.kind, "body": dict(message.body), "arrays": table}, allow_nan=False, separators=(",", ":")
        ).encode("utf-8")
    except (TypeError, ValueError, UnicodeEncodeError, RecursionError) as error:
        raise ProtocolError(f"A message of kind '{message.kind}' holds a value that is not plain JSON ({error}).") from error
    if len(header) > MAX_HEADER_BYTES or size > MAX_PAYLOAD_BYTES or len(table) > MAX_ARRAYS:
        raise ProtocolError(
            f"A message of kind '{message.kind}' is too large for one frame "
            f"({len(header)} header bytes, {size} array bytes, {len(table)} arrays)."
        )
    if any(len(entry["shape"]) > MAX_DIMENSIONS for entry in table):
        raise ProtocolError(f"A message of kind '{message.kind}' holds an array of more than {MAX_DIMENSIONS} dimensions.")
    return [PREFIX.pack(MAGIC, VERSION, len(table), len(header), size) + header, *pieces]


def write_message(stream: BinaryIO, message: Message) -> None:
    """Write one frame and flush it. The message is encoded whole before the first byte goes out."""
    write_pieces(stream, encode(message))


def write_pieces(stream: BinaryIO, pieces: Iterable[bytes | memoryview]) -> None:
    """Write a frame that `encode` made, and flush it."""
    for piece in pieces:
        _write_all(stream, piece)
    stream.flush()


def read_message(stream: BinaryIO) -> Message | None:
    """Read one frame; None when the stream ends cleanly between frames.

    Raises `ProtocolError` for anything that is not a whole frame of this version.
    """
    prefix = _read_up_to(stream, PREFIX.size)
    if not prefix:
        return None
    if len(prefix) < PREFIX.size:
        raise ProtocolError("A message from the analysis process ended inside its first bytes.")
    magic, version, count, header_bytes, payload_bytes = PREFIX.unpack(prefix)
    if magic != MAGIC:
        raise ProtocolError("The stream does not hold OsteoScreen messages (wrong first bytes).")
    if version != VERSION:
        raise ProtocolError(
            f"The analysis process speaks protocol version {version} and this program version {VERSION}; "
            "install the same OsteoScreen on both sides."
        )
    if header_bytes > MAX_HEADER_BYTES or payload_bytes > MAX_PAYLOAD_BYTES or count > MAX_ARRAYS:
        raise ProtocolError(
            f"A message announces {header_bytes} header and {payload_bytes} array bytes, which is over the bounds."
        )
    kind, body, table = _parse_header(_read_exactly(stream, header_bytes), count)
    if sum(nbytes for _, _, _, nbytes in table) != payload_bytes:
        raise ProtocolError("A message's arrays do not add up to the size it announces.")
    arrays = {name: _read_array(stream, dtype, shape, nbytes) for name, dtype, shape, nbytes in table}
    return Message(kind, body, arrays)


_Entry = tuple[str, "np.dtype[Any]", tuple[int, ...], int]


def _parse_header(raw: bytes, count: int) -> tuple[str, dict[str, Any], list[_Entry]]:
    try:
        header = json.loads(raw.decode("utf-8"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise ProtocolError("A message's header is not valid JSON.") from error
    if not isinstance(header, dict) or set(header) != {"kind", "body", "arrays"}:
        raise ProtocolError("A message's header does not have exactly the entries kind, body and arrays.")
    kind, body, listed = header["kind"], header["body"], header["arrays"]
    if not isinstance(kind, str) or not isinstance(body, dict) or not isinstance(listed, list) or len(listed) != count:
        raise ProtocolError("A message's header has entries of the wrong type.")
    table = [_parse_entry(entry) for entry in listed]
    if len({name for name, _, _, _ in table}) != len(table):
        raise ProtocolError("A message names two arrays alike.")
    return kind, body, table


def _parse_entry(entry: Any) -> _Entry:
    if not isinstance(entry, dict) or set(entry) != {"name", "dtype", "shape"}:
        raise ProtocolError("A message describes an array without name, dtype and shape.")
    name, dtype, shape = entry["name"], entry["dtype"], entry["shape"]
    if not isinstance(name, str) or not isinstance(dtype, str) or dtype not in DTYPES:
        raise ProtocolError("A message holds an array of an element type that is not allowed.")
    plain = isinstance(shape, list) and len(shape) <= MAX_DIMENSIONS
    if not plain or not all(type(extent) is int and 0 <= extent <= MAX_PAYLOAD_BYTES for extent in shape):
        raise ProtocolError("A message holds an array with an impossible shape.")
    extents = [extent for extent in shape if extent]  # an empty array's other extents still have to fit an array's bounds
    if math.prod(extents) * DTYPES[dtype].itemsize > MAX_PAYLOAD_BYTES:
        raise ProtocolError("A message holds an array with an impossible shape.")
    nbytes = math.prod(shape) * DTYPES[dtype].itemsize
    return name, DTYPES[dtype], tuple(shape), nbytes


def _refuse_constant(name: str) -> Any:
    raise ValueError(name)


def _read_array(stream: BinaryIO, dtype: np.dtype[Any], shape: tuple[int, ...], nbytes: int) -> np.ndarray:
    flat = np.empty(nbytes, np.uint8)
    view = flat.data
    filled = 0
    while filled < nbytes:
        got = stream.readinto(view[filled:])  # type: ignore[attr-defined]
        if not got:
            raise ProtocolError("A message from the analysis process ended inside an array.")
        filled += got
    if dtype == np.bool_ and nbytes and flat.max() > 1:
        raise ProtocolError("A message holds a truth-value array with other values than 0 and 1.")
    return flat.view(dtype).reshape(shape)


def _read_exactly(stream: BinaryIO, wanted: int) -> bytes:
    data = _read_up_to(stream, wanted)
    if len(data) < wanted:
        raise ProtocolError("A message from the analysis process ended inside its header.")
    return data


def _read_up_to(stream: BinaryIO, wanted: int) -> bytes:
    parts = []
    missing = wanted
    while missing:
        part = stream.read(missing)
        if not part:
            break
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)


def _write_all(stream: BinaryIO, piece: bytes | memoryview) -> None:
    """Raw (unbuffered) pipes may take less than they are given."""
    view = memoryview(piece).cast("B")
    while len(view):
        written = stream.write(view)
        view = view[written if written is not None else len(view) :]
