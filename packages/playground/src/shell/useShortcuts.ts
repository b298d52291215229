import {useEffect, useRef} from 'react'
import {letterKeys} from '../preferences.js'

export interface Shortcuts {
  /** Returns whether there was anything to stop. */
  stop(): boolean
  focus(): void
  newChat(): void
  inspect(): void
  sidebar(): void
  help(): void
}

/** Keys that work wherever the focus is. Nothing happens while a dialog is open: it has keys of its own. */
export function useShortcuts(shortcuts: Shortcuts): void {
  const latest = useRef(shortcuts)
  useEffect(() => {
    latest.current = shortcuts
  })
  useEffect(() => {
    const onKeyDown = (event: KeyboardEvent) => {
      if (event.defaultPrevented || event.isComposing || document.querySelector('dialog[open]')) return
      if (act(event, latest.current)) event.preventDefault()
    }
    addEventListener('keydown', onKeyDown)
    return () => removeEventListener('keydown', onKeyDown)
  }, [])
}

function act(event: KeyboardEvent, shortcuts: Shortcuts): boolean {
  const {key, ctrlKey, metaKey, altKey} = event
  if (key === 'Escape') return shortcuts.stop()
  if ((ctrlKey || metaKey) && !altKey && key.toLowerCase() === 'k') return done(shortcuts.focus)
  if (ctrlKey || metaKey || altKey || !letterKeys.get() || isTyping(event.target)) return false
  switch (key) {
    case '/':
      return done(shortcuts.focus)
    case '?':
      return done(shortcuts.help)
    case 'n':
      return done(shortcuts.newChat)
    case 'i':
      return done(shortcuts.inspect)
    case 'b':
      return done(shortcuts.sidebar)
    default:
      return false
  }
}

function done(what: () => void): true {
  what()
  return true
}

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.matches('input, textarea, select, [contenteditable]')
}
