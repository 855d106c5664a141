import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Client } from 'pg'
import { from as copyFrom } from 'pg-copy-streams'

/** Copies rows into a table of ours. @param target the table, with its columns */
export async function copy(
  client: Client,
  target: string,
  rows: () => Iterable<readonly string[]>,
): Promise<void> {
  const into = client.query(copyFrom(`copy cardea.${target} from stdin`))
  await pipeline(Readable.from(chunks(rows())), into)
}

/** Lines of COPY's text format, many at a time. */
function* chunks(rows: Iterable<readonly string[]>): Generator<string> {
  let chunk = ''
  for (const row of rows) {
    chunk += `${row.join('\t')}\n`
    if (chunk.length < 65_536) continue
    yield chunk
    chunk = ''
  }
  yield chunk
}
