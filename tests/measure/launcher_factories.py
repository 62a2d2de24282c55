"""Scenarios that crash, hang and print, and plans to measure them."""

from __future__ import annotations

from pathlib import Path

from resilience_bench.worker.protocol import (
    Plan,
)

FILE = """
import os, signal, sys, threading, time
from resilience_bench import RESULT, Counted, scenario

@scenario
def good(payload):
    return payload

@scenario
def chatty(payload):
    print("to standard output")
    os.write(1, b"to the file descriptor")
    return payload

@scenario
def crashing(payload):
    os.kill(os.getpid(), signal.SIGKILL)

@scenario
def hanging(payload):
    while True:
        time.sleep(0.01)

@scenario
def lying(payload):
    return lambda: RESULT

@scenario
def good_again(payload):
    return payload

@scenario
def exiting(payload):
    os._exit(7)

@scenario
def raising(payload):
    raise OSError("no such thing")

def waits_for_ever(lock):
    lock.acquire()

@scenario
def deadlocking(payload):
    lock = threading.Lock()
    def operation():
        if threading.current_thread() is not threading.main_thread():
            lock.acquire()  # and never lets go
        return payload()
    return operation

@scenario(across_processes=True)
def hanging_in_a_process(payload):
    here, lock = os.getpid(), threading.Lock()
    lock.acquire()
    def operation():
        if os.getpid() != here:
            waits_for_ever(lock)
        return payload()
    return operation

@scenario
def counting(payload):
    lock, calls = threading.Lock(), [0]
    def operation():
        with lock:
            calls[0] += 1
        return payload()
    return Counted(operation, lambda: calls[0])
"""


def plan(file: Path, *scenarios: str, time_limit_s: float = 300.0) -> Plan:
    """A small plan for cases of the file."""
    names = tuple(f"cases.{name}" for name in scenarios)
    return Plan("measure", (str(file),), names, samples=3, time_limit_s=time_limit_s)
