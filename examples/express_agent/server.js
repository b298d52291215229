import {agent, app} from './app.js'

const server = app.listen(process.env.PORT ?? 3000, () => console.log(`http://localhost:${server.address().port}/agent`))

process.once('SIGTERM', async () => {
  await agent.close()
  server.close()
})
