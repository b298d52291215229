'use client'

export {ConnectionNotice, type ConnectionNoticeProps} from './connection-notice.js'
export {type Broken, StreamingErrorBoundary, type StreamingErrorBoundaryProps} from './error-boundary.js'
export {type ClientSource, UnspoolProvider, type UnspoolProviderProps, useClient} from './provider.js'
export type {Remember, ThreadMemory} from './remember.js'
export type {ResponseStatus, RunState} from './run-state.js'
export {
  type PartRenderers,
  Reasoning,
  type ReasoningProps,
  StreamingMessage,
  type StreamingMessageProps
} from './streaming-message.js'
export {ToolCall, type ToolCallProps} from './tool-call.js'
export {type DebouncedSend, useDebouncedSend} from './use-debounced-send.js'
export {type FollowScroll, useFollowScroll} from './use-follow-scroll.js'
export {useRun} from './use-run.js'
export {type LoadedSchemas, useSchemas} from './use-schemas.js'
export {type StreamingChat, type StreamingChatOptions, useStreamingChat} from './use-streaming-chat.js'
export {
  type StreamingResponse,
  type StreamingResponseOptions,
  useStreamingResponse
} from './use-streaming-response.js'
export {type Threads, useThreads} from './use-threads.js'
export {type RunOfMany, useWebSocketStreaming, type WebSocketStreaming} from './use-websocket-streaming.js'
