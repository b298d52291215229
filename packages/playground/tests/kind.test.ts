import {describe, expect, it} from 'vitest'
import {examplesOf, hasFields, isChat} from '../src/chat/kind.js'

describe('an agent is a chat', () => {
  it.each([
    undefined,
    {},
    {type: 'string'},
    {type: ['string', 'null']},
    {type: 'object', properties: {messages: {type: 'array'}, context: {type: 'string'}}},
    {anyOf: [{type: 'string'}, {type: 'object', properties: {question: {}}}]},
    {$ref: '#/$defs/State', $defs: {State: {properties: {messages: {}}}}},
    {$ref: '#/$defs/A~1B', $defs: {'A/B': {type: 'string'}}}
  ])('where text is an input: %j', schema => {
    expect(isChat(schema)).toBe(true)
  })

  it.each([
    {type: 'object', properties: {city: {type: 'string'}}},
    {type: 'object'},
    {type: 'number'},
    {$ref: '#/$defs/Trip', $defs: {Trip: {type: 'object', properties: {city: {}}}}},
    {anyOf: [{type: 'number'}, {type: 'object', properties: {city: {}}}]}
  ])('and not where it is none: %j', schema => {
    expect(isChat(schema)).toBe(false)
  })

  it('also by a reference that leads in circles, which nothing can be said of', () => {
    expect(isChat({$ref: '#/$defs/A', $defs: {A: {$ref: '#/$defs/A'}}})).toBe(true)
  })
})

describe('a schema', () => {
  it('has examples where they are texts', () => {
    expect(examplesOf({examples: ['a', {b: 1}, 'c']})).toEqual(['a', 'c'])
    expect(examplesOf({})).toEqual([])
  })

  it('has fields where there is something to fill in', () => {
    expect(hasFields({type: 'object', properties: {a: {}}})).toBe(true)
    expect(hasFields({type: 'object', properties: {}})).toBe(false)
    expect(hasFields({})).toBe(false)
  })
})
