/** What a conversation is called. */

import {Fold, textOf} from '@unspool/client'

const CHARACTERS = 80

/** The first 80 characters of the first line that the user wrote in this input. Null: it shows no text. */
export function titleOf(input: unknown): string | null {
  const fold = new Fold()
  fold.fold({seq: 1, at: 0, event: {type: 'start', run_id: '', source: '', created_at: 0, input}})
  for (const message of fold.transcript().messages) {
    const line =
      message.role === 'user'
        ? textOf(message)
            .trim()
            .split(/\r\n|\r|\n/)[0]
        : ''
    if (line) return Array.from(line).slice(0, CHARACTERS).join('').trimEnd()
  }
  return null
}
