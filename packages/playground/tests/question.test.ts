import {describe, expect, it} from 'vitest'
import {questionOf} from '../src/chat/question.js'

describe('what an interrupt asks', () => {
  it.each(['May I send it?', 'Approve this plan?', 'should we go on ?', 'Is it\nright?'])('is yes or no: %s', text => {
    expect(questionOf(text)).toEqual({kind: 'confirm', text})
  })

  it.each(['Why?', 'What is your name?', 'Tell me more.', 'Can do.'])('is open: %s', text => {
    expect(questionOf(text)).toEqual({kind: 'open', text})
  })

  it('is yes or no where the value says so', () => {
    expect(questionOf(true).kind).toBe('confirm')
    expect(questionOf({type: 'confirm', message: 'The plan is ready.', plan: ['a']})).toEqual({
      kind: 'confirm',
      text: 'The plan is ready.',
      detail: {plan: ['a']}
    })
  })

  it('is a choice where the value has options', () => {
    const value = {question: 'Which?', options: ['a', 2, {label: 'Third', value: 'c'}, {id: 4, title: 'Fourth'}]}
    expect(questionOf(value)).toEqual({
      kind: 'choice',
      text: 'Which?',
      options: [
        {label: 'a', value: 'a'},
        {label: '2', value: 2},
        {label: 'Third', value: 'c'},
        {label: 'Fourth', value: 4}
      ]
    })
  })

  it('is a review where calls wait for a person', () => {
    const value = {
      action_requests: [
        {name: 'send', args: {to: 'a'}, description: 'A mail'},
        {name: 'wipe', args: {}}
      ],
      review_configs: [{action_name: 'wipe', allowed_decisions: ['reject', 'approve']}]
    }
    expect(questionOf(value)).toMatchObject({
      kind: 'review',
      actions: [
        {name: 'send', args: {to: 'a'}, description: 'A mail', decisions: ['approve', 'edit', 'reject']},
        {name: 'wipe', decisions: ['approve', 'reject']}
      ]
    })
  })

  it('is open for whatever else it is, and shows that', () => {
    expect(questionOf({a: 1})).toEqual({kind: 'open', text: 'The agent waits for you.', detail: {a: 1}})
    expect(questionOf([1])).toMatchObject({kind: 'open', detail: [1]})
    expect(questionOf(undefined)).toEqual({kind: 'open', text: 'The agent waits for you.'})
  })
})
