import { LuaFactory } from 'wasmoon'

export interface Health {
  readonly status: 'Healthy' | 'Progressing' | 'Degraded' | 'Suspended'
  readonly message: string
}

/** What Argo CD leaves of Lua: the base and table libraries (util/lua there). */
const forbidden = ['string', 'math', 'io', 'debug', 'coroutine', 'utf8']

/**
 * Runs a health check as Argo CD does: the resource is the global `obj`, the script returns a table.
 * @throws when the script fails or uses a library that Argo CD does not load
 */
export async function runHealthCheck(script: string, resource: object): Promise<Health> {
  const lua = await new LuaFactory().createEngine()
  try {
    await lua.doString(forbidden.map((library) => `${library} = nil`).join('\n'))
    // A literal, because a proxy of a JavaScript object is not a table and counts from 0.
    await lua.doString(`obj = ${literal(resource)}`)
    return (await lua.doString(script)) as Health
  } finally {
    lua.global.close()
  }
}

function literal(value: unknown): string {
  if (value === null || value === undefined) return 'nil'
  if (typeof value === 'string') return `"${[...Buffer.from(value)].map(escape).join('')}"`
  if (typeof value !== 'object') return JSON.stringify(value)
  const fields = Array.isArray(value)
    ? value.map(literal)
    : Object.entries(value).map(([key, field]) => `[${literal(key)}] = ${literal(field)}`)
  return `{${fields.join(', ')}}`
}

function escape(byte: number): string {
  return `\\${String(byte).padStart(3, '0')}`
}
