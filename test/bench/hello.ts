import { createServer } from 'node:http'
import fastify from 'fastify'

/** The least that a server can do, bare or with the framework: what everything else is measured by. */
const port = Number(process.env['PORT'])
const host = '127.0.0.1'
if (process.argv[2] === 'fastify') {
  const app = fastify()
  app.get('/', async () => 'hello')
  await app.listen({ port, host })
} else {
  const server = createServer((_request, response) => {
    response.writeHead(200, { 'content-type': 'text/plain' })
    response.end('hello')
  })
  server.listen(port, host)
}
