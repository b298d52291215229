import {type ErrorCode, UnspoolError} from '@unspool/client'
import type {Turn} from '@unspool/client/chat'

/** What is shown of something that went wrong. */
export interface Problem {
  /** Of this client, or of a later version of the server. */
  readonly code: string
  readonly message: string
  readonly recoverable: boolean
  /** Milliseconds. */
  readonly retryAfter?: number | undefined
  readonly errorId?: string | undefined
}

/** Why a turn failed, or why following it was given up. A turn that was restored has it in its transcript only. */
export function problemOf({problem, transcript}: Turn): Problem | undefined {
  if (problem) return problem
  const {error} = transcript
  return (
    error && {code: error.code, message: error.message, recoverable: error.retryable ?? false, errorId: error.error_id}
  )
}

export function problemFrom(error: unknown): Problem {
  if (error instanceof UnspoolError) return error
  return {code: 'internal', message: error instanceof Error ? error.message : String(error), recoverable: true}
}

const TITLES: Partial<Record<ErrorCode, string>> = {
  network: 'The server cannot be reached',
  timeout: 'It took too long',
  parse: 'What the server sent makes no sense',
  auth: 'The server wants to know who asks',
  rate_limit: 'Too many requests',
  not_found: 'That is not there',
  validation: 'The agent cannot take this',
  conflict: 'This is not possible now',
  overloaded: 'The server has too much to do',
  provider: 'The model’s provider failed',
  cancelled: 'Stopped',
  lost: 'The run was lost',
  internal: 'Something went wrong on the server'
}

export function titleOf({code}: Problem): string {
  return TITLES[code as ErrorCode] ?? 'It failed'
}
