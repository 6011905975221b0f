"""Bytes, strings, arrays of numbers, sets of bits: what isn't a struct."""

from __future__ import annotations

from tpkit.decode.naming import pointer
from tpkit.decode.structs import shapes
from tpkit.decode.structs.given import Given
from tpkit.decode.structs.members import name, unsigned
from tpkit.decode.text import quote

CAPABILITIES = 64  # bits, of struct __user_cap_data_struct in its third version: capget(2)


def buffer(given: Given) -> str:
    """``"text"``, ``"te"...``."""
    return quote(given.data) + ("..." if given.is_cut else "")


def string(given: Given) -> str:
    """Up to the zero, if that was read."""
    text, zero, _ = given.data.partition(b"\0")
    return quote(text) + ("..." if given.is_cut and not zero else "")


def strings(given: Given) -> str:
    """``["sh", "-c"]``: each with its zero, one behind the other; one that is cut has none."""
    words = [quote(each) for each in given.data.removesuffix(b"\0").split(b"\0")] if given.data else []
    if given.is_cut and words:
        words[-1] += "" if given.data.endswith(b"\0") else "..."
        words.append("...")
    return f"[{', '.join(words)}]"


def ints(given: Given) -> str:
    """``[3, 4]``."""
    return _numbers(given, [str(number) for number in _split(given.data, 4, True)], 4)


def offset(given: Given) -> str:
    """``[512]``: a 64-bit number."""
    return _numbers(given, [str(number) for number in _split(given.data[:8], 8, True)], 8)


def address(given: Given) -> str:
    """``[0x7f0012345678]``."""
    return _numbers(given, [pointer(number) for number in _split(given.data[:8], 8, False)], 8)


def bit_set(given: Given) -> str:
    """``[0 1 5]``."""
    return _bits(given.data, len(given.data) * 8, given.is_cut)


def descriptor_set(given: Given) -> str:
    """As many of select's bits as its ``n`` says."""
    return _bits(given.data, max(given.others.get("n", len(given.data) * 8), 0), False)


def timespec_pair(given: Given) -> str:
    """utimensat's two times, each a time, UTIME_NOW or UTIME_OMIT (utimensat(2))."""
    return _pair(given, "timespec")


def timeval_pair(given: Given) -> str:
    """utimes' two times."""
    return _pair(given, "timeval")


def capabilities(given: Given) -> str:
    """capset's two structs as one: ``{effective=1<<CAP_KILL, permitted=…, inheritable=0}``."""
    if len(given.data) < 24:
        return shapes.struct(given, "capability_data")
    low, high = given.data[:12], given.data[12:24]
    words = [
        f"{label}={_capabilities(unsigned(low[at : at + 4] + high[at : at + 4]), given.machine)}"
        for label, at in (("effective", 0), ("permitted", 4), ("inheritable", 8))
    ]
    return f"{{{', '.join(words)}}}"


def schedule(given: Given) -> str:
    """A struct sched_attr: as long as its first member says (sched_setattr(2)), or the oldest one's 48 bytes."""
    size = unsigned(given.data[:4]) or 48
    return shapes.struct(given.first(size), "schedule")


def message(given: Given) -> str:
    """``{mtype=1, mtext="text"}``: struct msgbuf of msgop(2)."""
    if len(given.data) < 8:
        return buffer(given)
    kind = int.from_bytes(given.data[:8], "little", signed=True)
    return f"{{mtype={kind}, mtext={quote(given.data[8:])}{'...' if given.is_cut else ''}}}"


def _capabilities(bits: int, machine: str) -> str:
    numbers = [number for number in range(CAPABILITIES) if bits >> number & 1]
    return "|".join(f"1<<{name('capability', number, machine) or number}" for number in numbers) or "0"


def _pair(given: Given, struct: str) -> str:
    size = shapes.layout(struct, given.machine)[0]
    halves = [Given(given.data[at : at + size], size, given.machine, {}) for at in (0, size)]
    words = [_special_time(half.data, given.machine) or shapes.struct(half, struct) for half in halves if half.data]
    return f"[{', '.join(words)}]"


def _special_time(data: bytes, machine: str) -> str | None:
    return name("special_time", unsigned(data[8:16]), machine) if len(data) == 16 else None


def _split(data: bytes, size: int, signed: bool) -> list[int]:
    starts = range(0, len(data) - size + 1, size)
    return [int.from_bytes(data[start : start + size], "little", signed=signed) for start in starts]


def _numbers(given: Given, words: list[str], size: int) -> str:
    if not words and given.data:
        return quote(given.data)
    more = ["..."] if given.whole >= size * (len(words) + 1) else []
    return f"[{', '.join(words + more)}]"


def _bits(data: bytes, count: int, cut: bool) -> str:
    bits = unsigned(data)
    words = [str(number) for number in range(min(count, len(data) * 8)) if bits >> number & 1]
    return f"[{' '.join(words + (['...'] if cut else []))}]"
