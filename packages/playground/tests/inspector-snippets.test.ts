import {execFile, execFileSync, spawnSync} from 'node:child_process'
import {existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync} from 'node:fs'
import {createServer} from 'node:http'
import type {AddressInfo} from 'node:net'
import {fileURLToPath} from 'node:url'
import {promisify} from 'node:util'
import {runInNewContext} from 'node:vm'
import {expect, test} from 'vitest'
import {javascript, python, shellWord} from '../src/inspector/literals.js'
import {type Call, headerNames, snippet} from '../src/inspector/snippets.js'

const root = fileURLToPath(new URL('../../..', import.meta.url))
const venv = `${root}/.venv/bin/python`
const interpreter = existsSync(venv) ? venv : 'python3'

const nasty = [
  '',
  ' ',
  "it's",
  'say "hi"',
  "'",
  "''\"''",
  '\\',
  "\\'",
  '\\"',
  'ends with \\',
  'line\nbreak\r\nand\ttab',
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the shell's, not ours
  '$HOME $(id) `id` ${x} !! %s',
  '"$UNSPOOL_TOKEN"',
  'ünïcödé 漢字 🧵 \u2028\u2029\u0085\u00a0\ufeff',
  'controls \u0001\u001b\u007f',
  'lone surrogate \ud800',
  '-n',
  '--help',
  '@/etc/passwd',
  '*?[a-z]{1,2}~#;&|<>',
  '</script><!-- {{x}} %}',
  '"""\'\'\'',
  '\\n\\u0041\\x41\\N{DASH}'
]
const values = [
  ...nasty,
  {text: nasty, nested: {'a b': [1, -2.5, 1e21, true, false, null, [], {}]}, 'quote\'"\\key': 1},
  JSON.parse('{"__proto__": {"a": 1}, "constructor": 2, "class": 3, "0": 4}')
]

test('a word of the shell is the text, whatever is in it', () => {
  const texts = nasty.filter(text => !/\p{Surrogate}/u.test(text))
  for (const text of texts) {
    expect(execFileSync('sh', ['-c', `printf '%s' ${shellWord(text)}`], {encoding: 'utf8'})).toBe(text)
  }
})

test('a value as Python is the value, whatever is in it', () => {
  const code = 'import ast, json, sys; print(json.dumps([ast.literal_eval(text) for text in json.load(sys.stdin)]))'
  const input = JSON.stringify(values.map(value => python(value)))
  expect(JSON.parse(execFileSync(interpreter, ['-c', code], {input, encoding: 'utf8'}))).toEqual(values)
})

test('a value as JavaScript is the value, whatever is in it', () => {
  for (const value of values) {
    const found: unknown = runInNewContext(`JSON.stringify(${javascript(value)})`)
    expect(JSON.parse(String(found))).toEqual(JSON.parse(JSON.stringify(value)))
  }
})

test('short values stay on one line, long ones are broken and indented', () => {
  expect(python({a: [1, true, null]})).toBe('{"a": [1, True, None]}')
  expect(javascript({a: "it's", 'b-c': 1})).toBe("{a: 'it\\'s', 'b-c': 1}")
  expect(javascript('say "hi"')).toBe(`'say "hi"'`)
  expect(javascript({text: 'x'.repeat(80), n: 1})).toBe(`{\n  text: '${'x'.repeat(80)}',\n  n: 1\n}`)
  expect(python([['x'.repeat(90)]], 1)).toBe(`[\n        [\n            "${'x'.repeat(90)}",\n        ],\n    ]`)
})

interface Seen {
  method: string | undefined
  url: string | undefined
  authorization: string | undefined
  body: unknown
}

