/** Links and images of a text that nobody has checked. */

import type {ComponentProps, MouseEvent} from 'react'

/** A link that opens beside the app, and tells the other side nothing. A footnote's link moves within the page. */
export function Link({href, children, ...rest}: ComponentProps<'a'>) {
  if (!href) return <span>{children}</span>
  if (href.startsWith('#')) {
    return (
      <a {...rest} href={href} onClick={event => goTo(event, href.slice(1))}>
        {children}
      </a>
    )
  }
  return (
    <a {...rest} href={href} rel="noopener noreferrer" target="_blank">
      {children}
    </a>
  )
}

/** The address of the page belongs to the app, so a footnote does not change it. */
function goTo(event: MouseEvent, id: string): void {
  event.preventDefault()
  const target = document.getElementById(decodeURIComponent(id))
  target?.scrollIntoView({block: 'nearest'})
  const place = target?.matches('a') ? target : target?.querySelector('a')
  place?.focus({preventScroll: true})
}

/** An image of this page's own; any other one is a link, for loading it would tell its host who reads this. */
export function Picture({src, alt, title}: ComponentProps<'img'>) {
  if (typeof src !== 'string' || !src) return <span>{alt}</span>
  if (isOwn(src)) return <img src={src} alt={alt ?? ''} title={title} loading="lazy" />
  if (!/^https?:/i.test(src)) return <span>{alt}</span>
  return (
    <Link href={src} title={title}>
      {alt || src}
    </Link>
  )
}

function isOwn(src: string): boolean {
  if (/^data:image\//i.test(src)) return true
  try {
    const url = new URL(src, document.baseURI)
    return url.origin === location.origin && /^https?:$/.test(url.protocol)
  } catch {
    return false
  }
}
