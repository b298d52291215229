/** Which rows of a long list are in view. Rows have one height; rows that are open have a panel of a known height. */

/** Pixels. */
export interface Box {
  top: number
  height: number
}

/** The rows from `first` up to and without `last`. */
export interface Range {
  first: number
  last: number
}

/** The geometry of `length` rows, of which few are open. A row costs nothing until it is open. */
export class Rows {
  readonly #open: {index: number; height: number; before: number}[]

  /**
   * @param open The heights of the panels under open rows, by row, in pixels.
   */
  constructor(
    readonly length: number,
    readonly rowHeight: number,
    open: ReadonlyMap<number, number> = new Map()
  ) {
    let before = 0
    this.#open = [...open]
      .filter(([index]) => index >= 0 && index < length)
      .sort(([a], [b]) => a - b)
      .map(([index, height]) => {
        const panel = {index, height, before}
        before += height
        return panel
      })
  }

  /** Of all rows together. */
  get height(): number {
    const last = this.#open.at(-1)
    return this.length * this.rowHeight + (last ? last.before + last.height : 0)
  }

  /** Where a row is, with its panel. */
  box(index: number): Box {
    const next = this.#after(panel => panel.index >= index)
    const panel = this.#open[next]
    const before = panel?.before ?? this.height - this.length * this.rowHeight
    return {
      top: index * this.rowHeight + before,
      height: this.rowHeight + (panel?.index === index ? panel.height : 0)
    }
  }

  /** The row at `y` pixels from the top; the first or the last where `y` is outside. */
  at(y: number): number {
    const above = this.#open[this.#after(panel => this.#topOf(panel) > y) - 1]
    const rest = above ? y - above.before : y
    const panelEnd = above ? (above.index + 1) * this.rowHeight + above.height : 0
    const index = above && rest < panelEnd ? above.index : Math.floor((rest - (above?.height ?? 0)) / this.rowHeight)
    return Math.max(0, Math.min(this.length - 1, index))
  }

  /** The rows that touch the view, and `overscan` more on either side. */
  range(scrollTop: number, viewHeight: number, overscan = 8): Range {
    if (this.length === 0) return {first: 0, last: 0}
    const first = Math.max(0, this.at(scrollTop) - overscan)
    const last = Math.min(this.length, this.at(scrollTop + Math.max(0, viewHeight)) + 1 + overscan)
    return {first, last}
  }

  /** Where to scroll to so that the row is in view; `scrollTop` if it is already. */
  reveal(index: number, scrollTop: number, viewHeight: number): number {
    const {top, height} = this.box(index)
    if (top < scrollTop || height > viewHeight) return top
    return top + height > scrollTop + viewHeight ? top + height - viewHeight : scrollTop
  }

  #topOf(panel: {index: number; before: number}): number {
    return panel.index * this.rowHeight + panel.before
  }

  /** The first open row for which `test` holds; it must hold for all that follow. */
  #after(test: (panel: {index: number; before: number}) => boolean): number {
    let low = 0
    let high = this.#open.length
    while (low < high) {
      const middle = (low + high) >> 1
      const panel = this.#open[middle]
      if (panel && test(panel)) high = middle
      else low = middle + 1
    }
    return low
  }
}
