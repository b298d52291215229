import {type ReactNode, useEffect, useRef} from 'react'
import uPlot from 'uplot'
import 'uplot/dist/uPlot.min.css'

export interface Line {
  label: string
  /** A CSS custom property of the theme. */
  color: string
  values: (number | null)[]
}

interface ChartProps {
  label: string
  xs: number[]
  lines: Line[]
  bars?: boolean
  formatX(value: number): string
  formatY(value: number): string
  height?: number
}

/** A chart on a canvas. It says nothing to a screen reader: the text next to it must. */
export function Chart({label, xs, lines, bars = false, formatX, formatY, height = 150}: ChartProps): ReactNode {
  const host = useRef<HTMLDivElement>(null)
  const plot = useRef<uPlot>(null)
  const formats = useRef({formatX, formatY})
  formats.current = {formatX, formatY}
  const look = JSON.stringify(lines.map(line => [line.label, line.color]))

  useEffect(() => {
    const element = host.current
    if (!element) return
    const styles = getComputedStyle(element)
    const color = (name: string) => () => styles.getPropertyValue(name).trim() || 'gray'
    const axis = {stroke: color('--i-muted'), grid: {stroke: color('--i-border'), width: 1}, ticks: {show: false}}
    const barPaths = bars ? uPlot.paths.bars?.({size: [0.8, 60]}) : undefined
    const chart = new uPlot(
      {
        width: element.clientWidth || 300,
        height,
        padding: [6, 28, 0, 0],
        legend: {show: false},
        cursor: {y: false, drag: {x: true, y: false}},
        scales: {
          x: {time: false, ...(bars && {range: (_, low, high) => [low - 0.6, high + 0.6]})},
          y: {range: fromZero}
        },
        axes: [
          {
            ...axis,
            size: 28,
            values: (_, ticks) => ticks.map(tick => formats.current.formatX(tick)),
            ...(bars && {space: 30, grid: {show: false}})
          },
          {...axis, size: 60, values: (_, ticks) => ticks.map(tick => formats.current.formatY(tick))}
        ],
        series: [
          {},
          ...(JSON.parse(look) as [string, string][]).map(
            ([name, property]): uPlot.Series => ({
              label: name,
              stroke: color(property),
              width: 1.5,
              points: {show: false},
              spanGaps: true,
              ...(barPaths && {paths: barPaths, fill: color(property)})
            })
          )
        ]
      },
      [],
      element
    )
    plot.current = chart
    const resized = new ResizeObserver(() => chart.setSize({width: element.clientWidth || 300, height}))
    resized.observe(element)
    const stop = onThemeChange(() => chart.redraw(false))
    return () => {
      resized.disconnect()
      stop()
      chart.destroy()
      plot.current = null
    }
  }, [look, bars, height])

  useEffect(() => {
    plot.current?.setData([xs, ...lines.map(line => line.values)] as uPlot.AlignedData)
  })

  return <div ref={host} className="insp-chart" role="img" aria-label={label} />
}

function fromZero(_: uPlot, _low: number | null, high: number | null): [number, number] {
  return [0, Math.max(high ?? 0, 1e-3) * 1.08]
}

/** Colours are read anew when the theme changes, by the system or by an attribute of the page. */
function onThemeChange(listener: () => void): () => void {
  const system = matchMedia('(prefers-color-scheme: dark)')
  system.addEventListener('change', listener)
  const page = new MutationObserver(listener)
  page.observe(document.documentElement, {attributes: true})
  return () => {
    system.removeEventListener('change', listener)
    page.disconnect()
  }
}
