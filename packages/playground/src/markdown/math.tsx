/** Formulas, as MathML and nothing else: no fonts, no style attributes. A chunk of its own, with KaTeX. */

import katex from 'katex'
import {mathFromMarkdown} from 'mdast-util-math'
import {math as mathSyntax} from 'micromark-extension-math'
import type {Code, Construct, Effects, State, TokenizeContext} from 'micromark-util-types'
import {createElement, memo, type ReactNode, useMemo} from 'react'
import type {Grammar} from './parse.js'

const DOLLAR = 36
/** What KaTeX may write, and what has no way to load, run or style anything. */
const ATTRIBUTES =
  /^(accent|accentunder|align|class|columnalign|columnlines|columnspacing|depth|display|displaystyle|encoding|fence|form|height|linebreak|linethickness|lspace|mathbackground|mathcolor|mathsize|mathvariant|maxsize|minsize|movablelimits|notation|rowalign|rowlines|rowspacing|rspace|scriptlevel|separator|stretchy|symmetric|voffset|width|xmlns)$/

/** Math between `$` or `$$`. As in Pandoc, `$5 and $10` is money: a single `$` closes only after a non-space, before no digit. */
export const grammar: Grammar = {syntax: withMoney(), tree: mathFromMarkdown()}

function withMoney(): Grammar['syntax'] {
  const syntax = mathSyntax()
  const found = syntax.text?.[DOLLAR]
  const construct = Array.isArray(found) ? found[0] : found
  if (!construct) throw new Error('micromark-extension-math has no inline math')
  return {...syntax, text: {[DOLLAR]: {...construct, tokenize: tokenizeOf(construct)}}}
}

function tokenizeOf(construct: Construct): Construct['tokenize'] {
  return function tokenize(this: TokenizeContext, effects: Effects, ok: State, nok: State): State {
    const accept = (code: Code): State | undefined => {
      const token = this.events.findLast(([, token]) => token.type === 'mathText')?.[1]
      const source = token ? this.sliceSerialize(token) : ''
      const money = /^\$[^$]/.test(source) && (/^\$\s|\s\$$/.test(source) || isDigit(code))
      return money ? nok(code) : ok(code)
    }
    return construct.tokenize.call(this, effects, accept, nok)
  }
}

function isDigit(code: Code): boolean {
  return code !== null && code >= 48 && code <= 57
}

/** A formula; its source where KaTeX cannot read it (yet). */
export const Formula = memo(function Formula({tex, display}: {tex: string; display: boolean}) {
  const content = useMemo(() => render(tex, display), [tex, display])
  const Tag = display ? 'div' : 'span'
  return <Tag className={display ? 'md-formula' : undefined}>{content ?? <code>{tex}</code>}</Tag>
})

function render(tex: string, display: boolean): ReactNode {
  let markup: string
  try {
    markup = katex.renderToString(tex, {
      output: 'mathml',
      displayMode: display,
      strict: 'ignore',
      trust: false,
      maxExpand: 1000,
      maxSize: 50
    })
  } catch {
    return undefined
  }
  const math = new DOMParser().parseFromString(markup, 'application/xml').querySelector('math')
  return math ? element(math, 0) : undefined
}

function element(node: Element, key: number): ReactNode {
  const properties: Record<string, string | number> = {key}
  for (const {name, value} of node.attributes) {
    if (ATTRIBUTES.test(name)) properties[name === 'class' ? 'className' : name] = value
  }
  const children = [...node.childNodes].map((child, index) =>
    child instanceof Element ? element(child, index) : child.textContent
  )
  return createElement(node.localName, properties, ...children)
}
