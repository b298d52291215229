import {expect, test} from 'vitest'
import * as aiSdk from '../src/ai-sdk.js'
import * as chat from '../src/chat.js'
import * as client from '../src/index.js'

test('the public names', () => {
  expect(Object.keys(client).sort()).toEqual([
    'Fold',
    'LineDecoder',
    'MAX_EVENT_CHARS',
    'SseDecoder',
    'UnspoolError',
    'connect',
    'isEnded',
    'newId',
    'recordOfFrame',
    'recordOfLine',
    'textOf'
  ])
  expect(Object.keys(chat)).toEqual(['createChat'])
  expect(Object.keys(aiSdk).sort()).toEqual(['loadMessages', 'unspoolTransport'])
})
