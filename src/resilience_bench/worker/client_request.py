"""Requests to callgrind to start counting, or again from zero, from inside its program.

callgrind makes a program some eighty times slower, valgrind alone about ten times, so counting
starts when an operation is ready. The first dump of a process takes six times as long as one of
zeros, so the counters are set to zero before it. A request is a few instructions that do nothing
elsewhere (four rotations, an exchange of a register with itself), called with `ctypes`. Source:
valgrind.h and callgrind.h of valgrind 3.24; compiled programs contain them, so they never change.
"""

from __future__ import annotations

import ctypes
import functools
import mmap
import platform
from collections.abc import Callable
from typing import Final

_MACHINE: Final = "x86_64"
_BASE: Final = (ord("C") << 24) + (ord("T") << 16)
_ZERO_STATS: Final = _BASE + 1
_START_INSTRUMENTATION: Final = _BASE + 4
_CODE: Final = bytes.fromhex(
    "48 89 f8"  # mov rax, rdi: the address of the request and its five arguments
    "31 d2"  # xor edx, edx: the answer where there is no valgrind
    "48 c1 c7 03  48 c1 c7 0d  48 c1 c7 3d  48 c1 c7 33"  # rol rdi by 3, 13, 61 and 51
    "48 87 db"  # xchg rbx, rbx
    "48 89 d0"  # mov rax, rdx
    "c3"  # ret
)
_ARGUMENTS: Final = 5


def is_possible() -> bool:
    """Return whether requests work on this machine; else callgrind counts from the start."""
    if platform.machine() != _MACHINE:
        return False
    try:
        _make_request(_START_INSTRUMENTATION)
    except OSError:  # a system that forbids memory which is both written and executed
        return False
    return True


def make_starter() -> Callable[[], None]:
    """Return what makes callgrind count; it does nothing where requests are not possible."""
    return _make_request(_START_INSTRUMENTATION) if is_possible() else _do_nothing


def make_zeroer() -> Callable[[], None]:
    """Return what sets callgrind's counters to zero; it does nothing where that is impossible."""
    return _make_request(_ZERO_STATS) if is_possible() else _do_nothing


def _do_nothing() -> None:
    """Stand for a request that cannot be made."""


@functools.cache
def _make_request(code: int) -> Callable[[], None]:
    everything = mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC
    memory = mmap.mmap(-1, len(_CODE), prot=everything)
    memory.write(_CODE)
    instructions = ctypes.c_char.from_buffer(memory)
    ask = ctypes.CFUNCTYPE(ctypes.c_size_t, ctypes.c_void_p)(ctypes.addressof(instructions))
    request = (ctypes.c_size_t * (1 + _ARGUMENTS))(code)

    def make() -> None:
        ask(ctypes.addressof(request))

    # Keeps the instructions in memory for as long as they can be called.
    make.__dict__["instructions"] = instructions
    return make
