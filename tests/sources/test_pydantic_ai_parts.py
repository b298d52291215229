"""The parts of a Pydantic AI response, one by one: texts and citations, thoughts, calls, files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import pytest
from pydantic_ai import Agent, BinaryContent, BinaryImage
from pydantic_ai.capabilities import NativeTool
from pydantic_ai.messages import (
    AgentStreamEvent,
    AudioUrl,
    ContentCitationAnchor,
    DocumentUrl,
    FunctionToolCallEvent,
    FunctionToolResultEvent,
    ImageUrl,
    ModelResponse,
    NativeToolCallPart,
    NativeToolReturnPart,
    PartEndEvent,
    PartStartEvent,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UploadedFile,
    VideoUrl,
    WebCitationSource,
)
from pydantic_ai.messages import (
    Citation as SdkCitation,
)
from pydantic_ai.models.test import TestModel
from pydantic_ai.native_tools import ImageGenerationTool, WebSearchTool
from pydantic_ai.usage import RequestUsage

from tests.sources.test_pydantic_ai import responses_model, told
from unspool.errors import InvalidInput
from unspool.events import (
    Citation,
    File,
    Message,
    MessageEnd,
    MessageStart,
    Reasoning,
    ToolArgs,
    ToolCall,
    ToolEnd,
    ToolPart,
    ToolStart,
    Usage,
)
from unspool.sources import Call
from unspool.sources.base import Past
from unspool.sources.conversation import NOT_COMPLETED
from unspool.sources.ids import Ids
from unspool.sources.pydantic_ai.events import PydanticTranslation
from unspool.sources.pydantic_ai.messages import asked_of, history_of
from unspool.sources.pydantic_ai.parts import arguments, file_events, result_of
from unspool.sources.pydantic_ai.source import pydantic_agent
from unspool.testing import FakeOpenAI
from unspool.testing.script import Cite, Picture, Say, Search, Think, Turn


def translated(*items: AgentStreamEvent, translation: PydanticTranslation | None = None) -> list[Any]:
    translation = translation or PydanticTranslation(Ids("run-1"))
    return [event for item in items for event in translation.feed(item)]


def cited(start: int, end: int) -> list[SdkCitation]:
    source = WebCitationSource("https://a.example", title="A", excerpts=["one", "two"])
    return [SdkCitation([source], anchor=ContentCitationAnchor(start=start, end=end))]


async def test_thoughts_that_follow_one_another_are_apart() -> None:
    with FakeOpenAI([Think("one"), Think("two"), Say("a")]) as server:
        async with responses_model(server) as model:
            events = await told(pydantic_agent(Agent(model)))
    assert "".join(event.text for event in events if isinstance(event, Reasoning)) == "one\n\ntwo"


def test_a_part_that_replaces_another_one_of_the_same_call_does_not_begin_it_again() -> None:
    translation = PydanticTranslation(Ids("run-1"))
    part = ToolCallPart("f", None, "c1")
    events = [event for _ in range(2) for event in translation.feed(PartStartEvent(index=0, part=part))]
    assert events == [MessageStart("run-1-1"), ToolStart("c1", "f", "run-1-1")]


async def test_what_a_provider_searches_and_cites_is_carried() -> None:
    turn: Turn = [
        Say("So", ": "),
        Search("weather", "https://a.example"),
        Say("Sunny, ", "they say."),
        Cite("https://a.example", "A", 0, 5),
    ]
    with FakeOpenAI(turn) as server:
        async with responses_model(server) as model:
            events = await told(pydantic_agent(Agent(model, capabilities=[NativeTool(WebSearchTool())])))
    starts = [event for event in events if isinstance(event, ToolStart)]
    assert [(start.name, start.message_id) for start in starts] == [("web_search", "run-1-1")]
    assert [type(event) for event in events if getattr(event, "call_id", None) == starts[0].call_id] == [
        ToolStart,
        ToolArgs,
        ToolCall,
        ToolEnd,
    ]
    assert [event for event in events if isinstance(event, Citation)] == [
        Citation("run-1-1", "https://a.example", "A", start=4, end=9)
    ]


async def test_arguments_that_come_whole_and_files_of_tools_are_carried() -> None:
    model = TestModel(call_tools=["draw"], custom_output_text="here")
    agent: Agent[None, str] = Agent(model)

    @agent.tool_plain
    async def draw(size: int) -> list[Any]:
        return ["a dot" if size == 0 else "", BinaryContent(b"png", media_type="image/png")]

    events = await told(pydantic_agent(agent))
    call = next(event for event in events if isinstance(event, ToolStart)).call_id
    assert [event for event in events if isinstance(event, ToolArgs | ToolCall | ToolEnd | File)] == [
        ToolArgs(call, '{"size":0}'),
        ToolCall(call, "draw", {"size": 0}),
        ToolEnd(call, "a dot"),
        File("image/png", data="cG5n"),
    ]


async def test_a_picture_is_a_file_and_not_the_output_as_well() -> None:
    with FakeOpenAI([Picture("cG5n")]) as server:
        async with responses_model(server, "gpt-5") as model:
            draw = NativeTool(ImageGenerationTool())
            events = await told(pydantic_agent(Agent(model, output_type=BinaryImage, capabilities=[draw])))
    assert [event for event in events if isinstance(event, File)] == [File("image/png", "run-1-1", data="cG5n")]
    assert events[-1] == MessageEnd("run-1-1", "stop")


def test_a_text_may_have_its_citations_from_its_start_and_each_message_counts_from_its_own() -> None:
    call = ToolCallPart("f", None, "c1")
    events = translated(
        PartStartEvent(index=0, part=TextPart("abc")),
        PartStartEvent(index=1, part=call),
        FunctionToolCallEvent(part=call),
        FunctionToolResultEvent(part=ToolReturnPart("f", "x", "c1")),
        PartStartEvent(index=0, part=TextPart("So: ")),
        PartStartEvent(index=1, part=TextPart("sunny", citations=cited(0, 5))),
    )
    assert [event for event in events if isinstance(event, Citation)] == [
        Citation("run-1-2", "https://a.example", "A", "one\ntwo", 4, 9)
    ]


def thought(*parts: ThinkingPart | TextPart, translation: PydanticTranslation | None = None) -> str:
    translation = translation or PydanticTranslation(Ids("run-1"))
    starts: list[AgentStreamEvent] = []
    for index, part in enumerate(parts):
        before = parts[index - 1].part_kind if index else None
        starts.append(PartStartEvent(index=index, part=part, previous_part_kind=before))
    events = translated(*starts, translation=translation)
    return "".join(event.text for event in events if isinstance(event, Reasoning))


def test_thoughts_are_apart_only_where_one_follows_another_that_said_something() -> None:
    assert thought(ThinkingPart("one"), ThinkingPart("two")) == "one\n\ntwo"
    assert thought(ThinkingPart("one"), TextPart("a"), ThinkingPart("two")) == "onetwo"
    assert thought(ThinkingPart(""), ThinkingPart("two")) == "two"


def test_what_one_message_thought_does_not_count_in_the_next() -> None:
    translation = PydanticTranslation(Ids("run-1"))
    assert thought(ThinkingPart("one"), translation=translation) == "one"
    translated(PartEndEvent(index=0, part=ThinkingPart("one")), translation=translation)
    assert thought(ThinkingPart(""), ThinkingPart("two"), translation=translation) == "two"


def test_a_call_of_the_provider_that_is_answered_before_its_part_ends_is_not_called_after_that() -> None:
    call = NativeToolCallPart("web_search", {"query": "x"}, "c1")
    events = translated(
        PartStartEvent(index=0, part=call),
        PartStartEvent(index=1, part=NativeToolReturnPart("web_search", "found", "c1")),
        PartEndEvent(index=0, part=call),
    )
    assert [type(event) for event in events[:3]] == [MessageStart, ToolStart, ToolEnd]
    assert not [event for event in events if isinstance(event, ToolCall)]


def test_a_call_is_answered_once() -> None:
    call = ToolCallPart("f", "{}", "c1")
    answer = FunctionToolResultEvent(part=ToolReturnPart("f", "x", "c1"))
    events = translated(PartStartEvent(index=0, part=call), FunctionToolCallEvent(part=call), answer, answer)
    assert [event for event in events if isinstance(event, ToolEnd)] == [ToolEnd("c1", "x")]


def test_a_response_is_counted_once_also_where_the_messages_of_the_run_are_rewritten() -> None:
    response = ModelResponse(parts=[TextPart("a")], usage=RequestUsage(input_tokens=1), model_name="m")
    messages: list[list[ModelResponse]] = [[response], [], [response], [response, response]]
    translation = PydanticTranslation(Ids("run-1"), messages=lambda: messages.pop(0))
    said: list[int] = []
    while messages:
        events = [*translation.feed(PartStartEvent(index=0, part=TextPart("a"))), *translation.end()]
        said.append(len([event for event in events if isinstance(event, Usage)]))
    assert said == [1, 0, 0, 1]


@pytest.mark.parametrize(
    ("args", "found"),
    [(None, {}), ("", {}), ("{}", {}), ('{"a":', '{"a":'), ({"a": 1}, {"a": 1}), ("[" * 5000, "[" * 5000)],
)
def test_arguments_are_json_or_else_the_models_own_text(args: Any, found: Any) -> None:
    assert arguments(ToolCallPart("f", args, "c1")) == found


PNG = BinaryContent(b"png", media_type="image/png")
LIKE_PNG = {"kind": "binary", "data": "cG5n", "media_type": "image/png"}


@pytest.mark.parametrize(
    ("content", "result"),
    [
        ([PNG], None),
        (["a", PNG], "a"),
        (["a", PNG, "b"], ["a", "b"]),
        ("a", "a"),
        ([LIKE_PNG, PNG], LIKE_PNG),
    ],
)
def test_what_a_tool_returned_is_told_without_its_files(content: Any, result: Any) -> None:
    assert result_of(ToolReturnPart("f", content, "c1")) == result


def test_a_file_is_carried_unless_only_the_provider_has_it() -> None:
    files: Sequence[Any] = [PNG, ImageUrl("https://a.example/b.png"), UploadedFile("f1", provider_name="openai")]
    assert list(file_events(files, "m")) == [
        File("image/png", "m", data="cG5n"),
        File("image/png", "m", url="https://a.example/b.png"),
    ]


# -- what the agent is told -----------------------------------------------------------------------------


def files_asked(*blocks: dict[str, Any]) -> list[Any]:
    call = Call(run_id="run-1", input={"messages": [{"role": "user", "content": list(blocks)}]})
    return list(cast("Any", asked_of(call)[0].parts[0]).content)


def test_a_file_has_the_type_that_its_data_or_its_address_says() -> None:
    png = "data:image/png;base64,cG5n"
    found = files_asked(
        {"type": "image", "url": png, "mime_type": "image/jpeg"},
        {"type": "image", "url": "data:;base64,cG5n", "mime_type": "image/jpeg"},
        {"type": "image", "url": "https://a.example/b.webp"},
        {"type": "file", "url": "https://a.example/b.pdf"},
        {"type": "audio", "url": "https://a.example/b", "mime_type": "audio/mpeg"},
        {"type": "video", "url": "https://a.example/b", "mime_type": "video/mp4"},
    )
    assert [(type(file), file.media_type) for file in found] == [
        (BinaryContent, "image/png"),
        (BinaryContent, "image/jpeg"),
        (ImageUrl, "image/webp"),
        (DocumentUrl, "application/pdf"),
        (AudioUrl, "audio/mpeg"),
        (VideoUrl, "video/mp4"),
    ]


def test_what_is_nearly_base64_is_refused() -> None:
    with pytest.raises(InvalidInput, match="not base64"):
        files_asked({"type": "image", "base64": "cG*5n", "mime_type": "image/png"})


def test_a_call_that_an_earlier_run_did_not_live_to_answer_has_failed() -> None:
    parts = [ToolPart(call_id=status, name="f", args={}, status=status) for status in ("running", "done")]
    said = [Message(id="1", role="assistant", parts=[*parts])]
    found = history_of([Past(run_id="run-0", status="failed", messages=said, kept=None)])
    answers = [part for message in found for part in message.parts if part.part_kind == "tool-return"]
    assert [(answer.tool_call_id, answer.outcome) for answer in answers] == [("running", "failed"), ("done", "success")]
    assert answers[0].content == NOT_COMPLETED
