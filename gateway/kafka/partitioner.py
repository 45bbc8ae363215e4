"""Which partition a key belongs to: murmur2, as every Kafka client in Java computes it, so that the core can too."""

from __future__ import annotations

from struct import Struct

_M = 0x5BD1E995
_SEED = 0x9747B28C
_32 = 0xFFFFFFFF

# Little-endian words of keys up to 256 bytes; longer ones are rare enough to pay for their own format.
_WORDS = [Struct(f"<{count}I").unpack_from for count in range(65)]


def partition_of(key: bytes, partitions: int) -> int:
    """The partition of `key` in a topic of that many partitions."""
    return (murmur2(key) & 0x7FFFFFFF) % partitions


def murmur2(data: bytes) -> int:
    """MurmurHash2, 32 bits, with Kafka's seed. Half the time of a loop over bytes: it runs once per message."""
    length = len(data)
    count = length >> 2
    state = _SEED ^ length
    for word in _WORDS[count](data) if count <= 64 else Struct(f"<{count}I").unpack_from(data):
        mixed = word * _M & _32
        state = (state * _M ^ (mixed ^ mixed >> 24) * _M) & _32
    if length & 3:
        state = (state ^ int.from_bytes(data[count << 2 :], "little")) * _M & _32
    state ^= state >> 13
    state = state * _M & _32
    return state ^ state >> 15