/** What the call asks a server for, when the curl command is run by `sh`. */
async function curled(call: Omit<Call, 'url'>): Promise<Seen> {
  const seen: Seen[] = []
  const server = createServer((request, response) => {
    let body = ''
    request.setEncoding('utf8')
    request.on('data', chunk => {
      body += chunk
    })
    request.on('end', () => {
      const {method, url, headers} = request
      seen.push({method, url, authorization: headers.authorization, body: JSON.parse(body)})
      response.end()
    })
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  try {
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/agent`
    const env = {...process.env, UNSPOOL_TOKEN: 's3cret$(id)', NO_PROXY: '127.0.0.1'}
    await promisify(execFile)('sh', ['-c', snippet('curl', {...call, url})], {env, timeout: 10_000})
  } finally {
    server.close()
  }
  const [request] = seen
  if (!request) throw new Error('curl asked for nothing')
  return request
}

test('the curl command makes exactly this call, with the token from its environment', async () => {
  const input = {messages: nasty.map(content => ({role: 'user', content}))}
  const call = {
    input,
    threadId: 't1',
    config: {n: 1},
    headers: headerNames({authorization: 'Bearer abc', "x-o'dd": 'x'})
  }
  expect(await curled(call)).toEqual({
    method: 'POST',
    url: '/agent/stream',
    authorization: 'Bearer s3cret$(id)',
    body: {input, thread_id: 't1', config: {n: 1}}
  })
})

test('the curl command answers an interrupted run, where the run did that', async () => {
  const seen = await curled({resumes: 'run/1', answers: {i1: "it's ok"}, headers: []})
  expect([seen.url, seen.body]).toEqual(['/agent/runs/run%2F1/resume', {answers: {i1: "it's ok"}}])
})

const secret = {authorization: 'Bearer top-secret', 'x-api-key': 'also secret', "x-o'dd": 'secret too'}

test('no snippet has a secret in it, and each names the headers', () => {
  const call = {url: 'https://example.org/agent', input: 'hi', headers: headerNames(secret)}
  for (const language of ['curl', 'Python', 'React'] as const) {
    const code = snippet(language, call)
    expect(code).not.toMatch(/secret/)
    expect(code).toMatch(/Bearer /)
    expect(code).toMatch(/X-Api-Key/)
    expect(code).toMatch(/UNSPOOL_TOKEN/)
  }
})

test('the Python snippet is a program', () => {
  const url = 'https://example.org/agent'
  const calls: Call[] = [
    {url, input: values, threadId: "t'1", config: {a: {b: nasty}}, headers: headerNames(secret)},
    {url, input: undefined, headers: []},
    {url, resumes: 'r1', headers: []},
    {url, resumes: 'r1', answers: {i1: nasty}, headers: []}
  ]
  const input = JSON.stringify(calls.map(call => snippet('Python', call)))
  const code = 'import ast, json, sys; print([len(ast.parse(text).body) > 2 for text in json.load(sys.stdin)])'
  expect(execFileSync(interpreter, ['-c', code], {input, encoding: 'utf8'}).trim()).toBe('[True, True, True, True]')
})

test('the React snippets are components that the compiler accepts', () => {
  const url = 'https://example.org/agent'
  const calls: Call[] = [
    {
      url,
      input: {nasty, 'quote\'"\\key': [1, null, {}]},
      threadId: "t'1",
      config: {a: {b: nasty}},
      headers: headerNames(secret)
    },
    {url, input: undefined, headers: []},
    {url, resumes: 'r1', headers: []},
    {url, resumes: 'r1', answers: {i1: nasty}, headers: headerNames(secret)}
  ]
  // Where the packages are found from, and nothing is checked in.
  const modules = `${root}/packages/playground/node_modules`
  mkdirSync(modules, {recursive: true})
  const directory = mkdtempSync(`${modules}/.snippets-`)
  try {
    const include = calls.map((call, index) => {
      writeFileSync(`${directory}/${index}.tsx`, snippet('React', call))
      return `${index}.tsx`
    })
    const compilerOptions = {paths: pathsFrom(root), noUnusedLocals: true}
    writeFileSync(
      `${directory}/tsconfig.json`,
      JSON.stringify({extends: `${root}/tsconfig.json`, compilerOptions, include})
    )
    const run = spawnSync(process.execPath, [`${root}/node_modules/typescript/bin/tsc`, '-p', directory], {
      encoding: 'utf8'
    })
    expect([run.stdout, run.status]).toEqual(['', 0])
  } finally {
    rmSync(directory, {recursive: true})
  }
}, 60_000)

function pathsFrom(root: string): Record<string, string[]> {
  return {
    '@unspool/client': [`${root}/packages/client/src/index.ts`],
    '@unspool/client/*': [`${root}/packages/client/src/*.ts`],
    '@unspool/react': [`${root}/packages/react/src/index.ts`]
  }
}
