import type {CSSProperties, ReactNode} from 'react'

interface ScrollRegionProps {
  label: string
  className?: string
  style?: CSSProperties
  children: ReactNode
}

/** A part of the page that scrolls by itself, and can be reached and scrolled by keyboard. */
export function ScrollRegion({label, className = '', style, children}: ScrollRegionProps): ReactNode {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: without it the keyboard cannot scroll
    <section className={`insp-scroll ${className}`} tabIndex={0} aria-label={label} style={style}>
      {children}
    </section>
  )
}
