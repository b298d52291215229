import {expect, test} from 'vitest'
import {fieldOf, humanized, propertiesOf, variantOf} from '../src/forms/schema.js'
import {problemsOf} from '../src/forms/validate.js'
import {completed, fresh, withMember} from '../src/forms/value.js'
import {everything} from './forms-schema.js'

const properties = propertiesOf(everything)

function field(name: string) {
  return fieldOf(properties[name] ?? {}, everything)
}

test('each kind of schema has its field', () => {
  expect(Object.keys(properties).map(name => [name, field(name).kind, field(name).nullable])).toEqual([
    ['topic', 'text', false],
    ['n', 'integer', false],
    ['temperature', 'number', true],
    ['colour', 'choice', false],
    ['address', 'object', false],
    ['former', 'list', false],
    ['tags', 'list', false],
    ['extra', 'json', false],
    ['scores', 'json', false],
    ['pet', 'union', false],
    ['either', 'union', true],
    ['anything', 'json', false],
    ['literal', 'choice', false],
    ['pair', 'json', false],
    ['flag', 'boolean', false],
    ['maybe', 'boolean', true],
    ['tree', 'object', false]
  ])
})

test('what stands next to a reference goes before what it refers to', () => {
  const root = {$defs: {A: {type: 'string', title: 'A', description: 'a'}}}
  const {title, description} = fieldOf({$ref: '#/$defs/A', title: 'B'}, root)
  expect([title, description]).toEqual(['B', 'a'])
  expect(fieldOf({allOf: [{$ref: '#/$defs/A'}], title: 'C'}, root)).toMatchObject({kind: 'text', title: 'C'})
})

test('references that lead nowhere, or in a circle, or to another host are written as JSON', () => {
  const root = {$defs: {a: {$ref: '#/$defs/b'}, b: {$ref: '#/$defs/a'}}}
  for (const $ref of ['#/$defs/a', '#/$defs/none', 'https://example.org/schema', '#/__proto__/x']) {
    expect(fieldOf({$ref}, root).kind).toBe('json')
  }
})

test('types in a list, and constants as alternatives, are understood', () => {
  expect(fieldOf({type: ['string', 'null']}, {})).toMatchObject({kind: 'text', nullable: true})
  expect(fieldOf({type: ['string', 'integer']}, {})).toMatchObject({kind: 'union', nullable: false})
  expect(fieldOf({anyOf: [{const: 'a'}, {const: 2}]}, {})).toMatchObject({kind: 'choice', options: ['a', 2]})
  expect(fieldOf({enum: ['a', null]}, {})).toMatchObject({kind: 'choice', options: ['a'], nullable: true})
  expect(fieldOf({}, {}).kind).toBe('json')
})

test('the variant of a value is found by its constant, else by its type', () => {
  const pet = field('pet').variants
  expect([variantOf({kind: 'dog'}, pet, everything), variantOf({}, pet, everything)]).toEqual([1, 0])
  const either = field('either').variants
  expect([variantOf(1, either, everything), variantOf('1', either, everything)]).toEqual([0, 1])
})

test('required members get what they can only be; what may be left out is left out', () => {
  expect(completed(everything, undefined, everything)).toEqual({address: {}})
  const nights = {
    type: 'object',
    required: ['n', 'ok', 'maybe', 'list'],
    properties: {
      n: {type: 'integer', default: 2},
      ok: {type: 'boolean'},
      maybe: {anyOf: [{type: 'string'}, {type: 'null'}]},
      list: {type: 'array', items: {type: 'string'}}
    }
  }
  expect(completed(nights, undefined, nights)).toEqual({n: 2, ok: false, maybe: null, list: []})
  expect(completed(nights, {n: 5, other: 1}, nights)).toEqual({n: 5, other: 1, ok: false, maybe: null, list: []})
})

test('a schema that requires itself does not complete for ever', () => {
  const root = {type: 'object', required: ['next'], properties: {next: {$ref: '#'}}}
  expect(JSON.stringify(completed(root, undefined, root)).length).toBeLessThan(200)
})

test('a new value of a variant has its constant', () => {
  const [cat, dog] = field('pet').variants
  expect(fresh(cat ?? {}, everything)).toEqual({kind: 'cat'})
  expect(fresh(dog ?? {}, everything)).toEqual({kind: 'dog'})
  expect(fresh({type: 'string'}, {})).toBe('')
})

test('a member that is set again stays in its place, one that is unset is gone', () => {
  expect(Object.keys(withMember({a: 1, b: 2}, 'a', 3))).toEqual(['a', 'b'])
  expect(withMember({a: 1, b: 2}, 'a', undefined)).toEqual({b: 2})
  expect(withMember(undefined, 'a', 1)).toEqual({a: 1})
})

test('each problem is told at its member, in words', () => {
  const value = {
    topic: '',
    n: 11,
    address: {street: 'x', zip: '12'},
    tags: ['a', 'a'],
    scores: {a: 'high'},
    pet: {kind: 'dog'},
    either: 1.5,
    pair: [1],
    temperature: null
  }
  expect(problemsOf(everything, value, everything).map(({pointer, message}) => [pointer, message])).toEqual([
    ['/topic', 'This must not be empty.'],
    ['/n', 'This must be at most 10.'],
    ['/address/zip', 'This must match the pattern ^\\d{5}$.'],
    ['/tags', 'No two may be the same.'],
    ['/scores', 'a: Instance type "string" is invalid. Expected "number".'],
    ['/pet/name', 'This is required.'],
    ['/either', 'This must be a whole number.'],
    ['/pair', 'There must be at least 2.']
  ])
})

test('a valid value has no problem, and missing members are named by their titles', () => {
  const value = {topic: 'a', address: {street: 'x', zip: '12345'}, pet: {kind: 'cat'}, tree: {children: [{label: 'a'}]}}
  expect(problemsOf(everything, value, everything)).toEqual([])
  expect(problemsOf(everything, {address: {}}, everything).map(({name}) => name)).toEqual([
    'Topic',
    'Street',
    'Zip',
    'Pet'
  ])
})

test('a pattern that this browser cannot read stops nobody', () => {
  expect(problemsOf({type: 'string', pattern: '(?i)['}, 'x', {})).toEqual([])
})

test('names of members are read as words', () => {
  expect(['max_tokens', 'maxTokens', 'city', 'top-p'].map(humanized)).toEqual([
    'Max tokens',
    'Max tokens',
    'City',
    'Top p'
  ])
})
