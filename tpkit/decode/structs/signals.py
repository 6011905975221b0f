"""Signals, and how children end."""

from __future__ import annotations

from collections.abc import Mapping

from tpkit.decode.structs import members, shapes
from tpkit.decode.structs.given import Given
from tpkit.decode.structs.members import name, unsigned

# Which codes a signal of the kernel's has, and which part of siginfo_t it fills: sigaction(2).
_SENT: Mapping[str, tuple[str, str]] = {
    "SIGCHLD": ("child_code", "siginfo_child"),
    "SIGSEGV": ("fault_code", "siginfo_fault"),
    "SIGBUS": ("bus_code", "siginfo_fault"),
    "SIGILL": ("instruction_code", "siginfo_fault"),
    "SIGFPE": ("arithmetic_code", "siginfo_fault"),
    "SIGTRAP": ("trap_code", "siginfo_fault"),
    "SIGIO": ("poll_code", "siginfo_poll"),
    "SIGSYS": ("call_code", "siginfo_call"),
}
_BY_SENDER: Mapping[str, str] = {
    "SI_USER": "siginfo_kill",
    "SI_TKILL": "siginfo_kill",
    "SI_TIMER": "siginfo_timer",
    "SI_KERNEL": "siginfo",
}


def signal_set(given: Given) -> str:
    """``[INT TERM]``."""
    size = min(len(given.data), 8) * 8
    return members.signals(unsigned(given.data[:8]), given.machine, size) if size else "[]"


def signal_set_argument(given: Given) -> str:
    """``{sigmask=[CHLD], sigsetsize=8}``: pselect6's last argument (select(2)); the set's address if that is all."""
    size = shapes.layout("signal_set_argument", given.machine)[0]
    words = shapes.parts(given.first(size), "signal_set_argument")
    rest = given.data[size : size + 8]
    if len(words) < 2 or not rest:
        return shapes.struct(given.first(size), "signal_set_argument")
    return f"{{sigmask={members.signals(unsigned(rest), given.machine, len(rest) * 8)}, {words[1]}}}"


def siginfo(given: Given) -> str:
    """``{si_signo=SIGCHLD, si_code=CLD_EXITED, si_pid=…}``; ``{}`` where waitid found no child."""
    if len(given.data) < 12:
        return shapes.struct(given, "siginfo")
    signal, error, code = (int.from_bytes(given.data[at : at + 4], "little", signed=True) for at in (0, 4, 8))
    if not (signal or error or code):
        return "{}"
    sent, part = _sent(signal, code, given.machine)
    words = [f"si_signo={name('signal', signal, given.machine) or signal}", f"si_code={sent}"]
    if error:
        words.append(f"si_errno={error}")
    if part != "siginfo":
        words += _part(given, part, sent)
    return f"{{{', '.join(words)}}}"


def _sent(signal: int, code: int, machine: str) -> tuple[str, str]:
    """A code's name and the struct that goes with it."""
    codes, part = _SENT.get(name("signal", signal, machine) or "", ("", "siginfo_queue"))
    sender = name("sender", code, machine)
    if sender is not None:
        return sender, _BY_SENDER.get(sender, "siginfo_queue")
    return (name(codes, code, machine) if codes else None) or str(code), part


def _part(given: Given, part: str, code: str) -> list[str]:
    words = shapes.parts(given, part)
    if part != "siginfo_child" or code == "CLD_EXITED":
        return words
    return [_killer(word, given.machine) for word in words]


def _killer(word: str, machine: str) -> str:
    """A child's status is a signal's number where it didn't exit by itself."""
    label, _, number = word.partition("=")
    return f"{label}={name('signal', int(number), machine) or number}" if label == "si_status" else word


def wait_status(given: Given) -> str:
    """``[{WIFEXITED(s) && WEXITSTATUS(s) == 0}]``: wait(2); empty where wait4 found no child."""
    if len(given.data) < 4 or given.others.get("ret") == 0:
        return ""
    status = unsigned(given.data[:4])
    return f"[{{{_status(status, given.machine)}}}]"


def _status(status: int, machine: str) -> str:
    """By the bits of bits/waitstatus.h of the C library."""
    low, high = status & 0x7F, status >> 8 & 0xFF
    if status == 0xFFFF:
        return "WIFCONTINUED(s)"
    if low == 0 and not status & 0x80:
        return f"WIFEXITED(s) && WEXITSTATUS(s) == {high}"
    if low == 0x7F:
        rest = status >> 16
        event = f" | {members.named('trace_event', rest, 4, False, machine)} << 8" if rest else ""
        return f"WIFSTOPPED(s) && WSTOPSIG(s) == {_signal(high, machine)}{event}"
    core = " && WCOREDUMP(s)" if status & 0x80 else ""
    return f"WIFSIGNALED(s) && WTERMSIG(s) == {_signal(low, machine)}{core}"


def _signal(number: int, machine: str) -> str:
    return name("signal", number & 0x7F, machine) or str(number)
