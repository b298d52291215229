// @vitest-environment jsdom
import {cleanup, fireEvent, render, screen, within} from '@testing-library/react'
import type {JsonSchema} from '@unspool/client'
import axe from 'axe-core'
import {StrictMode, useState} from 'react'
import {afterEach, expect, test} from 'vitest'
import {SchemaForm} from '../src/forms/index.js'
import {everything} from './forms-schema.js'

afterEach(cleanup)

interface Told {
  value: unknown
  errors: string[]
}

interface PageProps {
  schema: JsonSchema
  initial: unknown
  disabled: boolean
  onTold(told: Told): void
}

/** A page that holds the value as text, and makes the schema anew on each render. */
function Page({schema, initial, disabled, onTold}: PageProps) {
  const [text, setText] = useState(JSON.stringify(initial))
  return (
    <main>
      <SchemaForm
        schema={{...schema}}
        value={text === undefined ? undefined : JSON.parse(text)}
        label="Input"
        disabled={disabled}
        onChange={(value, errors) => {
          onTold({value, errors})
          setText(JSON.stringify(value))
        }}
      />
      <button type="button" onClick={() => setText('{}')}>
        Reset
      </button>
    </main>
  )
}

/** A form on a page; returns what it told last. */
function shown(schema: JsonSchema, initial?: unknown, disabled = false): () => Told {
  let last: Told = {value: undefined, errors: []}
  const onTold = (told: Told): void => {
    last = told
  }
  render(
    <StrictMode>
      <Page {...{schema, initial, disabled, onTold}} />
    </StrictMode>
  )
  return () => last
}

function type(label: string, text: string): HTMLElement {
  const input = screen.getByLabelText(label)
  fireEvent.change(input, {target: {value: text}})
  fireEvent.blur(input)
  return input
}

test('it tells its value and its errors at first, and when either changes', () => {
  const told = shown({
    type: 'object',
    required: ['city', 'nights'],
    properties: {
      city: {type: 'string', title: 'City'},
      nights: {type: 'integer', title: 'Nights', minimum: 1, default: 2}
    }
  })
  expect(told()).toEqual({value: {nights: 2}, errors: ['City: This is required.']})
  type('City*', 'Utrecht')
  expect(told()).toEqual({value: {nights: 2, city: 'Utrecht'}, errors: []})
  type('Nights*', '0')
  expect(told()).toEqual({value: {nights: 0, city: 'Utrecht'}, errors: ['Nights: This must be at least 1.']})
  fireEvent.click(screen.getByText('Reset'))
  expect(told()).toEqual({value: {nights: 2}, errors: ['City: This is required.']})
})

test('an error is shown once its field was left, and belongs to it for a screen reader', () => {
  shown(everything)
  const topic = screen.getByLabelText('Topic*')
  expect(topic.getAttribute('aria-invalid')).toBeNull()
  fireEvent.blur(topic)
  expect(topic.getAttribute('aria-invalid')).toBe('true')
  const texts = (topic.getAttribute('aria-describedby') ?? '')
    .split(' ')
    .map(id => document.getElementById(id)?.textContent)
  expect(texts).toEqual(['What it is about', 'This is required.'])
})

test('a number may be half written, and what is no number is refused', () => {
  const told = shown({type: 'object', properties: {t: {type: 'number', title: 'T'}}})
  const input = type('T', '1.') as HTMLInputElement
  expect([input.value, told().value]).toEqual(['1.', {t: 1}])
  type('T', '1.5')
  expect(told()).toEqual({value: {t: 1.5}, errors: []})
  type('T', '1.5x')
  expect(told()).toEqual({value: {t: 1.5}, errors: ['t: This must be a number.']})
  type('T', '')
  expect([told(), input.value]).toEqual([{value: {}, errors: []}, ''])
})

test('what is left empty is left out, or null where it must be there', () => {
  const maybe = {anyOf: [{type: 'string'}, {type: 'null'}]}
  const told = shown({
    type: 'object',
    required: ['a'],
    properties: {a: {...maybe, title: 'A'}, b: {...maybe, title: 'B'}}
  })
  expect(told()).toEqual({value: {a: null}, errors: []})
  type('A*', 'x')
  type('B', 'y')
  expect(told().value).toEqual({a: 'x', b: 'y'})
  type('A*', '')
  type('B', '')
  expect(told()).toEqual({value: {a: null}, errors: []})
})

test('a member that must be there, and has a default, can still be null', () => {
  const told = shown({
    type: 'object',
    required: ['a'],
    properties: {a: {anyOf: [{type: 'string'}, {type: 'null'}], default: 'x', title: 'A'}}
  })
  expect(told().value).toEqual({a: 'x'})
  type('A*', '')
  expect(told()).toEqual({value: {a: null}, errors: []})
})

test('what is no value is one error, also where a value must be there', () => {
  const told = shown({type: 'object', required: ['n'], properties: {n: {type: 'number', title: 'N'}}})
  type('N*', 'many')
  expect(told()).toEqual({value: {}, errors: ['n: This must be a number.']})
})

