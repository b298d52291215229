import {Component, type ErrorInfo, type ReactNode} from 'react'

export interface Broken {
  error: Error
  /** Renders the children again. */
  reset(): void
}

export interface StreamingErrorBoundaryProps {
  /** Shown in place of children that cannot be rendered. */
  fallback: ReactNode | ((broken: Broken) => ReactNode)
  /** Called by `reset`, before the children are rendered again. */
  onReset?: () => void
  onError?: (error: Error, info: ErrorInfo) => void
  children?: ReactNode
}

/**
 * Keeps an error in rendering, as of a message in a form that nobody thought of, from taking the page with it. What fails
 * in a run is not thrown in rendering: hooks return it.
 */
export class StreamingErrorBoundary extends Component<StreamingErrorBoundaryProps, {error?: Error}> {
  override state: {error?: Error} = {}

  static getDerivedStateFromError(thrown: unknown): {error: Error} {
    return {error: thrown instanceof Error ? thrown : new Error(String(thrown))}
  }

  override componentDidCatch(error: Error, info: ErrorInfo): void {
    this.props.onError?.(error, info)
  }

  reset = (): void => {
    this.props.onReset?.()
    this.setState({error: undefined as never})
  }

  override render(): ReactNode {
    const {error} = this.state
    const {fallback, children} = this.props
    if (!error) return children
    return typeof fallback === 'function' ? fallback({error, reset: this.reset}) : fallback
  }
}
