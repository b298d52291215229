/** Where a link may lead that a model wrote: the web and mail, never `javascript:` or `data:`. */
export function safeUrl(url: string | undefined): string | undefined {
  if (!url) return undefined
  try {
    const {href, protocol} = new URL(url)
    return protocol === 'https:' || protocol === 'http:' || protocol === 'mailto:' ? href : undefined
  } catch {
    return undefined
  }
}
