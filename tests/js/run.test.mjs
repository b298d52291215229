import assert from 'node:assert/strict'
import {readFileSync} from 'node:fs'
import {test} from 'node:test'
import {Run} from '../../src/unspool/web/page/run.js'

const cases = JSON.parse(readFileSync(new URL('../../spec/fixtures/transcript.json', import.meta.url), 'utf8')).cases

/** What the page shows of a part, in the words of the fixtures. */
function shown(part) {
  return part.kind === 'tool' ? {type: 'tool', name: part.name} : {type: 'text', kind: part.kind, text: part.text}
}

/** The same of a part in a fixture. */
function wanted(part) {
  return part.type === 'tool'
    ? {type: 'tool', name: part.name}
    : {type: 'text', kind: part.kind ?? 'text', text: part.text}
}

for (const {name, events, transcript} of cases) {
  test(`${name} folds as the specification says`, () => {
    const run = new Run('run')
    events.forEach((event, index) => {
      run.fold(index + 1, event)
      run.fold(index + 1, event)
    })
    const said = transcript.messages
      .filter(message => message.role === 'assistant')
      .map(message => message.parts.filter(part => part.type === 'text' || part.type === 'tool').map(wanted))
    assert.deepEqual(
      [...run.messages.values()].map(message => message.parts.map(shown)),
      said
    )
    assert.equal(run.status, transcript.status)
  })
}
