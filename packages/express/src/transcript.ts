/** What a run's records fold into, and how that is written: what is at its default is left out. */

import {Fold, type KnownEvent, type Message, type Transcript} from '@unspool/client'
import type {LoggedRun} from './log.js'

/** Folds what the log holds of a run. Empty where retention took it. A patch that does not fit changes nothing. */
export function transcriptOf(run: LoggedRun): Transcript {
  const fold = new Fold()
  for (const {seq, at, data} of run.records) {
    try {
      fold.fold({seq, at, event: JSON.parse(data) as KnownEvent})
    } catch {
      // The fold is behind this record already.
    }
  }
  return fold.transcript()
}

type Plain = Record<string, unknown>

/** A transcript as it is sent. */
export function wireTranscript(transcript: Transcript): Plain {
  const {messages, steps, data, interrupts, attempt, usage, ...rest} = transcript
  return {
    ...filled(rest),
    messages: messages.map(wireMessage),
    ...(attempt !== 1 && {attempt}),
    ...(steps.length && {steps: steps.map(step => without(step, {done: false}))}),
    ...(data.length && {data}),
    ...(interrupts.length && {interrupts}),
    ...(usage && {usage: wireUsage(usage)})
  }
}

export function wireMessage({parts, ...message}: Message): Plain {
  return {
    ...without(message, {complete: false}),
    parts: parts.map(part => without(part, {kind: 'text', status: 'calling', args_text: ''}))
  }
}

export function wireUsage(usage: NonNullable<Transcript['usage']>): Plain {
  const tokens = {input_tokens: 0, output_tokens: 0, total_tokens: 0, reasoning_tokens: 0, cached_tokens: 0}
  return {type: 'usage', ...without(usage, tokens)}
}

function filled(value: object): Plain {
  return without(value, {})
}

function without(value: object, defaults: Plain): Plain {
  const entries = Object.entries(value).filter(
    ([key, item]) => item !== undefined && item !== null && !(Object.hasOwn(defaults, key) && defaults[key] === item)
  )
  return Object.fromEntries(entries)
}
