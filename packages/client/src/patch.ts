import {immutableJSONPatch} from 'immutable-json-patch'
import type {ApplyPatch} from './fold-with.js'

export const applyPatch: ApplyPatch = (before, patch) => immutableJSONPatch(before as never, patch as never)
