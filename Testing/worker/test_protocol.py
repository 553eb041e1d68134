"""Frames: whatever may be sent comes back the same, and whatever else arrives is one clean error."""

from __future__ import annotations

import contextlib
import io
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from OsteoScreenLib.worker import protocol
from OsteoScreenLib.worker.protocol import Message, ProtocolError, encode, read_message, write_message

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
ARRAYS = arrays_of.arrays(
    st.sampled_from(sorted(protocol.DTYPES.values(), key=str)), arrays_of.array_shapes(min_dims=0, min_side=0, max_side=5)
)
MESSAGES = st.builds(Message, NAMES, st.dictionaries(NAMES, JSON, max_size=4), st.dictionaries(NAMES, ARRAYS, max_size=3))


def to_bytes(message: Message) -> bytes:
    stream = io.BytesIO()
    write_message(stream, message)
    return stream.getvalue()


def frame(header: object, payload: bytes = b"", count: int = 0) -> io.BytesIO:
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    prefix = protocol.PREFIX.pack(protocol.MAGIC, protocol.VERSION, count, len(raw), len(payload))
    return io.BytesIO(prefix + raw + payload)


def with_array(dtype: object, shape: object, payload: bytes = b"") -> io.BytesIO:
    return frame({"kind": "k", "body": {}, "arrays": [{"name": "a", "dtype": dtype, "shape": shape}]}, payload, 1)


@settings(deadline=None, max_examples=80)
@given(st.lists(MESSAGES, max_size=3))
def test_messages_come_back_the_same(messages: list[Message]) -> None:
    stream = io.BytesIO(b"".join(to_bytes(message) for message in messages))
    for sent in messages:
        got = read_message(stream)
        assert got is not None
        assert (got.kind, got.body) == (sent.kind, sent.body)
        assert list(got.arrays) == list(sent.arrays)
        for name, array in sent.arrays.items():
            assert got.arrays[name].dtype == array.dtype and got.arrays[name].shape == array.shape
            assert got.arrays[name].tobytes() == array.tobytes()
    assert read_message(stream) is None


@settings(deadline=None, max_examples=80)
@given(MESSAGES, st.data())
def test_a_frame_cut_anywhere_is_an_error(message: Message, data: st.DataObject) -> None:
    whole = to_bytes(message)
    cut = data.draw(st.integers(1, len(whole) - 1))
    with pytest.raises(ProtocolError):
        read_message(io.BytesIO(whole[:cut]))


@settings(deadline=None, max_examples=100)
@given(st.binary(min_size=1, max_size=200) | st.binary(max_size=120).map(lambda tail: b"OSTO\x01\x00" + tail))
def test_garbage_is_an_error(garbage: bytes) -> None:
    with pytest.raises(ProtocolError):
        read_message(io.BytesIO(garbage))


@settings(deadline=None, max_examples=100)
@given(MESSAGES, st.data())
def test_a_damaged_byte_is_an_error_or_a_message(message: Message, data: st.DataObject) -> None:
    raw = bytearray(to_bytes(message))
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    with contextlib.suppress(ProtocolError):
        read_message(io.BytesIO(bytes(raw)))


@settings(deadline=None, max_examples=100)
@given(JSON)
def test_any_json_as_header_is_an_error(header: object) -> None:
    with pytest.raises(ProtocolError):
        read_message(frame(header))


@pytest.mark.parametrize("dtype", ["O", "|O", ">f4", "<c8", "<M8[s]", "|V8", "<U4", "|S4", "f4", 3, None, ["<f4"]])
def test_other_element_types_are_refused(dtype: object) -> None:
    with pytest.raises(ProtocolError, match=r"element type|without name"):
        read_message(with_array(dtype, [2], bytes(8)))


@pytest.mark.parametrize(
    "shape", [[-1], [2**40], [1.0], [True], "2", None, [[2]], [1] * 9, [2**31] * 8, [0] + [2**31] * 7, [2**31, 2**31, 0]]
)
def test_impossible_shapes_are_refused(shape: object) -> None:
    with pytest.raises(ProtocolError):
        read_message(with_array("<f4", shape, bytes(4)))


def test_sizes_over_the_bounds_are_refused_before_anything_is_read() -> None:
    for header, payload in ((protocol.MAX_HEADER_BYTES + 1, 0), (10, protocol.MAX_PAYLOAD_BYTES + 1)):
        prefix = protocol.PREFIX.pack(protocol.MAGIC, protocol.VERSION, 0, header, payload)
        with pytest.raises(ProtocolError, match="over the bounds"):
            read_message(io.BytesIO(prefix))


def test_another_version_says_so() -> None:
    with pytest.raises(ProtocolError, match=r"version 9 .* version 1; install"):
        read_message(io.BytesIO(protocol.PREFIX.pack(protocol.MAGIC, 9, 0, 2, 0) + b"{}"))


def test_lengths_that_disagree_are_refused() -> None:
    with pytest.raises(ProtocolError, match="add up"):
        read_message(with_array("<f4", [3], bytes(8)))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object(), {1, 2}, np.float32(1)])
def test_values_that_are_not_json_are_not_sent(value: object) -> None:
    with pytest.raises(ProtocolError, match="JSON"):
        to_bytes(Message("k", {"value": value}))


@pytest.mark.parametrize("array", [np.array(["a"]), np.array([object()]), np.zeros(2, complex), np.zeros(2, "M8[s]")])
def test_other_arrays_are_not_sent(array: np.ndarray) -> None:
    with pytest.raises(ProtocolError, match="cannot be sent"):
        to_bytes(Message("k", {}, {"a": array}))


def test_views_and_byte_orders_are_sent_as_plain_arrays() -> None:
    grid = np.arange(12, dtype=">i4").reshape(3, 4)
    got = read_message(io.BytesIO(to_bytes(Message("k", {}, {"a": grid[::-1, ::2]}))))
    assert got is not None
    np.testing.assert_array_equal(got.arrays["a"], grid[::-1, ::2])
    assert got.arrays["a"].dtype == np.dtype("<i4")


def test_large_arrays_are_not_copied_on_the_way_out() -> None:
    pixels = np.zeros((1000, 1000), np.float32)
    pieces = encode(Message("k", {}, {"pixels": pixels}))
    assert np.shares_memory(np.asarray(pieces[1]), pixels)
