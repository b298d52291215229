/** A piece of the syntax tree as React elements. Nothing becomes HTML text on the way. */

import type {Element, Nodes as HastNodes, Root as HastRoot} from 'hast'
import {defaultSchema, type Schema, sanitize} from 'hast-util-sanitize'
import {type Components, toJsxRuntime} from 'hast-util-to-jsx-runtime'
import type {Html, Nodes, Parents} from 'mdast'
import {type State, toHast} from 'mdast-util-to-hast'
import type {ComponentProps, ReactElement} from 'react'
import {Fragment, jsx, jsxs} from 'react/jsx-runtime'
import {CodeBlock} from './code-block.js'
import {Formula} from './formula.js'
import {Link, Picture} from './links.js'

const schema: Schema = {
  ...defaultSchema,
  attributes: {
    ...defaultSchema.attributes,
    code: [['className', /^language-./, 'math-inline', 'math-display']]
  },
  protocols: {...defaultSchema.protocols, href: ['http', 'https', 'mailto'], src: ['http', 'https', 'data']},
  // The ids are those of footnotes, which have a prefix of their message.
  clobber: [],
  clobberPrefix: ''
}

const components: Components = {
  a: ({node: _, ...rest}) => <Link {...rest} />,
  img: ({node: _, ...rest}) => <Picture {...rest} />,
  input: ({node: _, ...rest}) => <TaskBox {...rest} />,
  table: ({node: _, ...rest}) => <Table {...rest} />,
  code: ({node, ...rest}) => {
    const inline = node && classesOf(node).includes('math-inline')
    return inline ? <Formula tex={textOf(node)} display={false} /> : <code {...rest} />
  },
  pre: ({node, ...rest}) => {
    const code = node?.children[0]
    if (code?.type !== 'element') return <pre {...rest} />
    const classes = classesOf(code)
    const text = textOf(code).replace(/\n$/, '')
    if (classes.includes('math-display')) return <Formula tex={text} display />
    return <CodeBlock language={classes.find(name => name.startsWith('language-'))?.slice(9) ?? ''} text={text} />
  }
}

const handlers = {html: textOfHtml}

/** The tree of HTML that `node` stands for, without anything that could run or reach another host by itself. */
export function htmlTree(node: Nodes, prefix: string): HastNodes {
  return sanitize(toHast(node, {handlers, clobberPrefix: prefix}), schema)
}

/** React elements for `tree`. */
export function elements(tree: HastNodes): ReactElement {
  const root: HastRoot | Element = tree.type === 'root' || tree.type === 'element' ? tree : {type: 'root', children: []}
  return toJsxRuntime(root, {Fragment, jsx, jsxs, components, ignoreInvalidStyle: true, passNode: true})
}

/** HTML in the text is shown as what it is, but for line breaks, which tables need. */
function textOfHtml(
  _state: State,
  {value}: Html,
  parent: Parents | undefined
): Element | {type: 'text'; value: string} {
  if (/^<br\s*\/?>$/i.test(value)) return {type: 'element', tagName: 'br', properties: {}, children: []}
  const text = {type: 'text' as const, value}
  const flow = parent && /^(root|blockquote|listItem|footnoteDefinition)$/.test(parent.type)
  return flow ? {type: 'element', tagName: 'p', properties: {}, children: [text]} : text
}

function TaskBox(properties: ComponentProps<'input'>) {
  return <input {...properties} readOnly aria-label={properties.checked ? 'Done' : 'Not done'} />
}

/** A table that scrolls where it is too wide. */
export function Table(properties: ComponentProps<'table'>) {
  return (
    // biome-ignore lint/a11y: what scrolls must be reachable by keyboard; a group, as regions of one name are no landmarks
    <div role="group" className="md-table" aria-label="Table" tabIndex={0}>
      <table {...properties} />
    </div>
  )
}

function classesOf(node: Element): string[] {
  const {className} = node.properties
  return Array.isArray(className) ? className.map(String) : []
}

function textOf(node: HastNodes): string {
  if (node.type === 'text') return node.value
  return 'children' in node ? node.children.map(textOf).join('') : ''
}
