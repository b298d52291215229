import type {CitationPart} from '@unspool/client'
import {safeUrl} from './safeUrl.js'

/** Where the answer comes from, as numbered footnotes. `text` is the answer's, for the passages that they are about. */
export function Citations({citations, text}: {citations: readonly CitationPart[]; text: string}) {
  return (
    <section className="citations" aria-label="Sources">
      <ol>
        {citations.map((citation, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: sources are only ever added at the end, and have no id.
          <li key={index}>
            <Source {...citation} />
            {passage(citation, text) && <span className="passage">on “{passage(citation, text)}”</span>}
            {citation.text && <q>{citation.text}</q>}
          </li>
        ))}
      </ol>
    </section>
  )
}

function Source({url, title}: CitationPart) {
  const link = safeUrl(url)
  if (!link) return <span>{title ?? url ?? 'Source'}</span>
  return (
    <>
      <a href={link} target="_blank" rel="noopener noreferrer">
        {title ?? link}
      </a>
      {title && <span className="host">{new URL(link).host}</span>}
    </>
  )
}

function passage({start, end}: CitationPart, text: string): string {
  if (start === undefined || end === undefined) return ''
  const found = text.slice(start, end).trim()
  return found.length > 80 ? `${found.slice(0, 78)}…` : found
}