test('choices keep the type of their values', () => {
  const told = shown({type: 'object', properties: {literal: {enum: ['x', 'y', 1], title: 'Literal', default: 'y'}}})
  const select = screen.getByLabelText('Literal')
  expect(
    within(select)
      .getAllByRole('option')
      .map(option => option.textContent)
  ).toEqual(['Default (y)', 'x', 'y', '1'])
  fireEvent.change(select, {target: {value: '2'}})
  expect(told().value).toEqual({literal: 1})
  fireEvent.change(select, {target: {value: '-1'}})
  expect(told().value).toEqual({})
})

test('a check box shows its default, and says what was chosen', () => {
  const told = shown({type: 'object', properties: {on: {type: 'boolean', title: 'On', default: true}}})
  const box = screen.getByLabelText('On') as HTMLInputElement
  expect([box.checked, told().value]).toEqual([true, {}])
  fireEvent.click(box)
  expect([box.checked, told().value]).toEqual([false, {on: false}])
})

test('items of a list are added and removed, and keep what is half written in them', () => {
  const told = shown({type: 'object', properties: {n: {type: 'array', title: 'N', items: {type: 'number'}}}})
  const add = screen.getByText('Add to n')
  for (const text of ['1', '2.', '3']) {
    fireEvent.click(add)
    type(`N ${['1', '2.', '3'].indexOf(text) + 1}*`, text)
  }
  expect(told()).toEqual({value: {n: [1, 2, 3]}, errors: []})
  fireEvent.click(screen.getByLabelText('Remove n 1'))
  expect(told().value).toEqual({n: [2, 3]})
  expect((screen.getByLabelText('N 1*') as HTMLInputElement).value).toBe('2.')
  fireEvent.click(screen.getByLabelText('Remove n 2'))
  fireEvent.click(screen.getByLabelText('Remove n 1'))
  expect(told().value).toEqual({})
})

test('an optional object is added and taken away', () => {
  const told = shown({
    type: 'object',
    properties: {a: {type: 'object', title: 'A', required: ['b'], properties: {b: {type: 'string', title: 'B'}}}}
  })
  fireEvent.click(screen.getByText('Add a'))
  expect(told()).toEqual({value: {a: {}}, errors: ['B: This is required.']})
  type('B*', 'x')
  expect(told()).toEqual({value: {a: {b: 'x'}}, errors: []})
  fireEvent.click(screen.getByText('Remove a'))
  expect(told()).toEqual({value: {}, errors: []})
})

test('a union asks which, then for the value of that kind', () => {
  const told = shown(everything, {topic: 'x', address: {street: 'y', zip: '12345'}})
  expect(told().errors).toEqual(['Pet: This is required.'])
  fireEvent.change(screen.getByLabelText('Kind of pet'), {target: {value: '1'}})
  expect(told().errors).toEqual(['Name: This is required.'])
  type('Name*', 'Rex')
  expect(told()).toMatchObject({value: {pet: {kind: 'dog', name: 'Rex'}}, errors: []})
  fireEvent.change(screen.getByLabelText('Kind of pet'), {target: {value: '0'}})
  expect(told()).toMatchObject({value: {pet: {kind: 'cat'}}, errors: []})
  expect((told().value as {pet: object}).pet).toEqual({kind: 'cat'})
})

test('free objects are JSON; what is not JSON yet is an error and changes nothing', () => {
  const told = shown(everything, {topic: 'x', address: {street: 'y', zip: '12345'}, pet: {kind: 'cat'}})
  type('Extra', '{"a": ')
  expect(told().errors).toEqual(['extra: This is not JSON yet.'])
  expect(screen.getByLabelText('Extra').getAttribute('aria-invalid')).toBe('true')
  type('Extra', '{"a": [1]}')
  expect(told()).toMatchObject({value: {extra: {a: [1]}}, errors: []})
  type('Scores', '{"a": "high"}')
  expect(told().errors).toEqual(['Scores: a: Instance type "string" is invalid. Expected "number".'])
})

test('a schema that is no object has one field, and an unknown one a JSON editor', () => {
  const told = shown({type: 'integer', title: 'Age'})
  type('Age*', '7')
  expect(told()).toEqual({value: 7, errors: []})
  cleanup()
  const any = shown({})
  type('Input*', '[1]')
  expect(any()).toEqual({value: [1], errors: []})
})

test('nothing can be changed while it is disabled', () => {
  shown(everything, undefined, true)
  const controls = document.querySelectorAll<HTMLInputElement>('.sf input, .sf select, .sf textarea, .sf button')
  expect(controls.length).toBeGreaterThan(10)
  for (const control of controls) expect(control.matches(':disabled')).toBe(true)
})

test('no rule of axe is broken, with and without errors', async () => {
  shown(everything, {tags: ['a', 'a'], former: [{}], either: 1, pet: {kind: 'dog'}})
  for (const control of document.querySelectorAll('input, select, textarea')) fireEvent.blur(control)
  expect(screen.getAllByText('This is required.').length).toBeGreaterThan(3)
  // jsdom draws nothing, so it knows no contrast: the tests in the browser look at that.
  const rules = {'color-contrast': {enabled: false}, 'page-has-heading-one': {enabled: false}}
  const {violations} = await axe.run(document.body, {rules})
  expect(violations.map(({id, nodes}) => [id, nodes[0]?.html])).toEqual([])
})
