/** The Unspool protocol from a Node server. */

export {type Agent, createAgent} from './agent.js'
export {SourceError, type SourceErrorOptions, type WireCode} from './errors.js'
export type {EndStatus, SourceEvent, SourceItem} from './events.js'
export type {Timeouts} from './execution.js'
export type {Retention} from './log.js'
export type {AgentOptions} from './options.js'
export type {ErrorReport, OnError} from './problems.js'
export type {Call, Source} from './runner.js'
export {type StreamOptions, type StreamResult, type StreamSource, streamEvents} from './stream.js'
