import {act} from '@testing-library/react'

/** Does something in React's `act`, and gives what it returned. */
export function acting<T>(something: () => T): T {
  const returned: T[] = []
  act(() => void returned.push(something()))
  return returned[0] as T
}
