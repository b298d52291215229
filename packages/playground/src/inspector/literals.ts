/** Values as source text, so that pasting it gives back exactly the value. */

/** One word of a POSIX shell. Takes any text but NUL, which no argument of a program can hold. */
export function shellWord(text: string): string {
  if (/^[A-Za-z0-9_@%+=:,./-]+$/.test(text)) return text
  return `'${text.replaceAll('\0', '').replaceAll("'", `'\\''`)}'`
}

interface Dialect {
  text(value: string): string
  names: {true: string; false: string; null: string}
  key(name: string): string
  indent: string
  trailing: string
}

const PYTHON: Dialect = {
  text: doubleQuoted,
  names: {true: 'True', false: 'False', null: 'None'},
  key: doubleQuoted,
  indent: '    ',
  trailing: ','
}

const JAVASCRIPT: Dialect = {
  text: singleQuoted,
  names: {true: 'true', false: 'false', null: 'null'},
  // `{__proto__: x}` sets the prototype; a computed name is a member.
  key: name => (name === '__proto__' ? "['__proto__']" : /^[A-Za-z_$][\w$]*$/.test(name) ? name : singleQuoted(name)),
  indent: '  ',
  trailing: ''
}

/** A JSON value as a Python expression. `depth` is how far the line is indented. */
export function python(value: unknown, depth = 0): string {
  return written(value, PYTHON, depth)
}

/** A JSON value as a JavaScript expression. */
export function javascript(value: unknown, depth = 0): string {
  return written(value, JAVASCRIPT, depth)
}

const WIDTH = 88

function written(value: unknown, dialect: Dialect, depth: number): string {
  if (typeof value === 'string') return dialect.text(value)
  if (typeof value === 'number') return Number.isFinite(value) ? JSON.stringify(value) : dialect.names.null
  if (typeof value === 'boolean') return dialect.names[`${value}`]
  if (typeof value !== 'object' || value === null) return dialect.names.null
  if (Array.isArray(value)) {
    return group(
      value.map(item => written(item, dialect, depth + 1)),
      '[',
      ']',
      dialect,
      depth
    )
  }
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .map(([name, member]) => `${dialect.key(name)}: ${written(member, dialect, depth + 1)}`)
  return group(members, '{', '}', dialect, depth)
}

function group(items: string[], open: string, close: string, dialect: Dialect, depth: number): string {
  if (items.length === 0) return open + close
  const line = open + items.join(', ') + close
  if (!line.includes('\n') && line.length + depth * dialect.indent.length <= WIDTH) return line
  const inner = dialect.indent.repeat(depth + 1)
  const lines = items.map(item => inner + item).join(',\n')
  return `${open}\n${lines}${dialect.trailing}\n${dialect.indent.repeat(depth)}${close}`
}

/** JSON's escapes mean the same in Python and in JavaScript. */
function doubleQuoted(text: string): string {
  return JSON.stringify(text)
}

function singleQuoted(text: string): string {
  const inside = JSON.stringify(text)
    .slice(1, -1)
    .replace(/\\.|'/g, part => (part === '\\"' ? '"' : part === "'" ? "\\'" : part))
  return `'${inside}'`
}
