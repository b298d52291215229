/** After so long without a first byte it is asked whether something holds the stream back. */
const SUSPICION_MS = 5_000

/** Notices a connection that is dead, or never speaks. Two timers, however much comes. */
export class Guard {
  /** When something came last, by `performance.now()`. */
  heard = performance.now()
  #silence: ReturnType<typeof setTimeout>
  #suspicion: ReturnType<typeof setTimeout> | undefined

  /**
   * @param silenceMs Without a byte for so long, it is dead.
   * @param dead Called once, then.
   * @param suspect Called once, if not even a first byte comes.
   */
  constructor(silenceMs: number, dead: () => void, suspect: () => void) {
    const check = () => {
      const left = this.heard + silenceMs - performance.now()
      if (left <= 0) dead()
      else this.#silence = setTimeout(check, left)
    }
    this.#silence = setTimeout(check, silenceMs)
    this.#suspicion = setTimeout(suspect, SUSPICION_MS)
  }

  alive(): void {
    this.heard = performance.now()
    clearTimeout(this.#suspicion)
  }

  release(): void {
    clearTimeout(this.#silence)
    clearTimeout(this.#suspicion)
  }
}
