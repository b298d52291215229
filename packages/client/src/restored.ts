import type {Message, Part, Step, Transcript, Usage} from './transcript.js'

/** A transcript as the server sends it leaves out what is at its default. Puts that in. */
export function restoredTranscript(wire: Transcript): Transcript {
  const {messages, steps, data, interrupts, usage, ...rest} = wire as Partial<Transcript> & Transcript
  return {
    ...rest,
    attempt: rest.attempt ?? 1,
    messages: (messages ?? []).map(restoredMessage),
    steps: (steps ?? []).map((step: Step) => ({...step, done: step.done ?? false})),
    data: data ?? [],
    interrupts: interrupts ?? [],
    ...(usage && {usage: {...NO_USAGE, ...usage}})
  }
}

const NO_USAGE: Usage = {input_tokens: 0, output_tokens: 0, total_tokens: 0, reasoning_tokens: 0, cached_tokens: 0}

function restoredMessage(message: Message): Message {
  return {...message, complete: message.complete ?? false, parts: message.parts.map(restoredPart)}
}

function restoredPart(part: Part): Part {
  if (part.type === 'text') return {...part, kind: part.kind ?? 'text'}
  if (part.type === 'tool') return {...part, status: part.status ?? 'calling', args_text: part.args_text ?? ''}
  return part
}
