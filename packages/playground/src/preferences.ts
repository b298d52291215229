/** How the reader likes it. Credentials end with the tab; all else is kept. */

import type {TransportName} from '@unspool/client'
import {stored} from './stored.js'

export type Theme = 'system' | 'light' | 'dark'

export interface Credentials {
  readonly kind: 'none' | 'bearer' | 'key'
  readonly secret: string
  /** Of an API key. */
  readonly header: string
}

export const theme = stored<Theme>('local', 'theme', 'system')
export const transport = stored<TransportName>('local', 'transport', 'auto')
/** Whether a letter alone is a shortcut: WCAG 2.1.4 wants them to be switched off. */
export const letterKeys = stored('local', 'letter-keys', true)
export const sidebarOpen = stored('local', 'sidebar', true)
/** Pixels. */
export const inspectorWidth = stored('local', 'inspector-width', 520)
export const credentials = stored<Credentials>('session', 'credentials', {
  kind: 'none',
  secret: '',
  header: 'X-API-Key'
})

/** The headers that say who asks. Undefined: nobody in particular. */
export function headersOf({kind, secret, header}: Credentials): Record<string, string> | undefined {
  if (kind === 'none' || !secret) return undefined
  return kind === 'bearer' ? {Authorization: `Bearer ${secret}`} : {[header || 'X-API-Key']: secret}
}

/** Tells the style sheet. */
export function applyTheme(): void {
  document.documentElement.dataset.theme = theme.get()
}
