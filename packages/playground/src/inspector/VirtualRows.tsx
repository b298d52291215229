import {
  type ReactNode,
  type RefObject,
  useCallback,
  useEffect,
  useImperativeHandle,
  useLayoutEffect,
  useRef,
  useState
} from 'react'
import type {Rows} from './window.js'

export interface VirtualHandle {
  /** Scrolls so that a row is in view. */
  reveal(index: number): void
}

interface VirtualRowsProps {
  rows: Rows
  label: string
  handle: RefObject<VirtualHandle | null>
  /** A row that is kept although it is out of view: the one that has the focus. */
  keep?: number | undefined
  /** Stay at the end while rows are added; told when the reader scrolls away from it, or back. */
  follow?: boolean
  onFollow?(follow: boolean): void
  className?: string
  /** Pixels at the top that stay in place while the rows scroll, and what is in them. */
  header?: ReactNode
  children(index: number): ReactNode
}

/** A list of which only the rows in view exist. Each row is told its place in the whole. */
export function VirtualRows(props: VirtualRowsProps): ReactNode {
  const {rows, label, handle, keep, follow = false, onFollow, className = '', header, children} = props
  const box = useRef<HTMLElement>(null)
  const list = useRef<HTMLOListElement>(null)
  const lastTop = useRef(0)
  const following = useRef(follow)
  following.current = follow
  const [view, setView] = useState({top: 0, height: 600})

  const look = useCallback((): void => {
    const scroll = box.current
    if (!scroll) return
    const height = scroll.clientHeight
    setView(seen => {
      // While it follows, the rows say where the end is: one drawing less for each frame of a fast run.
      const top = following.current ? seen.top : scroll.scrollTop - (list.current?.offsetTop ?? 0)
      return seen.top === top && seen.height === height ? seen : {top, height}
    })
  }, [])

  useEffect(() => {
    if (!box.current || typeof ResizeObserver === 'undefined') return
    const observer = new ResizeObserver(look)
    observer.observe(box.current)
    return () => observer.disconnect()
  }, [look])

  useLayoutEffect(() => {
    const scroll = box.current
    if (follow && scroll) scroll.scrollTop = rows.height + (list.current?.offsetTop ?? 0) - scroll.clientHeight
  }, [follow, rows])

  // biome-ignore lint/correctness/useExhaustiveDependencies: where it is must be known once it does not follow any more
  useLayoutEffect(look, [look, follow])

  useImperativeHandle(handle, () => ({
    reveal(index) {
      const scroll = box.current
      if (!scroll) return
      const above = list.current?.offsetTop ?? 0
      const top = rows.reveal(index, scroll.scrollTop, scroll.clientHeight - above)
      if (top !== scroll.scrollTop) scroll.scrollTop = top
      look()
    }
  }))

  const {first, last} = rows.range(follow ? rows.height - view.height : view.top, view.height)
  const indexes = Array.from({length: last - first}, (_, index) => first + index)
  if (keep !== undefined && keep >= 0 && keep < rows.length && (keep < first || keep >= last)) {
    if (keep < first) indexes.unshift(keep)
    else indexes.push(keep)
  }

  return (
    <section
      ref={box}
      className={`insp-scroll ${className}`}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls is reached by keyboard
      tabIndex={0}
      aria-label={label}
      onScroll={event => {
        const {scrollTop, clientHeight, scrollHeight} = event.currentTarget
        // Rows may have come since a scroll of our own: only going up is the reader's wish to leave the end.
        if (scrollHeight - scrollTop - clientHeight < rows.rowHeight) onFollow?.(true)
        else if (scrollTop < lastTop.current) onFollow?.(false)
        lastTop.current = scrollTop
        look()
      }}
    >
      {header}
      <ol ref={list} className="insp-rows" style={{height: rows.height}}>
        {indexes.map(index => (
          <li
            key={index}
            className="insp-row"
            aria-posinset={index + 1}
            aria-setsize={rows.length}
            style={{transform: `translateY(${rows.box(index).top}px)`}}
          >
            {children(index)}
          </li>
        ))}
      </ol>
    </section>
  )
}
