/** A formula: its source until KaTeX is here. */

import {lazyModule, useLazy} from './lazy.js'

const SPACED = /\$\$|\$\S[^$]*\$(?!\d)/

const mathModule = lazyModule(() => import('./math.js'))

/** The grammar of math, once `text` has a formula and the module is loaded. */
export function useMath(text: string) {
  return useLazy(mathModule, text.includes('$') && SPACED.test(text))?.grammar
}

export function Formula({tex, display}: {tex: string; display: boolean}) {
  const Loaded = useLazy(mathModule, true)?.Formula
  return Loaded ? <Loaded tex={tex} display={display} /> : <code>{tex}</code>
}
