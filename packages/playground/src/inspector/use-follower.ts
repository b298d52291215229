import {useEffect, useRef, useState, useSyncExternalStore} from 'react'
import {Follower} from './follower.js'

export interface Followed {
  follower: Follower
  /** Changes whenever the log or the snapshot did. */
  version: number
}

/** Follows a run while it is mounted. Undefined on the first render. Other headers do not connect anew. */
export function useFollower(url: string, headers: HeadersInit | undefined, runId: string): Followed | undefined {
  const latest = useRef(headers)
  latest.current = headers
  const [follower, setFollower] = useState<Follower>()
  useEffect(() => {
    const opened = new Follower(url, () => latest.current ?? {}, runId)
    setFollower(opened)
    return () => opened.close()
  }, [url, runId])
  const version = useSyncExternalStore(follower?.subscribe ?? nothing, follower?.version ?? zero, zero)
  return follower && {follower, version}
}

function nothing(): () => void {
  return () => {}
}

function zero(): number {
  return 0
}
