import {describe, expect, it} from 'vitest'
import {formatRoute, parseRoute} from '../src/route.js'

describe('the address of a place', () => {
  it.each([
    [{}, '#'],
    [{agent: 'agent'}, '#agent'],
    [{agent: 'agent', thread: 't-1'}, '#agent/t-1'],
    [{agent: 'agent', thread: 't-1', run: 'r'}, '#agent/t-1?run=r'],
    [{agent: 'agent', run: 'r'}, '#agent?run=r'],
    [{agent: 'a/b ?#ü', thread: 'x'}, '#a%2Fb%20%3F%23%C3%BC/x']
  ])('is read as it was written: %j', (route, hash) => {
    expect(formatRoute(route)).toBe(hash)
    expect(parseRoute(hash)).toEqual(route)
  })

  it('may be nonsense', () => {
    expect(parseRoute('#%E0%A4%A')).toEqual({agent: '%E0%A4%A'})
    expect(parseRoute('')).toEqual({})
    expect(parseRoute('#//?run=')).toEqual({})
  })
})
