/** Markdown text to a syntax tree: CommonMark with GitHub's tables, task lists, strikethrough, footnotes and bare links. */

import type {Nodes, RootContent} from 'mdast'
import {fromMarkdown, type Extension as TreeExtension} from 'mdast-util-from-markdown'
import {gfmFromMarkdown} from 'mdast-util-gfm'
import {gfm} from 'micromark-extension-gfm'
import type {Extension} from 'micromark-util-types'

/** What can be added to the grammar while the page is open (math, which is loaded when it is needed). */
export interface Grammar {
  readonly syntax: Extension
  readonly tree: TreeExtension
}

const gfmSyntax = gfm()
const gfmTree = gfmFromMarkdown()

/**
 * The top-level nodes of `text` from the offset `from` (the start of a line) to `to`. Their offsets count in the whole text.
 * @param labels The link labels that are defined elsewhere: a reference is one only where its definition is known.
 * @param lead Lines that are read as if they came right before `from`.
 */
export function parse(
  text: string,
  from: number,
  to: number,
  labels: Iterable<string>,
  grammar: Grammar | undefined,
  lead = ''
): RootContent[] {
  let prefix = ''
  for (const label of labels) prefix += `[${label}]: x\n`
  if (prefix) prefix += '\n'
  const root = fromMarkdown(prefix + lead + text.slice(from, to), {
    extensions: grammar ? [gfmSyntax, grammar.syntax] : [gfmSyntax],
    mdastExtensions: grammar ? [gfmTree, grammar.tree] : [gfmTree]
  })
  const nodes = prefix ? root.children.filter(node => startOf(node) >= prefix.length) : root.children
  for (const node of nodes) shift(node, from - prefix.length - lead.length)
  return nodes
}

/** Where `node` begins, in UTF-16 code units. */
export function startOf(node: Nodes): number {
  return node.position?.start.offset ?? 0
}

/** Where `node` ends, in UTF-16 code units. */
export function endOf(node: Nodes): number {
  return node.position?.end.offset ?? 0
}

/** Call `visit` for `node` and everything in it, in the order of the document. */
export function walk(node: Nodes, visit: (node: Nodes) => void): void {
  visit(node)
  if ('children' in node) for (const child of node.children) walk(child, visit)
}

function shift(node: Nodes, by: number): void {
  if (by === 0) return
  walk(node, ({position}) => {
    if (position?.start.offset !== undefined) position.start.offset += by
    if (position?.end.offset !== undefined) position.end.offset += by
  })
}
