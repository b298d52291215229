/**
 * Reads UI message streams as the AI SDK does, but lets no error pass.
 *
 * Argument: the package that holds it: `ai` (the default) is version 6, `ai-7` is version 7. Standard input: a JSON list
 * of bodies, in base64. Standard output: a JSON list of what each comes to: its chunks, the message that they make, and the
 * errors that it tells of.
 */

const {parseJsonEventStream, readUIMessageStream, uiMessageChunkSchema} = await import(process.argv[2] ?? 'ai')

async function read(body) {
  const bytes = new Response(Buffer.from(body, 'base64')).body
  const chunks = []
  const checked = parseJsonEventStream({stream: bytes, schema: uiMessageChunkSchema}).pipeThrough(
    new TransformStream({
      transform(part, controller) {
        if (!part.success) throw part.error
        chunks.push(part.value)
        controller.enqueue(part.value)
      }
    })
  )
  const errors = []
  let message
  for await (const state of readUIMessageStream({
    stream: checked,
    onError: error => errors.push(String(error.message))
  }))
    message = state
  return {chunks, message, errors}
}

const bodies = JSON.parse(Buffer.concat(await process.stdin.toArray()).toString())
process.stdout.write(JSON.stringify(await Promise.all(bodies.map(read))))
