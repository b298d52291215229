import type {Client} from '@unspool/client'
import {type FormEvent, useCallback, useRef, useState} from 'react'
import {useAnnounce} from '../ui/Announcer.js'
import {IconButton} from '../ui/IconButton.js'
import {problemFrom} from './problem.js'

type Score = 0 | 1

/** Thumbs for a run, and a word on why. The same run's later thumbs replace its earlier ones. */
export function useFeedback(client: Client, runId: string) {
  const announce = useAnnounce()
  const [score, setScore] = useState<Score>()
  const [asking, setAsking] = useState(false)
  const [wrong, setWrong] = useState<string>()
  const looked = useRef(false)
  /** Asks once what was said before, which no list of runs tells. */
  const look = useCallback(async () => {
    if (looked.current) return
    looked.current = true
    try {
      const {feedback = []} = await client.run(runId)
      const before = feedback.find(({key}) => key === 'thumbs')?.score
      setScore(now => now ?? (before === undefined ? undefined : Number(before) > 0 ? 1 : 0))
    } catch {
      looked.current = false
    }
  }, [client, runId])
  const send = async (next: Score, comment?: string) => {
    const before = score
    setScore(next)
    setAsking(comment === undefined)
    setWrong(undefined)
    try {
      await client.feedback({runId, key: 'thumbs', score: next, ...(comment && {comment})})
      announce(comment === undefined ? 'Feedback sent' : 'Comment sent')
    } catch (error) {
      setScore(before)
      setWrong(`The feedback was not stored: ${problemFrom(error).message}`)
    }
  }
  return {score, asking, wrong, send, look, dismiss: () => setAsking(false)}
}

type FeedbackState = ReturnType<typeof useFeedback>

export function Thumbs({feedback: {score, send}}: {feedback: FeedbackState}) {
  return (
    <>
      <IconButton icon="up" label="Good answer" tip="above" aria-pressed={score === 1} onClick={() => send(1)} />
      <IconButton icon="down" label="Bad answer" tip="above" aria-pressed={score === 0} onClick={() => send(0)} />
    </>
  )
}

export function FeedbackComment({feedback: {score, asking, wrong, send, dismiss}}: {feedback: FeedbackState}) {
  const [comment, setComment] = useState('')
  if (wrong) return <p className="wrong">{wrong}</p>
  if (!asking || score === undefined) return null
  const submit = (event: FormEvent) => {
    event.preventDefault()
    if (comment.trim()) void send(score, comment.trim())
  }
  return (
    <form className="comment" onSubmit={submit}>
      <input
        aria-label="Comment on the answer"
        placeholder={score === 1 ? 'What was good about it? (optional)' : 'What was wrong with it? (optional)'}
        maxLength={4000}
        value={comment}
        onChange={event => setComment(event.target.value)}
      />
      <button type="submit" className="button" disabled={!comment.trim()}>
        Send comment
      </button>
      <IconButton icon="close" label="No comment" tip="none" onClick={dismiss} />
    </form>
  )
}
