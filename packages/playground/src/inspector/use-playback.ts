import {useEffect, useRef, useState} from 'react'
import {advance} from './replay.js'

export interface Playback {
  /** Where it is, in seconds since the start of the run. */
  seconds: number
  playing: boolean
  speed: number
  play(): void
  pause(): void
  /** Goes to a moment; playing goes on from there. */
  seek(seconds: number): void
  setSpeed(speed: number): void
}

/** A clock that runs from 0 to `end` seconds at a speed, once per frame, and stops there. */
export function usePlayback(end: number): Playback {
  const [seconds, setSeconds] = useState(0)
  const [playing, setPlaying] = useState(false)
  const [speed, setSpeed] = useState(1)
  const limit = useRef(end)
  limit.current = end

  useEffect(() => {
    if (!playing) return
    let last = performance.now()
    let frame = requestAnimationFrame(function next(now) {
      const elapsed = Math.max(0, now - last)
      last = now
      setSeconds(from => advance(from, elapsed, speed, limit.current))
      frame = requestAnimationFrame(next)
    })
    return () => cancelAnimationFrame(frame)
  }, [playing, speed])

  useEffect(() => {
    if (playing && seconds >= end) setPlaying(false)
  }, [playing, seconds, end])

  return {
    seconds,
    playing,
    speed,
    play() {
      if (seconds >= end) setSeconds(0)
      setPlaying(true)
    },
    pause() {
      setPlaying(false)
    },
    seek(to) {
      setSeconds(Math.max(0, Math.min(end, to)))
    },
    setSpeed
  }
}
