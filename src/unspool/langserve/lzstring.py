"""Reads what the JavaScript library lz-string 1.5 makes with ``compressToEncodedURIComponent``."""

from __future__ import annotations

_ALPHABET = {
    char: index for index, char in enumerate("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+-$")
}
_NEW_BYTE, _NEW_UNIT, _THE_END = 0, 1, 2

MAX_LENGTH = 100_000
"""UTF-16 units of a text that is unpacked; a few bytes can stand for a great many."""


def decompress(packed: str) -> str:
    """Return the text.

    Raises:
        ValueError: It is not of that form, or unpacks to more than 100,000 characters.
    """
    try:
        units = _units(_Bits(packed.replace(" ", "+")))
        return b"".join(unit.to_bytes(2, "little") for unit in units).decode("utf-16-le")
    except (KeyError, IndexError, UnicodeDecodeError) as exc:
        raise ValueError("not a text packed by lz-string") from exc


class _Bits:
    """The bits of the text: six per character, the highest first; numbers have their lowest bit first."""

    def __init__(self, packed: str) -> None:
        self._values = [_ALPHABET[char] for char in packed]
        self._position = 0

    def take(self, count: int) -> int:
        value = 0
        for power in range(count):
            place, bit = divmod(self._position, 6)
            value |= (self._values[place] >> (5 - bit) & 1) << power
            self._position += 1
        return value


def _units(bits: _Bits) -> list[int]:
    """LZ78: each code names a phrase met before, or announces a unit not met before."""
    phrases: list[tuple[int, ...]] = [(), (), ()]
    result: list[int] = []
    previous: tuple[int, ...] = ()
    while True:
        code = bits.take(len(phrases).bit_length())  # as wide as the number that the next phrase will have
        if code == _THE_END:
            return result
        if code in {_NEW_BYTE, _NEW_UNIT}:
            phrase: tuple[int, ...] = (bits.take(16 if code == _NEW_UNIT else 8),)
            phrases.append(phrase)
            code = len(phrases) - 1
        elif code < len(phrases):
            phrase = phrases[code]
        elif code == len(phrases) and previous:
            phrase = (*previous, previous[0])
        else:
            raise IndexError(code)
        if previous:
            phrases.append((*previous, phrase[0]))
        result.extend(phrase)
        if len(result) > MAX_LENGTH:
            raise ValueError("the text is too long")
        previous = phrase
