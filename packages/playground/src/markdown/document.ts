/**
 * A markdown text that grows, as blocks of which only the last ones change.
 *
 * CommonMark reads line by line, and a block that was closed is never opened again. So a block is settled as soon as another
 * one follows whose first line is complete, and only what comes after the settled blocks is parsed when text arrives. The
 * items of a list and the rows of a table settle one by one, and the text of an open code fence is not parsed at all.
 */

import type {Definition, List, ListItem, Root, RootContent, Table, TableRow} from 'mdast'
import {normalizeIdentifier} from 'micromark-util-normalize-identifier'
import {closeFence, codeSoFar, type Fence, openFence} from './fence.js'
import {blankBetween, lineStart, nextLine} from './lines.js'
import {endOf, type Grammar, parse, startOf, walk} from './parse.js'
import {settledCount} from './settled.js'

/** What is rendered by itself. It is never changed: what changes is replaced. */
export interface Part<Content extends RootContent | Root> {
  /** Where its first line begins: unique, and the same however much it grows. */
  readonly key: number
  readonly content: Content
  /** The link definitions that it refers to. */
  readonly definitions: readonly Definition[]
}

export interface FlowBlock extends Part<RootContent | Root> {
  readonly kind: 'flow'
}

export interface CodeBlock {
  readonly kind: 'code'
  readonly key: number
  readonly language: string
  readonly text: string
}

export interface ListBlock {
  readonly kind: 'list'
  readonly key: number
  readonly ordered: boolean
  readonly start: number
  readonly loose: boolean
  readonly items: readonly Part<ListItem>[]
}

export interface TableBlock {
  readonly kind: 'table'
  readonly key: number
  /** The table with no row but the first. */
  readonly head: Part<Table>
  readonly rows: readonly Part<TableRow>[]
}

/** A top-level block. */
export type Block = FlowBlock | CodeBlock | ListBlock | TableBlock

/** Turns the texts of one growing message into blocks. Settled blocks are the same objects from one call to the next. */
export class MarkdownDocument {
  #text = ''
  #complete = false
  #grammar: Grammar | undefined
  #blocks: readonly Block[] = []
  #state = start()

