import { writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { apiKey } from '@better-auth/api-key'
import { betterAuth } from 'better-auth'
import { memoryAdapter } from 'better-auth/adapters/memory'

/** better-auth as its documentation has it for "high-performance API key lookups": in a secondary storage, here in memory. */
const stored = new Map()
const tables = { user: [], session: [], account: [], verification: [], apikey: [] }
const auth = betterAuth({
  secret: 'a secret of a benchmark, of no use to anybody',
  baseURL: 'http://127.0.0.1',
  database: memoryAdapter(tables),
  secondaryStorage: {
    get: (key) => stored.get(key) ?? null,
    set: (key, value) => void stored.set(key, value),
    delete: (key) => void stored.delete(key),
  },
  emailAndPassword: { enabled: true },
  telemetry: { enabled: false },
  logger: { level: 'error' },
  plugins: [
    apiKey({
      storage: 'secondary-storage',
      rateLimit: { enabled: true, timeWindow: 1000, maxRequests: 1_000_000_000 },
    }),
  ],
})

const { user } = await auth.api.signUpEmail({
  body: { name: 'Bench', email: 'bench@example.com', password: 'correct horse battery' },
})
const permissions = { scans: ['write'] }
const { key } = await auth.api.createApiKey({ body: { userId: user.id, name: 'ci', permissions } })
writeFileSync(process.env.KEY_FILE, key)

const server = createServer(async (request, response) => {
  const { valid } = await auth.api.verifyApiKey({
    body: { key: request.headers['x-api-key'] ?? '', permissions },
  })
  response.writeHead(valid ? 200 : 401, { 'content-type': 'text/plain' })
  response.end(valid ? 'ok' : 'denied')
})
server.listen(Number(process.env.PORT), '127.0.0.1')
