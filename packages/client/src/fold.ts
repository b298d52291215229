import {FoldWith} from './fold-with.js'
import {applyPatch} from './patch.js'

/** Feed it with `fold`, look with `transcript`. A record costs the same however long the run is. */
export class Fold extends FoldWith {
  constructor() {
    super(applyPatch)
  }
}
