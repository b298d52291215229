/** Code as coloured pieces. A chunk of its own: the languages are large. */

import type {RootContent} from 'hast'
import {common, createLowlight} from 'lowlight'

/** A piece of one line: its classes (empty: none) and its text. */
export type Piece = readonly [classes: string, text: string]
export type Line = readonly Piece[]

const lowlight = createLowlight(common)

/** The lines of `code`, or undefined where `language` is not known. */
export function highlight(language: string, code: string): readonly Line[] | undefined {
  const name = language.toLowerCase()
  if (!lowlight.registered(name)) return undefined
  const lines: Piece[][] = [[]]
  const add = (node: RootContent, classes: string): void => {
    if (node.type === 'text') {
      node.value.split('\n').forEach((text, index) => {
        if (index > 0) lines.push([])
        if (text) lines.at(-1)?.push([classes, text])
      })
    } else if (node.type === 'element') {
      const own = node.properties.className
      const all = Array.isArray(own) ? [classes, ...own].join(' ').trim() : classes
      for (const child of node.children) add(child, all)
    }
  }
  for (const node of lowlight.highlight(name, code).children) add(node, '')
  return lines
}
