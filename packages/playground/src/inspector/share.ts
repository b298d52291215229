/** Puts text on the clipboard. Says whether that worked: a page that is not secure may only do it the old way. */
export async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text)
    return true
  } catch {
    return copyBySelection(text)
  }
}

function copyBySelection(text: string): boolean {
  const area = document.createElement('textarea')
  area.value = text
  area.readOnly = true
  area.style.position = 'fixed'
  area.style.opacity = '0'
  const focused = document.activeElement
  document.body.append(area)
  area.select()
  try {
    return document.execCommand('copy')
  } finally {
    area.remove()
    if (focused instanceof HTMLElement) focused.focus()
  }
}

/** Saves lines as a file. */
export function download(name: string, lines: string[]): void {
  const url = URL.createObjectURL(new Blob(lines, {type: 'application/x-ndjson'}))
  const link = document.createElement('a')
  link.href = url
  link.download = name
  link.click()
  // The browser reads the blob after the click.
  setTimeout(() => URL.revokeObjectURL(url), 60_000)
}

/** Where the run is shown again: this page, with the agent, the thread and the run in its hash. */
export function shareLink(href: string, agentName: string, threadId: string | undefined, runId: string): string {
  const url = new URL(href)
  const path = [agentName, threadId ?? ''].map(encodeURIComponent).join('/')
  url.hash = `${path}?run=${encodeURIComponent(runId)}`
  return url.href
}
