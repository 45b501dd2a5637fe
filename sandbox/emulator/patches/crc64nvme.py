"""CRC-64/NVME at the speed of large integers, because MiniStack's own takes seconds for a few megabytes.

A checksum is the remainder of the data, read as a polynomial, by the one of the CRC. A power of ``x`` that has a
remainder of few terms turns into those terms; squaring keeps their number. So the front half of the data is folded into
the rest with a few shifts, again and again, until little is left. As in every reflected CRC the lowest bit is the
highest power. [reveng.sourceforge.io/crc-catalogue/all.htm: CRC-64/NVME]
"""

from functools import lru_cache

_POLYNOMIAL = 0x9A6C9329AC4BC9B5
_ALL = 2**64 - 1
_ONE = 1 << 63
# The remainder of x**865 has 19 terms, the fewest for some thousand exponents around.
_POWER = 865
# Integers of this many bytes stay in the processor's cache.
_BLOCK = 1 << 18


def _by_x(value):
    return value >> 1 ^ (_POLYNOMIAL if value & 1 else 0)


def _by_x8(value):
    for _ in range(8):
        value = _by_x(value)
    return value


def _shifts():
    """How far each term of x**865 is from it, the farthest first."""
    remainder = _ONE
    for _ in range(_POWER):
        remainder = _by_x(remainder)
    return [_POWER - term for term in range(64) if remainder >> (63 - term) & 1]


_TABLE = [_by_x8(byte) for byte in range(256)]
_SHIFTS = _shifts()
_STEPS = [far - near for far, near in zip(_SHIFTS, _SHIFTS[1:])]
_NEAREST = _SHIFTS[-1]


def _remainder(value, bits):
    """What is left of ``bits`` bits, the last 64 of which are zeros that make room for it."""
    for doublings in reversed(range((bits // _POWER).bit_length())):
        front = _NEAREST << doublings
        while bits >= 2 * _POWER << doublings:
            head = value & (1 << front) - 1
            value >>= front
            folded = head
            for step in _STEPS:
                folded = folded << (step << doublings) ^ head
            value ^= folded
            bits -= front
    value <<= -bits % 8
    for _ in range((bits + 7) // 8 - 8):
        value = value >> 8 ^ _TABLE[value & 0xFF]
    return value


def crc64nvme(data):
    """The checksum of data."""
    crc, data = _ALL, memoryview(data)
    for start in range(0, len(data), _BLOCK):
        block = data[start:start + _BLOCK]
        crc = _remainder(int.from_bytes(block, "little") ^ crc, 8 * len(block) + 64)
    return crc ^ _ALL


def _product(a, b):
    product = 0
    while b:
        if b & _ONE:
            product ^= a
        a, b = _by_x(a), b << 1 & _ALL
    return product


@lru_cache
def _x_to_the(exponent):
    power, square = _ONE, _by_x(_ONE)
    while exponent:
        if exponent & 1:
            power = _product(power, square)
        square, exponent = _product(square, square), exponent >> 1
    return power


def joined(first, second, length):
    """The checksum of two pieces of data together, from that of each and the length of the second."""
    return second ^ _product(first, _x_to_the(8 * length))
