import type {Turn} from '@unspool/client/chat'
import {duration} from '../ui/time.js'

/** What a run has cost, in a few words: tokens, time to the first one, their rate, and all of its time. */
export function measuresOf({transcript, timing}: Turn): string[] {
  const {metrics, usage} = transcript
  const ttft = metrics?.ttft_ms ?? timing?.ttftMs
  const rate = metrics?.tokens_per_second ?? timing?.tokensPerSecond
  const elapsed = metrics?.elapsed_ms ?? timing?.elapsedMs
  const tokens = metrics?.tokens ?? timing?.tokens ?? 0
  const said: string[] = []
  if (usage) said.push(`${count(usage.input_tokens)} in, ${count(usage.output_tokens)} out`)
  else if (tokens > 0) said.push(tokens === 1 ? '1 token' : `${count(tokens)} tokens`)
  if (ttft !== undefined) said.push(`first after ${duration(ttft)}`)
  if (rate !== undefined) said.push(`${rate < 10 ? rate.toFixed(1) : count(Math.round(rate))} tokens/s`)
  if (elapsed !== undefined) said.push(duration(elapsed))
  if (usage?.model) said.push(usage.model)
  if (timing && timing.reconnects > 0)
    said.push(timing.reconnects === 1 ? '1 reconnect' : `${timing.reconnects} reconnects`)
  return said
}

const count = (value: number): string => value.toLocaleString('en')
