import type {FilePart} from '@unspool/client'
import {Icon} from '../ui/Icon.js'
import {safeUrl} from './safeUrl.js'

type Shown = Pick<FilePart, 'media_type' | 'url' | 'data' | 'name'>

/** An image that is at hand is shown; all else is a link. What is on another host is not loaded: nobody asked it to be. */
export function FileView({file}: {file: Shown}) {
  const name = file.name ?? file.media_type
  const held = heldAt(file)
  if (held && file.media_type.startsWith('image/'))
    return <img className="file-image" src={held} alt={file.name ?? 'Image'} />
  const link = safeUrl(file.url)
  const what = (
    <>
      <Icon name={link ? 'link' : 'file'} />
      <span>{name}</span>
    </>
  )
  if (held) {
    return (
      <a className="file" href={held} download={name}>
        {what}
      </a>
    )
  }
  if (!link) return <span className="file">{what}</span>
  return (
    <a className="file" href={link} target="_blank" rel="noopener noreferrer">
      {what}
    </a>
  )
}

/** As a `data:` address, where the bytes came along. */
function heldAt({data, url, media_type}: Shown): string | undefined {
  if (data !== undefined) return `data:${media_type};base64,${data}`
  return url?.startsWith('data:') ? url : undefined
}
