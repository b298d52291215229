/** Which blocks of a text that grows are what they will be. */

import type {Nodes, RootContent} from 'mdast'
import {openFence} from './fence.js'
import {blankBetween, lineStart, nextLine} from './lines.js'
import {endOf, startOf} from './parse.js'

/** How many of `nodes` no more text can change: those before the last one whose beginning is certain. */
export function settledCount(nodes: readonly RootContent[], text: string): number {
  const certain = nodes.findLastIndex((node, index) => {
    const before = nodes[index - 1]
    if (!before) return false
    const second = nextLine(text, startOf(node))
    if (second === undefined) return false
    // The second line of a table makes it one.
    if (node.type === 'table' && nextLine(text, second) === undefined) return false
    return standsAlone(node, before, text)
  })
  return Math.max(certain, 0)
}

/** Whether `node` is read the same without what comes before it. */
function standsAlone(node: RootContent, before: RootContent, text: string): boolean {
  // What micromark takes for indented code, and for what after it, depends on more than the lines next to it.
  if (isIndented(node, text)) return false
  const afterIndented = isIndented(before, text)
  if (!afterIndented && blankBetween(text, endOf(before), startOf(node))) return true
  // The title of a definition may be on the lines after it.
  if (before.type === 'definition') return false
  if (before.type === 'heading' || before.type === 'thematicBreak' || (before.type === 'code' && !afterIndented))
    return true
  // Right after other blocks fewer kinds may begin: without them, what is a paragraph might be read as one of those.
  return node.type !== 'paragraph' && beginsPlainly(node, text)
}

/** How a block begins that cannot interrupt a paragraph. */
const NO_INTERRUPTION = /(?:[-+*]|\d+[.)])(?:\s|$)|<|\[[^\]]*\]:/y

function beginsPlainly(node: Nodes, text: string): boolean {
  switch (node.type) {
    case 'list':
    case 'listItem':
    case 'blockquote': {
      const [first] = node.children
      return first !== undefined && beginsPlainly(first, text)
    }
    case 'paragraph':
      NO_INTERRUPTION.lastIndex = startOf(node)
      return !NO_INTERRUPTION.test(text)
    case 'heading':
      return text.charAt(startOf(node)) === '#'
    case 'definition':
    case 'footnoteDefinition':
      return false
    default:
      return true
  }
}

function isIndented(node: RootContent, text: string): boolean {
  return node.type === 'code' && openFence(text, lineStart(text, startOf(node))) === undefined
}
