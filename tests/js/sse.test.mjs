import assert from 'node:assert/strict'
import {readFileSync} from 'node:fs'
import {test} from 'node:test'
import {SseReader} from '../../src/unspool/web/page/sse.js'

const cases = JSON.parse(readFileSync(new URL('../../spec/fixtures/sse.json', import.meta.url), 'utf8')).cases

/** @param {Uint8Array[]} chunks */
function read(chunks) {
  const reader = new SseReader()
  return chunks.flatMap(chunk => reader.feed(chunk))
}

for (const {name, stream, frames} of cases) {
  test(`${name}, cut at every byte`, () => {
    const bytes = new TextEncoder().encode(stream)
    const expected = frames.map(({id, data}) => ({id, data}))
    for (let at = 0; at <= bytes.length; at += 1) {
      assert.deepEqual(read([bytes.slice(0, at), bytes.slice(at)]), expected, `cut at ${at}`)
    }
    assert.deepEqual(read(Array.from(bytes, byte => Uint8Array.of(byte))), expected, 'byte by byte')
  })
}
