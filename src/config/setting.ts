import { isIP } from 'node:net'
import { z } from 'zod'

/** The sorts of settings. Each message continues the variable's name: "CARDEA_LISTEN must be …". */

const units = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const
const bytes = { '': 1, KiB: 1024, MiB: 1_048_576 } as const
export const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const

/** A setting with a value of its own when it is not set, written as the environment would hold it. */
export function otherwise<T>(
  text: string,
  schema: z.ZodType<T, string>,
): z.ZodType<T, string | undefined> {
  return z.string().default(text).pipe(schema)
}

/** Milliseconds, from `500ms`, `2s`, `5m`, `1h` or `90d`. */
export function duration(limits: { min: string; max: string }): z.ZodType<number, string> {
  const [min, max] = [readDuration(limits.min) ?? 0, readDuration(limits.max) ?? 0]
  const message = `must be a duration from ${limits.min} to ${limits.max}, for example 500ms, 2s or 5m`
  return reading(message, (text) => {
    const value = readDuration(text)
    return value !== undefined && value >= min && value <= max ? value : undefined
  })
}

/** A number of bytes, from `65536`, `64KiB` or `1MiB`. */
export function byteSize(limits: { min: number; max: number }): z.ZodType<number, string> {
  const message = `must be a size from ${limits.min} to ${limits.max} bytes, for example 65536, 64KiB or 1MiB`
  return reading(message, (text) => {
    const [, amount, unit] = /^([0-9]{1,12})(KiB|MiB|)$/.exec(text) ?? []
    const value = Number(amount) * bytes[unit as keyof typeof bytes]
    return value >= limits.min && value <= limits.max ? value : undefined
  })
}

export function integer(limits: { min: number; max: number }): z.ZodType<number, string> {
  return reading(`must be a whole number from ${limits.min} to ${limits.max}`, (text) => {
    const value = /^[0-9]{1,15}$/.test(text) ? Number(text) : Number.NaN
    return value >= limits.min && value <= limits.max ? value : undefined
  })
}

export function flag(): z.ZodType<boolean, string> {
  return reading('must be true or false', (text) =>
    text === 'true' ? true : text === 'false' ? false : undefined,
  )
}

/** Text of printable ASCII without spaces. */
export function word(maxLength: number): z.ZodType<string, string> {
  return reading(`must be 1 to ${maxLength} printable ASCII characters without spaces`, (text) =>
    text.length <= maxLength && /^[!-~]+$/.test(text) ? text : undefined,
  )
}

/** A URL of https, or of http to the machine's own addresses: what goes there must not be read, nor answered, by others. */
export function secureUrl(message: string): z.ZodType<string, string> {
  return reading(message, (text) => {
    const url = /^https?:\/\/[!-~]+$/.test(text) ? URL.parse(text) : null
    return url && (url.protocol === 'https:' || isLoopback(url.hostname)) ? text : undefined
  })
}

/**
 * Where browsers reach us: https, or http on the machine itself. Nothing but scheme, host and port.
 * @returns the origin (RFC 6454, section 6.2)
 */
export function publicUrl(): z.ZodType<string, string> {
  const message =
    'must be a URL such as https://id.example.com, without a path; http:// only on this machine, as http://localhost:8080'
  return reading(message, (text) => {
    const url = /^https?:\/\/[!-~]+$/.test(text) ? URL.parse(text) : null
    if (!url || (url.protocol === 'http:' && !isLoopback(url.hostname))) return undefined
    return url.href === `${url.origin}/` ? url.origin : undefined
  })
}

/** A server of Redis's protocol, and how it is reached. */
export interface RedisServer {
  readonly host: string
  readonly port: number
  readonly tls: boolean
  readonly login: { readonly user: string; readonly password: string } | undefined
  readonly database: number
}

/**
 * `rediss://user:password@host:6379/0`. Without TLS only to this machine, or with `?tls=off`. It holds a password, so its
 * message never repeats it.
 */
export function redisUrl(): z.ZodType<RedisServer, string> {
  const message =
    'must be a URL such as rediss://:password@redis.example.com:6379/0; redis:// only to this machine, or with ?tls=off'
  return reading(message, (text) => {
    const url = /^rediss?:\/\/[!-~]+$/.test(text) ? URL.parse(text) : null
    const [, database = '0'] = /^\/([0-9]{1,2})?$/.exec(url?.pathname || '/') ?? [undefined, 'none']
    if (!url || url.hostname === '' || database === 'none' || url.hash !== '') return undefined
    const tls = url.protocol === 'rediss:'
    if (!(tls ? /^$/ : /^(\?tls=off)?$/).test(url.search)) return undefined
    if (!tls && url.search === '' && !isLoopback(url.hostname)) return undefined
    const login = readLogin(url)
    if (login === 'malformed') return undefined
    return {
      host: url.hostname.replace(/^\[|\]$/g, ''),
      port: Number(url.port || 6379),
      tls,
      login,
      database: Number(database),
    }
  })
}

/** @returns undefined where the URL has none */
export function readLogin({ username, password }: URL): RedisServer['login'] | 'malformed' {
  if (password === '') return username === '' ? undefined : 'malformed'
  try {
    return { user: decodeURIComponent(username), password: decodeURIComponent(password) }
  } catch {
    return 'malformed'
  }
}