  /**
   * The blocks of a text. Costs what was added where it begins with the text of the last call; another text starts over.
   * @param complete No more text will come.
   */
  update(given: string, complete: boolean, grammar?: Grammar): readonly Block[] {
    // A CR at the end may be half of a CRLF: until it is known which, its line has no end.
    const text = !complete && given.endsWith('\r') ? given.slice(0, -1) : given
    const sameGrammar = grammar === this.#grammar
    if (sameGrammar && complete === this.#complete && text === this.#text) return this.#blocks
    if (!sameGrammar || this.#complete || !text.startsWith(this.#text)) this.#state = start()
    this.#text = text
    this.#complete = complete
    this.#grammar = grammar
    this.#blocks = this.#read()
    return this.#blocks
  }

  #read(): readonly Block[] {
    const state = this.#state
    const code = state.fence && this.#readFence(state.fence)
    if (code) return [...state.settled, code]
    const lead = state.table ? headLines(this.#text, state.table.key) : ''
    const nodes = this.#parse(state.tail, this.#text.length, lead)
    const count = this.#complete ? nodes.length : settledCount(nodes, this.#text)
    state.footnotes ||= nodes.slice(0, count).some(node => node.type === 'footnoteDefinition')
    if (this.#complete && state.footnotes) return [this.#whole()]
    this.#settle(nodes.slice(0, count))
    const open = this.#open(nodes.slice(count))
    return [...state.settled, ...open]
  }

  /** The block of the fence that is open; undefined once its end was found, or where there is nothing more to come. */
  #readFence(fence: Fence & {language: string}): CodeBlock | undefined {
    const state = this.#state
    const end = closeFence(this.#text, fence)
    if (end === undefined && !this.#complete) {
      return {kind: 'code', key: state.tail, language: fence.language, text: codeSoFar(this.#text, fence)}
    }
    state.fence = undefined
    if (end !== undefined) {
      this.#settle(this.#parse(state.tail, end))
      state.tail = end
    }
    return undefined
  }

  #settle(nodes: readonly RootContent[]): void {
    const state = this.#state
    this.#define(definitionsIn(nodes))
    for (const node of nodes) {
      state.settled.push(...this.#blocksOf(node, state.definitions, true))
      state.list = undefined
      state.table = undefined
    }
  }

  /** The blocks of what more text may change. Sets where the next parse begins. */
  #open(nodes: readonly RootContent[]): readonly Block[] {
    const state = this.#state
    const [first, second] = nodes
    if (!first) {
      if (this.#complete) state.tail = this.#text.length
      return []
    }
    const known = new Map(state.definitions)
    for (const each of definitionsIn(nodes)) if (!known.has(each.identifier)) known.set(each.identifier, each)
    if (!state.table) state.tail = lineStart(this.#text, startOf(first))
    if (first.type === 'code' && !second) this.#openFence(first.lang ?? '')
    const rest = [this.#settleWithin(first), ...nodes.slice(1)]
    return rest.flatMap((node, index) => this.#blocksOf(node, known, index === 0))
  }

  /** Take what is certain of an open block. Answers with the rest of it. */
  #settleWithin(node: RootContent): RootContent {
    if (node.type === 'list') return this.#settleItems(node)
    if (node.type === 'table') return this.#settleRows(node)
    return node
  }

  /** Take the rows of an open table whose lines are complete. */
  #settleRows(table: Table): Table {
    const state = this.#state
    const [head, ...rows] = table.children
    const settled = rows.filter(row => nextLine(this.#text, startOf(row)) !== undefined)
    const last = settled.at(-1)
    if (!head || !last) return table
    state.table = this.#tableOf({...table, children: [head, ...settled]}, state.definitions, state.table)
    state.tail = nextLine(this.#text, startOf(last)) ?? state.tail
    return {...table, children: [head, ...rows.slice(settled.length)]}
  }

  #openFence(language: string): void {
    const fence = openFence(this.#text, this.#state.tail)
    if (fence && closeFence(this.#text, fence) === undefined) this.#state.fence = {...fence, language}
  }

  /** Take the items of an open list that no more text can change, and go on after them. Answers with the other ones. */
  #settleItems(list: List): List {
    const {children: items} = list
    const next = items.findLastIndex((item, index) => index > 0 && nextLine(this.#text, startOf(item)) !== undefined)
    const following = items[next]
    if (!following) return list
    const settled = items.slice(0, next)
    const loose = settled.some((item, index) => {
      const after = items[index + 1] ?? following
      return item.spread || blankBetween(this.#text, endOf(item), startOf(after))
    })
    this.#define(definitionsIn(settled))
    this.#state.list = this.#listOf({...list, children: settled}, loose, this.#state.definitions, this.#state.list)
    this.#state.tail = lineStart(this.#text, startOf(following))
    return {...list, children: items.slice(next)}
  }

  /** @param first Whether it goes on with the list or the table of which a part is settled, if there is one. */
  #blocksOf(node: RootContent, known: ReadonlyMap<string, Definition>, first: boolean): Block[] {
    const {list, table} = this.#state
    if (node.type === 'list') {
      const loose = Boolean(node.spread) || node.children.some(item => item.spread)
      return [this.#listOf(node, loose, known, first ? list : undefined)]
    }
    if (node.type === 'table') return [this.#tableOf(node, known, first ? table : undefined)]
    if (node.type === 'definition' || node.type === 'footnoteDefinition') return []
    const key = lineStart(this.#text, startOf(node))
    if (node.type === 'code') return [{kind: 'code', key, language: node.lang ?? '', text: node.value}]
    return [{kind: 'flow', ...this.#part(node, known)}]
  }

  #listOf(
    list: List,
    loose: boolean,
    known: ReadonlyMap<string, Definition>,
    before: ListBlock | undefined
  ): ListBlock {
    const items = list.children.map(item => this.#part(item, known))
    if (before) return {...before, loose: before.loose || loose, items: [...before.items, ...items]}
    const key = lineStart(this.#text, startOf(list))
    return {kind: 'list', key, ordered: Boolean(list.ordered), start: list.start ?? 1, loose, items}
  }

  #tableOf(table: Table, known: ReadonlyMap<string, Definition>, before: TableBlock | undefined): TableBlock {
    const rows = table.children.slice(1).map(row => this.#part(row, known))
    if (before) return {...before, rows: [...before.rows, ...rows]}
    const head = this.#part({...table, children: table.children.slice(0, 1)}, known)
    return {kind: 'table', key: head.key, head, rows}
  }

  #part<Content extends RootContent>(content: Content, known: ReadonlyMap<string, Definition>): Part<Content> {
    const key = lineStart(this.#text, startOf(content))
    return {key, content, definitions: definitionsFor(content, known)}
  }

  /** Take new definitions, and read again what was settled before and refers to them. The first of a label counts. */
  #define(found: readonly Definition[]): void {
    const state = this.#state
    const fresh = found.filter(each => !state.definitions.has(each.identifier))
    for (const each of fresh) if (!state.definitions.has(each.identifier)) state.definitions.set(each.identifier, each)
    if (fresh.length === 0) return
    const labels = fresh.map(labelOf)
    state.settled = state.settled.map(block => this.#refreshed(block, labels))
    if (state.list) state.list = this.#refreshedList(state.list, labels)
    if (state.table) state.table = this.#refreshedTable(state.table, labels)
  }

  #refreshed(block: Block, labels: readonly string[]): Block {
    if (block.kind === 'list') return this.#refreshedList(block, labels)
    if (block.kind === 'table') return this.#refreshedTable(block, labels)
    if (block.kind === 'code' || !this.#mentions(block, labels)) return block
    const [again, more] = this.#parse(block.key, endOf(block.content))
    return again && !more ? {kind: 'flow', ...this.#part(again, this.#state.definitions)} : block
  }

  #refreshedList(list: ListBlock, labels: readonly string[]): ListBlock {
    if (!list.items.some(item => this.#mentions(item, labels))) return list
    const items = list.items.map(item => {
      if (!this.#mentions(item, labels)) return item
      const [again] = this.#parse(item.key, endOf(item.content))
      const [content] = again?.type === 'list' ? again.children : []
      return content ? this.#part(content, this.#state.definitions) : item
    })
    return {...list, items}
  }

  #refreshedTable(table: TableBlock, labels: readonly string[]): TableBlock {
    const {key, head, rows} = table
    if (![head, ...rows].some(part => this.#mentions(part, labels))) return table
    const [again] = this.#parse(key, endOf(rows.at(-1)?.content ?? head.content))
    return again?.type === 'table' ? this.#tableOf(again, this.#state.definitions, undefined) : table
  }

  #mentions(part: Part<RootContent | Root>, labels: readonly string[]): boolean {
    const source = this.#text.slice(part.key, endOf(part.content))
    if (!source.includes('[')) return false
    const normal = normalizeIdentifier(source)
    return labels.some(label => normal.includes(label))
  }

  #parse(from: number, to: number, lead = ''): RootContent[] {
    const {definitions} = this.#state
    const source = definitions.size > 0 ? this.#text.slice(from, to) : ''
    if (!source.includes('[')) return parse(this.#text, from, to, [], this.#grammar, lead)
    const normal = normalizeIdentifier(source)
    const used = [...definitions.values()].filter(each => normal.includes(labelOf(each)))
    const labels = used.map(each => each.identifier)
    return parse(this.#text, from, to, labels, this.#grammar, lead)
  }

  /** Everything as one block: footnotes are numbered through the whole text, and listed at its end. */
  #whole(): FlowBlock {
    const children = parse(this.#text, 0, this.#text.length, [], this.#grammar)
    this.#state = start()
    return {kind: 'flow', key: 0, content: {type: 'root', children}, definitions: []}
  }
}

interface State {
  /** Where the next parse begins. */
  tail: number
  settled: Block[]
  /** The settled items of a list that is not. */
  list: ListBlock | undefined
  /** The settled rows of a table that is not. */
  table: TableBlock | undefined
  fence: (Fence & {language: string}) | undefined
  definitions: Map<string, Definition>
  footnotes: boolean
}

function start(): State {
  return {
    tail: 0,
    settled: [],
    list: undefined,
    table: undefined,
    fence: undefined,
    definitions: new Map(),
    footnotes: false
  }
}

/** The two lines that make a table, which begins at `from`. */
function headLines(text: string, from: number): string {
  const second = nextLine(text, from) ?? text.length
  return text.slice(from, nextLine(text, second))
}

function definitionsIn(nodes: readonly RootContent[]): Definition[] {
  const found: Definition[] = []
  for (const node of nodes) {
    walk(node, each => {
      if (each.type === 'definition') found.push(each)
    })
  }
  return found
}

function definitionsFor(node: RootContent, known: ReadonlyMap<string, Definition>): readonly Definition[] {
  if (known.size === 0) return []
  const found = new Set<Definition>()
  walk(node, each => {
    if (each.type !== 'linkReference' && each.type !== 'imageReference') return
    const definition = known.get(each.identifier)
    if (definition) found.add(definition)
  })
  return [...found]
}

function labelOf(definition: Definition): string {
  return `[${normalizeIdentifier(definition.identifier)}]`
}
