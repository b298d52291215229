import {expect, test} from 'vitest'
import * as react from '../src/index.js'
import * as query from '../src/query.js'
import * as zustand from '../src/zustand.js'

test('the public names are these', () => {
  expect(Object.keys(react).sort()).toEqual([
    'ConnectionNotice',
    'Reasoning',
    'StreamingErrorBoundary',
    'StreamingMessage',
    'ToolCall',
    'UnspoolProvider',
    'useClient',
    'useDebouncedSend',
    'useFollowScroll',
    'useRun',
    'useSchemas',
    'useStreamingChat',
    'useStreamingResponse',
    'useThreads',
    'useWebSocketStreaming'
  ])
  expect(Object.keys(zustand).sort()).toEqual(['createChatStore', 'useChatStore'])
  expect(Object.keys(query).sort()).toEqual([
    'agentKey',
    'runMutationOptions',
    'runQuery',
    'threadQuery',
    'threadsQuery'
  ])
})