/** @param hostname as `URL` spells it */
export function isLoopback(hostname: string): boolean {
  if (hostname === 'localhost' || hostname === '[::1]') return true
  return isIP(hostname) === 4 && hostname.startsWith('127.')
}

/** Text that a pattern matches as a whole. */
export function pattern(source: RegExp, message: string): z.ZodType<string, string> {
  return reading(message, (text) => (source.test(text) ? text : undefined))
}

export function oneOf<const Choice extends string>(
  choices: readonly Choice[],
): z.ZodType<Choice, string> {
  return reading(`must be one of ${choices.join(', ')}`, (text) =>
    choices.find((choice) => choice === text),
  )
}

/** A list with commas between; spaces around an entry do not count. */
export function listOf<T>(
  entry: z.ZodType<T, string>,
  message: string,
): z.ZodType<readonly T[], string> {
  return reading(message, (text) => {
    const entries = text
      .split(',')
      .map((part) => part.trim())
      .filter((part) => part !== '')
    const values = entries.map((part) => entry.safeParse(part))
    return values.every((value) => value.success) ? values.map((value) => value.data) : undefined
  })
}

/**
 * A PostgreSQL URL. It holds a password, so its message never repeats it. To another machine it must say that the
 * connection is encrypted and the server's certificate verified, or that neither is wanted: whoever is on the way could
 * otherwise bring in keys of their own (ASVS 12.3.1, 12.3.2).
 */
export function databaseUrl(): z.ZodType<string, string> {
  const form =
    'must be a URL such as postgres://user:password@host:5432/database?sslmode=verify-full'
  const insecure =
    'must have sslmode=verify-full, with sslrootcert=FILE for an authority of your own, or sslmode=disable to trust the network'
  return z.string({ error: form }).transform((text, context) => {
    const url = URL.parse(text)
    const wellFormed =
      url !== null && /^postgres(ql)?:$/.test(url.protocol) && url.pathname.length > 1
    if (
      wellFormed &&
      (isLocal(url) || /^(verify-full|disable)$/.test(url.searchParams.get('sslmode') ?? ''))
    )
      return text
    context.addIssue({ code: 'custom', message: wellFormed ? insecure : form })
    return z.NEVER
  })
}

/** Whether a connection stays on this machine: loopback, or a socket's folder for a host. */
function isLocal({ hostname }: URL): boolean {
  return /^(|localhost|127\.[0-9.]+|\[::1\]|%2[fF].*)$/.test(hostname)
}

export interface ListenAddress {
  readonly host: string
  readonly port: number
}

/** Where a server listens: `host:port`, and an IPv6 address in brackets. Port 0 takes a free one. */
export function listenAddress(): z.ZodType<ListenAddress, string> {
  return reading('must be host:port, for example 0.0.0.0:8080 or [::]:8080', (text) => {
    const [, bracketed, plain, digits] =
      /^(?:\[([^\]]+)\]|([^:[\]]+)):([0-9]{1,5})$/.exec(text) ?? []
    const host = bracketed ?? plain
    const port = Number(digits)
    if (host === undefined || port > 65_535) return undefined
    return bracketed === undefined || isIP(bracketed) === 6 ? { host, port } : undefined
  })
}

/** A network, `10.0.0.0/8` or `2001:db8::/32`; an address alone is the network of that one. */
export function network(): z.ZodType<string, string> {
  return reading('must be a network in CIDR notation', (text) => {
    const [address = '', prefix, ...rest] = text.split('/')
    const family = isIP(address)
    if (family === 0 || rest.length > 0 || address.includes('%')) return undefined
    const bits = family === 4 ? 32 : 128
    if (prefix === undefined) return `${address}/${bits}`
    return /^(0|[1-9][0-9]{0,2})$/.test(prefix) && Number(prefix) <= bits ? text : undefined
  })
}

/** What a namespace may be called, and an installation, of which several may share a database. */
export function label(): z.ZodType<string, string> {
  return pattern(
    /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/,
    'must be a DNS label: at most 63 lower-case letters, digits and inner hyphens',
  )
}

/** A moment with its time zone (RFC 3339). */
export function moment(): z.ZodType<Date, string> {
  return reading('must be a time such as 2027-06-30T00:00:00Z', (text) => {
    const valid = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,3})?(Z|[+-]\d\d:\d\d)$/.test(text)
    const value = new Date(text)
    return valid && !Number.isNaN(value.getTime()) ? value : undefined
  })
}

export const logLevel = (): z.ZodType<(typeof logLevels)[number], string> => oneOf(logLevels)

function readDuration(text: string): number | undefined {
  const [, amount, unit] = /^([0-9]{1,9})(ms|s|m|h|d)$/.exec(text) ?? []
  return amount === undefined ? undefined : Number(amount) * units[unit as keyof typeof units]
}

/** A schema from a function that reads the text or answers undefined. */
export function reading<T>(
  message: string,
  read: (text: string) => T | undefined,
): z.ZodType<T, string> {
  return z.string({ error: message }).transform((text, context) => {
    const value = read(text)
    if (value !== undefined) return value
    context.addIssue({ code: 'custom', message })
    return z.NEVER
  })
}
