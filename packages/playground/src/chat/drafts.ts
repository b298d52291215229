import {useCallback, useState} from 'react'
import {readText, write} from '../stored.js'

/** What was written and not sent, by `key`. It outlives a reload, not the tab. */
export function useDraft(key: string): [string, (text: string) => void] {
  const name = `unspool:draft:${key}`
  const [draft, setDraft] = useState(() => ({name, text: readText('session', name) ?? ''}))
  if (draft.name !== name) setDraft({name, text: readText('session', name) ?? ''})
  const set = useCallback(
    (text: string) => {
      write('session', name, text)
      setDraft({name, text})
    },
    [name]
  )
  return [draft.name === name ? draft.text : '', set]
}
