/** An agent on Express: it answers, remembers the conversation, and asks before it does what cannot be undone. */

import {createAgent} from '@unspool/express'
import express from 'express'

/** Put your model here: anything that yields text. `signal` is aborted when the run is stopped. */
async function* model(question, messages, signal) {
  const answer = `You have asked ${messages.length / 2 + 1} times. This time: ${question}`
  for (const word of answer.split(/(?= )/)) {
    if (signal.aborted) return
    yield word
    await new Promise(resolve => setTimeout(resolve, 30))
  }
}

async function* assistant({input, history, signal, resumes, answer}) {
  if (resumes) {
    yield answer.delete === 'yes' ? 'It is deleted.' : 'It is kept.'
  } else if (input === 'delete') {
    yield {type: 'interrupt', interrupt_id: 'delete', value: {question: 'Really?', options: ['yes', 'no']}}
  } else {
    yield* model(input, history, signal)
  }
}

export const agent = createAgent(assistant, {name: 'assistant', schemas: {input: {type: 'string'}}})
export const app = express().use('/agent', agent.router)
