/** Runs and threads as JSON. Times are seconds since the Unix epoch. */

import {type Message, type Transcript, textOf} from '@unspool/client'
import type {LoggedRun} from './log.js'
import {kept} from './threads.js'
import {transcriptOf, wireMessage, wireTranscript, wireUsage} from './transcript.js'

type Plain = Record<string, unknown>

/** A run without what would have to be read from its log. */
export function brief(run: LoggedRun, source: string): Plain {
  const {threadId, replaces} = run.request
  return {
    id: run.id,
    source,
    status: run.status,
    created_at: run.createdAt,
    first_seq: run.firstSeq,
    last_seq: run.lastSeq,
    ...(threadId !== undefined && {thread_id: threadId}),
    ...(run.endedAt !== undefined && {ended_at: run.endedAt}),
    ...(run.cancelRequested && {cancel_requested: true}),
    ...(replaces !== undefined && {replaces}),
    ...(run.replaced && {replaced: true})
  }
}

/** A run with what its events say. */
export function full(run: LoggedRun, source: string, withTranscript: boolean): Plain {
  const transcript = transcriptOf(run)
  const feedback = [...run.feedback.values()].sort((a, b) => (a.key < b.key ? -1 : 1))
  const {config, answer: answers} = run.request
  return {
    ...brief(run, source),
    ...(Object.keys(config).length && {config}),
    ...(answers && {answers}),
    ...said(transcript),
    ...(transcript.metrics && {metrics: transcript.metrics}),
    ...(feedback.length && {feedback}),
    ...(withTranscript && {transcript: wireTranscript(transcript)})
  }
}

/** What `/invoke` answers. */
export function invoked(run: LoggedRun, transcript: Transcript): Plain {
  const {threadId} = run.request
  return {run_id: run.id, status: run.status, ...(threadId !== undefined && {thread_id: threadId}), ...said(transcript)}
}

function said({output, error, usage, interrupts, state, messages, status}: Transcript): Plain {
  // A run that goes on has no output yet: what it has said so far stands for it.
  const shown = output ?? (status === 'running' ? (state ?? lastText(messages)) : undefined)
  return {
    ...(shown !== undefined && shown !== null && {output: shown}),
    ...(error && {error}),
    ...(usage && {usage: wireUsage(usage)}),
    ...(interrupts.length && {interrupts})
  }
}

function lastText(messages: readonly Message[]): string | undefined {
  const last = messages.filter(({role}) => role === 'assistant').at(-1)
  return (last && textOf(last)) || undefined
}

const NEWEST = 200

/** A conversation: its newest 200 runs, oldest first, and the messages of those of them that were not replaced. */
export function threadView(id: string, runs: readonly LoggedRun[], source: string, withTranscripts: boolean): Plain {
  const newest = runs.slice(-NEWEST)
  const counted = new Map(kept(newest).map(run => [run, transcriptOf(run)]))
  return {
    id,
    title: titleIn(runs),
    runs: newest.map(run => {
      const transcript = withTranscripts ? counted.get(run) : undefined
      return {...brief(run, source), ...(transcript && {transcript: wireTranscript(transcript)})}
    }),
    messages: [...counted.values()].flatMap(({messages}) => messages.map(wireMessage))
  }
}

/** A line of the list of conversations. `runs`: oldest first, at least one. */
export function threadSummary(id: string, runs: readonly [LoggedRun, ...LoggedRun[]]): Plain {
  const last = runs.at(-1) ?? runs[0]
  return {
    id,
    title: titleIn(runs),
    runs: runs.length,
    created_at: runs[0].createdAt,
    updated_at: last.createdAt,
    last_run_id: last.id,
    last_status: last.status
  }
}

/** That of the first run that counts. */
function titleIn(runs: readonly LoggedRun[]): string | null {
  return (kept(runs)[0] ?? runs[0])?.title ?? null
}
