// @vitest-environment jsdom

import {cleanup, fireEvent, render, screen, within} from '@testing-library/react'
import type {InterruptEvent} from '@unspool/client'
import {afterEach, describe, expect, it, vi} from 'vitest'
import {Interrupts} from '../src/chat/Interrupts.js'

afterEach(cleanup)

function asked(...values: unknown[]) {
  const onAnswer = vi.fn()
  const interrupts: InterruptEvent[] = values.map((value, index) => ({
    type: 'interrupt',
    interrupt_id: `i${index}`,
    value
  }))
  render(<Interrupts interrupts={interrupts} onAnswer={onAnswer} />)
  return onAnswer
}

describe('a question of the agent', () => {
  it('of yes or no is answered by true or false', () => {
    const onAnswer = asked('May I go on?')
    fireEvent.click(screen.getByRole('button', {name: 'Reject'}))
    expect(onAnswer.mock.calls).toEqual([[{answer: false}]])
  })

  it('is answered in words', () => {
    const onAnswer = asked('Why?')
    fireEvent.change(screen.getByLabelText('Your answer'), {target: {value: '12'}})
    fireEvent.click(screen.getByRole('button', {name: 'Answer'}))
    expect(onAnswer.mock.calls).toEqual([[{answer: '12'}]])
  })

  it('is answered by JSON, and not by what only looks like it', () => {
    const onAnswer = asked('Why?')
    fireEvent.click(screen.getByLabelText('as JSON'))
    fireEvent.change(screen.getByLabelText('Your answer'), {target: {value: '{"a":'}})
    fireEvent.click(screen.getByRole('button', {name: 'Answer'}))
    expect(screen.getByText('This is not JSON.')).toBeTruthy()
    fireEvent.change(screen.getByLabelText('Your answer'), {target: {value: '{"a": 1}'}})
    fireEvent.click(screen.getByRole('button', {name: 'Answer'}))
    expect(onAnswer.mock.calls).toEqual([[{answer: {a: 1}}]])
  })

  it('with others is answered when all are', () => {
    const onAnswer = asked({question: 'Which?', options: ['a', 'b']}, 'Shall I?')
    fireEvent.click(screen.getByRole('button', {name: 'b'}))
    expect(onAnswer).not.toHaveBeenCalled()
    fireEvent.click(screen.getByRole('button', {name: 'Approve'}))
    expect(onAnswer.mock.calls).toEqual([[{answers: {i0: 'b', i1: true}}]])
  })
})

describe('calls that wait for a person', () => {
  const value = {
    action_requests: [
      {name: 'send', args: {to: 'a'}},
      {name: 'wipe', args: {}},
      {name: 'move', args: {by: 1}}
    ]
  }

  it('are each decided, and sent together in the form that the middleware takes', () => {
    const onAnswer = asked(value)
    const send = screen.getByRole('button', {name: 'Send decisions'})
    fireEvent.click(within(screen.getByRole('group', {name: 'send'})).getByLabelText('Approve'))
    fireEvent.click(within(screen.getByRole('group', {name: 'wipe'})).getByLabelText('Reject'))
    fireEvent.change(screen.getByLabelText('Why not'), {target: {value: 'too early'}})
    expect(send).toHaveProperty('disabled', true)
    fireEvent.click(within(screen.getByRole('group', {name: 'move'})).getByLabelText('Edit'))
    const args = screen.getByLabelText('Arguments of move, as JSON')
    fireEvent.change(args, {target: {value: '{"by": '}})
    expect(send).toHaveProperty('disabled', true)
    fireEvent.change(args, {target: {value: '{"by": 2}'}})
    fireEvent.click(send)
    expect(onAnswer.mock.calls).toEqual([
      [
        {
          answer: {
            decisions: [
              {type: 'approve'},
              {type: 'reject', message: 'too early'},
              {type: 'edit', edited_action: {name: 'move', args: {by: 2}}}
            ]
          }
        }
      ]
    ])
  })
})
