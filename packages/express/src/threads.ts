/** Runs that take the place of others, or answer them: `spec/PROTOCOL.md`, section 6. */

import {conflict, InvalidInput, runNotFound} from './errors.js'
import type {LoggedRun, NewRun} from './log.js'

/**
 * Marks the run that `next` replaces, and all that follow it in its thread.
 *
 * @param target The run that it names, if there is one.
 * @param thread All runs of the thread of `next`, oldest first.
 * @throws {Refusal} It may not. Nothing has changed then.
 */
export function markReplaced(target: LoggedRun | undefined, next: NewRun, thread: readonly LoggedRun[]): void {
  const {threadId, replaces} = next.request
  if (target?.owner !== next.owner) throw runNotFound(String(replaces))
  if (threadId === undefined || target.request.threadId !== threadId) {
    throw new InvalidInput('`replaces` must name a run of the same thread; give its `thread_id`')
  }
  if (target.replaced) {
    throw conflict('the run to replace was replaced before; look at the thread again')
  }
  const voided = thread.slice(thread.indexOf(target))
  if (!voided.every(run => run.ended)) {
    throw conflict('the run to replace, or one after it, has not ended; cancel it first')
  }
  for (const run of voided) run.replaced = true
}

/**
 * The run of `thread` that carries the answer of `next` already, if one does.
 *
 * @throws {Refusal} Another answer was given.
 */
export function answered({request, hash}: NewRun, thread: readonly LoggedRun[]): LoggedRun | undefined {
  const answers = kept(thread).filter(({request: {resumes}}) => resumes === request.resumes)
  const given = answers.findLast(({status}) => status !== 'failed' && status !== 'cancelled')
  if (given && given.hash !== hash) throw conflict('the run was answered already, in another way')
  return given
}

/** The runs that count: without those that were replaced. */
export function kept(thread: readonly LoggedRun[]): LoggedRun[] {
  return thread.filter(run => !run.replaced)
}
