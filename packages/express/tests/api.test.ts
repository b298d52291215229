/** The public names, pinned. The types are in `api.test-d.ts`. */

import * as unspool from '@unspool/express'
import {expect, test} from 'vitest'

test('these are the public names', () => {
  expect(Object.keys(unspool).sort()).toEqual(['SourceError', 'createAgent', 'streamEvents'])
})
