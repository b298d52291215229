import {type ComponentType, useEffect, useSyncExternalStore} from 'react'

interface ProseProps {
  text: string
  complete: boolean
}

let Markdown: ComponentType<ProseProps> | undefined
let loading = false
const listeners = new Set<() => void>()

/** What the model wrote: as text until the part of the page that renders markdown is there. */
export function Prose({text, complete}: ProseProps) {
  const Rendered = useSyncExternalStore(subscribe, () => Markdown)
  // biome-ignore lint/correctness/useExhaustiveDependencies: where it failed, it is tried again at the end of the answer.
  useEffect(() => void loadMarkdown(), [complete])
  return Rendered ? <Rendered text={text} complete={complete} /> : <div className="plain">{text}</div>
}

/** Before it is needed: a server may be gone by then, and what is being said must be seen all the same. */
export async function loadMarkdown(): Promise<void> {
  if (Markdown || loading) return
  loading = true
  // Not `then` with two arguments: Vite takes the styles before it, and their failure would be nobody's.
  try {
    const part = await import('../markdown/index.js')
    Markdown = part.Markdown
  } catch {
    // What is said stays text: the end of the answer, or the next one, tries again.
  } finally {
    loading = false
    for (const listener of listeners) listener()
  }
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener)
  return () => listeners.delete(listener)
}
