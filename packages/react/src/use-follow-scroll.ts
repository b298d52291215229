import {type RefCallback, useCallback, useEffect, useRef, useState} from 'react'

export interface FollowScroll<T extends HTMLElement> {
  /** For the element that scrolls. */
  readonly ref: RefCallback<T>
  /** Whether the end is in view, or followed. */
  readonly atEnd: boolean
  /** Goes to the end, and follows it again. */
  toEnd(): void
}

/** So near to the end, in pixels, a reader is at it. */
const NEAR = 32

/**
 * Keeps the end of a growing element in view, until the reader scrolls up; and again once they are back at the end. What
 * it looks at is the element and its children.
 */
export function useFollowScroll<T extends HTMLElement = HTMLElement>(): FollowScroll<T> {
  const [element, ref] = useState<T | null>(null)
  const [atEnd, setAtEnd] = useState(true)
  const following = useRef(true)
  const follow = useCallback((value: boolean) => {
    following.current = value
    setAtEnd(value)
  }, [])
  const toEnd = useCallback(() => {
    follow(true)
    element?.scrollTo({top: element.scrollHeight})
  }, [element, follow])

  useEffect(() => {
    if (!element || typeof ResizeObserver === 'undefined') return
    let top = element.scrollTop
    const scrolled = () => {
      const up = element.scrollTop < top
      top = element.scrollTop
      if (element.scrollHeight - top - element.clientHeight <= NEAR) follow(true)
      else if (up) follow(false) // content that grows moves nothing up: this was the reader
    }
    const stay = () => {
      if (following.current) element.scrollTop = element.scrollHeight
    }
    const sizes = new ResizeObserver(stay)
    const watch = () => {
      for (const part of [element, ...element.children]) sizes.observe(part)
      stay()
    }
    const parts = new MutationObserver(watch)
    parts.observe(element, {childList: true})
    element.addEventListener('scroll', scrolled, {passive: true})
    watch()
    return () => {
      sizes.disconnect()
      parts.disconnect()
      element.removeEventListener('scroll', scrolled)
    }
  }, [element, follow])
  return {ref, atEnd, toEnd}
}
