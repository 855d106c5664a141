import { readdirSync, readFileSync } from 'node:fs'
import { request } from 'node:http'
import path from 'node:path'
import { testCluster } from './controlplane.ts'
import type { Haystack } from './search.ts'

interface Range {
  readonly kvs?: readonly { readonly key: string; readonly value: string }[]
}

/** Every key that the test cluster's etcd has now, with its value as it is stored. */
export async function etcdKeys(): Promise<readonly Haystack[]> {
  // From the first key to the last: etcd's API, `RangeRequest`.
  const everything = { key: 'AA==', range_end: 'AA==' }
  const { kvs = [] } = JSON.parse(await post(socketOf(), '/v3/kv/range', everything)) as Range
  return kvs.map(({ key, value }) => ({
    name: Buffer.from(key, 'base64').toString(),
    content: Buffer.from(value, 'base64'),
  }))
}

/** The socket of the etcd whose data lie beside the audit log. */
function socketOf(): string {
  const home = path.dirname(testCluster().auditLogPath)
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    const args = commandLine(pid)
    const own = args.some((arg) => arg.startsWith(`--data-dir=${home}`))
    const url = args.find((arg) => arg.startsWith('--listen-client-urls=unix://'))
    if (own && url) return url.slice('--listen-client-urls=unix://'.length)
  }
  throw new Error(`no etcd keeps its data in ${home}`)
}

function commandLine(pid: string): readonly string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
  } catch {
    return []
  }
}

function post(socketPath: string, url: string, body: object): Promise<string> {
  return new Promise((resolve, reject) => {
    const sent = request({ socketPath, path: url, method: 'POST' }, (answer) => {
      const chunks: Buffer[] = []
      answer.on('data', (chunk: Buffer) => chunks.push(chunk))
      answer.on('end', () => resolve(Buffer.concat(chunks).toString()))
    })
    sent.on('error', reject)
    sent.end(JSON.stringify(body))
  })
}
