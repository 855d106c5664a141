import { createServer } from 'node:net'
import { expect, test } from 'vitest'
import { ChangeFeed } from './changes.ts'

test('a server that breaks every connection is tried some times a second, and not hammered', async () => {
  let connections = 0
  const server = createServer((socket) => {
    connections++
    socket.destroy()
  })
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  const { port } = server.address() as { port: number }
  const feed = new ChangeFeed({
    connectionString: `postgres://u:p@127.0.0.1:${port}/d`,
    applicationName: 'test',
    log: { info: () => {}, warn: () => {} },
    onReload: async () => {},
    onChanges: async () => {},
  })
  feed.start()
  await new Promise((resolve) => {
    setTimeout(resolve, 2000)
  })
  await feed.stop()
  server.close()
  expect(connections).toBeGreaterThan(1)
  expect(connections).toBeLessThan(30)
})
