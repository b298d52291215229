import {describe, expect, it} from 'vitest'
import {isAccepted} from '../src/chat/attachments.js'
import {safeUrl} from '../src/chat/safeUrl.js'

describe('a link that a model wrote', () => {
  it.each(['https://example.org/a?b=c', 'http://example.org/', 'mailto:a@example.org'])('is followed: %s', url => {
    expect(safeUrl(url)).toBe(url)
  })

  it.each([
    'javascript:alert(1)',
    ' JaVaScRiPt:alert(1)',
    'data:text/html,x',
    'blob:x',
    '/relative',
    'file:///etc',
    ''
  ])('is not: %s', url => {
    expect(safeUrl(url)).toBeUndefined()
  })
})

describe('a file', () => {
  it('is taken by its type, or by its kind of type', () => {
    expect(isAccepted('image/png', ['image/*'])).toBe(true)
    expect(isAccepted('image/png', ['image/png'])).toBe(true)
    expect(isAccepted('text/plain', ['*/*'])).toBe(true)
    expect(isAccepted('image/png', ['image/jpeg', 'text/*'])).toBe(false)
    expect(isAccepted('imagery/png', ['image/*'])).toBe(false)
    expect(isAccepted('', ['image/*'])).toBe(false)
  })
})
