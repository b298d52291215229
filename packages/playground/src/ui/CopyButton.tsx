import {useEffect, useState} from 'react'
import {useAnnounce} from './Announcer.js'
import {copyText} from './clipboard.js'
import {IconButton} from './IconButton.js'

/** `text` is asked for when it is copied. */
export function CopyButton({label, text}: {label: string; text: () => string}) {
  const announce = useAnnounce()
  const [copied, setCopied] = useState(false)
  useEffect(() => {
    if (!copied) return
    const timer = setTimeout(() => setCopied(false), 1500)
    return () => clearTimeout(timer)
  }, [copied])
  const copy = async () => {
    try {
      await copyText(text())
      setCopied(true)
      announce('Copied')
    } catch {
      announce('The browser did not let the page copy')
    }
  }
  return <IconButton icon={copied ? 'check' : 'copy'} label={copied ? 'Copied' : label} tip="above" onClick={copy} />
}
