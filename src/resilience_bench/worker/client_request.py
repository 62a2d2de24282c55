"""Requests to callgrind to start counting, from inside the program that runs under it.

callgrind makes a program some eighty times slower, valgrind alone about ten times, so counting
starts when an operation is ready. A request is a few instructions that do nothing elsewhere (four
rotations, an exchange of a register with itself), called with `ctypes`. Source: valgrind.h and
callgrind.h of valgrind 3.24; compiled programs contain them, so they never change.
"""

from __future__ import annotations

import ctypes
import functools
import mmap
import platform
from collections.abc import Callable
from typing import Final

_MACHINE: Final = "x86_64"
_START_INSTRUMENTATION: Final = (ord("C") << 24) + (ord("T") << 16) + 4
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
        make_starter()()
    except OSError:  # a system that forbids memory which is both written and executed
        return False
    return True


@functools.cache
def make_starter() -> Callable[[], None]:
    """Return what makes callgrind count, if it is there; OSError if instructions are refused."""
    if platform.machine() != _MACHINE:
        return lambda: None
    everything = mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC
    memory = mmap.mmap(-1, len(_CODE), prot=everything)
    memory.write(_CODE)
    code = ctypes.c_char.from_buffer(memory)
    ask = ctypes.CFUNCTYPE(ctypes.c_size_t, ctypes.c_void_p)(ctypes.addressof(code))
    request = (ctypes.c_size_t * (1 + _ARGUMENTS))(_START_INSTRUMENTATION)

    def start() -> None:
        ask(ctypes.addressof(request))

    # Keeps the instructions in memory for as long as they can be called.
    start.__dict__["code"] = code
    return start
