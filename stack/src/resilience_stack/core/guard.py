"""A guard: what its users call."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable
from types import AsyncGeneratorType, CoroutineType, GeneratorType
from typing import Any, ParamSpec, TypeVar, cast

from resilience_stack.core.block import Block
from resilience_stack.core.chain import Chain
from resilience_stack.core.controls import Controls
from resilience_stack.core.fallback import Answer
from resilience_stack.core.validation import is_coroutine_function, refuse_uncallable

__all__ = ["Guard"]

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


class Guard(Controls):
    """A fallback around limits around metrics around a retry around a breaker around a call.

    Each part but breaker and metrics is there only if the policy asks for it. A guard is a
    decorator of plain functions and coroutine functions; ``call`` and ``call_async`` do the same
    for one call, ``answer`` and ``answer_async`` say where the answer came from as well, and
    ``context`` guards a block.
    """

    def __call__(self, function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
        """Return the function, plain or a coroutine function, with the guard around it.

        Raises:
            TypeError: If it is a generator function, whose work begins when it has returned.
        """
        refuse_uncallable(f"what guard {self.name!r} is put around", function)
        self.refuse_generator(function)
        guarded: Callable[..., Any]
        if is_coroutine_function(function):
            coroutine_function = cast("Callable[..., Awaitable[Any]]", function)
            guarded = self._put_around_async(coroutine_function, self._chain)
        else:
            if self._chain is not None:
                self._chain.ensure_plain()
            guarded = self._put_around(function, self._chain)
        return cast("Callable[Parameters, Result]", functools.wraps(function)(guarded))

    def call(
        self,
        function: Callable[Parameters, Result],
        /,
        *args: Parameters.args,
        **kwargs: Parameters.kwargs,
    ) -> Result:
        """Call a plain function through the guard.

        Returns:
            What the function returns, or what the fallback answers.

        Raises:
            CircuitBreakerError: If the breaker is open: the function was not called.
            BulkheadFullError: If too many calls are in flight; likewise.
            DeadlineExceededError: If the deadline of an enclosing call has passed; likewise.
            TypeError: If the function returns a coroutine; ``call_async`` is for those. Or if it is
                a generator function, whose work begins when it has returned.
            BaseException: The last attempt's own exception.
        """
        if self._chain is None:
            return self._call_live(function, args, kwargs)
        return self.answer(function, *args, **kwargs).value

    async def call_async(
        self,
        function: Callable[Parameters, Awaitable[Result]],
        /,
        *args: Parameters.args,
        **kwargs: Parameters.kwargs,
    ) -> Result:
        """Call a function and await what it returns; else like ``call``."""
        if self._chain is None:
            return await self._put_around_async(function)(*args, **kwargs)
        return (await self.answer_async(function, *args, **kwargs)).value

    def answer(
        self,
        function: Callable[Parameters, Result],
        /,
        *args: Parameters.args,
        **kwargs: Parameters.kwargs,
    ) -> Answer[Result]:
        """Call a plain function through the guard, and say where the answer came from.

        The last good values of ``call`` and ``answer`` are kept for each function on its own.
        """
        chain = self._chain
        if chain is None:
            return Answer(self._call_live(function, args, kwargs), "live")
        chain.ensure_plain()
        try:
            result = self._call_live(function, args, kwargs)
        except Exception as error:  # noqa: BLE001 - whatever it is, the fallback decides
            return chain.answer(error, self._memory, args, kwargs, function)
        if self._memory is not None:
            self._memory.keep(result, args, kwargs, function)
        chain.note_live()
        return Answer(result, "live")

    async def answer_async(
        self,
        function: Callable[Parameters, Awaitable[Result]],
        /,
        *args: Parameters.args,
        **kwargs: Parameters.kwargs,
    ) -> Answer[Result]:
        """Call a function, await what it returns, and say where the answer came from."""
        chain = self._chain
        if chain is None:
            return Answer(await self._put_around_async(function)(*args, **kwargs), "live")
        try:
            result = await self._put_around_async(function)(*args, **kwargs)
        except Exception as error:  # noqa: BLE001 - whatever it is, the fallback decides
            return await chain.answer_async(error, self._memory, args, kwargs, function)
        if self._memory is not None:
            self._memory.keep(result, args, kwargs, function)
        chain.note_live()
        return Answer(result, "live")

    def context(self) -> Block:
        """Return what guards one ``with`` or ``async with`` block.

        The block cannot be run again and has no result, so breaker and metrics are all it has.
        """
        return Block(self._breaker, self._layers)

    def refuse_generator(self, function: Callable[..., object]) -> None:
        """Refuse what cannot be guarded as a whole.

        Raises:
            TypeError: If it is a generator function, whose work begins when it has returned.
        """
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise self._refuse(function, "a generator function")

    def _call_live(
        self, function: Callable[..., Result], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Result:
        result = self._put_around(function)(*args, **kwargs)
        if isinstance(result, CoroutineType):
            result.close()
            raise self._refuse(function, "a coroutine function")
        if isinstance(result, GeneratorType | AsyncGeneratorType):
            self.refuse_generator(function)
        return result

    def _put_around(
        self, function: Callable[Parameters, Result], chain: Chain | None = None
    ) -> Callable[Parameters, Result]:
        if self._attempt is not None:
            function = self._attempt.around(function)
        return self._layers.around(function, chain)

    def _put_around_async(
        self, function: Callable[Parameters, Awaitable[Result]], chain: Chain | None = None
    ) -> Callable[Parameters, Awaitable[Result]]:
        if self._attempt is not None:
            function = self._attempt.around_async(function)
        return self._layers.around_async(function, chain)

    def _refuse(self, function: Callable[..., object], kind: str) -> TypeError:
        return TypeError(
            f"guard {self.name!r} cannot be put around {function!r}, {kind}: it would end before "
            "its work begins; expected a plain function, or for a coroutine function the decorator "
            "or call_async"
        )
