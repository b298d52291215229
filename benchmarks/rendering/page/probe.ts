/** What happens in the page while it renders: React's commits, animation frames, long tasks. */

interface Probe {
  commits: number
  frames: number[]
  longTasks: {start: number; duration: number}[]
}

export const probe: Probe = {commits: 0, frames: [], longTasks: []}

/** React tells its developer tools of each commit, in production too. It has to be there before React is. */
Object.assign(globalThis, {
  __REACT_DEVTOOLS_GLOBAL_HOOK__: {
    supportsFiber: true,
    inject: () => 1,
    onCommitFiberRoot: () => {
      probe.commits += 1
    },
    onCommitFiberUnmount: () => {},
    onPostCommitFiberRoot: () => {},
    checkDCE: () => {}
  }
})

new PerformanceObserver(list => {
  for (const {startTime, duration} of list.getEntries()) probe.longTasks.push({start: startTime, duration})
}).observe({type: 'longtask', buffered: true})

requestAnimationFrame(function next(time) {
  probe.frames.push(time)
  requestAnimationFrame(next)
})
