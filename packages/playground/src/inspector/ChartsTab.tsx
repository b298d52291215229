import type {ReactNode} from 'react'
import {Chart} from './Chart.js'
import {count, duration, offset, plural} from './format.js'
import type {Bin, Latency} from './latency.js'
import type {RunLog} from './run-log.js'
import {ScrollRegion} from './ScrollRegion.js'

interface ChartsTabProps {
  log: RunLog
  version: number
}

/** How fast the answer came: over time, and how the gaps are spread. */
export function ChartsTab({log}: ChartsTabProps): ReactNode {
  const {latency} = log
  if (latency.pieces === 0) {
    return <p className="insp-empty">{log.end ? 'This run has no text.' : 'No text has come yet.'}</p>
  }
  const series = latency.series()
  const bins = latency.histogram()
  const facts = factsOf(latency, log.end?.metrics?.ttft_ms)
  return (
    <ScrollRegion className="insp-charts" label="Charts">
      <dl className="insp-facts">
        {facts.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      <figure>
        <figcaption>
          Time between tokens <Key color="--i-accent">average</Key> <Key color="--i-warn">longest</Key>
        </figcaption>
        <Chart
          label={`Time between tokens over the run. ${gapsInWords(latency)}`}
          xs={series.times}
          lines={[
            {label: 'longest', color: '--i-warn', values: series.longest},
            {label: 'average', color: '--i-accent', values: series.means}
          ]}
          formatX={seconds => duration(seconds * 1000)}
          formatY={duration}
        />
      </figure>
      <figure>
        <figcaption>Tokens per second</figcaption>
        <Chart
          label={`Tokens per second over the run, ${count(latency.piecesPerSecond ?? 0)} on average.`}
          xs={series.times}
          lines={[{label: 'tokens/s', color: '--i-accent', values: series.rates}]}
          formatX={seconds => duration(seconds * 1000)}
          formatY={count}
        />
      </figure>
      <figure>
        <figcaption>How often which time between tokens</figcaption>
        <Chart
          label={`Histogram. ${bins.map(bin => `${binName(bin)}: ${bin.count}`).join('; ')}.`}
          xs={bins.map((_, index) => index)}
          lines={[{label: 'gaps', color: '--i-accent', values: bins.map(bin => bin.count)}]}
          bars
          formatX={index => (bins[index] ? edge(bins[index]) : '')}
          formatY={value => (Number.isInteger(value) ? count(value) : '')}
        />
      </figure>
      <p className="insp-note">
        By the times at which the server committed the events. Tokens that were committed together have no time between
        them. The time between two messages is not counted.
      </p>
    </ScrollRegion>
  )
}

function Key({color, children}: {color: string; children: string}): ReactNode {
  return (
    <span className="insp-key">
      <i style={{background: `var(${color})`}} />
      {children}
    </span>
  )
}

function factsOf(latency: Latency, ttftMs = latency.firstMs): [string, string][] {
  const gap = (q: number): string => duration(latency.quantile(q) ?? Number.NaN)
  return [
    ['Time to first token', duration(ttftMs ?? Number.NaN)],
    ['Tokens', count(latency.pieces)],
    ['Tokens per second', latency.piecesPerSecond === undefined ? '–' : count(latency.piecesPerSecond)],
    ['Median gap', gap(0.5)],
    ['95th percentile', gap(0.95)],
    ['Longest gap', latency.gaps > 0 ? `${duration(latency.longestMs)} at ${offset(latency.longestAt ?? 0)} s` : '–']
  ]
}

function gapsInWords(latency: Latency): string {
  if (latency.gaps === 0) return 'There is only one token.'
  const [median, high] = [latency.quantile(0.5) ?? 0, latency.quantile(0.95) ?? 0]
  return `${plural(latency.gaps, 'gap')}: half are up to ${duration(median)}, 95 % up to ${duration(high)}, the longest is ${duration(latency.longestMs)}.`
}

function binName({from, to}: Bin): string {
  return to === Number.POSITIVE_INFINITY ? `${duration(from)} or more` : `${duration(from)} to ${duration(to)}`
}

function edge({from}: Bin): string {
  return `≥ ${duration(from)}`
}
