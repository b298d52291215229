import type {CitationPart, FilePart} from '@unspool/client'
import type {ReactElement} from 'react'

/** An image is shown; anything else can be downloaded. */
export function File({part}: {part: FilePart}): ReactElement {
  const {media_type: type, data, name = type} = part
  const url = data === undefined ? safeUrl(part.url) : `data:${type};base64,${data}`
  if (url === undefined) return <span className="unspool-file">{name}</span>
  if (type.startsWith('image/')) return <img className="unspool-file" src={url} alt={name} />
  return (
    <a className="unspool-file" href={url} download={name} rel="noreferrer">
      {name}
    </a>
  )
}

export function Citation({part, number}: {part: CitationPart; number: number}): ReactElement {
  const {title, text} = part
  const url = safeUrl(part.url)
  const label = `[${number}]`
  const about = title ?? url ?? text
  return (
    <cite className="unspool-citation" title={about}>
      {url === undefined ? label : <a {...{href: url, target: '_blank', rel: 'noreferrer'}}>{label}</a>}
    </cite>
  )
}

/** The model wrote it: a link must lead to a page, and must not run anything. */
function safeUrl(url: string | undefined): string | undefined {
  try {
    // A path is as safe as the page itself.
    return url && /^(https?|blob):$/.test(new URL(url, 'https://page.invalid').protocol) ? url : undefined
  } catch {
    return undefined
  }
}
