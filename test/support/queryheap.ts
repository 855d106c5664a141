import { getHeapSpaceStatistics } from 'node:v8'
import pg from 'pg'
import { Client } from '../../src/db/client.ts'

/** A program of its own: whose client it uses, and the database's URL. It prints the bytes that thousands of queries let the old generation grow by. */
const [of, connectionString] = process.argv.slice(2)
const queries = 4000

/** Bytes of what outlived the young generation, alive or not. */
function oldBytes(): number {
  return getHeapSpaceStatistics()
    .filter(({ space_name: name }) => name.startsWith('old_'))
    .reduce((sum, { space_used_size: used }) => sum + used, 0)
}

const statement = (n: number) =>
  `begin; select set_config('heap.n', '${'x'.repeat(2000)}${n}', true); select '${'y'.repeat(2000)}'; commit`

const client = new (of === 'pg' ? pg.Client : Client)({ connectionString, query_timeout: 5000 })
await client.connect()
for (let n = 0; n < 300; n += 1) await client.query(statement(n))
const before = oldBytes()
let most = before
for (let n = 0; n < queries; n += 1) {
  await client.query(statement(n))
  if (n % 50 === 0) most = Math.max(most, oldBytes())
}
await client.end()
process.stdout.write(`${most - before}`)
