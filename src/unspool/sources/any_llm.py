"""Any provider that any-llm knows, through its own SDK, behind one form: Mozilla's `any-llm-sdk`.

Checked with any-llm-sdk 1.40, which is imported when a source is made.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from unspool.closing import opened
from unspool.sources.base import Source
from unspool.sources.openai.chat import ChatSource

if TYPE_CHECKING:
    from any_llm import AnyLLM


def any_llm(
    model: str,
    *,
    provider: str | AnyLLM | None = None,
    instructions: str | None = None,
    name: str | None = None,
    accept_system: bool = False,
    api_key: str | None = None,
    api_base: str | None = None,
    client_args: dict[str, Any] | None = None,
    **params: Any,
) -> Source:
    """A model of any provider that any-llm knows, as a source.

    The provider's client is made once, here, and serves all calls. The thread so far is sent with each call. Tools
    that the model calls are shown, and not run.

    Args:
        model: ``"provider:model"``, or the model's name alone where ``provider`` is given.
        provider: Such as ``"openai"``, ``"mistral"`` or ``"ollama"``. Or an ``AnyLLM`` that was made already: then it,
            its client, and which exceptions it raises are yours.
        instructions: Sent as the first message, with the role ``system``.
        name: What to call the source, if not by its model.
        accept_system: Whether a client may send system messages of its own.
        api_key: Else it is what the provider's environment variable holds.
        api_base: The address of the provider's API, where it is not the usual one.
        client_args: What else the provider's client is made with, such as ``max_retries``.
        params: What else ``any_llm.acompletion`` takes, such as ``temperature``.

    Raises:
        ImportError: any-llm, or what it needs for the provider, is not installed.
        any_llm.exceptions.AnyLLMError: There is no such provider, or no key for it.
        TypeError: ``params`` holds ``messages`` or ``stream``.
    """
    from any_llm import AnyLLM

    if isinstance(provider, AnyLLM):
        llm = provider
    else:
        if provider is None:
            key, model = AnyLLM.split_model_provider(model)
        else:
            key = AnyLLM.resolve_provider_key(provider)
        # Else any-llm raises each provider's own exceptions, and warns each time that it will not go on doing so.
        llm = AnyLLM.create(key, api_key, api_base, **{"unified_exceptions": True, **(client_args or {})})
    ask = partial(_chunks, llm, model=model)
    return ChatSource(ask, params, instructions=instructions, name=name or model, accept_system=accept_system)


async def _chunks(llm: AnyLLM, **params: Any) -> AsyncGenerator[Any, None]:
    answer = cast("AsyncIterator[Any]", await llm.acompletion(**params))
    async with opened(answer) as chunks:
        async for chunk in chunks:
            yield chunk
