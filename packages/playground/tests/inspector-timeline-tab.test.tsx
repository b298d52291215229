// @vitest-environment jsdom
import {cleanup, fireEvent, render, screen, within} from '@testing-library/react'
import type {KnownEvent} from '@unspool/client'
import {afterEach, expect, test} from 'vitest'
import {RunLog} from '../src/inspector/run-log.js'
import {TimelineTab} from '../src/inspector/TimelineTab.js'
import {end, records, start, token} from './inspector-records.js'

afterEach(cleanup)

function logOf(...events: Parameters<typeof records>): RunLog {
  const log = new RunLog()
  for (const record of records(...events)) log.add(record)
  return log
}

test('what a retry took back is there, and is told from what counts', () => {
  const log = logOf(
    [0, start],
    [1, token('lost')],
    [2, {type: 'retry', attempt: 2, reason: 'overloaded', keep_seq: 1}],
    [3, token('kept')],
    [5, end()]
  )
  const {container} = render(<TimelineTab log={log} version={1} />)
  const bars = screen.getAllByRole('button', {name: /assistant/})
  expect(bars.map(bar => bar.textContent)).toEqual([
    'assistant message 1 s from +1.000 s, void: a retry took it back',
    'assistant message 2 s from +3.000 s, done'
  ])
  expect(container.querySelectorAll('.insp-is-void')).toHaveLength(1)
  expect(container.querySelector('.insp-mark.insp-retry')?.getAttribute('title')).toBe('Attempt 2: overloaded')
})

test('the table has the bars and the marks in words', async () => {
  const error: KnownEvent = {type: 'error', code: 'provider', message: 'no'}
  render(<TimelineTab log={logOf([0, start], [1, token('x')], [2, error], [2, end('failed')])} version={1} />)
  fireEvent.click(screen.getByText('Table'))
  const rows = within(await screen.findByRole('table')).getAllByRole('row')
  expect(rows.slice(1).map(row => [...row.children].map(cell => cell.textContent))).toEqual([
    ['assistant', 'message', '–', '+1.000', '1 s', 'cut off'],
    ['provider: no', 'error', '–', '+2.000', '–', '–']
  ])
})

test('a run without steps, messages or tools says so', () => {
  render(<TimelineTab log={logOf([0, start], [1, end()])} version={1} />)
  expect(screen.getByText('Nothing in this run took time.')).toBeTruthy()
})
